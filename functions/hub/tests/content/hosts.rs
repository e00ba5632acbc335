//! Hosts and channels.

use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::host;
use toji_protocol::id::HostId;

use crate::world::{World, column};

/// The messages that wait for SQS, which is nowhere here.
async fn outbox(world: &World) -> Vec<String> {
    sqlx::query_scalar("DELETE FROM outbox RETURNING queue || ' ' || body").fetch_all(&world.pool).await.unwrap()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn hosts(pool: PgPool) {
    let world = World::new(pool).await;
    let id = world.ok("addHost", json!({"hostname": "builder1", "arches": ["x86_64", "i686"]})).await;
    assert_eq!(
        world.ok("getHost", json!({"hostInfo": "builder1"})).await,
        json!({
            "arches": "x86_64 i686", "capacity": 2.0, "comment": null, "description": null, "enabled": true, "id": id,
            "name": "builder1", "ready": false, "task_load": 0.0, "update_ts": null, "user_id": 2,
        })
    );
    assert_eq!(world.ok("getUser", json!({"userInfo": "builder1"})).await["usertype"], json!(1));
    assert_eq!(world.fault("addHost", json!({"hostname": "builder1", "arches": "x86_64"})).await.0, 1000);
    assert_eq!(world.fault("addHost", json!({"hostname": "a b", "arches": "x86_64"})).await.0, 1024);
    assert_eq!(world.fault("addHost", json!({"hostname": "b", "arches": ["x86 64", ";"]})).await.0, 1000);
    world.user("carol", &[]).await;
    assert_eq!(world.fault("addHost", json!({"hostname": "carol", "arches": "s390x"})).await.0, 1000);
    world.ok("addHost", json!({"hostname": "carol", "arches": "s390x", "force": true})).await;

    let names = async |arguments: Value| column(&world.ok("listHosts", arguments).await, "name");
    assert_eq!(names(json!({})).await, ["builder1", "carol"]);
    assert_eq!(names(json!({"arches": "i686"})).await, ["builder1"]);
    assert_eq!(names(json!({"arches": ["i686", "s390x"]})).await, ["builder1", "carol"]);
    assert_eq!(names(json!({"channelID": "createrepo"})).await, [""; 0]);
    assert_eq!(names(json!({"ready": true})).await, [""; 0]);
    assert_eq!(world.ok("getAllArches", json!({})).await, json!(["i686", "s390x", "x86_64"]));
    assert_eq!(world.ok("getLastHostUpdate", json!({"hostID": "builder1"})).await, Value::Null);
    let missing = world.fault("getHost", json!({"hostInfo": "none", "strict": true})).await;
    assert_eq!(missing, (1000, "No such host: 'none'".to_owned()));
    let bob = world.user("bob", &[]).await;
    assert_eq!(bob.fault("addHost", json!({"hostname": "x", "arches": "x86_64"})).await.0, 1004);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_builder_is_told_when_its_bins_change(pool: PgPool) {
    let world = World::new(pool).await;
    world.ok("addHost", json!({"hostname": "b", "arches": "x86_64"})).await;
    let bins = async || {
        let bins = host::bins(&mut world.pool.acquire().await.unwrap(), HostId(1)).await.unwrap();
        bins.iter().map(|(channel, arch)| format!("{channel}-{arch}")).collect::<Vec<_>>()
    };
    let attach = ["host-1 {\"order\":\"attach\"}"];
    assert_eq!(bins().await, ["1-x86_64", "1-noarch"]);
    assert_eq!(outbox(&world).await, [""; 0]);

    let before = world.last_event().await;
    assert_eq!(
        world.ok("editHost", json!({"hostInfo": "b", "arches": "x86_64 i686", "capacity": 8})).await,
        json!(true)
    );
    assert_eq!(bins().await, ["1-x86_64", "1-i686", "1-noarch"]);
    assert_eq!(outbox(&world).await, attach);
    assert_eq!(world.ok("editHost", json!({"hostInfo": "b", "capacity": 8.0})).await, json!(false));
    assert_eq!(world.ok("editHost", json!({"hostInfo": "b", "comment": "slow disk"})).await, json!(true));
    assert_eq!(outbox(&world).await, [""; 0], "a comment changes no bins");
    assert_eq!(world.ok("getHost", json!({"hostInfo": "b", "event": before})).await["capacity"], json!(2.0));
    for bad in [json!({"capacity": 0}), json!({"capacity": "big"}), json!({"colour": "red"}), json!({"arches": "a b;"})]
    {
        let mut arguments = bad;
        arguments["hostInfo"] = json!("b");
        world.fault("editHost", arguments).await;
    }

    world.ok("addHostToChannel", json!({"hostname": "b", "channel_name": "createrepo"})).await;
    assert_eq!(bins().await.len(), 6);
    assert_eq!(outbox(&world).await, attach);
    world.ok("disableChannel", json!({"channelname": "createrepo", "comment": "maintenance"})).await;
    assert_eq!(bins().await.len(), 3);
    assert_eq!(outbox(&world).await, attach);
    world.ok("removeHostFromChannel", json!({"hostname": "b", "channel_name": "createrepo"})).await;
    let again = json!({"hostname": "b", "channel_name": "createrepo"});
    assert_eq!(world.fault("removeHostFromChannel", again).await.0, 1000);
    outbox(&world).await;
    world.ok("disableHost", json!({"hostname": "b"})).await;
    assert_eq!(bins().await, [""; 0]);
    assert_eq!(outbox(&world).await, attach);
    world.ok("disableHost", json!({"hostname": "b"})).await;
    assert_eq!(outbox(&world).await, [""; 0]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn channels(pool: PgPool) {
    let world = World::new(pool).await;
    let id = world.ok("addChannel", json!({"channel_name": "heavy", "description": "big ones"})).await;
    assert_eq!(
        world.ok("getChannel", json!({"channelInfo": "heavy"})).await,
        json!({"comment": null, "description": "big ones", "enabled": true, "id": id, "name": "heavy"})
    );
    assert_eq!(world.fault("addChannel", json!({"channel_name": "heavy"})).await.0, 1000);
    assert_eq!(world.fault("addChannel", json!({"channel_name": "a b"})).await.0, 1024);
    assert_eq!(
        world.ok("editChannel", json!({"channelInfo": "heavy", "name": "large", "comment": "x"})).await,
        json!(true)
    );
    assert_eq!(world.ok("editChannel", json!({"channelInfo": "large", "comment": "x"})).await, json!(false));
    assert_eq!(world.fault("editChannel", json!({"channelInfo": "large", "name": "default"})).await.0, 1000);
    assert_eq!(world.ok("getChannel", json!({"channelInfo": "heavy"})).await, Value::Null);
    assert!(
        world.fault("getChannel", json!({"channelInfo": "heavy", "strict": true})).await.1.contains("No such channel")
    );

    world.ok("addHost", json!({"hostname": "b", "arches": "x86_64"})).await;
    world.ok("addHostToChannel", json!({"hostname": "b", "channel_name": "new", "create": true})).await;
    assert_eq!(world.fault("addHostToChannel", json!({"hostname": "b", "channel_name": "none"})).await.0, 1000);
    assert_eq!(world.fault("addHostToChannel", json!({"hostname": "b", "channel_name": "new"})).await.0, 1000);
    let names = async |arguments: Value| column(&world.ok("listChannels", arguments).await, "name");
    assert_eq!(names(json!({"hostID": "b"})).await, ["default", "new"]);
    world.ok("disableChannel", json!({"channelname": "new"})).await;
    assert_eq!(names(json!({"enabled": false})).await, ["new"]);
}
