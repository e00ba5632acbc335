//! Uploads that nobody ends, and files of attempts that did not count.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::PgPool;
use toji_hub::sweep::uploads::{Swept, run_once};
use toji_protocol::{method::upload::part_size, object_key};

use crate::{
    builder::{begin_upload, upload},
    world::{World, response, seconds},
};

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_nobody_ends_is_given_up_after_two_days(pool: PgPool) {
    let world = World::new(pool).await;
    // S3 has a clock of its own, and says when an upload began
    let begun = DateTime::<Utc>::from(std::time::SystemTime::now());
    let host = world.host("one", &["x86_64"], 2.0, &["m"]).await;
    let task = world.make("m", json!({}), begun).await;

    // the first attempt sends one file, begins another, and is lost
    let first = host.take(&world, begun).await;
    upload(&world, &host, &first, "build.log", b"cut short", begun).await;
    upload(&world, &host, &first, "only.log", b"nobody else has it", begun).await;
    begin_upload(&world, &host, &first, "a.rpm", b"never whole", begun).await;
    host.ok(&world, "host.handBack", first.with(json!({"reason": "stopping"})), begun).await;
    // the second one does it all
    let second = host.take(&world, begun).await;
    assert_eq!(second.attempt, 2);
    upload(&world, &host, &second, "build.log", b"whole", begun).await;
    host.ok(&world, "host.closeTask", second.with(json!({"response": response(&"done")})), begun).await;
    // a client goes away, too; and the hub itself, before it had written its row
    let digest = "0".repeat(64);
    let size = part_size(1);
    let asked = json!({"path": "cli-build/1.x/a-1-1.src.rpm", "size": size, "parts": [digest]});
    world.ok_at("upload.start", asked, begun).await;
    world.hub.store.start_multipart("work/tasks/1/1/1/orphan").await.unwrap();
    world
        .hub
        .store
        .put("work/.pieces/cli-build/1.x/a-1-1.src.rpm/0000000000000000", "piece", "text/plain")
        .await
        .unwrap();
    assert_eq!(world.hub.store.uploads("work/").await.unwrap().len(), 3);

    let early = run_once(&world.hub, begun + TimeDelta::days(2) - seconds(1)).await.unwrap();
    assert_eq!(early, Swept::default());
    let late = begun + TimeDelta::days(2) + seconds(60);
    assert_eq!(run_once(&world.hub, late).await.unwrap(), Swept { given_up: 3, forgotten: 2, superseded: 1 });
    assert_eq!(run_once(&world.hub, late).await.unwrap(), Swept::default(), "once");

    assert_eq!(world.hub.store.uploads("").await.unwrap(), []);
    assert!(world.hub.store.list("work/.pieces/").await.unwrap().is_empty());
    let file = async |attempt: i32, name: &str| {
        world.hub.store.head(&object_key::attempt_file(task.into(), attempt, name)).await.unwrap().is_some()
    };
    assert!(!file(1, "build.log").await && file(2, "build.log").await);
    assert!(file(1, "only.log").await, "what no later attempt has may tell why the first one failed");
    assert_eq!(world.count("SELECT count(*) FROM upload").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM task_file").await, 2);
}
