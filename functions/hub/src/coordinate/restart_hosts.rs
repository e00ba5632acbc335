//! `restartHosts`: for each host a `restart`, which its builder obeys when it has finished what it runs, and then a `restartVerify`,
//! which only a builder that was started since takes.

use chrono::{DateTime, TimeDelta, Utc};
use toji_protocol::{
    id::{HostId, Ref, TaskId},
    method::{
        Listing, OneOrMany,
        host::{Host, ListHosts},
    },
    state::TaskState,
    task::{
        TaskMethod,
        restart::{PinnedHost, RestartTask},
        restart_hosts::RestartHostsTask,
        restart_verify::RestartVerifyTask,
    },
    value::{Map, Value, from_value},
};

use super::{answer, close, encoded, open, request};
use crate::{
    Error, Hub, Result,
    call::{Cx, Handle},
    channel,
    task::{NewTask, TaskRow, make, sql},
};

/// Which hosts, and for how long they are waited for.
struct Wanted {
    channel: Option<String>,
    arches: Option<OneOrMany<String>>,
    timeout: Option<TimeDelta>,
}

impl Wanted {
    fn read(options: Map) -> Result<Self> {
        let mut wanted = Self { channel: None, arches: None, timeout: None };
        for (name, value) in options {
            match name.as_str() {
                _ if value.is_nil() => {}
                "channel" => wanted.channel = Some(from_value(value)?),
                "arches" => wanted.arches = Some(from_value(value)?),
                "timeout" => wanted.timeout = Some(timeout(&value)?),
                other => return Err(Error::parameter(format!("restartHosts has no option '{other}'"))),
            }
        }
        Ok(wanted)
    }
}

/// Seconds; the stock client sends them as they were typed.
fn timeout(value: &Value) -> Result<TimeDelta> {
    let seconds = match value {
        Value::Int(seconds) => Some(*seconds),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let timeout = seconds.filter(|seconds| *seconds > 0).and_then(TimeDelta::try_seconds);
    timeout.ok_or_else(|| Error::parameter("timeout must be a number of seconds, more than 0"))
}

pub(super) async fn step(hub: &Hub, task: TaskId, now: DateTime<Utc>) -> Result<()> {
    let mut cx = Cx::internal(hub, now).await?;
    let row = open(&mut cx, task).await?;
    let asked: RestartHostsTask = request(&row)?;
    let wanted = Wanted::read(asked.options.unwrap_or_default())?;
    let mut children = sql::children(cx.db().await?, task).await?;
    if children.is_empty() {
        for host in hosts(&mut cx, &wanted).await? {
            restart(&mut cx, &row, host).await?;
        }
        children = sql::children(cx.db().await?, task).await?;
    }
    for child in &children {
        if child.method == RestartTask::METHOD && child.state == TaskState::Closed {
            verify(&mut cx, &row, child).await?;
        }
    }
    children = sql::children(cx.db().await?, task).await?;
    if children.iter().all(|child| child.state.is_final()) {
        // all have had their chance; now the first that could not
        for child in &children {
            answer::<Value>(child)?;
        }
        close(&mut cx, &row, encoded(&())?).await?;
    } else if wanted.timeout.is_some_and(|timeout| now - row.start_time.unwrap_or(now) > timeout) {
        let late = children.iter().filter(|child| !child.state.is_final()).filter_map(|child| child.label.as_deref());
        return Err(Error::invalid(format!("Timed out; not done: {}", late.collect::<Vec<_>>().join(", "))));
    }
    cx.commit().await
}

async fn hosts(cx: &mut Cx, wanted: &Wanted) -> Result<Vec<Host>> {
    let channel = match &wanted.channel {
        Some(name) => Some(Ref::Id(channel::require(cx.db().await?, &name.as_str().into()).await?.id)),
        None => None,
    };
    let asked = ListHosts {
        arches: wanted.arches.clone(),
        channel_id: channel,
        ready: None,
        enabled: Some(true),
        user_id: None,
        query_opts: None,
    };
    match asked.handle(cx).await? {
        Listing::Rows(hosts) if !hosts.is_empty() => Ok(hosts),
        _ => Err(Error::invalid("there are no enabled hosts of that channel and those arches to restart")),
    }
}

/// Made twice, by its label it is made once.
async fn restart(cx: &mut Cx, parent: &TaskRow, host: Host) -> Result<()> {
    let pinned = PinnedHost { id: host.id, name: host.name };
    let label = format!("restart {}", pinned.name);
    let request = RestartTask { host: pinned }.to_request()?;
    pin(cx, NewTask::child(parent, &label, RestartTask::METHOD, request), host.id).await
}

async fn verify(cx: &mut Cx, parent: &TaskRow, restarted: &TaskRow) -> Result<()> {
    let host = request::<RestartTask>(restarted)?.host;
    let (id, label) = (host.id, format!("verify {}", host.name));
    let request = RestartVerifyTask { task_id: restarted.id, host }.to_request()?;
    pin(cx, NewTask::child(parent, &label, RestartVerifyTask::METHOD, request), id).await
}

async fn pin(cx: &mut Cx, new: NewTask, host: HostId) -> Result<()> {
    make(cx, NewTask { assign: Some(host), ..new }).await?;
    Ok(())
}
