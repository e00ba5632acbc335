//! `CGImport`: from a description and uploaded files to a complete build.
//!
//! All is checked first; then the build is begun, or the reserved one taken, and its files leased; then files are copied; then one
//! commit notes everything. What fails leaves the name as it was.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use toji_protocol::{
    id::BuildId,
    method::{
        build::{Build, BuildRef},
        content_generator::CgImport,
    },
    object_key,
    state::BuildState,
    time::Time,
    value::{Map, Value},
};

use super::{
    check::{Checked, What, check, reservation},
    metadata::{self, Metadata},
    rows,
};
use crate::{
    Error, Result,
    build::{self, NewBuild, files, files::Lease},
    call::{Cx, Handle},
    callback::tell::Imported,
    import::{Copy, Home, Incoming, copy_all, join::check_names, keep_signatures},
    policy, volume,
};

impl Handle for CgImport {
    async fn handle(self, cx: &mut Cx) -> Result<Build> {
        cx.release();
        let (metadata, text) = metadata::read(&cx.hub, &self.metadata, &self.directory).await?;
        let token = self.token.as_deref().filter(|token| !token.is_empty());
        let checked = Box::pin(check(cx, &metadata, &self.directory, token)).await?;
        ask_policy(cx, &metadata, &checked).await?;
        let volume = choose_volume(cx, &metadata, &checked).await?;
        let begun = begin(cx, &metadata, &checked, token).await?;
        // a description that was read is JSON
        let told: Json = serde_json::from_str(&text).map_err(Error::internal)?;
        let told = Imported::ContentGenerator { metadata: &told, directory: &self.directory };
        let hub = cx.hub.clone();
        let (build, nvr, lease, left) = (begun.home.build, begun.home.nvr.clone(), begun.lease, begun.left);

        let copied = copy(cx, &metadata, &checked, &begun.home, volume.as_ref().map(|volume| volume.id), text).await;
        let (done, is_known) = match copied {
            Ok(()) => {
                let noted = rows::note(cx, &metadata, checked, begun, volume.map(|volume| volume.id), told).await;
                let is_known =
                    noted.as_ref().err().is_none_or(|error| error.is_rule() || matches!(error, Error::Deadlock(_)));
                (noted, is_known)
            }
            failed => (failed, true),
        };
        match done {
            Ok(()) => build::get(cx.db().await?, build).await,
            // it may have been committed: the sweep pass sees
            Err(error) if !is_known => Err(error),
            Err(error) => {
                match left {
                    Left::Nothing => files::forget(&hub, build, &nvr, lease).await,
                    Left::Reserved => lease.empty(&hub, &nvr).await,
                    Left::Failed => {
                        let mut tx = cx.transaction().await?.unasked();
                        build::end(&mut tx, build, BuildState::Failed).await?;
                        tx.commit().await?;
                        lease.empty(&hub, &nvr).await;
                    }
                }
                Err(error)
            }
        }
    }
}

/// What is to be left when the import fails.
#[derive(Clone, Copy)]
pub(super) enum Left {
    /// There was no such build before.
    Nothing,
    /// It was reserved, and stays so.
    Reserved,
    /// It had failed before.
    Failed,
}

/// A build that is being imported.
pub(super) struct Begun {
    pub(super) home: Home,
    pub(super) lease: Lease,
    pub(super) left: Left,
}

fn facts(metadata: &Metadata) -> Map {
    let said = &metadata.build;
    let mut data = Map::new();
    data.insert("package", said.name.clone());
    data.insert("version", said.version.clone());
    data.insert("release", said.release.clone());
    data.insert("source", said.source.clone());
    let cg = metadata.buildroots.first().map(|root| Value::from(root.content_generator.name.as_str()));
    data.insert("cg_list", cg.into_iter().collect::<Vec<_>>());
    data
}

async fn ask_policy(cx: &mut Cx, metadata: &Metadata, checked: &Checked) -> Result<()> {
    let mut data = facts(metadata);
    data.insert("btypes", checked.typeinfo.keys().map(|kind| Value::from(kind.as_str())).collect::<Vec<_>>());
    data.insert("draft", metadata.build.draft);
    data.insert("metadata_only", metadata.output.iter().any(|output| output.metadata_only));
    data.insert("user_id", cx.caller.user()?.id.0);
    policy::assert(cx, "cg_import", data, false).await
}

async fn choose_volume(
    cx: &mut Cx,
    metadata: &Metadata,
    checked: &Checked,
) -> Result<Option<toji_protocol::method::volume::Volume>> {
    let mut data = facts(metadata);
    data.insert("import", true);
    data.insert("import_type", "cg");
    volume::choose(cx, data, checked.task, false).await
}

/// Begins the build, or takes the one that was reserved, in one transaction.
async fn begin(cx: &mut Cx, metadata: &Metadata, checked: &Checked, token: Option<&str>) -> Result<Begun> {
    let said = &metadata.build;
    let mut tx = cx.transaction().await?;
    let names = checked.files.iter().filter_map(|file| match &file.what {
        What::Rpm(rpm) if !said.draft => Some(&rpm.nvra),
        _ => None,
    });
    check_names(&mut tx, &names.collect::<Vec<_>>()).await?;
    let (id, left) = match &checked.reserved {
        Some(kept) => {
            // again, with its row held: somebody may have used the token meanwhile
            build::hold(tx.db().await?, kept.id).await?;
            reservation(&mut tx, metadata, checked.cg, token).await?;
            (kept.id, Left::Reserved)
        }
        None => {
            let taken = build::find(tx.db().await?, &BuildRef::Nvr(said.nvr().to_string())).await?;
            let new = NewBuild {
                draft: said.draft,
                state: BuildState::Building,
                task: checked.task,
                source: said.source.clone(),
                extra: Some(extra(metadata, checked)),
                cg: Some(checked.cg),
                start: time(said.start_time)?,
                ..NewBuild::empty(&said.nvr(), said.epoch.flatten(), checked.owner, tx.now)
            };
            let left = if taken.is_some() { Left::Failed } else { Left::Nothing };
            (build::create(&mut tx, &new).await?, left)
        }
    };
    let home = Home::of(&build::get(tx.db().await?, id).await?);
    for file in &checked.files {
        if let What::Rpm(rpm) = &file.what {
            rpm.check_source(&home)?;
        }
    }
    let now = tx.now;
    let lease = files::lease(tx.db().await?, id, None, now).await?;
    tx.commit().await?;
    Ok(Begun { home, lease, left })
}

/// A build's further facts, with what is said of each kind of content in one place.
pub(super) fn extra(metadata: &Metadata, checked: &Checked) -> Json {
    let mut extra = metadata.build.extra.clone().unwrap_or_default();
    extra.insert("typeinfo".to_owned(), Json::Object(checked.typeinfo.clone()));
    Json::Object(extra)
}

/// A time of the description.
pub(super) fn time(seconds: f64) -> Result<DateTime<Utc>> {
    let time = Time::from_ts(seconds).map(|time| time.0);
    time.ok_or_else(|| Error::parameter("start_time and end_time must be seconds since 1970"))
}

async fn copy(
    cx: &mut Cx,
    metadata: &Metadata,
    checked: &Checked,
    home: &Home,
    volume: Option<toji_protocol::id::VolumeId>,
    text: String,
) -> Result<()> {
    let class = match volume {
        Some(volume) => volume::storage_class(cx.db().await?, volume).await?,
        None => None,
    };
    cx.release();
    let mut copies: Vec<Copy> = Vec::new();
    for file in &checked.files {
        let (Some(upload), Some(key)) = (&file.file, file.key(home, metadata)) else { continue };
        if copies.iter().any(|copy| copy.to == key) {
            return Err(Error::invalid(format!("two files of the description are {}", upload.name)));
        }
        copies.push(Copy::new(None, upload, key));
    }
    copy_all(&cx.hub, &copies, class.as_deref()).await?;
    let mut rpms: Vec<&Incoming> = Vec::new();
    for file in &checked.files {
        if let What::Rpm(rpm) = &file.what {
            rpms.push(rpm);
        }
    }
    keep_signatures(&cx.hub, home, rpms).await?;
    let key = format!("{}/metadata.json", object_key::build_dir(&home.nvr));
    Ok(cx.hub.store.put(&key, text, "application/json").await?)
}

/// The build that was being imported is not BUILDING any more.
pub(super) fn gone(build: BuildId) -> Error {
    Error::conflict(format!("build {build} is no longer being imported"))
}
