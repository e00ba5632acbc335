//! One task, from the claim to its end.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use toji_protocol::{value::Value, xmlrpc::encode_response};
use tokio::{sync::watch, time::timeout};
use tracing::{Instrument, info_span};

use super::{memory, running::Stop};
use crate::{
    config::BuildrootKind,
    context::TaskContext,
    failure::TaskError,
    logs::{self, Ending},
    mounts,
    process::kill_all,
};

/// mock takes its mounts away when it is asked to stop.
const MOCK_GRACE: Duration = Duration::from_secs(3);
const GRACE: Duration = Duration::from_millis(200);
/// A machine that goes has no time for more.
const REST: Duration = Duration::from_secs(5);

/// Runs a task and tells the hub what came of it.
pub(super) async fn run(ctx: &TaskContext, stopped: watch::Receiver<Option<Stop>>) {
    let span = info_span!("task", id = %ctx.task.id, attempt = ctx.task.attempt, method = %ctx.task.method);
    async {
        tracing::info!("begins");
        let stop = tokio::select! {
            biased;
            stop = stop(stopped) => Some(stop),
            () = work(ctx) => None,
            () = ctx.hub.meter().look_at_memory(&ctx.scope) => None,
        };
        if let Some(stop) = stop {
            end(ctx, stop).await;
        }
        ctx.hub.sender().abandon();
    }
    .instrument(span)
    .await;
}

/// Ends what a task has left running, and deletes its folder, unless it is to be kept. The task itself is over.
pub(super) async fn clear(ctx: &TaskContext) {
    if ctx.dir.exists() {
        kill_all(&ctx.scope, GRACE).await;
        if !ctx.machine.kept.adopt(&ctx.dir).await {
            mounts::delete(ctx.dir.clone()).await;
        }
    }
    ctx.scope.close().await;
}

async fn stop(mut stopped: watch::Receiver<Option<Stop>>) -> Stop {
    loop {
        if let Some(stop) = *stopped.borrow_and_update() {
            return stop;
        }
        if stopped.changed().await.is_err() {
            // Nobody is left who could say so.
            std::future::pending::<()>().await;
        }
    }
}

async fn work(ctx: &TaskContext) {
    let Some(handler) = ctx.machine.handlers.find(&ctx.task.method) else {
        tracing::error!("there is no handler for this method");
        let reason = format!("this builder has no handler for {}", ctx.task.method);
        report(ctx.hub.hand_back(&reason, true).await);
        return;
    };
    let killed = memory::killed();
    let outcome = AssertUnwindSafe(handler.run(ctx)).catch_unwind().await;
    match outcome
        .unwrap_or_else(|_| Err(TaskError::Invalid("the task's handler panicked; see the builder's log".into())))
    {
        Ok(result) => close(ctx, &result).await,
        Err(error) if error.is_stale() => tracing::info!("no longer ours: {error}"),
        Err(error) => {
            let error = match ctx.scope.group().filter(|group| group.killed_for_memory() > 0) {
                Some(group) => memory::over_limit(error, group.killed_for_memory(), group.limits().memory),
                None => memory::named(error, memory::killed().saturating_sub(killed)),
            };
            tracing::info!(%error, "failed");
            // a handler that panicked has not
            logs::close(ctx).await;
            report(ctx.hub.fail(error.response()).await);
        }
    }
}

async fn close(ctx: &TaskContext, result: &Value) {
    let response = match encode_response(result) {
        Ok(response) => String::from_utf8_lossy(&response).into_owned(),
        Err(error) => {
            let error = TaskError::Invalid(format!("the result cannot be sent: {error}"));
            return report(ctx.hub.fail(error.response()).await);
        }
    };
    match ctx.hub.close(response).await {
        Ok(()) => tracing::info!("closed"),
        Err(error) if error.is_conflict() => tracing::info!("no longer ours: {error}"),
        Err(error) => {
            tracing::error!(%error, "the hub does not take the result");
            report(ctx.hub.fail(TaskError::Hub(error).response()).await);
        }
    }
}

/// Kills what runs. A task that is handed back must not run here any more when another builder takes it.
async fn end(ctx: &TaskContext, stop: Stop) {
    tracing::info!(?stop, "stopped");
    let grace = match ctx.machine.config.buildroot {
        BuildrootKind::Mock => MOCK_GRACE,
        BuildrootKind::Bwrap => GRACE,
    };
    if ctx.dir.exists() {
        kill_all(&ctx.scope, grace).await;
    }
    match stop {
        Stop::Canceled => logs::close(ctx).await,
        Stop::Shutdown => {
            // another builder goes on, and its watchers with it
            let _ = timeout(REST, ctx.hub.sender().finish(Ending::Rest)).await;
            report(ctx.hub.hand_back("the builder is shutting down", false).await);
        }
        Stop::Lost => {}
    }
}

fn report(told: Result<(), toji_protocol::client::ClientError>) {
    match told {
        Err(error) if error.is_conflict() => tracing::info!("no longer ours: {error}"),
        Err(error) => tracing::error!(%error, "the hub was not told; the lease will run out"),
        Ok(()) => {}
    }
}
