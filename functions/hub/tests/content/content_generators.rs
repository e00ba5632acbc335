//! Who may act for a content generator, and the names they reserve. Imports are in `tests/life`: they need S3.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::world::World;

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn who_may_act(pool: PgPool) {
    let world = World::new(pool).await;
    let bob = world.user("bob", &[]).await;
    assert_eq!(world.ok("listCGs", json!({})).await, json!({}));
    let grant = json!({"user": "bob", "cg": "osbs"});
    assert_eq!(world.fault("grantCGAccess", grant.clone()).await.0, 1000);
    assert_eq!(bob.fault("grantCGAccess", json!({"user": "bob", "cg": "osbs", "create": true})).await.0, 1004);
    world.ok("grantCGAccess", json!({"user": "bob", "cg": "osbs", "create": true})).await;
    let (_, text) = world.fault("grantCGAccess", grant.clone()).await;
    assert_eq!(text, "User already has access to content generator osbs");
    world.ok("grantCGAccess", json!({"user": "admin", "cg": 1})).await;
    assert_eq!(world.ok("listCGs", json!({})).await, json!({"osbs": {"id": 1, "users": ["admin", "bob"]}}));

    assert_eq!(bob.fault("revokeCGAccess", grant.clone()).await.0, 1004);
    world.ok("revokeCGAccess", grant.clone()).await;
    world.ok("revokeCGAccess", grant.clone()).await;
    assert_eq!(world.ok("listCGs", json!({})).await, json!({"osbs": {"id": 1, "users": ["admin"]}}));
    world.ok("grantCGAccess", grant).await;
    let rows: Vec<(i64, bool, Option<i64>)> = sqlx::query_as(
        "SELECT user_id, active IS TRUE, revoker_id FROM cg_users WHERE user_id = 2 ORDER BY create_event",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert_eq!(rows, [(2, false, Some(1)), (2, true, None)]);
    assert_eq!(world.fault("grantCGAccess", json!({"user": "eve", "cg": "osbs"})).await.0, 1000);
    assert_eq!(
        world.fault("grantCGAccess", json!({"user": "bob", "cg": 77, "create": true})).await.1,
        "Name must be a string"
    );
    assert_eq!(world.fault("revokeCGAccess", json!({"user": "bob", "cg": "none"})).await.0, 1000);
    assert_eq!(world.ok("listBuilds", json!({"cgID": "osbs"})).await, Value::Array(Vec::new()));
}
