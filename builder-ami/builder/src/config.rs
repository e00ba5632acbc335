//! What the operator decides: the TOML file, read and checked once at the start.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;
use toji_protocol::mock_config::Makers;

use crate::scm::AllowList;

/// The environment variable with the token that enrols a new builder.
pub const ENROL_TOKEN: &str = "TOJI_ENROL_TOKEN";

/// With fewer, a `make` with a compiler does not get far.
const LEAST_PROCESSES: u64 = 64;

/// A builder's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The hub's URL, without `/api`.
    pub server: String,
    /// The host's name.
    pub name: String,
    /// Where the builder keeps its identity and what outlives a restart. Its own: no two builders share one.
    pub state_dir: PathBuf,
    /// Where buildroots are made; `work` below `state_dir` unless said. It wants room.
    work_dir: Option<PathBuf>,
    /// What it builds, such as `x86_64`.
    pub arches: Vec<String>,
    /// The sum of task weights that a new host takes.
    #[serde(default = "default_capacity")]
    pub capacity: f64,
    /// The channels that a new host is put into.
    #[serde(default = "default_channels")]
    pub channels: Vec<String>,
    /// The most tasks at once, whatever they weigh.
    #[serde(default = "default_max_jobs")]
    pub max_jobs: u16,
    /// How buildroots are made.
    pub buildroot: BuildrootKind,
    /// How `mock` is driven.
    #[serde(default)]
    pub mock: MockSettings,
    /// Where sources may come from.
    #[serde(default)]
    pub scm: ScmSettings,
    /// The least free space in `work_dir`, in MiB, with which tasks are taken.
    #[serde(default = "default_minspace")]
    pub minspace: u64,
    /// Where files are read from, instead of what the hub says.
    pub topurl: Option<String>,
    /// A file with the token that enrols it; the environment's `TOJI_ENROL_TOKEN` comes first.
    pub enrol_token_file: Option<PathBuf>,
    /// `%vendor` of what is built.
    #[serde(default = "default_maker")]
    pub vendor: String,
    /// `%packager` of what is built.
    #[serde(default = "default_maker")]
    pub packager: String,
    /// `%distribution` of what is built.
    #[serde(default = "default_maker")]
    pub distribution: String,
    /// What follows the architecture in `%_host`, which `configure` scripts are told.
    #[serde(default = "default_host_triple")]
    pub host_triple: String,
    /// Seconds that rpmbuild may run.
    #[serde(default = "default_build_timeout")]
    pub build_timeout: u64,
    /// Note beside each log when its bytes came, as `NAME-ts.log`.
    #[serde(default)]
    pub log_timestamps: bool,
    /// How many filled roots are kept for the next tasks (bwrap only).
    #[serde(default = "default_kept_roots")]
    pub kept_roots: usize,
    /// The load (the last minute's average) a processor above which no task is taken; 0 = any.
    #[serde(default = "default_max_load")]
    pub max_load: f64,
    /// The least memory that is available, in MiB, with which tasks are taken.
    #[serde(default = "default_min_memory")]
    pub min_memory: u64,
    /// Do one task, and end: the machine is then another's to throw away.
    #[serde(default)]
    pub one_task: bool,
    /// A folder with programs that run further kinds of tasks; see `builder-ami/plugins/README.md`.
    pub plugin_dir: Option<PathBuf>,
    /// Machines of EC2.
    #[serde(default)]
    pub ec2: Ec2Settings,
    /// What failed tasks leave, for those who want to look.
    #[serde(default)]
    pub failed: FailedSettings,
    /// Commands in chroots.
    #[serde(default)]
    pub runroot: RunrootSettings,
    /// What one task may take.
    #[serde(default)]
    pub limits: LimitSettings,
}

/// What one task may take. It fails when it takes more.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Processes and threads at once.
    pub processes: u64,
    /// MiB of memory; 0 = as much as there is.
    pub memory: u64,
    /// MiB of logs, all of a task's together.
    pub logs: u64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        // Far above what builds need, and as far below what a machine bears: it has 32768 processes at the least.
        Self { processes: 8192, memory: 0, logs: 512 }
    }
}

/// Machines of EC2.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ec2Settings {
    /// The instance metadata service, which says when the machine is to go; None = nobody says so.
    pub metadata: Option<String>,
    /// Seconds that tasks may go on when an Auto Scaling group wants to end the machine. Its lifecycle hook must wait longer.
    pub scale_in_seconds: u64,
    /// A unit of its own asks (`toji-builder --notices`), as this one cannot reach the service.
    pub by_unit: bool,
    /// Milliseconds between two questions.
    pub pace_ms: Option<u64>,
}

impl Default for Ec2Settings {
    fn default() -> Self {
        Self { metadata: None, scale_in_seconds: 50 * 60, by_unit: false, pace_ms: None }
    }
}

/// What failed tasks leave.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FailedSettings {
    /// Seconds that a failed task's chroot is kept for `saveFailedTree`; 0 = not at all. When space runs short, it goes earlier.
    pub keep: u64,
    /// The most chroots that are kept.
    pub most: usize,
    /// Paths in chroots, with `*` and `?`, that are never handed out.
    pub hide: Vec<String>,
}

impl Default for FailedSettings {
    fn default() -> Self {
        // Koji's four hours.
        Self { keep: 4 * 60 * 60, most: 10, hide: Vec::new() }
    }
}

/// Commands in chroots.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunrootSettings {
    /// Folders of this machine that they may see.
    pub mounts: Vec<MountSettings>,
}

/// A folder of this machine that commands in chroots may see.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MountSettings {
    /// Where it is inside.
    pub path: PathBuf,
    /// Where it is outside; as inside unless said.
    pub source: Option<PathBuf>,
    /// They may write to it.
    #[serde(default)]
    pub writable: bool,
    /// They see it without asking.
    #[serde(default)]
    pub always: bool,
}

/// How buildroots are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BuildrootKind {
    /// By `mock`.
    Mock,
    /// By `dnf --installroot` and bubblewrap.
    Bwrap,
}

/// How `mock` is driven.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MockSettings {
    /// The program.
    pub path: PathBuf,
    /// The uid of a user in the group `mock`, for a `mock` that is called by root without its setuid helper.
    pub uid: Option<u32>,
    /// Let tags ask for a bootstrap image.
    pub allow_bootstrap_image: bool,
    /// How chroots are kept apart: `nspawn`, and nothing else.
    pub isolation: Option<String>,
}

impl Default for MockSettings {
    fn default() -> Self {
        Self { path: PathBuf::from("/usr/bin/mock"), uid: None, allow_bootstrap_image: false, isolation: None }
    }
}

/// Where sources may come from.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScmSettings {
    /// Koji's entries: `host:repository[:use_common[:source,command]]`, a leading `!` blocks, the first that fits decides.
    pub allowed: AllowList,
    /// Ask that list.
    pub use_config: bool,
    /// Ask the hub's policy `build_from_scm`, too.
    pub use_policy: bool,
    /// Let URLs carry a password.
    pub allow_password: bool,
}

impl Default for ScmSettings {
    fn default() -> Self {
        Self { allowed: AllowList::default(), use_config: true, use_policy: false, allow_password: false }
    }
}

/// What is wrong with the settings.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {error}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is no TOML, or has a setting that is not known or of the wrong type.
    #[error("{}: {error}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        error: Box<toml::de::Error>,
    },
    /// A setting makes no sense.
    #[error("the setting '{setting}' {problem}")]
    Senseless {
        /// Its name.
        setting: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl MountSettings {
    /// Where it is outside.
    pub fn source(&self) -> &Path {
        self.source.as_ref().unwrap_or(&self.path)
    }

    fn is_plain(&self) -> bool {
        [self.path.as_path(), self.source()].into_iter().all(is_plain)
    }
}

/// Whether a path is absolute, not the root itself, and has neither `..` nor what has a meaning in options of mounts.
pub(crate) fn is_plain(path: &Path) -> bool {
    use std::path::Component;
    let mut steps = path.components();
    steps.next() == Some(Component::RootDir)
        && path != Path::new("/")
        && steps.all(|step| matches!(step, Component::Normal(_)))
        && !path.to_string_lossy().contains([':', ',', '\\', '"', '\'', '\n'])
}

impl Config {
    /// Reads the settings from a file.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Config = toml::from_str(text)
            .map_err(|error| ConfigError::Malformed { path: path.to_owned(), error: Box::new(error) })?;
        config.check()?;
        Ok(config)
    }

    /// What packages say of who made them.
    pub(crate) fn makers(&self) -> Makers<'_> {
        Makers {
            vendor: &self.vendor,
            packager: &self.packager,
            distribution: &self.distribution,
            host_triple: &self.host_triple,
        }
    }

    /// Where buildroots are made.
    pub fn work_dir(&self) -> PathBuf {
        self.work_dir.clone().unwrap_or_else(|| self.state_dir.join("work"))
    }

    /// The token that enrols this builder, where there is one.
    ///
    /// # Errors
    /// When the file with it cannot be read.
    pub fn enrol_token(&self) -> Result<Option<String>, ConfigError> {
        if let Ok(token) = std::env::var(ENROL_TOKEN) {
            return Ok(Some(token.trim().to_owned()));
        }
        let Some(path) = &self.enrol_token_file else { return Ok(None) };
        let token =
            std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable { path: path.clone(), error })?;
        Ok(Some(token.trim().to_owned()))
    }

    fn check(&self) -> Result<(), ConfigError> {
        let senseless = |setting, problem: &str| Err(ConfigError::Senseless { setting, problem: problem.to_owned() });
        if !self.server.starts_with("http://") && !self.server.starts_with("https://") {
            return senseless("server", "must begin with https:// or http://");
        }
        if self.name.trim().is_empty() {
            return senseless("name", "must not be empty");
        }
        if self.arches.is_empty() {
            return senseless("arches", "must name at least one architecture");
        }
        if let Some(bad) = self.arches.iter().find(|arch| !toji_protocol::arch::is_valid(arch) || *arch == "noarch") {
            return senseless("arches", &format!("has '{bad}', which is no architecture of a machine"));
        }
        if !(self.capacity > 0.0 && self.capacity.is_finite()) {
            return senseless("capacity", "must be more than 0");
        }
        if !(self.max_load >= 0.0 && self.max_load.is_finite()) {
            return senseless("max_load", "must be 0 or more");
        }
        if self.ec2.metadata.as_ref().is_some_and(|address| !address.starts_with("http://")) {
            return senseless("ec2.metadata", "must begin with http://");
        }
        if self.max_jobs == 0 {
            return senseless("max_jobs", "must be at least 1");
        }
        if !self.scm.use_config && !self.scm.use_policy {
            return senseless("scm", "asks neither its list nor the policy: leave use_config or use_policy on");
        }
        if self.mock.isolation.as_ref().is_some_and(|isolation| isolation != "nspawn") {
            return senseless(
                "mock.isolation",
                "can only be 'nspawn': 'simple' leaves builds the machine's network, and with it its credentials, and shows \
                 them its processes",
            );
        }
        if self.limits.processes < LEAST_PROCESSES {
            return senseless("limits.processes", &format!("must be at least {LEAST_PROCESSES}"));
        }
        if self.limits.logs == 0 {
            return senseless("limits.logs", "must be at least 1");
        }
        if !self.state_dir.is_absolute() {
            return senseless("state_dir", "must be an absolute path");
        }
        if self.plugin_dir.as_ref().is_some_and(|dir| !dir.is_absolute()) {
            return senseless("plugin_dir", "must be an absolute path");
        }
        // The characters have a meaning in overlayfs's options.
        let work_dir = self.work_dir();
        if !work_dir.is_absolute() || work_dir.to_string_lossy().contains([':', ',', '\\', '"', '\'', '\n']) {
            return senseless("work_dir", "must be an absolute path without colons, commas, quotes or backslashes");
        }
        if let Some(mount) = self.runroot.mounts.iter().find(|mount| !mount.is_plain()) {
            return senseless(
                "runroot.mounts",
                &format!("has '{}', which is no plain absolute path", mount.path.display()),
            );
        }
        if self.topurl.as_ref().is_some_and(|url| !url.contains("://")) {
            return senseless("topurl", "must be a URL");
        }
        Ok(())
    }
}

fn default_capacity() -> f64 {
    2.0
}

fn default_channels() -> Vec<String> {
    vec!["default".to_owned(), "createrepo".to_owned()]
}

fn default_max_jobs() -> u16 {
    10
}

fn default_minspace() -> u64 {
    2048
}

/// Koji's.
fn default_max_load() -> f64 {
    4.0
}

fn default_min_memory() -> u64 {
    256
}

fn default_maker() -> String {
    "toji".to_owned()
}

fn default_host_triple() -> String {
    "redhat-linux-gnu".to_owned()
}

/// Koji's: a day.
fn default_build_timeout() -> u64 {
    24 * 60 * 60
}

fn default_kept_roots() -> usize {
    6
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "server = 'http://h'\nname = 'b'\nstate_dir = '/s'\narches = ['x86_64']\nbuildroot = 'bwrap'\n";

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("b.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn the_least_is_enough() {
        let config = parse(LEAST).unwrap();
        assert_eq!(config.work_dir(), Path::new("/s/work"));
        assert_eq!((config.capacity, config.max_jobs), (2.0, 10));
        assert_eq!(config.channels, ["default", "createrepo"]);
    }

    #[test]
    fn errors_name_the_setting() {
        for (more, told) in [
            ("capacty = 3.0", "capacty"),
            ("capacity = -1.0", "'capacity' must be more than 0"),
            ("max_jobs = 0", "'max_jobs' must be at least 1"),
            ("work_dir = '/a:b'", "'work_dir' must be an absolute path"),
            ("topurl = 'x'", "'topurl' must be a URL"),
            ("plugin_dir = 'x'", "'plugin_dir' must be an absolute path"),
            ("[[runroot.mounts]]\npath = '/a/../b'", "'runroot.mounts' has '/a/../b'"),
            ("[[runroot.mounts]]\npath = '/a'\nsource = 'b'", "'runroot.mounts' has '/a'"),
            ("max_load = -1.0", "'max_load' must be 0 or more"),
            ("[ec2]\nmetadata = '169.254.169.254'", "'ec2.metadata' must begin with http://"),
            ("[failed]\nkept = 1", "kept"),
            ("[limits]\nprocesses = 5", "'limits.processes' must be at least 64"),
            ("[limits]\nlogs = 0", "'limits.logs' must be at least 1"),
            ("[mock]\nisolation = 'simple'", "'mock.isolation' can only be 'nspawn'"),
            ("[scm]\nuse_config = false", "'scm' asks neither"),
            ("[scm]\nallowed = ['nohost']", "nohost"),
        ] {
            let error = parse(&format!("{LEAST}{more}")).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
        assert!(parse(&LEAST.replace("'x86_64'", "'noarch'")).unwrap_err().contains("'noarch'"));
        assert!(parse(&LEAST.replace("http://h", "h")).unwrap_err().contains("'server'"));
        assert!(parse(&LEAST.replace("bwrap", "podman")).unwrap_err().contains("podman"));
        assert!(parse("name = 'b'").unwrap_err().contains("server"));
    }

    #[test]
    fn the_sample_is_valid() {
        let sample = include_str!("../../image/builder.toml");
        parse(sample).unwrap();
    }
}
