//! Logs as text, however they are kept: packed, in parts, or as they are.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
};

use axum::{body::Body, http::Method};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::StreamExt;
use serde_json::json;
use sqlx::PgPool;
use toji_protocol::{
    id::TaskId,
    log_part::{self, Piece},
    object_key, packed_log,
};
use toji_store::Store;

use crate::app::App;

const LOG: &str = "packages/foo/1/1/data/logs/x86_64/build.log";

/// A log of lines that tell where they are: any bytes of it can be told from all others.
struct Lines {
    at: u64,
    size: u64,
}

impl Lines {
    fn new(size: u64) -> Self {
        Self { at: 0, size }
    }

    fn text(from: u64, to: u64) -> Vec<u8> {
        let mut text = Vec::with_capacity((to - from) as usize + 64);
        for line in from / 32..=to / 32 {
            writeln!(text, "{:>24} gcc -c", line * 32).unwrap();
        }
        text[(from % 32) as usize..][..(to - from) as usize].to_vec()
    }
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = self.size.min(self.at + buffer.len() as u64);
        buffer[..(end - self.at) as usize].copy_from_slice(&Self::text(self.at, end));
        let read = end - self.at;
        self.at = end;
        Ok(read as usize)
    }
}

/// Keeps a packed log, as builders do.
async fn keep_packed(store: &Store, key: &str, size: u64) {
    const PART: usize = 8 << 20;
    let mut file = tempfile::tempfile().unwrap();
    packed_log::pack(&mut BufReader::new(Lines::new(size)), size, &mut file).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let upload = store.start_packed_log(key).await.unwrap();
    let mut parts = Vec::new();
    for number in 1.. {
        let mut part = Vec::new();
        (&mut file).take(PART as u64).read_to_end(&mut part).unwrap();
        let is_last = part.len() < PART;
        parts.push(store.put_part(key, &upload, number, Bytes::from(part)).await.unwrap());
        if is_last {
            break;
        }
    }
    store.complete(key, &upload, &parts).await.unwrap();
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn packed_logs_are_served_as_files_of_text(pool: PgPool) {
    let mut app = App::new(pool).await;
    let size = 3 * packed_log::CHUNK + 1234;
    keep_packed(&app.hub.store, LOG, size).await;
    app.hub.store.put(&LOG.replace("build", "root"), "0123456789", "text/plain").await.unwrap();
    app.hub.store.put(&LOG.replace("build", "empty"), "", "text/plain").await.unwrap();
    let path = format!("/kojifiles/{LOG}");
    for _ in 0..2 {
        // whoever can unpack it gets it unpacked, too: stock koji takes Content-Length for the file's size
        for headers in [&[][..], &[("accept-encoding", "gzip, deflate")]] {
            let whole = app.get(&path, headers).await;
            assert_eq!((whole.status.as_u16(), whole.header("content-encoding")), (200, ""));
            assert_eq!(whole.header("content-type"), "text/plain; charset=utf-8");
            assert_eq!((whole.header("content-length"), whole.header("accept-ranges")), (&*size.to_string(), "bytes"));
            assert!(whole.body == Lines::text(0, size));
        }
        let head = app.request(Method::HEAD, &path, &[], Body::empty()).await;
        assert_eq!((head.status.as_u16(), head.header("content-length")), (200, &*size.to_string()));
        assert!(head.body.is_empty());
        let etag = head.header("etag").to_owned();
        for (from, to) in
            [(0, 1), (100, 200), (packed_log::CHUNK - 5, packed_log::CHUNK + 5), (7, size), (size - 9, size)]
        {
            let part = app.get(&path, &[("range", &format!("bytes={from}-{}", to - 1)), ("if-range", &etag)]).await;
            assert_eq!((part.status.as_u16(), part.header("content-length")), (206, &*(to - from).to_string()));
            assert_eq!(part.header("content-range"), format!("bytes {from}-{}/{size}", to - 1));
            assert!(part.body == Lines::text(from, to), "{from}-{to}");
        }
        assert!(app.get(&path, &[("range", "bytes=-50")]).await.body == Lines::text(size - 50, size));
        let behind = app.get(&path, &[("range", &format!("bytes={size}-"))]).await;
        assert_eq!((behind.status.as_u16(), behind.header("content-range")), (416, &*format!("bytes */{size}")));
        let changed = app.get(&path, &[("range", "bytes=0-4"), ("if-range", "\"other\"")]).await;
        assert_eq!((changed.status.as_u16(), changed.body.len() as u64), (200, size));
        assert_eq!(app.get(&path, &[("if-none-match", &etag)]).await.status, 304);
        // logs of before, and of other systems
        assert_eq!(app.get(&path.replace("build", "root"), &[("range", "bytes=2-4")]).await.text(), "234");
        let empty = app.get(&path.replace("build", "empty"), &[]).await;
        assert_eq!((empty.status.as_u16(), empty.body.len()), (200, 0));
        assert_eq!(app.get(&path.replace("build", "none"), &[]).await.status, 404);
        // and so behind a front door
        app.router = toji_api::router(app.hub.clone());
    }
}

/// A task at an attempt.
async fn task(app: &App, state: i32, attempt: i32) -> TaskId {
    let insert = "INSERT INTO task (method, coordinated, request, owner, channel_id, arch, priority, weight, create_time, free_since,
            state, attempt, completion_time)
        SELECT 'buildArch', false, '', users.id, 1, 'noarch', 20, 1, now(), now(), $1, $2, CASE WHEN $1 IN (2, 3, 5) THEN now() END
        FROM users LIMIT 1 RETURNING id";
    let id: i64 = sqlx::query_scalar(insert).bind(state).bind(attempt).fetch_one(&app.hub.pool).await.unwrap();
    TaskId(id)
}

async fn put_part(app: &App, task: TaskId, attempt: i32, part: u32, pieces: &[(&str, u64, &[u8])]) {
    let pieces: Vec<Piece<'_>> =
        pieces.iter().map(|(name, offset, bytes)| Piece { name, offset: *offset, bytes }).collect();
    let key = object_key::log_part(task, attempt, part);
    app.hub.store.put(&key, log_part::encode(&pieces), "application/octet-stream").await.unwrap();
}

async fn close(app: &App, task: TaskId, attempt: i32, name: &str, size: u64) {
    keep_packed(&app.hub.store, &object_key::attempt_file(task, attempt, name), size).await;
    let insert =
        "INSERT INTO task_file (task_id, attempt, name, size, sha256, upload_id, create_time, done_time, unpacked)
        VALUES ($1, $2, $3, 7, '', '', now(), now(), $4)";
    let insert = sqlx::query(insert).bind(task.0).bind(attempt).bind(name).bind(size as i64);
    insert.execute(&app.hub.pool).await.unwrap();
}

/// What `downloadTaskOutput` has of a log.
async fn text(app: &App, task: TaskId, name: &str, offset: i64, size: i64) -> Vec<u8> {
    let asked = json!({"taskID": task, "fileName": name, "offset": offset, "size": size});
    let told = app.json_ok("downloadTaskOutput", &asked.to_string()).await;
    BASE64_STANDARD.decode(told.as_str().unwrap()).unwrap()
}

async fn size(app: &App, task: TaskId, name: &str) -> String {
    let stat = app.json_ok("listTaskOutput", &json!({"taskID": task, "stat": true}).to_string()).await;
    stat[name]["st_size"].as_str().unwrap_or_default().to_owned()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn closing_a_log_changes_nothing_that_is_read(pool: PgPool) {
    let app = App::new(pool).await;
    let task = task(&app, 0, 1).await;
    let end = packed_log::CHUNK + 777;
    let path = format!("/kojifiles/work/{}/build.log", object_key::task_dir(task));
    // two logs in uneven pieces, one of them longer than a part's first read
    let cuts = [0, 5, 5000, 100_000, 100_001, end];
    for (part, cut) in (1..).zip(cuts.windows(2)) {
        let bytes = Lines::text(cut[0], cut[1]);
        let offset = u64::from(part) * 2 - 2;
        put_part(&app, task, 1, part, &[("root.log", offset, b"x\n"), ("build.log", cut[0], &bytes)]).await;
    }
    let mut seen = Vec::new();
    for is_closed in [false, true] {
        if is_closed {
            close(&app, task, 1, "build.log", end).await;
        }
        let mut answers = Vec::new();
        for (offset, length) in [(0, -1), (3, 10), (4990, 20), (-100, -1), (-100, 7), (end as i64 + 5, 4), (99_999, 2)]
        {
            answers.push(text(&app, task, "build.log", offset, length).await);
        }
        assert!(answers[0] == Lines::text(0, end));
        assert_eq!(answers[1], Lines::text(3, 13));
        assert_eq!(size(&app, task, "build.log").await, end.to_string());
        let mut place = path.clone();
        let found = app.get(&path, &[]).await;
        if found.status == 302 {
            place = found.header("location").to_owned();
        }
        for range in ["bytes=0-", "bytes=4990-5009", "bytes=-3", "bytes=99999999-"] {
            let part = app.get(&place, &[("range", range)]).await;
            assert_eq!(part.header("content-length"), part.body.len().to_string());
            answers.push([part.header("content-range").as_bytes(), &part.body].concat());
        }
        let whole = app.get(&place, &[]).await;
        assert_eq!((whole.status.as_u16(), whole.header("content-length")), (200, &*end.to_string()));
        assert_eq!(whole.header("content-type"), "text/plain; charset=utf-8");
        assert!(whole.body == Lines::text(0, end));
        seen.push(answers);
    }
    assert!(seen[0] == seen[1], "before and after");
    // the other log is not closed yet, and is read as it was
    assert_eq!(text(&app, task, "root.log", 0, -1).await, b"x\n".repeat(5));
    // an import has moved it
    let moved = "UPDATE task_file SET moved_to = 'packages/a/1/1/data/logs/noarch/build.log'";
    sqlx::query(moved).execute(&app.hub.pool).await.unwrap();
    assert_eq!(app.get(&path, &[]).await.header("location"), "/kojifiles/packages/a/1/1/data/logs/noarch/build.log");
    assert_eq!(app.get(&path.replace("build", "none"), &[]).await.status, 404);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_an_attempt_says_hides_what_an_earlier_one_closed(pool: PgPool) {
    let app = App::new(pool).await;
    let task = task(&app, 0, 2).await;
    close(&app, task, 1, "build.log", 500).await;
    let path = format!("/kojifiles/work/{}/build.log", object_key::task_dir(task));
    // nothing yet of the second
    assert_eq!(text(&app, task, "build.log", 0, -1).await, Lines::text(0, 500));
    put_part(&app, task, 2, 1, &[("build.log", 0, b"again\n")]).await;
    for state in [0, 5] {
        sqlx::query("UPDATE task SET state = $1, completion_time = CASE WHEN $1 = 5 THEN now() END")
            .bind(state)
            .execute(&app.hub.pool)
            .await
            .unwrap();
        assert_eq!(text(&app, task, "build.log", 0, -1).await, b"again\n");
        assert_eq!(size(&app, task, "build.log").await, "6");
        assert_eq!(app.get(&path, &[("range", "bytes=2-")]).await.text(), "ain\n");
    }
    // a part that was damaged is a hole, and what follows stands where it should
    app.hub.store.put(&object_key::log_part(task, 2, 2), "nonsense", "application/octet-stream").await.unwrap();
    put_part(&app, task, 2, 3, &[("build.log", 8, b"end\n")]).await;
    assert_eq!(text(&app, task, "build.log", 0, -1).await, b"again\n\0\0end\n");
}

/// The most memory that this process had since the last time, in KiB, and what it has now.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap()
    };
    File::options().write(true).open("/proc/self/clear_refs").unwrap().write_all(b"5").unwrap();
    (of("VmHWM:"), of("VmRSS:"))
}

/// `TOJI_SOAK` makes the log 1 GB.
#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_long_log_is_read_in_little_memory(pool: PgPool) {
    const MOST_KIB: u64 = 24 << 10;
    let app = App::new(pool).await;
    let task = task(&app, 2, 1).await;
    let end: u64 = if std::env::var_os("TOJI_SOAK").is_some() { 1 << 30 } else { 96 << 20 };
    close(&app, task, 1, "build.log", end).await;
    let key = object_key::attempt_file(task, 1, "build.log");
    let packed = app.hub.store.head(&key).await.unwrap().unwrap().size;
    let url = format!("/kojifiles/{key}");
    memory();
    let (_, before) = memory();
    let begun = std::time::Instant::now();
    assert_eq!(text(&app, task, "build.log", -1000, -1).await, Lines::text(end - 1000, end));
    let tail = begun.elapsed();
    for at in [0, end / 3, end / 2, end - 16384] {
        assert_eq!(text(&app, task, "build.log", at as i64, 16384).await, Lines::text(at, at + 16384));
    }
    let range = format!("bytes={}-{}", end / 2, end / 2 + 99);
    assert_eq!(app.get(&url, &[("range", &range)]).await.body, Lines::text(end / 2, end / 2 + 100));
    let (highest, _) = memory();
    assert!(highest < before + MOST_KIB, "{before} KiB became {highest}");
    // all of it, read as it comes
    let begun = std::time::Instant::now();
    let mut body = app.stream(&url).await;
    let mut at = 0;
    while let Some(piece) = body.next().await {
        let piece = piece.unwrap();
        let next = at + piece.len() as u64;
        assert!(piece[..] == Lines::text(at, next), "{at}");
        at = next;
    }
    assert_eq!(at, end);
    let (whole, (highest, _)) = (begun.elapsed(), memory());
    println!(
        "{end} bytes, packed {packed}: the tail in {tail:?}, all in {whole:?}, {} KiB more at the most",
        highest.saturating_sub(before)
    );
    assert!(highest < before + MOST_KIB, "{before} KiB became {highest}");
}
