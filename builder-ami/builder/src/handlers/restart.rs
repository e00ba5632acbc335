//! `restart` and `restartVerify`: the builder ends when it has finished what it runs, and is started anew.

use async_trait::async_trait;
use toji_protocol::{
    task::{
        TaskMethod,
        restart::{PinnedHost, RestartTask},
        restart_verify::RestartVerifyTask,
    },
    value::Value,
};

use super::{TaskHandler, answer};
use crate::{context::TaskContext, failure::TaskError};

fn check_host(ctx: &TaskContext, host: &PinnedHost) -> Result<(), TaskError> {
    let own = &ctx.machine.config.name;
    if host.name != *own {
        return Err(TaskError::Invalid(format!("this task is for the host {}, and here is {own}", host.name)));
    }
    Ok(())
}

/// `restart(host)`
pub(super) struct Restart;

#[async_trait]
impl TaskHandler for Restart {
    fn method(&self) -> &str {
        RestartTask::METHOD
    }

    async fn run(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let task = RestartTask::from_request(ctx.task.request.clone())?;
        check_host(ctx, &task.host)?;
        ctx.machine.restart.send_replace(true);
        answer(&ctx.machine.life)
    }
}

/// `restartVerify(task_id, host)`
pub(super) struct RestartVerify;

#[async_trait]
impl TaskHandler for RestartVerify {
    fn method(&self) -> &str {
        RestartVerifyTask::METHOD
    }

    async fn run(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let task = RestartVerifyTask::from_request(ctx.task.request.clone())?;
        check_host(ctx, &task.host)?;
        let ended = ctx.hub.task_result(task.task_id).await?;
        if ended.as_str() == Some(ctx.machine.life.as_str()) {
            return Err(TaskError::Invalid(format!("the builder of {} has not restarted", task.host.name)));
        }
        answer(&format!("the builder of {} has restarted", task.host.name))
    }
}
