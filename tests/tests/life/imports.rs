//! What comes into builds from outside, and what goes out of them: uploaded RPMs, content generators, drafts, volumes, deletions.

use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use toji_hub::{error::Error, sweep, upload::Place};

use crate::{
    builder::{self, Package, Trick},
    parents::Farm,
    rpms::{self, Rpm},
    world::{World, seconds, start},
};

/// Uploads RPMs; answers the folder of the first, and each one's name.
async fn upload(world: &World, rpm: &Rpm) -> (String, String) {
    let path = builder::client_upload(world, rpm, start()).await;
    let (folder, name) = path.rsplit_once('/').unwrap();
    (folder.to_owned(), name.to_owned())
}

async fn import(world: &World, rpm: &Rpm) -> Result<Value, Error> {
    let (path, basename) = upload(world, rpm).await;
    world.attempt("importRPM", json!({"path": path, "basename": basename}), start()).await
}

async fn keys(world: &World, prefix: &str) -> Vec<String> {
    world.hub.store.list(prefix).await.unwrap().into_iter().map(|object| object.key).collect()
}

async fn rpms_of(world: &World) -> Vec<String> {
    keys(world, "packages/").await.into_iter().filter(|key| key.ends_with(".rpm")).collect()
}

fn told(error: Error) -> (i32, String) {
    (error.fault_code(), error.to_string())
}

async fn refused(world: &World, method: &str, arguments: Value) -> (i32, String) {
    told(world.attempt(method, arguments, start()).await.unwrap_err())
}

/// Nothing is half-done, and nothing is left of what was refused.
async fn is_nothing(world: &World) {
    for table in ["build", "rpminfo", "build_config", "pending_import", "build_types", "archiveinfo", "buildroot"] {
        let sql: &'static str = Box::leak(format!("SELECT count(*) FROM {table}").into_boxed_str());
        assert_eq!(world.count(sql).await, 0, "{table}");
    }
    assert_eq!(keys(world, "packages/").await, [""; 0]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn uploaded_rpms_become_a_build(pool: PgPool) {
    let world = World::new(pool).await;
    let Package { source, built, stranger, .. } = rpms::hello();
    let (_, binary) = &built[0];
    let (code, text) = told(import(&world, binary).await.unwrap_err());
    assert_eq!((code, text.as_str()), (1000, "No such build: 'hello-1.0-1'; import its source RPM first"));
    is_nothing(&world).await;

    let imported = import(&world, &source).await.unwrap();
    assert_eq!(
        json!([
            imported["name"],
            imported["arch"],
            imported["sourcepackage"],
            imported["sourcerpm"],
            imported["brootid"]
        ]),
        json!(["hello", "src", 1, null, null])
    );
    assert_eq!(imported["build"]["state"], 1);
    assert_eq!(imported["build"]["task_id"], Value::Null);
    assert_eq!(imported["size"], source.bytes.len());
    let build = imported["build_id"].clone();
    // again: its name is taken, and its file is left alone
    assert_eq!(told(import(&world, &source).await.unwrap_err()).1, "rpm already exists: hello-1.0-1.src");

    world.ok("createTag", json!({"name": "t", "arches": "x86_64"})).await;
    world.ok("packageListAdd", json!({"taginfo": "t", "pkginfo": "hello", "owner": "admin"})).await;
    world.ok("tagBuildBypass", json!({"tag": "t", "build": "hello-1.0-1"})).await;
    let before = world.ok("tagLastChangeEvent", json!({"tag": "t"})).await;
    let imported = import(&world, binary).await.unwrap();
    assert_eq!((&imported["build_id"], &imported["sourcerpm"]), (&build, &json!("hello-1.0-1.src.rpm")));
    let after = world.ok("tagLastChangeEvent", json!({"tag": "t"})).await;
    assert!(after.as_i64() > before.as_i64(), "the tag's repos are out of date");

    let listed = world.ok("listBuildRPMs", json!({"build": build})).await;
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert_eq!(world.ok("getBuildType", json!({"buildInfo": build})).await, json!({"rpm": null}));
    assert_eq!(world.count("SELECT count(*) FROM rpm_fragment JOIN rpmsigs USING (rpm_id)").await, 2);
    assert_eq!(world.count("SELECT count(*) FROM pending_import").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM build_config WHERE active AND state = 1").await, 1);
    let key = format!("packages/hello/1.0/1/x86_64/{}", binary.name);
    assert_eq!(world.hub.store.get(&key).await.unwrap(), binary.bytes);

    // what is refused changes nothing
    let rows = world.count("SELECT count(*) FROM rpminfo").await;
    assert_eq!(told(import(&world, &stranger).await.unwrap_err()).0, 1000);
    let lie = Rpm { name: "hello-1.0-1.s390x.rpm".to_owned(), bytes: binary.bytes.clone() };
    let (code, text) = told(import(&world, &lie).await.unwrap_err());
    assert!(code == 1005 && text.starts_with("bad filename"), "{text}");
    let noise = Rpm { name: "hello-1.0-1.s390x.rpm".to_owned(), bytes: b"no RPM".repeat(99) };
    assert_eq!(told(import(&world, &noise).await.unwrap_err()).0, 1005);
    let gone = json!({"path": "cli-import/none", "basename": "a-1-1.noarch.rpm"});
    assert_eq!(refused(&world, "importRPM", gone).await.0, 1000);
    assert_eq!(world.count("SELECT count(*) FROM rpminfo").await, rows);
    assert_eq!(world.count("SELECT count(*) FROM pending_import").await, 0);

    // a build that is deleted takes no more RPMs, and its files are gone
    world.ok("untagBuildBypass", json!({"tag": "t", "build": "hello-1.0-1"})).await;
    assert_eq!(world.ok("deleteBuild", json!({"build": build})).await, json!(true));
    assert_eq!(keys(&world, "packages/").await, [""; 0]);
    assert_eq!(world.count("SELECT count(*) FROM pending_import").await, 0);
    assert_eq!(told(import(&world, &built[1].1).await.unwrap_err()).1, "Build is DELETED: hello-1.0-1");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_reset_build_is_imported_again(pool: PgPool) {
    let world = World::new(pool).await;
    let hello = rpms::hello();
    import(&world, &hello.source).await.unwrap();
    world.ok("resetBuild", json!({"build": "hello-1.0-1"})).await;
    assert_eq!(keys(&world, "packages/").await, [""; 0]);
    assert_eq!(world.count("SELECT count(*) FROM pending_import").await, 0);
    assert_eq!(told(import(&world, &hello.source).await.unwrap_err()).1, "Build is CANCELED: hello-1.0-1");
    world.ok("createEmptyBuild", json!({"name": "hello", "version": "1.0", "release": "1", "epoch": null})).await;
    import(&world, &hello.source).await.unwrap();
    assert_eq!(rpms_of(&world).await, ["packages/hello/1.0/1/src/hello-1.0-1.src.rpm"]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_a_crash_leaves_is_swept(pool: PgPool) {
    let world = World::new(pool).await;
    let hello = rpms::hello();
    let later = start() + seconds(3600);
    // an import that had begun its build and copied a file
    sqlx::raw_sql(
        "INSERT INTO package (name) VALUES ('hello');
         INSERT INTO build (pkg_id, version, release, state, owner, create_event) VALUES (1, '1.0', '1', 0, 1, new_event());
         INSERT INTO build_config (build_id, state, owner, volume_id, create_event, creator_id)
             SELECT id, state, owner, volume_id, create_event, owner FROM build;
         INSERT INTO pending_import (build_id, start_time) VALUES (1, '2030-03-17 17:46:40+00')",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    world.hub.store.put("packages/hello/1.0/1/src/x.rpm", "x", "text/plain").await.unwrap();
    // while it may still be running, nobody else may
    assert_eq!(told(import(&world, &hello.source).await.unwrap_err()).1, "Build is BUILDING: hello-1.0-1");
    assert_eq!(sweep::run_once(&world.hub, start()).await.unwrap().imports, 0);
    assert_eq!(sweep::run_once(&world.hub, later).await.unwrap().imports, 1);
    is_nothing(&world).await;

    // a deletion that had not come to the files
    import(&world, &hello.source).await.unwrap();
    sqlx::raw_sql(
        "UPDATE build SET state = 2; INSERT INTO pending_import (build_id, start_time) SELECT id, '2030-03-17' FROM build",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    assert_eq!(sweep::run_once(&world.hub, later).await.unwrap().imports, 1);
    assert_eq!(keys(&world, "packages/").await, [""; 0]);
    assert_eq!(world.count("SELECT count(*) FROM pending_import").await, 0);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn rpms_of_others(pool: PgPool) {
    let world = World::new(pool).await;
    world.ok("createExternalRepo", json!({"name": "ext", "url": "http://localhost/ext/"})).await;
    let rpm = json!({"name": "a", "version": "1", "release": "1", "epoch": null, "arch": "noarch",
        "payloadhash": "00", "size": 1, "buildtime": 2, "location": "ignored"});
    let add = |rpm: &Value, strict: bool| json!({"rpminfo": rpm, "external_repo": "ext", "strict": strict});
    assert_eq!(world.ok("addExternalRPM", add(&rpm, true)).await, Value::Null);
    assert_eq!(world.ok("addExternalRPM", add(&rpm, false)).await, Value::Null);
    let (code, text) = refused(&world, "addExternalRPM", add(&rpm, true)).await;
    assert_eq!((code, text.as_str()), (1000, "external rpm already exists: a-1-1.noarch@ext"));
    let mut other = rpm.clone();
    other["payloadhash"] = json!("11");
    assert!(refused(&world, "addExternalRPM", add(&other, false)).await.1.starts_with("hash changed"));
    for (field, bad) in [("size", json!("1")), ("name", Value::Null), ("epoch", json!("0"))] {
        let mut wrong = rpm.clone();
        wrong[field] = bad;
        assert_eq!(refused(&world, "addExternalRPM", add(&wrong, false)).await.0, 1000, "{field}");
    }
    assert_eq!(refused(&world, "addExternalRPM", json!({"rpminfo": rpm, "external_repo": "none"})).await.0, 1000);
    assert_eq!(world.count("SELECT count(*) FROM rpminfo WHERE external_repo_id <> 0 AND build_id IS NULL").await, 1);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn builds_move_between_volumes(pool: PgPool) {
    let world = World::new(pool).await;
    let source = rpms::hello().source;
    import(&world, &source).await.unwrap();
    assert_eq!(world.ok("listVolumes", json!({})).await, json!([{"id": 0, "name": "DEFAULT"}]));
    let cold = world.ok("addVolume", json!({"name": "cold"})).await;
    world.ok("volume.setStorageClass", json!({"volume": "cold", "storage_class": "STANDARD_IA"})).await;
    assert_eq!(world.ok("getVolume", json!({"volume": "cold"})).await, cold);
    assert_eq!(world.ok("getVolume", json!({"volume": "none"})).await, Value::Null);
    assert_eq!(
        refused(&world, "getVolume", json!({"volume": "none", "strict": true})).await.1,
        "No such volume: 'none'"
    );
    assert_eq!(refused(&world, "addVolume", json!({"name": "cold"})).await.1, "volume cold already exists");
    assert_eq!(world.ok("addVolume", json!({"name": "cold", "strict": false})).await, cold);
    let class = |volume: &str, class: &str| json!({"volume": volume, "storage_class": class});
    assert_eq!(refused(&world, "volume.setStorageClass", class("cold", "DUST")).await.0, 1019);
    assert_eq!(refused(&world, "volume.setStorageClass", class("none", "STANDARD")).await.0, 1000);
    assert_eq!(refused(&world, "volume.setStorageClass", class("DEFAULT", "STANDARD_IA")).await.0, 1000);

    let key = rpms_of(&world).await.remove(0);
    let move_to = |volume: &str| json!({"build": "hello-1.0-1", "volume": volume});
    world.ok("changeBuildVolume", move_to("cold")).await;
    assert_eq!(world.ok("getBuild", json!({"buildInfo": "hello-1.0-1"})).await["volume_name"], "cold");
    assert_eq!(world.hub.store.head(&key).await.unwrap().unwrap().storage_class, "STANDARD_IA");
    assert_eq!(world.hub.store.get(&key).await.unwrap(), source.bytes);
    assert_eq!(world.count("SELECT count(*) FROM build_config WHERE active AND volume_id = 1").await, 1);
    let (_, text) = refused(&world, "changeBuildVolume", move_to("cold")).await;
    assert_eq!(text, "Build hello-1.0-1 already on volume cold");
    assert_eq!(refused(&world, "changeBuildVolume", move_to("none")).await.1, "No such entry in table volume: 'none'");
    assert_eq!(refused(&world, "removeVolume", json!({"volume": "cold"})).await.1, "volume cold has build references");
    assert!(refused(&world, "removeVolume", json!({"volume": "DEFAULT"})).await.1.contains("stays"));
    world.ok("changeBuildVolume", move_to("DEFAULT")).await;
    assert_eq!(world.hub.store.head(&key).await.unwrap().unwrap().storage_class, "STANDARD");
    world.ok("addVolume", json!({"name": "empty"})).await;
    world.ok("removeVolume", json!({"volume": "empty"})).await;
    assert_eq!(world.ok("applyVolumePolicy", json!({"build": "hello-1.0-1"})).await, Value::Null);
    assert_eq!(world.count("SELECT count(*) FROM pending_import").await, 0);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn drafts_and_their_promotion(options: PgPoolOptions, connect: PgConnectOptions) {
    let farm = Farm::new(options, connect).await;
    let world = &farm.world;
    let mut drafts = Vec::new();
    for _ in 0..2 {
        let src = builder::client_upload(world, &farm.hello.source, start()).await;
        let asked = json!({"src": src, "target": "f", "opts": {"draft": true}});
        let task = world.ok("build", asked).await.as_i64().unwrap();
        farm.finish(1, Trick::None, start()).await;
        assert_eq!(world.state(task).await, 2, "{:?}", world.task(task).await["result"]);
        let build = world.ok("listBuilds", json!({"taskID": task})).await[0].clone();
        drafts.push((task, build["build_id"].as_i64().unwrap(), build["nvr"].as_str().unwrap().to_owned()));
    }
    let (task, first, nvr) = drafts[0].clone();
    assert_eq!(nvr, format!("hello-1.0-1,draft_{first}"));
    // their RPMs keep the plain release, and the newer draft's are found first
    let rpm = world.ok("getRPM", json!({"rpminfo": "hello-1.0-1.x86_64"})).await;
    assert_eq!((&rpm["build_id"], &rpm["draft"]), (&json!(drafts[1].1), &json!(true)));
    let old = format!("packages/hello/1.0/1,draft_{first}/");
    let files = keys(world, &old).await;
    assert_eq!(files.iter().filter(|key| key.ends_with(".rpm")).count(), 3);
    assert_eq!(world.ok("getBuildLogs", json!({"build": first})).await.as_array().unwrap().len(), 2);
    let some = files.iter().find(|key| key.ends_with("hello-1.0-1.x86_64.rpm")).unwrap().clone();
    assert_eq!(world.hub.promoted_key(&some).await.unwrap(), None);

    let before = world.ok("tagLastChangeEvent", json!({"tag": "f"})).await;
    let promoted = world.ok("promoteBuild", json!({"build": nvr, "force": true})).await;
    assert_eq!(
        json!([promoted["nvr"], promoted["draft"], promoted["promoter_name"], promoted["id"]]),
        json!(["hello-1.0-1", false, "admin", first])
    );
    assert!(promoted["promotion_ts"].is_f64());
    let after = world.ok("tagLastChangeEvent", json!({"tag": "f"})).await;
    assert!(after.as_i64() > before.as_i64());
    assert_eq!(keys(world, &old).await, [""; 0]);
    assert_eq!(keys(world, "packages/hello/1.0/1/").await.len(), files.len());
    let rpm = world.ok("getRPM", json!({"rpminfo": "hello-1.0-1.x86_64"})).await;
    assert_eq!((&rpm["build_id"], &rpm["draft"]), (&json!(first), &json!(false)));
    // the old paths, in folders and in tasks, lead on
    let moved = world.hub.promoted_key(&some).await.unwrap().unwrap();
    assert_eq!(moved, "packages/hello/1.0/1/x86_64/hello-1.0-1.x86_64.rpm");
    world.hub.store.get(&moved).await.unwrap();
    let child = world.count("SELECT id FROM task WHERE label = 'x86_64' ORDER BY id LIMIT 1").await;
    let path = format!("work/tasks/{child}/{child}/hello-1.0-1.x86_64.rpm");
    let place = world.hub.find_work(&path).await.unwrap();
    assert!(matches!(&place, Some(Place::Key(key)) if *key == moved), "{place:?}");
    assert!(task < child);

    let (_, text) = refused(world, "promoteBuild", json!({"build": first})).await;
    assert_eq!(text, "Cannot promote build hello-1.0-1. Reason: Not a draft build");
    let (_, text) = refused(world, "promoteBuild", json!({"build": drafts[1].1, "force": true})).await;
    assert!(text.ends_with(&format!("Reason: Target build exists: hello-1.0-1(#{first})")), "{text}");
    assert_eq!(refused(world, "promoteBuild", json!({"build": "none-1-1"})).await.1, "No such build: 'none-1-1'");
    assert_eq!(world.count("SELECT count(*) FROM pending_import").await, 0);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_promotion_that_was_cut_off(pool: PgPool) {
    let world = World::new(pool).await;
    let later = start() + seconds(3600);
    let draft = json!({"name": "pkg", "version": "1", "release": "2", "epoch": null, "draft": true});
    let id = world.ok("createEmptyBuild", draft).await;
    world.hub.store.put(&format!("packages/pkg/1/2,draft_{id}/x"), "x", "text/plain").await.unwrap();
    world.hub.store.put("packages/pkg/1/2/x", "x", "text/plain").await.unwrap();
    let claim =
        "INSERT INTO pending_import (build_id, start_time, claims) SELECT id, '2030-03-17 17:46:40+00', '2' FROM build";
    sqlx::query(claim).execute(&world.pool).await.unwrap();
    // nobody takes the name while it is claimed
    let new = json!({"name": "pkg", "version": "1", "release": "2", "epoch": null});
    assert!(refused(&world, "createEmptyBuild", new.clone()).await.1.contains("being promoted"));
    assert_eq!(sweep::run_once(&world.hub, later).await.unwrap().imports, 1);
    assert_eq!(keys(&world, "packages/").await, [format!("packages/pkg/1/2,draft_{id}/x")]);
    // it can be promoted after all; then the other folder is the dead one
    world.ok("promoteBuild", json!({"build": id, "force": true})).await;
    assert_eq!(keys(&world, "packages/").await, ["packages/pkg/1/2/x"]);
    world.hub.store.put(&format!("packages/pkg/1/2,draft_{id}/x"), "x", "text/plain").await.unwrap();
    let left = "INSERT INTO pending_import (build_id, start_time) SELECT id, '2030-03-17 17:46:40+00' FROM build";
    sqlx::query(left).execute(&world.pool).await.unwrap();
    assert_eq!(sweep::run_once(&world.hub, later).await.unwrap().imports, 1);
    assert_eq!(keys(&world, "packages/").await, ["packages/pkg/1/2/x"]);
    assert!(refused(&world, "createEmptyBuild", new).await.1.starts_with("Build already exists"));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_scratch_build_adds_an_architecture(options: PgPoolOptions, connect: PgConnectOptions) {
    let farm = Farm::new(options, connect).await;
    let world = &farm.world;
    let build = async |opts: Value| {
        let src = builder::client_upload(world, &farm.hello.source, start()).await;
        let task = world.ok("build", json!({"src": src, "target": "f", "opts": opts})).await.as_i64().unwrap();
        farm.finish(1, Trick::None, start()).await;
        assert_eq!(world.state(task).await, 2, "{:?}", world.task(task).await["result"]);
        task
    };
    world.ok("editTag2", json!({"tagInfo": "f-build", "arches": "x86_64"})).await;
    let own = build(json!({})).await;
    world.ok("editTag2", json!({"tagInfo": "f-build", "arches": "x86_64 aarch64"})).await;
    let scratch = build(json!({"scratch": true, "arch_override": "aarch64"})).await;
    let (code, text) = refused(world, "mergeScratch", json!({"task_id": own})).await;
    assert_eq!((code, text), (1020, format!("task {own} is not a scratch build")));
    let id = world.ok("mergeScratch", json!({"task_id": scratch})).await;
    let rpms = world.ok("listBuildRPMs", json!({"build": id})).await;
    assert_eq!(rpms.as_array().unwrap().len(), 3);
    let added = rpms.as_array().unwrap().iter().find(|rpm| rpm["arch"] == "aarch64").unwrap();
    assert!(added["buildroot_id"].is_i64());
    let key = "packages/hello/1.0/1/aarch64/hello-1.0-1.aarch64.rpm";
    assert!(world.hub.store.head(key).await.unwrap().is_some());
    assert!(world.hub.store.head("packages/hello/1.0/1/data/logs/aarch64/build.log").await.unwrap().is_some());
    let (code, text) = refused(world, "mergeScratch", json!({"task_id": scratch})).await;
    assert!(code == 1020 && text.ends_with("produce rpms with the same arches: aarch64"), "{text}");
    assert_eq!(refused(world, "mergeScratch", json!({"task_id": 999})).await, (1020, "No such task: 999".to_owned()));
    assert_eq!(world.count("SELECT count(*) FROM pending_import").await, 0);
}
