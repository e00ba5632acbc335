//! Package lists.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::world::{World, column};

/// `name blocked?owner` of each entry that counts.
async fn shown(world: &World, tag: &str) -> Vec<String> {
    let rows = world.ok("listPackages", json!({"tagID": tag, "inherited": true})).await;
    let entry = |row: &Value| {
        let state = if row["blocked"] == json!(true) { "blocked" } else { "open" };
        format!("{} {state} {}", row["package_name"].as_str().unwrap(), row["tag_name"].as_str().unwrap())
    };
    rows.as_array().unwrap().iter().map(entry).collect()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn entries_are_added_once_and_changed(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["t"]).await;
    world.user("bob", &[]).await;
    let add = async |arguments: Value| {
        let mut all = json!({"taginfo": "t", "pkginfo": "foo"});
        all.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
        world.call("packageListAdd", all).await
    };
    assert!(add(json!({})).await.is_err(), "a new entry needs an owner");
    assert!(add(json!({"owner": "nobody"})).await.is_err());
    assert!(add(json!({"pkginfo": 77, "owner": "bob"})).await.is_err(), "made only by name");
    assert!(add(json!({"pkginfo": "f o", "owner": "bob"})).await.is_err());
    assert!(add(json!({"owner": "bob", "update": true})).await.is_err(), "nothing to update");
    add(json!({"owner": "bob", "extra_arches": "i686, x86_64"})).await.unwrap();
    let entry = world.ok("getPackageConfig", json!({"tag": "t", "pkg": "foo"})).await;
    let bob = world.ok("getUser", json!({"userInfo": "bob"})).await["id"].clone();
    let foo = world.ok("getPackageID", json!({"name": "foo"})).await;
    assert_eq!(
        entry,
        json!({
            "blocked": false, "extra_arches": "i686 x86_64", "owner_id": bob, "owner_name": "bob",
            "package_id": foo, "package_name": "foo", "tag_id": 1, "tag_name": "t",
        })
    );
    let before = world.last_event().await;
    add(json!({"owner": "bob"})).await.unwrap();
    assert_eq!(world.last_event().await, before, "the same again changes nothing");
    add(json!({"owner": "bob", "force": true})).await.unwrap();
    assert_eq!(world.last_event().await, before, "not even by force");

    world.ok("packageListSetOwner", json!({"taginfo": "t", "pkginfo": "foo", "owner": "admin"})).await;
    world.ok("packageListSetArches", json!({"taginfo": "t", "pkginfo": "foo", "arches": null})).await;
    let entry = world.ok("getPackageConfig", json!({"tag": "t", "pkg": "foo"})).await;
    assert_eq!((&entry["owner_name"], &entry["extra_arches"]), (&json!("admin"), &json!("")));
    let old = world.ok("getPackageConfig", json!({"tag": "t", "pkg": "foo", "event": before})).await;
    assert_eq!((&old["owner_name"], &old["extra_arches"]), (&json!("bob"), &json!("i686 x86_64")));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn blocks_hide_and_removal_uncovers(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["base", "child"]).await;
    world.inherit("child", "base", 1).await;
    world.list("base", &["foo", "bar"]).await;
    let on = |tag: &str| json!({"taginfo": tag, "pkginfo": "foo"});
    assert_eq!(shown(&world, "child").await, ["bar open base", "foo open base"]);
    world.ok("packageListBlock", on("child")).await;
    assert_eq!(shown(&world, "child").await, ["bar open base", "foo blocked child"]);
    assert_eq!(shown(&world, "base").await, ["bar open base", "foo open base"]);
    let refused = world.fault("packageListAdd", json!({"taginfo": "child", "pkginfo": "foo", "block": false})).await;
    assert!(refused.1.contains("is blocked in tag child"), "{refused:?}");
    world.ok("packageListRemove", on("child")).await;
    assert_eq!(shown(&world, "child").await, ["bar open base", "foo open base"]);
    let before = world.last_event().await;
    world.ok("packageListRemove", on("child")).await;
    assert_eq!(world.last_event().await, before, "nothing is there: nothing is done");
    assert!(
        world.fault("packageListBlock", json!({"taginfo": "child", "pkginfo": "none"})).await.1.contains("No such")
    );

    // a local block goes, and what shows through is open
    world.ok("packageListBlock", on("child")).await;
    world.ok("packageListUnblock", on("child")).await;
    assert_eq!(shown(&world, "child").await, ["bar open base", "foo open base"]);
    assert!(world.fault("packageListUnblock", on("child")).await.1.contains("NOT blocked"));

    // an inherited block is answered by an open entry here
    world.ok("packageListBlock", on("base")).await;
    world.ok("packageListUnblock", on("child")).await;
    assert_eq!(shown(&world, "child").await, ["bar open base", "foo open child"]);

    // a local block over an inherited one turns into an open entry
    world.ok("packageListBlock", on("child")).await;
    world.ok("packageListUnblock", on("child")).await;
    assert_eq!(shown(&world, "child").await, ["bar open base", "foo open child"]);
    assert_eq!(shown(&world, "base").await, ["bar open base", "foo blocked base"]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn filters_let_through_what_matches_from_the_start(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["base", "child"]).await;
    world.link("child", "base", json!({"priority": 1, "pkg_filter": "lib|foo"})).await;
    world.list("base", &["libx", "foobar", "zlib", "bar"]).await;
    assert_eq!(shown(&world, "child").await, ["foobar open base", "libx open base"]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn lists(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["base", "child"]).await;
    world.inherit("child", "base", 1).await;
    world.user("bob", &[]).await;
    world.list("base", &["foo", "bar"]).await;
    world
        .ok("packageListAdd", json!({"taginfo": "child", "pkginfo": "foo", "owner": "bob", "extra_arches": "i686"}))
        .await;
    world.ok("packageListBlock", json!({"taginfo": "child", "pkginfo": "bar"})).await;
    let names = async |arguments: Value| column(&world.ok("listPackages", arguments).await, "package_name");
    assert_eq!(names(json!({})).await, ["bar", "foo"]);
    assert_eq!(names(json!({"prefix": "F"})).await, ["foo"]);
    let first = world.ok("listPackages", json!({"queryOpts": {"limit": 1}})).await;
    assert_eq!(first, json!([{"package_id": 2, "package_name": "bar"}]));
    assert_eq!(first, world.ok("listPackagesSimple", json!({"queryOpts": {"limit": 1}})).await);
    assert_eq!(world.ok("listPackages", json!({"queryOpts": {"countOnly": true}})).await, json!(2));
    assert_eq!(names(json!({"tagID": "child"})).await, ["bar", "foo"]);
    assert_eq!(names(json!({"tagID": "child", "with_blocked": false})).await, ["foo"]);
    assert_eq!(names(json!({"tagID": "child", "inherited": true, "userID": "bob"})).await, ["foo"]);
    let unknown = json!({"tagID": "child", "inherited": true, "pkgID": "none"});
    assert_eq!(world.fault("listPackages", unknown).await, (1000, "No such package: 'none'".to_owned()));
    let contradiction = json!({"userID": "bob", "with_owners": false});
    assert_eq!(world.fault("listPackages", contradiction).await.0, 1000);
    let dups = world.ok("listPackages", json!({"tagID": "child", "inherited": true, "with_dups": true})).await;
    assert_eq!(column(&dups, "tag_name"), ["child", "base", "child", "base"]);
    let bare = world.ok("listPackages", json!({"tagID": "base", "with_owners": false})).await;
    assert!(bare[0].get("owner_id").is_none(), "{bare}");
    let everywhere = world.ok("listPackages", json!({"pkgID": "foo"})).await;
    assert_eq!(column(&everywhere, "tag_name"), ["base", "child"]);

    assert_eq!(world.ok("getPackageID", json!({"name": "none"})).await, Value::Null);
    assert!(world.fault("getPackageID", json!({"name": "none", "strict": true})).await.1.contains("No such package"));
    let is_open =
        async |tag: &str, package: &str| world.ok("checkTagPackage", json!({"tag": tag, "pkg": package})).await;
    assert_eq!(is_open("child", "foo").await, json!(true));
    assert_eq!(is_open("child", "bar").await, json!(false), "blocked");
    assert_eq!(is_open("none", "foo").await, json!(false));
    assert_eq!(is_open("child", "none").await, json!(false));
    let nobody = world.nobody();
    assert_eq!(nobody.ok("getPackage", json!({"info": "foo"})).await["name"], json!("foo"));
    assert_eq!(nobody.fault("getPackage", json!({"info": "new", "create": true})).await.0, 1004);
    assert_eq!(world.ok("getPackage", json!({"info": "new", "create": true})).await["name"], json!("new"));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn only_who_may_edit_tags(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["t"]).await;
    let arguments = json!({"taginfo": "t", "pkginfo": "foo", "owner": "admin"});
    let bob = world.user("bob", &[]).await;
    assert_eq!(bob.fault("packageListAdd", arguments.clone()).await.0, 1004);
    assert_eq!(world.nobody().fault("packageListAdd", arguments.clone()).await.0, 1004);
    world.user("carol", &["tag"]).await.ok("packageListAdd", arguments).await;
}
