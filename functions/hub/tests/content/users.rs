//! Users, permissions and tokens.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::{
    call::{Auth, Request},
    user,
};
use toji_protocol::value::Map;

use crate::world::{World, column, now};

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn the_first_admin_can_be_made_again_and_again(pool: PgPool) {
    let world = World::new(pool).await;
    let event = world.last_event().await;
    let again = user::bootstrap_admin(&world.hub, "admin", "the admin's token", now()).await.unwrap();
    assert_eq!((again.0, world.last_event().await), (1, event));
    assert_eq!(world.ok("getPerms", json!({})).await, json!(["admin"]));

    // a token that was revoked is valid again after the next start, and another one may be added
    let tokens = world.ok("listTokens", json!({})).await;
    world.ok("revokeToken", json!({"token_id": tokens[0]["id"]})).await;
    assert_eq!(world.fault("getPerms", json!({})).await.0, 1002);
    user::bootstrap_admin(&world.hub, "admin", "the admin's token", now()).await.unwrap();
    world.ok("getPerms", json!({})).await;
    user::bootstrap_admin(&world.hub, "admin", "another", now()).await.unwrap();
    assert_eq!(world.ok("listTokens", json!({})).await.as_array().unwrap().len(), 2);
    assert!(user::bootstrap_admin(&world.hub, "other", "another", now()).await.is_err(), "the token is admin's");
    assert!(user::bootstrap_admin(&world.hub, "other", "", now()).await.is_err());
    assert_eq!(world.ok("getUser", json!({"userInfo": "other"})).await, Value::Null, "and no trace is left");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn users(pool: PgPool) {
    let world = World::new(pool).await;
    let id = world.ok("createUser", json!({"username": "bob", "krb_principal": "bob@EXAMPLE.COM"})).await;
    let bob = json!({"id": id, "name": "bob", "status": 0, "usertype": 0, "krb_principals": ["bob@EXAMPLE.COM"]});
    for named in [json!("bob"), id.clone(), json!("bob@EXAMPLE.COM"), json!({"id": id})] {
        assert_eq!(world.ok("getUser", json!({"userInfo": named})).await, bob);
    }
    assert_eq!(world.fault("createUser", json!({"username": "bob"})).await.0, 1000);
    assert_eq!(world.fault("createUser", json!({"username": "b b"})).await.0, 1024);
    assert_eq!(world.fault("createUser", json!({"username": "x", "status": 7})).await.0, 1019);
    let taken = json!({"username": "x", "krb_principal": "bob@EXAMPLE.COM"});
    assert_eq!(world.fault("createUser", taken).await.0, 1000);
    let missing = world.fault("getUser", json!({"userInfo": "none", "strict": true})).await;
    assert_eq!(missing, (1000, "No such user: 'none'".to_owned()));
    assert_eq!(world.ok("getUser", json!({})).await["name"], json!("admin"));
    assert_eq!(world.nobody().fault("getUser", json!({})).await.0, 1000, "nobody is named, and nobody is logged in");
    assert_eq!(world.ok("getUser", json!({"userInfo": {"krb_principal": "bob@EXAMPLE.COM"}})).await, bob);
    assert_eq!(world.ok("getUser", json!({"userInfo": {"krb_principal": "bob"}})).await, Value::Null);
    let plain = world.ok("getUser", json!({"userInfo": "bob", "krb_princs": false})).await;
    assert_eq!(plain, json!({"id": id, "name": "bob", "status": 0, "usertype": 0}));
    assert_eq!(world.nobody().ok("getLoggedInUser", json!({})).await, Value::Null);

    world.ok("grantPermission", json!({"userinfo": "bob", "permission": "sign"})).await;
    let names = async |arguments: Value| column(&world.ok("listUsers", arguments).await, "name");
    assert_eq!(names(json!({})).await, ["admin", "bob"]);
    assert_eq!(names(json!({"prefix": "B"})).await, ["bob"]);
    assert_eq!(names(json!({"userType": [0, 2]})).await, ["admin", "bob"]);
    assert_eq!(names(json!({"userType": null, "queryOpts": {"order": "-name", "limit": 1}})).await, ["bob"]);
    assert_eq!(world.ok("listUsers", json!({"queryOpts": {"countOnly": true}})).await, json!(2));
    for bad in [json!({"inherited_perm": true}), json!({"perm": "none"}), json!({"queryOpts": {"group": "id"}})] {
        assert_eq!(world.fault("listUsers", bad).await.0, 1000);
    }
    assert_eq!(world.fault("listUsers", json!({"userType": "people"})).await.0, 1019);
    assert_eq!(names(json!({"perm": "sign"})).await, ["bob"]);
    assert_eq!(names(json!({"userType": 1})).await, [""; 0]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn permissions_come_and_go(pool: PgPool) {
    let world = World::new(pool).await;
    let bob = world.user("bob", &[]).await;
    let grant = json!({"userinfo": "bob", "permission": "target"});
    assert_eq!(bob.fault("grantPermission", grant.clone()).await.0, 1004);
    assert_eq!(bob.ok("hasPerm", json!({"perm": "target"})).await, json!(false));
    world.ok("grantPermission", grant.clone()).await;
    assert_eq!(bob.ok("hasPerm", json!({"perm": "target"})).await, json!(true));
    assert_eq!(world.ok("hasPerm", json!({"perm": "target"})).await, json!(true), "admin has all");
    assert_eq!(world.fault("grantPermission", grant.clone()).await.0, 1000);
    world.ok("revokePermission", grant.clone()).await;
    assert_eq!(world.fault("revokePermission", grant.clone()).await.0, 1000);
    assert_eq!(bob.ok("getPerms", json!({})).await, json!([]));
    // taken and given back: history has both
    world.ok("grantPermission", grant).await;
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM user_perms WHERE user_id = 2").fetch_one(&world.pool).await.unwrap();
    assert_eq!(rows, 2);
    assert_eq!(world.fault("grantPermission", json!({"userinfo": "bob", "permission": "new"})).await.0, 1000);
    world.ok("grantPermission", json!({"userinfo": "bob", "permission": "new", "create": true})).await;
    assert_eq!(
        world.ok("getUserPermsInheritance", json!({"userID": "bob"})).await,
        json!({"new": [null], "target": [null]})
    );
    assert_eq!(world.fault("hasPerm", json!({"perm": "none", "strict": true})).await.0, 1000);

    sqlx::query("WITH team AS (INSERT INTO users (name, usertype) VALUES ('team', 2) RETURNING id),
                 event AS (SELECT new_event() AS id),
                 member AS (INSERT INTO user_groups (user_id, group_id, create_event, creator_id)
                            SELECT 2, team.id, event.id, 1 FROM team, event)
                 INSERT INTO user_perms (user_id, perm_id, create_event, creator_id)
                 SELECT team.id, permissions.id, event.id, 1 FROM team, event, permissions WHERE permissions.name = 'sign'")
        .execute(&world.pool).await.unwrap();
    let perms = async |with: bool| world.ok("getUserPerms", json!({"userID": "bob", "with_groups": with})).await;
    assert_eq!(perms(true).await, json!(["new", "sign", "target"]));
    assert_eq!(perms(false).await, json!(["new", "target"]));
    let holders = world.ok("listUsers", json!({"perm": "sign", "inherited_perm": true})).await;
    assert_eq!(column(&holders, "name"), ["bob"]);
    assert_eq!(world.ok("getUser", json!({"userInfo": "bob", "groups": true})).await["groups"], json!(["team"]));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn tokens(pool: PgPool) {
    let world = World::new(pool).await;
    let bob = world.user("bob", &[]).await;
    let made = bob.ok("createToken", json!({"description": "laptop", "lifetime": 60})).await;
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("toji_") && token.len() >= 43, "{token}");
    let stored: i64 =
        sqlx::query_scalar("SELECT count(*) FROM api_token WHERE position(convert_to($1, 'UTF8') IN hash) > 0")
            .bind(token)
            .fetch_one(&world.pool)
            .await
            .unwrap();
    assert_eq!(stored, 0);
    let used_at = async |seconds: i64| {
        let request = Request {
            method: "getLoggedInUser".to_owned(),
            positional: Vec::new(),
            named: Map::new(),
            auth: Auth::Bearer(token.to_owned()),
            idempotency_key: None,
            now: now() + TimeDelta::seconds(seconds),
        };
        world.hub.call(request).await
    };
    assert!(used_at(59).await.is_ok());
    assert_eq!(used_at(60).await.err().unwrap().fault_code(), 1002);

    assert_eq!(bob.ok("listTokens", json!({})).await.as_array().unwrap().len(), 2);
    for bad in [json!({"lifetime": 0}), json!({"lifetime": -5}), json!({"lifetime": i64::MAX})] {
        assert_eq!(bob.fault("createToken", bad).await.0, 1019);
    }
    assert_eq!(bob.fault("createToken", json!({"user": "admin"})).await.0, 1004);
    assert_eq!(bob.fault("listTokens", json!({"user": "admin"})).await.0, 1004);
    let admins = world.ok("listTokens", json!({})).await[0]["id"].clone();
    assert_eq!(bob.fault("revokeToken", json!({"token_id": admins})).await.0, 1000, "not bob's");
    world.ok("revokeToken", json!({"token_id": made["id"]})).await;
    assert!(used_at(1).await.is_err());
    assert_eq!(world.nobody().fault("createToken", json!({})).await.0, 1004);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_blocked_user_is_refused(pool: PgPool) {
    let world = World::new(pool).await;
    let bob = world.user("bob", &[]).await;
    world.ok("disableUser", json!({"username": "bob"})).await;
    assert_eq!(bob.fault("getPerms", json!({})).await.0, 1002);
    assert_eq!(world.ok("getUser", json!({"userInfo": "bob"})).await["status"], json!(1));
    world.ok("enableUser", json!({"username": "bob"})).await;
    bob.ok("getPerms", json!({})).await;
    assert_eq!(bob.fault("disableUser", json!({"username": "admin"})).await.0, 1004);
}
