//! Copies of tags.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::world::{World, column};

/// base <- src: a source with inherited and own packages, builds and groups.
async fn source(pool: PgPool) -> World {
    let world = World::new(pool).await;
    world.tags(&["base", "src"]).await;
    world.inherit("src", "base", 1).await;
    world.list("base", &["pkg", "old"]).await;
    world.ok("packageListBlock", json!({"taginfo": "src", "pkginfo": "old"})).await;
    for nvr in ["pkg-1-1", "pkg-2-1", "pkg-3-1", "old-1-1"] {
        world.build(nvr).await;
    }
    world.tag_build("base", "pkg-3-1").await;
    world.tag_build("src", "pkg-2-1").await;
    world.tag_build("src", "pkg-1-1").await;
    world.ok("editTag2", json!({"tagInfo": "src", "perm": "sign", "extra": {"mock.new_chroot": 1, "x": "y"}})).await;
    world.ok("groupListAdd", json!({"taginfo": "base", "grpinfo": "build", "display_name": "Build"})).await;
    let bash = json!({"taginfo": "src", "grpinfo": "build", "pkg_name": "bash", "type": "default"});
    world.ok("groupPackageListAdd", bash).await;
    world
}

async fn nvrs(world: &World, tag: &str) -> Vec<String> {
    world.nvrs("listTagged", json!({"tag": tag})).await
}

async fn packages(world: &World, tag: &str) -> Vec<String> {
    let rows = world.ok("listPackages", json!({"tagID": tag})).await;
    let show = |row: &Value| {
        format!("{}{}", row["package_name"].as_str().unwrap(), if row["blocked"] == true { "!" } else { "" })
    };
    rows.as_array().unwrap().iter().map(show).collect()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_new_copy(pool: PgPool) {
    let world = source(pool).await;
    world.ok("snapshotTag", json!({"src": "src", "dst": "copy"})).await;
    let tag = async |name: &str| {
        let mut tag = world.ok("getTag", json!({"tagInfo": name})).await;
        let members = tag.as_object_mut().unwrap();
        members.remove("id");
        members.remove("name");
        tag
    };
    assert_eq!(tag("copy").await, tag("src").await);
    assert_eq!(packages(&world, "copy").await, ["old!", "pkg"]);
    assert_eq!(nvrs(&world, "copy").await, ["pkg-1-1"], "the latest alone");
    assert_eq!(world.ok("getInheritanceData", json!({"tag": "copy"})).await, json!([]));
    let group = world.ok("getTagGroups", json!({"tag": "copy", "inherit": false})).await[0].clone();
    assert_eq!((&group["name"], &group["display_name"]), (&json!("build"), &json!("Build")));
    assert_eq!(
        (&group["packagelist"][0]["package"], &group["packagelist"][0]["type"]),
        (&json!("bash"), &json!("default"))
    );

    // everything, in its order
    world.ok("snapshotTag", json!({"src": "src", "dst": "all", "latest_only": false})).await;
    let of_src = world.nvrs("listTagged", json!({"tag": "src", "inherit": true})).await;
    assert_eq!(nvrs(&world, "all").await, of_src);
    world.ok("snapshotTag", json!({"src": "src", "dst": "own", "latest_only": false, "inherit_builds": false})).await;
    assert_eq!(nvrs(&world, "own").await, ["pkg-1-1", "pkg-2-1"]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn parts_of_a_copy_and_old_events(pool: PgPool) {
    let world = source(pool).await;
    let event = world.last_event().await;
    world.ok("untagBuild", json!({"tag": "src", "build": "pkg-1-1", "force": true})).await;
    world.ok("groupListRemove", json!({"taginfo": "base", "grpinfo": "build"})).await;
    world.ok("packageListRemove", json!({"taginfo": "src", "pkginfo": "old"})).await;
    world.ok("snapshotTag", json!({"src": "src", "dst": "then", "event": event})).await;
    assert_eq!(nvrs(&world, "then").await, ["pkg-1-1"]);
    assert_eq!(packages(&world, "then").await, ["old!", "pkg"]);
    assert_eq!(world.ok("getTagGroups", json!({"tag": "then"})).await.as_array().unwrap().len(), 1);
    let bare = json!({"src": "src", "dst": "bare", "config": false, "pkgs": false, "builds": false, "groups": false});
    world.ok("snapshotTag", bare).await;
    let tag = world.ok("getTag", json!({"tagInfo": "bare"})).await;
    assert_eq!((&tag["arches"], &tag["perm"], &tag["extra"]), (&json!(""), &Value::Null, &json!({})));
    assert_eq!(packages(&world, "bare").await, [""; 0]);

    let fault = async |arguments: Value| world.fault("snapshotTag", arguments).await;
    assert_eq!(fault(json!({"src": "src", "dst": "x", "pkgs": false})).await.0, 1019);
    assert_eq!(fault(json!({"src": "src", "dst": "bare"})).await, (1000, "Target tag already exists".to_owned()));
    assert_eq!(fault(json!({"src": "none", "dst": "x"})).await.0, 1000);
    assert_eq!(fault(json!({"src": "src", "dst": "a b"})).await.0, 1024);
    assert_eq!(fault(json!({"src": "src", "dst": 5})).await.0, 1019);
    let bob = world.user("bob", &[]).await;
    assert_eq!(bob.fault("snapshotTag", json!({"src": "src", "dst": "x"})).await.0, 1004);
    world.ok("editTag2", json!({"tagInfo": "src", "locked": true})).await;
    assert_eq!(fault(json!({"src": "src", "dst": "x"})).await.1, "Source tag is locked, use force to copy");
    world.ok("snapshotTag", json!({"src": "src", "dst": "x", "force": true})).await;
    assert_eq!(world.ok("getTag", json!({"tagInfo": "x"})).await["locked"], json!(true));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_tag_becomes_a_copy(pool: PgPool) {
    let world = source(pool).await;
    world.ok("createTag", json!({"name": "dst", "arches": "aarch64", "extra": {"gone": 1}})).await;
    world.list("dst", &["pkg", "extra"]).await;
    for nvr in ["extra-1-1", "pkg-4-1"] {
        world.build(nvr).await;
    }
    for nvr in ["pkg-4-1", "extra-1-1", "pkg-1-1"] {
        world.tag_build("dst", nvr).await;
    }
    world.ok("groupListAdd", json!({"taginfo": "dst", "grpinfo": "mine"})).await;
    let arguments = json!({"src": "src", "dst": "dst", "latest_only": false, "force": true});
    world.ok("snapshotTagModify", arguments.clone()).await;
    let tag = world.ok("getTag", json!({"tagInfo": "dst"})).await;
    assert_eq!((&tag["arches"], &tag["perm"]), (&json!("x86_64"), &json!("sign")));
    assert_eq!(tag["extra"], json!({"mock.new_chroot": 1, "x": "y"}));
    assert_eq!(packages(&world, "dst").await, ["extra!", "old!", "pkg"]);
    // the source's builds in its order, before those that only the copy has
    let of_pkg = json!({"tag": "dst", "package": "pkg"});
    assert_eq!(world.nvrs("listTagged", of_pkg.clone()).await, ["pkg-1-1", "pkg-2-1", "pkg-3-1", "pkg-4-1"]);
    let groups = world.ok("getTagGroups", json!({"tag": "dst"})).await;
    assert_eq!(column(&groups, "name"), ["build", "mine"]);
    assert_eq!(column(&groups[0]["packagelist"], "package"), ["bash"]);

    // once more changes nothing
    let event = world.last_event().await;
    world.ok("snapshotTagModify", arguments.clone()).await;
    assert_eq!(world.last_event().await, event);

    let mut removing = arguments;
    removing["remove"] = json!(true);
    world.ok("snapshotTagModify", removing).await;
    assert_eq!(world.nvrs("listTagged", of_pkg).await, ["pkg-1-1", "pkg-2-1", "pkg-3-1"]);
    assert_eq!(column(&world.ok("getTagGroups", json!({"tag": "dst"})).await, "name"), ["build"]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_may_not_be_changed(pool: PgPool) {
    let world = source(pool).await;
    world.tags(&["dst"]).await;
    let fault = async |arguments: Value| world.fault("snapshotTagModify", arguments).await;
    assert_eq!(fault(json!({"src": "src", "dst": "none"})).await.0, 1000);
    assert_eq!(fault(json!({"src": "src", "dst": "dst", "pkgs": false})).await.0, 1019);
    let bob = world.user("bob", &["tag"]).await;
    world.ok("editTag2", json!({"tagInfo": "dst", "locked": true})).await;
    let refused = fault(json!({"src": "src", "dst": "dst"})).await;
    assert_eq!(refused, (1000, "Source or destination tag is locked, use force to copy".to_owned()));
    world.ok("editTag2", json!({"tagInfo": "dst", "locked": false})).await;
    bob.ok("snapshotTagModify", json!({"src": "src", "dst": "dst", "config": false})).await;
    assert_eq!(nvrs(&world, "dst").await, ["pkg-1-1"]);
    let carol = world.user("carol", &[]).await;
    assert_eq!(carol.fault("snapshotTagModify", json!({"src": "src", "dst": "dst"})).await.0, 1004);
    // taking builds out is for who may untag
    world.ok("untagBuild", json!({"tag": "src", "build": "pkg-1-1", "force": true})).await;
    world.ok("editTag2", json!({"tagInfo": "dst", "perm": "sign"})).await;
    let removing = json!({"src": "src", "dst": "dst", "config": false, "remove": true});
    assert_eq!(bob.fault("snapshotTagModify", removing).await, (1004, "tag requires sign permission".to_owned()));
}
