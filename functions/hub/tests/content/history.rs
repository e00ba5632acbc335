//! What a list shows at a past event never changes, however many write at once.

use futures::future::join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::world::World;

const TAGS: [&str; 6] = ["top", "one", "two", "three", "four", "base"];
const PACKAGES: [&str; 4] = ["a", "b", "c", "d"];
const WRITERS: u64 = 8;
const EDITS: usize = 60;

/// What is asked of the tag that inherits from all others: the call, its name for the tag, and how often it is asked.
const LISTS: [(&str, &str, usize); 7] = [
    ("listTagged", "tag", 8),
    ("listTaggedRPMS", "tag", 1),
    ("listPackages", "tagID", 2),
    ("getTagGroups", "tag", 1),
    ("getFullInheritance", "tag", 1),
    ("getBuildConfig", "tag", 1),
    ("getExternalRepoList", "tag_info", 1),
];

async fn read(world: &World, list: usize, event: i64) -> Value {
    let (method, key, _) = LISTS[list];
    let mut arguments = match method {
        "listTagged" | "listTaggedRPMS" => json!({"inherit": true}),
        "listPackages" => json!({"inherited": true}),
        _ => json!({}),
    };
    arguments[key] = json!(TAGS[0]);
    arguments["event"] = json!(event);
    world.ok(method, arguments).await
}

/// Makes each commit of a writer take a while, and never the same while: without the lock on events they would come out of order.
async fn commit_slowly(pool: &PgPool) {
    for statement in [
        "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(random() * 0.03); RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION linger()",
    ] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
}

/// One random edit. It may be refused: what it would change may be so already.
async fn edit(world: &World, rng: &mut StdRng) {
    let tag = TAGS[rng.random_range(0..TAGS.len())];
    let package = PACKAGES[rng.random_range(0..PACKAGES.len())];
    let build = format!("{package}-{}-1", rng.random_range(1..4));
    let number: i32 = rng.random_range(0..4);
    let flag: bool = rng.random();
    let parent = world.tag_id(TAGS[rng.random_range(0..TAGS.len())]).await;
    let (method, arguments) = match rng.random_range(0..12) {
        0..3 => ("tagBuildBypass", json!({"tag": tag, "build": build, "force": flag})),
        3 => ("untagBuildBypass", json!({"tag": tag, "build": build, "strict": flag})),
        4 => ("packageListBlock", json!({"taginfo": tag, "pkginfo": package})),
        5 => ("packageListUnblock", json!({"taginfo": tag, "pkginfo": package})),
        6 => ("packageListAdd", json!({"taginfo": tag, "pkginfo": package, "owner": "admin", "force": flag})),
        7 => ("packageListRemove", json!({"taginfo": tag, "pkginfo": package})),
        8 => ("editTag2", json!({"tagInfo": tag, "arches": format!("a{number}"), "extra": {"key": number}})),
        9 => (
            "setInheritanceData",
            json!({"tag": tag, "data": [{"parent_id": parent, "priority": number, "delete link": number == 0}]}),
        ),
        10 => ("groupListAdd", json!({"taginfo": tag, "grpinfo": "build", "display_name": build, "force": true})),
        _ if flag => ("addExternalRepoToTag", json!({"tag_info": tag, "repo_info": "ext", "priority": number})),
        _ => ("removeExternalRepoFromTag", json!({"tag_info": tag, "repo_info": "ext"})),
    };
    if let Err(error) = world.call(method, arguments.clone()).await {
        assert!(error.fault_code() >= 1000 && error.fault_code() != 1014, "{method}({arguments}): {error:?}");
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_list_at_a_past_event_never_changes(options: PgPoolOptions, connect: PgConnectOptions) {
    let pool = options.max_connections(WRITERS as u32 + 2).connect_with(connect).await.unwrap();
    let world = World::new(pool).await;
    world.tags(&TAGS).await;
    for pair in TAGS.windows(2) {
        world.inherit(pair[0], pair[1], 100).await;
    }
    world.list("base", &PACKAGES).await;
    world.ok("createExternalRepo", json!({"name": "ext", "url": "https://example.com/"})).await;
    for package in PACKAGES {
        for version in 1..4 {
            world.build(&format!("{package}-{version}-1")).await;
        }
    }
    commit_slowly(&world.pool).await;
    let start = world.last_event().await;
    let often: Vec<usize> = LISTS.iter().enumerate().flat_map(|(list, asked)| vec![list; asked.2]).collect();
    let writer = async |seed: u64| {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut seen = Vec::new();
        for _ in 0..EDITS {
            edit(&world, &mut rng).await;
            // an event that is visible is committed, and so is every one before it
            let event = world.last_event().await;
            let list = often[rng.random_range(0..often.len())];
            seen.push((event, list, read(&world, list, event).await));
        }
        seen
    };
    let seen = join_all((0..WRITERS).map(writer)).await;

    let end = world.last_event().await;
    assert!(end - start > (WRITERS as i64 * EDITS as i64) / 4, "too few edits came through: {}", end - start);
    for (event, list, first) in seen.into_iter().flatten() {
        assert_eq!(read(&world, list, event).await, first, "{} at event {event}", LISTS[list].0);
    }
    // and what shows now is what shows at the newest event
    let now = world.nvrs("listTagged", json!({"tag": "top", "inherit": true})).await;
    assert_eq!(world.nvrs("listTagged", json!({"tag": "top", "inherit": true, "event": end})).await, now);
}
