//! The policies in force: those of the database before those of the file before the built-in ones.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    defaults::DEFAULTS,
    file::PolicyFile,
    parse::{ParseError, RuleSet},
    sql,
};
use crate::{Error, Result, call::Cx};

/// Where a policy comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Database,
    File,
    Default,
}

impl Origin {
    pub(super) fn name(self) -> &'static str {
        match self {
            Origin::Database => "database",
            Origin::File => "file",
            Origin::Default => "default",
        }
    }
}

/// One policy.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) origin: Origin,
    /// As it is written.
    pub(super) rules: String,
    set: std::result::Result<Arc<RuleSet>, ParseError>,
}

impl Policy {
    fn new(origin: Origin, rules: &str) -> Self {
        Self { origin, rules: rules.to_owned(), set: RuleSet::parse(rules).map(Arc::new) }
    }

    /// Its rules.
    ///
    /// # Errors
    /// When it was stored by a release that knew more tests than this one.
    pub(super) fn set(&self, name: &str) -> Result<Arc<RuleSet>> {
        self.set.clone().map_err(|error| Error::internal(anyhow::anyhow!("the policy {name} cannot be read: {error}")))
    }
}

/// All policies in force, by name.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    pub(super) by_name: BTreeMap<String, Policy>,
    /// Which stored ones these are.
    versions: Vec<i64>,
}

/// What a process has read already. The text of a stored policy never changes under its id, so the ids tell whether it is still good.
#[derive(Debug)]
pub(crate) struct Cache {
    settled: BTreeMap<String, Policy>,
    latest: Mutex<Arc<Policies>>,
}

impl Cache {
    /// With the policies of a file.
    pub(crate) fn new(file: &PolicyFile) -> Self {
        let mut settled: BTreeMap<String, Policy> =
            DEFAULTS.into_iter().map(|(name, rules)| (name.to_owned(), Policy::new(Origin::Default, rules))).collect();
        for (name, policy) in &file.0 {
            let policy = Policy { origin: Origin::File, rules: policy.rules.clone(), set: Ok(policy.set.clone()) };
            settled.insert(name.clone(), policy);
        }
        let latest = Policies { by_name: settled.clone(), versions: Vec::new() };
        Self { settled, latest: Mutex::new(Arc::new(latest)) }
    }

    fn with(&self, stored: Vec<sql::Stored>) -> Arc<Policies> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if !latest.versions.iter().copied().eq(stored.iter().map(|policy| policy.id)) {
            let versions = stored.iter().map(|policy| policy.id).collect();
            let mut by_name = self.settled.clone();
            by_name
                .extend(stored.into_iter().map(|policy| (policy.name, Policy::new(Origin::Database, &policy.rules))));
            *latest = Arc::new(Policies { by_name, versions });
        }
        latest.clone()
    }
}

/// The policies in force, read with one statement at the first time that a call asks.
pub(super) async fn load(cx: &mut Cx) -> Result<Arc<Policies>> {
    if let Some(policies) = &cx.policies {
        return Ok(policies.clone());
    }
    let stored = sql::in_force(cx.db().await?).await?;
    let policies = cx.hub.policies.with(stored);
    cx.policies = Some(policies.clone());
    Ok(policies)
}
