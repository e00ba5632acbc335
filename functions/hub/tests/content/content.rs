//! Tagging, and what a tag then shows.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::world::{World, column};

/// base <- child, with the packages and builds of most tests.
async fn family(pool: PgPool) -> World {
    let world = World::new(pool).await;
    world.tags(&["base", "child"]).await;
    world.inherit("child", "base", 1).await;
    world.list("base", &["pkg", "other"]).await;
    for nvr in ["pkg-1-1", "pkg-2-1", "pkg-3-1", "other-1-1"] {
        world.build(nvr).await;
    }
    world
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn latest_is_what_was_tagged_last(pool: PgPool) {
    let world = family(pool).await;
    for nvr in ["pkg-2-1", "other-1-1", "pkg-1-1"] {
        world.tag_build("base", nvr).await;
    }
    assert_eq!(world.nvrs("listTagged", json!({"tag": "base"})).await, ["pkg-1-1", "other-1-1", "pkg-2-1"]);
    let latest = async |arguments: Value| world.nvrs("listTagged", arguments).await;
    assert_eq!(latest(json!({"tag": "base", "latest": true})).await, ["pkg-1-1", "other-1-1"]);
    assert_eq!(latest(json!({"tag": "base", "latest": 2})).await, ["pkg-1-1", "other-1-1", "pkg-2-1"]);
    assert_eq!(latest(json!({"tag": "base", "latest": 0})).await.len(), 3);
    assert_eq!(latest(json!({"tag": "base", "package": "pkg", "latest": true})).await, ["pkg-1-1"]);
    assert_eq!(latest(json!({"tag": "base", "prefix": "oth"})).await, ["other-1-1"]);
    assert_eq!(latest(json!({"tag": "base", "package": "none"})).await, [""; 0]);
    assert_eq!(latest(json!({"tag": "base", "type": "maven"})).await, [""; 0]);
    assert_eq!(latest(json!({"tag": "none", "strict": false})).await, [""; 0]);

    // tagged anew, it is the newest
    assert_eq!(world.fault("tagBuildBypass", json!({"tag": "base", "build": "pkg-2-1"})).await.0, 1003);
    world.ok("tagBuildBypass", json!({"tag": "base", "build": "pkg-2-1", "force": true})).await;
    assert_eq!(latest(json!({"tag": "base", "latest": true})).await, ["pkg-2-1", "other-1-1"]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn the_nearest_tag_wins(pool: PgPool) {
    let world = family(pool).await;
    world.tag_build("child", "pkg-1-1").await;
    world.tag_build("base", "pkg-2-1").await;
    world.tag_build("base", "pkg-3-1").await;
    world.tag_build("base", "other-1-1").await;
    let nvrs = async |arguments: Value| world.nvrs("listTagged", arguments).await;
    assert_eq!(nvrs(json!({"tag": "child"})).await, ["pkg-1-1"]);
    assert_eq!(nvrs(json!({"tag": "child", "inherit": true, "latest": true})).await, ["pkg-1-1", "other-1-1"]);
    assert_eq!(
        nvrs(json!({"tag": "child", "inherit": true, "latest": 2})).await,
        ["pkg-1-1", "other-1-1", "pkg-3-1"],
        "N counts across tags"
    );
    assert_eq!(world.nvrs("getLatestBuilds", json!({"tag": "child"})).await, ["pkg-1-1", "other-1-1"]);
    assert_eq!(world.nvrs("getLatestBuilds", json!({"tag": "child", "package": "other"})).await, ["other-1-1"]);
    let rows = world.ok("listTagged", json!({"tag": "child", "inherit": true})).await;
    assert_eq!(column(&rows, "tag_name"), ["child", "base", "base", "base"]);

    // tagged in both and not asked for the latest alone, a build is told twice
    world.tag_build("child", "pkg-2-1").await;
    let all = nvrs(json!({"tag": "child", "inherit": true, "package": "pkg"})).await;
    assert_eq!(all, ["pkg-2-1", "pkg-1-1", "pkg-3-1", "pkg-2-1"]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_build_as_the_stock_client_sees_it(pool: PgPool) {
    let world = family(pool).await;
    world.tag_build("base", "other-1-1").await;
    let mut build = world.ok("listTagged", json!({"tag": "base"})).await[0].clone();
    let members = build.as_object_mut().unwrap();
    let mut take = |name: &str| members.remove(name).unwrap();
    assert_eq!(take("create_event"), json!(world.last_event().await));
    assert!(take("creation_event_id").is_i64() && take("creation_time").is_string());
    assert_eq!(
        build,
        json!({
            "build_id": 4, "completion_time": "2027-01-15 08:00:00+00:00", "draft": false, "epoch": null, "id": 4,
            "name": "other", "nvr": "other-1-1", "owner_id": 1, "owner_name": "admin", "package_id": 2,
            "package_name": "other", "promoter_id": null, "promoter_name": null, "promotion_time": null,
            "release": "1", "start_time": "2027-01-15 08:00:00+00:00", "state": 1, "tag_id": 1, "tag_name": "base",
            "task_id": null, "version": "1", "volume_id": 0, "volume_name": "DEFAULT",
        })
    );
    let told = world.ok("listTagged", json!({"tag": "base", "extra": true})).await;
    assert_eq!(told[0]["extra"], Value::Null);
    assert!(told[0].get("extra").is_some());
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn blocked_and_unlisted_packages_are_hidden(pool: PgPool) {
    let world = family(pool).await;
    world.tag_build("base", "pkg-1-1").await;
    world.tag_build("base", "other-1-1").await;
    world.ok("packageListBlock", json!({"taginfo": "child", "pkginfo": "pkg"})).await;
    let inherited = async || world.nvrs("listTagged", json!({"tag": "child", "inherit": true})).await;
    assert_eq!(inherited().await, ["other-1-1"]);
    assert_eq!(world.nvrs("listTagged", json!({"tag": "base"})).await, ["other-1-1", "pkg-1-1"]);
    world.ok("packageListRemove", json!({"taginfo": "child", "pkginfo": "pkg"})).await;
    assert_eq!(inherited().await, ["other-1-1", "pkg-1-1"]);
    world.ok("packageListRemove", json!({"taginfo": "base", "pkginfo": "other"})).await;
    assert_eq!(inherited().await, ["pkg-1-1"]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_filter_limits_the_package_list_alone(pool: PgPool) {
    let world = family(pool).await;
    world.link("child", "base", json!({"priority": 1, "pkg_filter": "oth"})).await;
    world.tag_build("base", "pkg-1-1").await;
    world.tag_build("base", "other-1-1").await;
    let inherited = async || world.nvrs("listTagged", json!({"tag": "child", "inherit": true})).await;
    assert_eq!(inherited().await, ["other-1-1"]);
    // Q4: let in by another way, the package's builds show although the filter would not let them
    world.list("child", &["pkg"]).await;
    assert_eq!(inherited().await, ["other-1-1", "pkg-1-1"]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_may_not_be_tagged(pool: PgPool) {
    let world = family(pool).await;
    let tag = async |nvr: &str, force: bool| {
        world.fault("tagBuildBypass", json!({"tag": "base", "build": nvr, "force": force})).await
    };
    for (nvr, state) in [("pkg-9-0", 0), ("pkg-9-2", 2), ("pkg-9-3", 3), ("pkg-9-4", 4)] {
        world.build_in_state(nvr, state).await;
        assert_eq!(tag(nvr, false).await.0, 1003, "{nvr}");
        assert_eq!(tag(nvr, true).await.0, 1003, "{nvr}: not even by force");
    }
    assert_eq!(tag("pkg-9-3", false).await.1, "build pkg-9-3 not complete: state FAILED");
    assert_eq!(tag("none-1-1", false).await.1, "No such build: 'none-1-1'");
    world.build("unlisted-1-1").await;
    world.ok("packageListBlock", json!({"taginfo": "base", "pkginfo": "other"})).await;
    let by_task = async |nvr: &str| world.fault("tagBuild", json!({"tag": "base", "build": nvr})).await;
    assert_eq!(by_task("unlisted-1-1").await, (1003, "Package unlisted not in list for base".to_owned()));
    assert_eq!(by_task("other-1-1").await, (1003, "Package other blocked in base".to_owned()));
    // the bypass asks no list, but what no list has is not shown
    world.tag_build("base", "unlisted-1-1").await;
    assert_eq!(world.nvrs("listTagged", json!({"tag": "base"})).await, [""; 0]);
    // an admin's force lists it
    world.ok("tagBuild", json!({"tag": "base", "build": "other-1-1", "force": true})).await;
    let listed = world.ok("getPackageConfig", json!({"tag": "base", "pkg": "other"})).await;
    assert_eq!((&listed["blocked"], &listed["owner_name"]), (&json!(false), &json!("admin")));

    world.tag_build("base", "pkg-1-1").await;
    let untag = |nvr: &str, strict: bool| json!({"tag": "base", "build": nvr, "strict": strict});
    world.ok("untagBuild", untag("pkg-1-1", true)).await;
    assert_eq!(world.nvrs("listTagged", json!({"tag": "base"})).await, [""; 0]);
    assert_eq!(world.fault("untagBuild", untag("pkg-1-1", true)).await.0, 1003);
    let before = world.last_event().await;
    world.ok("untagBuild", untag("pkg-1-1", false)).await;
    assert_eq!(world.last_event().await, before);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn locks_and_permissions(pool: PgPool) {
    let world = family(pool).await;
    let bob = world.user("bob", &["tag"]).await;
    let arguments = |nvr: &str, force: bool| json!({"tag": "base", "build": nvr, "force": force});
    world.ok("editTag2", json!({"tagInfo": "base", "perm": "sign"})).await;
    // not even an admin, unless by force
    assert_eq!(world.fault("tagBuildBypass", arguments("pkg-3-1", false)).await.0, 1004);
    let access = async |who: &World| who.ok("checkTagAccess", json!({"tag_id": "base"})).await;
    assert_eq!(access(&world).await, json!([false, true, "tag requires sign permission"]));
    assert_eq!(access(&bob).await, json!([false, false, "tag requires sign permission"]));
    let denied = bob.fault("tagBuildBypass", arguments("pkg-1-1", true)).await;
    assert_eq!(denied, (1004, "tag requires sign permission".to_owned()));
    world.ok("grantPermission", json!({"userinfo": "bob", "permission": "sign"})).await;
    bob.ok("tagBuildBypass", arguments("pkg-1-1", false)).await;
    assert_eq!(access(&bob).await, json!([true, false, ""]));
    let of_bob = json!({"tag_id": "base", "user_id": bob.ok("getLoggedInUser", json!({})).await["id"]});
    assert_eq!(world.ok("checkTagAccess", of_bob).await, json!([true, false, ""]));
    let nobody = world.nobody().fault("checkTagAccess", json!({"tag_id": "base"})).await;
    assert_eq!(nobody, (1000, "a user_id is required".to_owned()));
    assert_eq!(world.fault("checkTagAccess", json!({"tag_id": "none"})).await.0, 1000);

    world.ok("editTag2", json!({"tagInfo": "base", "locked": true})).await;
    assert_eq!(bob.fault("tagBuildBypass", arguments("pkg-2-1", true)).await.0, 1004);
    assert_eq!(bob.fault("untagBuild", arguments("pkg-1-1", true)).await.0, 1004);
    assert_eq!(world.fault("tagBuildBypass", arguments("pkg-2-1", false)).await.0, 1004);
    world.ok("tagBuildBypass", arguments("pkg-2-1", true)).await;
    assert_eq!(world.nobody().fault("untagBuild", arguments("pkg-1-1", true)).await.0, 1004);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn tagging_by_task(pool: PgPool) {
    let world = family(pool).await;
    let bob = world.user("bob", &[]).await;
    let task = bob.ok("tagBuild", json!({"tag": "child", "build": "pkg-1-1", "fromtag": "base"})).await;
    let (method, priority, arch): (String, i32, String) =
        sqlx::query_as("SELECT method, priority, arch FROM task WHERE id = $1")
            .bind(task.as_i64())
            .fetch_one(&world.pool)
            .await
            .unwrap();
    assert_eq!((method.as_str(), priority, arch.as_str()), ("tagBuild", 10, "noarch"));
    let request = world.ok("getTaskRequest", json!({"taskId": task})).await;
    let (child, base) = (world.tag_id("child").await, world.tag_id("base").await);
    assert_eq!(request, json!([child, 1, false, base, false]));

    world.build("unlisted-1-1").await;
    assert_eq!(bob.fault("tagBuild", json!({"tag": "child", "build": "unlisted-1-1"})).await.0, 1003);
    world.ok("editTag2", json!({"tagInfo": "base", "locked": true})).await;
    let from_locked = json!({"tag": "child", "build": "pkg-1-1", "fromtag": "base"});
    assert_eq!(bob.fault("tagBuild", from_locked).await.0, 1004);
    assert_eq!(world.nobody().fault("tagBuild", json!({"tag": "child", "build": "pkg-1-1"})).await.0, 1004);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn rpms(pool: PgPool) {
    let world = family(pool).await;
    for nvr in ["pkg-1-1", "pkg-2-1", "other-1-1"] {
        world.tag_build("base", nvr).await;
    }
    world.tag_build("child", "pkg-1-1").await;
    sqlx::query("INSERT INTO rpmsigs SELECT id, key, 'x' FROM rpminfo, unnest(ARRAY['', 'abcd1234']) AS key WHERE arch = 'x86_64'")
        .execute(&world.pool)
        .await
        .unwrap();
    let shown = |reply: &Value| -> Vec<String> {
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or("-").to_owned();
        let rows = reply[0].as_array().unwrap().iter();
        rows.map(|row| format!("{}-{}.{}", text(row, "name"), text(row, "version"), text(row, "arch"))).collect()
    };
    let latest = world.ok("getLatestRPMS", json!({"tag": "child"})).await;
    assert_eq!(shown(&latest), ["pkg-1.src", "pkg-1.x86_64", "other-1.src", "other-1.x86_64"]);
    assert_eq!(column(&latest[1], "nvr"), ["pkg-1-1", "other-1-1"]);
    let all = world.ok("listTaggedRPMS", json!({"tag": "child", "inherit": true, "arch": "x86_64"})).await;
    assert_eq!(shown(&all), ["pkg-1.x86_64", "other-1.x86_64", "pkg-2.x86_64"], "each once");
    let none = world.ok("listTaggedRPMS", json!({"tag": "child", "arch": ["s390x", "ppc64le"]})).await;
    assert_eq!((shown(&none).len(), column(&none[1], "nvr")), (0, vec!["pkg-1-1".to_owned()]));
    let signed = world.ok("listTaggedRPMS", json!({"tag": "child", "arch": "x86_64", "rpmsigs": true})).await;
    assert_eq!(column(&signed[0], "sigkey"), ["", "abcd1234"]);
    assert!(latest[0][0].get("sigkey").is_none());
}
