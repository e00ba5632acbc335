//! What may be left when all is over: the builds, and what is kept on purpose.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
    time::Duration,
};

use chrono::{TimeDelta, Utc};
use sqlx::PgPool;
use toji_hub::{Hub, config::Config, sweep};
use toji_store::Store;
use toji_tests::{Part, System, names_in};

use super::BUILDERS;

/// The passes get this long to tidy up.
const TIDY: Duration = Duration::from_secs(60);
/// What a builder may keep: filled roots, what dnf has loaded, chroots of failed tasks, and a folder for tasks.
const KEPT: [&str; 4] = ["dnf", "kept", "roots", "tasks"];

/// Rows that stand for something under way.
const UNDER_WAY: [(&str, &str); 7] = [
    ("tasks", "SELECT id || ' ' || method || ' ' || state FROM task WHERE state IN (0, 1, 4)"),
    ("attempts", "SELECT task_id || '/' || attempt FROM task_run WHERE end_time IS NULL"),
    ("builds", "SELECT id::text FROM build WHERE state = 0"),
    ("buildroots", "SELECT id || ' of task ' || task_id FROM buildroot WHERE state <> 3"),
    ("messages in the outbox", "SELECT queue || ': ' || body FROM outbox"),
    ("repos", "SELECT id::text FROM repo WHERE state = 0"),
    (
        "pending imports of builds under way",
        "SELECT build_id::text FROM pending_import JOIN build ON build.id = build_id WHERE build.state = 0",
    ),
];

/// Rows that there may be no second of.
const DOUBLED: [(&str, &str); 5] = [
    ("builds of one name",
     "SELECT pkg_id || ' ' || version || ' ' || release FROM build GROUP BY pkg_id, version, release HAVING count(*) > 1"),
    ("taggings", "SELECT build_id || ' in ' || tag_id FROM tag_listing GROUP BY build_id, tag_id HAVING count(*) > 1"),
    ("RPMs of a name",
     "SELECT build_id || ' ' || name || '.' || arch FROM rpminfo GROUP BY build_id, name, arch HAVING count(*) > 1"),
    ("builds without their RPMs", // one for the sources, and what the two kinds of packages make
     "SELECT build.id || ' has ' || count(rpminfo.id) FROM build JOIN package ON package.id = pkg_id
          LEFT JOIN rpminfo ON build_id = build.id
      GROUP BY build.id, build.state, package.name HAVING count(rpminfo.id) <> CASE WHEN build.state = 1 THEN 3 ELSE 0 END"),
    ("files of an attempt that is not the last",
     "SELECT task_id || '/' || task_file.attempt || ' ' || task_file.name FROM task_file JOIN task ON task.id = task_id
      WHERE moved_to IS NOT NULL AND task_file.attempt <> task.attempt"),
];

async fn rows(pool: &PgPool, queries: &[(&str, &'static str)]) -> Vec<String> {
    let mut found = Vec::new();
    for (what, query) in queries {
        let rows: Vec<String> =
            sqlx::query_scalar(*query).fetch_all(pool).await.unwrap_or_else(|e| panic!("{what}: {e}"));
        found.extend(rows.into_iter().map(|row| format!("{what}: {row}")));
    }
    found
}

/// Waits until nothing is under way: in the database, and on the builders.
pub(super) async fn nothing_is_under_way(system: &System, builders: usize) {
    let mut last = Vec::new();
    let tidied = tokio::time::timeout(TIDY, async {
        loop {
            last = rows(&system.database.pool, &UNDER_WAY).await;
            last.extend((0..builders).flat_map(|n| left_on_builder(system, n)));
            if last.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    });
    assert!(tidied.await.is_ok(), "still there after {TIDY:?}: {last:#?}");
}

fn left_on_builder(system: &System, n: usize) -> Vec<String> {
    let work = system.work_dir(n);
    let folders = names_in(&work).into_iter().filter(|name| {
        // an empty one is none
        !KEPT.contains(&name.as_str()) && !names_in(&work.join(name)).is_empty()
    });
    let tasks = names_in(&work.join("tasks")).into_iter().map(|name| format!("tasks/{name}"));
    let left = folders.chain(tasks).chain(system.mounts(n)).chain(system.started_by(n));
    left.map(|what| format!("builder {n}: {what}")).collect()
}

/// Each build is there once, with its RPMs once, tagged once.
pub(super) async fn nothing_is_doubled(system: &System) {
    let doubled = rows(&system.database.pool, &DOUBLED).await;
    assert!(doubled.is_empty(), "{doubled:#?}");
    let untagged = system.database.number(
        "SELECT count(*) FROM build WHERE state = 1 AND NOT EXISTS
             (SELECT FROM tag_listing WHERE build_id = build.id AND active)",
    );
    assert_eq!(untagged.await, 0, "complete builds that are in no tag");
}

/// The tag's newest repo has each RPM of its newest builds once.
pub(super) async fn repos_are_whole(system: &System) {
    let repo = system.hub.fresh_repo("demo").await;
    let dir = format!("repos/demo/{repo}/{}", std::env::consts::ARCH);
    let repomd = get(system, &format!("{dir}/repodata/repomd.xml")).await;
    let repomd = String::from_utf8_lossy(&repomd).into_owned();
    let href = repomd.split('"').find(|text| text.contains("primary.xml")).expect("repomd.xml names primary.xml");
    let file = system.dir().join("primary.xml.zst");
    std::fs::write(&file, get(system, &format!("{dir}/{href}")).await).unwrap();
    let primary = said_by(Command::new("zstd").args(["-qdc"]).arg(&file));
    let hrefs: Vec<&str> =
        primary.split("<location href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let each: BTreeSet<&str> = hrefs.iter().copied().collect();
    assert_eq!(hrefs.len(), each.len(), "{hrefs:?}");

    // the newest build of each package, all but its sources
    let newest = "SELECT rpminfo.name || '-' || rpminfo.version || '-' || rpminfo.release || '.' || arch || '.rpm' FROM
            (SELECT DISTINCT ON (build.pkg_id) build.id FROM tag_listing JOIN build ON build.id = build_id
             WHERE active AND tag_id = (SELECT id FROM tag WHERE name = 'demo')
             ORDER BY build.pkg_id, tag_listing.create_event DESC) newest
        JOIN rpminfo ON build_id = newest.id WHERE arch <> 'src'";
    let newest: Vec<String> = sqlx::query_scalar(newest).fetch_all(&system.database.pool).await.unwrap();
    let newest: BTreeSet<&str> = newest.iter().map(String::as_str).collect();
    let names: BTreeSet<&str> = each.iter().filter_map(|href| href.rsplit('/').next()).collect();
    assert_eq!(names, newest);
}

async fn get(system: &System, path: &str) -> Vec<u8> {
    let url = format!("{}/kojifiles/{path}", system.url);
    let got = reqwest::get(&url).await.and_then(reqwest::Response::error_for_status);
    got.unwrap_or_else(|error| panic!("{error}")).bytes().await.unwrap().to_vec()
}

fn said_by(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs the sweep as it would run some days later, and looks at what is in S3 then.
pub(super) async fn nothing_is_left_after_the_sweep(system: &mut System) {
    for n in 0..BUILDERS {
        system.stop(Part::Builder(n));
        let left = left_on_builder(system, n);
        assert!(left.is_empty(), "{left:#?}");
    }
    system.stop(Part::Worker);
    let cloud = system.cloud();
    let pool = PgPool::connect(&system.database.url).await.unwrap();
    let store = cloud.store().await.unwrap();
    let queues = cloud.queues().await;
    let hub = Hub::new(pool.clone(), store.clone(), queues, cloud.queue_credentials(), Config::default());
    let later = Utc::now() + TimeDelta::days(3);
    let swept = sweep::run_once(&hub, later).await.unwrap();
    println!("{swept:?} {:?}", sweep::uploads::run_once(&hub, later).await.unwrap());

    let left = rows(&pool, &[
        ("pending imports", "SELECT build_id::text FROM pending_import"),
        ("uploads", "SELECT path FROM upload WHERE done_time IS NULL"),
        ("task files that never were whole", "SELECT task_id || ' ' || name FROM task_file WHERE done_time IS NULL"),
        ("task files of attempts that did not count",
         "SELECT old.task_id || '/' || old.attempt || ' ' || old.name FROM task_file old JOIN task ON task.id = old.task_id
              JOIN task_file new ON new.task_id = task.id AND new.attempt = task.attempt AND new.name = old.name
          WHERE old.attempt < task.attempt"),
    ]);
    assert_eq!(left.await, [""; 0]);
    assert_eq!(store.uploads("").await.unwrap(), [], "multipart uploads that nobody ends");
    assert_eq!(keys(&store, "work/.pieces/").await, [""; 0]);
    packages_are_what_the_rows_say(&pool, &store, system.dir()).await;
    hub.close().await;
}

async fn keys(store: &Store, prefix: &str) -> Vec<String> {
    store.list(prefix).await.unwrap().into_iter().map(|object| object.key).collect()
}

/// Every RPM in S3 is a row's, and has the digest that the row says: it is of the attempt that was imported.
async fn packages_are_what_the_rows_say(pool: &PgPool, store: &Store, dir: &Path) {
    let known: Vec<(String, String)> = sqlx::query_as(
        "SELECT 'packages/' || package.name || '/' || build.version || '/' || build.release || '/' || arch || '/'
             || rpminfo.name || '-' || rpminfo.version || '-' || rpminfo.release || '.' || arch || '.rpm', payloadhash
         FROM rpminfo JOIN build ON build.id = build_id JOIN package ON package.id = pkg_id",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let known: BTreeMap<String, String> = known.into_iter().collect();
    let there = keys(store, "packages/").await;
    let rpms: BTreeSet<&String> = there.iter().filter(|key| key.ends_with(".rpm")).collect();
    assert_eq!(rpms, known.keys().collect(), "RPMs in S3, and in rows");

    // packages/NAME/VERSION/RELEASE/ARCH/FILE
    let complete: BTreeSet<&str> = known.keys().filter_map(|key| key.rsplitn(3, '/').nth(2)).collect();
    let is_stray = |key: &&String| !complete.iter().any(|dir| key.starts_with(&format!("{dir}/")));
    let strays: Vec<&String> = there.iter().filter(is_stray).collect();
    assert!(strays.is_empty(), "files of builds that are not complete: {strays:#?}");

    let file = dir.join("digested.rpm");
    for (key, digest) in &known {
        std::fs::write(&file, store.get(key).await.unwrap()).unwrap();
        let said = said_by(
            Command::new("rpm").args(["-qp", "--nosignature", "--qf", "%{SIGMD5}"]).arg(&file).env("HOME", dir),
        );
        assert_eq!(said, *digest, "{key}");
    }
}
