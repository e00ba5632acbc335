//! Imports: of a build, of each of its RPMs, of a content generator's description and its archives.

use serde_json::{Value, json};
use toji_protocol::{
    id::{BuildId, RpmId, TaskId},
    method::{build::Build, rpm::RpmRef},
};

use super::{is_asked, is_wanted, undraft};
use crate::{
    Result, build,
    call::Cx,
    callback::{Callback, Happening, after, before, message::of_build},
    rpm,
};

/// What is imported as a whole.
#[derive(Clone, Debug)]
pub(crate) enum Imported<'a> {
    /// What a task has built.
    Build { task: TaskId, files: &'a Files },
    /// What a content generator has described.
    ContentGenerator { metadata: &'a Value, directory: &'a str },
    /// One of its archives.
    Archive { archive: Value, kind: &'a str },
}

/// A build's RPMs and logs, by their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    pub(crate) srpm: Option<String>,
    pub(crate) rpms: Vec<String>,
    /// Architecture and name.
    pub(crate) logs: Vec<(String, String)>,
}

impl Imported<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Build { .. } => "build",
            Self::ContentGenerator { .. } => "cg",
            Self::Archive { .. } => "archive",
        }
    }
}

/// Something is imported into a build.
///
/// # Errors
/// When a hook refuses.
pub(crate) async fn imported(cx: &mut Cx, build: BuildId, what: Imported<'_>) -> Result<()> {
    if !is_wanted(cx, Callback::Import) {
        return Ok(());
    }
    let info = build::get(cx.db().await?, build).await?;
    let happening = |asked: bool| -> Result<Happening> {
        let happening = of(&info, what.kind(), asked)?;
        match &what {
            Imported::Build { task, files } => {
                let mut logs = serde_json::Map::new();
                for (arch, name) in &files.logs {
                    let of_arch = logs.entry(arch.clone()).or_insert_with(|| json!([]));
                    if let Some(names) = of_arch.as_array_mut() {
                        names.push(name.as_str().into());
                    }
                }
                happening
                    .with("task_id", task)?
                    .with("build_id", info.id)?
                    .with("srpm", &files.srpm)?
                    .with("rpms", &files.rpms)?
                    .with("logs", logs)
            }
            Imported::ContentGenerator { metadata, directory } => {
                happening.with("metadata", metadata)?.with("directory", directory)
            }
            Imported::Archive { archive, kind } => happening.with("archive", archive)?.with("build_type", kind),
        }
    };
    if is_asked(cx, Callback::Import) {
        before(cx, &happening(true)?).await?;
    }
    after(cx, happening(false)?);
    Ok(())
}

/// RPMs have been imported into a build, with the signatures that they came with. To be called after their rows are written.
///
/// # Errors
/// When a hook refuses.
pub(crate) async fn rpms(cx: &mut Cx, build: BuildId, ids: &[RpmId]) -> Result<()> {
    if !is_wanted(cx, Callback::Import) && !is_wanted(cx, Callback::RpmSign) {
        return Ok(());
    }
    let info = build::get(cx.db().await?, build).await?;
    for id in ids {
        let Some(rpm) = rpm::find(cx.db().await?, &RpmRef::Id(*id)).await?.into_iter().next() else { continue };
        let happening = |asked: bool| -> Result<Happening> {
            let mut rpm = serde_json::to_value(&rpm).map_err(crate::Error::internal)?;
            let filepath = format!(
                "{}-{}-{}.{}.rpm",
                text(&rpm, "name"),
                text(&rpm, "version"),
                text(&rpm, "release"),
                text(&rpm, "arch")
            );
            if asked {
                still(&mut rpm);
            }
            of(&info, "rpm", asked)?.with("rpm", rpm)?.with("filepath", filepath)
        };
        if is_asked(cx, Callback::Import) {
            before(cx, &happening(true)?).await?;
        }
        after(cx, happening(false)?);
        for (sigkey, sighash) in rpm::signatures(cx.db().await?, *id).await? {
            super::rpm::imported(cx, &rpm, &info, &sigkey, &sighash).await?;
        }
    }
    Ok(())
}

fn text<'a>(rpm: &'a Value, member: &str) -> &'a str {
    rpm[member].as_str().unwrap_or_default()
}

/// An import into a build.
fn of(info: &Build, kind: &str, asked: bool) -> Result<Happening> {
    let mut build = serde_json::to_value(info).map_err(crate::Error::internal)?;
    if asked {
        still(&mut build);
    }
    let key = if asked { None } else { of_build(info.id) };
    let mut happening = Happening::new(Callback::Import, format!("import.{kind}"), key)
        .prop("importType", kind)
        .prop("name", info.name.as_str())
        .prop("version", info.version.as_str())
        .prop("release", info.release.as_str())
        .with("type", kind)?
        .with("build", build)?;
    if asked {
        undraft(&mut happening, "build");
    }
    Ok(happening)
}

/// Takes out what the import itself hands out or changes: what a hook is asked is the same when the import is run again.
pub(super) fn still(info: &mut Value) {
    const FRESH: [&str; 15] = [
        "package_id",
        "id",
        "build_id",
        "buildroot_id",
        "state",
        "creation_event_id",
        "creation_time",
        "creation_ts",
        "start_time",
        "start_ts",
        "completion_time",
        "completion_ts",
        "volume_id",
        "volume_name",
        "extra",
    ];
    if let Some(info) = info.as_object_mut() {
        for fresh in FRESH {
            info.shift_remove(fresh);
        }
    }
}
