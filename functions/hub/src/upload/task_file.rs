//! Where the files under `work/` really are.

use toji_protocol::{id::TaskId, object_key};

use super::sql;
use crate::{
    Hub, Result,
    task::live_log::{self, LiveLog},
};

/// Where a file under `work/` is.
#[derive(Clone, Debug)]
pub enum Place {
    /// In an object.
    Key(String),
    /// In the parts that a builder has sent: a log that it has not closed.
    Live(LiveLog),
}

impl Hub {
    /// Where a file is that clients look for at `path` (`work/…`); None when there is no such file. A task's file lies under its
    /// newest attempt that has uploaded it, or where an import has put it; a log of the attempt at hand may still be in parts; anything
    /// else lies where it is looked for.
    ///
    /// # Errors
    /// When the database or S3 is away.
    pub async fn find_work(&self, path: &str) -> Result<Option<Place>> {
        let Some((task, name)) = parse(path) else { return Ok(Some(Place::Key(path.to_owned()))) };
        let found = sql::task_file(&mut *self.pool.acquire().await?, task, name).await?;
        let Some((current, file)) = found else { return Ok(None) };
        let is_current = file.as_ref().is_some_and(|(attempt, _)| *attempt == current);
        if !is_current && let Some(log) = live_log::find_one(self, task, current, name).await? {
            return Ok(Some(Place::Live(log)));
        }
        let key = |(attempt, moved_to): (i32, Option<String>)| {
            Place::Key(moved_to.unwrap_or_else(|| object_key::attempt_file(task, attempt, name)))
        };
        Ok(file.map(key))
    }
}

/// `work/tasks/<id mod 10000>/<id>/<name>`.
fn parse(path: &str) -> Option<(TaskId, &str)> {
    let rest = path.strip_prefix("work/tasks/")?;
    let (_, rest) = rest.split_once('/')?;
    let (id, name) = rest.split_once('/')?;
    let task: TaskId = id.parse().ok()?;
    let is_file = !name.is_empty() && !name.contains('/');
    (is_file && format!("work/{}/{name}", object_key::task_dir(task)) == path).then_some((task, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_names_from_keys() {
        assert_eq!(parse("work/tasks/47/20047/a+b.rpm"), Some((TaskId(20_047), "a+b.rpm")));
        for other in [
            "work/tasks/47/20047/2/a.rpm",
            "work/tasks/48/20047/a.rpm",
            "work/tasks/47/20047/",
            "work/tasks/47/x/a.rpm",
            "work/cli-build/1/a.rpm",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
