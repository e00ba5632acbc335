//! What RPMs say of themselves, asked of the hub.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{
    signing::{Tree, fault},
    world::{ADMIN, World},
};

const NVRA: &str = "tree-1.0-3.x86_64";

fn names(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn dependencies(pool: PgPool) {
    let world = World::new(pool).await;
    let tree = Tree::plant(&world, 10).await;

    let all = world.ok("getRPMDeps", json!({"rpmID": tree.rpm})).await;
    let bash = all.as_array().unwrap().iter().find(|dep| dep["name"] == "bash").unwrap();
    assert_eq!(*bash, json!({"name": "bash", "version": "5", "flags": 12, "type": 0}));
    assert!(names(&all).contains(&"tree(x86-64)"));
    let conflicts = world.ok("getRPMDeps", json!({"rpmID": NVRA, "depType": 3})).await;
    assert_eq!(conflicts, json!([{"name": "fire", "version": "", "flags": 0, "type": 3}]));
    let listed = json!({"rpmID": tree.rpm, "depType": 7, "queryOpts": {"asList": true}});
    assert_eq!(world.ok("getRPMDeps", listed).await, json!([["leaves", "", 0, 7]]));
    let counted = json!({"rpmID": tree.rpm, "queryOpts": {"countOnly": true}});
    assert_eq!(world.ok("getRPMDeps", counted).await, json!(all.as_array().unwrap().len()));

    assert_eq!(world.ok("getRPMDeps", json!({"rpmID": 9999})).await, json!([]));
    let (code, text) = fault(&world, ADMIN, "getRPMDeps", json!({"rpmID": 9999, "strict": true})).await;
    assert_eq!((code, text.as_str()), (1000, "No such rpm: 9999"));
    let (code, _) = fault(&world, ADMIN, "getRPMDeps", json!({"rpmID": [1]})).await;
    assert_eq!(code, 1019);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn files(pool: PgPool) {
    let world = World::new(pool).await;
    let tree = Tree::plant(&world, 10).await;

    let files = world.ok("listRPMFiles", json!({"rpmID": tree.rpm})).await;
    assert_eq!(names(&files), ["/opt/tree", "/opt/tree/wood"]);
    let wood = &files[1];
    assert_eq!((&wood["size"], &wood["mode"], &wood["digest_algo"]), (&json!(10), &json!(0o100_644), &json!("sha256")));
    assert_eq!((&wood["user"], &wood["group"], &wood["flags"]), (&json!("root"), &json!("root"), &json!(0)));
    assert_eq!(wood["digest"], wood["md5"]);
    assert_eq!(wood["digest"].as_str().unwrap().len(), 64);
    let listed =
        world.ok("listRPMFiles", json!({"rpmID": NVRA, "queryOpts": {"asList": true, "order": "-size"}})).await;
    assert_eq!(listed[0].as_array().unwrap().len(), 9);
    assert!(listed[0][0].as_str().unwrap().starts_with('/') && listed[0][2].is_i64(), "{}", listed[0]);

    let one = world.ok("getRPMFile", json!({"rpmID": NVRA, "filename": "/opt/tree/wood"})).await;
    assert_eq!((&one["rpm_id"], &one["digest"]), (&json!(tree.rpm), &wood["digest"]));
    assert_eq!(one.as_object().unwrap().len(), 11);
    assert_eq!(world.ok("getRPMFile", json!({"rpmID": NVRA, "filename": "/none"})).await, json!({}));
    let arguments = json!({"rpmID": tree.rpm, "filename": "/none", "strict": true});
    let (code, text) = fault(&world, ADMIN, "getRPMFile", arguments).await;
    assert_eq!((code, text), (1000, format!("No file: /none found in RPM: {}", tree.rpm)));

    // the file is gone, or was never there
    world.hub.store.delete_prefix("packages/tree/").await.unwrap();
    assert_eq!(world.ok("listRPMFiles", json!({"rpmID": tree.rpm})).await, json!([]));
    let arguments = json!({"rpmID": tree.rpm, "filename": "/opt/tree", "strict": true});
    let (_, text) = fault(&world, ADMIN, "getRPMFile", arguments).await;
    assert_eq!(text, format!("RPM package file of {} doesn't exist", tree.rpm));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn headers(pool: PgPool) {
    let world = World::new(pool).await;
    let tree = Tree::plant(&world, 10).await;

    let asked =
        json!(["License", "EPOCH", "filenames", "size", "prein", "provides", "sourcerpm", "excludearch", "nevra"]);
    let told = world.ok("getRPMHeaders", json!({"rpmID": tree.rpm, "headers": asked})).await;
    assert_eq!(
        told,
        json!({"License": "MIT", "EPOCH": 2, "filenames": ["/opt/tree", "/opt/tree/wood"], "size": 10, "prein": null,
            "provides": ["tree", "tree(x86-64)"], "sourcerpm": "tree-1.0-3.src.rpm", "excludearch": [],
            "nevra": "tree-2:1.0-3.x86_64"})
    );
    let all = world.ok("getRPMHeaders", json!({"rpmID": NVRA})).await;
    assert_eq!((&all["Name"], &all["Filesizes"][1]), (&json!("tree"), &json!(10)));
    assert!(all["Sha256header"].is_string() && all.get("Headerimmutable").is_none());

    let (code, text) = fault(&world, ADMIN, "getRPMHeaders", json!({"rpmID": tree.rpm, "headers": ["nope"]})).await;
    assert_eq!((code, text.as_str()), (1000, "No such rpm header field: NOPE"));
    let (_, text) = fault(&world, ADMIN, "getRPMHeaders", json!({})).await;
    assert_eq!(text, "either rpmID or taskID and filepath must be specified");
    let (_, text) = fault(&world, ADMIN, "getRPMHeaders", json!({"taskID": 1, "filepath": "../x"})).await;
    assert_eq!(text, "Invalid filepath: ../x");
    assert_eq!(world.ok("getRPMHeaders", json!({"taskID": 1, "filepath": "x.rpm"})).await, json!({}));
    assert_eq!(world.ok("getRPMHeaders", json!({"rpmID": "no-1-1.src", "headers": ["name"]})).await, json!({}));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn changelogs(pool: PgPool) {
    let world = World::new(pool).await;
    let tree = Tree::plant(&world, 10).await;

    let all = world.ok("getChangelogEntries", json!({"buildID": tree.build})).await;
    let third = json!({"date": "2026-11-18 12:00:00", "date_ts": 1_795_003_200, "text": "- third",
        "author": "Ada <ada@example.org> - 1.0-3"});
    assert_eq!((all.as_array().unwrap().len(), &all[0]), (2, &third));
    let only = async |arguments: Value| {
        let mut asked = json!({"buildID": "tree-1.0-3"});
        asked.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
        let entries = world.ok("getChangelogEntries", asked).await;
        entries.as_array().unwrap().iter().map(|entry| entry["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(only(json!({"author": "Bob <bob@example.org> - 1.0-2"})).await, ["- second"]);
    assert_eq!(only(json!({"before": "2026-11-18"})).await, ["- second"]);
    assert_eq!(only(json!({"after": 1_794_960_000})).await, ["- third"]);
    assert_eq!(only(json!({"queryOpts": {"order": "date", "limit": 1}})).await, ["- second"]);
    let listed = world.ok("getChangelogEntries", json!({"buildID": tree.build, "queryOpts": {"asList": true}})).await;
    assert_eq!(listed[0], json!(["2026-11-18 12:00:00", "Ada <ada@example.org> - 1.0-3", "- third"]));

    assert_eq!(world.ok("getChangelogEntries", json!({"buildID": 9999})).await, json!([]));
    let (code, text) = fault(&world, ADMIN, "getChangelogEntries", json!({"buildID": 9999, "strict": true})).await;
    assert_eq!((code, text.as_str()), (1000, "No such build: 9999"));
    let (code, _) = fault(&world, ADMIN, "getChangelogEntries", json!({"buildID": tree.build, "before": [1]})).await;
    assert_eq!(code, 1019);
}
