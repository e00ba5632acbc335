//! The pass over repos where there are 10,000 tags and 20,000 repos: how many statements that takes, and how long.

use std::time::{Duration, Instant};

use sqlx::{
    Connection, PgPool,
    postgres::{PgConnectOptions, PgConnection, PgPoolOptions},
};
use toji_hub::repo::passes;

use crate::world::{World, start};

/// 10,000 tags: a hundred bases, and 99 below each; two repos of each tag, the second one newer than all changes but those of every
/// tenth base. Every hundredth tag wants repos by itself.
const ROWS: &str = "
    INSERT INTO tag (name) SELECT 'tag-' || n FROM generate_series(1, 10000) AS n;
    SELECT new_event();
    INSERT INTO tag_config (tag_id, arches, create_event, creator_id)
        SELECT id, 'x86_64', (SELECT max(id) FROM events), 1 FROM tag;
    INSERT INTO tag_inheritance (tag_id, parent_id, priority, create_event, creator_id, maxdepth, intransitive, noconfig, pkg_filter)
        SELECT id, id % 100 + 1, 0, (SELECT max(id) FROM events), 1, NULL, false, false, '' FROM tag WHERE id > 100;
    SELECT new_event();
    INSERT INTO repo (tag_id, state, create_event, creation_time, state_time, opts, custom_opts)
        SELECT id, 1, (SELECT max(id) FROM events), $TIME, $TIME, '{}', '{}' FROM tag;
    SELECT new_event();
    INSERT INTO tag_extra (tag_id, key, value, create_event, creator_id)
        SELECT id, 'key', '1', (SELECT max(id) FROM events), 1 FROM tag WHERE id <= 100;
    INSERT INTO tag_extra (tag_id, key, value, create_event, creator_id)
        SELECT id, key, '1', (SELECT max(id) FROM events), 1 FROM tag, unnest(ARRAY['repo.auto', 'repo.lag']) AS key
        WHERE id % 100 = 99;
    SELECT new_event();
    INSERT INTO repo (tag_id, state, create_event, creation_time, state_time, opts, custom_opts)
        SELECT id, 1, (SELECT max(id) FROM events), $TIME, $TIME, '{}', '{}' FROM tag;
    SELECT new_event();
    INSERT INTO tag_extra (tag_id, key, value, create_event, creator_id)
        SELECT id, 'more', '1', (SELECT max(id) FROM events), 1 FROM tag WHERE id <= 100 AND id % 10 = 0;
    ANALYZE;";

/// Transactions of the database up to now. A session tells of its own when it ends.
async fn transactions(connect: &PgConnectOptions) -> i64 {
    let mut conn = PgConnection::connect_with(connect).await.unwrap();
    let count = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
    let count = sqlx::query_scalar(count).fetch_one(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    count
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_few_statements_for_thousands(options: PgPoolOptions, connect: PgConnectOptions) {
    let pool: PgPool = options.max_connections(4).connect_with(connect.clone()).await.unwrap();
    let world = World::new(pool).await;
    let time = format!("'{}'", start().to_rfc3339());
    sqlx::raw_sql(sqlx::AssertSqlSafe(ROWS.replace("$TIME", &time))).execute(&world.pool).await.unwrap();
    let before = transactions(&connect).await;
    let began = Instant::now();
    let passed = passes::run_once(&world.hub, start()).await.unwrap();
    let took = began.elapsed();
    world.hub.close().await;
    // the first repo of each tag, and the second of every tenth base and of those below; 99 of the tags that want repos are below base 100
    assert_eq!((passed.ended, passed.requested, passed.expired, passed.deleted), (11_000, 99, 0, 0));
    let made = transactions(&connect).await - before;
    eprintln!("10,000 tags and 20,000 repos: {took:?}, {made} transactions");
    assert!(made < 300, "{made} transactions");
    assert!(took < Duration::from_secs(60), "{took:?}");
}
