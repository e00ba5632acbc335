//! Builds from their beginning to their end, and what they were in between. What needs S3 is in `tests/life`.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::world::{World, column, now};

/// What a build was: state, owner, volume; and whether it still is.
async fn history(world: &World, build: i64) -> Vec<(i16, i64, i64, bool)> {
    sqlx::query_as(
        "SELECT state, owner, volume_id, active IS TRUE FROM build_config WHERE build_id = $1 ORDER BY create_event",
    )
    .bind(build)
    .fetch_all(&world.pool)
    .await
    .unwrap()
}

async fn number(world: &World, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&world.pool).await.unwrap()
}

async fn empty(world: &World, nvr: [&str; 3], draft: bool) -> i64 {
    let [name, version, release] = nvr;
    let new = json!({"name": name, "version": version, "release": release, "epoch": null, "draft": draft});
    world.ok("createEmptyBuild", new).await.as_i64().unwrap()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn every_change_is_kept(pool: PgPool) {
    let world = World::new(pool).await;
    let bob = world.user("bob", &[]).await;
    let build = empty(&world, ["pkg", "1", "1"], false).await;
    let made = world.last_event().await;
    assert_eq!(history(&world, build).await, [(1, 1, 0, true)]);
    world.ok("setBuildOwner", json!({"build": build, "user": "bob"})).await;
    assert_eq!(history(&world, build).await, [(1, 1, 0, false), (1, 2, 0, true)]);
    // nothing has changed: no row
    world.ok("setBuildOwner", json!({"build": "pkg-1-1", "user": "bob"})).await;
    assert_eq!(history(&world, build).await.len(), 2);
    world.ok("deleteBuild", json!({"build": build})).await;
    assert_eq!(history(&world, build).await, [(1, 1, 0, false), (1, 2, 0, false), (2, 2, 0, true)]);
    let then: Vec<(i16, i64)> = sqlx::query_as(
        "SELECT state, owner FROM build_config WHERE build_id = $1 AND is_live(active, create_event, revoke_event, $2)",
    )
    .bind(build)
    .bind(made)
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert_eq!(then, [(1, 1)]);
    // Koji's reads show the present alone
    let shown = world.ok("getBuild", json!({"buildInfo": build})).await;
    assert_eq!((&shown["state"], &shown["owner_name"]), (&json!(2), &json!("bob")));

    assert_eq!(bob.fault("setBuildOwner", json!({"build": build, "user": "bob"})).await.0, 1004);
    assert_eq!(world.fault("setBuildOwner", json!({"build": build, "user": "eve"})).await.0, 1000);
    assert_eq!(world.fault("setBuildOwner", json!({"build": 77, "user": "bob"})).await.1, "No such build: 77");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn an_empty_build(pool: PgPool) {
    let world = World::new(pool).await;
    let new = json!({"name": "pkg", "version": "1", "release": "2", "epoch": "3", "owner": "admin"});
    let id = world.ok("createEmptyBuild", new.clone()).await;
    let build = world.ok("getBuild", json!({"buildInfo": "pkg-1-2", "strict": true})).await;
    assert_eq!((&build["id"], &build["state"], &build["epoch"]), (&id, &json!(1), &json!(3)));
    assert_eq!((&build["task_id"], &build["cg_id"], &build["cg_name"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(build["start_ts"], build["completion_ts"]);
    assert_eq!(world.ok("getBuildType", json!({"buildInfo": id})).await, json!({}));

    let (code, text) = world.fault("createEmptyBuild", new).await;
    assert!(code == 1000 && text.starts_with("Build already exists: pkg-1-2"), "{text}");
    for (field, bad) in
        [("release", "1-2"), ("version", ""), ("release", "1,draft_9"), ("version", "../x"), ("name", "a b")]
    {
        let mut new = json!({"name": "pkg", "version": "1", "release": "9", "epoch": null});
        new[field] = json!(bad);
        world.fault("createEmptyBuild", new).await;
    }
    let new = json!({"name": "pkg", "version": "1", "release": "9", "epoch": "x"});
    assert_eq!(world.fault("createEmptyBuild", new.clone()).await.0, 1019);
    let user = world.user("bob", &[]).await;
    assert_eq!(user.fault("createEmptyBuild", new).await.0, 1004);
    // a name that failed once is taken over, with its id
    let failed = world.build_in_state("late-1-1", 3).await;
    sqlx::query("DELETE FROM rpminfo WHERE build_id = $1").bind(failed).execute(&world.pool).await.unwrap();
    assert_eq!(empty(&world, ["late", "1", "1"], false).await, failed);
    assert_eq!(world.ok("getBuild", json!({"buildInfo": failed})).await["state"], 1);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn drafts_stand_side_by_side(pool: PgPool) {
    let world = World::new(pool).await;
    let one = empty(&world, ["pkg", "1", "2"], true).await;
    let two = empty(&world, ["pkg", "1", "2"], true).await;
    let nvrs = world.nvrs("listBuilds", json!({"draft": true, "queryOpts": {"order": "build_id"}})).await;
    assert_eq!(nvrs, [format!("pkg-1-2,draft_{one}"), format!("pkg-1-2,draft_{two}")]);
    assert_eq!(world.ok("getBuild", json!({"buildInfo": nvrs[1]})).await["id"], json!(two));
    assert_eq!(world.ok("getBuild", json!({"buildInfo": "pkg-1-2"})).await, Value::Null);
    // drafts do not count for the next release
    assert_eq!(world.ok("getNextRelease", json!({"build_info": {"name": "pkg", "version": "1"}})).await, "1");
    empty(&world, ["pkg", "1", "2"], false).await;
    assert_eq!(world.ok("getNextRelease", json!({"build_info": {"name": "pkg", "version": "1"}})).await, "3");
    assert_eq!(
        world.ok("getNextRelease", json!({"build_info": {"name": "pkg", "version": "1"}, "incr": 5})).await,
        "7"
    );
    assert_eq!(
        world.ok("getNextRelease", json!({"build_info": {"name": "pkg", "version": "9"}, "incr": 5})).await,
        "5"
    );
    let new = json!({"name": "pkg", "version": "1", "release": "2", "epoch": null, "draft": true});
    let (code, text) = world.fault("createEmptyBuild", new).await;
    assert!(code == 1000 && text.starts_with("Target build already exists: pkg-1-2"), "{text}");
    assert_eq!(world.nvrs("listBuilds", json!({"draft": false})).await, ["pkg-1-2"]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_keeps_a_build(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["t"]).await;
    world.list("t", &["lib"]).await;
    let (lib, app) = (world.build("lib-1-1").await, world.build("app-1-1").await);
    let refs = async || world.ok("buildReferences", json!({"build": "lib-1-1"})).await;
    let nothing = json!({"tags": [], "rpms": [], "component_of": [], "archives": [], "last_used": null, "images": []});
    assert_eq!(refs().await, nothing);
    let refused = async |why: &str| {
        let (code, text) = world.fault("deleteBuild", json!({"build": lib})).await;
        assert!(code == 1000 && text == format!("Cannot delete build, {why}"), "{text}");
        assert_eq!(world.ok("deleteBuild", json!({"build": lib, "strict": false})).await, json!(false));
        assert_eq!(world.ok("getBuild", json!({"buildInfo": lib})).await["state"], 1);
    };

    world.tag_build("t", "lib-1-1").await;
    assert_eq!(refs().await["tags"], json!([{"tag_id": 1, "name": "t"}]));
    let lazy = world.ok("buildReferences", json!({"build": lib, "lazy": true})).await;
    assert_eq!(lazy, json!({"tags": [{"tag_id": 1, "name": "t"}]}));
    refused("tagged: t").await;
    world.ok("untagBuildBypass", json!({"tag": "t", "build": "lib-1-1"})).await;

    // an RPM of a complete build was made in a buildroot with one of its RPMs
    sqlx::raw_sql(
        "INSERT INTO buildroot (arch, state, create_event) VALUES ('x86_64', 0, new_event());
         INSERT INTO buildroot_listing (buildroot_id, rpm_id) SELECT 1, id FROM rpminfo WHERE name = 'lib' AND arch = 'x86_64';
         UPDATE rpminfo SET buildroot_id = 1 WHERE name = 'app' AND arch = 'x86_64'",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let found = refs().await;
    assert_eq!(column(&found["rpms"], "name"), ["app"]);
    assert_eq!(found["rpms"][0]["build_id"], json!(app));
    assert!(found["last_used"].is_f64());
    refused("used in buildroots: app-1-1.x86_64").await;

    // what was made of it is no complete build any more, but the buildroot is still recent
    sqlx::query("UPDATE build SET state = 3 WHERE id = $1").bind(app).execute(&world.pool).await.unwrap();
    sqlx::query("UPDATE events SET time = $1 WHERE id = (SELECT create_event FROM buildroot)")
        .bind(now())
        .execute(&world.pool)
        .await
        .unwrap();
    refused("used in recent buildroot").await;

    // its name stays taken; its RPMs' rows stay, their signatures do not
    sqlx::query("INSERT INTO rpmsigs (rpm_id, sigkey, sighash) SELECT id, '', '' FROM rpminfo")
        .execute(&world.pool)
        .await
        .unwrap();
    assert_eq!(world.ok("deleteBuild", json!({"build": lib, "min_ref_age": 0})).await, json!(true));
    assert_eq!(world.ok("deleteBuild", json!({"build": lib})).await, Value::Null);
    assert_eq!(number(&world, "SELECT count(*) FROM rpmsigs JOIN rpminfo ON id = rpm_id WHERE name = 'lib'").await, 0);
    assert_eq!(number(&world, "SELECT count(*) FROM rpminfo WHERE name = 'lib'").await, 2);
    let new = json!({"name": "lib", "version": "1", "release": "1", "epoch": null});
    assert!(world.fault("createEmptyBuild", new).await.1.contains("deleted"));

    let building = world.build_in_state("new-1-1", 0).await;
    let (_, text) = world.fault("deleteBuild", json!({"build": building})).await;
    assert_eq!(text, "Cannot delete build, it is being built; cancel it first");
    assert_eq!(world.fault("deleteBuild", json!({"build": "no-1-1"})).await.1, "No such build: 'no-1-1'");
    let user = world.user("bob", &[]).await;
    assert_eq!(user.fault("deleteBuild", json!({"build": app})).await.0, 1004);
    assert_eq!(world.fault("deleteBuild", json!({"build": app, "min_ref_age": "x"})).await.0, 1019);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_reset_leaves_the_name_alone(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["t"]).await;
    world.list("t", &["pkg"]).await;
    let build = world.build("pkg-1-1").await;
    world.tag_build("t", "pkg-1-1").await;
    sqlx::raw_sql(
        "INSERT INTO buildroot (arch, state, create_event) VALUES ('x86_64', 0, new_event());
         INSERT INTO buildroot_listing (buildroot_id, rpm_id) SELECT 1, id FROM rpminfo;
         INSERT INTO rpmsigs (rpm_id, sigkey, sighash) SELECT id, '', '' FROM rpminfo",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let before = world.ok("tagLastChangeEvent", json!({"tag": "t"})).await;
    assert_eq!(world.ok("resetBuild", json!({"build": "pkg-1-1"})).await, Value::Null);
    let after = world.ok("tagLastChangeEvent", json!({"tag": "t"})).await;
    assert!(after.as_i64() > before.as_i64(), "the tag has changed: {before} {after}");
    let left =
        "SELECT (SELECT count(*) FROM rpminfo) + (SELECT count(*) FROM rpmsigs) + (SELECT count(*) FROM tag_listing)
        + (SELECT count(*) FROM buildroot_listing) + (SELECT count(*) FROM build_types)";
    assert_eq!(number(&world, left).await, 0);
    let shown = world.ok("getBuild", json!({"buildInfo": build})).await;
    assert_eq!((&shown["state"], &shown["task_id"], &shown["volume_id"]), (&json!(4), &Value::Null, &json!(0)));
    // S3 is away here, so the folder is still to be emptied: nobody begins it before
    let new = json!({"name": "pkg", "version": "1", "release": "1", "epoch": null});
    assert!(world.fault("createEmptyBuild", new).await.1.contains("may still be running"));
    assert_eq!(world.ok("resetBuild", json!({"build": "none-1-1"})).await, Value::Null);
    let user = world.user("bob", &[]).await;
    assert_eq!(user.fault("resetBuild", json!({"build": build})).await.0, 1004);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn when_a_build_ended(pool: PgPool) {
    let world = World::new(pool).await;
    let build = world.build("pkg-1-1").await;
    world.ok("setBuildTimestamp", json!({"build": build, "ts": 1_000_000_000.5})).await;
    let shown = world.ok("getBuild", json!({"buildInfo": build})).await;
    assert_eq!(shown["completion_ts"], json!(1_000_000_000.5));
    assert_eq!(world.fault("setBuildTimestamp", json!({"build": build, "ts": "soon"})).await.0, 1000);
    let building = world.build_in_state("pkg-1-2", 0).await;
    assert!(world.fault("setBuildTimestamp", json!({"build": building, "ts": 1})).await.1.contains("BUILDING"));
    let user = world.user("bob", &[]).await;
    assert_eq!(user.fault("setBuildTimestamp", json!({"build": build, "ts": 1})).await.0, 1004);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_build_is_cancelled_by_its_owner(pool: PgPool) {
    let world = World::new(pool).await;
    let (bob, eve) = (world.user("bob", &[]).await, world.user("eve", &[]).await);
    let build = world.build_in_state("pkg-1-1", 0).await;
    world.ok("setBuildOwner", json!({"build": build, "user": "bob"})).await;
    assert_eq!(
        eve.fault("cancelBuild", json!({"buildID": build})).await,
        (1004, "Cannot cancel build, not owner".into())
    );
    assert_eq!(bob.ok("cancelBuild", json!({"buildID": "pkg-1-1"})).await, json!(true));
    assert_eq!(bob.ok("cancelBuild", json!({"buildID": build, "strict": true})).await, json!(false));
    let states: Vec<i16> = history(&world, build).await.iter().map(|row| row.0).collect();
    assert_eq!(states, [0, 4]);
    assert_eq!(bob.ok("cancelBuild", json!({"buildID": 99})).await, json!(false));
    assert_eq!(bob.fault("cancelBuild", json!({"buildID": 99, "strict": true})).await.1, "No such build: 99");
    assert_eq!(world.nobody().fault("cancelBuild", json!({"buildID": build})).await.0, 1004);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn builds_that_fit(pool: PgPool) {
    let world = World::new(pool).await;
    world.user("bob", &[]).await;
    for nvr in ["Lib-1-1", "lib-2-1", "app-1-1"] {
        world.build(nvr).await;
    }
    world.ok("setBuildOwner", json!({"build": "app-1-1", "user": "bob"})).await;
    let some = async |mut arguments: Value| {
        arguments["queryOpts"] = json!({"order": "build_id"});
        world.nvrs("listBuilds", arguments).await
    };
    assert_eq!(some(json!({"prefix": "LIB"})).await, ["Lib-1-1", "lib-2-1"]);
    assert_eq!(some(json!({"pattern": "l*-2-*"})).await, ["lib-2-1"]);
    assert_eq!(some(json!({"userID": "bob"})).await, ["app-1-1"]);
    assert_eq!(some(json!({"userID": "nobody"})).await, [""; 0]);
    assert_eq!(some(json!({"promoter": "bob"})).await, [""; 0]);
    assert_eq!(some(json!({"packageID": "none"})).await, [""; 0]);
    assert_eq!(some(json!({"taskID": -1})).await, [""; 0]);
    assert_eq!(some(json!({"volumeID": 0, "state": 1, "type": "rpm"})).await.len(), 3);
    assert_eq!(some(json!({"volumeID": 7})).await, [""; 0]);
    assert_eq!(some(json!({"type": "maven"})).await, [""; 0]);
    assert_eq!(some(json!({"cgID": "none"})).await, [""; 0]);
    assert_eq!(some(json!({"promotedAfter": 0})).await, [""; 0]);
    let (code, text) = world.fault("listBuilds", json!({"type": "none"})).await;
    assert_eq!((code, text.as_str()), (1000, "unsupported build type: none"));
    let count = world.ok("listBuilds", json!({"prefix": "l", "queryOpts": {"countOnly": true}})).await;
    assert_eq!(count, json!(2));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn kinds_of_content(pool: PgPool) {
    let world = World::new(pool).await;
    let all = world.ok("listBTypes", json!({})).await;
    assert_eq!(column(&all, "name"), ["rpm", "maven", "win", "image"]);
    world.ok("addBType", json!({"name": "module"})).await;
    let one = world.ok("listBTypes", json!({"query": {"name": "module"}})).await;
    assert_eq!(one, json!([{"id": 5, "name": "module"}]));
    assert_eq!(world.ok("listBTypes", json!({"query": {"id": 77}})).await, json!([]));
    assert_eq!(world.fault("listBTypes", json!({"query": {"id": "x"}})).await.0, 1019);
    assert_eq!(world.fault("addBType", json!({"name": "module"})).await, (1000, "btype already exists".into()));
    assert_eq!(world.fault("addBType", json!({"name": "a b"})).await.0, 1024);
    assert_eq!(world.user("bob", &[]).await.fault("addBType", json!({"name": "x"})).await.0, 1004);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn kinds_of_files(pool: PgPool) {
    let world = World::new(pool).await;
    let kind = async |arguments: Value| world.ok("getArchiveType", arguments).await["name"].clone();
    assert_eq!(kind(json!({"filename": "a/B.TAR.GZ"})).await, "tar");
    assert_eq!(kind(json!({"filename": "disk.raw.xz"})).await, "raw-xz");
    assert_eq!(kind(json!({"filename": "x.unknown"})).await, Value::Null);
    assert_eq!(kind(json!({"type_name": "jar"})).await, "jar");
    assert_eq!(kind(json!({"type_id": 1})).await, "jar");
    let (code, text) = world.fault("getArchiveType", json!({"filename": "x.unknown", "strict": true})).await;
    assert_eq!((code, text.as_str()), (1000, "unsupported file extension: x.unknown"));
    assert_eq!(world.fault("getArchiveType", json!({})).await.0, 1000);
    assert_eq!(world.ok("getArchiveTypes", json!({})).await.as_array().unwrap().len(), 76);

    let new = json!({"name": "wasm", "description": "WebAssembly", "extensions": "wasm wasm.gz"});
    world.ok("addArchiveType", new.clone()).await;
    assert_eq!(kind(json!({"filename": "a.wasm.gz"})).await, "wasm");
    assert_eq!(world.fault("addArchiveType", new.clone()).await.1, "archivetype wasm already exists");
    for (field, bad) in [("extensions", "zip"), ("extensions", "a b("), ("compression_type", "rar"), ("name", "a b")] {
        let mut new = json!({"name": "other", "description": "", "extensions": "other"});
        new[field] = json!(bad);
        world.fault("addArchiveType", new).await;
    }
    assert_eq!(world.user("bob", &[]).await.fault("addArchiveType", new).await.0, 1004);

    assert_eq!(world.ok("listArchives", json!({"buildID": 1, "type": "maven"})).await, json!([]));
    assert_eq!(world.ok("listArchives", json!({"queryOpts": {"countOnly": true}})).await, json!(0));
    assert_eq!(world.fault("listArchives", json!({"strict": true})).await.1, "No archives found.");
    assert_eq!(world.fault("listArchives", json!({"type": "none"})).await.1, "unsupported archive type: none");
    assert_eq!(world.ok("getArchive", json!({"archive_id": 1})).await, Value::Null);
    assert_eq!(world.fault("getArchive", json!({"archive_id": 1, "strict": true})).await.1, "No such archive: 1");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn who_may_promote(pool: PgPool) {
    let world = World::new(pool).await;
    let (bob, eve) = (world.user("bob", &[]).await, world.user("eve", &[]).await);
    let draft = empty(&world, ["pkg", "1", "1"], true).await;
    world.ok("setBuildOwner", json!({"build": draft, "user": "bob"})).await;
    let promote = json!({"build": draft});
    assert_eq!(world.nobody().fault("promoteBuild", promote.clone()).await.0, 1004);
    let (code, text) = eve.fault("promoteBuild", promote.clone()).await;
    assert!(code == 1004 && text.starts_with("policy violation (draft_promotion)"), "{text}");
    assert_eq!(eve.fault("promoteBuild", json!({"build": draft, "force": true})).await.0, 1004);
    // its owner may, but S3 is away here: it stays a draft, and the name stays claimed until the sweep pass has looked
    assert_eq!(bob.fault("promoteBuild", promote).await.0, 1014);
    let shown = world.ok("getBuild", json!({"buildInfo": draft})).await;
    assert_eq!((&shown["draft"], &shown["promoter_id"]), (&json!(true), &Value::Null));
    let new = json!({"name": "pkg", "version": "1", "release": "1", "epoch": null});
    assert!(world.fault("createEmptyBuild", new).await.1.contains("being promoted"));
    let building = world.build_in_state("pkg-2-1", 0).await;
    sqlx::query("UPDATE build SET draft = true, release = '1,draft_' || id WHERE id = $1")
        .bind(building)
        .execute(&world.pool)
        .await
        .unwrap();
    let (_, text) = world.fault("promoteBuild", json!({"build": building})).await;
    assert!(text.ends_with("Reason: state (BUILDING) is not COMPLETE."), "{text}");
    assert_eq!(world.fault("promoteBuild", json!({"build": 99})).await.1, "No such build: 99");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_only_an_admin_may(pool: PgPool) {
    let world = World::new(pool).await;
    world.build("pkg-1-1").await;
    let bob = world.user("bob", &["tag", "target", "repo"]).await;
    let rpm = json!({"name": "a", "version": "1", "release": "1", "epoch": null, "arch": "noarch",
        "payloadhash": "0", "size": 1, "buildtime": 1});
    for (method, arguments) in [
        ("importRPM", json!({"path": "cli-import/1", "basename": "a-1-1.src.rpm"})),
        ("addExternalRPM", json!({"rpminfo": rpm, "external_repo": 0})),
        ("mergeScratch", json!({"task_id": 1})),
        ("addVolume", json!({"name": "cold"})),
        ("removeVolume", json!({"volume": "DEFAULT"})),
        ("changeBuildVolume", json!({"build": "pkg-1-1", "volume": "DEFAULT"})),
        ("applyVolumePolicy", json!({"build": "pkg-1-1"})),
    ] {
        assert_eq!(bob.fault(method, arguments.clone()).await.0, 1004, "{method}");
        assert_eq!(world.nobody().fault(method, arguments).await.0, 1004, "{method}");
    }
    for (method, arguments) in [
        ("importRPM", json!({"path": "cli-import/1"})),
        ("importRPM", json!({"path": "../x", "basename": "a-1-1.src.rpm"})),
        ("mergeScratch", json!({"task_id": "x"})),
        ("addVolume", json!({"name": "a b"})),
        ("changeBuildVolume", json!({"build": "none-1-1", "volume": "DEFAULT"})),
        ("applyVolumePolicy", json!({"build": 77})),
    ] {
        world.fault(method, arguments).await;
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn within_a_multicall_that_writes(pool: PgPool) {
    use toji_hub::call::{Auth, InnerCall, Request};
    let world = World::new(pool).await;
    let build = world.build("pkg-1-1").await;
    let inner = |method: &str, arguments: Value| InnerCall {
        method: method.to_owned(),
        positional: Vec::new(),
        named: serde_json::from_value(arguments).unwrap(),
    };
    let auth = Auth::Bearer("the admin's token".to_owned());
    let outer = Request {
        method: "multiCall".to_owned(),
        positional: Vec::new(),
        named: serde_json::from_value(json!({})).unwrap(),
        auth: auth.clone(),
        idempotency_key: None,
        now: now(),
    };
    let other = world.build("pkg-1-2").await;
    let calls = vec![
        inner("createTag", json!({"name": "t"})),
        inner("resetBuild", json!({"build": other})),
        inner("deleteBuild", json!({"build": other})),
        inner("createTag", json!({"name": "u"})),
    ];
    let replies = world.hub.multicall(auth.clone(), calls, &outer).await.unwrap();
    assert!(replies[0].is_ok() && replies[3].is_ok());
    let error = replies[1].as_ref().err().unwrap();
    assert!(error.to_string().contains("call it alone"), "{error}");
    // koji-gc deletes so; the folder is left to the sweep pass
    assert!(replies[2].is_ok());
    assert_eq!(world.ok("getBuild", json!({"buildInfo": other})).await["state"], 2);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pending_import").fetch_one(&world.pool).await.unwrap();
    assert_eq!(left, 1);
    assert_eq!(world.ok("getBuild", json!({"buildInfo": build})).await["state"], 1);
    // among reads it does
    let calls = vec![inner("getBuild", json!({"buildInfo": build})), inner("deleteBuild", json!({"build": build}))];
    let replies = world.hub.multicall(auth, calls, &outer).await.unwrap();
    assert!(replies.iter().all(Result::is_ok));
    assert_eq!(world.ok("getBuild", json!({"buildInfo": build})).await["state"], 2);
}
