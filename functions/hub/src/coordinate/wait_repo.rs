//! `waitrepo`: ends when a READY repo is new enough and has certain builds. It asks for that repo itself.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, TagId, TaskId},
    method::{Named, repo::Repo},
    nvr::Nvr,
    task::wait_repo::WaitRepoTask,
};

use super::{close, encoded, open, request};
use crate::{
    Error, Hub, Result,
    call::Cx,
    content, package, repo,
    tag::{self, Quirks},
};

pub(super) async fn step(hub: &Hub, task: TaskId, now: DateTime<Utc>) -> Result<()> {
    let mut cx = Cx::internal(hub, now).await?;
    let quirks = hub.config.quirks;
    let row = open(&mut cx, task).await?;
    let asked: WaitRepoTask = request(&row)?;
    let (tag, name) = tag::require(cx.db().await?, &asked.tag).await?;
    let nvrs = asked.nvrs.unwrap_or_default();
    let min_event = asked.min_event.unwrap_or(EventId(0));
    let wanted = repo::request::Wanted::Since(min_event);
    if let Some(found) = repo::request::find(cx.db().await?, tag, wanted, &Named::new()).await?
        && has_all(cx.db().await?, quirks, tag, &nvrs, Some(&found)).await?
    {
        close(&mut cx, &row, encoded(&found)?).await?;
        return cx.commit().await;
    }
    let waited = now - row.start_time.unwrap_or(now);
    if waited > hub.config.wait_repo_timeout {
        let minutes = hub.config.wait_repo_timeout.num_minutes();
        let what = if nvrs.is_empty() { String::new() } else { format!(" with {}", nvrs.join(", ")) };
        return Err(Error::invalid(format!("Timed out: no repo of {name}{what} after {minutes} minutes")));
    }
    // builds that are still to be tagged have us looked at again
    if has_all(cx.db().await?, quirks, tag, &nvrs, None).await? {
        let since = match (nvrs.is_empty(), tag::last_change(cx.db().await?, quirks, tag, None, true).await?) {
            (false, Some(last)) => last.max(min_event),
            _ => min_event,
        };
        let wanted = repo::request::Wanted::Since(since);
        let priority = crate::task::DEFAULT_PRIORITY;
        repo::request::request(&mut cx, row.owner, tag, wanted, Named::new(), priority, false).await?;
    }
    cx.commit().await
}

/// Whether all of the builds, by exact name, are tagged there: as a repo shows it, or now.
async fn has_all(
    conn: &mut PgConnection,
    quirks: Quirks,
    tag: TagId,
    nvrs: &[String],
    repo: Option<&Repo>,
) -> Result<bool> {
    for nvr in nvrs {
        let parsed = Nvr::parse(nvr).map_err(|error| Error::invalid(error.to_string()))?;
        let Some((package, _)) = package::find(conn, &parsed.name.as_str().into()).await? else { return Ok(false) };
        let query = content::Query {
            event: repo.map(|repo| repo.create_event),
            inherit: true,
            package: Some(package),
            ..content::Query::default()
        };
        let builds = content::builds(conn, quirks, tag, &query).await?;
        if !builds.iter().any(|build| build.version == parsed.version && build.release == parsed.release) {
            return Ok(false);
        }
    }
    Ok(true)
}
