//! `queryHistory`: who changed what, and when.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::world::{World, column};

async fn history(world: &World, arguments: Value) -> Value {
    world.ok("queryHistory", arguments).await
}

fn tables(history: &Value) -> Vec<&str> {
    history.as_object().unwrap().keys().map(String::as_str).collect()
}

/// One of everything that has a history.
async fn eventful(pool: PgPool) -> World {
    let world = World::new(pool).await;
    world.tags(&["base", "child"]).await;
    world.inherit("child", "base", 1).await;
    world.list("base", &["pkg", "other"]).await;
    world.build("pkg-1-1").await;
    world.tag_build("base", "pkg-1-1").await;
    world.ok("editTag2", json!({"tagInfo": "base", "perm": "sign", "extra": {"key": 5}})).await;
    world.ok("createBuildTarget", json!({"name": "target", "build_tag": "child", "dest_tag": "base"})).await;
    world.ok("groupListAdd", json!({"taginfo": "base", "grpinfo": "build"})).await;
    world.ok("groupListAdd", json!({"taginfo": "base", "grpinfo": "more"})).await;
    let bash = json!({"taginfo": "base", "grpinfo": "build", "pkg_name": "pkg"});
    world.ok("groupPackageListAdd", bash).await;
    world.ok("groupReqListAdd", json!({"taginfo": "base", "grpinfo": "build", "reqinfo": "more"})).await;
    world.ok("createExternalRepo", json!({"name": "ext", "url": "https://example.com/"})).await;
    world.ok("addExternalRepoToTag", json!({"tag_info": "base", "repo_info": "ext", "priority": 5})).await;
    world.ok("addHost", json!({"hostname": "builder", "arches": ["x86_64"]})).await;
    world
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn every_table_as_the_stock_client_reads_it(pool: PgPool) {
    let world = eventful(pool).await;
    let all = history(&world, json!({})).await;
    assert_eq!(
        tables(&all),
        [
            "build_target_config",
            "cg_users",
            "external_repo_config",
            "external_repo_data",
            "group_config",
            "group_package_listing",
            "group_req_listing",
            "host_channels",
            "host_config",
            "tag_config",
            "tag_external_repos",
            "tag_extra",
            "tag_inheritance",
            "tag_listing",
            "tag_package_owners",
            "tag_packages",
            "user_groups",
            "user_perms",
        ]
    );
    // what its lines are made of
    for (table, fields) in [
        ("build_target_config", vec!["build_target.name", "build_tag.name", "dest_tag.name"]),
        ("external_repo_config", vec!["external_repo.name", "url"]),
        ("group_config", vec!["group.name", "tag.name", "display_name", "exported", "biarchonly"]),
        ("group_package_listing", vec!["package", "group.name", "tag.name", "type"]),
        ("group_req_listing", vec!["group.name", "req.name", "tag.name", "is_metapkg"]),
        ("host_channels", vec!["host.name", "channels.name"]),
        ("host_config", vec!["host.name", "arches", "capacity", "enabled"]),
        ("tag_config", vec!["tag.name", "arches", "locked", "permission.name"]),
        ("tag_external_repos", vec!["external_repo.name", "tag.name", "merge_mode", "priority"]),
        ("tag_extra", vec!["tag.name", "key", "value"]),
        ("tag_inheritance", vec!["tag.name", "parent.name", "noconfig", "pkg_filter"]),
        ("tag_package_owners", vec!["package.name", "tag.name", "owner.name"]),
        ("tag_packages", vec!["package.name", "tag.name", "blocked"]),
        ("user_perms", vec!["user.name", "permission.name"]),
    ] {
        let row = all[table].as_array().unwrap().last().unwrap();
        for field in fields.iter().chain(&["active", "create_event", "creator_name", "creator_id"]) {
            assert!(
                row.get(field).is_some_and(|value| !value.is_null() || *field == "permission.name"),
                "{table}.{field}: {row}"
            );
        }
        assert!(row["create_ts"].is_f64(), "{table}: {row}");
        assert!(row.get("revoke_event").unwrap().is_null() && row.get("revoker_name").unwrap().is_null(), "{table}");
    }
    let mut row = all["tag_listing"][0].clone();
    let members = row.as_object_mut().unwrap();
    assert!(members.remove("create_ts").unwrap().is_f64() && members.remove("create_event").unwrap().is_i64());
    assert_eq!(
        row,
        json!({
            "active": true, "build.state": 1, "build_id": 1, "creator_id": 1, "creator_name": "admin", "epoch": null,
            "name": "pkg", "release": "1", "revoke_event": null, "revoke_ts": null, "revoker_id": null,
            "revoker_name": null, "tag.name": "base", "tag_id": 1, "version": "1",
        })
    );
    assert!(all["host_config"][0]["capacity"].is_f64());
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn narrowed_down(pool: PgPool) {
    let world = eventful(pool).await;
    let of = async |arguments: Value| history(&world, arguments).await;
    let names = async |arguments: Value| {
        let found = of(arguments).await;
        let filled = found.as_object().unwrap().iter().filter(|(_, rows)| !rows.as_array().unwrap().is_empty());
        filled.map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(json!({"build": "pkg-1-1"})).await, ["tag_listing"]);
    assert_eq!(
        names(json!({"package": "pkg"})).await,
        ["group_package_listing", "tag_listing", "tag_package_owners", "tag_packages"]
    );
    assert_eq!(names(json!({"package": "other"})).await, ["tag_package_owners", "tag_packages"]);
    assert_eq!(names(json!({"tag": "child"})).await, ["build_target_config", "tag_config", "tag_inheritance"]);
    assert_eq!(names(json!({"tag": "base", "package": "other"})).await, ["tag_package_owners", "tag_packages"]);
    assert_eq!(names(json!({"external_repo": "ext"})).await, ["external_repo_config", "tag_external_repos"]);
    assert_eq!(names(json!({"build_target": "target"})).await, ["build_target_config"]);
    assert_eq!(names(json!({"group": "more"})).await, ["group_config", "group_req_listing"]);
    assert_eq!(names(json!({"host": "builder"})).await, ["host_channels", "host_config"]);
    assert_eq!(names(json!({"channel": "default"})).await, ["host_channels"]);
    assert_eq!(names(json!({"xkey": "key"})).await, ["tag_extra"]);
    assert_eq!(names(json!({"permission": "sign"})).await, ["tag_config"]);
    assert_eq!(names(json!({"user": "admin", "tables": ["user_perms", "tag_package_owners"]})).await.len(), 2);
    assert_eq!(names(json!({"host": "none"})).await, [""; 0]);
    assert_eq!(names(json!({"channel": "none"})).await, [""; 0]);
    assert_eq!(tables(&of(json!({"tables": ["tag_extra"], "utc": true})).await), ["tag_extra"]);
    assert_eq!(tables(&of(json!({"tables": ["tag_extra"], "build": "pkg-1-1"})).await), [""; 0]);

    // a deleted tag has a history, too
    world.ok("deleteTag", json!({"tagInfo": "child"})).await;
    let rows = of(json!({"tag": "child", "tables": ["tag_config"]})).await;
    assert_eq!(
        (&rows["tag_config"][0]["active"], &rows["tag_config"][0]["revoker_name"]),
        (&Value::Null, &json!("admin"))
    );
    assert!(rows["tag_config"][0]["revoke_ts"].is_f64());
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn by_time_event_and_editor(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["t"]).await;
    let bob = world.user("bob", &["tag"]).await;
    let before = world.last_event().await;
    bob.ok("editTag2", json!({"tagInfo": "t", "locked": true})).await;
    let edit = world.last_event().await;
    let rows = async |mut arguments: Value| {
        arguments["tables"] = json!(["tag_config"]);
        history(&world, arguments).await["tag_config"].as_array().unwrap().clone()
    };
    // an edit is two rows: one revoked, one made by the same event
    let both = rows(json!({"afterEvent": before})).await;
    assert_eq!(column(&json!(both), "_created_after_event"), ["false", "true"]);
    assert_eq!((&both[0]["_revoked_after_event"], &both[1]["_revoked_after_event"]), (&json!(true), &Value::Null));
    assert_eq!(rows(json!({"afterEvent": edit})).await, [Value::Null; 0]);
    assert_eq!(rows(json!({"beforeEvent": edit})).await.len(), 1);
    let by_bob = rows(json!({"editor": "bob"})).await;
    assert_eq!(column(&json!(by_bob), "_created_by"), ["false", "true"]);
    assert_eq!(column(&json!(by_bob), "_revoked_by"), ["true", "null"]);
    assert_eq!(rows(json!({"active": true})).await.len(), 1);
    assert_eq!(rows(json!({"active": false})).await[0]["revoker_name"], json!("bob"));
    assert_eq!(rows(json!({"active": null})).await.len(), 2);
    assert_eq!(rows(json!({"after": 0})).await.len(), 2);
    assert_eq!(rows(json!({"before": "2001-01-01 00:00:00"})).await.len(), 0);
    let since = rows(json!({"after": "2001-01-01"})).await;
    assert_eq!(column(&json!(since), "_created_after"), ["true", "true"]);

    let opts = |opts: Value| json!({"tables": ["tag_config"], "queryOpts": opts});
    assert_eq!(history(&world, opts(json!({"countOnly": true}))).await, json!({"tag_config": 2}));
    let newest = history(&world, opts(json!({"order": "-create_event", "limit": 1}))).await;
    assert_eq!(newest["tag_config"][0]["locked"], json!(true));
    let list = history(&world, opts(json!({"asList": true, "offset": 1}))).await;
    assert_eq!((&list["tag_config"][0][0], &list["tag_config"][0][1]), (&json!(true), &json!(edit)));
    assert_eq!(world.fault("queryHistory", opts(json!({"order": "1; DROP TABLE tag"}))).await.0, 1000);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_is_not_there_is_a_fault(pool: PgPool) {
    let world = World::new(pool).await;
    let fault = async |arguments: Value| world.fault("queryHistory", arguments).await;
    let no_table = fault(json!({"tables": ["build_config"]})).await;
    assert_eq!(no_table, (1000, "No such history table: build_config".to_owned()));
    for name in ["tag", "package", "permission", "external_repo", "build_target", "group", "build", "user", "editor"] {
        let mut arguments = json!({});
        arguments[name] = json!("none-1-1");
        assert_eq!(fault(arguments).await.0, 1000, "{name}");
    }
    assert_eq!(fault(json!({"tag": "none"})).await.1, "No such entry in table tag: none");
    assert_eq!(fault(json!({"colour": "red"})).await.0, 1019);
    assert_eq!(fault(json!({"afterEvent": "x"})).await.0, 1019);
    assert_eq!(fault(json!({"before": "yesterday"})).await.0, 1019);
    assert_eq!(fault(json!({"tables": "tag_config"})).await.0, 1019);
    assert!(world.nobody().ok("queryHistory", json!({"tables": ["tag_config"]})).await.is_object());
}
