//! `tagBuild`: the build is tagged, on its owner's behalf.

use chrono::{DateTime, Utc};
use toji_protocol::{id::TaskId, task::tag_build::TagBuildTask};

use super::{close, encoded, open, request};
use crate::{
    Hub, Result,
    call::{Cx, act_as},
    content,
};

pub(super) async fn step(hub: &Hub, task: TaskId, now: DateTime<Utc>) -> Result<()> {
    let mut cx = Cx::internal(hub, now).await?;
    let row = open(&mut cx, task).await?;
    act_as(&mut cx, row.owner).await?;
    let asked: TagBuildTask = request(&row)?;
    let change = content::Change { tag: asked.tag_id, from: asked.fromtag, build: asked.build_id };
    content::allow(&mut cx, &change, Some(row.owner), asked.force).await?;
    if let Some(from) = asked.fromtag {
        content::untag(&mut cx, from, asked.build_id, true, asked.force).await?;
    }
    if let Some(tag) = asked.tag_id {
        content::tag(&mut cx, tag, asked.build_id, asked.force).await?;
    }
    close(&mut cx, &row, encoded(&())?).await?;
    cx.commit().await
}
