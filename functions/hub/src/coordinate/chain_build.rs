//! `chainbuild`: builds in levels. Each level begins when what the one before has made is in a repo.
//!
//! How far it is, is read off the children: `wait N` before level N, and `build N,M` for its sources.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use toji_protocol::{
    id::TaskId,
    state::TaskState,
    task::{TaskMethod, build::BuildTask, chain_build::ChainBuildTask, wait_repo::WaitRepoTask},
    value::Value,
};

use super::{answer, close, encoded, open, request};
use crate::{
    Error, Hub, Result, build,
    call::Cx,
    error::FaultCode,
    target,
    task::{NewTask, TaskRow, make, sql},
};

pub(super) async fn step(hub: &Hub, task: TaskId, now: DateTime<Utc>) -> Result<()> {
    let mut cx = Cx::internal(hub, now).await?;
    let row = open(&mut cx, task).await?;
    let asked: ChainBuildTask = request(&row)?;
    let opts = asked.opts.unwrap_or_default();
    if opts.scratch.unwrap_or(false) {
        return Err(Error::Invalid(FaultCode::Build, "--scratch is not allowed with chain-builds".to_owned()));
    }
    let found = target::find(cx.db().await?, &asked.target.as_str().into(), None).await?;
    let found = found.ok_or_else(|| Error::missing(format!("unknown build target: {}", asked.target)))?;
    let children = sql::children(cx.db().await?, task).await?;
    // one that has failed ends the chain, and with it the others
    for child in children.iter().filter(|child| matches!(child.state, TaskState::Failed | TaskState::Canceled)) {
        answer::<Value>(child)?;
    }
    let children = Children::of(&mut cx, children).await?;

    let mut made = Vec::new();
    for (n, level) in asked.srcs.into_iter().enumerate() {
        if !made.is_empty() {
            let nvrs = Some(std::mem::take(&mut made));
            let tag = found.build_tag_name.as_str().into();
            let wait = WaitRepoTask { tag, newer_than: None, nvrs, min_event: None }.to_request()?;
            if !children.has_closed(&mut cx, &row, &format!("wait {n}"), WaitRepoTask::METHOD, wait).await? {
                return cx.commit().await;
            }
        }
        let mut is_done = true;
        for (m, src) in level.into_iter().enumerate() {
            // what is no URL is the name of a build, which the next level waits for
            if !src.contains("://") {
                made.push(src);
                continue;
            }
            let label = format!("build {n},{m}");
            let target = Some(asked.target.clone());
            let build = BuildTask { src, target, opts: Some(opts.clone()) }.to_request()?;
            is_done &= children.has_closed(&mut cx, &row, &label, BuildTask::METHOD, build).await?;
            made.extend(children.built.get(&label).cloned());
        }
        if !is_done {
            return cx.commit().await;
        }
    }
    close(&mut cx, &row, encoded(&())?).await?;
    cx.commit().await
}

/// The children so far, by label.
struct Children {
    tasks: HashMap<String, TaskRow>,
    /// What they have built.
    built: HashMap<String, String>,
}

impl Children {
    async fn of(cx: &mut Cx, children: Vec<TaskRow>) -> Result<Self> {
        let ids: Vec<TaskId> = children.iter().map(|child| child.id).collect();
        let mut nvrs = build::of_tasks(cx.db().await?, &ids).await?;
        let mut all = Self { tasks: HashMap::new(), built: HashMap::new() };
        for child in children {
            let Some(label) = child.label.clone() else { continue };
            all.built.extend(nvrs.remove(&child.id).map(|nvr| (label.clone(), nvr)));
            all.tasks.insert(label, child);
        }
        Ok(all)
    }

    /// Whether the child with a label has ended well. One that is not there is made.
    async fn has_closed(
        &self,
        cx: &mut Cx,
        parent: &TaskRow,
        label: &str,
        method: &str,
        request: Vec<Value>,
    ) -> Result<bool> {
        match self.tasks.get(label) {
            Some(child) => Ok(child.state == TaskState::Closed),
            None => {
                make(cx, NewTask::child(parent, label, method, request)).await?;
                Ok(false)
            }
        }
    }
}
