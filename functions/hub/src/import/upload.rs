//! `importRPM`: an uploaded RPM becomes part of a build, and a source RPM a build.

use toji_protocol::{
    id::ExternalRepoId,
    method::{
        build::Build,
        import::{ImportRpm, ImportedRpm},
    },
    nvr::{Nvr, Nvra},
    state::BuildState,
};

use super::{
    Copy, Home, Incoming,
    join::{Joining, check_names, join},
};
use crate::{
    Error, Result,
    build::{self, NewBuild, files},
    call::{Cx, Handle},
    task::output::TaskOutput,
    upload::{self, UploadPath},
};

impl Handle for ImportRpm {
    async fn handle(self, cx: &mut Cx) -> Result<ImportedRpm> {
        let path = UploadPath::join(&self.path, &self.basename)?;
        let rpm = read(cx, &path, &self.basename).await?;
        let (joining, build) = begin(cx, rpm).await?;
        let header = joining.rpms[0].header.clone();
        let (nvra, file) = (joining.rpms[0].nvra.clone(), joining.rpms[0].file.clone());
        let ids = join(cx, joining).await?;
        let id = ids.first().copied().ok_or_else(|| Error::internal(anyhow::anyhow!("no RPM was noted")))?;
        // as it has become with it
        let build = build::get(cx.db().await?, build).await?;
        Ok(ImportedRpm {
            name: nvra.nvr.name,
            version: nvra.nvr.version,
            release: nvra.nvr.release,
            epoch: header.epoch.map(i64::from),
            sourcepackage: header.is_source.then_some(1),
            arch: nvra.arch,
            buildtime: header.buildtime as i64,
            sourcerpm: header.sourcerpm.clone(),
            draft: false,
            id,
            build_id: build.id,
            size: file.size,
            payloadhash: header.sigmd5.clone().unwrap_or_default(),
            buildroot_id: None,
            external_repo_id: ExternalRepoId(0),
            build,
            brootid: None,
        })
    }
}

/// The RPM, with the digest that repositories will give for it: nobody has told one, so the file is read once.
async fn read(cx: &mut Cx, path: &UploadPath, name: &str) -> Result<Incoming> {
    cx.release();
    let object = upload::complete(&cx.hub, path).await?;
    let sha256 = upload::sha256(&cx.hub, &object).await?;
    let file =
        TaskOutput { name: name.to_owned(), size: object.size, unpacked: None, sha256, time: cx.now, key: object.key };
    Incoming::read(&cx.hub, &file, None).await
}

/// Finds or begins the build that it belongs to, and takes the right to touch its files.
async fn begin(cx: &mut Cx, rpm: Incoming) -> Result<(Joining, toji_protocol::id::BuildId)> {
    let mut tx = cx.transaction().await?;
    let nvr = match &rpm.header.sourcerpm {
        _ if rpm.header.is_source => rpm.nvra.nvr.clone(),
        Some(source) => Nvra::parse(source).map_err(|error| Error::invalid(error.to_string()))?.nvr,
        None => return Err(Error::invalid(format!("{} does not say which source RPM it is of", rpm.nvra))),
    };
    check_names(&mut tx, &[&rpm.nvra]).await?;
    let found = match build::find(tx.db().await?, &toji_protocol::method::build::BuildRef::Nvr(nvr.to_string())).await?
    {
        Some(id) => Some(build::get(tx.db().await?, id).await?),
        None => None,
    };
    let is_new = found.is_none();
    let id = match found {
        Some(build) => {
            check_state(&build)?;
            build.id
        }
        None if rpm.header.is_source => new_build(&mut tx, &nvr, &rpm).await?,
        None => return Err(Error::missing(format!("No such build: '{nvr}'; import its source RPM first"))),
    };
    let now = tx.now;
    let lease = files::lease(tx.db().await?, id, None, now).await?;
    let home = Home::of(&build::get(tx.db().await?, id).await?);
    rpm.check_source(&home)?;
    tx.commit().await?;
    let copies = vec![Copy::new(None, &rpm.file, rpm.key(&home))];
    Ok((Joining { home, lease, is_new, rpms: vec![rpm], copies }, id))
}

fn check_state(build: &Build) -> Result<()> {
    match (build.state, build.task_id) {
        (BuildState::Complete, _) => Ok(()),
        (BuildState::Building, Some(task)) => {
            Err(Error::invalid(format!("Build is BUILDING: {}; wait for task {task} to end", build.nvr)))
        }
        (state, _) => Err(Error::invalid(format!("Build is {state}: {}", build.nvr))),
    }
}

async fn new_build(cx: &mut Cx, nvr: &Nvr, rpm: &Incoming) -> Result<toji_protocol::id::BuildId> {
    let owner = cx.caller.user()?.id;
    let epoch = rpm.header.epoch.map(i64::from);
    let new = NewBuild { state: BuildState::Building, ..NewBuild::empty(nvr, epoch, owner, cx.now) };
    build::create(cx, &new).await
}
