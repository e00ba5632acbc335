//! A task's files and logs, while it runs and after.
//!
//! A log is one object when its builder has closed it, packed (`toji_protocol::packed_log`); before, and when the builder died before
//! it could, it is read off the parts that were sent (`live_log`). Those who ask see its text in either case.

use std::{collections::BTreeMap, ops::Range};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use sqlx::PgConnection;
use toji_protocol::{
    id::TaskId,
    method::task::{DownloadTaskOutput, ListTaskOutput},
    object_key,
    time::Time,
    value::{Map, Value},
};
use toji_store::StoreError;

use super::{
    TaskRow,
    live_log::{self, LiveLog, is_log},
    sql,
};
use crate::{
    Error, Hub, Result,
    call::{Cx, Handle},
};

/// Koji's name for the only volume there is.
const VOLUME: &str = "DEFAULT";
/// The most that one answer holds when no size is asked for.
const LARGEST: u64 = 32 << 20;

/// A file of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskOutput {
    /// Its name.
    pub name: String,
    /// Bytes that are kept.
    pub size: i64,
    /// Bytes of its text, when it is a log that is kept packed.
    pub unpacked: Option<i64>,
    /// The SHA-256 of what is kept, lower-case hex.
    pub sha256: String,
    /// Its last change.
    pub time: chrono::DateTime<chrono::Utc>,
    /// Where it is.
    pub key: String,
}

impl TaskOutput {
    /// Bytes that a reader gets.
    pub fn text_size(&self) -> i64 {
        self.unpacked.unwrap_or(self.size)
    }
}

/// The whole files of a task, each with its attempt: of each name the newest.
async fn newest_files(conn: &mut PgConnection, task: TaskId) -> Result<Vec<(i32, TaskOutput)>> {
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (name) name, attempt, size, unpacked, sha256, done_time AS "done_time!", moved_to FROM task_file
           WHERE task_id = $1 AND done_time IS NOT NULL ORDER BY name, attempt DESC"#,
        task.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let key = row.moved_to.unwrap_or_else(|| object_key::attempt_file(task, row.attempt, &row.name));
            let (size, unpacked, time) = (row.size, row.unpacked, row.done_time);
            (row.attempt, TaskOutput { name: row.name, size, unpacked, sha256: row.sha256, time, key })
        })
        .collect())
}

/// The whole files of a task: of each name the newest attempt's.
pub async fn files(conn: &mut PgConnection, task: TaskId) -> Result<Vec<TaskOutput>> {
    Ok(newest_files(conn, task).await?.into_iter().map(|(_, file)| file).collect())
}

/// The whole files of one attempt: what an import may take. An earlier attempt's may be cut short, or of another result.
pub async fn files_of_attempt(conn: &mut PgConnection, task: TaskId, attempt: i32) -> Result<Vec<TaskOutput>> {
    let rows = sqlx::query!(
        r#"SELECT name, size, unpacked, sha256, done_time AS "done_time!", moved_to FROM task_file
           WHERE task_id = $1 AND attempt = $2 AND done_time IS NOT NULL ORDER BY name"#,
        task.0,
        attempt
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| TaskOutput {
            key: row.moved_to.unwrap_or_else(|| object_key::attempt_file(task, attempt, &row.name)),
            name: row.name,
            size: row.size,
            unpacked: row.unpacked,
            sha256: row.sha256,
            time: row.done_time,
        })
        .collect())
}

/// All files and logs of a task, by name: size and time. What the attempt at hand has not closed is told as far as it was sent; what
/// only an earlier one has, is that one's.
async fn sizes(cx: &mut Cx, row: &TaskRow) -> Result<BTreeMap<String, (i64, f64)>> {
    let files = newest_files(cx.db().await?, row.id).await?;
    cx.release();
    let told = |file: &TaskOutput| (file.text_size(), Time(file.time).ts());
    let mut found: BTreeMap<String, (i64, f64)> =
        files.iter().map(|(_, file)| (file.name.clone(), told(file))).collect();
    let is_closed =
        row.state.is_final() && files.iter().any(|(attempt, file)| *attempt == row.attempt && is_log(&file.name));
    if row.attempt > 0 && !is_closed {
        let now = Time(cx.now).ts();
        let own = |name: &str| files.iter().any(|(attempt, file)| *attempt == row.attempt && file.name == name);
        for (name, size) in live_log::find(&cx.hub, row.id, row.attempt).await?.sizes() {
            if !own(name) {
                found.insert(name.to_owned(), (size as i64, now));
            }
        }
    }
    Ok(found)
}

impl Handle for ListTaskOutput {
    async fn handle(self, cx: &mut Cx) -> Result<Value> {
        let conn = cx.db().await?;
        let Some(row) = sql::get(conn, self.task_id).await? else {
            if self.strict {
                return Err(super::no_such_task(self.task_id));
            }
            let nothing =
                if self.stat || self.all_volumes { Value::Struct(Map::new()) } else { Value::Array(Vec::new()) };
            return Ok(nothing);
        };
        let found = sizes(cx, &row).await?;
        Ok(shape(found, self.stat, self.all_volumes))
    }
}

fn shape(files: BTreeMap<String, (i64, f64)>, stat: bool, all_volumes: bool) -> Value {
    let map =
        |members: [(&str, Value); 2]| Value::Struct(members.map(|(n, v)| (n.to_owned(), v)).into_iter().collect());
    let stats = |(size, time): (i64, f64)| {
        map([("st_size", Value::String(size.to_string())), ("st_mtime", Value::Double(time))])
    };
    let in_volume = |value: Value| Value::Struct([(VOLUME.to_owned(), value)].into_iter().collect());
    match (stat, all_volumes) {
        (false, false) => Value::Array(files.into_keys().map(Value::String).collect()),
        (false, true) => {
            let volumes = || Value::Array(vec![Value::from(VOLUME)]);
            Value::Struct(files.into_keys().map(|name| (name, volumes())).collect())
        }
        (true, false) => Value::Struct(files.into_iter().map(|(name, file)| (name, stats(file))).collect()),
        (true, true) => Value::Struct(files.into_iter().map(|(name, file)| (name, in_volume(stats(file)))).collect()),
    }
}

impl Handle for DownloadTaskOutput {
    async fn handle(self, cx: &mut Cx) -> Result<String> {
        if self.volume.as_deref().is_some_and(|volume| volume != VOLUME) {
            return Err(Error::missing(format!("No such volume: only {VOLUME} is there")));
        }
        let missing = || Error::missing(format!("No file \"{}\" output for task {}", self.file_name, self.task_id));
        let conn = cx.db().await?;
        let row = sql::get(conn, self.task_id).await?.ok_or_else(|| super::no_such_task(self.task_id))?;
        let file = newest_files(conn, row.id).await?.into_iter().find(|(_, file)| file.name == self.file_name);
        cx.release();
        let (log, file) = match file {
            Some((attempt, file)) if attempt == row.attempt => (None, Some(file)),
            file => (live(&cx.hub, &row, &self.file_name).await?, file.map(|(_, file)| file)),
        };
        let (offset, size) = (self.offset, self.size);
        let bytes = match (log, file) {
            (Some(log), _) => log.clone().read(range(log.size(), offset, size)?).await?,
            (None, Some(file)) => read(&cx.hub, &file, range(file.text_size().unsigned_abs(), offset, size)?).await?,
            (None, None) => return Err(missing()),
        };
        Ok(BASE64_STANDARD.encode(bytes))
    }
}

/// A log of the attempt at hand, as far as it was sent.
async fn live(hub: &Hub, row: &TaskRow, name: &str) -> Result<Option<LiveLog>> {
    live_log::find_one(hub, row.id, row.attempt, name).await
}

/// Bytes of a file as its readers see it.
async fn read(hub: &Hub, file: &TaskOutput, range: Range<u64>) -> Result<Bytes> {
    if range.is_empty() {
        return Ok(Bytes::new());
    }
    if file.unpacked.is_none() {
        return Ok(hub.store.get_range(&file.key, range).await?);
    }
    let log = hub.store.packed_log(&file.key).await?;
    let log = log.ok_or_else(|| StoreError::Mismatch { key: file.key.clone(), message: "is not packed".to_owned() })?;
    Ok(log.read(range).await?)
}

/// The bytes that are meant by an offset (below zero: from the end) and a size (-1: all).
fn range(total: u64, offset: i64, size: i64) -> Result<Range<u64>> {
    if size < -1 {
        return Err(Error::parameter("size must not be below -1"));
    }
    let start = match u64::try_from(offset) {
        Ok(offset) => offset.min(total),
        Err(_) => total.saturating_sub(offset.unsigned_abs()),
    };
    let most = u64::try_from(size).unwrap_or(LARGEST).min(LARGEST);
    Ok(start..start.saturating_add(most).min(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(range(10, 0, -1).unwrap(), 0..10);
        assert_eq!(range(10, 4, 3).unwrap(), 4..7);
        assert_eq!(range(10, -3, -1).unwrap(), 7..10);
        assert_eq!(range(10, -30, 2).unwrap(), 0..2);
        assert_eq!(range(10, 30, 2).unwrap(), 10..10);
        assert!(range(10, 0, -2).is_err());
    }
}
