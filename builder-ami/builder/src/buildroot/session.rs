//! One task's buildroot, from the first question to the hub to the last file uploaded.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use toji_protocol::{
    arch::{canonical, split_list},
    id::{BuildrootId, RepoId, TagId},
    method::{external_repo::TagExternalRepo, repo::Repo, worker::InstalledRpm},
    mock_config::{environment, macros},
    state::{BuildrootState, RepoState},
    task::build::result_path,
    value::Map,
};
use tokio::task::JoinHandle;

use super::{Bind, Buildroot, Group, Plan, bwrap::Bwrap, guard::Guard, mock::Mock, origins::Origins, results};
use crate::{
    config::BuildrootKind,
    context::TaskContext,
    failure::{Doing, TaskError},
    hub::TaskHub,
    logs::{Shipper, Stages, pack, packed_dir},
    metadata,
    upload::{NamedFile, upload, upload_with_logs},
};

/// What a task wants of a buildroot.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// The build tag.
    pub tag: TagId,
    /// The repo that fills it.
    pub repo: RepoId,
    /// The architecture, or `noarch` for any that both the host and the tag have.
    pub arch: String,
    /// What it is filled with.
    pub group: Group,
    /// Whether what runs in it sees the network.
    pub network: bool,
    /// Folders of the machine that are seen inside.
    pub binds: Vec<Bind>,
}

/// What is left when a buildroot is done with. Paths are below `work/`.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    /// The files that were made.
    pub files: Vec<String>,
    /// The logs.
    pub logs: Vec<String>,
    /// The buildroot.
    pub brootid: BuildrootId,
}

/// A buildroot that the hub knows of, whose logs are being watched.
pub(crate) struct Session {
    hub: TaskHub,
    brootid: BuildrootId,
    root: Box<dyn Buildroot>,
    guard: Guard,
    stages: Arc<Stages>,
    shipper: Shipper,
    origins: OriginsOf,
    /// Tells the hub what is in the root, while the build goes on.
    recording: Mutex<Option<Recording>>,
}

impl Session {
    /// Decides what the buildroot is to be, makes it known to the hub, and begins to watch its logs.
    ///
    /// # Errors
    /// When the repo or the tag will not do, or the hub refuses.
    pub(crate) async fn open(ctx: &TaskContext, wish: &Wish) -> Result<Self, TaskError> {
        let logs = ctx.dir.join("logs");
        std::fs::create_dir_all(&logs).doing(|| "making the task's folder".to_owned())?;
        let stages = Arc::new(Stages::new(logs.join("state.log")));
        if wish.network {
            metadata::must_be_out_of_reach(&ctx.machine.config.ec2).await?;
        }
        let opening = stages.time("ask-hub", Self::prepare(ctx, wish));
        let (plan, externals, brootid) = opening.await?;
        let origins = OriginsOf { hub: ctx.hub.clone(), plan: plan.clone(), externals };
        let root = make(ctx, plan, Arc::clone(&stages));
        let shipper = ctx.ship(root.logs());
        let guard = Guard::new(ctx, root.logs());
        Ok(Self { hub: ctx.hub.clone(), brootid, root, guard, stages, shipper, origins, recording: Mutex::default() })
    }

    async fn prepare(ctx: &TaskContext, wish: &Wish) -> Result<(Plan, Vec<TagExternalRepo>, BuildrootId), TaskError> {
        let missing = |what: String| TaskError::Invalid(format!("the hub knows no {what}"));
        let repo = ctx.hub.repo(wish.repo).await?.ok_or_else(|| missing(format!("repo {}", wish.repo)))?;
        check_repo(&repo, wish)?;
        let (config, externals) = tokio::try_join!(
            ctx.hub.build_config(wish.tag, repo.create_event),
            ctx.hub.external_repos(wish.tag, repo.create_event),
        )?;
        let config = config.ok_or_else(|| missing(format!("tag {}", wish.tag)))?;
        let machine = ctx.machine.facts();
        let arch = choose_arch(&wish.arch, &machine.arches, config.tag.arches.as_deref(), &config.tag.name)?;
        let brootid = ctx.hub.new_buildroot(repo.id, canonical(&arch)).await?;
        let plan = plan(ctx, wish, &repo, config.tag.extra, arch, brootid, &machine.topurl);
        Ok((plan, externals, brootid))
    }

    /// Makes the buildroot and fills it.
    ///
    /// # Errors
    /// When it cannot be filled.
    pub(crate) async fn fill(&self) -> Result<(), TaskError> {
        let contents = self.guard.over(self.stages.time("buildroot", self.root.fill())).await?;
        let (hub, origins, brootid) = (self.hub.clone(), self.origins.clone(), self.brootid);
        let recording = tokio::spawn(async move {
            let contents = origins.note(contents).await?;
            hub.set_buildroot_list(brootid, contents).await?;
            Ok(hub.set_buildroot_state(brootid, BuildrootState::Building).await?)
        });
        *self.recording.lock().unwrap_or_else(PoisonError::into_inner) = Some(Recording(recording));
        Ok(())
    }

    /// Makes a source RPM anew.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) async fn rebuild_srpm(&self, srpm: &Path) -> Result<PathBuf, TaskError> {
        let made = self.guard.over(self.root.rebuild_srpm(srpm)).await?;
        results::check(std::slice::from_ref(&made))?;
        Ok(made)
    }

    /// Builds a source RPM.
    ///
    /// # Errors
    /// When it does not build.
    pub(crate) async fn build(&self, srpm: &Path, arch: &str) -> Result<Vec<PathBuf>, TaskError> {
        let made = self.guard.over(self.root.build(srpm, arch)).await?;
        results::check(&made)?;
        Ok(made)
    }

    /// Installs packages.
    ///
    /// # Errors
    /// When they cannot be installed.
    pub(crate) async fn install(&self, packages: &[String]) -> Result<(), TaskError> {
        self.guard.over(self.root.install(packages)).await
    }

    /// Runs a program as the root of the chroot. Answers its status.
    ///
    /// # Errors
    /// When it cannot be run, or runs too long.
    pub(crate) async fn run_as_root(&self, argv: &[&str], personality: bool) -> Result<i32, TaskError> {
        self.guard.over(self.root.run_as_root(argv, personality)).await
    }

    /// A failure of what ran in the chroot, named for what has caused it: too many processes, a full disk.
    pub(crate) fn named(&self, error: TaskError) -> TaskError {
        self.guard.named(error)
    }

    /// The chroot, seen from outside.
    pub(crate) fn root(&self) -> PathBuf {
        self.root.root()
    }

    /// Has what is in the chroot kept for a while when the task is over.
    pub(crate) fn keep(&self, ctx: &TaskContext) {
        // Who is asked for it later says that it is not there.
        if let Err(error) = ctx.machine.kept.note(&ctx.dir, self.brootid, self.root.remains()) {
            tracing::warn!(%error, "the chroot is not kept");
        }
    }

    /// Uploads files of a task that is about to fail.
    ///
    /// # Errors
    /// When that fails.
    pub(crate) async fn upload_early(&self, files: &[PathBuf]) -> Result<(), TaskError> {
        if files.is_empty() { Ok(()) } else { upload(&self.hub, &named(files)).await }
    }

    /// The folder that sources are checked out into, and the user that must own them.
    pub(crate) fn checkout_dir(&self) -> (PathBuf, u32) {
        (self.root.checkout_dir(), self.root.uid())
    }

    /// Runs a program in a folder of the checkout.
    ///
    /// # Errors
    /// When it fails.
    pub(crate) async fn run_in_checkout(&self, dir: &Path, argv: &[String]) -> Result<(), TaskError> {
        self.guard.over(self.stages.time("source-command", self.root.run_in_checkout(dir, argv))).await
    }

    /// Makes a source RPM of a checkout.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) async fn make_srpm(&self, spec: &Path, sources: &Path) -> Result<PathBuf, TaskError> {
        let made = self.guard.over(self.root.make_srpm(spec, sources)).await?;
        results::check(std::slice::from_ref(&made))?;
        Ok(made)
    }

    /// The task's stages.
    pub(crate) fn stages(&self) -> &Stages {
        &self.stages
    }

    /// Tells the hub what the buildroot held in the end, sends the last of the logs, and uploads them and what was made;
    /// the logs also when nothing was.
    ///
    /// # Errors
    /// The outcome's, or when something of this fails.
    pub(crate) async fn finish(
        self,
        ctx: &TaskContext,
        outcome: Result<Vec<PathBuf>, TaskError>,
    ) -> Result<Finished, TaskError> {
        let recorded = self.record_end().await;
        let failed_to_record = |error: &TaskError| tracing::warn!(%error, "the buildroot's contents were not recorded");
        if let Err(error) = &outcome {
            self.stages.line(&format!("failed: {error}"));
            // What has filled the disk is not kept there.
            if !error.is_stale() && !matches!(error, TaskError::NoSpace(_)) {
                self.keep(ctx);
            }
            recorded.as_ref().err().map(failed_to_record);
        }
        let made = match (&outcome, &recorded) {
            (Ok(made), Ok(())) => named(made),
            _ => Vec::new(),
        };
        // The last line of state.log must be in it before it is sent.
        self.stages.line("uploading");
        let mut logs = self.shipper.finish().await;
        // Not through links: what ran in the chroot may have laid one.
        let is_file = |path: &PathBuf| std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file());
        logs.extend(named(&self.root.records().into_iter().filter(is_file).collect::<Vec<_>>()));
        let packed = pack(logs.clone(), &packed_dir(ctx)).await;
        let (uploaded, expired) = tokio::join!(
            upload_with_logs(&self.hub, &made, &packed),
            self.hub.set_buildroot_state(self.brootid, BuildrootState::Expired)
        );
        // What the task itself came to is told first.
        outcome?;
        recorded?;
        uploaded?;
        expired?;
        let paths = |files: &[NamedFile]| files.iter().map(|file| result_path(ctx.task.id, &file.name)).collect();
        Ok(Finished { files: paths(&made), logs: paths(&logs), brootid: self.brootid })
    }

    /// Records what is in the root at the end. Nothing, when it was never filled.
    async fn record_end(&self) -> Result<(), TaskError> {
        let recording = self.recording.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(recording) = recording else { return Ok(()) };
        let contents = self.root.contents().await?;
        recording.ended().await?;
        let contents = self.origins.note(contents).await?;
        Ok(self.hub.update_buildroot_list(self.brootid, contents).await?)
    }
}

/// Stops with the task.
struct Recording(JoinHandle<Result<(), TaskError>>);

impl Recording {
    async fn ended(mut self) -> Result<(), TaskError> {
        (&mut self.0).await.map_err(std::io::Error::other).doing(|| "recording the buildroot".to_owned())?
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Tells where packages come from.
#[derive(Clone)]
struct OriginsOf {
    hub: TaskHub,
    plan: Plan,
    externals: Vec<TagExternalRepo>,
}

impl OriginsOf {
    async fn note(&self, mut rpms: Vec<InstalledRpm>) -> Result<Vec<InstalledRpm>, TaskError> {
        let arch = canonical(&self.plan.arch);
        let origins = Origins::load(self.hub.client(), &self.plan.baseurl, &self.externals, arch).await?;
        origins.note(&mut rpms)?;
        Ok(rpms)
    }
}

fn make(ctx: &TaskContext, plan: Plan, stages: Arc<Stages>) -> Box<dyn Buildroot> {
    let machine = &ctx.machine;
    match machine.config.buildroot {
        BuildrootKind::Bwrap => {
            let (cache, host_name) = (Arc::clone(&machine.roots), machine.config.name.clone());
            Box::new(Bwrap::new(plan, ctx.dir.clone(), ctx.scope.clone(), host_name, cache, stages))
        }
        BuildrootKind::Mock => Box::new(Mock::new(plan, ctx.dir.clone(), ctx.scope.clone(), &machine.config, stages)),
    }
}

fn plan(
    ctx: &TaskContext,
    wish: &Wish,
    repo: &Repo,
    extra: Map,
    arch: String,
    brootid: BuildrootId,
    topurl: &str,
) -> Plan {
    let config = &ctx.machine.config;
    Plan {
        name: format!("{}-{brootid}-{}", repo.tag_name, repo.id),
        repo_id: repo.id,
        baseurl: format!("{topurl}/repos/{}/{}/{}", repo.tag_name, repo.id, canonical(&arch)),
        repo_made: format!("{} {}", repo.create_event, repo.creation_time),
        macros: macros(&config.makers(), &extra, &arch),
        env: environment(&extra),
        arch,
        group: wish.group,
        network: wish.network,
        extra,
        timeout: config.build_timeout,
        binds: wish.binds.clone(),
    }
}

fn check_repo(repo: &Repo, wish: &Wish) -> Result<(), TaskError> {
    if !matches!(repo.state, RepoState::Ready | RepoState::Expired) {
        let problem = format!("repo {} of {} is {}: it cannot fill a buildroot", repo.id, repo.tag_name, repo.state);
        return Err(TaskError::Invalid(problem));
    }
    if repo.tag_id != wish.tag {
        let problem = format!("repo {} belongs to {}, not to the build tag {}", repo.id, repo.tag_name, wish.tag);
        return Err(TaskError::Invalid(problem));
    }
    Ok(())
}

/// The architecture itself; for `noarch`, the first of the tag's that this host has.
fn choose_arch(wanted: &str, host: &[String], tag: Option<&str>, tag_name: &str) -> Result<String, TaskError> {
    if wanted != "noarch" {
        return Ok(wanted.to_owned());
    }
    let tag = split_list(tag.unwrap_or_default());
    let fits = |arch: &&String| host.iter().any(|own| canonical(own) == canonical(arch));
    tag.iter().find(fits).cloned().ok_or_else(|| {
        let (tag, host) = (tag.join(" "), host.join(" "));
        TaskError::Invalid(format!("this host builds {host}, but the tag {tag_name} has the arches: {tag}"))
    })
}

fn named(paths: &[PathBuf]) -> Vec<NamedFile> {
    let named = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?.to_owned();
        Some(NamedFile { path: path.clone(), name })
    };
    paths.iter().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arches_are_chosen() {
        let host = ["x86_64".to_owned(), "i386".to_owned()];
        let choose = |wanted, tag| choose_arch(wanted, &host, tag, "t").ok();
        assert_eq!(choose("s390x", None).as_deref(), Some("s390x"));
        assert_eq!(choose("noarch", Some("aarch64 i686 x86_64")).as_deref(), Some("i686"));
        assert_eq!(choose("noarch", Some("aarch64")), None);
        assert_eq!(choose("noarch", None), None);
    }
}
