//! Repos that nothing uses any more: EXPIRED and PROBLEM ones whose time is over and that no live buildroot is filled from.
//!
//! In three steps, so that S3 is not waited for inside a transaction: the rows become PROBLEM, which no buildroot begins with; the files
//! go; the rows become DELETED. A crash in between leaves PROBLEM repos, and this begins again.

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use sqlx::PgConnection;
use toji_protocol::{id::RepoId, object_key};

use super::Budget;
use crate::{
    Hub, Result,
    call::{Cx, retry_deadlocks},
    repo::data,
};

/// How many one statement takes.
const PAGE: i64 = 100;
/// How many folders are deleted at once.
const AT_ONCE: usize = 8;

struct Doomed {
    id: i64,
    tag_name: String,
    dist: bool,
    state_time: DateTime<Utc>,
}

/// Deletes them, the oldest first. Answers how many.
pub(super) async fn run(hub: &Hub, budget: Budget) -> Result<usize> {
    let (mut count, mut behind) = (0, None);
    while !budget.is_spent() {
        let before = budget.now() - hub.config.expired_repo_lifetime;
        let over = over(&mut *hub.pool.acquire().await?, before, behind).await?;
        let Some(last) = over.last() else { break };
        behind = Some((last.state_time, last.id));
        let taken = take(hub, &over, budget.now()).await?;
        let doomed: Vec<&Doomed> = over.iter().filter(|repo| taken.contains(&repo.id)).collect();
        delete_files(hub, &doomed).await?;
        let mut transaction = hub.pool.begin().await?;
        data::forget(&mut transaction, &taken, budget.now()).await?;
        sqlx::query!(
            "UPDATE repo SET state = 3, state_time = $2 WHERE id = ANY($1) AND state = 4",
            &taken,
            budget.now()
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        count += doomed.len();
    }
    Ok(count)
}

/// Those whose time is over.
async fn over(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
    behind: Option<(DateTime<Utc>, i64)>,
) -> Result<Vec<Doomed>> {
    let (time, id) = behind.unwrap_or((DateTime::UNIX_EPOCH, 0));
    let over = sqlx::query_as!(
        Doomed,
        "SELECT repo.id, tag.name AS tag_name, dist, state_time FROM repo JOIN tag ON tag.id = tag_id
         WHERE state IN (2, 4) AND state_time <= $1 AND (state_time, repo.id) > ($2, $3)
             AND NOT EXISTS (SELECT 1 FROM buildroot WHERE repo_id = repo.id AND retire_event IS NULL)
         ORDER BY state_time, repo.id LIMIT $4",
        before,
        time,
        id,
        PAGE
    );
    Ok(over.fetch_all(conn).await?)
}

/// Marks those that are still used by nobody.
async fn take(hub: &Hub, over: &[Doomed], now: DateTime<Utc>) -> Result<Vec<i64>> {
    let ids: Vec<i64> = over.iter().map(|repo| repo.id).collect();
    let ids = &ids;
    let taken = retry_deadlocks(|| async move {
        let mut cx = Cx::internal(hub, now).await?;
        // who begins a buildroot with one locks it, too: what he has written is seen by the next statement
        sqlx::query!("SELECT id FROM repo WHERE id = ANY($1) ORDER BY id FOR UPDATE", ids)
            .fetch_all(cx.db().await?)
            .await?;
        let taken = sqlx::query_scalar!(
            "UPDATE repo SET state = 4 WHERE id = ANY($1) AND state IN (2, 4)
                 AND NOT EXISTS (SELECT 1 FROM buildroot WHERE repo_id = repo.id AND retire_event IS NULL) RETURNING id",
            ids
        )
        .fetch_all(cx.db().await?)
        .await?;
        cx.commit().await?;
        Ok(taken)
    });
    taken.await
}

async fn delete_files(hub: &Hub, doomed: &[&Doomed]) -> Result<()> {
    let folder = |repo: &&Doomed| match repo.dist {
        true => format!("{}/", object_key::dist_repo_dir(&repo.tag_name, RepoId(repo.id))),
        false => format!("{}/", object_key::repo_dir(&repo.tag_name, RepoId(repo.id))),
    };
    let folders: Vec<String> = doomed.iter().map(folder).collect();
    let deleted = stream::iter(folders).map(async |folder| hub.store.delete_prefix(&folder).await);
    deleted.buffer_unordered(AT_ONCE).try_collect::<Vec<usize>>().await?;
    Ok(())
}

/// When the next one's time is over, as things are.
pub(super) async fn due(conn: &mut PgConnection, hub: &Hub) -> Result<Option<DateTime<Utc>>> {
    let oldest = sqlx::query_scalar!(
        "SELECT min(state_time) FROM repo WHERE state IN (2, 4)
             AND NOT EXISTS (SELECT 1 FROM buildroot WHERE repo_id = repo.id AND retire_event IS NULL)"
    );
    Ok(oldest.fetch_one(conn).await?.map(|time| time + hub.config.expired_repo_lifetime))
}
