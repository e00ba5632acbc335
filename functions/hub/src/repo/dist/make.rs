//! The repo function's work for a distRepo task: a repo of signed copies.
//!
//! No file is copied: packages are where their builds are, and the front door finds them there. As with other repos, data files have
//! content names, `repomd.xml` comes last, `latest` after it, and what a crash leaves is found again by the same task.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use toji_protocol::{
    id::TaskId,
    method::repo::Repo,
    nvr::is_debuginfo,
    object_key,
    state::{RepoState, TaskState},
    task::{TaskMethod, dist_repo::DistRepoTask},
    value::Value,
    xmlrpc,
};
use toji_repodata::{
    fragment::Location,
    repo::{Compression, DataKind, PackageWriter, RepoFile, RepoFileWriter, RepoPackage, Settings, repomd},
};

use super::{
    contents::{self, DistRpm},
    opts::{self, Opts},
};
use crate::{
    Error, Hub, Result,
    call::{Cx, rerun},
    callback::tell,
    repo::{data, sql},
    sign, tag,
    task::{decode_request, sql as task_sql},
    upload::{self, UploadPath},
};

/// Where packages are, seen from a repo's architecture folder; the front door takes the front part off.
const TOPLINK: &str = "toplink";
/// The repo of debug RPMs, below an architecture's.
const DEBUG: &str = "debug";
/// Bytes of a comps.xml that is taken; Fedora's has 1 MiB.
const LARGEST_COMPS: i64 = 16 << 20;

/// Makes the repo of a distRepo task. Made before, it does nothing.
///
/// # Errors
/// When RPMs lack signatures, or something is away; the task's fault is the caller's to set.
pub(in crate::repo) async fn make(hub: &Hub, repo: Repo, task: TaskId, now: DateTime<Utc>) -> Result<()> {
    let plan = &Plan::read(hub, repo, task).await?;
    let mut made = Vec::new();
    for (folder, rpms) in split(plan, contents::rpms(hub, &plan.repo, &plan.opts, &plan.keys, now).await?) {
        let comps = plan.comps.as_deref().filter(|_| !folder.ends_with(DEBUG));
        let repomd = make_folder(hub, plan, &rpms, comps, now).await?;
        let signature = sign::repomd(hub, &plan.repo, &folder, &repomd, now).await?;
        made.push((folder, repomd, signature));
    }
    let (tag, id) = (&plan.repo.tag_name, plan.repo.id);
    let json = serde_json::to_vec(&plan.repo).map_err(Error::internal)?;
    let dir = object_key::dist_repo_dir(tag, id);
    hub.store.put(&format!("{dir}/repo.json"), json.clone(), "application/json").await?;
    for (folder, repomd, signature) in &made {
        let key = format!("{dir}/{folder}/repodata/repomd.xml");
        // before it: who sees the one finds the other
        if signature.is_some() {
            sign::beside(hub, &key, signature.as_deref()).await?;
        }
        hub.store.put(&key, repomd.clone(), "text/xml").await?;
    }
    if is_newest(hub, &plan.repo).await? {
        let latest = object_key::latest_dist_repo(tag);
        for (folder, repomd, signature) in made {
            let key = format!("{latest}/{folder}/repodata/repomd.xml");
            hub.store.put(&key, repomd.clone(), "text/xml").await?;
            sign::beside_latest(hub, &plan.repo, &folder, &key, signature, repomd, now).await?;
        }
        hub.store.put(&format!("{latest}/repo.json"), json, "application/json").await?;
    }
    rerun(hub, |hub| async move { done(&hub, task, &plan.repo, now).await }).await
}

/// All that a dist repo is made of, but for its RPMs.
struct Plan {
    repo: Repo,
    opts: Opts,
    keys: Vec<String>,
    comps: Option<String>,
    settings: Settings,
}

impl Plan {
    async fn read(hub: &Hub, repo: Repo, task: TaskId) -> Result<Self> {
        let mut conn = hub.pool.acquire().await?;
        let row = task_sql::get(&mut conn, task).await?.ok_or_else(|| crate::task::no_such_task(task))?;
        let asked = DistRepoTask::from_request(decode_request(&row.request)?)?;
        let opts = Opts::parse(&asked.task_opts)?;
        let keys = opts::keys(&asked.keys)?;
        let quirks = hub.config.quirks;
        let config = tag::build_config(&mut conn, quirks, repo.tag_id, Some(repo.create_event)).await?;
        drop(conn);
        let named = config.as_ref().and_then(|config| config.tag.extra.get("repo.compression").and_then(Value::as_str));
        let compression = match named {
            Some("gzip" | "gz") => Compression::Gzip,
            Some("zstd" | "zst") => Compression::Zstd,
            _ => hub.config.repo_compression,
        };
        let comps = match &opts.comps {
            Some(path) => Some(read_comps(hub, path).await?),
            None => None,
        };
        Ok(Self { repo, opts, keys, comps, settings: Settings { compression, open_checksum: true } })
    }
}

/// An uploaded comps.xml.
async fn read_comps(hub: &Hub, path: &str) -> Result<String> {
    let bad = |problem: &str| Error::parameter(format!("comps: {path} {problem}"));
    let object = upload::complete(hub, &UploadPath::parse(path)?).await?;
    if object.size > LARGEST_COMPS {
        return Err(bad(&format!("has {} bytes: comps has up to {LARGEST_COMPS}", object.size)));
    }
    let text = String::from_utf8(hub.store.get(&object.key).await?.to_vec()).map_err(|_| bad("is no UTF-8"))?;
    if text.contains("<comps") { Ok(text) } else { Err(bad("is no comps.xml: it has no element <comps>")) }
}

/// The repos' folders, and what is in each.
fn split(plan: &Plan, arches: BTreeMap<String, Vec<DistRpm>>) -> Vec<(String, Vec<DistRpm>)> {
    let mut folders = Vec::new();
    for (arch, rpms) in arches {
        if plan.opts.split_debuginfo && arch != "src" {
            let (debug, rpms): (Vec<_>, Vec<_>) = rpms.into_iter().partition(|rpm| is_debuginfo(&rpm.name));
            folders.push((format!("{arch}/{DEBUG}"), debug));
            folders.push((arch, rpms));
        } else {
            folders.push((arch, rpms));
        }
    }
    folders
}

/// Writes one folder's data files; answers its `repomd.xml`.
async fn make_folder(
    hub: &Hub,
    plan: &Plan,
    rpms: &[DistRpm],
    comps: Option<&str>,
    now: DateTime<Utc>,
) -> Result<String> {
    let mut files = data_files(rpms, plan.settings)?;
    if let Some(comps) = comps {
        let mut writer = RepoFileWriter::new(DataKind::Group, 0, plan.settings, Vec::new()).map_err(Error::internal)?;
        writer.push(comps.as_bytes(), 0).map_err(Error::internal)?;
        files.push(writer.finish().map_err(Error::internal)?);
    }
    let shared = object_key::dist_repos_of_tag(&plan.repo.tag_name);
    let mut named = Vec::new();
    for (file, bytes) in files {
        data::add(hub, plan.repo.id, &shared, &file, bytes, now).await?;
        named.push(file);
    }
    let listed: Vec<(&RepoFile, Option<&str>)> = named.iter().map(|file| (file, None)).collect();
    Ok(repomd(&plan.repo.create_event.to_string(), now.timestamp() as u64, &listed))
}

/// The files that list packages.
fn data_files(rpms: &[DistRpm], settings: Settings) -> Result<Vec<(RepoFile, Vec<u8>)>> {
    let outs = [Vec::new(), Vec::new(), Vec::new()];
    let mut writer = PackageWriter::new(rpms.len() as u64, settings, outs).map_err(Error::internal)?;
    for rpm in rpms {
        let href = format!("{TOPLINK}/{}", rpm.key);
        let package = RepoPackage {
            primary: &rpm.shown.fragments.primary,
            filelists: &rpm.shown.fragments.filelists,
            other: &rpm.shown.fragments.other,
            location: Location { base: None, href: &href },
            file_time: rpm.shown.mtime,
        };
        writer.package(package).map_err(Error::internal)?;
    }
    Ok(writer.finish().map_err(Error::internal)?.into())
}

/// No READY dist repo of the tag shows a later event.
async fn is_newest(hub: &Hub, repo: &Repo) -> Result<bool> {
    let newer = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM repo WHERE tag_id = $1 AND dist AND state IN (1, 2)
               AND (create_event, id) > ($2::bigint, $3::bigint)) AS "newer!""#,
        repo.tag_id.0,
        repo.create_event.0,
        repo.id.0
    )
    .fetch_one(&hub.pool)
    .await?;
    Ok(!newer)
}

/// The repo is READY, and the task is closed.
async fn done(hub: &Hub, task: TaskId, repo: &Repo, now: DateTime<Utc>) -> Result<()> {
    let mut cx = Cx::internal(hub, now).await?;
    let row = task_sql::lock(cx.db().await?, task).await?.ok_or_else(|| crate::task::no_such_task(task))?;
    if row.state != TaskState::Open || !sql::is_init(cx.db().await?, repo.id).await? {
        return Ok(());
    }
    crate::repo::set_state(&mut cx, repo.id, RepoState::Ready).await?;
    let result = xmlrpc::encode_response(&(repo.id, repo.create_event)).map_err(Error::internal)?;
    let result = String::from_utf8(result).map_err(Error::internal)?;
    tell::task_ended(&mut cx, &[task], |_| true, TaskState::Closed).await?;
    tell::repo_done(&mut cx, repo, false).await?;
    task_sql::end_coordinated(cx.db().await?, task, TaskState::Closed, &result, now).await?;
    crate::task::advance_parent(&mut cx, row.parent);
    cx.commit().await
}
