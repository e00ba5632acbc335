//! A task's files and logs, while it runs and after.
//!
//! While it runs, its logs are numbered parts in S3 (see `toji_protocol::log_part`). Parts never change, so what a process has
//! read of them it keeps, within bounds, and the next reader of the same log costs one list call.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{LazyLock, Mutex},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use sqlx::PgConnection;
use toji_protocol::{
    id::TaskId,
    log_part,
    method::task::{DownloadTaskOutput, ListTaskOutput},
    object_key,
    time::Time,
    value::{Map, Value},
};

use super::sql;
use crate::{
    Error, Hub, Result,
    call::{Cx, Handle},
};

/// Koji's name for the only volume there is.
const VOLUME: &str = "DEFAULT";
/// What a process keeps of live logs, in bytes.
const KEPT: usize = 64 << 20;
/// The most that one answer holds when no size is asked for.
const LARGEST: u64 = 32 << 20;

/// A file of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskOutput {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: i64,
    /// Its SHA-256, lower-case hex.
    pub sha256: String,
    /// Its last change.
    pub time: chrono::DateTime<chrono::Utc>,
    /// Where it is.
    pub key: String,
}

/// The whole files of a task's newest attempt that has any.
pub async fn files(conn: &mut PgConnection, task: TaskId) -> Result<Vec<TaskOutput>> {
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (name) name, attempt, size, sha256, done_time AS "done_time!", moved_to FROM task_file
           WHERE task_id = $1 AND done_time IS NOT NULL ORDER BY name, attempt DESC"#,
        task.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| TaskOutput {
            key: row.moved_to.unwrap_or_else(|| object_key::attempt_file(task, row.attempt, &row.name)),
            name: row.name,
            size: row.size,
            sha256: row.sha256,
            time: row.done_time,
        })
        .collect())
}

/// The whole files of one attempt: what an import may take. An earlier attempt's may be cut short, or of another result.
pub async fn files_of_attempt(conn: &mut PgConnection, task: TaskId, attempt: i32) -> Result<Vec<TaskOutput>> {
    let rows = sqlx::query!(
        r#"SELECT name, size, sha256, done_time AS "done_time!", moved_to FROM task_file
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
            sha256: row.sha256,
            time: row.done_time,
        })
        .collect())
}

#[derive(Default)]
struct Live {
    /// Parts read so far.
    parts: usize,
    logs: BTreeMap<String, Vec<u8>>,
    /// When it was last asked for, to drop the oldest.
    used: u64,
}

#[derive(Default)]
struct Kept {
    live: HashMap<(TaskId, i32), Live>,
    clock: u64,
}

static LIVE: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);

/// The logs that a running attempt has sent so far.
async fn live_logs(hub: &Hub, task: TaskId, attempt: i32) -> Result<BTreeMap<String, Vec<u8>>> {
    let parts = hub.store.list(&object_key::log_part_prefix(task, attempt)).await?;
    let mut live = {
        let mut kept = LIVE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.live.remove(&(task, attempt)).unwrap_or_default()
    };
    for part in parts.iter().skip(live.parts) {
        let bytes = hub.store.get(&part.key).await?;
        match log_part::decode(&bytes) {
            Ok(decoded) => {
                for (head, new) in decoded.pieces {
                    let log = live.logs.entry(head.name).or_default();
                    // what lies behind the piece was replaced; a piece sent twice changes nothing
                    log.truncate(head.offset as usize);
                    log.extend_from_slice(new);
                }
            }
            Err(error) => tracing::warn!(key = part.key, %error, "a log part is left out"),
        }
        live.parts += 1;
    }
    let logs = live.logs.clone();
    let mut kept = LIVE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    kept.clock += 1;
    live.used = kept.clock;
    kept.live.insert((task, attempt), live);
    let size = |kept: &Kept| kept.live.values().flat_map(|live| live.logs.values()).map(Vec::len).sum::<usize>();
    while size(&kept) > KEPT {
        let oldest = kept.live.iter().min_by_key(|(_, live)| live.used).map(|(key, _)| *key);
        match oldest {
            Some(oldest) => kept.live.remove(&oldest),
            None => break,
        };
    }
    Ok(logs)
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
        let mut found: BTreeMap<String, (i64, f64)> =
            files(conn, row.id).await?.into_iter().map(|file| (file.name, (file.size, Time(file.time).ts()))).collect();
        cx.release();
        if row.attempt > 0 && (!row.state.is_final() || found.is_empty()) {
            let now = Time(cx.now).ts();
            for (name, log) in live_logs(&cx.hub, row.id, row.attempt).await? {
                found.entry(name).or_insert((log.len() as i64, now));
            }
        }
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
        let file = files(conn, row.id).await?.into_iter().find(|file| file.name == self.file_name);
        cx.release();
        let (total, from_log) = match &file {
            Some(file) => (file.size as u64, None),
            None if row.attempt > 0 => {
                let mut logs = live_logs(&cx.hub, row.id, row.attempt).await?;
                let log = logs.remove(&self.file_name).ok_or_else(missing)?;
                (log.len() as u64, Some(log))
            }
            None => return Err(missing()),
        };
        let (start, end) = range(total, self.offset, self.size)?;
        if start >= end {
            return Ok(String::new());
        }
        let bytes = match (from_log, &file) {
            (Some(log), _) => log[start as usize..end as usize].to_vec(),
            (None, Some(file)) => cx.hub.store.get_range(&file.key, start..end).await?.to_vec(),
            (None, None) => return Err(missing()),
        };
        Ok(BASE64_STANDARD.encode(bytes))
    }
}

/// The bytes that are meant by an offset (below zero: from the end) and a size (-1: all).
fn range(total: u64, offset: i64, size: i64) -> Result<(u64, u64)> {
    if size < -1 {
        return Err(Error::parameter("size must not be below -1"));
    }
    let start = match u64::try_from(offset) {
        Ok(offset) => offset.min(total),
        Err(_) => total.saturating_sub(offset.unsigned_abs()),
    };
    let most = u64::try_from(size).unwrap_or(LARGEST).min(LARGEST);
    Ok((start, start.saturating_add(most).min(total)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(range(10, 0, -1).unwrap(), (0, 10));
        assert_eq!(range(10, 4, 3).unwrap(), (4, 7));
        assert_eq!(range(10, -3, -1).unwrap(), (7, 10));
        assert_eq!(range(10, -30, 2).unwrap(), (0, 2));
        assert_eq!(range(10, 30, 2).unwrap(), (10, 10));
        assert!(range(10, 0, -2).is_err());
    }
}
