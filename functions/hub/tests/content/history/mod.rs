//! What a list shows at a past event never changes, however much is edited afterwards, and however many write at once.
//!
//! `TOJI_SOAK` (any number) makes 1,000 edits and asks for every list after each, instead of a few.

mod edits;
mod lists;

use edits::edit;
use futures::future::join_all;
use lists::{List, read};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::world::World;

const WRITERS: u64 = 8;

fn is_soak() -> bool {
    std::env::var_os("TOJI_SOAK").is_some()
}

/// The lists to be asked for after one edit.
fn some(lists: &[List], rng: &mut StdRng) -> Vec<usize> {
    let mut chosen: Vec<usize> = (0..lists.len()).collect();
    if !is_soak() {
        chosen.shuffle(rng);
        chosen.truncate(4);
    }
    chosen
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn every_list_at_every_event_is_as_it_was(pool: PgPool) {
    let world = World::new(pool).await;
    edits::prepare(&world).await;
    let lists = lists::all();
    let edits = if is_soak() { 1000 } else { 200 };
    let mut rng = StdRng::seed_from_u64(7);
    let start = world.last_event().await;
    let mut event = start;
    let (mut seen, mut rows) = (Vec::new(), Vec::new());
    for number in 0..edits {
        edit(&world, &mut rng).await;
        let last = event;
        event = world.last_event().await;
        if event == last {
            continue;
        }
        for list in some(&lists, &mut rng) {
            let now = read(&world, &lists[list], None).await;
            assert_eq!(read(&world, &lists[list], Some(event)).await, now, "{:?}, now and at {event}", lists[list]);
            seen.push((event, list, now));
        }
        if is_soak() || number % 10 == 0 {
            rows.push((event, lists::live_rows(&world).await));
        }
    }
    assert!(event - start > edits / 3, "too few edits came through: {}", event - start);

    for (event, list, then) in seen {
        assert_eq!(read(&world, &lists[list], Some(event)).await, then, "{:?} at {event}", lists[list]);
    }
    let history = world.ok("queryHistory", json!({})).await;
    for (event, then) in rows {
        assert_eq!(lists::live_rows_at(&history, event), then, "at {event}");
    }
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

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn nor_when_many_write_at_once(options: PgPoolOptions, connect: PgConnectOptions) {
    let pool = options.max_connections(WRITERS as u32 + 2).connect_with(connect).await.unwrap();
    let world = World::new(pool).await;
    edits::prepare(&world).await;
    commit_slowly(&world.pool).await;
    let lists = lists::all();
    let edits = if is_soak() { 125 } else { 25 };
    let start = world.last_event().await;
    let writer = async |seed: u64| {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut seen: Vec<(i64, usize, Value)> = Vec::new();
        for _ in 0..edits {
            edit(&world, &mut rng).await;
            // an event that is visible is committed, and so is every one before it
            let event = world.last_event().await;
            let list = if rng.random() { 0 } else { rng.random_range(0..lists.len()) };
            seen.push((event, list, read(&world, &lists[list], Some(event)).await));
        }
        seen
    };
    let seen = join_all((0..WRITERS).map(writer)).await;

    let end = world.last_event().await;
    assert!(end - start > WRITERS as i64 * edits / 4, "too few edits came through: {}", end - start);
    for (event, list, first) in seen.into_iter().flatten() {
        assert_eq!(read(&world, &lists[list], Some(event)).await, first, "{:?} at {event}", lists[list]);
    }
    // and what shows now is what shows at the newest event
    for list in &lists {
        assert_eq!(read(&world, list, Some(end)).await, read(&world, list, None).await, "{list:?}");
    }
}
