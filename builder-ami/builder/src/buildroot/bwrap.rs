//! Buildroots without mock: `dnf --installroot` fills them, bubblewrap keeps builds inside.
//!
//! ```text
//! work/roots/<key>/root                a filled root, never changed again
//! work/tasks/<id>-<attempt>/root       that root under an overlay (or a copy, where there is no overlayfs)
//!                          /in         what is to be built, read-only inside at /builddir/originals
//!                          /checkout   sources, inside at /builddir/checkout
//!                          /result     RPMS and SRPMS, inside below /builddir/build
//!                          /tmp         inside at /tmp
//!                          /logs       state.log, root.log, build.log, …
//! ```
//!
//! What a build writes leaves it only through `result`, a mount that it can neither move nor replace.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use toji_protocol::method::worker::InstalledRpm;

use super::{Buildroot, Plan, Remains, contents, files_ending, only_srpm};
use crate::{
    failure::{Doing, TaskError, with_last_words},
    logs::{Source, Stages},
    mounts,
    process::{Command, Ended, Scope, kill_all},
    srpm,
};

mod cache;
mod dnf;
mod sandbox;

use cache::Pristine;
pub(crate) use cache::RootCache;
use dnf::Dnf;
use sandbox::Sandbox;

/// The user that builds.
const UID: u32 = 1000;
/// rpmbuild's status when a spec has come up with more build requirements.
const MORE_REQUIREMENTS: i32 = 11;
/// A spec that comes up with more and more of them is broken.
const ROUNDS: usize = 10;
const TOPDIR: &str = "/builddir/build";

/// A buildroot made by dnf and bubblewrap.
pub(super) struct Bwrap {
    plan: Plan,
    dir: PathBuf,
    scope: Scope,
    host_name: String,
    cache: Arc<RootCache>,
    stages: Arc<Stages>,
    /// Holds the root below the overlay for as long as it is in use.
    pristine: std::sync::Mutex<Option<Arc<Pristine>>>,
}

impl Bwrap {
    pub(super) fn new(
        plan: Plan,
        dir: PathBuf,
        scope: Scope,
        host_name: String,
        cache: Arc<RootCache>,
        stages: Arc<Stages>,
    ) -> Self {
        Self { plan, dir, scope, host_name, cache, stages, pristine: std::sync::Mutex::default() }
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.join("logs").join(name)
    }

    fn dnf(&self) -> Dnf<'_> {
        Dnf { plan: &self.plan, home: self.dir.join("home"), log: self.log("root.log"), scope: &self.scope }
    }

    fn sandbox(&self) -> Sandbox<'_> {
        Sandbox { plan: &self.plan, dir: &self.dir, root: self.root(), host_name: &self.host_name }
    }

    /// Lays the root over the filled one, or copies it.
    async fn lay(&self, pristine: &Path) -> Result<(), TaskError> {
        for name in ["root", "upper", "overlay"] {
            fs::create_dir(self.dir.join(name)).doing(|| format!("making {name}"))?;
        }
        let mounted = mounts::overlay(pristine, &self.dir.join("upper"), &self.dir.join("overlay"), &self.root());
        let Err(error) = mounted else { return Ok(()) };
        tracing::warn!(%error, "no overlayfs here: the root is copied, which takes longer");
        let copy = Command::new("cp").args(["-a", "--reflink=auto", "--no-target-directory"]);
        let copy = copy.arg(pristine).arg(self.root()).log(self.log("root.log"));
        let ended = copy.run(&self.scope).await.doing(|| "copying the root".to_owned())?;
        if !ended.is_success() {
            return Err(TaskError::Machine {
                what: "copying the root".to_owned(),
                error: io::Error::other(format!("cp exited with status {}; see root.log", ended.status)),
            });
        }
        Ok(())
    }

    /// The folders and macros of this task, in its own layer.
    fn furnish(&self) -> io::Result<()> {
        for dir in ["result/RPMS", "result/SRPMS", "checkout"] {
            let dir = self.dir.join(dir);
            fs::create_dir_all(&dir)?;
            chown(&dir, Some(UID), Some(UID))?;
        }
        let tmp = self.dir.join("tmp");
        fs::create_dir(&tmp)?;
        fs::set_permissions(tmp, fs::Permissions::from_mode(0o1777))?;
        let macros = self.plan.macros.iter().map(|(name, value)| format!("{name} {}\n", value.replace('\n', "\\\n")));
        fs::write(self.root().join("builddir/.rpmmacros"), macros.collect::<String>())
    }

    /// Runs a program in the root as the user that builds, until the tag's time limit.
    async fn inside(&self, argv: &[&str], log: &str) -> Result<i32, TaskError> {
        let what = argv.first().unwrap_or(&"");
        let run = self.sandbox().command(argv).log(self.log(log)).run(&self.scope);
        self.in_time(run, what, log).await
    }

    /// A program in the root, until the time limit. Answers its status.
    async fn in_time(
        &self,
        run: impl Future<Output = io::Result<Ended>>,
        what: &str,
        log: &str,
    ) -> Result<i32, TaskError> {
        match tokio::time::timeout(Duration::from_secs(self.plan.timeout), run).await {
            Ok(ended) => Ok(ended.doing(|| format!("running {what} in the buildroot"))?.status),
            Err(_) => {
                kill_all(&self.scope, Duration::ZERO).await;
                Err(TaskError::TimedOut(format!(
                    "{what} was stopped after {} s, its time limit; see {log}",
                    self.plan.timeout
                )))
            }
        }
    }

    /// Puts a file where builds can read it. Answers its path inside.
    fn hand_in(&self, file: &Path) -> Result<String, TaskError> {
        let handing = || format!("handing {} in", file.display());
        let name = file.file_name().unwrap_or_default();
        let target = self.dir.join("in").join(name);
        if target != file {
            fs::copy(file, target).doing(handing)?;
        }
        Ok(format!("/builddir/originals/{}", name.to_string_lossy()))
    }

    /// Unpacks a source RPM. Answers its spec's path inside.
    async fn unpack(&self, srpm: &Path) -> Result<String, TaskError> {
        let path = self.hand_in(srpm)?;
        let status = self.inside(&["rpm", "-i", "--nodeps", &path], "root.log").await?;
        if status != 0 {
            return Err(self.failed(&format!("could not unpack {path}, rpm"), status, "root.log"));
        }
        // Nothing of the package's own has run yet, so these folders are what we made them.
        let specs = files_ending(&self.root().join("builddir/build/SPECS"), ".spec");
        match specs.doing(|| "looking for the spec".to_owned())?.as_slice() {
            [spec] => Ok(format!("{TOPDIR}/SPECS/{}", spec.file_name().unwrap_or_default().to_string_lossy())),
            specs => Err(TaskError::Build(format!("the source RPM has {} specs instead of one", specs.len()))),
        }
    }

    async fn rpmbuild_source(&self, spec: &str, target: &str, more: &[&str]) -> Result<PathBuf, TaskError> {
        let argv = [&["rpmbuild", "-bs", "--nodeps", "--target", target], more, &[spec]].concat();
        let status = self.inside(&argv, "build.log").await?;
        if status != 0 {
            return Err(self.failed("error building srpm, rpmbuild", status, "build.log"));
        }
        only_srpm(&self.dir.join("result/SRPMS"))
    }

    /// Installs what a source RPM requires.
    async fn install_requirements(&self, srpm: &Path, arch: &str) -> Result<(), TaskError> {
        let requires = srpm::facts(srpm).await?.requires;
        if requires.is_empty() {
            return Ok(());
        }
        let status = self.dnf().install(&self.root(), &requires).await?;
        if status != 0 {
            let what = format!("could not install what the build requires (arch {arch}), dnf");
            return Err(self.failed(&what, status, "root.log"));
        }
        Ok(())
    }

    fn failed(&self, what: &str, status: i32, log: &str) -> TaskError {
        let how = match status {
            129..=192 => format!("was killed by signal {}", status - 128),
            status => format!("exited with status {status}"),
        };
        let message = format!("{what} {how}; see {log} for more information");
        TaskError::Build(with_last_words(message, &self.log(log)))
    }

    /// Runs rpmbuild, and again whenever the spec has come up with more requirements.
    async fn rpmbuild(&self, spec: &str, arch: &str) -> Result<(), TaskError> {
        let srpms = self.dir.join("result/SRPMS");
        for _ in 0..ROUNDS {
            let status = self.inside(&["rpmbuild", "-bb", "--target", arch, spec], "build.log").await?;
            let asked = files_ending(&srpms, ".buildreqs.nosrc.rpm").unwrap_or_default();
            match (status, asked.as_slice()) {
                (0, _) => return Ok(()),
                (MORE_REQUIREMENTS, [more]) => {
                    self.stages.time("more-requirements", self.install_requirements(more, arch)).await?;
                    fs::remove_file(more).doing(|| "tidying up".to_owned())?;
                }
                (status, _) => {
                    return Err(self.failed(
                        &format!("error building package (arch {arch}), rpmbuild"),
                        status,
                        "build.log",
                    ));
                }
            }
        }
        Err(TaskError::Build(format!("the spec required something more after {ROUNDS} rounds; see build.log")))
    }
}

#[async_trait]
impl Buildroot for Bwrap {
    async fn fill(&self) -> Result<Vec<InstalledRpm>, TaskError> {
        for dir in ["home", "in"] {
            fs::create_dir_all(self.dir.join(dir)).doing(|| format!("making {dir}"))?;
        }
        let make = self.cache.get(&self.plan, &self.dir, self.dnf(), &self.stages);
        let pristine = make.await.map_err(|error| match error {
            cache::FillError::Dnf(status) => self.failed("could not init the buildroot, dnf", status, "root.log"),
            cache::FillError::Task(error) => error,
        })?;
        self.stages.time("lay-root", self.lay(&pristine.root())).await?;
        self.furnish().doing(|| "furnishing the buildroot".to_owned())?;
        self.dnf().link_cache(&self.dir, self.cache.dnf_dir(&self.plan)).doing(|| "linking dnf's cache".to_owned())?;
        let contents = pristine.contents.clone();
        if let Ok(mut held) = self.pristine.lock() {
            *held = Some(pristine);
        }
        Ok(contents)
    }

    async fn contents(&self) -> Result<Vec<InstalledRpm>, TaskError> {
        contents::installed(&self.root(), &self.scope, &self.log("root.log")).await
    }

    async fn rebuild_srpm(&self, srpm: &Path) -> Result<PathBuf, TaskError> {
        let spec = self.unpack(srpm).await?;
        self.stages.time("rpmbuild-bs", self.rpmbuild_source(&spec, "noarch", &[])).await
    }

    fn checkout_dir(&self) -> PathBuf {
        self.dir.join("checkout")
    }

    fn uid(&self) -> u32 {
        UID
    }

    async fn run_in_checkout(&self, dir: &Path, argv: &[String]) -> Result<(), TaskError> {
        let inside = self.inside_path(dir)?;
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        let command = self.sandbox().command_in(&inside, &argv).log(self.log("checkout.log"));
        let status = self.in_time(command.run(&self.scope), "the source command", "checkout.log").await?;
        if status != 0 {
            let what = format!("the source command ({})", argv.join(" "));
            return Err(self.failed(&what, status, "checkout.log"));
        }
        Ok(())
    }

    async fn make_srpm(&self, spec: &Path, sources: &Path) -> Result<PathBuf, TaskError> {
        let (spec, sources) = (self.inside_path(spec)?, self.inside_path(sources)?);
        let define = format!("_sourcedir {sources}");
        let more = ["--define", define.as_str()];
        let build = self.rpmbuild_source(&spec, "noarch", &more);
        self.stages.time("rpmbuild-bs", build).await
    }

    async fn build(&self, srpm: &Path, arch: &str) -> Result<Vec<PathBuf>, TaskError> {
        let spec = self.unpack(srpm).await?;
        // Made anew for this architecture: what it requires may depend on it.
        let srpm = self.stages.time("rpmbuild-bs", self.rpmbuild_source(&spec, arch, &[])).await?;
        self.stages.time("requirements", self.install_requirements(&srpm, arch)).await?;
        self.stages.time("rpmbuild", self.rpmbuild(&spec, arch)).await?;
        let results = || "looking at what was built".to_owned();
        let mut built = files_ending(&self.dir.join("result/RPMS"), ".rpm").doing(results)?;
        built.push(srpm);
        Ok(built)
    }

    async fn install(&self, packages: &[String]) -> Result<(), TaskError> {
        let status = self.stages.time("install", self.dnf().install(&self.root(), packages)).await?;
        if status != 0 {
            return Err(self.failed("could not install the packages, dnf", status, "root.log"));
        }
        Ok(())
    }

    async fn run_as_root(&self, argv: &[&str], personality: bool) -> Result<i32, TaskError> {
        let arch = personality.then_some(self.plan.arch.as_str());
        let run = self.sandbox().command_as_root(argv, arch).log(self.log("runroot.log")).run(&self.scope);
        self.stages.time("command", self.in_time(run, "the command", "runroot.log")).await
    }

    fn root(&self) -> PathBuf {
        self.dir.join("root")
    }

    fn remains(&self) -> Remains {
        let pristine = self.pristine.lock().ok().and_then(|held| held.as_ref().map(|pristine| pristine.root()));
        Remains { root: "root".into(), lower: pristine.filter(|_| mounts::is_mounted(&self.root())) }
    }

    fn logs(&self) -> Vec<Source> {
        vec![Source { dir: self.dir.join("logs"), prefix: "" }]
    }
}

impl Bwrap {
    /// A path of the checkout as it is seen inside.
    fn inside_path(&self, path: &Path) -> Result<String, TaskError> {
        let outside = || TaskError::Build(format!("{} leads out of the checkout", path.display()));
        let checkout = self.checkout_dir().canonicalize().map_err(|_| outside())?;
        let path = path.canonicalize().map_err(|_| outside())?;
        let rest = path.strip_prefix(checkout).map_err(|_| outside())?;
        Ok(format!("/builddir/checkout/{}", rest.display()))
    }
}
