//! Changes of tasks: one of each attribute, as in Koji.

use serde_json::{Value, json};
use toji_protocol::{
    id::{HostId, TaskId},
    method::task::TaskInfo,
    state::TaskState,
    task::PINNED,
    time::Time,
};

use super::{is_asked, is_wanted};
use crate::{
    Result,
    call::Cx,
    callback::{Callback, Happening, after, before, message::of_task},
    task::{self, NewTask, TaskRow},
};

/// What a task's attribute becomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Change {
    /// Its state.
    State(TaskState),
    /// Who runs it.
    Host(Option<HostId>),
    /// Lower runs first.
    Priority(i32),
    /// Its share of a host's capacity.
    Weight(f64),
    /// It ends now.
    Completion,
}

impl Change {
    fn attribute(self) -> &'static str {
        match self {
            Self::State(_) => "state",
            Self::Host(_) => "host_id",
            Self::Priority(_) => "priority",
            Self::Weight(_) => "weight",
            Self::Completion => "completion_ts",
        }
    }

    /// What it was, and what it becomes; states by name.
    fn values(self, info: &TaskInfo, now: Time) -> (Value, Value) {
        match self {
            Self::State(state) => (info.state.name().into(), state.name().into()),
            Self::Host(host) => (json!(info.host_id), json!(host)),
            Self::Priority(priority) => (info.priority.into(), priority.into()),
            Self::Weight(weight) => (info.weight.into(), weight.into()),
            Self::Completion => (json!(info.completion_ts), now.ts().into()),
        }
    }

    fn apply(self, info: &mut TaskInfo, now: Time) {
        match self {
            Self::State(state) => info.state = state,
            Self::Host(host) => info.host_id = host,
            Self::Priority(priority) => info.priority = priority,
            Self::Weight(weight) => info.weight = weight,
            Self::Completion => (info.completion_time, info.completion_ts) = (Some(now), Some(now.ts())),
        }
    }

    fn address(self) -> String {
        match self {
            Self::State(state) => format!("task.{}", state.name().to_lowercase()),
            other => format!("task.change.{}", other.attribute()),
        }
    }
}

/// Tasks change. To be called before the change, with what it does to each: those that it does not change are left out, as the change itself
/// leaves them.
///
/// # Errors
/// When a hook refuses.
pub(crate) async fn changed(
    cx: &mut Cx,
    tasks: &[TaskId],
    is_changed: impl Fn(&TaskRow) -> bool,
    changes: &[Change],
) -> Result<()> {
    if !is_wanted(cx, Callback::TaskStateChange) || tasks.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = tasks.iter().map(|task| task.0).collect();
    let mut rows = task::sql::several(cx.db().await?, &ids).await?;
    rows.retain(is_changed);
    rows.sort_by_key(|row| row.id.0);
    let now = Time(cx.now);
    for row in rows {
        let old = task::info(&row, true)?;
        let mut new = old.clone();
        for change in changes {
            change.apply(&mut new, now);
        }
        for change in changes {
            let values = change.values(&old, now);
            if values.0 == values.1 {
                continue;
            }
            if is_asked(cx, Callback::TaskStateChange) {
                before(cx, &happening(*change, values.clone(), &old)?).await?;
            }
            after(cx, happening(*change, values, &new)?);
        }
    }
    Ok(())
}

/// Tasks go back to those that nobody has. With `keep_pinned`, those that are for one host alone wait for it instead.
///
/// # Errors
/// When a hook refuses.
pub(crate) async fn freed(
    cx: &mut Cx,
    tasks: &[TaskId],
    is_changed: impl Fn(&TaskRow) -> bool,
    keep_pinned: bool,
) -> Result<()> {
    let is_kept = |row: &TaskRow| keep_pinned && PINNED.contains(&row.method.as_str());
    let waits = [Change::State(TaskState::Assigned)];
    changed(cx, tasks, |row| is_changed(row) && is_kept(row), &waits).await?;
    let free = [Change::State(TaskState::Free), Change::Host(None)];
    changed(cx, tasks, |row| is_changed(row) && !is_kept(row), &free).await
}

/// A task ends.
///
/// # Errors
/// When a hook refuses.
pub(crate) async fn ended(
    cx: &mut Cx,
    tasks: &[TaskId],
    is_changed: impl Fn(&TaskRow) -> bool,
    state: TaskState,
) -> Result<()> {
    changed(cx, tasks, is_changed, &[Change::State(state), Change::Completion]).await
}

fn happening(change: Change, (old, new): (Value, Value), info: &TaskInfo) -> Result<Happening> {
    Happening::new(Callback::TaskStateChange, change.address(), of_task(info.id))
        .prop("id", info.id.0)
        .prop("parent", info.parent.map(|parent| parent.0))
        .prop("method", info.method.as_str())
        .prop("attribute", change.attribute())
        .prop("old", old.clone())
        .prop("new", new.clone())
        .with("attribute", change.attribute())?
        .with("old", old)?
        .with("new", new)?
        .with("info", info)
}

/// A task is made.
///
/// # Errors
/// When a hook refuses.
pub(crate) async fn made(cx: &mut Cx, new: &NewTask, task: TaskId) -> Result<()> {
    if !is_wanted(cx, Callback::TaskStateChange) {
        return Ok(());
    }
    let state = if new.assign.is_some() { TaskState::Assigned } else { TaskState::Free };
    let address = format!("task.{}", state.name().to_lowercase());
    let made = |key: Option<String>, info: Value| {
        Happening::new(Callback::TaskStateChange, address.clone(), key)
            .prop("id", info["id"].clone())
            .prop("parent", new.parent.map(|parent| parent.0))
            .prop("method", new.method.as_str())
            .prop("attribute", "state")
            .prop("old", Value::Null)
            .prop("new", state.name())
            .with("attribute", "state")?
            .with("old", Value::Null)?
            .with("new", state.name())?
            .with("info", info)
    };
    if is_asked(cx, Callback::TaskStateChange) {
        let asked = json!({
            "method": new.method, "request": new.request, "owner": new.owner, "parent": new.parent, "label": new.label,
            "arch": new.arch, "channel": new.channel, "priority": new.priority, "weight": new.weight, "host_id": new.assign,
        });
        // a repo that is begun with its task stands in its arguments
        before(cx, &made(None, asked)?.fresh("info", &["request"])).await?;
    }
    let row = task::require(cx, task).await?;
    let info = serde_json::to_value(task::info(&row, true)?).map_err(crate::Error::internal)?;
    after(cx, made(of_task(task), info)?);
    Ok(())
}
