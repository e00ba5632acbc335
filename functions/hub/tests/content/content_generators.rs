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

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn who_may_reserve(pool: PgPool) {
    let world = World::new(pool).await;
    let (bob, eve) = (world.user("bob", &[]).await, world.user("eve", &[]).await);
    world.ok("grantCGAccess", json!({"user": "bob", "cg": "osbs", "create": true})).await;
    world.ok("grantCGAccess", json!({"user": "eve", "cg": "other", "create": true})).await;
    let data = json!({"name": "pkg", "version": "1", "release": "1", "state": 1, "owner": 1});
    let reserve = json!({"cg": "osbs", "data": data});
    assert_eq!(world.nobody().fault("CGInitBuild", reserve.clone()).await.0, 1004);
    let (code, text) = eve.fault("CGInitBuild", reserve.clone()).await;
    assert_eq!((code, text.as_str()), (1002, "Content generator access required (osbs)"));
    // admins act for one only when they are let, as in Koji
    assert_eq!(world.fault("CGInitBuild", reserve.clone()).await.0, 1002);
    let reserved = bob.ok("CGInitBuild", reserve).await;
    let build = world.ok("getBuild", json!({"buildInfo": reserved["build_id"]})).await;
    assert_eq!((&build["state"], &build["owner_name"]), (&json!(0), &json!("bob")));
    let refund = json!({"cg": "other", "build_id": reserved["build_id"], "token": reserved["token"]});
    let (_, text) = eve.fault("CGRefundBuild", refund.clone()).await;
    assert!(text.ends_with("is not reserved by this CG"), "{text}");
    let mut own = refund;
    own["cg"] = json!("osbs");
    assert_eq!(eve.fault("CGRefundBuild", own.clone()).await.0, 1002);
    assert_eq!(bob.ok("CGRefundBuild", own.clone()).await, Value::Null);
    assert!(bob.fault("CGRefundBuild", own).await.1.ends_with("is not in BUILDING state"));
    // cancelling gives a reservation up, too; the name is free again
    let again = bob.ok("CGInitBuild", json!({"cg": "osbs", "data": data})).await;
    assert_eq!(again["build_id"], reserved["build_id"]);
    assert_ne!(again["token"], reserved["token"]);
    bob.ok("cancelBuild", json!({"buildID": again["build_id"]})).await;
    let refund = json!({"cg": "osbs", "build_id": again["build_id"], "token": again["token"]});
    assert!(bob.fault("CGRefundBuild", refund).await.1.ends_with("is not in BUILDING state"));
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM build_reservations").fetch_one(&world.pool).await.unwrap();
    assert_eq!(left, 0);
}
