//! Task methods: one file each, with its arguments, its weight and its result.

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::{
    method::{BindError, Param, bind},
    value::{Map, Value, ValueError, from_value, to_value},
};

pub mod build;
pub mod build_arch;
pub mod build_srpm_from_scm;
pub mod chain_build;
pub mod dependant_task;
pub mod dist_repo;
pub mod new_repo;
pub mod rebuild_srpm;
pub mod restart;
pub mod restart_hosts;
pub mod restart_verify;
pub mod runroot;
pub mod save_failed_tree;
pub mod tag_build;
pub mod wait_repo;

/// A kind of task. The type itself holds the arguments of one.
pub trait TaskMethod: Serialize + DeserializeOwned {
    /// Its name.
    const METHOD: &'static str;
    /// Its share of a host's capacity, until its handler knows better.
    const WEIGHT: f64;
    /// The hub's coordinator runs it, not a builder.
    const COORDINATED: bool;
    /// Its arguments, in order.
    const PARAMS: &'static [Param];
    /// What it answers.
    type Output: Serialize + DeserializeOwned;

    /// Reads the arguments of a task.
    ///
    /// # Errors
    /// When they do not fit.
    fn from_request(request: Vec<Value>) -> Result<Self, RequestError> {
        let (positional, named) = crate::xmlrpc::split_named(request);
        let bound = bind(Self::METHOD, Self::PARAMS, positional, named)?;
        Ok(from_value(Value::Struct(bound))?)
    }

    /// The arguments, by position.
    ///
    /// # Errors
    /// When a value has no XML-RPC form.
    fn to_request(&self) -> Result<Vec<Value>, RequestError> {
        let Value::Struct(mut fields) = to_value(self)? else {
            return Ok(Vec::new());
        };
        Ok(Self::PARAMS.iter().map(|param| take(&mut fields, param.name)).collect())
    }
}

fn take(fields: &mut Map, name: &str) -> Value {
    fields.remove(name).unwrap_or(Value::Nil)
}

/// Why a task's arguments could not be read.
#[derive(Debug, Error)]
pub enum RequestError {
    /// They are too many, too few or wrongly named.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// One is of the wrong type.
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// Describes a kind of task, as [`crate::method::method!`] does a method.
macro_rules! task_method {
    ($(#[doc = $doc:literal])*
     $name:ident = $wire:literal, weight $weight:literal, coordinated $coordinated:literal => $output:ty {
        $( $(#[doc = $fdoc:literal])* $field:ident $fwire:literal : $ftype:ty = $kind:ident $($arg:literal)? ),* $(,)?
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            $( $(#[doc = $fdoc])* #[serde(rename = $fwire)] pub $field: $ftype, )*
        }

        impl $crate::task::TaskMethod for $name {
            const METHOD: &'static str = $wire;
            const WEIGHT: f64 = $weight;
            const COORDINATED: bool = $coordinated;
            const PARAMS: &'static [$crate::method::Param] = &[
                $($crate::method::Param { name: $fwire, kind: $crate::method::kind!($kind $($arg)?) }),*
            ];
            type Output = $output;
        }
    };
}

pub(crate) use task_method;

/// What is known of a kind of task without its type.
struct Traits {
    method: &'static str,
    weight: f64,
    coordinated: bool,
    params: &'static [Param],
}

/// The kind of a name, if it is one of ours.
fn find(method: &str) -> Option<Traits> {
    macro_rules! find {
        ($($task:ty),* $(,)?) => {
            match method {
                $(<$task>::METHOD => Some(Traits {
                    method: <$task>::METHOD,
                    weight: <$task>::WEIGHT,
                    coordinated: <$task>::COORDINATED,
                    params: <$task>::PARAMS,
                }),)*
                _ => None,
            }
        };
    }
    find!(
        build::BuildTask,
        build_arch::BuildArchTask,
        build_srpm_from_scm::BuildSrpmFromScmTask,
        chain_build::ChainBuildTask,
        dependant_task::DependantTask,
        dist_repo::DistRepoTask,
        new_repo::NewRepoTask,
        rebuild_srpm::RebuildSrpmTask,
        restart::RestartTask,
        restart_hosts::RestartHostsTask,
        restart_verify::RestartVerifyTask,
        runroot::RunRootTask,
        save_failed_tree::SaveFailedTreeTask,
        tag_build::TagBuildTask,
        wait_repo::WaitRepoTask,
    )
}

/// Weight and runner of a task by its method's name; Koji's default for those it does not know.
pub fn traits_of(method: &str) -> (f64, bool) {
    find(method).map_or((1.0, false), |traits| (traits.weight, traits.coordinated))
}

/// Kinds of tasks that are for one host alone: no other can do them in its place.
pub const PINNED: [&str; 3] = [
    restart::RestartTask::METHOD,
    restart_verify::RestartVerifyTask::METHOD,
    save_failed_tree::SaveFailedTreeTask::METHOD,
];

/// The method's name and parameters; None for one that is not known.
pub fn params_of(method: &str) -> Option<(&'static str, &'static [Param])> {
    find(method).map(|traits| (traits.method, traits.params))
}
