//! Logs of tasks, followed while they grow.

use std::collections::BTreeMap;

use anyhow::Context;
use base64::{Engine, prelude::BASE64_STANDARD};
use toji_protocol::{
    client::ClientError,
    id::TaskId,
    method::task::{DownloadTaskOutput, ListTaskOutput},
    value::Value,
};

use crate::{log_stream::Text, output, session::Session};

/// Bytes asked for at once.
const PIECE: i64 = 256 * 1024;

/// Where each followed log has been read to.
#[derive(Default)]
pub(crate) struct Tails {
    tails: BTreeMap<(TaskId, String), Tail>,
    /// The attempt at each task that is streamed, and whether it was streamed before.
    attempts: BTreeMap<TaskId, (i32, bool)>,
    /// The log whose lines were shown last: another one gets a title first.
    shown: Option<(TaskId, String)>,
}

#[derive(Default)]
struct Tail {
    offset: i64,
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
    /// Read to its end.
    ended: bool,
}

impl Tails {
    /// Shows what is new in a log; with `ended` also a last line without an end. A log that is not there yet is empty.
    pub(crate) async fn follow(
        &mut self,
        session: &Session,
        task: TaskId,
        name: &str,
        ended: bool,
    ) -> anyhow::Result<()> {
        let key = (task, name.to_owned());
        if self.tails.get(&key).is_some_and(|tail| tail.ended) {
            return Ok(());
        }
        loop {
            let offset = self.tails.get(&key).map_or(0, |tail| tail.offset);
            let piece = piece(session, task, name, offset).await?;
            let is_last = piece.is_empty();
            let next = offset + piece.len() as i64;
            self.show(&key, piece, next, ended && is_last)?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// Shows what a stream has told of a log. What it left out is asked for, what was shown before is not shown again.
    pub(crate) async fn take(&mut self, session: &Session, task: TaskId, text: Text) -> anyhow::Result<()> {
        let key = (task, text.log);
        let (offset, next) = (i64::try_from(text.offset)?, i64::try_from(text.next)?);
        if offset == 0 && next > 0 && !self.is_replayed(task) {
            // it was replaced
            self.tails.remove(&key);
        }
        let mut known = self.tails.get(&key).map_or(0, |tail| tail.offset);
        if known < offset {
            self.follow(session, task, &key.1, false).await?;
            known = self.tails.get(&key).map_or(0, |tail| tail.offset);
        }
        if next <= known {
            return Ok(());
        }
        // where bytes were no text, offsets in it are others
        let new = text.text.as_bytes().get((known - offset).max(0) as usize..).unwrap_or_default().to_vec();
        self.show(&key, new, next, false)
    }

    /// A builder's attempt at a task is told from its beginning: another's logs are others.
    pub(crate) fn attempt(&mut self, task: TaskId, attempt: i32) {
        match self.attempts.insert(task, (attempt, false)) {
            Some((before, _)) if before == attempt => drop(self.attempts.insert(task, (attempt, true))),
            Some(_) => self.forget(task),
            None => {}
        }
    }

    /// Whether the attempt at a task is told once more.
    fn is_replayed(&self, task: TaskId) -> bool {
        self.attempts.get(&task).is_some_and(|(_, is_replayed)| *is_replayed)
    }

    fn show(&mut self, key: &(TaskId, String), new: Vec<u8>, next: i64, ended: bool) -> anyhow::Result<()> {
        let tail = self.tails.entry(key.clone()).or_default();
        (tail.offset, tail.ended) = (next, ended);
        let lines = tail.lines(new, ended);
        if lines.is_empty() {
            return Ok(());
        }
        if self.shown.as_ref() != Some(key) {
            output::say(&format!("==> {} {} <==", key.0, key.1))?;
            self.shown = Some(key.clone());
        }
        output::say(&String::from_utf8_lossy(&lines))
    }

    /// Something else was shown in between.
    pub(crate) fn interrupt(&mut self) {
        self.shown = None;
    }

    /// The task begins anew, and so do its logs.
    pub(crate) fn forget(&mut self, task: TaskId) {
        self.tails.retain(|(of, _), _| *of != task);
    }

    /// Whether anything of a task was ever shown.
    pub(crate) fn has_read(&self, task: TaskId) -> bool {
        self.tails.iter().any(|((of, _), tail)| *of == task && tail.offset > 0)
    }
}

impl Tail {
    /// The whole lines there are now; all of it at the end.
    fn lines(&mut self, piece: Vec<u8>, ended: bool) -> Vec<u8> {
        self.rest.extend(piece);
        let whole = match self.rest.iter().rposition(|byte| *byte == b'\n') {
            _ if ended => self.rest.len(),
            Some(end) => end + 1,
            None => 0,
        };
        self.rest.drain(..whole).collect()
    }
}

async fn piece(session: &Session, task_id: TaskId, name: &str, offset: i64) -> anyhow::Result<Vec<u8>> {
    let ask = DownloadTaskOutput { task_id, file_name: name.to_owned(), offset, size: PIECE, volume: None };
    match session.client.call(&ask).await {
        Ok(text) => BASE64_STANDARD.decode(text.trim()).context("the hub's log piece is no base64"),
        // A fault: there is no such file, or not yet.
        Err(ClientError::Fault { status: 400..500, .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// A whole file of a task.
pub(crate) async fn whole(session: &Session, task_id: TaskId, name: &str) -> anyhow::Result<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let offset = i64::try_from(content.len())?;
        let ask = DownloadTaskOutput { task_id, file_name: name.to_owned(), offset, size: PIECE, volume: None };
        let text = session.call(&ask).await?;
        let piece = BASE64_STANDARD.decode(text.trim()).context("the hub's log piece is no base64")?;
        if piece.is_empty() {
            return Ok(content);
        }
        content.extend(piece);
    }
}

/// The names of a task's files.
pub(crate) async fn files(session: &Session, task_id: TaskId) -> anyhow::Result<Vec<String>> {
    let files = session.call(&ListTaskOutput { task_id, stat: false, all_volumes: false, strict: false }).await?;
    Ok(names(&files))
}

/// The hub answers a list of names, or a struct by name.
fn names(files: &Value) -> Vec<String> {
    match files {
        Value::Array(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Struct(files) => files.keys().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Whether a task's file is a log.
pub(crate) fn is_log(name: &str) -> bool {
    name.ends_with(".log")
}

/// Whether a log only says when the bytes of another came.
pub(crate) fn is_timestamps(name: &str) -> bool {
    name.ends_with("-ts.log")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_only() {
        let mut tail = Tail::default();
        assert_eq!(tail.lines(b"one\ntw".to_vec(), false), b"one\n");
        assert_eq!(tail.lines(b"o".to_vec(), false), b"");
        assert_eq!(tail.lines(b"\nthr\n\xff".to_vec(), false), b"two\nthr\n");
        assert_eq!(tail.lines(Vec::new(), true), b"\xff");
        assert_eq!(tail.lines(Vec::new(), true), b"");
    }
}
