//! What a build leaves behind, in three moves.
//!
//! First, a pending import is noted. Second, the files are copied to their final keys, outside any transaction. Third, one commit
//! makes the build complete, guarded by its still being BUILDING. A crash before the last move leaves no row of the build's content; the same
//! import run again copies the same bytes to the same keys, and only one commit passes the guard.

mod header;
mod record;

use std::collections::HashMap;

use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use toji_protocol::{
    id::{BuildId, BuildrootId, TaskId},
    nvr::{Nvr, Nvra},
    object_key,
    task::build_arch::Built,
};
use toji_repodata::header::RpmHeader;

pub use header::read as read_header;

use crate::{
    Error, Hub, Result,
    call::Cx,
    error::FaultCode,
    task::{TaskRow, output, output::TaskOutput},
};

/// Copies and header reads at once.
const AT_ONCE: usize = 8;

/// A file that a build's child has made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The child.
    pub task: TaskId,
    /// Its architecture, which its logs are kept under.
    pub arch: String,
    /// The file.
    pub file: TaskOutput,
    /// The buildroot it was made in.
    pub buildroot: BuildrootId,
}

/// All that a build's children have made.
#[derive(Clone, Debug, Default)]
pub struct Harvest {
    /// The RPMs, and the one source RPM.
    pub rpms: Vec<Made>,
    /// The logs.
    pub logs: Vec<Made>,
}

/// An RPM that is to become part of the build.
pub(crate) struct Incoming {
    pub(crate) made: Made,
    pub(crate) header: Box<RpmHeader>,
    pub(crate) nvra: Nvra,
    pub(crate) key: String,
}

fn refuse(message: impl Into<String>) -> Error {
    Error::Invalid(FaultCode::Build, message.into())
}

/// Finds the files that closed children name in their results.
///
/// # Errors
/// When one is named that was not uploaded, or there is not exactly one source RPM.
pub async fn gather(cx: &mut Cx, children: &[(TaskRow, Built)]) -> Result<Harvest> {
    let mut harvest = Harvest::default();
    let mut srpms = 0;
    // noarch RPMs come out of every architecture's build; the first one counts
    let mut seen = HashMap::new();
    for (child, built) in children {
        let files = output::files_of_attempt(cx.db().await?, child.id, child.attempt).await?;
        let find = |path: &String| -> Result<Made> {
            let name = path.rsplit('/').next().unwrap_or_default();
            let file = files.iter().find(|file| file.name == name);
            let file =
                file.ok_or_else(|| refuse(format!("task {} names {path}, but has not uploaded it", child.id)))?;
            let arch = child.label.clone().unwrap_or_else(|| child.arch.clone());
            Ok(Made { task: child.id, arch, file: file.clone(), buildroot: built.brootid })
        };
        srpms += built.srpms.len();
        for path in built.srpms.iter().chain(&built.rpms) {
            let made = find(path)?;
            if seen.insert(made.file.name.clone(), made.task).is_none() {
                harvest.rpms.push(made);
            } else if !made.file.name.ends_with(".noarch.rpm") {
                return Err(refuse(format!("two tasks have made {}", made.file.name)));
            }
        }
        for path in &built.logs {
            harvest.logs.push(find(path)?);
        }
    }
    if srpms != 1 {
        return Err(refuse(format!("a build has one source RPM, this one {srpms}")));
    }
    Ok(harvest)
}

/// Makes a build complete, with all its files at their final keys. Run again, it changes nothing more.
///
/// # Errors
/// When a file is not what the build should have; the build is left BUILDING.
pub async fn run(
    hub: &Hub,
    task: &TaskRow,
    build: BuildId,
    nvr: &Nvr,
    harvest: &Harvest,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<()> {
    let incoming: Vec<Incoming> = stream::iter(reads(hub, nvr, harvest)).buffered(AT_ONCE).try_collect().await?;
    check(nvr, &incoming)?;
    let copies = copies(nvr, harvest, &incoming);
    // noted only now: what is refused has copied nothing, and keeps nobody from trying again
    record::begin(hub, task.id, build, now).await?;
    copy_all(hub, &copies).await?;
    record::complete(hub, task.id, build, incoming, &copies, now).await
}

/// A scratch build's files go to their owner's folder, and nothing is recorded but where they are.
///
/// # Errors
/// When S3 or the database is away.
pub async fn keep_scratch(hub: &Hub, user: &str, task: TaskId, harvest: &Harvest) -> Result<()> {
    let dir = object_key::scratch_dir(user, task);
    let rpms = harvest.rpms.iter().map(|made| (made, format!("{dir}/{}", made.file.name)));
    let logs = harvest.logs.iter().map(|made| (made, format!("{dir}/logs/{}/{}", made.arch, made.file.name)));
    let copies: Vec<Copy> = rpms.chain(logs).map(|(made, to)| Copy::new(made, to)).collect();
    copy_all(hub, &copies).await?;
    record::moved(&mut *hub.pool.acquire().await?, &copies).await
}

async fn copy_all(hub: &Hub, copies: &[Copy]) -> Result<()> {
    let copying = |copy| copy_one(hub, copy).boxed();
    let all: Vec<BoxFuture<'_, Result<()>>> = copies.iter().map(copying).collect();
    stream::iter(all).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(())
}

async fn copy_one(hub: &Hub, copy: &Copy) -> Result<()> {
    Ok(hub.store.copy(&copy.from, &copy.to, copy.size).await?)
}

fn reads<'a>(hub: &'a Hub, nvr: &'a Nvr, harvest: &'a Harvest) -> Vec<BoxFuture<'a, Result<Incoming>>> {
    harvest.rpms.iter().map(|made| read(hub, nvr, made).boxed()).collect()
}

/// A file's way to its final key.
pub(crate) struct Copy {
    pub(crate) task: TaskId,
    pub(crate) name: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) size: i64,
}

impl Copy {
    fn new(made: &Made, to: String) -> Self {
        Self { task: made.task, name: made.file.name.clone(), from: made.file.key.clone(), to, size: made.file.size }
    }
}

fn copies(nvr: &Nvr, harvest: &Harvest, incoming: &[Incoming]) -> Vec<Copy> {
    let rpms = incoming.iter().map(|rpm| Copy::new(&rpm.made, rpm.key.clone()));
    let logs = harvest.logs.iter().map(|made| Copy::new(made, object_key::build_log(nvr, &made.arch, &made.file.name)));
    // a run before may have moved some already
    rpms.chain(logs).filter(|copy| copy.from != copy.to).collect()
}

async fn read(hub: &Hub, nvr: &Nvr, made: &Made) -> Result<Incoming> {
    let header = read_header(hub, &made.file.key, made.file.size).await?;
    let name = &made.file.name;
    header.verify_digests().map_err(|error| refuse(format!("{name}: {error}")))?;
    let nvra = Nvra {
        nvr: Nvr {
            name: header.name.clone(),
            version: header.version.clone(),
            release: header.release.clone(),
            epoch: None,
        },
        arch: header.repo_arch().to_owned(),
    };
    if nvra.file_name() != *name {
        return Err(refuse(format!("{name} is named wrongly: by its header it is {nvra}.rpm")));
    }
    if header.sigmd5.is_none() {
        return Err(refuse(format!("{name} has no SIGMD5 in its signature header; build it with rpm 4")));
    }
    let key = object_key::rpm(nvr, &nvra);
    Ok(Incoming { made: made.clone(), header: Box::new(header), nvra, key })
}

/// What belongs to a build: its own source RPM, and RPMs that name it.
fn check(nvr: &Nvr, incoming: &[Incoming]) -> Result<()> {
    for rpm in incoming {
        if rpm.header.is_source {
            if rpm.nvra.nvr.to_string() != nvr.to_string() {
                return Err(refuse(format!("the source RPM is {}, but the build is {nvr}", rpm.nvra.nvr)));
            }
            continue;
        }
        let source = rpm.header.sourcerpm.as_deref().unwrap_or_default();
        if source != format!("{nvr}.src.rpm") && source != format!("{nvr}.nosrc.rpm") {
            return Err(refuse(format!("{} was made of {source}, but the build is {nvr}", rpm.nvra)));
        }
    }
    Ok(())
}
