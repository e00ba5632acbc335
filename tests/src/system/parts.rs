//! The parts of a system, ended and halted one by one.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use toji_local::cloud::Cloud;

use super::{System, builder_name};
use crate::{process::Daemon, traces};

/// How long a builder that is told to stop may take to hand its tasks back.
const FAREWELL: Duration = Duration::from_secs(40);

/// A process of a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// S3, SQS and the API.
    Server,
    /// What takes messages, and the passes, where that is a process of its own.
    Worker,
    /// A builder.
    Builder(usize),
}

impl System {
    /// Starts what takes messages, and the passes.
    pub fn start_worker(&mut self) {
        let mut command = self.local("work");
        self.worker = Some(Daemon::start(&mut command, &self.dir().join("worker.log")));
    }

    /// Kills a part with SIGKILL.
    pub fn kill(&mut self, part: Part) {
        if let Some(mut daemon) = self.slot(part).take() {
            daemon.kill();
        }
    }

    /// Starts a part that was killed.
    ///
    /// # Panics
    /// When it ends instead.
    pub async fn revive(&mut self, part: Part) {
        match part {
            Part::Server => self.start_server().await,
            Part::Worker => self.start_worker(),
            Part::Builder(n) => self.start_builder(n).await,
        }
    }

    /// Tells a part to stop, and waits until it has.
    pub fn stop(&mut self, part: Part) {
        if let Some(mut daemon) = self.slot(part).take() {
            daemon.terminate(FAREWELL);
        }
    }

    /// Halts a part: it holds all that it has, and does nothing, until it is thawed. What it has started goes on.
    pub fn freeze(&mut self, part: Part) {
        if let Some(daemon) = self.slot(part) {
            daemon.freeze();
        }
    }

    /// Lets a part go on.
    pub fn thaw(&mut self, part: Part) {
        if let Some(daemon) = self.slot(part) {
            daemon.thaw();
        }
    }

    /// Whether a part that was started has ended by itself.
    pub fn has_ended(&mut self, part: Part) -> bool {
        self.slot(part).as_mut().is_some_and(|daemon| !daemon.is_running())
    }

    /// S3 and SQS, as the server serves them.
    ///
    /// # Panics
    /// When it never has.
    pub fn cloud(&self) -> Cloud {
        Cloud::beside(&self.dir().join("data")).expect("the server has served")
    }

    /// Where a builder works.
    pub fn work_dir(&self, builder: usize) -> PathBuf {
        self.dir().join(builder_name(builder)).join("work")
    }

    /// What is mounted below a builder's folder.
    pub fn mounts(&self, builder: usize) -> Vec<String> {
        traces::mounts_below(&self.dir().join(builder_name(builder)))
    }

    /// The command lines of the processes that a builder has started and that run now.
    pub fn started_by(&self, builder: usize) -> Vec<String> {
        traces::started_by(&self.dir().join(builder_name(builder)))
    }

    fn slot(&mut self, part: Part) -> &mut Option<Daemon> {
        match part {
            Part::Server => &mut self.server,
            Part::Worker => &mut self.worker,
            Part::Builder(n) => &mut self.builders[n],
        }
    }
}

/// The names in a folder, sorted; none when there is no such folder.
pub fn names_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
