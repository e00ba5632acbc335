//! Which repos are no longer current: their tag, or something that it inherits, has changed since.

use sqlx::PgConnection;
use toji_protocol::id::{EventId, RepoId, TagId};

use super::Budget;
use crate::{
    Hub, Result,
    tag::{self, Ancestry, Question, Quirks},
};

/// How many repos are looked at by one statement.
const PAGE: i64 = 500;

/// What a page has come to.
pub(in crate::repo) struct Page {
    /// Its last repo.
    pub(in crate::repo) last: RepoId,
    /// How many were no longer current.
    ended: usize,
}

/// Notes each repo's first change after it. Answers how many had one.
pub(super) async fn run(hub: &Hub, budget: Budget) -> Result<usize> {
    let mut conn = hub.pool.acquire().await?;
    let (mut ended, mut behind) = (0, None);
    while !budget.is_spent()
        && let Some(page) = page(&mut conn, hub.config.quirks, behind).await?
    {
        ended += page.ended;
        behind = Some(page.last);
    }
    Ok(ended)
}

/// Looks at the current repos that come behind one, as many as go into a page. None when there are no more.
pub(in crate::repo) async fn page(
    conn: &mut PgConnection,
    quirks: Quirks,
    behind: Option<RepoId>,
) -> Result<Option<Page>> {
    let current = sqlx::query!(
        "SELECT id, tag_id, create_event FROM repo
         WHERE state = 1 AND end_event IS NULL AND id > $1 ORDER BY id LIMIT $2",
        behind.map_or(0, |id| id.0),
        PAGE
    )
    .fetch_all(&mut *conn)
    .await?;
    let Some(last) = current.last().map(|repo| RepoId(repo.id)) else { return Ok(None) };
    let tags: Vec<TagId> = current.iter().map(|repo| TagId(repo.tag_id)).collect();
    let since = current.iter().map(|repo| EventId(repo.create_event)).min();
    // as they inherited when each repo was made
    let ancestry = Ancestry::load(conn, quirks, &tags, since).await?;
    let questions = current.iter().map(|repo| {
        let event = EventId(repo.create_event);
        Question { tags: ancestry.of(TagId(repo.tag_id), Some(event)), after: event }
    });
    let changes = tag::changes(conn, &questions.collect::<Vec<_>>()).await?;
    let firsts = current.iter().zip(changes).filter_map(|(repo, change)| Some((repo.id, change?.0.0)));
    let (repos, events): (Vec<i64>, Vec<i64>) = firsts.unzip();
    if !repos.is_empty() {
        sqlx::query!(
            "UPDATE repo SET end_event = ended.event FROM unnest($1::bigint[], $2::bigint[]) AS ended (id, event)
             WHERE repo.id = ended.id AND end_event IS NULL",
            &repos,
            &events
        )
        .execute(conn)
        .await?;
    }
    Ok(Some(Page { last, ended: repos.len() }))
}
