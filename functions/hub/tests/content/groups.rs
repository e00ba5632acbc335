//! Comps groups.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::world::{World, column};

async fn family(pool: PgPool) -> World {
    let world = World::new(pool).await;
    world.tags(&["base", "child"]).await;
    world.inherit("child", "base", 1).await;
    world
}

/// `group: package package …` of each group that counts.
async fn shown(world: &World, tag: &str) -> Vec<String> {
    let groups = world.ok("getTagGroups", json!({"tag": tag})).await;
    let line = |group: &Value| {
        let packages = column(&group["packagelist"], "package").join(" ");
        format!("{}: {packages}", group["name"].as_str().unwrap())
    };
    groups.as_array().unwrap().iter().map(line).collect()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_group_as_the_stock_client_sees_it(pool: PgPool) {
    let world = family(pool).await;
    let on = json!({"taginfo": "base", "grpinfo": "build"});
    world.ok("groupListAdd", on.clone()).await;
    let before = world.last_event().await;
    world.ok("groupListAdd", on).await;
    assert_eq!(world.last_event().await, before, "the same again changes nothing");
    world.ok("groupPackageListAdd", json!({"taginfo": "base", "grpinfo": "build", "pkg_name": "bash"})).await;
    assert_eq!(
        world.ok("getTagGroups", json!({"tag": "base"})).await,
        json!([{
            "biarchonly": false, "blocked": false, "description": null, "display_name": "build", "exported": true,
            "group_id": 1, "is_default": null, "langonly": null, "name": "build", "tag_id": 1, "uservisible": true,
            "packagelist": [{
                "basearchonly": null, "blocked": false, "group_id": 1, "package": "bash", "requires": null,
                "tag_id": 1, "type": "mandatory",
            }],
            "grouplist": [],
        }])
    );
    assert_eq!(world.ok("getTagGroups", json!({"tag": "base", "event": before})).await[0]["packagelist"], json!([]));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn entries_merge_and_blocks_hide(pool: PgPool) {
    let world = family(pool).await;
    for group in ["build", "srpm-build"] {
        world.ok("groupListAdd", json!({"taginfo": "base", "grpinfo": group})).await;
    }
    let package = |tag: &str, name: &str| json!({"taginfo": tag, "grpinfo": "build", "pkg_name": name});
    for name in ["bash", "make", "sed"] {
        world.ok("groupPackageListAdd", package("base", name)).await;
    }
    world.ok("groupPackageListAdd", package("child", "zstd")).await;
    assert_eq!(shown(&world, "child").await, ["build: bash make sed zstd", "srpm-build: "]);
    world.ok("groupPackageListBlock", package("child", "sed")).await;
    assert_eq!(shown(&world, "child").await, ["build: bash make zstd", "srpm-build: "]);
    assert_eq!(shown(&world, "base").await, ["build: bash make sed", "srpm-build: "]);
    let refused = world.fault("groupPackageListAdd", package("child", "sed")).await;
    assert_eq!(refused, (1000, "package sed blocked in group build, tag child".to_owned()));
    world.ok("groupPackageListUnblock", package("child", "sed")).await;
    world.ok("groupPackageListRemove", package("child", "zstd")).await;
    assert_eq!(shown(&world, "child").await, ["build: bash make sed", "srpm-build: "]);
    let before = world.last_event().await;
    world.ok("groupPackageListRemove", package("child", "zstd")).await;
    assert_eq!(world.last_event().await, before, "nothing is there: nothing is done");
    assert!(world.fault("groupPackageListUnblock", package("child", "sed")).await.1.contains("NOT blocked"));

    // the nearest definition of a group counts whole
    world
        .ok("groupListAdd", json!({"taginfo": "child", "grpinfo": "build", "display_name": "Mine", "exported": false}))
        .await;
    let groups = world.ok("getTagGroups", json!({"tag": "child"})).await;
    assert_eq!((&groups[0]["display_name"], &groups[0]["exported"]), (&json!("Mine"), &json!(false)));
    world.ok("groupListRemove", json!({"taginfo": "child", "grpinfo": "build"})).await;

    world.ok("groupListBlock", json!({"taginfo": "child", "grpinfo": "srpm-build"})).await;
    assert_eq!(shown(&world, "child").await, ["build: bash make sed"]);
    let all = world.ok("getTagGroups", json!({"tag": "child", "incl_blocked": true, "incl_pkgs": false})).await;
    assert_eq!(column(&all, "blocked"), ["false", "true"]);
    assert!(all[0].get("packagelist").is_none());
    let refused = json!({"taginfo": "child", "grpinfo": "srpm-build", "pkg_name": "rpm-build"});
    assert!(world.fault("groupPackageListAdd", refused).await.1.contains("is blocked"));
    world.ok("groupListUnblock", json!({"taginfo": "child", "grpinfo": "srpm-build"})).await;
    assert_eq!(shown(&world, "child").await.len(), 2);
    let own = world.ok("getTagGroups", json!({"tag": "child", "inherit": false})).await;
    assert_eq!(own, json!([]));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn groups_that_groups_need(pool: PgPool) {
    let world = family(pool).await;
    for group in ["build", "srpm-build"] {
        world.ok("groupListAdd", json!({"taginfo": "base", "grpinfo": group})).await;
    }
    let req = |tag: &str| json!({"taginfo": tag, "grpinfo": "build", "reqinfo": "srpm-build"});
    let needed = async |tag: &str| {
        let groups = world.ok("getTagGroups", json!({"tag": tag})).await;
        column(&groups[0]["grouplist"], "name")
    };
    world.ok("groupReqListAdd", req("base")).await;
    assert_eq!(needed("child").await, ["srpm-build"]);
    world.ok("groupReqListBlock", req("child")).await;
    assert_eq!(needed("child").await, [""; 0]);
    world.ok("groupReqListUnblock", req("child")).await;
    assert_eq!(needed("child").await, ["srpm-build"]);
    world.ok("groupReqListRemove", req("base")).await;
    assert_eq!(needed("base").await, [""; 0]);
    world.ok("groupReqListRemove", req("base")).await;
    let gone = json!({"taginfo": "child", "grpinfo": "build"});
    let refused = world.fault("groupListRemove", gone).await;
    assert_eq!(refused, (1000, "No group: build found for tag: child".to_owned()));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn bad_input_is_refused(pool: PgPool) {
    let world = family(pool).await;
    world.ok("groupListAdd", json!({"taginfo": "base", "grpinfo": "build"})).await;
    let package = json!({"taginfo": "base", "grpinfo": "build", "pkg_name": "bash"});
    for (key, value) in [("type", json!("maybe")), ("requires", json!(5)), ("colour", json!("red"))] {
        let mut bad = package.clone();
        bad[key] = value;
        assert_eq!(world.fault("groupPackageListAdd", bad).await.0, 1019, "{key}");
    }
    assert_eq!(world.fault("groupListAdd", json!({"taginfo": "base", "grpinfo": "a b"})).await.0, 1024);
    assert_eq!(world.fault("groupListAdd", json!({"taginfo": "none", "grpinfo": "a"})).await.0, 1000);
    let unknown = json!({"taginfo": "base", "grpinfo": "none", "pkg_name": "bash"});
    assert_eq!(world.fault("groupPackageListAdd", unknown).await.1, "No such group: 'none'");
    let bob = world.user("bob", &[]).await;
    assert_eq!(bob.fault("groupPackageListAdd", package).await.0, 1004);
}
