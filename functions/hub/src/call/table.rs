//! The table of methods. Everything that lists methods is made from it.

use std::{collections::BTreeMap, future::Future, pin::Pin};

use schemars::{Schema, SchemaGenerator, json_schema};
use toji_protocol::{
    method::{Access, Effect, Method, Param, ParamKind},
    value::{Map, Value, from_value},
};

use super::Cx;
use crate::{
    Result, plugin,
    plugin::{ARGS, KWARGS, PluginMethod, kept},
};

/// An answer, in no encoding yet.
pub type Reply = Box<dyn erased_serde::Serialize + Send>;

/// How the hub answers a method.
pub trait Handle: Method {
    /// Answers one call.
    fn handle(self, cx: &mut Cx) -> impl Future<Output = Result<Self::Output>> + Send;
}

type Run = for<'a> fn(&'a mut Cx, Map) -> Pin<Box<dyn Future<Output = Result<Reply>> + Send + 'a>>;

/// A method of the table.
#[derive(Clone)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Who may call it.
    pub access: Access,
    /// How it is run.
    pub effect: Effect,
    /// Its parameters.
    pub params: &'static [Param],
    /// What it does.
    pub doc: &'static str,
    /// The schema of its arguments, as a struct.
    pub arguments: fn(&mut SchemaGenerator) -> Schema,
    /// The schema of its answer.
    pub answer: fn(&mut SchemaGenerator) -> Schema,
    run: Answered,
}

#[derive(Clone)]
enum Answered {
    /// By the hub.
    Here(Run),
    /// By somebody else.
    Elsewhere(PluginMethod),
}

impl Entry {
    /// Runs it. Its arguments are bound.
    pub(super) async fn run(&self, cx: &mut Cx, arguments: Map) -> Result<Reply> {
        match &self.run {
            Answered::Here(run) => run(cx, arguments).await,
            Answered::Elsewhere(method) => plugin::call(cx, method, arguments).await,
        }
    }

    /// Whether somebody else answers it.
    pub(super) fn is_elsewhere(&self) -> bool {
        matches!(self.run, Answered::Elsewhere(_))
    }
}

/// All methods, by name.
pub struct Table {
    entries: BTreeMap<&'static str, Entry>,
}

impl Table {
    /// The methods that are offered: ours, and those that others answer.
    pub(crate) fn new(others: &[PluginMethod]) -> Self {
        let mut table = Self { entries: BTreeMap::new() };
        crate::system::methods(&mut table);
        crate::session::methods(&mut table);
        crate::user::methods(&mut table);
        crate::tag::methods(&mut table);
        crate::target::methods(&mut table);
        crate::package::methods(&mut table);
        crate::group::methods(&mut table);
        crate::history::methods(&mut table);
        crate::external_repo::methods(&mut table);
        crate::policy::methods(&mut table);
        crate::sidetag::methods(&mut table);
        crate::callback::methods(&mut table);
        crate::sign::methods(&mut table);
        crate::channel::methods(&mut table);
        crate::host::methods(&mut table);
        crate::content::methods(&mut table);
        crate::task::methods(&mut table);
        crate::build::methods(&mut table);
        crate::archive::methods(&mut table);
        crate::content_generator::methods(&mut table);
        crate::notification::methods(&mut table);
        crate::import::methods(&mut table);
        crate::volume::methods(&mut table);
        crate::rpm::methods(&mut table);
        crate::search::methods(&mut table);
        crate::buildroot::methods(&mut table);
        crate::repo::methods(&mut table);
        crate::scheduler::methods(&mut table);
        crate::upload::methods(&mut table);
        crate::worker::methods(&mut table);
        for method in others {
            table.entries.insert(kept(&method.name), elsewhere(method));
        }
        table
    }

    /// Adds a method.
    pub(crate) fn add<M: Handle>(&mut self) -> &mut Self {
        let run: Run = |cx, arguments| {
            Box::pin(async move {
                let call: M = from_value(Value::Struct(arguments))?;
                let answer = call.handle(cx).await?;
                Ok(Box::new(answer) as Reply)
            })
        };
        let entry = Entry {
            name: M::NAME,
            access: M::ACCESS,
            effect: M::EFFECT,
            params: M::PARAMS,
            doc: M::DOC,
            arguments: |schemas| M::json_schema(schemas),
            answer: |schemas| schemas.subschema_for::<M::Output>(),
            run: Answered::Here(run),
        };
        self.entries.insert(M::NAME, entry);
        self
    }

    /// A method, by name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// All methods, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }
}

/// A method that somebody else answers. It speaks to the network, so it must not sit in a transaction.
fn elsewhere(method: &PluginMethod) -> Entry {
    const ANY: &[Param] =
        &[Param { name: ARGS, kind: ParamKind::Rest }, Param { name: KWARGS, kind: ParamKind::RestNamed }];
    Entry {
        name: kept(&method.name),
        access: method.access,
        effect: Effect::Outside,
        params: method.parameters.as_ref().map_or(ANY, |parameters| Vec::leak(parameters.clone())),
        doc: kept(&method.doc),
        // what its parameters are stands in `params`; of their types nothing is known
        arguments: |_| json_schema!({ "type": "object", "properties": {} }),
        answer: |_| json_schema!(true),
        run: Answered::Elsewhere(method.clone()),
    }
}
