//! Side tags.

use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::{config::Config, sidetag::Settings};

use crate::world::{World, column};

/// A world with a base tag.
async fn with(pool: PgPool, sidetags: Settings) -> World {
    let world = World::with(pool, Config { sidetags, ..Config::default() }).await;
    world.tags(&["base", "other"]).await;
    world
}

async fn create(world: &World, arguments: Value) -> String {
    let mut all = json!({"basetag": "base"});
    all.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
    world.ok("createSideTag", all).await["name"].as_str().unwrap().to_owned()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_side_tag_is_a_tag_and_a_target(pool: PgPool) {
    let world = with(pool, Settings::default()).await;
    let bob = world.user("bob", &[]).await;
    let id = bob.ok("getLoggedInUser", json!({})).await["id"].clone();
    let made = bob.ok("createSideTag", json!({"basetag": "base", "debuginfo": true})).await;
    let name = format!("base-side-{}", made["id"]);
    assert_eq!(made, json!({"name": name, "id": made["id"], "task_id": null, "request": null}));
    let tag = world.ok("getTag", json!({"tagInfo": name})).await;
    assert_eq!(tag["arches"], json!("x86_64"));
    assert_eq!(
        tag["extra"],
        json!({"sidetag": true, "sidetag_user": "bob", "sidetag_user_id": id, "with_debuginfo": true})
    );
    let links = world.ok("getInheritanceData", json!({"tag": name})).await;
    assert_eq!(
        (links.as_array().unwrap().len(), &links[0]["name"], &links[0]["priority"]),
        (1, &json!("base"), &json!(0))
    );
    let target = world.ok("getBuildTarget", json!({"info": name})).await;
    assert_eq!((&target["build_tag"], &target["dest_tag"]), (&made["id"], &made["id"]));

    // its owner builds in it, and nothing else of it is anybody's
    bob.ok("build", json!({"src": "git+https://example.com/foo#1", "target": name})).await;
    assert_eq!(bob.fault("editTag2", json!({"tagInfo": name, "locked": true})).await.0, 1004);
    assert_eq!(world.nobody().fault("createSideTag", json!({"basetag": "base"})).await.0, 1004);
    assert_eq!(bob.fault("createSideTag", json!({"basetag": "none"})).await, (1000, "No such tag: 'none'".to_owned()));
    assert_eq!(bob.fault("createSideTag", json!({"basetag": ["base"]})).await.0, 1019);
    let suffix = bob.fault("createSideTag", json!({"basetag": "base", "suffix": "x"})).await;
    assert!(suffix.0 == 1000 && suffix.1.starts_with("x suffix is not allowed for sidetag"), "{suffix:?}");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn its_owner_removes_it(pool: PgPool) {
    let world = with(pool, Settings::default()).await;
    let (bob, carol) = (world.user("bob", &[]).await, world.user("carol", &["tag"]).await);
    let name = create(&bob, json!({})).await;
    let before = world.last_event().await;
    assert_eq!(
        carol.fault("removeSideTag", json!({"sidetag": name})).await,
        (1004, "This is not your sidetag".to_owned())
    );
    assert_eq!(bob.fault("removeSideTag", json!({"sidetag": "base"})).await, (1000, "Not a sidetag: base".to_owned()));
    assert_eq!(bob.fault("removeSideTag", json!({"sidetag": "none"})).await.0, 1000);
    bob.ok("removeSideTag", json!({"sidetag": name})).await;
    assert_eq!(world.ok("getTag", json!({"tagInfo": name})).await, Value::Null);
    assert_eq!(world.ok("getBuildTarget", json!({"info": name})).await, Value::Null);
    assert_eq!(world.ok("getTag", json!({"tagInfo": name, "event": before})).await["name"], json!(name));

    // an admin removes anybody's, unless its target is another's by now
    let name = create(&bob, json!({})).await;
    let edit = json!({"buildTargetInfo": name, "name": name, "build_tag": name, "dest_tag": "base"});
    world.ok("editBuildTarget", edit).await;
    let fault = bob.fault("removeSideTag", json!({"sidetag": name})).await;
    assert_eq!(fault, (1000, format!("Target does not match sidetag {name}")));
    world.ok("deleteBuildTarget", json!({"buildTargetInfo": name})).await;
    let fault = bob.fault("removeSideTag", json!({"sidetag": name})).await;
    assert_eq!(fault, (1000, format!("Target is missing for sidetag {name}")));
    let name = create(&bob, json!({})).await;
    world.ok("removeSideTag", json!({"sidetag": name})).await;
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn lists(pool: PgPool) {
    let world = with(pool, Settings::default()).await;
    let bob = world.user("bob", &[]).await;
    let id = bob.ok("getLoggedInUser", json!({})).await["id"].to_string();
    let first = create(&bob, json!({})).await;
    let second = create(&bob, json!({"basetag": "other"})).await;
    let third = create(&world, json!({})).await;
    let names = async |arguments: Value| column(&world.nobody().ok("listSideTags", arguments).await, "name");
    assert_eq!(names(json!({})).await, [&*first, &second, &third]);
    assert_eq!(names(json!({"user": "bob"})).await, [&*first, &second]);
    assert_eq!(names(json!({"basetag": "base"})).await, [&*first, &third]);
    assert_eq!(names(json!({"basetag": "base", "user": "bob"})).await, [&*first]);
    assert_eq!(names(json!({"queryOpts": {"order": "-id", "limit": 1}})).await, [&*third]);
    assert_eq!(world.ok("listSideTags", json!({"queryOpts": {"countOnly": true}})).await, json!(3));
    let rows = world.ok("listSideTags", json!({"basetag": "other"})).await;
    let tag = world.tag_id(&second).await;
    assert_eq!(rows, json!([{"id": tag, "name": second, "user_id": id, "user_name": "bob"}]));
    assert_eq!(world.fault("listSideTags", json!({"user": "none"})).await.0, 1000);
    assert_eq!(world.fault("listSideTags", json!({"basetag": "none"})).await.0, 1000);
    bob.ok("removeSideTag", json!({"sidetag": first})).await;
    assert_eq!(names(json!({"user": "bob"})).await, [&*second]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn the_policy_and_the_quota_have_a_say(pool: PgPool) {
    let settings = Settings {
        quota: Some(2),
        allowed_suffixes: vec!["boot".to_owned()],
        name_template: "side/{basetag}".to_owned(),
        ..Settings::default()
    };
    let world = with(pool, settings).await;
    let rules = "tag base && compare number_of_tags < 5 :: allow\nall :: deny not from there";
    world.ok("policy.set", json!({"name": "sidetag", "rules": rules})).await;
    let bob = world.user("bob", &[]).await;
    let fault = bob.fault("createSideTag", json!({"basetag": "other"})).await;
    assert_eq!(fault, (1004, "policy violation (sidetag): not from there".to_owned()));
    assert_eq!(create(&bob, json!({})).await, "side/base");
    let taken = bob.fault("createSideTag", json!({"basetag": "base"})).await;
    assert!(taken.0 == 1000 && taken.1.contains("A tag with the name 'side/base' already exists"), "{taken:?}");
    assert_eq!(create(&bob, json!({"suffix": "boot"})).await, "side/base-boot");
    let full = bob.fault("createSideTag", json!({"basetag": "base"})).await;
    assert!(full.0 == 1004 && full.1.starts_with("bob has 2 side tags, and may have no more"), "{full:?}");
    bob.ok("removeSideTag", json!({"sidetag": "side/base"})).await;
    world.ok("policy.set", json!({"name": "sidetag", "rules": "compare number_of_tags < 1 :: allow"})).await;
    let fault = bob.fault("createSideTag", json!({"basetag": "base"})).await;
    assert_eq!(fault, (1004, "policy violation (sidetag): not covered by policy".to_owned()));
    // a template without an id gives names again
    bob.ok("removeSideTag", json!({"sidetag": "side/base-boot"})).await;
    assert_eq!(create(&bob, json!({"suffix": "boot"})).await, "side/base-boot");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn its_owner_edits_what_the_base_allows(pool: PgPool) {
    let world = with(pool, Settings::default()).await;
    let (bob, carol) = (world.user("bob", &[]).await, world.user("carol", &["tag"]).await);
    let name = create(&bob, json!({})).await;
    let edit = |arguments: Value| {
        let mut all = json!({"sidetag": name});
        all.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
        all
    };
    assert_eq!(carol.fault("editSideTag", edit(json!({"debuginfo": true}))).await.0, 1004);
    for (arguments, says) in [
        (json!({"debuginfo": false}), "Debuginfo setting is not allowed in parent tag"),
        (json!({"rpm_macros": {"dist": ".x"}}), "RPM macros change is not allowed in parent tag"),
        (json!({"remove_rpm_macros": ["dist"]}), "RPM macros change is not allowed in parent tag"),
    ] {
        let fault = bob.fault("editSideTag", edit(arguments)).await;
        assert!(fault.0 == 1000 && fault.1.starts_with(says), "{fault:?}");
    }
    let allow = json!({"sidetag_debuginfo_allowed": 1, "sidetag_rpm_macros_allowed": "dist with_*"});
    world.ok("editTag2", json!({"tagInfo": "base", "extra": allow})).await;
    bob.ok("editSideTag", edit(json!({"debuginfo": true, "rpm_macros": {"dist": ".x", "with_y": 1}}))).await;
    let extra = async || world.ok("getTag", json!({"tagInfo": name})).await["extra"].clone();
    let after = extra().await;
    assert_eq!(
        (&after["with_debuginfo"], &after["rpm.macro.dist"], &after["rpm.macro.with_y"]),
        (&json!(true), &json!(".x"), &json!(1))
    );
    bob.ok("editSideTag", edit(json!({"debuginfo": false, "remove_rpm_macros": ["dist"]}))).await;
    let after = extra().await;
    assert_eq!((&after["with_debuginfo"], after.get("rpm.macro.dist")), (&json!(false), None));
    for (arguments, says) in [
        (json!({"rpm_macros": {"vendor": "me"}}), "RPM macro vendor editing is not allowed via parent tag"),
        (json!({"rpm_macros": {"1": "x"}}), "Invalid macro name '1'"),
        (json!({"remove_rpm_macros": ["dist"]}), "doesn't have extra: rpm.macro.dist"),
    ] {
        let fault = bob.fault("editSideTag", edit(arguments)).await;
        assert!(fault.0 == 1000 && fault.1.contains(says), "{fault:?}");
    }
    assert_eq!(bob.fault("editSideTag", edit(json!({"rpm_macros": ["dist"]}))).await.0, 1019);
    assert_eq!(bob.fault("editSideTag", edit(json!({"extra": {"a": 1}}))).await.0, 1004);
    assert_eq!(bob.fault("editSideTag", json!({"sidetag": "base", "debuginfo": true})).await.0, 1000);
    world.ok("editSideTag", edit(json!({"extra": {"a": 1}}))).await;
    world.ok("editSideTag", edit(json!({"remove_extra": ["a"]}))).await;
    assert_eq!(extra().await.get("a"), None);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn an_empty_one_goes_where_it_is_to(pool: PgPool) {
    let world = with(pool, Settings { remove_empty: true, ..Settings::default() }).await;
    world.list("base", &["foo"]).await;
    world.build("foo-1-1").await;
    world.build("foo-1-2").await;
    let bob = world.user("bob", &[]).await;
    let name = create(&bob, json!({})).await;
    for nvr in ["foo-1-1", "foo-1-2"] {
        world.tag_build(&name, nvr).await;
        world.tag_build("base", nvr).await;
    }
    bob.ok("untagBuild", json!({"tag": name, "build": "foo-1-1"})).await;
    assert_eq!(world.ok("getTag", json!({"tagInfo": name})).await["name"], json!(name));
    bob.ok("untagBuild", json!({"tag": name, "build": "foo-1-2"})).await;
    assert_eq!(world.ok("getTag", json!({"tagInfo": name})).await, Value::Null);
    assert_eq!(world.ok("getBuildTarget", json!({"info": name})).await, Value::Null);
    // any other tag stays
    for nvr in ["foo-1-1", "foo-1-2"] {
        bob.ok("untagBuild", json!({"tag": "base", "build": nvr})).await;
    }
    assert_eq!(world.ok("getTag", json!({"tagInfo": "base"})).await["name"], json!("base"));
    // so does one whose target is not its own; the build leaves it all the same
    let name = create(&bob, json!({})).await;
    world.tag_build(&name, "foo-1-1").await;
    world.ok("deleteBuildTarget", json!({"buildTargetInfo": name})).await;
    bob.ok("untagBuild", json!({"tag": name, "build": "foo-1-1"})).await;
    assert_eq!(world.nvrs("listTagged", json!({"tag": name})).await, [""; 0]);
    assert_eq!(world.ok("getTag", json!({"tagInfo": name})).await["name"], json!(name));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_repo_may_be_asked_for_at_once(pool: PgPool) {
    let world = with(pool, Settings { trigger_new_repo: true, ..Settings::default() }).await;
    let made = world.ok("createSideTag", json!({"basetag": "base"})).await;
    assert_eq!(made["request"]["tag_id"], made["id"]);
}
