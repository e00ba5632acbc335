//! The schema goes up, down, and up again.

use serde_json::Value;
use sqlx::PgPool;
use toji_hub::MIGRATIONS;

/// What the schema consists of, but for the migrations' own table, and the order of columns, which a table keeps when one is dropped.
async fn schema(pool: &PgPool) -> Value {
    sqlx::query_scalar(
        "SELECT jsonb_build_object(
             'columns', (SELECT jsonb_agg(to_jsonb(c) - 'ordinal_position' - 'dtd_identifier' ORDER BY table_name, column_name)
                 FROM information_schema.columns c WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'),
             'indexes', (SELECT jsonb_agg(indexdef ORDER BY indexdef) FROM pg_indexes
                 WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations'),
             'constraints', (SELECT jsonb_agg(conrelid::regclass || ' ' || pg_get_constraintdef(oid) ORDER BY 1)
                 FROM (SELECT * FROM pg_constraint ORDER BY conrelid::regclass::text, pg_get_constraintdef(oid)) c
                 WHERE connamespace = 'public'::regnamespace AND conrelid <> '_sqlx_migrations'::regclass),
             'functions', (SELECT jsonb_agg(proname || ' ' || prosrc ORDER BY proname) FROM pg_proc
                 WHERE pronamespace = 'public'::regnamespace),
             'sequences', (SELECT jsonb_agg(sequencename ORDER BY sequencename) FROM pg_sequences
                 WHERE schemaname = 'public'))",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

#[sqlx::test(migrations = false)]
async fn up_down_and_up_again(pool: PgPool) {
    MIGRATIONS.run(&pool).await.unwrap();
    let whole = schema(&pool).await;
    let mut versions: Vec<i64> =
        MIGRATIONS.iter().filter(|step| step.migration_type.is_up_migration()).map(|step| step.version).collect();
    versions.sort_unstable();
    assert!(versions.len() > 5);
    // each one alone, from the newest down, and up again
    for below in versions.iter().rev().skip(1).copied().chain([0]) {
        MIGRATIONS.undo(&pool, below).await.unwrap();
        MIGRATIONS.run(&pool).await.unwrap();
        assert_eq!(schema(&pool).await, whole, "after going down to {below}");
    }
    MIGRATIONS.undo(&pool, 0).await.unwrap();
    let empty = schema(&pool).await;
    for part in ["columns", "indexes", "functions", "sequences"] {
        assert_eq!(empty[part], Value::Null, "left behind: {part}");
    }
}
