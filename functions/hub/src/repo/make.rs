//! The repo function's work: a repo of stored fragments, with external repos merged in.
//!
//! Data files have content names under the tag's `data/`, so that equal ones are stored once; `repomd.xml` is written last, and
//! `latest` after it. What a crash leaves is found again by the same task: the same content goes to the same names.

use std::{collections::HashMap, future::Future, pin::Pin};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use toji_protocol::{
    id::TaskId,
    method::{external_repo::TagExternalRepo, is_truthy, repo::Repo},
    object_key,
    state::{RepoState, TaskState},
    value::Value,
    xmlrpc,
};
use toji_repodata::{
    external::{ExternalPackage, FragmentReader, PrimaryReader, Repomd},
    fragment::Location,
    merge::{Identity, MergeMode, select},
    repo::{Compression, DataKind, Origins, PackageWriter, RepoFile, RepoFileWriter, RepoPackage, Settings, repomd},
};

use super::{contents, contents::RepoRpm, dist, request, sql};
use crate::{
    Error, Hub, Result,
    call::{Cx, rerun},
    callback::tell,
    error::FaultCode,
    external_repo, group, sign, tag,
    task::sql as task_sql,
};

/// The answer of [`Fetch::fetch`]; the error is a sentence.
pub type Fetched<'a> = Pin<Box<dyn Future<Output = std::result::Result<Bytes, String>> + Send + 'a>>;

/// Reads external repos: from the network, or for the function that may not reach it, from where another has put them.
pub trait Fetch: Send + Sync {
    /// The bytes at a URL.
    fn fetch<'a>(&'a self, url: &'a str) -> Fetched<'a>;
}

/// Where packages are, seen from a repo's architecture folder; the front door takes the front part off.
const TOPLINK: &str = "toplink";

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
        let repomd = make_arch(hub, &plan, arch, local, fetch, now).await?;
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
            replace(hub, &key, repomd.clone()).await?;
            sign::beside_latest(hub, &plan.repo, arch, &key, signature, repomd, now).await?;
        }
        hub.store.put(&object_key::latest_file(tag, "repo.json"), json, "application/json").await?;
    }
    let repo = &plan.repo;
    rerun(hub, |hub| async move { done(&hub, task, repo, now).await }).await
}

/// Replaces an object by a conditional write: somebody who was faster is not overwritten unseen.
async fn replace(hub: &Hub, key: &str, body: String) -> Result<()> {
    const TRIES: usize = 5;
    for _ in 0..TRIES {
        let known = hub.store.head(key).await?.map(|object| object.etag);
        if hub.store.put_if(key, body.clone(), "text/xml", known.as_deref()).await? == toji_store::PutOutcome::Written {
            return Ok(());
        }
    }
    Err(Error::Unavailable(anyhow::anyhow!("{key} is being replaced all the time")))
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
    rpms: std::collections::BTreeMap<String, Vec<RepoRpm>>,
    comps: String,
    external: Vec<TagExternalRepo>,
    blocked: std::collections::HashSet<String>,
    settings: Settings,
}

impl Plan {
    async fn read(conn: &mut sqlx::PgConnection, hub: &Hub, repo: Repo) -> Result<Self> {
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
        Ok(Self { repo, rpms, comps, external, blocked, settings: Settings { compression, open_checksum } })
    }
}

/// An external repo's packages, with the two other fragments of each.
struct External {
    url: String,
    packages: Vec<ExternalPackage>,
    filelists: HashMap<String, String>,
    other: HashMap<String, String>,
}

fn bad_external(url: &str, error: impl std::fmt::Display) -> Error {
    Error::Invalid(FaultCode::Generic, format!("external repo {url}: {error}"))
}

async fn read_external(url: &str, fetch: &dyn Fetch) -> Result<External> {
    let url = url.trim_end_matches('/').to_owned();
    let get = async |address: String| fetch.fetch(&address).await.map_err(|error| bad_external(&url, error));
    let index = Repomd::parse(&get(format!("{url}/repodata/repomd.xml")).await?);
    let index = index.map_err(|error| bad_external(&url, error))?;
    let mut files = HashMap::new();
    for kind in ["primary", "filelists", "other"] {
        let record = index.record(kind).ok_or_else(|| bad_external(&url, format!("its repomd.xml names no {kind}")))?;
        let base = record.base.as_deref().unwrap_or(&url).trim_end_matches('/');
        files.insert(kind, (record.clone(), get(format!("{base}/{}", record.href)).await?));
    }
    let fail = |error: toji_repodata::external::ExternalError| bad_external(&url, error);
    let open = |kind: &str| {
        let (record, bytes) = files.get(kind).ok_or_else(|| bad_external(&url, kind))?;
        record.reader(bytes.as_ref()).map_err(fail)
    };
    let packages = PrimaryReader::new(open("primary")?).collect::<std::result::Result<_, _>>().map_err(fail)?;
    let filelists =
        FragmentReader::filelists(open("filelists")?).collect::<std::result::Result<_, _>>().map_err(fail)?;
    let other = FragmentReader::other(open("other")?).collect::<std::result::Result<_, _>>().map_err(fail)?;
    Ok(External { url, packages, filelists, other })
}

/// The external repos that count for an architecture, in order, all read.
async fn read_externals(plan: &Plan, arch: &str, fetch: &dyn Fetch) -> Result<(MergeMode, Vec<External>)> {
    let mut mode = MergeMode::Koji;
    let mut found = Vec::new();
    for repo in &plan.external {
        let listed = repo.arches.as_deref().map(toji_protocol::arch::split_list).unwrap_or_default();
        if !listed.is_empty() && !listed.iter().any(|listed| listed == arch) {
            continue;
        }
        mode = match repo.merge_mode.as_str() {
            "simple" => MergeMode::Simple,
            "bare" => MergeMode::Bare,
            _ => MergeMode::Koji,
        };
        found.push(read_external(&repo.url.replace("$arch", arch), fetch).await?);
    }
    Ok((mode, found))
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
    let (mode, external) = read_externals(plan, arch, fetch).await?;
    let identities: Vec<Vec<Identity>> =
        external.iter().map(|repo| repo.packages.iter().map(|package| package.identity.clone()).collect()).collect();
    let kept = select(mode, arch, &plan.blocked, local.iter().map(|rpm| &rpm.identity), &identities);
    let count = local.len() + kept.iter().flatten().filter(|kept| **kept).count();

    let fail = |error: toji_repodata::repo::RepoError| Error::internal(error);
    let outs = [Vec::new(), Vec::new(), Vec::new()];
    let mut writer = PackageWriter::new(count as u64, plan.settings, outs).map_err(fail)?;
    let mut origins = Origins::default();
    for rpm in local {
        let href = format!("{TOPLINK}/{}", rpm.key);
        let location = Location { base: None, href: &href };
        writer.package(package_of(rpm, location)).map_err(fail)?;
    }
    for (repo, kept) in external.iter().zip(&kept) {
        for (package, _) in repo.packages.iter().zip(kept).filter(|(_, kept)| **kept) {
            let location = package.location(&repo.url);
            let missing = |kind: &str| bad_external(&repo.url, format!("its {kind} lacks {}", package.identity.name));
            let filelists = repo.filelists.get(&package.pkgid).ok_or_else(|| missing("filelists"))?;
            let other = repo.other.get(&package.pkgid).ok_or_else(|| missing("other"))?;
            let id = &package.identity;
            origins.add((&id.name, &id.version, &id.release, &id.arch), &repo.url);
            writer
                .package(RepoPackage {
                    primary: &package.primary,
                    filelists,
                    other,
                    location: location.borrow(),
                    file_time: now.timestamp() as u64,
                })
                .map_err(fail)?;
        }
    }
    let mut files: Vec<(RepoFile, Vec<u8>)> = writer.finish().map_err(fail)?.into();
    files.push(whole(DataKind::Group, plan.comps.as_bytes(), plan.settings)?);
    if !external.is_empty() {
        files.push(whole(
            DataKind::Origin,
            origins.as_str().as_bytes(),
            Settings { compression: Compression::Gzip, ..plan.settings },
        )?);
    }
    let mut named = Vec::new();
    for (file, bytes) in files {
        let key = object_key::repo_data(&plan.repo.tag_name, &file.file_name());
        hub.store.put(&key, bytes, "application/octet-stream").await?;
        named.push(file);
    }
    let listed: Vec<(&RepoFile, Option<&str>)> = named.iter().map(|file| (file, None)).collect();
    Ok(repomd(&plan.repo.create_event.to_string(), now.timestamp() as u64, &listed))
}

fn package_of<'a>(rpm: &'a RepoRpm, location: Location<'a>) -> RepoPackage<'a> {
    RepoPackage {
        primary: &rpm.fragments.primary,
        filelists: &rpm.fragments.filelists,
        other: &rpm.fragments.other,
        location,
        file_time: rpm.mtime,
    }
}

fn whole(kind: DataKind, open: &[u8], settings: Settings) -> Result<(RepoFile, Vec<u8>)> {
    let mut writer = RepoFileWriter::new(kind, 0, settings, Vec::new()).map_err(Error::internal)?;
    writer.push(open, 0).map_err(Error::internal)?;
    writer.finish().map_err(Error::internal)
}
