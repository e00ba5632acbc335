//! The repo function's work: a repo of stored fragments, with external repos merged in.
//!
//! Data files have content names under the tag's `data/`, so that equal ones are stored once; `repomd.xml` is written last, and
//! `latest` after it. What a crash leaves is found again by the same task: the same content goes to the same names.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use toji_protocol::{
    id::{EventId, TaskId},
    method::{Named, external_repo::TagExternalRepo, is_truthy, repo::Repo},
    object_key,
    state::{RepoState, TaskState},
    value::Value,
    xmlrpc,
};
use toji_repodata::{
    external::Repomd,
    merge::{MergeMode, select},
    repo::{Compression, DataKind, RepoFile, RepoFileWriter, Settings, repomd},
};

use super::{
    before, contents,
    contents::RepoRpm,
    data::{self, Content},
    dist,
    external::{self, External, Fetch},
    frames::{self, Assembled},
    members::Members,
    request, sql,
};
use crate::{
    Error, Hub, Result,
    call::{Cx, rerun},
    callback::tell,
    external_repo, group, sign, tag,
    task::sql as task_sql,
};

/// Makes the repo of a newRepo or distRepo task. Made before, it does nothing.
///
/// # Errors
/// When an external repo cannot be read, or something is away; the task's fault is the caller's to set.
pub async fn make(hub: &Hub, task: TaskId, now: DateTime<Utc>, fetch: &dyn Fetch) -> Result<()> {
    let plan = {
        let mut conn = hub.pool.acquire().await?;
        let Some(repo) = sql::of_task(&mut conn, task).await? else {
            return Err(Error::missing(format!("task {task} has no repo to make")));
        };
        if repo.state != RepoState::Init {
            return Ok(());
        }
        if repo.dist {
            drop(conn);
            return Box::pin(dist::make(hub, repo, task, now)).await;
        }
        Plan::read(&mut conn, hub, repo).await?
    };
    let mut made = Vec::new();
    for (arch, local) in &plan.rpms {
        let repomd = Box::pin(make_arch(hub, &plan, arch, local, fetch, now)).await?;
        let signature = sign::repomd(hub, &plan.repo, arch, &repomd, now).await?;
        made.push((arch.as_str(), repomd, signature));
    }
    let json = serde_json::to_vec(&plan.repo).map_err(Error::internal)?;
    let (tag, id) = (&plan.repo.tag_name, plan.repo.id);
    hub.store.put(&object_key::repo_file(tag, id, "groups/comps.xml"), plan.comps.clone(), "text/xml").await?;
    hub.store.put(&object_key::repo_file(tag, id, "repo.json"), json.clone(), "application/json").await?;
    for (arch, repomd, signature) in &made {
        let key = object_key::repo_file(tag, id, &format!("{arch}/repodata/repomd.xml"));
        // before it: who sees the one finds the other
        if signature.is_some() {
            sign::beside(hub, &key, signature.as_deref()).await?;
        }
        hub.store.put(&key, repomd.clone(), "text/xml").await?;
    }
    let is_custom = plan.repo.custom_opts.as_struct().is_some_and(|custom| !custom.is_empty());
    if !is_custom && is_newest(hub, &plan.repo).await? {
        for (arch, repomd, signature) in made {
            let key = object_key::latest_file(tag, &format!("{arch}/repodata/repomd.xml"));
            if replace(hub, &key, &repomd, plan.repo.create_event).await? {
                sign::beside_latest(hub, &plan.repo, arch, &key, signature, repomd, now).await?;
            }
        }
        hub.store.put(&object_key::latest_file(tag, "repo.json"), json, "application/json").await?;
    }
    let repo = &plan.repo;
    rerun(hub, |hub| async move { done(&hub, task, repo, now).await }).await
}

/// Replaces `latest`'s `repomd.xml` by a conditional write: who was faster is not overwritten unseen. Answers whether it did; not when a
/// later event is there already.
async fn replace(hub: &Hub, key: &str, body: &str, event: EventId) -> Result<bool> {
    const TRIES: usize = 5;
    for _ in 0..TRIES {
        let known = hub.store.head(key).await?.map(|object| object.etag);
        if known.is_some() && event_of(&hub.store.get(key).await?).is_some_and(|there| there > event) {
            return Ok(false);
        }
        let put = hub.store.put_if(key, body.to_owned(), "text/xml", known.as_deref()).await?;
        if put == toji_store::PutOutcome::Written {
            return Ok(true);
        }
    }
    Err(Error::Unavailable(anyhow::anyhow!("{key} is being replaced all the time")))
}

/// The event of a repo of ours, by its `repomd.xml`.
fn event_of(repomd: &[u8]) -> Option<EventId> {
    Repomd::parse(repomd).ok()?.revision?.parse().ok().map(EventId)
}

/// No READY repo of the tag, made for everybody, shows a later event.
async fn is_newest(hub: &Hub, repo: &Repo) -> Result<bool> {
    let newer = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM repo WHERE tag_id = $1 AND NOT dist AND state IN (1, 2) AND create_event > $2
               AND custom_opts = '{}') AS "newer!""#,
        repo.tag_id.0,
        repo.create_event.0
    )
    .fetch_one(&hub.pool)
    .await?;
    Ok(!newer)
}

/// The repo is READY: the task is closed, requests are fulfilled.
async fn done(hub: &Hub, task: TaskId, repo: &Repo, now: DateTime<Utc>) -> Result<()> {
    let mut cx = Cx::internal(hub, now).await?;
    let row = task_sql::lock(cx.db().await?, task).await?.ok_or_else(|| crate::task::no_such_task(task))?;
    let ready = sqlx::query!("UPDATE repo SET state = 1, state_time = $2 WHERE id = $1 AND state = 0", repo.id.0, now)
        .execute(cx.db().await?)
        .await?;
    if ready.rows_affected() == 0 || row.state != TaskState::Open {
        return Ok(());
    }
    let result = xmlrpc::encode_response(&(repo.id, repo.create_event)).map_err(Error::internal)?;
    let result = String::from_utf8(result).map_err(Error::internal)?;
    tell::task_ended(&mut cx, &[task], |_| true, TaskState::Closed).await?;
    tell::repo_done(&mut cx, repo, false).await?;
    task_sql::end_coordinated(cx.db().await?, task, TaskState::Closed, &result, now).await?;
    crate::task::advance_parent(&mut cx, row.parent);
    let repo = Repo { state: RepoState::Ready, ..repo.clone() };
    request::fulfil(&mut cx, &repo).await?;
    cx.commit().await
}

/// All that a repo is made of, but for external repos.
struct Plan {
    repo: Repo,
    extra: Named,
    rpms: BTreeMap<String, Vec<RepoRpm>>,
    comps: String,
    external: Vec<TagExternalRepo>,
    blocked: HashSet<String>,
    settings: Settings,
}

impl Plan {
    async fn read(conn: &mut PgConnection, hub: &Hub, repo: Repo) -> Result<Self> {
        let (tag, event, quirks) = (repo.tag_id, repo.create_event, hub.config.quirks);
        let config = tag::build_config(&mut *conn, quirks, tag, Some(event)).await?;
        let config =
            config.ok_or_else(|| Error::missing(format!("No such tag: {} at event {event}", repo.tag_name)))?;
        let own = tag::own_arches(&mut *conn, tag, event).await?;
        let opts = toji_protocol::value::from_value(repo.opts.clone())?;
        let arches = contents::arches(own.as_deref(), &opts);
        let rpms = contents::rpms(&mut *conn, quirks, tag, event, &config.tag.extra, &arches, &opts).await?;
        let comps = contents::comps(&group::for_tag(&mut *conn, quirks, tag, Some(event)).await?);
        let external = external_repo::for_tag(&mut *conn, quirks, tag, Some(event)).await?;
        let blocked = contents::blocked(conn, quirks, tag, event).await?;
        let compression = match config.tag.extra.get("repo.compression").and_then(Value::as_str) {
            Some("gzip" | "gz") => Compression::Gzip,
            Some("zstd" | "zst") => Compression::Zstd,
            _ => hub.config.repo_compression,
        };
        let open_checksum = config.tag.extra.get("repo.open_checksum").is_none_or(is_truthy);
        let settings = Settings { compression, open_checksum };
        Ok(Self { repo, extra: config.tag.extra, rpms, comps, external, blocked, settings })
    }

    /// The external repos that count for an architecture, in order, with their mode.
    fn externals(&self, arch: &str) -> (MergeMode, Vec<String>) {
        let mut mode = MergeMode::Koji;
        let mut urls = Vec::new();
        for repo in &self.external {
            let listed = repo.arches.as_deref().map(toji_protocol::arch::split_list).unwrap_or_default();
            if !listed.is_empty() && !listed.iter().any(|listed| listed == arch) {
                continue;
            }
            mode = match repo.merge_mode.as_str() {
                "simple" => MergeMode::Simple,
                "bare" => MergeMode::Bare,
                _ => MergeMode::Koji,
            };
            urls.push(repo.url.replace("$arch", arch));
        }
        (mode, urls)
    }
}

/// Makes one architecture's repo but for its `repomd.xml`, which is answered.
async fn make_arch(
    hub: &Hub,
    plan: &Plan,
    arch: &str,
    local: &[RepoRpm],
    fetch: &dyn Fetch,
    now: DateTime<Utc>,
) -> Result<String> {
    let (mode, urls) = plan.externals(arch);
    let mut external = Vec::with_capacity(urls.len());
    for url in &urls {
        external.push(external::read(hub, url, fetch).await?);
    }
    let identities: Vec<Vec<_>> = external
        .iter()
        .map(|repo| repo.snapshot.packages().iter().map(|package| &package.identity).collect())
        .collect();
    let kept = select(mode, arch, &plan.blocked, local.iter().map(|rpm| &rpm.identity), &identities);
    let members = Members::new(hub, local, &external, &kept);
    let folder = object_key::repos_of_tag(&plan.repo.tag_name);
    let mut named = packages(hub, plan, arch, &folder, &members, now).await?;
    for (file, bytes) in others(hub, plan, mode, &external, &members).await? {
        data::add(hub, plan.repo.id, &folder, &file, bytes, now).await?;
        named.push(file);
    }
    let listed: Vec<(&RepoFile, Option<&str>)> = named.iter().map(|file| (file, None)).collect();
    Ok(repomd(&plan.repo.create_event.to_string(), now.timestamp() as u64, &listed))
}

/// Stores the files that list packages, and which frames they are made of.
async fn packages(
    hub: &Hub,
    plan: &Plan,
    arch: &str,
    folder: &str,
    members: &Members<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<RepoFile>> {
    let (tag, id) = (&plan.repo.tag_name, plan.repo.id);
    let chunks = members.chunks(plan.settings.compression);
    let mut before = before::find(hub, &plan.repo, &plan.extra, arch).await?;
    let index = loop {
        let Assembled { index, spooled, made } =
            frames::assemble(hub, plan.settings, &chunks, before.as_ref(), members).await?;
        tracing::info!(tag, repo = %id, arch, chunks = chunks.len(), made, "frames are put together");
        data::note(hub, id, folder, &index.files, now).await?;
        let mut are_stored = true;
        for (place, file) in index.files.iter().enumerate() {
            let content = match (&spooled, &before) {
                (Some(spooled), _) => Content::File(spooled[place].path()),
                (None, Some(before)) => Content::In(&before.folder),
                (None, None) => return Err(Error::internal(anyhow::anyhow!("the files of {tag} are nowhere"))),
            };
            are_stored &= data::store(hub, folder, file, content).await?;
        }
        if are_stored {
            break index;
        }
        // those of the repo before are gone
        before = None;
    };
    let json = serde_json::to_vec(&index).map_err(Error::internal)?;
    hub.store.put(&object_key::repo_frames(tag, id, arch), json, "application/json").await?;
    Ok(index.files.into())
}

/// The files of a repo beside those that list packages.
async fn others(
    hub: &Hub,
    plan: &Plan,
    mode: MergeMode,
    external: &[External],
    members: &Members<'_>,
) -> Result<Vec<(RepoFile, Vec<u8>)>> {
    let mut files = vec![whole(DataKind::Group, plan.comps.as_bytes(), plan.settings)?];
    if !external.is_empty() {
        let settings = Settings { compression: Compression::Gzip, ..plan.settings };
        files.push(whole(DataKind::Origin, members.origins().as_str().as_bytes(), settings)?);
    }
    if mode == MergeMode::Bare {
        for kind in external::CARRIED {
            if let Some(carried) = external::carried(hub, external, kind).await? {
                files.push(whole(kind, &carried, plan.settings)?);
            }
        }
    }
    Ok(files)
}

fn whole(kind: DataKind, open: &[u8], settings: Settings) -> Result<(RepoFile, Vec<u8>)> {
    let mut writer = RepoFileWriter::new(kind, 0, settings, Vec::new()).map_err(Error::internal)?;
    writer.push(open, 0).map_err(Error::internal)?;
    writer.finish().map_err(Error::internal)
}
