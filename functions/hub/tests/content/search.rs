//! Search by name.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::world::{World, column};

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn everything_that_has_a_name_is_found(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["f42-build", "F42", "gone"]).await;
    world.ok("deleteTag", json!({"tagInfo": "gone"})).await;
    world.ok("createBuildTarget", json!({"name": "f42", "build_tag": "f42-build", "dest_tag": "F42"})).await;
    world.ok("addHost", json!({"hostname": "builder1", "arches": "x86_64"})).await;
    let hello = world.build("hello-1.0-1").await;
    world.build("hello-world-2.0-1").await;
    let found = async |kind: &str, terms: &str, how: &str| {
        column(&world.nobody().ok("search", json!({"terms": terms, "type": kind, "matchType": how})).await, "name")
    };
    assert_eq!(
        world.ok("search", json!({"terms": "HELLO-1*", "type": "build", "matchType": "glob"})).await,
        json!([{"id": hello, "name": "hello-1.0-1"}])
    );
    assert_eq!(found("build", "hello-1.0-1", "exact").await, ["hello-1.0-1"]);
    assert_eq!(found("build", "Hello-1.0-1", "exact").await, [""; 0], "an exact name minds its case");
    assert_eq!(found("build", "hello", "exact").await, [""; 0]);
    assert_eq!(found("build", "^hello-.*-1$", "regexp").await, ["hello-1.0-1", "hello-world-2.0-1"]);
    assert_eq!(found("rpm", "hello-1.0-1.x86_64.rpm", "exact").await, ["hello-1.0-1.x86_64.rpm"]);
    assert_eq!(found("rpm", "*.SRC.rpm", "glob").await, ["hello-1.0-1.src.rpm", "hello-world-2.0-1.src.rpm"]);
    assert_eq!(found("package", "hello?world", "glob").await, ["hello-world"]);
    assert_eq!(found("package", "hello%", "glob").await, [""; 0], "only * and ? are wild");
    assert_eq!(found("tag", "f42*", "glob").await, ["f42-build", "F42"]);
    assert_eq!(found("tag", "gone", "exact").await, [""; 0]);
    assert_eq!(found("target", "F42", "regexp").await, ["f42"]);
    assert_eq!(found("user", "admin", "exact").await, ["admin"]);
    assert_eq!(found("host", "builder*", "glob").await, ["builder1"]);
    for kind in ["maven", "win", "file"] {
        assert_eq!(found(kind, "*", "glob").await, [""; 0]);
    }

    let all = |opts: Value| json!({"terms": "*", "type": "package", "matchType": "glob", "queryOpts": opts});
    assert_eq!(world.ok("search", all(json!({"countOnly": true}))).await, json!(2));
    assert_eq!(column(&world.ok("search", all(json!({"order": "-name", "limit": 1}))).await, "name"), ["hello-world"]);
    assert_eq!(world.ok("search", all(json!({"offset": 1, "asList": true}))).await, json!([[2, "hello-world"]]));
    assert_eq!(world.fault("search", all(json!({"order": "colour"}))).await.0, 1000);
    for bad in [
        json!({"terms": "", "type": "package", "matchType": "glob"}),
        json!({"terms": "x", "type": "planet", "matchType": "glob"}),
        json!({"terms": "(", "type": "package", "matchType": "regexp"}),
    ] {
        assert_eq!(world.fault("search", bad).await.0, 1000);
    }
    assert_eq!(world.fault("search", json!({"terms": 5, "type": "package", "matchType": "glob"})).await.0, 1019);
}
