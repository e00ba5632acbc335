//! What the stock client sends as it was typed, and what it reads of the answers.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::world::World;

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn numbers_may_be_texts(pool: PgPool) {
    let world = World::new(pool).await;
    let make = |priority: Value| json!({"method": "rebuildSRPM", "arglist": ["x"], "priority": priority});
    for priority in [json!(7), json!("7")] {
        let task = world.ok("makeTask", make(priority)).await;
        assert_eq!(world.ok("getTaskInfo", json!({"task_id": task})).await["priority"], json!(7));
    }
    for wrong in [json!("high"), json!([7]), json!(7.5)] {
        let (code, said) = world.fault("makeTask", make(wrong)).await;
        assert_eq!((code, said.as_str()), (1019, "priority must be a number"));
    }

    assert_eq!(world.ok("repoInfo", json!({"repo_id": "7"})).await, Value::Null);
    let (code, said) = world.fault("repoInfo", json!({"repo_id": "newest"})).await;
    assert_eq!(code, 1019);
    assert!(said.contains("repo_id") && said.contains("newest"), "{said}");
    assert_eq!(world.fault("repo.checkRequest", json!({"req_id": "7"})).await.0, 1000);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn who_inherits_is_told_with_its_id(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["base", "child"]).await;
    world.inherit("child", "base", 3).await;
    let child = world.tag_id("child").await;
    let below = world.ok("getFullInheritance", json!({"tag": "base", "reverse": true})).await;
    assert_eq!((&below[0]["tag_id"], &below[0]["name"]), (&json!(child), &json!("child")));
    let above = world.ok("getFullInheritance", json!({"tag": "child"})).await;
    assert_eq!(above[0].get("tag_id"), None);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_is_neither_name_nor_id_is_refused_in_plain_words(pool: PgPool) {
    let world = World::new(pool).await;
    let (code, said) = world.fault("getTag", json!({"tagInfo": [1]})).await;
    assert_eq!((code, said.as_str()), (1019, "tagInfo: expected a name, an id, or a struct with either, got a list"));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn channels_are_the_admins(pool: PgPool) {
    let world = World::new(pool).await;
    let keeper = world.user("keeper", &["host"]).await;
    for (method, arguments) in [
        ("addChannel", json!({"channel_name": "heavy"})),
        ("editChannel", json!({"channelInfo": "default", "comment": "x"})),
    ] {
        let (code, said) = keeper.fault(method, arguments.clone()).await;
        assert_eq!((code, said.as_str()), (1004, "admin permission required (logged in as keeper)"), "{method}");
        world.ok(method, arguments).await;
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn untag_build_asks_for_history(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["base"]).await;
    let history = world.ok("queryHistory", json!({"tag": "base", "pkg": "bread", "active": true})).await;
    assert_eq!(history["tag_config"].as_array().unwrap().len(), 1);
}
