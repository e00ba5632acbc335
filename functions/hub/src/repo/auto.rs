//! Repos that nobody asks for: of tags whose setting `repo.auto` is true, and, where the deployment says so, of all build tags of
//! targets. They are looked at when something that they show has changed; what may lag behind for a while, when the while is over.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, TagId, UserId},
    method::{
        is_truthy,
        repo::{AutoRequests, CheckRepoQueue, SetRequestPriority, UpdateEndEvents},
    },
    value::Map,
};

use super::{
    passes::{Budget, ended},
    request,
    request::{Wanted, Wish},
    sql,
};
use crate::{
    Error, Hub, Result,
    call::{Cx, Handle, retry_deadlocks},
    config::AutoRepos,
    event,
    tag::{self, Ancestry, Question},
    task,
};

/// How far such a repo may lag behind its tag, unless `repo.lag` says otherwise.
const LAG: TimeDelta = TimeDelta::seconds(7200);
/// Behind those that somebody waits for.
const PRIORITY: i32 = task::DEFAULT_PRIORITY + 5;
/// How many tags are looked at by one statement.
const PAGE: usize = 500;

/// A tag that wants repos by itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AutoTag {
    id: TagId,
    /// In whose name they are asked for: of who has set the tag so, or has made the target.
    owner: UserId,
    lag: TimeDelta,
}

/// What a look at such tags has found.
#[derive(Default)]
struct Found {
    wishes: Vec<Wish>,
    /// When the first of the others has lagged behind for long enough.
    due: Option<DateTime<Utc>>,
}

/// Asks for repos of the tags that want one because these tags have changed. Those that may still lag behind are left to the pass.
///
/// # Errors
/// When the database is away.
pub async fn changed(hub: &Hub, tags: &[TagId], now: DateTime<Utc>) -> Result<()> {
    let wanting = wanting(&mut *hub.pool.acquire().await?, hub.config.auto_repos, Some(tags)).await?;
    for page in wanting.chunks(PAGE) {
        request_page(hub, page, now).await?;
    }
    Ok(())
}

/// Asks for repos of all tags that want one. Answers how many were asked for.
pub(super) async fn request_all(hub: &Hub, budget: Budget) -> Result<usize> {
    let wanting = wanting(&mut *hub.pool.acquire().await?, hub.config.auto_repos, None).await?;
    let mut count = 0;
    for page in wanting.chunks(PAGE) {
        if budget.is_spent() {
            break;
        }
        count += request_page(hub, page, budget.now()).await?;
    }
    Ok(count)
}

/// When the next tag has lagged behind for long enough.
pub(super) async fn due(conn: &mut PgConnection, hub: &Hub, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let mut due = None;
    for page in wanting(conn, hub.config.auto_repos, None).await?.chunks(PAGE) {
        let found = look(conn, hub, page, now).await?;
        due = [due, found.due].into_iter().flatten().min();
    }
    Ok(due)
}

async fn request_page(hub: &Hub, page: &[AutoTag], now: DateTime<Utc>) -> Result<usize> {
    let found = look(&mut *hub.pool.acquire().await?, hub, page, now).await?;
    if found.wishes.is_empty() {
        return Ok(0);
    }
    let wishes = &found.wishes;
    let requested = retry_deadlocks(|| async move {
        let mut cx = Cx::internal(hub, now).await?;
        let requested = request::enqueue(&mut cx, wishes).await?;
        cx.commit().await?;
        Ok(requested)
    });
    requested.await
}

/// The tags that want repos by themselves: all, or those that show something of `changed`.
async fn wanting(conn: &mut PgConnection, from: AutoRepos, changed: Option<&[TagId]>) -> Result<Vec<AutoTag>> {
    let changed: Option<Vec<i64>> = changed.map(|tags| tags.iter().map(|tag| tag.0).collect());
    let rows = sqlx::query!(
        r#"WITH RECURSIVE below AS (
               SELECT unnest($1::bigint[]) AS id
               UNION
               SELECT tag_id FROM below JOIN tag_inheritance ON parent_id = below.id WHERE active)
           SELECT tag_id AS "tag!", key, value, creator_id AS "by!" FROM tag_extra
           WHERE active AND key IN ('repo.auto', 'repo.lag') AND ($1::bigint[] IS NULL OR tag_id IN (SELECT id FROM below))
           UNION ALL
           SELECT build_tag, NULL, NULL, min(creator_id) FROM build_target_config
           WHERE active AND $2 AND ($1::bigint[] IS NULL OR build_tag IN (SELECT id FROM below)) GROUP BY build_tag"#,
        changed.as_deref(),
        from == AutoRepos::Targets
    )
    .fetch_all(conn)
    .await?;
    let mut by_tag: BTreeMap<i64, (Option<bool>, Option<UserId>, TimeDelta)> = BTreeMap::new();
    for row in rows {
        let tag = by_tag.entry(row.tag).or_insert((None, None, LAG));
        let value = row.value.and_then(|value| serde_json::from_str::<serde_json::Value>(&value).ok());
        match (row.key.as_deref(), value) {
            (Some("repo.lag"), Some(value)) => {
                tag.2 = value.as_i64().and_then(TimeDelta::try_seconds).unwrap_or(tag.2);
            }
            (Some("repo.auto"), Some(value)) => {
                tag.0 = Some(serde_json::from_value(value).is_ok_and(|value| is_truthy(&value)));
                tag.1 = Some(UserId(row.by));
            }
            (None, _) => tag.1 = tag.1.or(Some(UserId(row.by))),
            _ => {}
        }
    }
    let wanting = by_tag.into_iter().filter_map(|(id, (auto, owner, lag))| {
        let is_wanted = auto.unwrap_or(owner.is_some());
        Some(AutoTag { id: TagId(id), owner: owner.filter(|_| is_wanted)?, lag: lag.max(TimeDelta::zero()) })
    });
    Ok(wanting.collect())
}

/// Compares tags with their newest repos, with a few statements for all of them.
async fn look(conn: &mut PgConnection, hub: &Hub, tags: &[AutoTag], now: DateTime<Utc>) -> Result<Found> {
    let ids: Vec<TagId> = tags.iter().map(|tag| tag.id).collect();
    let newest = sql::newest_ready(conn, &ids).await?;
    let ancestry = Ancestry::load(conn, hub.config.quirks, &ids, None).await?;
    let questions = tags.iter().map(|tag| {
        let after = newest.get(&tag.id).map_or(EventId(0), |newest| newest.event);
        Question { tags: ancestry.of(tag.id, None), after }
    });
    let changes = tag::changes(conn, &questions.collect::<Vec<_>>()).await?;
    let mut lagging: HashMap<TimeDelta, EventId> = HashMap::new();
    let mut found = Found::default();
    for (tag, change) in tags.iter().zip(changes) {
        let Some((_, last)) = change else { continue };
        if tag.lag > TimeDelta::zero() && !lagging.contains_key(&tag.lag) {
            lagging.insert(tag.lag, of_time(conn, now - tag.lag).await?);
        }
        let event = lagging.get(&tag.lag).map_or(last, |event| last.min(*event));
        match newest.get(&tag.id) {
            Some(newest) if newest.event >= event => {
                let over = newest.next_time.map(|time| time + tag.lag);
                found.due = [found.due, over].into_iter().flatten().min();
            }
            _ => found.wishes.push(Wish {
                owner: tag.owner,
                tag: tag.id,
                wanted: Wanted::Since(event),
                opts: Map::new(),
                priority: PRIORITY,
            }),
        }
    }
    Ok(found)
}

/// The newest event before a time.
async fn of_time(conn: &mut PgConnection, time: DateTime<Utc>) -> Result<EventId> {
    let before = toji_protocol::time::Time(time).ts();
    Ok(event::last(conn, Some(before)).await?.map_or(EventId(0), |(id, _)| id))
}

impl Handle for AutoRequests {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let owner = cx.caller.user()?.id;
        let (hub, now) = (cx.hub.clone(), cx.now);
        let wanting = wanting(cx.db().await?, hub.config.auto_repos, None).await?;
        for page in wanting.chunks(PAGE) {
            let mut found = look(cx.db().await?, &hub, page, now).await?;
            found.wishes.iter_mut().for_each(|wish| wish.owner = owner);
            request::enqueue(cx, &found.wishes).await?;
        }
        Ok(())
    }
}

impl Handle for CheckRepoQueue {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        request::check_queue(cx).await?;
        let now = cx.now;
        request::clean(cx.db().await?, now).await?;
        Ok(())
    }
}

impl Handle for UpdateEndEvents {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let quirks = cx.hub.config.quirks;
        let mut behind = None;
        while let Some(page) = ended::page(cx.db().await?, quirks, behind).await? {
            behind = Some(page.last);
        }
        Ok(())
    }
}

impl Handle for SetRequestPriority {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let now = cx.now;
        if !sql::set_priority(cx.db().await?, self.req_id, self.priority, now).await? {
            return Err(Error::missing(format!("No such request: {}", self.req_id)));
        }
        Ok(())
    }
}
