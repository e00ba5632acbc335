//! `fork`, `waittest` and `subtask`: tasks that try the way of subtasks, and nothing else.

use async_trait::async_trait;
use toji_protocol::value::{Map, Value};

use super::TaskHandler;
use crate::{context::TaskContext, failure::TaskError, subtask::Subtask};

/// More than this is a mistake.
const MOST: i64 = 1000;

/// `fork(n, seconds)`: makes so many `sleep` tasks and does not wait for them; 5 of 37 s unless said, as Koji does.
pub(super) struct Fork;

#[async_trait]
impl TaskHandler for Fork {
    fn method(&self) -> &str {
        "fork"
    }

    async fn run(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let count = count(ctx, "fork", Some(5))?;
        let seconds = ctx.task.request.get(1).cloned().unwrap_or(37.into());
        for number in 0..count {
            ctx.start(sleep(number, seconds.clone())).await?;
        }
        Ok(Value::Nil)
    }
}

/// `waittest(n, seconds)`: makes so many `sleep` tasks, and waits for all of them.
pub(super) struct WaitTest;

#[async_trait]
impl TaskHandler for WaitTest {
    fn method(&self) -> &str {
        "waittest"
    }

    async fn run(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let count = count(ctx, "waittest", None)?;
        let seconds = ctx.task.request.get(1).cloned().unwrap_or(10.into());
        let mut subtasks = Vec::new();
        for number in 0..count {
            subtasks.push(ctx.start(sleep(number, seconds.clone())).await?);
        }
        if subtasks.is_empty() {
            return Ok(Value::Array(Vec::new()));
        }
        Ok(Value::Array(ctx.results(&subtasks).await?))
    }
}

/// `subtask(n)`: one below the other, so many; 4 unless said.
pub(super) struct Nested;

#[async_trait]
impl TaskHandler for Nested {
    fn method(&self) -> &str {
        "subtask"
    }

    async fn run(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let depth = count(ctx, "subtask", Some(4))?;
        if depth == 0 {
            return Ok(Value::Nil);
        }
        let arguments = vec![(depth - 1).into()];
        let below = Subtask { method: "subtask".to_owned(), arguments, label: "below".to_owned(), opts: Map::new() };
        ctx.result_of(below).await
    }
}

fn sleep(number: i64, seconds: Value) -> Subtask {
    Subtask { method: "sleep".to_owned(), arguments: vec![seconds], label: format!("sleep {number}"), opts: Map::new() }
}

fn count(ctx: &TaskContext, method: &str, unless_said: Option<i64>) -> Result<i64, TaskError> {
    let given = ctx.task.request.first().filter(|value| !value.is_nil());
    let count = given.map_or(unless_said, Value::as_int);
    count
        .filter(|count| (0..=MOST).contains(count))
        .ok_or_else(|| TaskError::Invalid(format!("{method} takes a number of tasks, 0 to {MOST}")))
}
