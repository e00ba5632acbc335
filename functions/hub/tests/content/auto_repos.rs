//! Repos that nobody asks for: what leads to them, and for which tags.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::{
    config::{AutoRepos, Config},
    repo::auto,
};
use toji_protocol::{
    id::TagId,
    queue_name::{ForCoordinator, TagsChanged},
};

use crate::world::{World, column, now};

/// The tags of which the coordinator was told since the last time.
async fn told(world: &World) -> BTreeSet<i64> {
    let bodies: Vec<String> = sqlx::query_scalar("DELETE FROM outbox WHERE queue = 'coordinator' RETURNING body")
        .fetch_all(&world.pool)
        .await
        .unwrap();
    let tags = bodies.iter().filter_map(|body| match serde_json::from_str(body).unwrap() {
        ForCoordinator::TagsChanged(TagsChanged { tags }) => Some(tags),
        ForCoordinator::Advance(_) => None,
    });
    tags.flatten().map(|tag| tag.0).collect()
}

/// The tags whose repos would show something else since an event, by what Koji counts.
async fn changed(world: &World, since: i64) -> BTreeSet<i64> {
    let tags: Vec<i64> = sqlx::query_scalar(
        "SELECT tag_id FROM tag_change WHERE event > $1 UNION
         SELECT tag_id FROM tag_external_repos attached JOIN (
             SELECT external_repo_id AS id, create_event AS event FROM external_repo_config
             UNION SELECT external_repo_id, revoke_event FROM external_repo_config
             UNION SELECT external_repo_id, create_event FROM external_repo_data
             UNION SELECT external_repo_id, revoke_event FROM external_repo_data) AS theirs
         ON theirs.id = external_repo_id WHERE event > $1 AND active",
    )
    .bind(since)
    .fetch_all(&world.pool)
    .await
    .unwrap();
    tags.into_iter().collect()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn every_kind_of_change_is_told(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["base", "other"]).await;
    for nvr in ["pkg-1-1", "pkg-1-2", "lib-1-1"] {
        world.build(nvr).await;
    }
    world.ok("createExternalRepo", json!({"name": "ext", "url": "https://example.com/"})).await;
    // nobody wants repos, so nobody is told
    world.list("base", &["pkg"]).await;
    assert_eq!(told(&world).await, BTreeSet::new());
    world.ok("editTag2", json!({"tagInfo": "other", "extra": {"repo.auto": true}})).await;
    assert_eq!(told(&world).await, BTreeSet::from([world.tag_id("other").await]));

    let parent = json!([{"parent_id": world.tag_id("base").await, "priority": 1}]);
    let unlink = json!([{"parent_id": world.tag_id("base").await, "delete link": true}]);
    let group = |grpinfo: &str| json!({"taginfo": "base", "grpinfo": grpinfo});
    let package = json!({"taginfo": "base", "grpinfo": "build", "pkg_name": "bash"});
    let req = json!({"taginfo": "base", "grpinfo": "build", "reqinfo": "srpm-build"});
    let attached = json!({"tag_info": "base", "repo_info": "ext"});
    for (method, arguments) in [
        ("createTag", json!({"name": "new", "arches": "x86_64", "parent": "base"})),
        ("editTag2", json!({"tagInfo": "base", "arches": "x86_64 aarch64"})),
        ("editTag2", json!({"tagInfo": "base", "extra": {"key": 1}})),
        ("editTag2", json!({"tagInfo": "base", "remove_extra": ["key"]})),
        ("setInheritanceData", json!({"tag": "other", "data": parent})),
        ("setInheritanceData", json!({"tag": "other", "data": unlink})),
        ("packageListAdd", json!({"taginfo": "base", "pkginfo": "lib", "owner": "admin"})),
        ("packageListSetArches", json!({"taginfo": "base", "pkginfo": "lib", "arches": "i686"})),
        ("packageListBlock", json!({"taginfo": "base", "pkginfo": "lib"})),
        ("packageListUnblock", json!({"taginfo": "base", "pkginfo": "lib"})),
        ("packageListRemove", json!({"taginfo": "base", "pkginfo": "lib"})),
        ("tagBuildBypass", json!({"tag": "base", "build": "pkg-1-1"})),
        ("tagBuildBypass", json!({"tag": "base", "build": "pkg-1-1", "force": true})),
        ("untagBuildBypass", json!({"tag": "base", "build": "pkg-1-1"})),
        ("massTag", json!({"tag": "base", "builds": ["pkg-1-1", "pkg-1-2"]})),
        ("untagBuild", json!({"tag": "base", "build": "pkg-1-2"})),
        ("groupListAdd", group("build")),
        ("groupListAdd", group("srpm-build")),
        ("groupPackageListAdd", package.clone()),
        ("groupPackageListBlock", package.clone()),
        ("groupPackageListUnblock", package.clone()),
        ("groupPackageListAdd", package.clone()),
        ("groupPackageListRemove", package),
        ("groupReqListAdd", req.clone()),
        ("groupReqListBlock", req.clone()),
        ("groupReqListUnblock", req.clone()),
        ("groupReqListAdd", req.clone()),
        ("groupReqListRemove", req),
        ("groupListBlock", group("build")),
        ("groupListUnblock", group("build")),
        ("groupListRemove", json!({"taginfo": "base", "grpinfo": "srpm-build", "force": true})),
        ("addExternalRepoToTag", json!({"tag_info": "base", "repo_info": "ext", "priority": 5})),
        ("editTagExternalRepo", json!({"tag_info": "base", "repo_info": "ext", "priority": 7})),
        ("editExternalRepo", json!({"info": "ext", "url": "https://example.org/"})),
        ("repo.setExternalRepoData", json!({"external_repo_id": "ext", "data": {"max_ts": 5}})),
        ("removeExternalRepoFromTag", attached),
        ("addExternalRepoToTag", json!({"tag_info": "base", "repo_info": "ext", "priority": 5})),
        ("deleteExternalRepo", json!({"info": "ext"})),
        ("snapshotTag", json!({"src": "base", "dst": "copy"})),
        ("deleteTag", json!({"tagInfo": "new"})),
    ] {
        let before = world.last_event().await;
        world.ok(method, arguments.clone()).await;
        let (changed, told) = (changed(&world, before).await, told(&world).await);
        let is_deletion = method == "deleteExternalRepo";
        assert!(is_deletion || !changed.is_empty(), "{method}({arguments}) changed nothing");
        assert!(!told.is_empty() && changed.is_subset(&told), "{method}({arguments}): {changed:?}, told {told:?}");
    }
    // what changes no tag is not told
    world.ok("packageListSetOwner", json!({"taginfo": "base", "pkginfo": "pkg", "owner": "admin"})).await;
    world.ok("createExternalRepo", json!({"name": "more", "url": "https://example.com/"})).await;
    assert_eq!(told(&world).await, BTreeSet::new());
}

/// The tags of which repos wait to be made.
async fn queue(world: &World) -> Vec<String> {
    column(
        &world.ok("repo.queryQueue", json!({"fields": ["tag_name"], "opts": {"order": "tag_name"}})).await,
        "tag_name",
    )
}

async fn change(world: &World, tag: &str) {
    let id = TagId(world.tag_id(tag).await);
    auto::changed(&world.hub, &[id], now()).await.unwrap();
}

/// A world of which all has happened a while ago.
async fn seconds_later(world: &World, seconds: i64) {
    sqlx::query("UPDATE events SET time = $1")
        .bind(now() - TimeDelta::seconds(seconds))
        .execute(&world.pool)
        .await
        .unwrap();
}

async fn ready(world: &World, tag: &str) {
    sqlx::query(
        "INSERT INTO repo (tag_id, state, create_event, creation_time, state_time, opts, custom_opts)
         SELECT id, 1, (SELECT max(id) FROM events), $2, $2, '{}', '{}' FROM tag WHERE name = $1",
    )
    .bind(tag)
    .bind(now())
    .execute(&world.pool)
    .await
    .unwrap();
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn those_that_inherit_the_change_get_a_repo(pool: PgPool) {
    let world = World::new(pool).await;
    let auto = |lag: Value| json!({"repo.auto": true, "repo.lag": lag});
    world.tags(&["base", "middle", "aside"]).await;
    for (name, parent, extra) in [
        ("at-once", "middle", auto(json!(0))),
        ("later", "middle", auto(json!(600))),
        ("not", "middle", json!({"repo.auto": false})),
        ("elsewhere", "aside", auto(json!(0))),
    ] {
        world.ok("createTag", json!({"name": name, "arches": "x86_64", "parent": parent, "extra": extra})).await;
        ready(&world, name).await;
    }
    world.inherit("middle", "base", 1).await;
    for name in ["at-once", "later", "not", "elsewhere"] {
        ready(&world, name).await;
    }
    seconds_later(&world, 0).await;
    change(&world, "base").await;
    assert_eq!(queue(&world).await, [] as [String; 0], "nothing has changed since their repos");

    world.list("base", &["pkg"]).await;
    seconds_later(&world, 0).await;
    change(&world, "base").await;
    assert_eq!(queue(&world).await, ["at-once"]);
    // told twice, there is one request
    change(&world, "base").await;
    assert_eq!(queue(&world).await, ["at-once"]);
    let asked = world.ok("repo.queryQueue", json!({"fields": ["priority", "owner_name", "min_event"]})).await;
    let last = world.last_event().await;
    assert_eq!(asked, json!([{"priority": 25, "owner_name": "admin", "min_event": last}]));

    // the others may lag behind
    seconds_later(&world, 601).await;
    change(&world, "base").await;
    assert_eq!(queue(&world).await, ["at-once", "later"]);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn where_build_tags_want_repos_too(pool: PgPool) {
    let config = Config { auto_repos: AutoRepos::Targets, ..Config::default() };
    let world = World::with(pool, config).await;
    world.tags(&["f", "f-build", "g-build", "loose"]).await;
    world.inherit("f-build", "f", 1).await;
    world.ok("createBuildTarget", json!({"name": "f", "build_tag": "f-build", "dest_tag": "f"})).await;
    world.ok("createBuildTarget", json!({"name": "g", "build_tag": "g-build", "dest_tag": "f"})).await;
    world.ok("editTag2", json!({"tagInfo": "g-build", "extra": {"repo.auto": false}})).await;
    world.ok("editTag2", json!({"tagInfo": "f-build", "extra": {"repo.lag": 0}})).await;
    told(&world).await;
    world.list("f", &["pkg"]).await;
    assert_eq!(told(&world).await, BTreeSet::from([world.tag_id("f").await]));
    for tag in ["f", "g-build", "loose"] {
        change(&world, tag).await;
    }
    assert_eq!(queue(&world).await, ["f-build"]);
    assert!("some".parse::<AutoRepos>().unwrap_err().contains("say tags or targets"));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn many_tags_are_asked_for_a_page_at_a_time(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["base"]).await;
    sqlx::raw_sql(
        "INSERT INTO tag (name) SELECT 'auto-' || n FROM generate_series(1, 1200) AS n;
         INSERT INTO tag_config (tag_id, arches, create_event, creator_id)
             SELECT tag.id, 'x86_64', max(events.id), 1 FROM tag, events WHERE name LIKE 'auto-%' GROUP BY tag.id;
         INSERT INTO tag_inheritance (tag_id, parent_id, priority, create_event, creator_id, maxdepth, intransitive, noconfig,
                 pkg_filter)
             SELECT tag_id, 1, 0, create_event, 1, NULL, false, false, '' FROM tag_config WHERE tag_id > 1;
         INSERT INTO tag_extra (tag_id, key, value, create_event, creator_id)
             SELECT tag_id, key, CASE key WHEN 'repo.lag' THEN '0' ELSE 'true' END, create_event, 1
             FROM tag_config, unnest(ARRAY['repo.auto', 'repo.lag']) AS key WHERE tag_id > 1;",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    world.list("base", &["pkg"]).await;
    for _ in 0..2 {
        change(&world, "base").await;
        let count = async |clauses: Value| {
            world.ok("repo.queryQueue", json!({"clauses": clauses, "opts": {"countOnly": true}})).await
        };
        assert_eq!(
            (count(json!([])).await, count(json!([["task_id", "IS NOT", null]])).await),
            (json!(1200), json!(10))
        );
    }
}
