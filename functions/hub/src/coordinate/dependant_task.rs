//! `dependantTask`: waits for tasks that are not its own, then makes some and waits for those.
//!
//! One that ends has those looked at that wait for it. What waits for a task of another kind is looked at by the rescue pass.

use chrono::{DateTime, Utc};
use toji_protocol::{
    id::TaskId,
    queue_name::{Advance, QueueName},
    state::TaskState,
    task::{TaskMethod, dependant_task::DependantTask},
    value::{Map, Value, from_value},
};

use super::{answer, close, encoded, open, request};
use crate::{
    Error, Hub, Result,
    call::Cx,
    task::{NewTask, TaskRow, decode_request, make, sql},
};

pub(super) async fn step(hub: &Hub, task: TaskId, now: DateTime<Utc>) -> Result<()> {
    let mut cx = Cx::internal(hub, now).await?;
    let row = open(&mut cx, task).await?;
    let asked: DependantTask = request(&row)?;
    let mut children = sql::children(cx.db().await?, task).await?;
    if children.is_empty() {
        if !is_free_to_go(&mut cx, &asked).await? {
            return cx.commit().await;
        }
        for subtask in asked.task_list {
            let new = new_task(&row, subtask)?;
            make(&mut cx, new).await?;
        }
        children = sql::children(cx.db().await?, task).await?;
    }
    if children.iter().all(|child| child.state.is_final()) {
        for child in &children {
            answer::<Value>(child)?;
        }
        close(&mut cx, &row, encoded(&())?).await?;
        wake(&mut cx, task).await?;
    }
    cx.commit().await
}

/// Whether the tasks that it waits for have ended.
///
/// # Errors
/// When one of them ended badly.
async fn is_free_to_go(cx: &mut Cx, asked: &DependantTask) -> Result<bool> {
    let ids: Vec<i64> = asked.wait_list.iter().filter_map(Value::as_int).collect();
    let tasks = sql::several(cx.db().await?, &ids).await?;
    let is_bad = |task: &&TaskRow| matches!(task.state, TaskState::Canceled | TaskState::Failed);
    if let Some(bad) = tasks.iter().find(is_bad) {
        return Err(Error::invalid(format!("Dependency {} failed to complete.", bad.id)));
    }
    Ok(tasks.iter().all(|task| task.state.is_final()))
}

fn new_task(parent: &TaskRow, subtask: Value) -> Result<NewTask> {
    let wrong = || Error::parameter("each task of a dependantTask is a list of its method, arguments and options");
    let Value::Array(parts) = subtask else { return Err(wrong()) };
    let mut parts = parts.into_iter();
    let (Some(Value::String(method)), Some(Value::Array(arguments))) = (parts.next(), parts.next()) else {
        return Err(wrong());
    };
    let opts = match parts.next() {
        Some(Value::Struct(opts)) => opts,
        Some(Value::Nil) | None => Map::new(),
        Some(_) => return Err(wrong()),
    };
    let mut new = NewTask { label: None, ..NewTask::child(parent, "", &method, arguments) };
    for (name, value) in opts {
        match name.as_str() {
            _ if value.is_nil() => {}
            "priority" => new.priority = from_value(value)?,
            "label" => new.label = Some(from_value(value)?),
            "arch" => new.arch = from_value(value)?,
            "channel" => new.channel = Some(from_value(value)?),
            "weight" => new.weight = Some(from_value(value)?),
            other => return Err(Error::parameter(format!("a task of a dependantTask has no option '{other}'"))),
        }
    }
    Ok(new)
}

/// Has those looked at that wait for a dependantTask which has ended.
pub(super) async fn wake(cx: &mut Cx, ended: TaskId) -> Result<()> {
    for (task, request) in sql::requests_under_way(cx.db().await?, DependantTask::METHOD).await? {
        let waits = DependantTask::from_request(decode_request(&request)?);
        // one whose arguments make no sense fails when it is looked at itself
        if waits.is_ok_and(|waits| waits.wait_list.contains(&Value::Int(ended.0))) {
            cx.post(QueueName::Coordinator, &Advance { task });
        }
    }
    Ok(())
}
