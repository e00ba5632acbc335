//! Policies: where they come from, what they say when they say nothing, and how they are explained.

use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::config::Config;

use crate::world::{World, column};

async fn set(world: &World, name: &str, rules: &str) {
    world.ok("policy.set", json!({"name": name, "rules": rules})).await;
}

async fn eval(world: &World, name: &str, data: Value) -> Value {
    world.ok("evalPolicy", json!({"name": name, "data": data})).await
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn defaults_are_kojis(pool: PgPool) {
    let world = World::new(pool).await;
    let foo = world.build("foo-1-1").await;
    let users = [
        world.user("bob", &[]).await,
        world.user("carol", &["tag"]).await,
        world.user("dave", &["win-admin"]).await,
        world.user("eve", &["draft-promoter"]).await,
    ];
    let who = async |policy: &str| {
        let mut allowed = Vec::new();
        for user in [std::slice::from_ref(&world), &users[..]].concat() {
            let said = eval(&user, policy, json!({"build": foo})).await;
            if said == json!("allow") {
                let caller = user.ok("getLoggedInUser", json!({})).await;
                allowed.push(caller["name"].as_str().unwrap().to_owned());
            } else {
                assert!(said.as_str().unwrap().starts_with("deny "), "{said}");
            }
        }
        allowed.join(" ")
    };
    for all in ["build_rpm", "cg_import"] {
        assert_eq!(who(all).await, "admin bob carol dave eve", "{all}");
    }
    for admins in ["build_from_srpm", "build_from_repo_id", "build_from_scm"] {
        assert_eq!(who(admins).await, "admin", "{admins}");
    }
    assert_eq!(who("package_list").await, "admin carol");
    assert_eq!(who("vm").await, "admin dave");
    // the admin owns the build
    assert_eq!(who("draft_promotion").await, "admin eve");
    assert_eq!(eval(&world, "volume", json!({})).await, json!("DEFAULT"));
    assert_eq!(eval(&world, "priority", json!({})).await, json!("stay"));
    assert_eq!(eval(&world, "channel", json!({"req_channel": "x", "parent": 1})).await, json!("req"));
    assert_eq!(eval(&world, "channel", json!({"parent": 1})).await, json!("parent"));
    assert_eq!(eval(&world, "channel", json!({"parent": null})).await, json!("use default"));
    for missing in ["tag", "dist_repo", "sidetag", "scm"] {
        let fault = world.fault("evalPolicy", json!({"name": missing, "data": {}})).await;
        assert_eq!(fault, (1000, format!("no such policy: {missing}")));
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn the_first_that_matches_decides(pool: PgPool) {
    let world = World::new(pool).await;
    let rules = "bool a :: {\n  bool b :: Deny Because Of B  # a comment\n  bool c !! {\n    bool d :: allow\n  }\n}\n\
                 bool e !! allow without e\n";
    set(&world, "p", rules).await;
    for (data, says) in [
        (json!({"a": 1, "b": 1}), json!("Deny Because Of B")),
        (json!({"a": 1, "d": 1}), json!("allow")),
        // nothing inside decides: the next rule is asked
        (json!({"a": 1, "c": 1, "d": 1}), json!("allow without e")),
        (json!({"a": 1, "e": 1}), Value::Null),
        (json!({"e": 1}), Value::Null),
    ] {
        assert_eq!(eval(&world, "p", data.clone()).await, says, "{data}");
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_builder_asks(pool: PgPool) {
    let world = World::new(pool).await;
    set(&world, "p", "bool yes :: ALLOW it is\nbool odd :: perhaps\nbool bare :: deny\nbool no :: Deny No Way").await;
    let builder = world.builder("b").await;
    let check = async |data: Value| builder.ok("host.checkPolicy", json!({"name": "p", "data": data})).await;
    assert_eq!(check(json!({"yes": 1})).await, json!([true, "it is"]));
    assert_eq!(check(json!({"no": 1})).await, json!([false, "No Way"]));
    assert_eq!(check(json!({"odd": 1})).await, json!([false, "error in policy"]));
    assert_eq!(check(json!({})).await, json!([false, "not covered by policy"]));
    let lenient = json!({"name": "p", "data": {}, "default": "allow"});
    assert_eq!(builder.ok("host.checkPolicy", lenient.clone()).await, json!([true, "not covered by policy"]));
    builder.ok("host.assertPolicy", lenient).await;
    let strict = json!({"name": "p", "data": {"no": 1}, "strict": true});
    assert_eq!(builder.fault("host.checkPolicy", strict).await, (1004, "policy violation (p): No Way".to_owned()));
    for (data, says) in [
        (json!({"no": 1}), "policy violation (p): No Way"),
        (json!({"bare": 1}), "policy violation (p)"),
        (json!({"odd": 1}), "policy violation (p): error in policy"),
        (json!({}), "policy violation (p): not covered by policy"),
    ] {
        let fault = builder.fault("host.assertPolicy", json!({"name": "p", "data": data})).await;
        assert_eq!(fault, (1004, says.to_owned()));
    }
    builder.ok("host.assertPolicy", json!({"name": "none", "data": {}})).await;
    assert_eq!(builder.ok("host.evalPolicy", json!({"name": "p", "data": {"no": 1}})).await, json!("Deny No Way"));
    assert_eq!(world.fault("host.evalPolicy", json!({"name": "p", "data": {}})).await.0, 1004);
    assert_eq!(builder.fault("host.evalPolicy", json!({"name": "p"})).await.0, 1019);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_missing_policy_may_deny_and_a_rule_may_be_told(pool: PgPool) {
    let config = Config { missing_policy_ok: false, verbose_policy: true, ..Config::default() };
    let world = World::with(pool, config).await;
    let builder = world.builder("b").await;
    set(&world, "p", "has x :: {\n  all :: deny No\n}").await;
    let assert = async |name: &str| builder.fault("host.assertPolicy", json!({"name": name, "data": {"x": 1}})).await.1;
    assert_eq!(assert("none").await, "policy violation (none): missing policy [rule: ]");
    assert_eq!(assert("p").await, "policy violation (p): No [rule: has x :: { all :: deny No]");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn the_database_goes_before_the_file_and_that_before_the_default(pool: PgPool) {
    let file = "[policy]\nvolume =\n    all :: FromFile\nown = all :: FromFile\n";
    let config = Config { policies: file.parse().unwrap(), ..Config::default() };
    let world = World::with(pool, config).await;
    let said = async |name: &str| eval(&world, name, json!({})).await;
    assert_eq!((said("volume").await, said("own").await), (json!("FromFile"), json!("FromFile")));
    assert_eq!(said("priority").await, json!("stay"));
    let origin = async |name: &str| {
        let listed = world.ok("policy.list", json!({})).await;
        listed.as_array().unwrap().iter().find(|row| row["name"] == json!(name)).unwrap()["origin"].clone()
    };
    assert_eq!((origin("volume").await, origin("vm").await), (json!("file"), json!("default")));

    set(&world, "volume", "all :: first").await;
    set(&world, "volume", "all :: second").await;
    set(&world, "vm", "all :: allow").await;
    assert_eq!((said("volume").await, said("own").await), (json!("second"), json!("FromFile")));
    assert_eq!(origin("volume").await, json!("database"));
    world.ok("policy.set", json!({"name": "volume"})).await;
    assert_eq!(said("volume").await, json!("FromFile"));
    let again = world.fault("policy.set", json!({"name": "volume"})).await;
    assert_eq!(again.0, 1000);

    let history = world.ok("policy.history", json!({"name": "volume"})).await;
    assert_eq!(column(&history, "rules"), ["all :: second", "all :: first"]);
    assert_eq!(history[1]["revoke_event"], history[0]["create_event"]);
    assert_eq!((&history[0]["creator_name"], &history[0]["revoker_name"]), (&json!("admin"), &json!("admin")));
    assert!(history[0]["revoke_ts"].as_f64().unwrap() >= history[0]["create_ts"].as_f64().unwrap());
    assert_eq!(column(&world.ok("policy.history", json!({})).await, "name"), ["vm", "volume", "volume"]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn only_what_can_be_read_is_stored_and_only_by_admins(pool: PgPool) {
    let world = World::new(pool).await;
    let before = world.last_event().await;
    let fault = world.fault("policy.set", json!({"name": "tag", "rules": "all :: allow\nnonsense :: deny"})).await;
    assert_eq!(fault, (1019, "line 2: there is no test 'nonsense'".to_owned()));
    assert_eq!(world.fault("policy.set", json!({"name": "a b", "rules": ""})).await.0, 1024);
    assert_eq!(world.fault("policy.set", json!({"name": "tag", "rules": 5})).await.0, 1019);
    assert_eq!(world.last_event().await, before);
    let bob = world.user("bob", &["tag"]).await;
    for (method, arguments) in [
        ("policy.set", json!({"name": "tag", "rules": "all :: allow"})),
        ("policy.list", json!({})),
        ("policy.history", json!({})),
    ] {
        assert_eq!(bob.fault(method, arguments).await.0, 1004, "{method}");
    }
    let explain = json!({"name": "volume", "data": {}});
    assert_eq!(world.nobody().fault("policy.explain", explain.clone()).await.0, 1004);
    assert_eq!(bob.ok("policy.explain", explain).await["origin"], json!("default"));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn explanations(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["x-candidate"]).await;
    set(&world, "inner", "\nuser admin :: yes").await;
    set(
        &world,
        "p",
        "# first\nuser bob && tag y* :: deny\ntag x* && policy inner :: {\n  operation tag :: allow Fine\n}",
    )
    .await;
    let data = json!({"tag": "x-candidate", "operation": "tag"});
    let told = world.ok("policy.explain", json!({"name": "p", "data": data})).await;
    assert_eq!(
        told,
        json!({
            "name": "p", "origin": "database", "action": "allow Fine", "line": 4,
            "rule": "tag x* && policy inner :: { operation tag :: allow Fine",
            "asked": [
                {"policy": "p", "line": 2, "rule": "user bob && tag y* :: deny", "matched": false,
                 "tests": [{"test": "user bob", "holds": false}]},
                {"policy": "inner", "line": 2, "rule": "user admin :: yes", "matched": true,
                 "tests": [{"test": "user admin", "holds": true}]},
                {"policy": "p", "line": 3, "rule": "tag x* && policy inner :: {", "matched": true,
                 "tests": [{"test": "tag x*", "holds": true}, {"test": "policy inner", "holds": true}]},
                {"policy": "p", "line": 4, "rule": "operation tag :: allow Fine", "matched": true,
                 "tests": [{"test": "operation tag", "holds": true}]},
            ],
            "data": {"tag": "x-candidate", "operation": "tag"},
            "found": {"tag": "x-candidate", "user": "admin"},
        })
    );
    let silent = world.ok("policy.explain", json!({"name": "p", "data": {}, "rules": "tag x :: allow"})).await;
    assert_eq!((&silent["origin"], &silent["action"], &silent["line"]), (&json!("given"), &Value::Null, &Value::Null));
    assert_eq!(world.fault("policy.explain", json!({"name": "none", "data": {}})).await.0, 1000);
}
