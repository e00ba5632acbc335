//! Build targets.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::world::{World, column};

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn made_changed_and_deleted(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["dest", "build", "candidate"]).await;
    let bob = world.user("bob", &["tag"]).await;
    let create = json!({"name": "f42", "build_tag": "build", "dest_tag": "dest"});
    let denied = bob.fault("createBuildTarget", create.clone()).await;
    assert_eq!(denied, (1004, "target permission required (logged in as bob)".to_owned()));
    world.ok("createBuildTarget", create.clone()).await;
    assert!(world.fault("createBuildTarget", create).await.1.contains("already exists"));
    let first = world.last_event().await;
    let target = json!({
        "build_tag": 2, "build_tag_name": "build", "dest_tag": 1, "dest_tag_name": "dest", "id": 1, "name": "f42",
    });
    assert_eq!(world.ok("getBuildTarget", json!({"info": "f42"})).await, target);
    assert_eq!(world.ok("getBuildTargets", json!({})).await, json!([target]));
    assert_eq!(world.ok("getBuildTargets", json!({"destTagID": "build"})).await, json!([]));
    assert_eq!(column(&world.ok("getBuildTargets", json!({"buildTagID": 2})).await, "name"), ["f42"]);

    let edit = json!({"buildTargetInfo": "f42", "name": "f43", "build_tag": "build", "dest_tag": "candidate"});
    world.ok("editBuildTarget", edit).await;
    let edited = world.ok("getBuildTarget", json!({"info": "f43"})).await;
    assert_eq!(edited["dest_tag_name"], json!("candidate"));
    let old = world.ok("getBuildTarget", json!({"info": 1, "event": first})).await;
    assert_eq!(old["dest_tag_name"], json!("dest"));

    world.ok("deleteBuildTarget", json!({"buildTargetInfo": "f43"})).await;
    assert_eq!(world.ok("getBuildTarget", json!({"info": "f43"})).await, Value::Null);
    let gone = world.fault("getBuildTarget", json!({"info": "f43", "strict": true})).await;
    assert_eq!(gone, (1000, "No such build target: 'f43'".to_owned()));
    assert_eq!(world.fault("deleteBuildTarget", json!({"buildTargetInfo": "f43"})).await.0, 1000);
    let nowhere = json!({"name": "x", "build_tag": "none", "dest_tag": "dest"});
    assert_eq!(world.fault("createBuildTarget", nowhere).await.1, "No such tag: 'none'");
}
