//! What the scheduler's calls can be asked for.

use crate::clause::{Field, Kind, View, joined, own};

const TASK: &str = "task";
const HOST: &str = "host";

/// Attempts at tasks: when a host took one is when it was given to it.
pub(super) const RUNS: View = View {
    table: "task_run",
    joins: &[(TASK, "JOIN task ON task.id = task_run.task_id"), (HOST, "JOIN host ON host.id = task_run.host_id")],
    fields: &[
        own("id", "task_run.id", Kind::Int),
        own("task_id", "task_run.task_id", Kind::Int),
        own("host_id", "task_run.host_id", Kind::Host),
        own("active", "(task_run.end_time IS NULL)", Kind::Bool),
        own("create_ts", "task_run.start_time", Kind::Seconds),
        joined("start_ts", "task.start_time", Kind::Seconds, TASK),
        joined("completion_ts", "task.completion_time", Kind::Seconds, TASK),
        METHOD,
        STATE,
        OWNER,
        ARCH,
        CHANNEL,
        HOST_NAME,
        HOST_READY,
    ],
    default: &["id", "task_id", "host_id", "active", "create_ts"],
};

/// Hosts that did not want a task.
pub(super) const REFUSALS: View = View {
    table: "task_refusal",
    joins: &[
        (TASK, "JOIN task ON task.id = task_refusal.task_id"),
        (HOST, "JOIN host ON host.id = task_refusal.host_id"),
    ],
    fields: &[
        own("id", "task_refusal.id", Kind::Int),
        own("task_id", "task_refusal.task_id", Kind::Int),
        own("host_id", "task_refusal.host_id", Kind::Host),
        // nobody else refuses: what a host cannot do, it is not offered
        own("by_host", "true", Kind::Bool),
        own("soft", "task_refusal.soft", Kind::Bool),
        own("msg", "task_refusal.msg", Kind::Text),
        own("ts", "task_refusal.time", Kind::Seconds),
        METHOD,
        STATE,
        OWNER,
        ARCH,
        CHANNEL,
        HOST_NAME,
        HOST_READY,
    ],
    default: &["id", "task_id", "host_id", "by_host", "soft", "msg", "ts"],
};

/// What was decided about tasks and hosts.
pub(super) const MESSAGES: View = View {
    table: "scheduler_log_messages",
    joins: &[
        (TASK, "LEFT JOIN task ON task.id = scheduler_log_messages.task_id"),
        (HOST, "LEFT JOIN host ON host.id = scheduler_log_messages.host_id"),
    ],
    fields: &[
        own("id", "scheduler_log_messages.id", Kind::Int),
        own("task_id", "scheduler_log_messages.task_id", Kind::Int),
        own("host_id", "scheduler_log_messages.host_id", Kind::Host),
        own("msg_ts", "scheduler_log_messages.msg_time", Kind::Seconds),
        own("msg", "scheduler_log_messages.msg", Kind::Text),
        METHOD,
        STATE,
        OWNER,
        ARCH,
        CHANNEL,
        HOST_NAME,
        HOST_READY,
    ],
    default: &["id", "task_id", "host_id", "msg", "msg_ts"],
};

const METHOD: Field = joined("method", "task.method", Kind::Text, TASK);
const STATE: Field = joined("state", "task.state", Kind::Int, TASK);
const OWNER: Field = joined("owner", "task.owner", Kind::Int, TASK);
const ARCH: Field = joined("arch", "task.arch", Kind::Text, TASK);
const CHANNEL: Field = joined("channel_id", "task.channel_id", Kind::Int, TASK);
const HOST_NAME: Field = joined("host_name", "host.name", Kind::Text, HOST);
const HOST_READY: Field = joined("host_ready", "host.ready", Kind::Bool, HOST);
