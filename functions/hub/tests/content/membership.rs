//! Changing users, and the groups that they are in.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::world::{World, column};

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_user_is_renamed(pool: PgPool) {
    let world = World::new(pool).await;
    let bob = world.user("bob", &[]).await;
    world.ok("createUser", json!({"username": "carol", "krb_principal": "carol@EXAMPLE.COM"})).await;
    world.ok("editUser", json!({"userInfo": "bob", "name": "robert"})).await;
    assert_eq!(bob.ok("getLoggedInUser", json!({})).await["name"], json!("robert"), "the token stays valid");
    assert_eq!(world.ok("getUser", json!({"userInfo": "bob"})).await, Value::Null);
    world.ok("editUser", json!({"userInfo": "robert", "name": "robert"})).await;

    let taken = world.fault("editUser", json!({"userInfo": "robert", "name": "carol"})).await;
    assert_eq!(taken, (1000, "Name carol already taken by user 3".to_owned()));
    let taken = world.fault("editUser", json!({"userInfo": "robert", "name": "carol@EXAMPLE.COM"})).await;
    assert_eq!(taken.0, 1000, "a principal names its user too");
    assert_eq!(world.fault("editUser", json!({"userInfo": "robert", "name": "b b"})).await.0, 1024);
    assert_eq!(world.fault("editUser", json!({"userInfo": "none", "name": "x"})).await.0, 1000);
    assert_eq!(world.fault("editUser", json!({"userInfo": "robert", "name": 5})).await.0, 1019);
    assert_eq!(bob.fault("editUser", json!({"userInfo": "robert", "name": "king"})).await.0, 1004);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn principals_come_and_go(pool: PgPool) {
    let world = World::new(pool).await;
    world.ok("createUser", json!({"username": "bob"})).await;
    world.ok("createUser", json!({"username": "carol", "krb_principal": "carol@X"})).await;
    let change = async |mappings: Value| {
        world.call("editUser", json!({"userInfo": "bob", "krb_principal_mappings": mappings})).await
    };
    let principals = async || world.ok("getUser", json!({"userInfo": "bob"})).await["krb_principals"].clone();
    change(json!([{"old": null, "new": "bob@X"}, {"new": "bob@Y"}])).await.unwrap();
    assert_eq!(principals().await, json!(["bob@X", "bob@Y"]));
    change(json!([{"old": "bob@X", "new": "bob@Z"}])).await.unwrap();
    assert_eq!(principals().await, json!(["bob@Y", "bob@Z"]));
    for bad in [
        json!([{"new": "bob@Y"}]),
        json!([{"old": "bob@X"}]),
        json!([{"new": "carol@X"}]),
        json!([{"old": "bob@Y", "new": "bob@Y"}]),
        json!([{"old": "bob@Y"}, {"new": "not a principal"}]),
    ] {
        assert!(change(bad.clone()).await.is_err(), "{bad}");
    }
    assert_eq!(principals().await, json!(["bob@Y", "bob@Z"]), "nothing is half done");

    let id = world.ok("addUserKrbPrincipal", json!({"user": "bob", "krb_principal": "bob@W"})).await;
    assert_eq!(world.ok("getUser", json!({"userInfo": "bob@W"})).await["id"], id);
    assert_eq!(world.fault("addUserKrbPrincipal", json!({"user": "bob", "krb_principal": "carol@X"})).await.0, 1000);
    assert_eq!(world.fault("addUserKrbPrincipal", json!({"user": "none", "krb_principal": "x@X"})).await.0, 1000);
    assert_eq!(world.fault("addUserKrbPrincipal", json!({"user": "bob", "krb_principal": "x y"})).await.0, 1024);
    assert_eq!(world.ok("removeUserKrbPrincipal", json!({"user": "bob@W", "krb_principal": "bob@W"})).await, id);
    assert_eq!(world.fault("removeUserKrbPrincipal", json!({"user": "bob", "krb_principal": "bob@W"})).await.0, 1002);
    assert_eq!(world.fault("removeUserKrbPrincipal", json!({"user": "bob", "krb_principal": ""})).await.0, 1000);
    let dave = world.user("dave", &["tag"]).await;
    for method in ["addUserKrbPrincipal", "removeUserKrbPrincipal"] {
        assert_eq!(dave.fault(method, json!({"user": "dave", "krb_principal": "dave@X"})).await.0, 1004);
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn groups_lend_their_permissions(pool: PgPool) {
    let world = World::new(pool).await;
    let bob = world.user("bob", &[]).await;
    let team = world.ok("newGroup", json!({"name": "team"})).await;
    let group = world.ok("getUser", json!({"userInfo": "team"})).await;
    assert_eq!((group["id"].clone(), group["usertype"].clone()), (team.clone(), json!(2)));
    for (name, code) in [("team", 1000), ("bob", 1000), ("a b", 1024), ("", 1024)] {
        assert_eq!(world.fault("newGroup", json!({"name": name})).await.0, code, "{name}");
    }

    world.ok("grantPermission", json!({"userinfo": "team", "permission": "sign"})).await;
    let join = json!({"group": "team", "user": "bob"});
    world.ok("addGroupMember", join.clone()).await;
    assert_eq!(bob.ok("getPerms", json!({})).await, json!(["sign"]));
    assert_eq!(
        world.nobody().ok("getGroupMembers", json!({"group": "team"})).await,
        json!([{"id": 2, "name": "bob", "usertype": 0, "krb_principals": []}])
    );
    assert_eq!(world.nobody().ok("getUserGroups", json!({"user": "bob"})).await, json!([{"id": team, "name": "team"}]));
    assert_eq!(world.fault("addGroupMember", join.clone()).await, (1000, "User already in group".to_owned()));
    let before = world.last_event().await;
    let again = json!({"group": "team", "user": "bob", "strict": false});
    assert_eq!(world.ok("addGroupMember", again).await, Value::Null);
    assert_eq!(world.last_event().await, before, "nothing happened");

    world.ok("newGroup", json!({"name": "others"})).await;
    for bad in [
        json!({"group": "bob", "user": "admin"}),
        json!({"group": "none", "user": "admin"}),
        json!({"group": "team", "user": "none"}),
        json!({"group": "team", "user": "others"}),
    ] {
        assert_eq!(world.fault("addGroupMember", bad).await.0, 1000);
    }
    assert_eq!(world.fault("dropGroupMember", json!({"group": "team", "user": "admin"})).await.0, 1000);
    assert_eq!(world.fault("dropGroupMember", json!({"group": "bob", "user": "bob"})).await.0, 1000);
    world.ok("dropGroupMember", join.clone()).await;
    assert_eq!(bob.ok("getPerms", json!({})).await, json!([]));
    world.ok("addGroupMember", join.clone()).await;
    assert_eq!(column(&world.ok("getGroupMembers", json!({"group": "team"})).await, "name"), ["bob"]);

    assert_eq!(
        world.fault("getGroupMembers", json!({"group": "bob"})).await,
        (1000, "No such group: 'bob'".to_owned())
    );
    assert_eq!(world.fault("getUserGroups", json!({"user": "none"})).await.0, 1000);
    for (method, arguments) in
        [("newGroup", json!({"name": "x"})), ("addGroupMember", join.clone()), ("dropGroupMember", join)]
    {
        assert_eq!(bob.fault(method, arguments).await.0, 1004, "{method}");
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn permissions_are_described(pool: PgPool) {
    let world = World::new(pool).await;
    let bob = world.user("bob", &[]).await;
    let described = async |name: &str| {
        let all = world.ok("getAllPerms", json!({})).await;
        all.as_array().unwrap().iter().find(|perm| perm["name"] == name).unwrap()["description"].clone()
    };
    world.ok("editPermission", json!({"permission": "sign", "description": "may sign"})).await;
    assert_eq!(described("sign").await, json!("may sign"));
    let early = json!({"userinfo": "bob", "permission": "sign", "description": "x"});
    assert_eq!(world.fault("grantPermission", early).await.0, 1000, "only together with create");
    let new = json!({"userinfo": "bob", "permission": "ship", "create": true, "description": "may ship"});
    world.ok("grantPermission", new).await;
    assert_eq!(described("ship").await, json!("may ship"));
    assert_eq!(world.fault("editPermission", json!({"permission": "none", "description": "x"})).await.0, 1000);
    assert_eq!(world.fault("editPermission", json!({"permission": "sign", "description": 5})).await.0, 1019);
    assert_eq!(bob.fault("editPermission", json!({"permission": "sign", "description": "x"})).await.0, 1004);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn sessions_are_shown(pool: PgPool) {
    let world = World::new(pool).await;
    let bob = world.user("bob", &[]).await;
    let token = bob.ok("createToken", json!({})).await["token"].clone();
    let login = world.nobody().ok("login", json!({"user": "bob", "password": token})).await;
    assert_eq!(bob.ok("getSessionInfo", json!({})).await, Value::Null, "a bearer token has no session");
    assert_eq!(world.nobody().ok("getSessionInfo", json!({})).await, Value::Null);
    let all = bob.ok("getSessionInfo", json!({"user_id": "bob", "details": true})).await;
    assert_eq!(column(&all, "id"), [login["session-id"].to_string()]);
    assert_eq!(all[0]["hostip"], json!("-"));
    let plain = world.ok("getSessionInfo", json!({"user_id": "bob"})).await;
    assert_eq!((plain[0].get("id"), plain[0]["user_id"].clone()), (None, json!(2)));
    assert_eq!(bob.fault("getSessionInfo", json!({"user_id": "admin"})).await.0, 1004);
    assert_eq!(world.fault("getSessionInfo", json!({"user_id": "none"})).await.0, 1000);

    assert_eq!(world.nobody().ok("showSession", json!({})).await, json!("session: not logged in"));
    assert_eq!(
        world.ok("showSession", json!({})).await,
        json!("no session, but a token: user admin (1), permissions: admin")
    );
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn channels_are_renamed(pool: PgPool) {
    let world = World::new(pool).await;
    let bob = world.user("bob", &["host"]).await;
    world.ok("addChannel", json!({"channel_name": "heavy"})).await;
    world.ok("renameChannel", json!({"old": "heavy", "new": "large"})).await;
    assert_eq!(world.ok("getChannel", json!({"channelInfo": "large"})).await["name"], json!("large"));
    assert_eq!(world.fault("renameChannel", json!({"old": "large", "new": "default"})).await.0, 1000);
    assert_eq!(world.fault("renameChannel", json!({"old": "heavy", "new": "x"})).await.0, 1000);
    assert_eq!(world.fault("renameChannel", json!({"old": "large", "new": "a b"})).await.0, 1024);
    assert_eq!(bob.fault("renameChannel", json!({"old": "large", "new": "x"})).await.0, 1004);
    assert_eq!(bob.fault("addChannel", json!({"channel_name": "x"})).await.0, 1004, "that takes admin");

    assert_eq!(world.fault("listChannels", json!({"event": 1})).await.0, 1000);
    assert_eq!(world.fault("listHosts", json!({"arches": []})).await.0, 1000);
    world.ok("addHost", json!({"hostname": "b", "arches": "x86_64"})).await;
    world.ok("disableChannel", json!({"channelname": "large"})).await;
    let join = json!({"hostname": "b", "channel_name": "large"});
    assert!(world.fault("addHostToChannel", join).await.1.contains("disabled"));
    world.ok("addHostToChannel", json!({"hostname": "b", "channel_name": "large", "force": true})).await;
    let names =
        async |event: i64| column(&world.ok("listChannels", json!({"hostID": "b", "event": event})).await, "name");
    let last = world.last_event().await;
    assert_eq!(names(last - 1).await, ["default"]);
    assert_eq!(names(last).await, ["default", "large"]);
}
