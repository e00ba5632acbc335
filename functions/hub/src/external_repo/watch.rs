//! Whether external repos have changed: their `repomd.xml` is fetched, and what it says is noted, which makes the tags that they are
//! attached to changed.
//!
//! Fetching asks no database: what is watched, and what was seen last, lies in S3. Only when something else is seen it is looked at here,
//! and only what differs from what was noted is written. So a database that sleeps is woken by a change, not by the watch.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use toji_protocol::{
    arch::{canonical, split_list},
    id::{ExternalRepoId, Ref, UserId},
    object_key,
    value::{Map, Value},
};
use toji_repodata::external::Repomd;

use super::{data::set_data, find, sql};
use crate::{
    Error, Hub, Result, activity,
    call::{Cx, retry_deadlocks},
    repo::Fetch,
};

/// What does not answer within this counts as dead for now.
const LIMIT: Duration = Duration::from_secs(5);
/// Repos that are read at once.
const AT_ONCE: usize = 8;

/// An external repo that some tag uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Watched {
    id: ExternalRepoId,
    /// What it is read from, for each architecture that uses it.
    urls: Vec<String>,
    /// In whose name a change is noted: of who has set its URL.
    by: UserId,
}

/// What a `repomd.xml` said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    sha256: String,
    /// The newest time in it, in seconds; 0 = it names none.
    newest: u64,
}

/// What is kept in S3.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Memory {
    watched: Vec<Watched>,
    /// By URL.
    seen: BTreeMap<String, Seen>,
}

/// What a watch found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Repos that are watched.
    pub repos: usize,
    /// URLs that did not answer, or not with a repo.
    pub dead: usize,
    /// Repos whose change was noted.
    pub changed: usize,
}

/// Watches once. Safe to run twice at once.
///
/// # Errors
/// When the database or S3 is away. A repo that is away is only logged.
pub async fn run_once(hub: &Hub, now: DateTime<Utc>, fetch: &dyn Fetch) -> Result<Looked> {
    let away = |error: String| Error::Unavailable(anyhow::Error::msg(error));
    let kept = activity::read::<Memory>(&hub.store, &object_key::external_repos()).await;
    // one that cannot be read is made anew
    let kept = kept.unwrap_or_else(|error| {
        tracing::warn!(error, "what was seen of external repos is forgotten");
        None
    });
    let watched = match &kept {
        Some(memory) if !hub.is_awake(now).await => memory.watched.clone(),
        _ => used(&mut *hub.pool.acquire().await?).await?,
    };
    let before = kept.unwrap_or_default();
    let (mut seen, dead) = look(&watched, fetch).await;
    let is_same = |url: &String| seen.get(url).is_none_or(|seen| before.seen.get(url) == Some(seen));
    let news: Vec<&Watched> = watched.iter().filter(|repo| !repo.urls.iter().all(is_same)).collect();
    let mut changed = 0;
    for repo in news {
        changed += usize::from(note(hub, repo, &seen, now).await?);
    }
    let looked = Looked { repos: watched.len(), dead, changed };
    // what does not answer now is compared with what it said last
    for url in watched.iter().flat_map(|repo| &repo.urls) {
        if let (None, Some(last)) = (seen.get(url), before.seen.get(url)) {
            seen.insert(url.clone(), last.clone());
        }
    }
    let memory = Memory { watched, seen };
    if memory != before {
        activity::write(&hub.store, &object_key::external_repos(), &memory).await.map_err(away)?;
    }
    Ok(looked)
}

/// Reads what they say now. Answers also how many URLs say nothing.
async fn look(watched: &[Watched], fetch: &dyn Fetch) -> (BTreeMap<String, Seen>, usize) {
    let urls: BTreeSet<&String> = watched.iter().flat_map(|repo| &repo.urls).collect();
    let count = urls.len();
    let reads: Vec<_> =
        urls.into_iter().map(|url| Box::pin(async move { (url.clone(), read(url, fetch).await) })).collect();
    let read: Vec<(String, std::result::Result<Seen, String>)> =
        stream::iter(reads).buffer_unordered(AT_ONCE).collect().await;
    let seen: BTreeMap<String, Seen> = read
        .into_iter()
        .filter_map(|(url, seen)| match seen {
            Ok(seen) => Some((url, seen)),
            Err(error) => {
                tracing::warn!(url, error, "an external repo cannot be watched");
                None
            }
        })
        .collect();
    let dead = count - seen.len();
    (seen, dead)
}

async fn read(url: &str, fetch: &dyn Fetch) -> std::result::Result<Seen, String> {
    let address = format!("{}/repodata/repomd.xml", url.trim_end_matches('/'));
    let read = tokio::time::timeout(LIMIT, fetch.fetch(&address)).await;
    let bytes = read.map_err(|_| format!("no answer within {} s", LIMIT.as_secs()))??;
    let index = Repomd::parse(&bytes).map_err(|error| error.to_string())?;
    Ok(Seen { sha256: hex::encode(Sha256::digest(&bytes)), newest: index.newest_timestamp().unwrap_or_default() })
}

/// The external repos that tags use, with the architectures of those tags and of all that inherit from them.
async fn used(conn: &mut PgConnection) -> Result<Vec<Watched>> {
    let rows = sqlx::query!(
        r#"WITH RECURSIVE used AS (
               SELECT external_repo_id, tag_id, arches AS listed FROM tag_external_repos WHERE active
               UNION
               SELECT external_repo_id, below.tag_id, listed FROM used
                   JOIN tag_inheritance below ON below.parent_id = used.tag_id AND below.active)
           SELECT used.external_repo_id AS "id!", url AS "url!", repo.creator_id AS "by!", listed,
               string_agg(DISTINCT tag_config.arches, ' ') AS arches
           FROM used JOIN tag_config ON tag_config.tag_id = used.tag_id AND tag_config.active
               JOIN external_repo_config repo ON repo.external_repo_id = used.external_repo_id AND repo.active
           GROUP BY 1, 2, 3, 4 ORDER BY 1"#
    )
    .fetch_all(conn)
    .await?;
    let mut watched: Vec<Watched> = Vec::new();
    for row in rows {
        let listed: Vec<String> = row.listed.as_deref().map(split_list).unwrap_or_default();
        let own = split_list(row.arches.as_deref().unwrap_or_default());
        let counts = |arch: &&str| listed.is_empty() || listed.iter().any(|listed| listed == arch);
        let arches: BTreeSet<&str> =
            own.iter().map(|arch| canonical(arch)).filter(|arch| *arch != "noarch").filter(counts).collect();
        let urls: BTreeSet<String> = arches.into_iter().map(|arch| row.url.replace("$arch", arch)).collect();
        match watched.last_mut() {
            Some(last) if last.id.0 == row.id => last.urls.extend(urls),
            _ => watched.push(Watched { id: row.id.into(), urls: urls.into_iter().collect(), by: row.by.into() }),
        }
    }
    for repo in &mut watched {
        repo.urls.sort_unstable();
        repo.urls.dedup();
    }
    watched.retain(|repo| !repo.urls.is_empty());
    Ok(watched)
}

/// Notes what a repo says now, if it was not noted yet. Answers whether it was.
async fn note(hub: &Hub, repo: &Watched, seen: &BTreeMap<String, Seen>, now: DateTime<Utc>) -> Result<bool> {
    let noted = retry_deadlocks(|| async move {
        let mut cx = Cx::internal(hub, now).await?;
        let conn = cx.db().await?;
        sql::lock(conn, repo.id).await?;
        // deleted meanwhile
        if find(conn, &Ref::Id(repo.id), None).await?.is_none() {
            return Ok(false);
        }
        let old = sql::data(conn, repo.id).await?;
        let Some(new) = merged(old.as_ref().and_then(Value::as_struct), repo, seen) else { return Ok(false) };
        set_data(&mut cx, repo.id, &new, repo.by).await?;
        cx.commit().await?;
        Ok(true)
    });
    noted.await
}

/// What is to be noted of a repo: Koji's `max_ts`, and by URL what was read. None when all of it is noted already.
fn merged(old: Option<&Map>, repo: &Watched, seen: &BTreeMap<String, Seen>) -> Option<Map> {
    let noted = old.and_then(|old| old.get("repomd")).and_then(Value::as_struct);
    let mut repomd = Map::new();
    let mut is_new = false;
    for url in &repo.urls {
        let last = noted.and_then(|noted| noted.get(url)).and_then(Value::as_str);
        let current = seen.get(url).map(|seen| seen.sha256.as_str());
        is_new |= current.is_some() && current != last;
        if let Some(sha256) = current.or(last) {
            repomd.insert(url.as_str(), sha256);
        }
    }
    if !is_new {
        return None;
    }
    let newest = repo.urls.iter().filter_map(|url| seen.get(url)).map(|seen| seen.newest as i64).max();
    let before = old.and_then(|old| old.get("max_ts")).and_then(Value::as_int).unwrap_or_default();
    let mut new = Map::new();
    new.insert("max_ts", newest.unwrap_or_default().max(before));
    new.insert("repomd", Value::Struct(repomd));
    Some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(said: &[(&str, &str, u64)]) -> BTreeMap<String, Seen> {
        let one = |(url, sha256, newest): &(&str, &str, u64)| {
            ((*url).to_owned(), Seen { sha256: (*sha256).to_owned(), newest: *newest })
        };
        said.iter().map(one).collect()
    }

    #[test]
    fn only_what_is_new_is_noted() {
        let repo = Watched { id: ExternalRepoId(1), urls: vec!["a".into(), "b".into()], by: UserId(1) };
        let first = merged(None, &repo, &seen(&[("a", "11", 5), ("b", "22", 7)])).unwrap();
        assert_eq!(first.get("max_ts"), Some(&Value::Int(7)));
        assert_eq!(merged(Some(&first), &repo, &seen(&[("a", "11", 5), ("b", "22", 7)])), None);
        // one that does not answer is no change, and is not forgotten
        assert_eq!(merged(Some(&first), &repo, &seen(&[("a", "11", 5)])), None);
        let second = merged(Some(&first), &repo, &seen(&[("a", "33", 4)])).unwrap();
        assert_eq!(second.get("max_ts"), Some(&Value::Int(7)));
        assert_eq!(merged(Some(&second), &repo, &seen(&[("a", "33", 4), ("b", "22", 7)])), None);
        // what kojira has noted says nothing of checksums
        let theirs: Map = [("max_ts".to_owned(), Value::Int(9))].into_iter().collect();
        assert_eq!(merged(Some(&theirs), &repo, &seen(&[("a", "11", 5)])).unwrap().get("max_ts"), Some(&Value::Int(9)));
    }
}
