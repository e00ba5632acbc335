//! A database of some size: 10,000 tasks, 20,000 builds of three RPMs, 2,000 tags, one of them with 200 builds, and a chain of 20
//! that has all builds.

use anyhow::{Context, Result};
use sqlx::{Connection as _, PgConnection};

/// Tasks, builds and tags.
pub(crate) const TASKS: i64 = 10_000;
pub(crate) const BUILDS: i64 = 20_000;
pub(crate) const TAGS: i64 = 2_000;
/// The tag that has builds, and how many.
pub(crate) const FULL_TAG: &str = "bench-full";
pub(crate) const TAGGED: i64 = 200;

/// The nearest of the tags that inherit one from another, and how many they are.
pub(crate) const CHAIN_TAG: &str = "bench-chain-1";
pub(crate) const CHAIN: i64 = 20;

pub(crate) const PACKAGES: i64 = 1_000;

/// One event for all: its id is of no interest to what is measured.
const SQL: &str = r#"
BEGIN;
CREATE TEMP TABLE it ON COMMIT DROP AS
    SELECT new_event() AS event, (SELECT min(id) FROM users WHERE usertype = 0) AS who,
           (SELECT id FROM channels WHERE name = 'default') AS channel;

INSERT INTO package (name) SELECT 'bench-package-' || n FROM generate_series(1, {PACKAGES}) n;

INSERT INTO tag (name) SELECT 'bench-tag-' || n FROM generate_series(1, {TAGS} - 1) n;
INSERT INTO tag (name) VALUES ('{FULL_TAG}');
INSERT INTO tag_config (tag_id, arches, create_event, creator_id)
    SELECT tag.id, 'x86_64 aarch64', event, who FROM tag, it WHERE tag.name LIKE 'bench-%';

INSERT INTO task (state, method, coordinated, request, result, owner, channel_id, arch, priority, weight, create_time,
        start_time, completion_time, free_since, attempt)
    SELECT 2, 'bench', true,
        '<?xml version="1.0"?><methodCall><methodName>bench</methodName><params><param><value><string>git+https://src.example.org/rpms/package-'
            || n || '#0123456789abcdef0123456789abcdef01234567</string></value></param></params></methodCall>',
        '<?xml version="1.0"?><methodResponse><params><param><value><int>0</int></value></param></params></methodResponse>',
        who, channel, 'noarch', 20, 0.2, t, t + interval '1 s', t + interval '5 min', t, 1
    FROM it, generate_series(1, {TASKS}) n, LATERAL (SELECT now() - (20000 - n) * interval '10 s' AS t) times;

INSERT INTO build (pkg_id, version, release, state, task_id, owner, source, create_event, start_time, completion_time)
    SELECT package.id, '1.' || (n / {PACKAGES}), n || '.fc41', 1, task.id, who,
        'git+https://src.example.org/rpms/' || package.name || '#0123456789abcdef0123456789abcdef01234567', event,
        task.create_time, task.completion_time
    FROM it, generate_series(1, {BUILDS}) n
        JOIN package ON package.name = 'bench-package-' || (n % {PACKAGES} + 1)
        JOIN (SELECT *, row_number() OVER (ORDER BY id) AS place FROM task WHERE method = 'bench') task
            ON task.place = (n - 1) % {TASKS} + 1;
INSERT INTO build_config (build_id, state, owner, volume_id, create_event, creator_id)
    SELECT id, state, owner, volume_id, create_event, owner FROM build;
INSERT INTO rpminfo (build_id, name, version, release, arch, payloadhash, size, buildtime)
    SELECT build.id, package.name || suffix, version, release, arch, md5(build.id || arch || suffix), 100000, 1700000000
    FROM build JOIN package ON package.id = pkg_id,
        (VALUES ('src', ''), ('x86_64', ''), ('x86_64', '-devel')) AS kinds (arch, suffix);

INSERT INTO tag (name) SELECT 'bench-chain-' || n FROM generate_series(1, {CHAIN}) n;
INSERT INTO tag_config (tag_id, arches, create_event, creator_id)
    SELECT tag.id, 'x86_64', event, who FROM tag, it WHERE tag.name LIKE 'bench-chain-%';
INSERT INTO tag_inheritance (tag_id, parent_id, priority, create_event, creator_id)
    SELECT child.id, parent.id, 0, event, who
    FROM it, generate_series(1, {CHAIN} - 1) n JOIN tag child ON child.name = 'bench-chain-' || n
        JOIN tag parent ON parent.name = 'bench-chain-' || (n + 1);
INSERT INTO tag_packages (package_id, tag_id, create_event, creator_id)
    SELECT package.id, tag.id, event, who FROM it, package, tag
    WHERE package.name LIKE 'bench-%' AND tag.name = 'bench-chain-{CHAIN}';
INSERT INTO tag_listing (build_id, tag_id, create_event, creator_id)
    SELECT build.id, tag.id, event, who FROM it, build JOIN tag ON tag.name = 'bench-chain-' || (build.id % {CHAIN} + 1);

INSERT INTO tag_packages (package_id, tag_id, create_event, creator_id)
    SELECT package.id, tag.id, event, who FROM it, package, tag
    WHERE package.name LIKE 'bench-%' AND tag.name = '{FULL_TAG}';
INSERT INTO tag_package_owners (package_id, tag_id, owner, create_event, creator_id)
    SELECT package_id, tag_id, who, event, who FROM it, tag_packages;
INSERT INTO tag_listing (build_id, tag_id, create_event, creator_id)
    SELECT build.id, tag.id, event, who FROM it, tag, (SELECT id FROM build ORDER BY id DESC LIMIT {TAGGED}) build
    WHERE tag.name = '{FULL_TAG}';
COMMIT;
"#;

/// Fills the database, and has its statistics made.
pub(crate) async fn fill(database_url: &str) -> Result<()> {
    let sql = [
        ("PACKAGES", PACKAGES),
        ("TAGS", TAGS),
        ("TASKS", TASKS),
        ("BUILDS", BUILDS),
        ("TAGGED", TAGGED),
        ("CHAIN", CHAIN),
    ]
    .into_iter()
    .fold(SQL.replace("{FULL_TAG}", FULL_TAG), |sql, (name, number)| {
        sql.replace(&format!("{{{name}}}"), &number.to_string())
    });
    let mut database = PgConnection::connect(database_url).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut database).await.context("cannot fill the database")?;
    sqlx::raw_sql("VACUUM ANALYZE").execute(&mut database).await?;
    sqlx::raw_sql("CHECKPOINT").execute(&mut database).await?;
    Ok(())
}
