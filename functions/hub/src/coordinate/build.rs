//! `build`: repo, source RPM, one child an architecture, import, tag.
//!
//! The stage is read off the children: `waitrepo`, `srpm`, one a task architecture, `tag`. The repo that was chosen stands in the
//! arguments of the first child that uses it, so nothing has to be remembered.

use chrono::{DateTime, Utc};
use futures::FutureExt;
use toji_protocol::{
    arch::{canonical, split_list},
    id::{BuildId, RepoId, TagId, TaskId},
    method::{Named, is_truthy, repo::Repo, target::BuildTarget},
    nvr::Nvr,
    state::{BuildState, RepoState, TaskState},
    task::{
        TaskMethod,
        build::{BuildOpts, BuildTask, LABEL_REPO, LABEL_SRPM, LABEL_TAG},
        build_arch::{BuildArchTask, Built, RootOpts},
        build_srpm_from_scm::BuildSrpmFromScmTask,
        rebuild_srpm::{RebuildSrpmTask, SrpmMade},
        tag_build::TagBuildTask,
        wait_repo::WaitRepoTask,
    },
    value::{Map, Value},
};
use toji_repodata::header::RpmHeader;

use super::{
    answer,
    arches::{SourceArches, choose, noarch_host},
    close, encoded, open, request,
};
use crate::{
    Error, Hub, Result, build,
    call::{Cx, act_as},
    error::FaultCode,
    import, package,
    policy::{self, Source},
    repo, tag, target,
    task::{NewTask, TaskRow, make, output, sql},
    upload, user,
};

/// Koji weighs a package by its complete builds of so many months.
const AVERAGE_MONTHS: i64 = 6;

/// What a step finds when it looks.
struct Job {
    row: TaskRow,
    /// As it was given.
    src: String,
    source: Source,
    opts: BuildOpts,
    target: Option<BuildTarget>,
    /// Where it goes; None = nowhere.
    dest: Option<TagId>,
    /// Where it would go were it no scratch build: what policies are told.
    named_dest: Option<TagId>,
    build_tag: TagId,
    build_tag_name: String,
    children: Vec<TaskRow>,
}

impl Job {
    /// Reads the task with its row locked, and opens it.
    async fn read(cx: &mut Cx, task: TaskId) -> Result<Self> {
        let row = open(cx, task).await?;
        let asked: BuildTask = request(&row)?;
        let opts = asked.opts.unwrap_or_default();
        let named = match &asked.target {
            Some(name) => target::find(cx.db().await?, &name.as_str().into(), None).await?,
            None => None,
        };
        let (build_tag, build_tag_name, dest) = match (&named, opts.repo_id) {
            (Some(target), _) => (target.build_tag, target.build_tag_name.clone(), Some(target.dest_tag)),
            (None, Some(id)) => {
                let repo = repo::sql::get(cx.db().await?, id).await?;
                let repo = repo.ok_or_else(|| Error::missing(format!("No such repo: {id}")))?;
                let dest = match &asked.target {
                    Some(tag) => Some(tag::require(cx.db().await?, &tag.as_str().into()).await?.0),
                    None => None,
                };
                (repo.tag_id, repo.tag_name, dest)
            }
            (None, None) => {
                let name = asked.target.unwrap_or_default();
                return Err(Error::missing(format!("No such target: '{name}'")));
            }
        };
        let named_dest = dest.filter(|_| !opts.skip_tag.unwrap_or(false));
        let is_scratch = opts.scratch.unwrap_or(false);
        let children = sql::children(cx.db().await?, task).await?;
        Ok(Self {
            source: Source::parse(&asked.src)?,
            src: asked.src,
            target: named,
            dest: named_dest.filter(|_| !is_scratch),
            named_dest,
            row,
            opts,
            build_tag,
            build_tag_name,
            children,
        })
    }

    fn is_scratch(&self) -> bool {
        self.opts.scratch.unwrap_or(false)
    }

    fn child(&self, label: &str) -> Option<&TaskRow> {
        self.children.iter().find(|child| child.label.as_deref() == Some(label))
    }

    /// A child's failure is the build's.
    fn check_children(&self) -> Result<()> {
        let failed = |child: &&TaskRow| matches!(child.state, TaskState::Failed | TaskState::Canceled);
        self.children.iter().find(failed).map_or(Ok(()), |child| answer::<Value>(child).map(|_| ()))
    }

    /// What each architecture's child answered.
    fn built(&self) -> Result<Vec<(TaskRow, Built)>> {
        self.arch_children().into_iter().map(|child| Ok((child.clone(), answer::<Built>(child)?))).collect()
    }

    fn arch_children(&self) -> Vec<&TaskRow> {
        self.children.iter().filter(|child| child.method == BuildArchTask::METHOD).collect()
    }

    /// The repo that an earlier step has chosen.
    fn chosen_repo(&self) -> Result<Option<RepoId>> {
        if let Some(child) = self.arch_children().first() {
            return Ok(Some(request::<BuildArchTask>(child)?.opts.repo_id));
        }
        match self.child(LABEL_SRPM) {
            Some(child) if child.method == RebuildSrpmTask::METHOD => {
                Ok(Some(request::<RebuildSrpmTask>(child)?.opts.repo_id))
            }
            Some(child) => Ok(Some(request::<BuildSrpmFromScmTask>(child)?.opts.repo_id)),
            None => Ok(None),
        }
    }

    fn root_opts(&self, repo_id: RepoId) -> RootOpts {
        RootOpts { repo_id, scratch: self.opts.scratch, others: Map::new() }
    }
}

pub(super) async fn step(hub: &Hub, task: TaskId, now: DateTime<Utc>) -> Result<()> {
    let mut cx = Cx::internal(hub, now).await?;
    let job = Job::read(&mut cx, task).await?;
    // a child that failed fails the build at once; Koji's builders are set so, too
    job.check_children()?;
    if job.children.iter().any(|child| !child.state.is_final()) {
        return cx.commit().await;
    }
    if job.child(LABEL_TAG).is_some() {
        close(&mut cx, &job.row, encoded(&())?).await?;
        return cx.commit().await;
    }
    if !job.arch_children().is_empty() {
        cx.commit().await?;
        return harvest(hub, &job, now).boxed().await;
    }
    if job.child(LABEL_SRPM).is_some() {
        cx.commit().await?;
        return build_arches(hub, job, now).boxed().await;
    }
    if job.children.is_empty() {
        allow(&mut cx, &job).await?;
    }
    // whole before a builder asks for it
    cx.commit().await?;
    if let Source::Srpm(path) = &job.source {
        upload::complete(hub, &upload::UploadPath::parse(path)?).await?;
    }
    let mut cx = Cx::internal(hub, now).await?;
    let job = Job::read(&mut cx, task).await?;
    if job.children.iter().any(|child| !child.state.is_final()) {
        return Ok(());
    }
    let Some(repo) = choose_repo(&mut cx, &job).await? else { return cx.commit().await };
    if needs_srpm_task(&mut cx, &job, &repo).await? {
        make_srpm(&mut cx, &job, &repo).await?;
        return cx.commit().await;
    }
    cx.commit().await?;
    build_arches_in(hub, job, repo.id, now).boxed().await
}

/// Asks the policies: what they say may have changed since the build was asked for, and a task can be made without asking.
async fn allow(cx: &mut Cx, job: &Job) -> Result<()> {
    act_as(cx, job.row.owner).await?;
    let asked = policy::BuildAsked {
        owner: job.row.owner,
        source: &job.src,
        task: Some(job.row.id),
        build_tag: job.build_tag,
        target: job.target.as_ref().map(|target| target.name.as_str()),
        dest: job.named_dest,
        opts: &job.opts,
    };
    policy::allow_build(cx, &asked).await
}

/// The repo to build in; None while a child waits for one.
async fn choose_repo(cx: &mut Cx, job: &Job) -> Result<Option<Repo>> {
    if let Some(id) = job.opts.repo_id {
        let found = repo::sql::get(cx.db().await?, id).await?;
        let found = found.ok_or_else(|| Error::missing(format!("No such repo: {id}")))?;
        if !matches!(found.state, RepoState::Ready | RepoState::Expired) {
            return Err(Error::invalid(format!("Bad repo: {id} is {}, neither ready nor expired", found.state)));
        }
        if job.target.as_ref().is_some_and(|target| target.build_tag != found.tag_id) {
            return Err(Error::invalid(format!(
                "Repo {id} is of tag {}, not of {}",
                found.tag_name, job.build_tag_name
            )));
        }
        return Ok(Some(found));
    }
    if let Some(child) = job.child(LABEL_REPO) {
        return Ok(Some(answer(child)?));
    }
    let nvrs = job.opts.wait_builds.clone().filter(|nvrs| !nvrs.is_empty());
    let asked =
        job.opts.wait_repo.unwrap_or(false).then(|| toji_protocol::method::repo::MinEvent::Last("last".to_owned()));
    let min_event = repo::min_event(cx, job.build_tag, asked.as_ref()).await?;
    if nvrs.is_none() {
        let wanted = repo::request::Wanted::Since(min_event);
        if let Some(found) = repo::request::find(cx.db().await?, job.build_tag, wanted, &Named::new()).await? {
            return Ok(Some(found));
        }
    }
    let wait = WaitRepoTask {
        tag: toji_protocol::id::Ref::Id(job.build_tag),
        newer_than: None,
        nvrs,
        min_event: Some(min_event),
    };
    make(cx, NewTask::child(&job.row, LABEL_REPO, WaitRepoTask::METHOD, wait.to_request()?)).await?;
    Ok(None)
}

/// Whether a builder is to make the source RPM: always from an SCM; of an uploaded one unless the tag says that it is used as it is.
async fn needs_srpm_task(cx: &mut Cx, job: &Job, repo: &Repo) -> Result<bool> {
    if matches!(job.source, Source::Scm(_)) {
        return Ok(true);
    }
    let quirks = cx.hub.config.quirks;
    let config = tag::build_config(cx.db().await?, quirks, job.build_tag, Some(repo.create_event)).await?;
    let by_tag = config.and_then(|config| config.tag.extra.get("rebuild_srpm").map(is_truthy)).unwrap_or(true);
    Ok(if job.is_scratch() { job.opts.rebuild_srpm.unwrap_or(by_tag) } else { by_tag })
}

async fn make_srpm(cx: &mut Cx, job: &Job, repo: &Repo) -> Result<()> {
    let (build_tag, opts) = (job.build_tag, job.root_opts(repo.id));
    let (method, request) = match &job.source {
        Source::Srpm(path) => {
            let task = RebuildSrpmTask { srpm: path.clone(), build_tag, opts };
            (RebuildSrpmTask::METHOD, task.to_request()?)
        }
        Source::Scm(url) => {
            let task = BuildSrpmFromScmTask { url: url.clone(), build_tag, opts };
            (BuildSrpmFromScmTask::METHOD, task.to_request()?)
        }
    };
    make(cx, NewTask::child(&job.row, LABEL_SRPM, method, request)).await?;
    Ok(())
}

async fn build_arches(hub: &Hub, job: Job, now: DateTime<Utc>) -> Result<()> {
    let repo = job.chosen_repo()?.ok_or_else(|| Error::internal(anyhow::anyhow!("a source RPM without a repo")))?;
    build_arches_in(hub, job, repo, now).await
}

/// The source RPM that is built: its path below `work/`, and what it is known to come from.
struct Srpm {
    path: String,
    key: String,
    size: i64,
    source: String,
    original_url: String,
}

async fn find_srpm(hub: &Hub, job: &Job) -> Result<Srpm> {
    let asked = match &job.source {
        Source::Srpm(path) => path.rsplit('/').next().unwrap_or(path).to_owned(),
        Source::Scm(url) => url.clone(),
    };
    let Some(child) = job.child(LABEL_SRPM) else {
        let Source::Srpm(path) = &job.source else {
            return Err(Error::internal(anyhow::anyhow!("an SCM build without a source RPM")));
        };
        let uploaded = upload::complete(hub, &upload::UploadPath::parse(path)?).await?;
        return Ok(Srpm {
            path: path.clone(),
            key: uploaded.key,
            size: uploaded.size,
            source: asked.clone(),
            original_url: asked,
        });
    };
    let made: SrpmMade = answer(child)?;
    let name = made.srpm.rsplit('/').next().unwrap_or_default();
    let files = output::files_of_attempt(&mut *hub.pool.acquire().await?, child.id, child.attempt).await?;
    let file = files.into_iter().find(|file| file.name == name).ok_or_else(|| {
        Error::Invalid(FaultCode::Build, format!("task {} names {}, but has not uploaded it", child.id, made.srpm))
    })?;
    let resolved = made.source.as_ref().and_then(|source| source.get("source")).and_then(Value::as_str);
    Ok(Srpm {
        path: made.srpm.clone(),
        key: file.key,
        size: file.size,
        source: resolved.map_or_else(|| asked.clone(), str::to_owned),
        original_url: asked,
    })
}

/// Reads the source RPM, begins the build, and makes a child an architecture.
async fn build_arches_in(hub: &Hub, job: Job, repo: RepoId, now: DateTime<Utc>) -> Result<()> {
    let srpm = find_srpm(hub, &job).await?;
    let header = import::read_header(hub, &srpm.key, srpm.size).await?;
    if !header.is_source {
        return Err(Error::Invalid(FaultCode::Build, format!("{} is no source RPM", srpm.path)));
    }

    let mut cx = Cx::internal(hub, now).await?;
    let task = job.row.id;
    let job = Job::read(&mut cx, task).await?;
    if !job.arch_children().is_empty() {
        return Ok(());
    }
    act_as(&mut cx, job.row.owner).await?;
    let repo = repo::sql::get(cx.db().await?, repo).await?;
    let repo = repo.ok_or_else(|| Error::missing("the repo is gone"))?;
    let package = package::find(cx.db().await?, &header.name.as_str().into()).await?;
    let extra_arches = check_package(&mut cx, &job, &header, package.as_ref().map(|(id, _)| *id)).await?;
    let quirks = cx.hub.config.quirks;
    let config = tag::build_config(cx.db().await?, quirks, job.build_tag, Some(repo.create_event)).await?;
    let config = config.ok_or_else(|| Error::missing(format!("No such tag: '{}'", job.build_tag_name)))?;
    let tag_arches = split_list(config.tag.arches.as_deref().unwrap_or_default());
    if tag_arches.is_empty() {
        return Err(Error::invalid(format!(
            "No arches for tag {}; set them with `toji edit-tag {} --arches …`",
            job.build_tag_name, job.build_tag_name
        )));
    }
    let source = SourceArches {
        build: header.build_archs.clone(),
        exclusive: header.exclusive_arch.clone(),
        exclude: header.exclude_arch.clone(),
    };
    let arch_override = job.opts.arch_override.as_deref().map(split_list);
    let chosen = choose(&tag_arches, &extra_arches, &source, arch_override.as_deref());
    if chosen.is_empty() {
        return Err(Error::Invalid(
            FaultCode::Build,
            format!(
                "No valid arches were found. tag {} builds {tag_arches:?}; BuildArch {:?}, ExclusiveArch {:?}, ExcludeArch {:?}",
                job.build_tag_name, source.build, source.exclusive, source.exclude
            ),
        ));
    }
    if !job.is_scratch() {
        let new = new_build(&job, &srpm, &header, now)?;
        let id = build::create(&mut cx, &new).await?;
        build::kinds::add(cx.db().await?, id, "rpm").await?;
    }
    let average = match package {
        Some((package, _)) => build::average_seconds(cx.db().await?, package, Some(AVERAGE_MONTHS), now).await?,
        None => None,
    };
    let noarch_arches = config.tag.extra.get("noarch_arches").and_then(Value::as_str).map(split_list);
    for (number, arch) in chosen.iter().enumerate() {
        let task_arch = if arch == "noarch" {
            noarch_host(&tag_arches, &source, noarch_arches.as_deref()).ok_or_else(|| {
                Error::Invalid(FaultCode::Build, "no arch of the tag may build this noarch package".to_owned())
            })?
        } else {
            canonical(arch).to_owned()
        };
        let request = BuildArchTask {
            pkg: srpm.path.clone(),
            root: job.build_tag,
            arch: arch.clone(),
            keep_srpm: number == 0,
            opts: job.root_opts(repo.id),
        };
        let new = NewTask {
            arch: task_arch,
            weight: Some(build::arch_weight(average)),
            ..NewTask::child(&job.row, arch, BuildArchTask::METHOD, request.to_request()?)
        };
        make(&mut cx, new).await?;
    }
    cx.commit().await
}

/// The package must be in the destination's list, and not blocked. Answers its extra architectures there.
async fn check_package(
    cx: &mut Cx,
    job: &Job,
    header: &RpmHeader,
    package: Option<toji_protocol::id::PackageId>,
) -> Result<Vec<String>> {
    let Some(dest) = job.dest else { return Ok(Vec::new()) };
    let refuse = |why: &str| {
        Error::Invalid(
            FaultCode::Build,
            format!(
                "package {} {why} for tag {}; see `toji add-pkg` and `toji unblock-pkg`",
                header.name,
                dest_name(job)
            ),
        )
    };
    let quirks = cx.hub.config.quirks;
    let listed = match package {
        Some(package) => package::config(cx.db().await?, quirks, dest, package, None).await?,
        None => None,
    };
    match listed {
        None => Err(refuse("not in list")),
        Some(listed) if listed.blocked => Err(refuse("is blocked")),
        Some(listed) => Ok(listed.extra_arches.as_deref().map(split_list).unwrap_or_default()),
    }
}

fn dest_name(job: &Job) -> String {
    job.target.as_ref().map_or_else(|| job.build_tag_name.clone(), |target| target.dest_tag_name.clone())
}

fn new_build(job: &Job, srpm: &Srpm, header: &RpmHeader, now: DateTime<Utc>) -> Result<build::NewBuild> {
    let mut extra = serde_json::json!({ "source": { "original_url": srpm.original_url } });
    let metadata = job.opts.custom_user_metadata.as_ref().filter(|metadata| is_truthy(metadata));
    if let Some(metadata) = metadata {
        extra["custom_user_metadata"] = serde_json::to_value(metadata).map_err(Error::internal)?;
    }
    let nvr = Nvr {
        name: header.name.clone(),
        version: header.version.clone(),
        release: header.release.clone(),
        epoch: None,
    };
    Ok(build::NewBuild {
        state: BuildState::Building,
        draft: job.opts.draft.unwrap_or(false),
        task: Some(job.row.id),
        source: Some(srpm.source.clone()),
        extra: Some(extra),
        ..build::NewBuild::empty(&nvr, header.epoch.map(i64::from), job.row.owner, now)
    })
}

/// All architectures are built: import, or keep as scratch; then tag.
async fn harvest(hub: &Hub, job: &Job, now: DateTime<Utc>) -> Result<()> {
    let built = job.built()?;
    let task = job.row.id;
    let mut cx = Cx::new(hub.clone(), now);
    let found = import::gather(&mut cx, &built).await?;
    let owner = user::name(cx.db().await?, job.row.owner).await?;
    let build = build::of_task(cx.db().await?, task).await?;
    cx.release();
    import::noarch::check(hub, task, job.row.attempt, &found, now).await?;
    if job.is_scratch() {
        import::keep_scratch(hub, &owner, task, &found).await?;
        return end(hub, task, None, now).await;
    }
    let build = build.ok_or_else(|| Error::internal(anyhow::anyhow!("task {task} has begun no build")))?;
    if build.state == BuildState::Building {
        import::run(hub, &job.row, &import::Home::of(&build), &found, now).await?;
    }
    end(hub, task, Some(build.id), now).await
}

/// Tags the build by a child, or ends the task.
async fn end(hub: &Hub, task: TaskId, build: Option<BuildId>, now: DateTime<Utc>) -> Result<()> {
    let mut cx = Cx::internal(hub, now).await?;
    let job = Job::read(&mut cx, task).await?;
    match (job.dest, build) {
        (Some(tag), Some(build_id)) => {
            let request =
                TagBuildTask { tag_id: Some(tag), build_id, force: false, fromtag: None, ignore_success: true };
            make(&mut cx, NewTask::child(&job.row, LABEL_TAG, TagBuildTask::METHOD, request.to_request()?)).await?;
        }
        _ => close(&mut cx, &job.row, encoded(&())?).await?,
    }
    cx.commit().await
}
