//! `tagBuild`: the build is tagged, on its owner's behalf.

use chrono::{DateTime, Utc};
use toji_protocol::{
    id::{TagId, TaskId},
    task::tag_build::TagBuildTask,
};

use super::{close, encoded, open, request};
use crate::{
    Error, Hub, Result,
    call::{Cx, act_as},
    content, notification, tag,
    task::TaskRow,
};

/// Lets those who want to know know that it could not be done.
pub(super) async fn failed(cx: &mut Cx, row: &TaskRow, error: &Error) -> Result<()> {
    // what cannot be read is perhaps why it failed
    let Ok(asked) = request::<TagBuildTask>(row) else { return Ok(()) };
    act_as(cx, row.owner).await?;
    notification::tagged(cx, asked.build_id, asked.tag_id, asked.fromtag, Some(error.to_string()));
    Ok(())
}

pub(super) async fn step(hub: &Hub, task: TaskId, now: DateTime<Utc>) -> Result<()> {
    let mut cx = Cx::internal(hub, now).await?;
    let row = open(&mut cx, task).await?;
    act_as(&mut cx, row.owner).await?;
    let asked: TagBuildTask = request(&row)?;
    let change = content::Change { tag: asked.tag_id, from: asked.fromtag, build: asked.build_id };
    content::allow(&mut cx, &change, Some(row.owner), asked.force).await?;
    // both before the first event is taken
    let tags: Vec<TagId> = [asked.tag_id, asked.fromtag].into_iter().flatten().collect();
    tag::lock(cx.db().await?, &tags).await?;
    if let Some(tag) = asked.tag_id {
        content::check_taggable(&mut cx, tag, asked.build_id, asked.force).await?;
    }
    if let Some(from) = asked.fromtag {
        content::untag(&mut cx, from, asked.build_id, true, asked.force).await?;
    }
    if let Some(tag) = asked.tag_id {
        content::tag(&mut cx, tag, asked.build_id, asked.force).await?;
    }
    if !asked.ignore_success {
        notification::tagged(&mut cx, asked.build_id, asked.tag_id, asked.fromtag, None);
    }
    close(&mut cx, &row, encoded(&())?).await?;
    cx.commit().await
}
