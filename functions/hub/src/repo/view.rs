//! What `repo.query` and `repo.queryQueue` can be asked for.

use crate::clause::{Field, Kind, View, joined, own};

/// Repos.
pub(super) const REPOS: View = View {
    table: "repo",
    joins: &[
        ("tag", "JOIN tag ON tag.id = repo.tag_id"),
        ("made", "JOIN events made ON made.id = repo.create_event"),
        ("began", "LEFT JOIN events began ON began.id = repo.begin_event"),
        ("ended", "LEFT JOIN events ended ON ended.id = repo.end_event"),
        ("task", "LEFT JOIN task ON task.id = repo.task_id"),
    ],
    fields: REPO_FIELDS,
    default: &["id", "tag_id", "create_event", "state", "dist", "task_id", "opts", "custom_opts"],
};

const REPO_FIELDS: &[Field] = &[
    own("id", "repo.id", Kind::Int),
    own("tag_id", "repo.tag_id", Kind::Int),
    own("creation_time", "repo.creation_time", Kind::Time),
    own("creation_ts", "repo.creation_time", Kind::Seconds),
    own("state_time", "repo.state_time", Kind::Time),
    own("state_ts", "repo.state_time", Kind::Seconds),
    own("create_event", "repo.create_event", Kind::Int),
    joined("create_ts", "made.time", Kind::Seconds, "made"),
    own("begin_event", "repo.begin_event", Kind::Int),
    joined("begin_ts", "began.time", Kind::Seconds, "began"),
    own("end_event", "repo.end_event", Kind::Int),
    joined("end_ts", "ended.time", Kind::Seconds, "ended"),
    own("state", "repo.state", Kind::Int),
    own("dist", "repo.dist", Kind::Bool),
    own("opts", "repo.opts", Kind::Json),
    own("custom_opts", "repo.custom_opts", Kind::Json),
    own("task_id", "repo.task_id", Kind::Int),
    joined("task_state", "task.state", Kind::Int, "task"),
    joined("tag_name", "tag.name", Kind::Text, "tag"),
];

/// Requests for repos.
pub(super) const QUEUE: View = View {
    table: "repo_queue",
    joins: &[
        ("tag", "JOIN tag ON tag.id = repo_queue.tag_id"),
        ("task", "LEFT JOIN task ON task.id = repo_queue.task_id"),
        ("users", "JOIN users ON users.id = repo_queue.owner"),
    ],
    fields: QUEUE_FIELDS,
    default: &[
        "id",
        "tag_id",
        "at_event",
        "min_event",
        "create_ts",
        "task_id",
        "tries",
        "repo_id",
        "opts",
        "active",
        "update_ts",
    ],
};

const QUEUE_FIELDS: &[Field] = &[
    own("id", "repo_queue.id", Kind::Int),
    own("create_time", "repo_queue.create_time", Kind::Time),
    own("create_ts", "repo_queue.create_time", Kind::Seconds),
    own("owner", "repo_queue.owner", Kind::Int),
    joined("owner_name", "users.name", Kind::Text, "users"),
    own("priority", "repo_queue.priority", Kind::Int),
    own("tag_id", "repo_queue.tag_id", Kind::Int),
    joined("tag_name", "tag.name", Kind::Text, "tag"),
    own("at_event", "repo_queue.at_event", Kind::Int),
    own("min_event", "repo_queue.min_event", Kind::Int),
    own("opts", "repo_queue.opts", Kind::Json),
    own("update_time", "repo_queue.update_time", Kind::Time),
    own("update_ts", "repo_queue.update_time", Kind::Seconds),
    own("active", "repo_queue.active", Kind::Bool),
    own("task_id", "repo_queue.task_id", Kind::Int),
    joined("task_state", "task.state", Kind::Int, "task"),
    own("tries", "repo_queue.tries", Kind::Int),
    own("repo_id", "repo_queue.repo_id", Kind::Int),
];
