//! What a description must agree with, before anything is changed: the rights, the reservation, the files.

use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use serde_json::{Map, Value as Json};
use toji_protocol::{
    id::{ArchiveTypeId, BuildId, ContentGeneratorId, Ref, TaskId, UserId},
    method::build::{Build, BuildRef},
    nvr::Nvra,
    object_key,
    state::BuildState,
};

use super::{
    assert_access,
    components::{self, Found},
    digest::{Digests, Sum},
    metadata::{LEGACY, Metadata, Output, by_number},
    require, reserve,
};
use crate::{
    Error, Result, archive,
    build::{self, kinds},
    call::Cx,
    import::{Home, Incoming},
    task::{self, output::TaskOutput},
    upload::{self, UploadPath},
    user,
};

/// Files that are read at once.
const AT_ONCE: usize = 4;

/// All that is known once a description has been found good.
pub(super) struct Checked {
    pub(super) cg: ContentGeneratorId,
    /// The build that was reserved for it.
    pub(super) reserved: Option<Build>,
    pub(super) owner: UserId,
    pub(super) task: Option<TaskId>,
    pub(super) typeinfo: Map<String, Json>,
    /// What was found in each buildroot.
    pub(super) roots: Vec<Found>,
    pub(super) files: Vec<File>,
}

/// A file that was made.
pub(super) struct File {
    /// Its place in the description.
    pub(super) output: usize,
    /// Its buildroot's place in the description.
    pub(super) root: usize,
    /// The upload; None when only its facts are kept.
    pub(super) file: Option<TaskOutput>,
    pub(super) what: What,
}

/// What a file is.
pub(super) enum What {
    Rpm(Box<Incoming>),
    /// Its path below the logs.
    Log(String),
    Archive {
        btype: String,
        kind: ArchiveTypeId,
        sum: Sum,
        parts: Found,
    },
}

impl File {
    /// Where it is to lie; None when only its facts are kept.
    pub(super) fn key(&self, home: &Home, metadata: &Metadata) -> Option<String> {
        let file = self.file.as_ref()?;
        Some(match &self.what {
            What::Rpm(rpm) => rpm.key(home),
            What::Log(path) => format!("{}{path}", object_key::build_logs(&home.nvr)),
            What::Archive { btype, .. } => {
                let subdir = metadata.output[self.output].subdir.as_deref().unwrap_or_default();
                object_key::archive(&home.nvr, btype, subdir, &file.name)
            }
        })
    }
}

/// Checks all of a description. Files are read outside of any transaction.
///
/// # Errors
/// With what is wrong first.
pub(super) async fn check(cx: &mut Cx, metadata: &Metadata, folder: &str, token: Option<&str>) -> Result<Checked> {
    let cg = access(cx, metadata).await?;
    let reserved = reservation(cx, metadata, cg, token).await?;
    let owner = match &metadata.build.owner {
        Some(owner) => user::require(cx.db().await?, &owner.as_str().into()).await?.id,
        None => cx.caller.user()?.id,
    };
    let task = match metadata.build.task()? {
        Some(task) => Some(task::require(cx, TaskId(task)).await?.id),
        None => None,
    };
    let typeinfo = metadata.build.typeinfo()?;
    for kind in typeinfo.keys() {
        kinds::require(cx.db().await?, kind).await?;
        if LEGACY.contains(&kind.as_str()) {
            return Err(Error::invalid(format!("{kind} support not enabled: give archives a btype of your own")));
        }
    }
    let places = by_number(metadata)?;
    let lists: Vec<&[_]> = metadata.buildroots.iter().map(|root| root.components.as_slice()).collect();
    let roots = components::find(cx.db().await?, &lists).await?;
    let lists: Vec<&[_]> = metadata.output.iter().map(|out| out.components.as_deref().unwrap_or_default()).collect();
    let mut parts = components::find(cx.db().await?, &lists).await?;
    let file_kinds = archive::kind::all(cx.db().await?).await?;

    cx.release();
    let found: Vec<Option<(TaskOutput, Digests)>> = uploads(cx, metadata, folder).await?;
    let mut files = Vec::with_capacity(found.len());
    for (place, (output, found)) in metadata.output.iter().zip(found).enumerate() {
        let root = places
            .get(&output.buildroot_id.to_string())
            .copied()
            .ok_or_else(|| Error::invalid(format!("Missing buildroot metadata for id {}", output.buildroot_id)))?;
        let file = found.map(|(file, _)| file);
        let what = match output.kind.as_str() {
            "rpm" => What::Rpm(Box::new(rpm(cx, output, file.as_ref()).await?)),
            "log" => What::Log(below(output)?),
            _ => {
                if metadata.build.draft {
                    return Err(Error::invalid("draft builds have RPMs and logs only: archives are not supported"));
                }
                below(output)?;
                let btype = output.btype()?.to_owned();
                if !typeinfo.contains_key(&btype) {
                    return Err(Error::invalid(format!("Output type {btype} not listed in build types")));
                }
                let kind = archive::kind::of_file(&file_kinds, &output.filename);
                let kind =
                    kind.ok_or_else(|| Error::invalid(format!("unsupported file extension: {}", output.filename)))?;
                let parts = std::mem::take(&mut parts[place]);
                What::Archive { btype, kind: kind.id, sum: Sum::parse(&output.checksum_type)?, parts }
            }
        };
        files.push(File { output: place, root, file, what });
    }
    Ok(Checked { cg, reserved, owner, task, typeinfo, roots, files })
}

/// The one content generator that all buildroots name, and that the caller may act for.
async fn access(cx: &mut Cx, metadata: &Metadata) -> Result<ContentGeneratorId> {
    let mut names: Vec<&str> = metadata.buildroots.iter().map(|root| root.content_generator.name.as_str()).collect();
    names.dedup();
    match names[..] {
        [] => Err(Error::invalid("the metadata names no buildroot, and so no content generator")),
        [name] => assert_access(cx, &Ref::Name(name.to_owned())).await,
        _ => {
            for name in names {
                require(cx.db().await?, &Ref::Name(name.to_owned())).await?;
            }
            Err(Error::invalid("there can be only one content generator per import"))
        }
    }
}

/// The build that was reserved, if it was; otherwise the name must be free.
pub(super) async fn reservation(
    cx: &mut Cx,
    metadata: &Metadata,
    cg: ContentGeneratorId,
    token: Option<&str>,
) -> Result<Option<Build>> {
    let said = &metadata.build;
    let conn = cx.db().await?;
    let Some(id) = said.build_id.filter(|id| *id != 0).map(BuildId) else {
        if token.is_some() {
            return Err(Error::invalid("Reservation token given, but no build_id in metadata"));
        }
        if let Some(taken) = build::find(conn, &BuildRef::Nvr(said.nvr().to_string())).await? {
            let taken = build::get(conn, taken).await?;
            if !matches!(taken.state, BuildState::Canceled | BuildState::Failed) {
                return Err(Error::invalid(format!("Build already exists: {} (id={})", taken.nvr, taken.id)));
            }
        }
        return Ok(None);
    };
    let kept = build::get(conn, id).await?;
    reserve::check_token(conn, id, token).await?;
    let refuse = |why: String| Err(Error::invalid(why));
    if kept.cg_id != Some(cg) {
        return refuse(format!("Build ID {id} is not reserved by this CG"));
    }
    if let Some(task) = kept.task_id
        && said.task()? != Some(task.0)
    {
        return refuse(format!("Build is owned by task {task}"));
    }
    if kept.state != BuildState::Building {
        return refuse(format!("Build ID {id} is not in BUILDING state"));
    }
    if kept.draft != said.draft {
        return refuse(format!("Draft field does not match reservation (build id = {id})"));
    }
    if Home::of(&kept).source != said.nvr() {
        return refuse(format!("Build ({id}) NVR is different"));
    }
    if said.epoch.is_some_and(|epoch| epoch != kept.epoch) {
        return refuse(format!("Build ({id}) epoch is different"));
    }
    Ok(Some(kept))
}

/// A file being looked at.
type Read<'a> = BoxFuture<'a, Result<Option<(TaskOutput, Digests)>>>;

/// Finds the files and checks their sizes and digests; None for one that only facts are kept of.
async fn uploads(cx: &mut Cx, metadata: &Metadata, folder: &str) -> Result<Vec<Option<(TaskOutput, Digests)>>> {
    let cx = &*cx;
    let read = |output| upload(cx, output, folder).boxed();
    // collected first: a stream of borrowing closures is not Send
    let reads: Vec<Read<'_>> = metadata.output.iter().map(read).collect();
    stream::iter(reads).buffered(AT_ONCE).try_collect().await
}

async fn upload(cx: &Cx, output: &Output, folder: &str) -> Result<Option<(TaskOutput, Digests)>> {
    let name = &output.filename;
    let sum = Sum::parse(&output.checksum_type)?;
    if output.metadata_only {
        return Ok(None);
    }
    let folder = match output.relpath.as_deref().filter(|path| !path.is_empty()) {
        Some(path) => format!("{}/{}", folder.trim_end_matches('/'), path.trim_matches('/')),
        None => folder.to_owned(),
    };
    let object = upload::complete(&cx.hub, &UploadPath::join(&folder, name)?).await?;
    if object.size != output.filesize {
        return Err(Error::invalid(format!(
            "File size {} for {name} (expected {}) doesn't match. Corrupted upload?",
            object.size, output.filesize
        )));
    }
    let digests = Digests::of(&cx.hub, &object).await?;
    if digests.get(sum) != output.checksum {
        return Err(Error::invalid(format!(
            "File checksum mismatch for {name}: {} != {}",
            output.checksum,
            digests.get(sum)
        )));
    }
    let sha256 = digests.sha256.clone();
    Ok(Some((
        TaskOutput { name: name.clone(), size: object.size, unpacked: None, sha256, time: cx.now, key: object.key },
        digests,
    )))
}

async fn rpm(cx: &Cx, output: &Output, file: Option<&TaskOutput>) -> Result<Incoming> {
    let file = file.ok_or_else(|| Error::invalid("Metadata-only imports are not supported for rpms"))?;
    if output.subdir.as_deref().is_some_and(|subdir| !subdir.is_empty()) {
        return Err(Error::invalid("subdir field not allowed for rpm outputs"));
    }
    Nvra::parse(&output.filename).map_err(|error| Error::invalid(error.to_string()))?;
    let mut rpm = Incoming::read(&cx.hub, file, None).await?;
    rpm.extra = output.extra.clone().map(Json::Object);
    Ok(rpm)
}

/// A file's path below its place in the build's folder.
fn below(output: &Output) -> Result<String> {
    let name = &output.filename;
    let path = match output.subdir.as_deref().filter(|subdir| !subdir.is_empty()) {
        Some(subdir) => format!("{subdir}/{name}"),
        None => name.clone(),
    };
    if path.split('/').any(|segment| segment.is_empty() || segment.starts_with('.')) {
        return Err(Error::invalid(format!("'{path}' is no path: no part of it may be empty or begin with a dot")));
    }
    Ok(path)
}
