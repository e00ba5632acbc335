//! Logs at the end of an attempt: packed, uploaded, and then without their parts; or not, when the builder dies.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use toji_hub::{error::Error, sweep};
use toji_protocol::{
    log_part::{self, Piece},
    object_key, packed_log,
};

use crate::{
    builder,
    world::{Held, Host, World, seconds, start},
};

const TEXT: &str = "+ make\nall of it\n";

struct Scene {
    world: World,
    host: Host,
    task: i64,
    held: Held,
}

impl Scene {
    /// A task at work, whose log was sent in two parts.
    async fn new(pool: PgPool) -> Self {
        let world = World::new(pool).await;
        let host = world.host("one", &["x86_64"], 2.0, &["m"]).await;
        let task = world.make("m", json!({}), start()).await;
        let held = host.take(&world, start()).await;
        let scene = Self { world, host, task, held };
        scene.part(&scene.held, 1, &log_part::encode(&[piece(0, "+ make\n")])).await;
        scene.part(&scene.held, 2, &log_part::encode(&[piece(7, "all of it\n")])).await;
        scene
    }

    async fn part(&self, held: &Held, number: u32, part: &[u8]) {
        let arguments = held.with(json!({"first": number, "count": 1}));
        let urls = self.host.ok(&self.world, "host.logUrls", arguments, start()).await;
        let url = urls[0].as_str().unwrap().to_owned();
        drop(rustls::crypto::ring::default_provider().install_default());
        let sent = reqwest::Client::new().put(url).body(part.to_vec()).send().await.unwrap();
        assert!(sent.status().is_success());
    }

    async fn last_part(&self, held: &Held, number: u32, size: usize) {
        self.part(held, number, &log_part::encode_last([("build.log", size as u64)])).await;
    }

    /// Uploads the packed log, but for the call that ends it. Answers that call's arguments.
    async fn begin_close(&self, held: &Held, now: DateTime<Utc>) -> Result<Value, Error> {
        let (file, packed) = packed();
        let plans = self.host.call(&self.world, "host.startUpload", held.with(json!({"files": [file]})), now).await?;
        let done = builder::put(&plans[0], "build.log", &packed).await;
        Ok(held.with(json!({"files": [done]})))
    }

    async fn text(&self) -> String {
        let asked = json!({"taskID": self.task, "fileName": "build.log"});
        let told = self.world.ok("downloadTaskOutput", asked).await;
        String::from_utf8(BASE64_STANDARD.decode(told.as_str().unwrap()).unwrap()).unwrap()
    }

    async fn parts(&self, attempt: i32) -> Vec<String> {
        let prefix = object_key::log_part_prefix(self.held.id, attempt);
        let parts = self.world.hub.store.list(&prefix).await.unwrap();
        parts.into_iter().map(|part| part.key.strip_prefix(&prefix).unwrap().to_owned()).collect()
    }

    async fn swept(&self, now: DateTime<Utc>) -> u64 {
        sweep::run_once(&self.world.hub, now).await.unwrap().log_parts
    }
}

fn piece(offset: u64, text: &str) -> Piece<'_> {
    Piece { name: "build.log", offset, bytes: text.as_bytes() }
}

/// The log as it is announced, and its bytes.
fn packed() -> (Value, Vec<u8>) {
    let mut packed = std::io::Cursor::new(Vec::new());
    packed_log::pack(&mut TEXT.as_bytes(), TEXT.len() as u64, &mut packed).unwrap();
    let packed = packed.into_inner();
    let digest = hex::encode(Sha256::digest(&packed));
    let size = packed.len();
    let file = json!({"name": "build.log", "size": size, "sha256": digest, "parts": [digest], "unpacked": TEXT.len()});
    (file, packed)
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_builder_that_dies_while_it_closes_loses_nothing(pool: PgPool) {
    let scene = Scene::new(pool).await;
    let Scene { world, host, task, held } = &scene;
    // all bytes have arrived, but nobody says so any more
    scene.begin_close(held, start()).await.unwrap();
    assert_eq!(scene.text().await, TEXT);
    let now = start() + seconds(31);
    world.rescue(start()).await;
    world.rescue(start() + seconds(16)).await;
    assert_eq!(world.rescue(now).await.lost, 1);
    assert_eq!(scene.text().await, TEXT, "the parts are still read");
    // the next one gets further: its log is closed, its task is not
    let again = host.take(world, now).await;
    scene.part(&again, 1, &log_part::encode(&[piece(0, "again\n")])).await;
    assert_eq!(scene.text().await, "again\n");
    let done = scene.begin_close(&again, now).await.unwrap();
    host.ok(world, "host.finishUpload", done, now).await;
    assert_eq!(scene.text().await, TEXT);
    world.rescue(now + seconds(16)).await;
    assert_eq!(world.rescue(now + seconds(32)).await.lost, 1);
    assert_eq!(scene.text().await, TEXT);
    // neither is swept: the first was never closed, and the second has no last part that says it is whole
    let later = now + TimeDelta::days(2);
    assert_eq!(scene.swept(later).await, 0);
    assert_eq!((scene.parts(1).await.len(), scene.parts(2).await.len()), (2, 1));
    assert_eq!(world.state(*task).await, 0);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn parts_of_closed_logs_are_swept(pool: PgPool) {
    let scene = Scene::new(pool).await;
    let Scene { world, host, held, .. } = &scene;
    scene.last_part(held, 3, TEXT.len()).await;
    let done = scene.begin_close(held, start()).await.unwrap();
    host.ok(world, "host.finishUpload", done, start()).await;
    host.close(world, held, "done", start()).await.unwrap();
    assert_eq!(scene.swept(start() + TimeDelta::hours(23)).await, 0, "somebody may be watching");
    let later = start() + TimeDelta::days(2);
    assert_eq!(scene.swept(later).await, 2);
    assert_eq!(scene.parts(1).await, ["00000001"]);
    assert_eq!(scene.text().await, TEXT);
    // who watches now is told that it has ended
    let last = world.hub.store.get(&object_key::log_part(held.id, 1, 1)).await.unwrap();
    assert!(log_part::decode(&last).unwrap().is_last);
    assert_eq!(scene.swept(later).await, 0);
    // a crash before it was noted, and one before the parts were gone
    sqlx::query("UPDATE task_run SET log_parts_swept = false").execute(&world.pool).await.unwrap();
    world.hub.store.put(&object_key::log_part(held.id, 1, 3), last, "").await.unwrap();
    assert_eq!(scene.swept(later).await, 1);
    assert_eq!((scene.parts(1).await.len(), scene.text().await), (1, TEXT.to_owned()));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn parts_stay_when_a_log_is_not_there_in_its_length(pool: PgPool) {
    let scene = Scene::new(pool).await;
    let Scene { world, host, held, .. } = &scene;
    scene.last_part(held, 3, TEXT.len() + 1).await;
    let done = scene.begin_close(held, start()).await.unwrap();
    host.ok(world, "host.finishUpload", done, start()).await;
    host.fail(world, held, "it broke", start()).await.unwrap();
    assert_eq!(scene.swept(start() + TimeDelta::days(2)).await, 0);
    assert_eq!(scene.parts(1).await.len(), 3);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_was_cancelled_may_still_close_its_logs(pool: PgPool) {
    let scene = Scene::new(pool).await;
    let Scene { world, host, task, held } = &scene;
    let rpm = builder::begin_upload(world, host, held, "a.rpm", b"built", start()).await;
    world.ok("cancelTask", json!({"task_id": task})).await;
    scene.last_part(held, 3, TEXT.len()).await;
    let stale = |answer: Result<Value, Error>| assert!(matches!(answer, Err(Error::Conflict(_))), "{answer:?}");
    // logs, and nothing else
    stale(host.call(world, "host.finishUpload", held.with(json!({"files": [rpm]})), start()).await);
    let file = json!({"name": "b.rpm", "size": 0, "sha256": "0".repeat(64), "parts": ["0".repeat(64)]});
    stale(host.call(world, "host.startUpload", held.with(json!({"files": [file]})), start()).await);
    let done = scene.begin_close(held, start()).await.unwrap();
    host.ok(world, "host.finishUpload", done.clone(), start()).await;
    assert_eq!(scene.text().await, TEXT);
    let files = world.ok("listTaskOutput", json!({"taskID": task})).await;
    assert_eq!(files, json!(["build.log"]));
    // not for ever, and nobody else
    let late = start() + seconds(601);
    stale(host.call(world, "host.finishUpload", done.clone(), late).await);
    stale(scene.begin_close(held, late).await);
    let other = world.host("two", &["x86_64"], 2.0, &["m"]).await;
    stale(other.call(world, "host.finishUpload", done, start()).await);
}
