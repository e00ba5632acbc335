//! What was decided about tasks and hosts.

use super::{Clauses, Listing, Named, OneOrMany, QueryOpts, method};
use crate::id::HostId;

/// What a builder has told of itself.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct HostFacts {
    /// The kinds of tasks that it runs.
    pub methods: Vec<String>,
    /// How many it runs at once.
    pub maxjobs: i32,
}

/// A builder, and what it has told.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct HostData {
    /// What it has told.
    pub data: HostFacts,
    /// The builder.
    pub host_id: HostId,
}

method! {
    /// Attempts at tasks. Fields: id, task_id, method, state, owner, arch, channel_id, host_id, host_name, host_ready, active,
    /// create_ts, start_ts, completion_ts.
    GetTaskRuns = "scheduler.getTaskRuns", Anonymous, Read => Listing<Named> {
        /// Conditions: each `[field, value]` or `[field, operator, value]`.
        clauses "clauses": Option<Clauses> = nil,
        /// The fields that are wanted; `**` = all.
        fields "fields": Option<OneOrMany<String>> = nil,
        /// How the list is cut and sorted; by id unless given.
        opts "opts": Option<QueryOpts> = nil,
    }

    /// Hosts that did not want a task. Fields: id, task_id, method, state, owner, arch, channel_id, host_id, host_name, host_ready,
    /// by_host, soft, msg, ts.
    GetTaskRefusals = "scheduler.getTaskRefusals", Anonymous, Read => Listing<Named> {
        /// Conditions: each `[field, value]` or `[field, operator, value]`.
        clauses "clauses": Option<Clauses> = nil,
        /// The fields that are wanted; `**` = all.
        fields "fields": Option<OneOrMany<String>> = nil,
    }

    /// What was decided about tasks and hosts in the last week. Fields: id, task_id, method, state, owner, arch, channel_id, host_id,
    /// host_name, host_ready, msg, msg_ts.
    GetLogMessages = "scheduler.getLogMessages", Anonymous, Read => Listing<Named> {
        /// Conditions: each `[field, value]` or `[field, operator, value]`.
        clauses "clauses": Option<Clauses> = nil,
        /// The fields that are wanted; `**` = all.
        fields "fields": Option<OneOrMany<String>> = nil,
        /// How the list is cut and sorted; by id unless given.
        opts "opts": Option<QueryOpts> = nil,
    }

    /// What builders have told of themselves.
    GetHostData = "scheduler.getHostData", Anonymous, Read => Vec<HostData> {
        /// Only this one.
        host_id "hostID": Option<HostId> = nil,
    }

    /// Looks for lost builders, forgotten tasks and lost messages now. Answers whether it did: not twice in a minute.
    DoRun = "scheduler.doRun", Permission("admin"), Outside => bool {
        /// Now, in any case.
        force "force": bool = no,
    }
}
