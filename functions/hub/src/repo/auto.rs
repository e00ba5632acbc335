//! Repos that nobody asks for: of tags whose setting `repo.auto` is true. And what kojira has done besides, should it run: here the
//! passes do the same.

use std::collections::HashMap;

use chrono::TimeDelta;
use toji_protocol::{
    id::{TagId, UserId},
    method::repo::{AutoRequests, CheckRepoQueue, SetRequestPriority, UpdateEndEvents},
    value::Map,
};

use super::{request, sql};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    tag, task,
};

/// How far such a repo may lag behind its tag, unless `repo.lag` says otherwise.
const LAG: TimeDelta = TimeDelta::seconds(7200);
/// Behind those that somebody waits for.
const PRIORITY: i32 = task::DEFAULT_PRIORITY + 5;

/// Asks for repos of the tags that want one by themselves; in the name of `owner`, or of who has set the tag so.
///
/// # Errors
/// When the database is away.
pub(super) async fn request_all(cx: &mut Cx, owner: Option<UserId>) -> Result<()> {
    let settings = sqlx::query!(
        r#"SELECT tag_id, key, value AS "value!", creator_id FROM tag_extra
           WHERE key IN ('repo.auto', 'repo.lag') AND active AND value IS NOT NULL ORDER BY tag_id"#
    )
    .fetch_all(cx.db().await?)
    .await?;
    let mut lags = HashMap::new();
    let mut wanted = Vec::new();
    for setting in settings {
        let Ok(value) = serde_json::from_str::<serde_json::Value>(&setting.value) else { continue };
        match (setting.key.as_str(), value.as_i64()) {
            ("repo.lag", Some(seconds)) => {
                lags.insert(setting.tag_id, TimeDelta::seconds(seconds));
            }
            ("repo.auto", _)
                if serde_json::from_value(value).is_ok_and(|value| toji_protocol::method::is_truthy(&value)) =>
            {
                wanted.push((TagId(setting.tag_id), UserId(setting.creator_id)));
            }
            _ => {}
        }
    }
    let quirks = cx.hub.config.quirks;
    for (tag, setter) in wanted {
        let Some(last) = tag::last_change(cx.db().await?, quirks, tag, None, true).await? else { continue };
        let lag = lags.get(&tag.0).copied().unwrap_or(LAG);
        let wanted = request::Wanted::Since(last.min(super::lagging(cx, lag).await?));
        request::request(cx, owner.unwrap_or(setter), tag, wanted, Map::new(), PRIORITY, false).await?;
    }
    Ok(())
}

impl Handle for AutoRequests {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let owner = cx.caller.user()?.id;
        request_all(cx, Some(owner)).await
    }
}

impl Handle for CheckRepoQueue {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        request::check_queue(cx).await?;
        request::clean(cx).await
    }
}

impl Handle for UpdateEndEvents {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let quirks = cx.hub.config.quirks;
        let current = sql::current(cx.db().await?).await?;
        let mut ended: (Vec<i64>, Vec<i64>) = Default::default();
        for (repo, tag, event) in current {
            if let Some(change) = tag::first_change(cx.db().await?, quirks, tag, event, true).await? {
                ended.0.push(repo.0);
                ended.1.push(change.0);
            }
        }
        sqlx::query!(
            "UPDATE repo SET end_event = ended.event FROM unnest($1::bigint[], $2::bigint[]) AS ended (id, event)
             WHERE repo.id = ended.id AND end_event IS NULL",
            &ended.0,
            &ended.1
        )
        .execute(cx.db().await?)
        .await?;
        Ok(())
    }
}

impl Handle for SetRequestPriority {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let now = cx.now;
        let set = sqlx::query!(
            "UPDATE repo_queue SET priority = $2, update_time = $3 WHERE id = $1",
            self.req_id.0,
            self.priority,
            now
        )
        .execute(cx.db().await?)
        .await?;
        if set.rows_affected() == 0 {
            return Err(Error::missing(format!("No such request: {}", self.req_id)));
        }
        Ok(())
    }
}
