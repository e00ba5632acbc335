//! `state.log`: what a task is doing, and how long each stage took.

use std::{
    fs::File,
    io::Write,
    path::PathBuf,
    time::{Duration, Instant},
};

/// Writes `state.log`. A stage that has ended leaves a line `STAGE <name> <seconds>`.
#[derive(Debug)]
pub(crate) struct Stages {
    log: PathBuf,
}

impl Stages {
    /// Writes to this file.
    pub(crate) fn new(log: PathBuf) -> Self {
        Self { log }
    }

    /// Runs a stage and notes the time it took, whatever it came to.
    pub(crate) async fn time<T>(&self, name: &str, stage: impl Future<Output = T>) -> T {
        self.line(&format!("{} {name} begins", now()));
        let begun = Instant::now();
        let result = stage.await;
        self.took(name, begun.elapsed());
        result
    }

    /// Notes a stage that has ended.
    pub(crate) fn took(&self, name: &str, time: Duration) {
        self.line(&format!("STAGE {name} {:.3}", time.as_secs_f64()));
    }

    /// Adds a line.
    pub(crate) fn line(&self, line: &str) {
        let written =
            File::options().create(true).append(true).open(&self.log).and_then(|mut log| writeln!(log, "{line}"));
        if let Err(error) = written {
            // The task goes on without it.
            tracing::warn!(%error, "cannot write state.log");
        }
    }
}

/// Seconds since the epoch, for people who compare logs.
fn now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{:.3}", now.as_secs_f64())
}
