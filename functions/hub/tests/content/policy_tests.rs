//! Each of the 39 tests that policies are made of, with data of which it holds and data of which it does not.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::world::World;

/// Whether a test holds of some data.
async fn holds(world: &World, test: &str, data: &Value) -> bool {
    let rules = format!("{test} :: yes");
    let told = world.ok("policy.explain", json!({"name": "x", "data": data, "rules": rules})).await;
    told["action"] == json!("yes")
}

/// Asks each test of what it should hold of, and of what it should not.
async fn check(world: &World, vectors: &[(&str, Value, Value)]) {
    for (test, yes, no) in vectors {
        assert!(holds(world, test, yes).await, "{test} holds of {yes}");
        assert!(!holds(world, test, no).await, "{test} does not hold of {no}");
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn of_fields(pool: PgPool) {
    let world = World::new(pool).await;
    for always in ["true", "all", "false !!", "none !!"] {
        let rule = if always.ends_with("!!") { format!("{always} yes") } else { format!("{always} :: yes") };
        let told = world.ok("policy.explain", json!({"name": "x", "data": {}, "rules": rule})).await;
        assert_eq!(told["action"], json!("yes"), "{always}");
    }
    for never in ["true !! yes", "all !! yes", "false :: yes", "none :: yes"] {
        let told = world.ok("policy.explain", json!({"name": "x", "data": {}, "rules": never})).await;
        assert_eq!(told["action"], Value::Null, "{never}");
    }
    let vectors = [
        ("has f", json!({"f": null}), json!({"g": 1})),
        ("bool f", json!({"f": [1]}), json!({"f": ""})),
        ("bool f", json!({"f": 2}), json!({})),
        ("match f a* b?", json!({"f": "b1"}), json!({"f": "B1"})),
        ("match f 4*", json!({"f": 42}), json!({"f": null})),
        ("match f True", json!({"f": true}), json!({})),
        ("match f [!a]*", json!({"f": "x/y"}), json!({"f": "ab"})),
        ("match_any f a* 7", json!({"f": ["b", 7]}), json!({"f": ["b", null]})),
        ("match_any f *", json!({"f": ["b"]}), json!({"f": "b"})),
        ("match_all f a* 7", json!({"f": ["ab", 7]}), json!({"f": ["ab", "b"]})),
        ("match_all f *", json!({"f": ["b"]}), json!({"f": []})),
        ("target f42* rawhide", json!({"target": "rawhide"}), json!({"target": "f41"})),
        ("operation tag move", json!({"operation": "move"}), json!({"operation": "untag"})),
        ("method build*", json!({"method": "buildArch"}), json!({"method": "newRepo"})),
        ("vm_name win-*", json!({"vm_name": "win-1"}), json!({"vm_name": "lin-1"})),
        ("skip_tag", json!({"skip_tag": true}), json!({})),
        ("is_child_task", json!({"parent": 5}), json!({"parent": null})),
        ("compare n < 5", json!({"n": 4}), json!({"n": 5})),
        ("compare n > 5", json!({"n": 5.5}), json!({"n": 5})),
        ("compare n <= 5", json!({"n": 5}), json!({"n": 6})),
        ("compare n >= 5", json!({"n": 5}), json!({"n": 4})),
        ("compare n = 1.5", json!({"n": 1.5}), json!({"n": "1.5"})),
        ("compare n != 5", json!({"n": 4}), json!({})),
    ];
    check(&world, &vectors).await;
    let rules = |rules: &str, data: Value| json!({"name": "x", "data": data, "rules": rules});
    for (rule, data, says) in [
        ("compare n < 5 :: x", json!({"n": "4"}), "compare takes a number"),
        ("match f x :: x", json!({"f": ["x"]}), "a list takes match_any"),
        ("compare n ~ 5 :: x", json!({}), "compare knows < >"),
        ("compare n < five :: x", json!({}), "compare takes a number, not 'five'"),
        ("compare n < :: x", json!({}), "compare takes a field, an operator and a number"),
        ("match :: x", json!({}), "match takes the name of a field"),
        ("policy a b :: x", json!({}), "policy takes the name of one policy"),
        ("is_sidetag_owner me :: x", json!({}), "is_sidetag_owner takes one of tag, fromtag and both"),
    ] {
        let fault = world.fault("policy.explain", rules(rule, data)).await;
        assert!(fault.1.contains(says), "{rule}: {fault:?}");
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn of_tags(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["base", "dest", "gone"]).await;
    world.inherit("dest", "base", 0).await;
    world.ok("createBuildTarget", json!({"name": "t", "build_tag": "dest", "dest_tag": "base"})).await;
    let bob = world.user("bob", &[]).await;
    let owner = world.ok("getUser", json!({"userInfo": "bob"})).await["id"].clone();
    let extra = json!({"sidetag": true, "sidetag_user": "bob", "sidetag_user_id": owner});
    world.ok("createTag", json!({"name": "side", "arches": "x86_64", "extra": extra})).await;
    world.list("dest", &["foo"]).await;
    let foo = world.build("foo-1-1").await;
    let bar = world.build("bar-1-1").await;
    world.tag_build("dest", "foo-1-1").await;
    let gone = world.tag_id("gone").await;
    world.ok("deleteTag", json!({"tagInfo": "gone"})).await;
    let vectors = [
        ("tag d*", json!({"tag": "dest"}), json!({"tag": "base"})),
        ("tag dest", json!({"tag": world.tag_id("dest").await}), json!({"tag": null})),
        ("tag *", json!({"tag": {"id": world.tag_id("dest").await}}), json!({"tag": "none"})),
        ("fromtag base", json!({"fromtag": "base"}), json!({"tag": "base"})),
        ("hastag de*", json!({"build": foo}), json!({"build": bar})),
        ("hastag dest", json!({"build": "foo-1-1"}), json!({})),
        ("buildtag dest", json!({"build_tag": "dest"}), json!({"build_tag": "base"})),
        ("buildtag gone", json!({"build_tag": gone}), json!({"build_tags": ["dest", "base"]})),
        ("buildtag base", json!({"build_tags": ["dest", "base"]}), json!({"build": foo})),
        ("buildtag dest", json!({"target": "t"}), json!({"target": "none"})),
        ("buildtag_inherits_from ba*", json!({"target": "t"}), json!({"build_tag": "base"})),
        ("buildtag_inherits_from base", json!({"build_tag": "dest"}), json!({})),
        ("is_sidetag", json!({"tag": "side"}), json!({"tag": "dest"})),
        ("is_sidetag", json!({"tag": "side"}), json!({"tag": null})),
    ];
    check(&world, &vectors).await;
    // the admin who asks is as good as the owner, so bob asks
    let bobs = [
        ("is_sidetag_owner", json!({"tag": "side"}), json!({"tag": "dest"})),
        ("is_sidetag_owner tag", json!({"tag": "side"}), json!({"tag": "side", "user_id": "admin"})),
        ("is_sidetag_owner fromtag", json!({"fromtag": "side"}), json!({"tag": "side"})),
        ("is_sidetag_owner both", json!({"tag": "side", "fromtag": "side"}), json!({"tag": "side", "fromtag": "dest"})),
    ];
    check(&bob, &bobs).await;
    assert!(holds(&world, "is_sidetag_owner", &json!({"tag": "side"})).await);
    assert!(!holds(&world, "is_sidetag_owner", &json!({"tag": "dest"})).await);
    let fault =
        world.fault("policy.explain", json!({"name": "x", "data": {"build_tag": "no"}, "rules": "buildtag x :: y"}));
    assert_eq!(fault.await, (1000, "No such tag: 'no'".to_owned()));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn of_builds(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["build"]).await;
    world.user("bob", &[]).await;
    let foo = world.build("foo-1.0-2.fc42").await;
    let bar = world.build("bar-1-1").await;
    let tag = world.tag_id("build").await;
    sqlx::query(
        "WITH r AS (INSERT INTO repo (tag_id, state, create_event, creation_time, state_time, opts, custom_opts)
             SELECT $1, 1, max(id), now(), now(), '{}', '{}' FROM events RETURNING id, create_event),
         br AS (INSERT INTO buildroot (arch, repo_id, state, create_event) SELECT 'x86_64', id, 1, create_event FROM r RETURNING id)
         UPDATE rpminfo SET buildroot_id = br.id FROM br WHERE build_id = $2",
    )
    .bind(tag)
    .bind(foo)
    .execute(&world.pool)
    .await
    .unwrap();
    let request = "<?xml version='1.0'?><methodCall><methodName>build</methodName><params>\
                   <param><value><string>git+https://example.com/foo#1</string></value></param>\
                   <param><value><string>t</string></value></param></params></methodCall>";
    sqlx::query(
        "WITH t AS (INSERT INTO task (state, method, coordinated, request, owner, channel_id, arch, priority, weight,
                 create_time, free_since, completion_time)
             VALUES (2, 'build', true, $2, 1, 1, 'noarch', 20, 1, now(), now(), now()) RETURNING id)
         UPDATE build SET task_id = t.id FROM t WHERE build.id = $1",
    )
    .bind(foo)
    .bind(request)
    .execute(&world.pool)
    .await
    .unwrap();
    sqlx::query("UPDATE build SET source = 'cli/bar-1-1.src.rpm' WHERE id = $1")
        .bind(bar)
        .execute(&world.pool)
        .await
        .unwrap();
    let vectors = [
        ("is_new_package", json!({"package": "new"}), json!({"package": "foo"})),
        ("package f*", json!({"build": foo}), json!({"build": bar})),
        ("package foo", json!({"package": "foo"}), json!({"package": "fo"})),
        ("package new", json!({"package": "new"}), json!({"package": "foo", "build": foo})),
        ("version 1.*", json!({"build": "foo-1.0-2.fc42"}), json!({"build": bar})),
        ("version 7", json!({"version": "7"}), json!({"version": "7.1"})),
        ("release *.fc42", json!({"build": foo}), json!({"build": bar})),
        ("release 7", json!({"release": "7"}), json!({"release": "8"})),
        ("volume DEFAULT", json!({"build": foo}), json!({})),
        ("volume DEF*", json!({"volume": 0}), json!({"volume": "none"})),
        ("source git+https:*", json!({"build": foo}), json!({"build": bar})),
        ("source cli/*", json!({"build": bar}), json!({"source": null, "build": bar})),
        ("source *", json!({"source": "x"}), json!({})),
        ("buildtype rp?", json!({"build": foo}), json!({})),
        ("buildtype image", json!({"btypes": ["rpm", "image"]}), json!({"build": foo})),
        ("imported", json!({"build": bar}), json!({"build": foo})),
        ("is_draft", json!({"draft": true}), json!({"build": foo})),
        ("buildtag build", json!({"build": foo}), json!({"build": bar})),
        ("cg_match_any c*", json!({"cg_list": ["x", "cg"]}), json!({"cg_list": ["x"]})),
        ("cg_match_any c*", json!({"cg_list": ["cg"]}), json!({"build": foo})),
        ("cg_match_all c*", json!({"cg_list": ["cg", "cg2"]}), json!({"cg_list": ["x", "cg"]})),
        ("cg_match_all *", json!({"cg_list": ["cg"]}), json!({"build": foo})),
        ("cg_match_all *", json!({"cg_list": ["cg"]}), json!({"cg_list": []})),
        ("is_build_owner", json!({"build": foo}), json!({"build": foo, "user_id": "bob"})),
    ];
    check(&world, &vectors).await;
    for (rule, data, says) in [
        ("package x :: y", json!({}), "asks for a package"),
        ("version x :: y", json!({}), "asks for a version"),
        ("release x :: y", json!({}), "asks for a release"),
        ("imported :: y", json!({}), "asks for a build"),
        ("is_build_owner :: y", json!({}), "asks for a build"),
        ("package x :: y", json!({"build": 999}), "No such build: 999"),
        ("package x :: y", json!({"package": 999}), "No such package: 999"),
        ("package x :: y", json!({"build": true}), "the data's 'build'"),
    ] {
        let fault = world.fault("policy.explain", json!({"name": "x", "data": data, "rules": rule})).await;
        assert!(fault.1.contains(says), "{rule}: {fault:?}");
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn of_users(pool: PgPool) {
    let world = World::new(pool).await;
    let bob = world.user("bob", &["tag"]).await;
    sqlx::query(
        "WITH g AS (INSERT INTO users (name, usertype) VALUES ('team', 2) RETURNING id), e AS (SELECT new_event() AS id)
         INSERT INTO user_groups (user_id, group_id, create_event, creator_id)
             SELECT users.id, g.id, e.id, 1 FROM users, g, e WHERE users.name = 'bob'",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let foo = world.build("foo-1-1").await;
    let bar = world.build("bar-1-1").await;
    sqlx::query("UPDATE build SET owner = (SELECT id FROM users WHERE name = 'team') WHERE id = $1")
        .bind(foo)
        .execute(&world.pool)
        .await
        .unwrap();
    let vectors = [
        ("user bo*", json!({}), json!({"user_id": "admin"})),
        ("user admin", json!({"user_id": 1}), json!({"user_id": 999})),
        ("user_in_group te*", json!({"user_id": "bob"}), json!({"user_id": "admin"})),
        ("user_in_group team", json!({}), json!({"user_id": 999})),
        ("has_perm image tag", json!({}), json!({"user_id": "admin"})),
        ("has_perm ad*", json!({"user_id": 1}), json!({})),
        ("is_build_owner", json!({"build": foo}), json!({"build": bar})),
    ];
    check(&bob, &vectors).await;
    // nobody is nobody
    let nobody = world.nobody();
    world.ok("policy.set", json!({"name": "p", "rules": "user * :: yes\nhas_perm * :: yes\nall :: no"})).await;
    assert_eq!(nobody.ok("evalPolicy", json!({"name": "p", "data": {}})).await, json!("no"));
    assert_eq!(nobody.ok("evalPolicy", json!({"name": "p", "data": {"user_id": "bob"}})).await, json!("yes"));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn of_other_policies(pool: PgPool) {
    let world = World::new(pool).await;
    for (name, rules) in [
        ("yes", "bool f :: Yes\nhas g :: allow with a reason"),
        ("loop", "policy other :: allow"),
        ("other", "policy loop :: allow"),
    ] {
        world.ok("policy.set", json!({"name": name, "rules": rules})).await;
    }
    let vectors = [
        ("policy yes", json!({"f": 1}), json!({})),
        // only the bare word is a yes
        ("policy yes", json!({"f": 1}), json!({"g": 1})),
        ("policy volume !! x && true", json!({}), json!({})),
    ];
    check(&world, &vectors[..2]).await;
    let ask = |rules: &str| json!({"name": "x", "data": {}, "rules": rules});
    let fault = world.fault("policy.explain", ask("policy loop :: x")).await;
    assert!(fault.1.contains("policy loop"), "{fault:?}");
    assert_eq!(world.fault("policy.explain", ask("policy x :: x")).await.0, 1000);
    assert_eq!(world.fault("policy.explain", ask("policy none :: x")).await, (1000, "no such policy: none".to_owned()));
}
