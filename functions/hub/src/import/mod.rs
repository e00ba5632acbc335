//! What a build leaves behind, in three moves.
//!
//! First, a pending import is noted. Second, the files are copied to their final keys, outside any transaction. Third, one commit
//! makes the build complete, guarded by its still being BUILDING. A crash before the last move leaves no row of the build's content; the same
//! import run again copies the same bytes to the same keys, and only one commit passes the guard.
//!
//! - `rpm`, `header`: what an RPM must be; `noarch`: what two of one name must have in common; `copy`: to where it goes; `rows`, `record`: what is noted of it
//! - `join`: RPMs that join a build outside of its task: of an `upload`, or of a `scratch` build; `external`: RPMs of others

pub(crate) mod copy;
mod external;
mod header;
pub(crate) mod join;
pub mod noarch;
mod record;
pub(crate) mod rows;
mod rpm;
mod scratch;
mod upload;

use std::collections::HashMap;

pub(crate) use copy::{Copy, copy_all};
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
pub use header::read as read_header;
pub use rpm::Home;
pub(crate) use rpm::Incoming;
use toji_protocol::{
    id::{BuildrootId, TaskId, VolumeId},
    method::import::{AddExternalRpm, ImportRpm, MergeScratch},
    object_key,
    task::build_arch::Built,
    value::{Map, Value},
};

use crate::{
    Error, Hub, Result,
    call::{Cx, Table},
    callback::tell::{self, Files, Imported},
    error::FaultCode,
    rpm::signature,
    task::{TaskRow, output, output::TaskOutput},
    volume,
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
    /// noarch RPMs that came out of further architectures' builds. They are compared with the first, and not kept.
    pub doubles: Vec<Made>,
    /// The logs.
    pub logs: Vec<Made>,
}

pub(crate) fn methods(table: &mut Table) {
    table.add::<ImportRpm>().add::<AddExternalRpm>().add::<MergeScratch>();
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
            } else if made.file.name.ends_with(".noarch.rpm") {
                harvest.doubles.push(made);
            } else {
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
    home: &Home,
    harvest: &Harvest,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<()> {
    let reads = harvest.rpms.iter().map(|made| Incoming::read(hub, &made.file, Some(made.buildroot)).boxed());
    let reads: Vec<BoxFuture<'_, Result<Incoming>>> = reads.collect();
    let incoming: Vec<Incoming> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
    for rpm in &incoming {
        rpm.check_source(home)?;
    }
    let copies = copies(home, harvest, &incoming);
    let (volume, class) = choose_volume(hub, task, home, harvest, now).await?;
    let files = told(harvest, &incoming);
    // asked before anything is copied
    let mut cx = Cx::new(hub.clone(), now);
    tell::imported(&mut cx, home.build, Imported::Build { task: task.id, files: &files }).await?;
    cx.release();
    // noted only now: what is refused has copied nothing, and keeps nobody from trying again
    record::begin(hub, task.id, home.build, now).await?;
    copy_all(hub, &copies, class.as_deref()).await?;
    keep_signatures(hub, home, &incoming).await?;
    let content = record::Content { incoming, copies: &copies, files: &files };
    record::complete(hub, task.id, home, volume, content, now).await
}

/// What callbacks are told of it.
fn told(harvest: &Harvest, incoming: &[Incoming]) -> Files {
    let named = |is_source: bool| {
        let some = incoming.iter().filter(move |rpm| rpm.header.is_source == is_source);
        some.map(|rpm| rpm.file.name.clone())
    };
    let logs = harvest.logs.iter().map(|made| (made.arch.clone(), made.file.name.clone())).collect();
    Files { srpm: named(true).next(), rpms: named(false).collect(), logs }
}

/// The volume that the policy wants for a build, and its storage class.
async fn choose_volume(
    hub: &Hub,
    task: &TaskRow,
    home: &Home,
    harvest: &Harvest,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(VolumeId, Option<String>)> {
    let mut data = Map::new();
    data.insert("package", home.source.name.clone());
    data.insert("version", home.source.version.clone());
    data.insert("release", home.source.release.clone());
    let roots = harvest.rpms.iter().map(|made| Value::Int(made.buildroot.0)).collect::<Vec<_>>();
    data.insert("buildroots", roots);
    data.insert("import", true);
    data.insert("import_type", "rpm");
    data.insert("user_id", task.owner.0);
    let mut cx = Cx::new(hub.clone(), now);
    let chosen = volume::choose(&mut cx, data, Some(task.id), false).await?;
    let volume = chosen.map_or(volume::DEFAULT, |volume| volume.id);
    let class = volume::storage_class(cx.db().await?, volume).await?;
    cx.release();
    Ok((volume, class))
}

/// Keeps each RPM's own signature header, so that it can be put back after another one. For every import, before its rows are
/// written.
///
/// # Errors
/// When S3 is away. Run again, it writes the same.
pub(crate) async fn keep_signatures<'a>(
    hub: &Hub,
    home: &Home,
    incoming: impl IntoIterator<Item = &'a Incoming>,
) -> Result<()> {
    let kept = incoming.into_iter().map(|Incoming { header, nvra, .. }| {
        let key = object_key::rpm_signature(&home.nvr, nvra, header.key_id.as_deref().unwrap_or_default());
        (key, header.signature_bytes.clone())
    });
    let kept = kept.collect();
    signature::keep_all(hub, kept).await
}

fn copies(home: &Home, harvest: &Harvest, incoming: &[Incoming]) -> Vec<Copy> {
    let rpms = incoming.iter().zip(&harvest.rpms);
    let rpms = rpms.map(|(rpm, made)| Copy::new(Some(made.task), &made.file, rpm.key(home)));
    let log = |made: &Made| object_key::build_log(&home.nvr, &made.arch, &made.file.name);
    let logs = harvest.logs.iter().map(|made| Copy::new(Some(made.task), &made.file, log(made)));
    // a run before may have moved some already
    rpms.chain(logs).filter(|copy| copy.from != copy.to).collect()
}

/// A scratch build's files go to their owner's folder, and nothing is recorded but where they are.
///
/// # Errors
/// When S3 or the database is away.
pub async fn keep_scratch(hub: &Hub, user: &str, task: TaskId, harvest: &Harvest) -> Result<()> {
    let dir = object_key::scratch_dir(user, task);
    let rpms = harvest.rpms.iter().map(|made| (made, format!("{dir}/{}", made.file.name)));
    let logs = harvest.logs.iter().map(|made| (made, format!("{dir}/logs/{}/{}", made.arch, made.file.name)));
    let copies: Vec<Copy> = rpms.chain(logs).map(|(made, to)| Copy::new(Some(made.task), &made.file, to)).collect();
    copy_all(hub, &copies, None).await?;
    rows::moved(&mut *hub.pool.acquire().await?, &copies).await
}
