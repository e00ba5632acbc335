//! How soon a change is in a repo, with nobody asking for it: of a tag with 2,000 packages, and of 50 such tags at once.
//!
//! The figures are printed; the limits are wide, for the tests run beside others.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use toji_tests::{Golden, System, Wishes};

/// Packages of the tag.
const PACKAGES: usize = 2_000;
/// Builds that are tagged one after another.
const CHANGES: usize = 15;
/// Tags that inherit from it.
const TAGS: usize = 50;
/// How often we look.
const LOOK: Duration = Duration::from_millis(4);

/// Builds with one RPM each, whose metadata is that of the RPM of the build that there is; all but the last ones are tagged.
const ROWS: &str = "
    CREATE TEMP TABLE it AS SELECT new_event() AS event;
    INSERT INTO package (name) SELECT 'made-up-' || n FROM generate_series(1, {all}) AS n;
    INSERT INTO build (pkg_id, version, release, state, owner, create_event, start_time, completion_time)
        SELECT id, '1', '1', 1, 1, event, now(), now() FROM package, it WHERE name LIKE 'made-up-%' ORDER BY id;
    INSERT INTO build_config (build_id, state, owner, volume_id, create_event, creator_id)
        SELECT build.id, state, owner, volume_id, create_event, owner FROM build JOIN package ON package.id = pkg_id
        WHERE name LIKE 'made-up-%';
    INSERT INTO rpminfo (build_id, name, version, release, arch, payloadhash, size, buildtime)
        SELECT build.id, name, version, release, 'x86_64', md5(name), 1, 1 FROM build JOIN package ON package.id = pkg_id
        WHERE name LIKE 'made-up-%';
    INSERT INTO rpm_fragment (rpm_id, pkgid, mtime, fragment)
        SELECT rpminfo.id, pkgid, mtime, fragment FROM rpminfo, rpm_fragment
        WHERE name LIKE 'made-up-%'
            AND rpm_id = (SELECT min(id) FROM rpminfo WHERE name = 'good' AND arch = 'x86_64' AND build_id IS NOT NULL);
    INSERT INTO tag_packages (package_id, tag_id, create_event, creator_id)
        SELECT package.id, tag.id, event, 1 FROM it, package, tag WHERE package.name LIKE 'made-up-%' AND tag.name = 'big';
    INSERT INTO tag_package_owners (package_id, tag_id, owner, create_event, creator_id)
        SELECT package_id, tag_id, 1, event, 1 FROM it, tag_packages JOIN tag ON tag.id = tag_id WHERE tag.name = 'big';
    INSERT INTO tag_listing (build_id, tag_id, create_event, creator_id)
        SELECT build.id, tag.id, event, 1 FROM it, tag, build JOIN package ON package.id = pkg_id
        WHERE package.name LIKE 'made-up-%' AND tag.name = 'big' ORDER BY build.id LIMIT {tagged};
    DROP TABLE it;
    ANALYZE;";

/// A repo's way: when it was asked for, when its task began, when the repo function began.
type Way = (DateTime<Utc>, DateTime<Utc>, DateTime<Utc>);

async fn way(database: &mut PgConnection, event: i64) -> Option<Way> {
    let sql = "SELECT task.create_time, start_time, state_time FROM repo JOIN task ON task.id = task_id
               JOIN tag ON tag.id = repo.tag_id WHERE tag.name = 'big' AND repo.state = 1 AND repo.create_event >= $1";
    sqlx::query_as(sql).bind(event).fetch_optional(database).await.unwrap()
}

async fn number(database: &mut PgConnection, sql: &'static str, event: i64) -> i64 {
    sqlx::query_scalar(sql).bind(event).fetch_one(database).await.unwrap()
}

fn ms(from: DateTime<Utc>, to: DateTime<Utc>) -> i64 {
    (to - from).num_milliseconds()
}

fn middle(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    values[values.len() / 2]
}

#[tokio::test]
async fn a_change_is_soon_in_a_repo() {
    let system = System::start(Wishes::default()).await;
    let hub = &system.hub;
    hub.closes(hub.build(&system.srpm(&Golden::good(1)), json!({})).await).await;
    let auto = json!({ "repo.auto": true, "repo.lag": 0 });
    hub.call("createTag", json!({ "name": "big", "arches": "x86_64" })).await;
    let mut database = PgConnection::connect(&system.database.url).await.unwrap();
    let rows = ROWS.replace("{all}", &(PACKAGES + CHANGES + 1).to_string()).replace("{tagged}", &PACKAGES.to_string());
    sqlx::raw_sql(sqlx::AssertSqlSafe(rows)).execute(&mut database).await.unwrap();
    hub.call("editTag2", json!({ "tagInfo": "big", "extra": auto })).await;
    let last = "SELECT max(id) FROM events WHERE id > $1";
    let event = number(&mut database, last, 0).await;
    wait_for("the first repo", Duration::from_secs(60), async || way(&mut database, event).await).await;

    let mut hops: [Vec<i64>; 6] = Default::default();
    let closed = "SELECT count(*) FROM task WHERE id = $1 AND state = 2";
    for n in 0..CHANGES {
        let nvr = format!("made-up-{}-1-1", PACKAGES + 1 + n);
        hub.call("tagBuildBypass", json!({ "tag": "big", "build": nvr })).await;
        let answered = Utc::now();
        let event = number(&mut database, last, 0).await;
        let waits = json!({ "method": "waitrepo", "arglist": ["big", null, [nvr]] });
        let waits = hub.call("makeTask", waits).await.as_i64().unwrap();
        let way = wait_for(&nvr, Duration::from_secs(60), async || way(&mut database, event).await).await;
        let ready = Utc::now();
        let times = [answered, way.0, way.1, way.2, ready];
        for (hop, pair) in hops.iter_mut().zip(times.windows(2)) {
            hop.push(ms(pair[0], pair[1]));
        }
        hops[4].push(ms(answered, ready));
        let is_closed = async || (number(&mut database, closed, waits).await > 0).then_some(());
        wait_for("who waits for it", Duration::from_secs(60), is_closed).await;
        hops[5].push(ms(ready, Utc::now()));
    }
    let [asked, begun, handed, made, all, answered] = hops.map(middle);
    eprintln!(
        "a repo of {PACKAGES} packages is READY {all} ms (p50) after a build was tagged: asked for after {asked}, task begun \
         {begun} later, function begun {handed} later, made in {made}; who waits for it is answered {answered} ms after that"
    );
    assert!(all < 5_000, "{all} ms");

    for n in 0..TAGS {
        hub.call(
            "createTag",
            json!({ "name": format!("below-{n}"), "arches": "x86_64", "parent": "big", "extra": auto }),
        )
        .await;
    }
    let ready = "SELECT count(DISTINCT tag_id) FROM repo JOIN tag ON tag.id = tag_id
                 WHERE tag.name LIKE 'below-%' AND state = 1 AND create_event >= $1";
    let is_ready =
        async |database: &mut PgConnection, event| (number(database, ready, event).await == TAGS as i64).then_some(());
    wait_for("the first repos", Duration::from_secs(180), async || is_ready(&mut database, 0).await).await;
    let tasks = "SELECT count(*) FROM task WHERE method = 'newRepo' AND id > $1";
    let before = number(&mut database, tasks, 0).await;
    let nvr = format!("made-up-{}-1-1", PACKAGES + CHANGES + 1);
    hub.call("tagBuildBypass", json!({ "tag": "big", "build": nvr })).await;
    let began = Instant::now();
    let event = number(&mut database, last, 0).await;
    wait_for("repos of all", Duration::from_secs(180), async || is_ready(&mut database, event).await).await;
    eprintln!(
        "{TAGS} tags of {PACKAGES} packages that changed at once have repos after {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let made = number(&mut database, tasks, 0).await - before;
    assert_eq!(made, TAGS as i64 + 1, "each of them, and the one that they inherit from, by one task");
}

async fn wait_for<T>(what: &str, limit: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < limit, "{what}: not after {limit:?}");
        tokio::time::sleep(LOOK).await;
    }
}
