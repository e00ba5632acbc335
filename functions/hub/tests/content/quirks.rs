//! Koji's oddities, kept or not. How the walk itself differs is tested beside it.

use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::{config::Config, tag::Quirks};

use crate::world::World;

/// The same database by a hub with Koji's oddities, and by one without.
async fn both(pool: PgPool) -> (World, World) {
    let koji = World::new(pool.clone()).await;
    let none = World::with(pool, Config { quirks: Quirks::None, ..Config::default() }).await;
    (koji, none)
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn depth_and_configuration(pool: PgPool) {
    let (koji, none) = both(pool).await;
    koji.tags(&["a", "b", "c", "d"]).await;
    koji.link("a", "b", json!({"priority": 1, "maxdepth": 5})).await;
    koji.link("b", "c", json!({"priority": 1, "maxdepth": 1})).await;
    koji.link("c", "d", json!({"priority": 1})).await;
    let parents = async |world: &World| {
        let links = world.ok("getFullInheritance", json!({"tag": "a"})).await;
        crate::world::column(&links, "name")
    };
    assert_eq!(parents(&koji).await, ["b", "c"]);
    assert_eq!(parents(&none).await, ["b", "c", "d"], "Q1");

    // Q3: configuration behind a noconfig link
    koji.ok("createTag", json!({"name": "own"})).await;
    koji.ok("editTag2", json!({"tagInfo": "own", "arches": null})).await;
    koji.ok("editTag2", json!({"tagInfo": "c", "extra": {"key": "of c"}, "arches": "s390x"})).await;
    koji.link("own", "b", json!({"priority": 1, "noconfig": true})).await;
    let config = async |world: &World| {
        let config = world.ok("getBuildConfig", json!({"tag": "own"})).await;
        (config["arches"].clone(), config["extra"].clone())
    };
    assert_eq!(config(&koji).await, (json!("s390x"), json!({"key": "of c"})));
    assert_eq!(config(&none).await, (Value::Null, json!({})));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn filters_and_builds(pool: PgPool) {
    let (koji, none) = both(pool).await;
    koji.tags(&["base", "child"]).await;
    koji.link("child", "base", json!({"priority": 1, "pkg_filter": "oth"})).await;
    koji.list("base", &["pkg", "other"]).await;
    koji.list("child", &["pkg"]).await;
    for nvr in ["pkg-1-1", "other-1-1"] {
        koji.build(nvr).await;
        koji.tag_build("base", nvr).await;
    }
    let shown = async |world: &World, method: &str| world.nvrs(method, json!({"tag": "child"})).await;
    assert_eq!(shown(&koji, "getLatestBuilds").await, ["other-1-1", "pkg-1-1"], "Q4: let in by another way");
    assert_eq!(shown(&none, "getLatestBuilds").await, ["other-1-1"]);
    koji.build("pkg-2-1").await;
    koji.tag_build("child", "pkg-2-1").await;
    let all = json!({"tag": "child", "inherit": true});
    assert_eq!(none.nvrs("listTagged", all).await, ["pkg-2-1", "other-1-1"]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn empty_arches(pool: PgPool) {
    let (koji, none) = both(pool).await;
    koji.tags(&["base"]).await;
    koji.ok("createTag", json!({"name": "child", "parent": "base"})).await;
    let config = async |world: &World| {
        let config = world.ok("getBuildConfig", json!({"tag": "child"})).await;
        (config["arches"].clone(), config["config_inheritance"]["arches"]["name"].clone())
    };
    assert_eq!(config(&koji).await, (json!(""), Value::Null), "Q5");
    assert_eq!(config(&none).await, (json!("x86_64"), json!("base")));
    // nobody has any
    koji.ok("setInheritanceData", json!({"tag": "child", "data": [], "clear": true})).await;
    assert_eq!(config(&none).await.0, json!(""));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn builds_as_they_were(pool: PgPool) {
    let (koji, none) = both(pool).await;
    koji.tags(&["t"]).await;
    koji.list("t", &["pkg"]).await;
    koji.user("bob", &[]).await;
    let (kept, gone) = (koji.build("pkg-1-1").await, koji.build("pkg-2-1").await);
    koji.tag_build("t", "pkg-1-1").await;
    koji.tag_build("t", "pkg-2-1").await;
    let event = koji.last_event().await;
    // what the hub writes when builds change
    for statement in [
        "DELETE FROM build_config",
        "INSERT INTO build_config (build_id, state, owner, volume_id, create_event, creator_id)
             SELECT id, state, owner, volume_id, create_event, owner FROM build",
        "INSERT INTO volume (id, name) OVERRIDING SYSTEM VALUE VALUES (7, 'cold')",
    ] {
        sqlx::query(statement).execute(&koji.pool).await.unwrap();
    }
    let bob = koji.ok("getUser", json!({"userInfo": "bob"})).await["id"].as_i64().unwrap();
    koji.ok("untagBuild", json!({"tag": "t", "build": "pkg-2-1"})).await;
    for (build, state, owner, volume) in [(gone, 2_i16, 1, 0), (kept, 1, bob, 7)] {
        sqlx::query(
            "WITH it AS MATERIALIZED (SELECT new_event() AS event),
             old AS (UPDATE build_config SET active = NULL, revoke_event = event, revoker_id = 1 FROM it WHERE build_id = $1),
             now AS (UPDATE build SET state = $2, owner = $3, volume_id = $4 WHERE id = $1)
             SELECT event FROM it",
        )
        .bind(build)
        .bind(state)
        .bind(owner)
        .bind(volume)
        .execute(&koji.pool)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO build_config (build_id, state, owner, volume_id, create_event, creator_id)
             SELECT $1, $2, $3, $4, max(id), 1 FROM events",
        )
        .bind(build)
        .bind(state)
        .bind(owner)
        .bind(volume)
        .execute(&koji.pool)
        .await
        .unwrap();
    }
    let shown = async |world: &World, arguments: Value| -> Vec<String> {
        let rows = world.ok("listTagged", arguments).await;
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        let show =
            |row: &Value| format!("{} {} {}", text(row, "nvr"), text(row, "owner_name"), text(row, "volume_name"));
        rows.as_array().unwrap().iter().map(show).collect()
    };
    let then = json!({"tag": "t", "event": event});
    assert_eq!(shown(&koji, then.clone()).await, ["pkg-1-1 bob cold"], "Q6");
    assert_eq!(shown(&none, then.clone()).await, ["pkg-2-1 admin DEFAULT", "pkg-1-1 admin DEFAULT"]);
    assert_eq!(shown(&none, json!({"tag": "t"})).await, ["pkg-1-1 bob cold"]);
    let mut of_admin = then;
    of_admin["owner"] = json!("admin");
    assert_eq!(shown(&none, of_admin.clone()).await.len(), 2, "whose it was then");
    assert_eq!(shown(&koji, of_admin).await, [""; 0]);
}
