//! Tags themselves.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::world::{World, column};

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_tag_as_the_stock_client_sees_it(pool: PgPool) {
    let world = World::new(pool).await;
    let id = world.ok("createTag", json!({"name": "dist-foo"})).await;
    let tag = json!({
        "arches": "", "id": id, "locked": false, "maven_include_all": false, "maven_support": false,
        "name": "dist-foo", "perm": null, "perm_id": null, "extra": {},
    });
    assert_eq!(world.ok("getTag", json!({"tagInfo": "dist-foo"})).await, tag);
    assert_eq!(world.ok("getTag", json!({"tagInfo": id})).await, tag);
    assert_eq!(world.ok("getTag", json!({"tagInfo": {"name": "dist-foo"}})).await, tag);
    assert_eq!(world.ok("getTag", json!({"tagInfo": "none"})).await, Value::Null);
    let missing = world.fault("getTag", json!({"tagInfo": "none", "strict": true})).await;
    assert_eq!(missing, (1000, "No such tag: 'none'".to_owned()));
    let missing = world.fault("getTag", json!({"tagInfo": 99, "strict": true})).await;
    assert_eq!(missing, (1000, "No such tag: 99".to_owned()));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn names_and_rights_are_checked(pool: PgPool) {
    let world = World::new(pool).await;
    for bad in ["", "a b", "a;b", "tag@home", "ä", &"x".repeat(257)] {
        assert_eq!(world.fault("createTag", json!({"name": bad})).await.0, 1024, "{bad}");
    }
    world.tags(&["taken"]).await;
    assert_eq!(world.fault("createTag", json!({"name": "taken"})).await.0, 1000);
    assert_eq!(world.fault("createTag", json!({"name": "x", "arches": "x86_64;rm"})).await.0, 1000);
    assert_eq!(world.fault("createTag", json!({"name": "x", "parent": "nowhere"})).await.0, 1000);
    assert_eq!(world.fault("createTag", json!({"name": "x", "colour": "red"})).await.0, 1019);

    let bob = world.user("bob", &[]).await;
    let denied = bob.fault("createTag", json!({"name": "x"})).await;
    assert_eq!(denied, (1004, "tag permission required (logged in as bob)".to_owned()));
    assert_eq!(world.nobody().fault("deleteTag", json!({"tagInfo": "taken"})).await.0, 1004);
    world.user("carol", &["tag"]).await.ok("createTag", json!({"name": "x"})).await;
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn settings_change_and_history_stays(pool: PgPool) {
    let world = World::new(pool).await;
    world.ok("createTag", json!({"name": "t", "arches": "x86_64 aarch64", "extra": {"a": 1, "b": null}})).await;
    let first = world.last_event().await;
    let edit = async |changes: Value| {
        let mut arguments = changes;
        arguments["tagInfo"] = json!("t");
        world.call("editTag2", arguments).await
    };
    edit(json!({"arches": null, "locked": true, "perm": "admin", "extra": {"a": {"deep": [1, "x"]}}})).await.unwrap();
    let tag = world.ok("getTag", json!({"tagInfo": "t"})).await;
    assert_eq!((&tag["arches"], &tag["locked"], &tag["perm"]), (&Value::Null, &json!(true), &json!("admin")), "{tag}");
    assert_eq!(tag["extra"], json!({"a": {"deep": [1, "x"]}, "b": null}));
    edit(json!({"perm_id": null, "remove_extra": ["a"], "block_extra": ["b"], "locked": false})).await.unwrap();
    let tag = world.ok("getTag", json!({"tagInfo": "t"})).await;
    assert_eq!((&tag["perm"], &tag["extra"]), (&Value::Null, &json!({})));
    let shown = world.ok("getTag", json!({"tagInfo": "t", "blocked": true})).await;
    assert_eq!(shown["extra"], json!({"b": [true, null]}));

    let old = world.ok("getTag", json!({"tagInfo": "t", "event": first})).await;
    assert_eq!((&old["arches"], &old["extra"]), (&json!("x86_64 aarch64"), &json!({"a": 1, "b": null})));
    let before = world.last_event().await;
    edit(json!({"locked": false, "block_extra": ["b"]})).await.unwrap();
    assert_eq!(world.last_event().await, before, "nothing changed, so nothing was written");

    assert!(edit(json!({"remove_extra": ["a"]})).await.is_err());
    assert!(edit(json!({"extra": {"x": 1}, "block_extra": ["x"]})).await.is_err());
    assert!(edit(json!({"colour": "red"})).await.is_err());
    assert!(edit(json!({"perm": "no-such-permission"})).await.is_err());

    world.tags(&["other"]).await;
    assert!(edit(json!({"name": "other"})).await.is_err());
    edit(json!({"name": "renamed"})).await.unwrap();
    assert_eq!(world.ok("getTag", json!({"tagInfo": "t"})).await, Value::Null);
    assert_eq!(world.ok("getTag", json!({"tagInfo": "renamed"})).await["extra"], json!({}));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn deleted_and_made_again_under_the_same_id(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["t", "parent", "child"]).await;
    world.inherit("t", "parent", 1).await;
    world.inherit("child", "t", 1).await;
    world.list("t", &["foo"]).await;
    world.build("foo-1-1").await;
    world.tag_build("t", "foo-1-1").await;
    world.ok("createBuildTarget", json!({"name": "target", "build_tag": "t", "dest_tag": "parent"})).await;
    world.ok("groupListAdd", json!({"taginfo": "t", "grpinfo": "build"})).await;
    let id = world.tag_id("t").await;
    let before = world.last_event().await;

    world.ok("deleteTag", json!({"tagInfo": "t"})).await;
    let deletion = world.last_event().await;
    assert_eq!(world.ok("getTag", json!({"tagInfo": "t"})).await, Value::Null);
    assert_eq!(world.fault("listTagged", json!({"tag": "t"})).await, (1000, "No such tag: 't'".to_owned()));
    assert_eq!(world.fault("deleteTag", json!({"tagInfo": "t"})).await.0, 1000);
    assert_eq!(world.ok("getInheritanceData", json!({"tag": "child"})).await, json!([]));
    assert_eq!(world.ok("getBuildTarget", json!({"info": "target"})).await, Value::Null);
    assert_eq!(world.ok("getTag", json!({"tagInfo": "t", "event": "auto"})).await["id"], json!(id));
    assert_eq!(world.nvrs("listTagged", json!({"tag": "t", "event": before})).await, ["foo-1-1"]);
    assert_ne!(world.ok("getBuildTarget", json!({"info": "target", "event": before})).await, Value::Null);
    assert_eq!(world.ok("tagLastChangeEvent", json!({"tag": "t"})).await, json!(deletion));

    world.ok("createTag", json!({"name": "t"})).await;
    assert_eq!(world.tag_id("t").await, id);
    assert_eq!(world.nvrs("listTagged", json!({"tag": "t"})).await, [""; 0]);
    for (method, key) in [("getInheritanceData", "tag"), ("getTagGroups", "tag"), ("listPackages", "tagID")] {
        assert_eq!(world.ok(method, json!({key: "t"})).await, json!([]), "{method}");
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn builds_see_what_is_inherited(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["base", "middle", "build", "quirk"]).await;
    let edit = async |tag: &str, mut changes: Value| {
        changes["tagInfo"] = json!(tag);
        world.ok("editTag2", changes).await;
    };
    edit("base", json!({"extra": {"far": "base", "near": "base", "hidden": "base"}})).await;
    edit("middle", json!({"arches": "s390x", "extra": {"near": "middle"}, "block_extra": ["hidden"]})).await;
    edit("build", json!({"arches": null, "extra": {"own": 1}})).await;
    world.inherit("build", "middle", 1).await;
    world.inherit("middle", "base", 1).await;
    let config = world.ok("getBuildConfig", json!({"tag": "build"})).await;
    assert_eq!(config["arches"], json!("s390x"));
    assert_eq!(config["extra"], json!({"far": "base", "near": "middle", "own": 1}));
    let source = |id: i64, name: &str| json!({"id": id, "name": name});
    let (base, middle) = (world.tag_id("base").await, world.tag_id("middle").await);
    assert_eq!(
        config["config_inheritance"],
        json!({
            "extra": {"far": source(base, "base"), "near": source(middle, "middle")},
            "arches": source(middle, "middle"),
        })
    );

    // Q3: noconfig leaves out that parent, but not what lies behind it
    world.link("build", "middle", json!({"priority": 1, "noconfig": true})).await;
    let config = world.ok("getBuildConfig", json!({"tag": "build"})).await;
    assert_eq!(config["arches"], json!("x86_64"));
    assert_eq!(config["extra"], json!({"far": "base", "near": "base", "hidden": "base", "own": 1}));

    // Q5: empty arches, as createTag leaves them, are not inherited over
    world.ok("createTag", json!({"name": "empty", "parent": "base"})).await;
    let config = world.ok("getBuildConfig", json!({"tag": "empty"})).await;
    assert_eq!((&config["arches"], &config["config_inheritance"]["arches"]), (&json!(""), &Value::Null));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn lists_are_filtered_sorted_and_cut(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["f42", "f42-build", "f43", "epel_9"]).await;
    let names = async |arguments: Value| column(&world.ok("listTags", arguments).await, "name");
    assert_eq!(names(json!({})).await, ["epel_9", "f42", "f42-build", "f43"]);
    assert_eq!(names(json!({"pattern": "F4?"})).await, ["f42", "f43"]);
    assert_eq!(names(json!({"pattern": "*_*"})).await, ["epel_9"]);
    assert_eq!(names(json!({"queryOpts": {"order": "-name", "limit": 1, "offset": 1}})).await, ["f42-build"]);
    assert_eq!(world.ok("listTags", json!({"queryOpts": {"countOnly": true}})).await, json!(4));
    assert_eq!(world.fault("listTags", json!({"queryOpts": {"order": "id; DROP TABLE tag"}})).await.0, 1000);

    world.list("f42", &["foo"]).await;
    world.build("foo-1-1").await;
    world.tag_build("f42", "foo-1-1").await;
    assert_eq!(names(json!({"build": "foo-1-1"})).await, ["f42"]);
    let listing = world.ok("listTags", json!({"package": "foo"})).await;
    assert_eq!(column(&listing, "name"), ["f42"]);
    assert_eq!((&listing[0]["owner_name"], &listing[0]["blocked"]), (&json!("admin"), &json!(false)));
    let members = |row: &Value| {
        let mut names: Vec<String> = row.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names.join(" ")
    };
    let all =
        "arches blocked extra_arches id locked maven_include_all maven_support name owner_id owner_name perm perm_id";
    assert_eq!(members(&listing[0]), all);
    let bare = world.ok("listTags", json!({"perms": false})).await;
    assert_eq!(members(&bare[0]), "arches id locked maven_include_all maven_support name");
    let both = json!({"package": "foo", "build": "foo-1-1"});
    assert_eq!(world.fault("listTags", both).await.1, "only one of build and package may be specified");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn changes_are_found(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["base", "build", "stranger"]).await;
    world.inherit("build", "base", 1).await;
    let linked = world.last_event().await;
    let last = async |arguments: Value| world.ok("tagLastChangeEvent", arguments).await;
    let first = async |after: i64| world.ok("tagFirstChangeEvent", json!({"tag": "build", "after": after})).await;
    assert_eq!(last(json!({"tag": "build"})).await, json!(linked));
    assert_eq!(first(linked).await, Value::Null);

    world.list("stranger", &["foo"]).await;
    assert_eq!(last(json!({"tag": "build"})).await, json!(linked), "another tag's change");
    world.list("base", &["foo"]).await;
    let listed = world.last_event().await;
    assert_eq!(last(json!({"tag": "build"})).await, json!(listed));
    assert_eq!(last(json!({"tag": "build", "inherit": false})).await, json!(linked));
    assert_eq!(last(json!({"tag": "build", "before": listed})).await, json!(linked));
    assert_eq!(first(linked).await, json!(listed));

    world.ok("createExternalRepo", json!({"name": "ext", "url": "https://example.com/"})).await;
    world.ok("addExternalRepoToTag", json!({"tag_info": "base", "repo_info": "ext", "priority": 1})).await;
    let attached = world.last_event().await;
    world.ok("editExternalRepo", json!({"info": "ext", "url": "https://example.com/new"})).await;
    let moved = world.last_event().await;
    assert_eq!(last(json!({"tag": "build"})).await, json!(moved), "an attached repo's own change counts");
    assert_eq!(first(listed).await, json!(attached));
    assert_eq!(first(attached).await, json!(moved));
    world.ok("removeExternalRepoFromTag", json!({"tag_info": "base", "repo_info": "ext"})).await;
    let detached = world.last_event().await;
    world.ok("editExternalRepo", json!({"info": "ext", "url": "https://example.com/newer"})).await;
    assert_eq!(last(json!({"tag": "build"})).await, json!(detached), "a detached one's does not");
    assert_eq!(first(detached).await, Value::Null);
}
