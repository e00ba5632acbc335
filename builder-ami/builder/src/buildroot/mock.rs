//! Buildroots by mock, as Koji's builders drive it: a configuration a buildroot, made from the build tag.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use toji_protocol::{
    method::worker::InstalledRpm,
    mock_config::{MockConfig, extra_arguments},
};

use super::{Bind, Buildroot, Plan, Remains, contents, files_ending, only_srpm};
use crate::{
    config::{Config, MockSettings},
    failure::{Doing, TaskError, with_last_words},
    logs::{Source, Stages},
    process::{Command, Scope, kill_all},
};

mod exit;

/// Inside: where rpmbuild works, and where sources are checked out.
const TOPDIR: &str = "builddir/build";
const CHECKOUT: &str = "tmp/toji-checkout";
const INBOX: &str = "tmp/toji-in";
/// mock stops rpmbuild itself; this is for a mock that does not.
const SLACK: Duration = Duration::from_secs(600);

/// A buildroot made by mock.
pub(super) struct Mock {
    plan: Plan,
    dir: PathBuf,
    scope: Scope,
    settings: MockSettings,
    basedir: PathBuf,
    stages: Arc<Stages>,
}

impl Mock {
    pub(super) fn new(plan: Plan, dir: PathBuf, scope: Scope, config: &Config, stages: Arc<Stages>) -> Self {
        // In the task's own folder: it is cleared away with it.
        let basedir = dir.join("mock");
        Self { plan, dir, scope, settings: config.mock.clone(), basedir, stages }
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.join("logs").join(name)
    }

    fn result(&self) -> PathBuf {
        self.dir.join("result")
    }

    fn write_config(&self) -> Result<(), TaskError> {
        let systemd = Path::new("/run/systemd/system").is_dir();
        let text = self.config_text(systemd)?;
        let writing = || "writing mock's configuration".to_owned();
        fs::create_dir_all(self.result()).doing(writing)?;
        fs::create_dir_all(&self.basedir).doing(writing)?;
        fs::write(self.log("mock_config.log"), &text).doing(writing)?;
        fs::write(self.config_file(), text).doing(writing)?;
        if let Some(uid) = self.settings.uid {
            // mock drops to that user, who then writes the logs and the results.
            std::os::unix::fs::chown(self.result(), Some(uid), None).doing(writing)?;
        }
        Ok(())
    }

    fn config_text(&self, systemd: bool) -> Result<String, TaskError> {
        let plan = &self.plan;
        let bind = |bind: &Bind| {
            let option = if bind.is_writable { "--bind" } else { "--bind-ro" };
            format!("{option}={}:{}", bind.source.display(), bind.path.display())
        };
        let config = MockConfig {
            name: &plan.name,
            basedir: &self.basedir.to_string_lossy(),
            arch: &plan.arch,
            group: plan.group.name(),
            baseurl: &plan.baseurl,
            network: plan.network,
            timeout: plan.timeout,
            extra: &plan.extra,
            macros: &plan.macros,
            env: &plan.env,
            binds: &plan.binds.iter().map(bind).collect::<Vec<_>>(),
            allow_bootstrap_image: self.settings.allow_bootstrap_image,
            systemd,
        };
        Ok(config.render()?)
    }

    fn config_file(&self) -> PathBuf {
        self.dir.join(format!("{}.cfg", self.plan.name))
    }

    /// Runs mock. Answers its status.
    async fn mock(&self, args: &[&str]) -> Result<i32, TaskError> {
        let mut command = Command::new(&self.settings.path)
            .arg("-r")
            .arg(self.config_file())
            .arg("--resultdir")
            .arg(self.result())
            .args(extra_arguments(&self.plan.extra)?)
            .args(args)
            .env("HOME", &self.dir)
            .log(self.log("mock_output.log"));
        if let Some(uid) = self.settings.uid {
            command = command.env("USERHELPER_UID", uid.to_string());
        }
        let limit = Duration::from_secs(self.plan.timeout) + SLACK;
        match tokio::time::timeout(limit, command.run(&self.scope)).await {
            Ok(ended) => Ok(ended.doing(|| format!("running {}", self.settings.path.display()))?.status),
            Err(_) => {
                kill_all(&self.scope, Duration::from_secs(3)).await;
                Err(TaskError::TimedOut(format!("mock was stopped after {} s, its time limit", limit.as_secs())))
            }
        }
    }

    /// Runs mock, and fails with `what` and the log that tells why.
    async fn must(&self, what: &str, args: &[&str]) -> Result<(), TaskError> {
        match self.mock(args).await? {
            0 => Ok(()),
            status => Err(self.failed(what, status)),
        }
    }

    fn failed(&self, what: &str, status: i32) -> TaskError {
        let means = exit::meaning(status).map(|meaning| format!(" ({meaning})")).unwrap_or_default();
        let see = exit::log(status);
        let message = format!("{what}, mock exited with status {status}{means}; see {see} for more information");
        let logs = exit::logs(status).iter().map(|name| self.result().join(name)).chain([self.log("mock_output.log")]);
        // The first that has something to say: mock makes empty ones, too.
        let has_words = |log: &PathBuf| fs::metadata(log).is_ok_and(|meta| meta.len() > 0);
        let log = logs.into_iter().find(has_words).unwrap_or_default();
        let message = with_last_words(message, &log);
        if status == exit::TIMED_OUT { TaskError::TimedOut(message) } else { TaskError::Build(message) }
    }

    /// Runs a program in the root as the user that builds.
    async fn inside(&self, what: &str, dir: &str, argv: &[&str]) -> Result<(), TaskError> {
        let args = [&["--no-clean", "--target", "noarch", "--unpriv", "--cwd", dir, "--chroot", "--"], argv].concat();
        self.must(what, &args).await
    }

    /// Puts a file where builds can read it. Answers its path inside.
    fn hand_in(&self, file: &Path) -> io::Result<String> {
        let inbox = self.root().join(INBOX);
        fs::create_dir_all(&inbox)?;
        let name = file.file_name().unwrap_or_default();
        fs::copy(file, inbox.join(name))?;
        Ok(format!("/{INBOX}/{}", name.to_string_lossy()))
    }

    fn inside_path(&self, path: &Path) -> Result<String, TaskError> {
        let outside = || TaskError::Build(format!("{} leads out of the buildroot", path.display()));
        let root = self.root().canonicalize().map_err(|_| outside())?;
        let path = path.canonicalize().map_err(|_| outside())?;
        Ok(format!("/{}", path.strip_prefix(root).map_err(|_| outside())?.display()))
    }
}

#[async_trait]
impl Buildroot for Mock {
    async fn fill(&self) -> Result<Vec<InstalledRpm>, TaskError> {
        self.write_config()?;
        self.stages.time("init", self.must("could not init mock buildroot", &["--init"])).await?;
        // For the log only: which kernel it was.
        self.mock(&["--no-clean", "--chroot", "--", "uname", "-r"]).await?;
        let checkout = self.checkout_dir();
        fs::create_dir_all(&checkout).doing(|| "making the checkout's folder".to_owned())?;
        std::os::unix::fs::chown(&checkout, Some(self.uid()), None)
            .doing(|| "making the checkout's folder".to_owned())?;
        self.contents().await
    }

    async fn contents(&self) -> Result<Vec<InstalledRpm>, TaskError> {
        contents::installed(&self.root(), &self.scope, &self.log("mock_output.log")).await
    }

    async fn rebuild_srpm(&self, srpm: &Path) -> Result<PathBuf, TaskError> {
        let path = self.hand_in(srpm).doing(|| "handing the source RPM in".to_owned())?;
        self.inside("error installing srpm", "/", &["rpm", "--nodeps", "-iv", &path]).await?;
        let specs = files_ending(&self.root().join(TOPDIR).join("SPECS"), ".spec");
        let specs = specs.doing(|| "looking for the spec".to_owned())?;
        let [spec] = specs.as_slice() else {
            return Err(TaskError::Build(format!("the source RPM has {} specs instead of one", specs.len())));
        };
        let spec = self.inside_path(spec)?;
        let argv = ["rpmbuild", "-bs", "--nodeps", "--target", "noarch", &spec];
        self.stages.time("rpmbuild-bs", self.inside("error rebuilding srpm", "/builddir/build", &argv)).await?;
        only_srpm(&self.root().join(TOPDIR).join("SRPMS"))
    }

    fn checkout_dir(&self) -> PathBuf {
        self.root().join(CHECKOUT)
    }

    /// mock's own user inside has the uid of its caller.
    fn uid(&self) -> u32 {
        self.settings.uid.unwrap_or_else(|| rustix::process::getuid().as_raw())
    }

    async fn run_in_checkout(&self, dir: &Path, argv: &[String]) -> Result<(), TaskError> {
        let inside = self.inside_path(dir)?;
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        self.inside(&format!("error running the source command ({})", argv.join(" ")), &inside, &argv).await
    }

    async fn make_srpm(&self, spec: &Path, sources: &Path) -> Result<PathBuf, TaskError> {
        let (spec, sources) = (spec.to_string_lossy(), sources.to_string_lossy());
        let args = ["--no-clean", "--buildsrpm", "--spec", &spec, "--sources", &sources, "--target", "noarch"];
        self.stages.time("buildsrpm", self.must("error building srpm", &args)).await?;
        only_srpm(&self.result())
    }

    async fn build(&self, srpm: &Path, arch: &str) -> Result<Vec<PathBuf>, TaskError> {
        let path = srpm.to_string_lossy();
        let args = ["--no-clean", "--target", arch, "--rebuild", &path];
        self.stages.time("rebuild", self.must(&format!("error building package (arch {arch})"), &args)).await?;
        files_ending(&self.result(), ".rpm").doing(|| "looking at what was built".to_owned())
    }

    async fn install(&self, packages: &[String]) -> Result<(), TaskError> {
        let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
        let args = [&["--no-clean", "--install"], packages.as_slice()].concat();
        self.stages.time("install", self.must("could not install the packages", &args)).await
    }

    async fn run_as_root(&self, argv: &[&str], _personality: bool) -> Result<i32, TaskError> {
        // mock chooses the personality by the target; what the command says is caught inside, where mock adds nothing to it.
        let catch = "exec \"$@\" >/builddir/runroot.log 2>&1 </dev/null";
        let args = [&["--no-clean", "--chroot", "--", "/bin/sh", "-c", catch, "sh"], argv].concat();
        self.stages.time("command", self.mock(&args)).await
    }

    fn root(&self) -> PathBuf {
        self.basedir.join(&self.plan.name).join("root")
    }

    fn remains(&self) -> Remains {
        Remains { root: Path::new("mock").join(&self.plan.name).join("root"), lower: None }
    }

    fn records(&self) -> Vec<PathBuf> {
        vec![self.result().join("buildroot_lock.json")]
    }

    fn logs(&self) -> Vec<Source> {
        vec![
            Source { dir: self.dir.join("logs"), prefix: "" },
            Source { dir: self.result(), prefix: "" },
            Source { dir: self.root().join("var/log"), prefix: "dnf" },
            Source { dir: self.root().join("builddir"), prefix: "runroot" },
        ]
    }
}

#[cfg(test)]
mod tests;
