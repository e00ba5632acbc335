//! Policies: asking, setting and explaining them.

use super::method;
use crate::{id::EventId, time::Time, value::Map};

/// A policy that is in force.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ListedPolicy {
    /// Its name.
    pub name: String,
    /// Where it comes from: `database`, `file` or `default`.
    pub origin: String,
    /// Its rules.
    pub rules: String,
}

/// A policy as it was stored at some time.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct PolicyVersion {
    /// Its name.
    pub name: String,
    /// Its rules.
    pub rules: String,
    /// The event from which on it was in force.
    pub create_event: EventId,
    /// When that was.
    pub create_time: Time,
    /// The same, in seconds.
    pub create_ts: f64,
    /// Who set it.
    pub creator_name: String,
    /// The event from which on it was not; nil = it still is.
    pub revoke_event: Option<EventId>,
    /// When that was.
    pub revoke_time: Option<Time>,
    /// The same, in seconds.
    pub revoke_ts: Option<f64>,
    /// Who took it back.
    pub revoker_name: Option<String>,
}

/// A test that was asked.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct AskedTest {
    /// As it is written.
    pub test: String,
    /// Whether it holds.
    pub holds: bool,
}

/// A rule that was looked at.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct AskedRule {
    /// The policy that it is in: another than was asked where a test `policy` led there.
    pub policy: String,
    /// Its line, from 1.
    pub line: usize,
    /// As it is written.
    pub rule: String,
    /// Its tests, up to the first that does not hold.
    pub tests: Vec<AskedTest>,
    /// Whether it matches.
    pub matched: bool,
}

/// Why a policy says what it says.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Explanation {
    /// The policy.
    pub name: String,
    /// Where it comes from: `database`, `file`, `default`, or `given` with the question.
    pub origin: String,
    /// What it says; nil = none of its rules matches.
    pub action: Option<String>,
    /// The rule that decided, after those around it.
    pub rule: Option<String>,
    /// Its line, from 1: in the file, or in the stored text.
    pub line: Option<usize>,
    /// Every rule that was looked at, in order.
    pub asked: Vec<AskedRule>,
    /// The data.
    pub data: Map,
    /// What was found out from them.
    pub found: Map,
}

method! {
    /// What a policy says of some data: the action as it is written, or nil when none of its rules matches.
    EvalPolicy = "evalPolicy", Anonymous, Read => Option<String> {
        /// The policy.
        name "name": String = required,
        /// The data, with Koji's keys: `user_id`, `tag`, `build`, `operation` …
        data "data": Map = required,
    }

    /// The same, for a builder.
    HostEvalPolicy = "host.evalPolicy", Host, Read => Option<String> {
        /// The policy.
        name "name": String = required,
        /// The data.
        data "data": Map = required,
    }

    /// Whether a policy allows: that, and why.
    HostCheckPolicy = "host.checkPolicy", Host, Read => (bool, String) {
        /// The policy.
        name "name": String = required,
        /// The data.
        data "data": Map = required,
        /// What it says when none of its rules matches.
        default "default": String = text "deny",
        /// A fault when it denies.
        strict "strict": bool = no,
    }

    /// A fault unless a policy allows.
    HostAssertPolicy = "host.assertPolicy", Host, Read => () {
        /// The policy.
        name "name": String = required,
        /// The data.
        data "data": Map = required,
        /// What it says when none of its rules matches.
        default "default": String = text "deny",
    }

    /// Stores a policy, which is in force at once, before the file's and the built-in one of that name. Answers the event.
    SetPolicy = "policy.set", Permission("admin"), Write => EventId {
        /// Its name.
        name "name": String = required,
        /// Its rules; nil takes the stored one back, so that the file's or the built-in one counts again.
        rules "rules": Option<String> = nil,
    }

    /// The policies in force, by name.
    ListPolicies = "policy.list", Permission("admin"), Read => Vec<ListedPolicy> {}

    /// What was stored, newest first.
    PolicyHistory = "policy.history", Permission("admin"), Read => Vec<PolicyVersion> {
        /// Only of this policy.
        name "name": Option<String> = nil,
    }

    /// What a policy says of some data, and why.
    ExplainPolicy = "policy.explain", LoggedIn, Read => Explanation {
        /// The policy.
        name "name": String = required,
        /// The data, as for evalPolicy.
        data "data": Map = required,
        /// Rules to try in place of those in force.
        rules "rules": Option<String> = nil,
    }
}
