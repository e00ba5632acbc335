//! Logs of attempts whose builder has not closed them: read off the numbered parts that it has sent (`toji_protocol::log_part`).
//!
//! Parts never change. So where each log's bytes are in them is read once, off the parts' first lines, and kept by the process within
//! bounds; the bytes themselves are read when they are asked for.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};
use futures::{FutureExt, Stream, StreamExt, TryStreamExt, future::BoxFuture, stream};
use toji_protocol::{id::TaskId, log_part, object_key};
use toji_store::{Object, Store};

use crate::{Hub, Result};

/// Requests to S3 at once.
const AT_ONCE: usize = 16;
/// The first line of most parts, and mostly all of them.
const HEAD: u64 = 2048;
/// What a process keeps, in pieces of logs: some 32 MiB.
const KEPT: usize = 1 << 20;

/// Where some bytes of a log are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    /// Where they begin in the log.
    offset: u64,
    len: u64,
    /// The part, and where in it.
    part: u32,
    at: u64,
}

impl Span {
    fn end(&self) -> u64 {
        self.offset + self.len
    }
}

/// The logs of one attempt, as far as they were sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct LiveLogs {
    /// The newest part that was looked at.
    newest: u32,
    logs: BTreeMap<String, Arc<Vec<Span>>>,
}

/// One log of them.
#[derive(Clone, Debug)]
pub struct LiveLog {
    store: Store,
    task: TaskId,
    attempt: i32,
    spans: Arc<Vec<Span>>,
}

#[derive(Default)]
struct Kept {
    attempts: HashMap<(TaskId, i32), (u64, LiveLogs)>,
    clock: u64,
}

static KEPT_LOGS: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);

/// Finds the logs of an attempt.
///
/// # Errors
/// When S3 is away.
pub(crate) async fn find(hub: &Hub, task: TaskId, attempt: i32) -> Result<LiveLogs> {
    let mut logs = kept().take(task, attempt);
    let prefix = object_key::log_part_prefix(task, attempt);
    let after = (logs.newest > 0).then(|| object_key::log_part(task, attempt, logs.newest));
    let parts = hub.store.list_after(&prefix, after).await?;
    let heads: Vec<BoxFuture<'_, _>> = parts.iter().map(|part| head(hub, &prefix, part).boxed()).collect();
    let mut heads = stream::iter(heads).buffered(AT_ONCE);
    while let Some((part, pieces)) = heads.try_next().await? {
        logs.newest = logs.newest.max(part);
        pieces.into_iter().for_each(|(name, span)| logs.add(name, span));
    }
    drop(heads);
    kept().keep(task, attempt, logs.clone());
    Ok(logs)
}

/// Whether a file is one that builders send while it grows.
pub fn is_log(name: &str) -> bool {
    name.ends_with(".log")
}

/// Finds one log of an attempt.
///
/// # Errors
/// When S3 is away.
pub(crate) async fn find_one(hub: &Hub, task: TaskId, attempt: i32, name: &str) -> Result<Option<LiveLog>> {
    if attempt == 0 || !is_log(name) {
        return Ok(None);
    }
    let spans = find(hub, task, attempt).await?.logs.remove(name);
    Ok(spans.map(|spans| LiveLog { store: hub.store.clone(), task, attempt, spans }))
}

/// What a part's first line tells: its number, and its pieces. One that cannot be read has none.
async fn head(hub: &Hub, prefix: &str, part: &Object) -> Result<(u32, Vec<(String, Span)>)> {
    let Some(number) = part.key.strip_prefix(prefix).and_then(|number| number.parse().ok()) else {
        return Ok((0, Vec::new()));
    };
    let size = part.size.unsigned_abs();
    let mut read = HEAD.min(size);
    loop {
        let bytes = if read == 0 { Bytes::new() } else { hub.store.get_range(&part.key, 0..read).await? };
        match log_part::decode_head(&bytes) {
            Ok(Some((pieces, mut at))) => {
                let spans = pieces.into_iter().map(|piece| {
                    let span = Span { offset: piece.offset, len: piece.len, part: number, at };
                    at = at.saturating_add(piece.len);
                    (piece.name, span)
                });
                let spans: Vec<_> = spans.collect();
                if at == size {
                    return Ok((number, spans));
                }
                tracing::warn!(key = part.key, "a log part of another length than it says is left out");
            }
            Ok(None) if read < size => {
                read = size.min(read * 16);
                continue;
            }
            Ok(None) => tracing::warn!(key = part.key, "a log part without a first line is left out"),
            Err(error) => tracing::warn!(key = part.key, %error, "a log part is left out"),
        }
        return Ok((number, Vec::new()));
    }
}

impl LiveLogs {
    /// The names and sizes of all.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (&str, u64)> {
        self.logs.iter().map(|(name, spans)| (name.as_str(), spans.last().map_or(0, Span::end)))
    }

    /// Adds a piece. What lies behind its beginning was replaced; a piece sent twice changes nothing.
    fn add(&mut self, name: String, span: Span) {
        let spans = Arc::make_mut(self.logs.entry(name).or_default());
        spans.truncate(spans.partition_point(|earlier| earlier.offset < span.offset));
        if let Some(last) = spans.last_mut() {
            last.len = last.len.min(span.offset - last.offset);
        }
        if span.len > 0 {
            spans.push(span);
        }
    }

    fn pieces(&self) -> usize {
        self.logs.values().map(|spans| spans.len()).sum()
    }
}

impl LiveLog {
    /// Bytes, so far.
    pub fn size(&self) -> u64 {
        self.spans.last().map_or(0, Span::end)
    }

    /// Bytes of it, as they come; fewer when it ends before. Where a part was left out there are zero bytes.
    pub fn stream(self, range: Range<u64>) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        let range = range.start..range.end.min(self.size());
        let first = self.spans.partition_point(|span| span.end() <= range.start);
        let spans: Vec<Span> = self.spans[first..].iter().take_while(|span| span.offset < range.end).copied().collect();
        let mut at = range.start;
        let reads = spans.into_iter().map(move |span| {
            let (from, to) = (span.offset.max(range.start), span.end().min(range.end));
            let hole = from.saturating_sub(at);
            at = to;
            let wanted = span.at + (from - span.offset)..span.at + (to - span.offset);
            let (store, key) = (self.store.clone(), object_key::log_part(self.task, self.attempt, span.part));
            async move {
                let bytes = store.get_range(&key, wanted).await?;
                if hole == 0 {
                    return Ok(bytes);
                }
                let mut filled = BytesMut::zeroed(hole as usize);
                filled.extend_from_slice(&bytes);
                Ok(filled.freeze())
            }
        });
        stream::iter(reads).buffered(AT_ONCE / 4)
    }

    /// The same, in one piece.
    ///
    /// # Errors
    /// When S3 is away.
    pub async fn read(self, range: Range<u64>) -> Result<Bytes> {
        let pieces: Vec<Bytes> = self.stream(range).try_collect().await?;
        Ok(pieces.concat().into())
    }
}

fn kept() -> MutexGuard<'static, Kept> {
    KEPT_LOGS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    fn take(&mut self, task: TaskId, attempt: i32) -> LiveLogs {
        self.attempts.remove(&(task, attempt)).map(|(_, logs)| logs).unwrap_or_default()
    }

    /// Keeps what was found, and drops what was longest not asked for when it is too much.
    fn keep(&mut self, task: TaskId, attempt: i32, logs: LiveLogs) {
        self.clock += 1;
        self.attempts.insert((task, attempt), (self.clock, logs));
        while self.attempts.values().map(|(_, logs)| logs.pieces()).sum::<usize>() > KEPT {
            let oldest = self.attempts.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| *key);
            let Some(oldest) = oldest else { return };
            self.attempts.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(pieces: &[(u64, u64)]) -> Vec<(u64, u64, u32)> {
        let mut logs = LiveLogs::default();
        for (part, (offset, len)) in (1..).zip(pieces) {
            logs.add("a.log".to_owned(), Span { offset: *offset, len: *len, part, at: 40 });
        }
        logs.logs["a.log"].iter().map(|span| (span.offset, span.len, span.part)).collect()
    }

    #[test]
    fn pieces_follow_each_other_and_replace_what_they_overlap() {
        assert_eq!(spans(&[(0, 5), (5, 3)]), [(0, 5, 1), (5, 3, 2)]);
        assert_eq!(spans(&[(0, 5), (0, 5)]), [(0, 5, 2)], "sent twice");
        assert_eq!(spans(&[(0, 5), (5, 3), (0, 2)]), [(0, 2, 3)], "it begins again");
        assert_eq!(spans(&[(0, 5), (5, 3), (4, 9)]), [(0, 4, 1), (4, 9, 3)]);
        assert_eq!(spans(&[(0, 5), (5, 0)]), [(0, 5, 1)], "the end that the last part tells");
        assert_eq!(spans(&[(0, 5), (9, 1)]), [(0, 5, 1), (9, 1, 2)], "a part between them was left out");
        assert_eq!(spans(&[(0, 0)]), []);
    }
}
