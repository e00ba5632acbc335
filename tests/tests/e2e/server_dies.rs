//! `toji-local` is killed in the middle of imports.

use std::time::Duration;

use serde_json::json;
use sqlx::PgPool;
use toji_protocol::state::BuildState;
use toji_tests::{Golden, SOON, System, Wishes, until};
use tokio::time::sleep;

/// What is looked at: how far an import is that began.
const STAGE: &str = "
    SELECT CASE
        WHEN b.state = 1 THEN 'complete'
        WHEN p.build_id IS NOT NULL THEN 'pending'
        WHEN t.state = 2 THEN 'built'
        ELSE 'building'
    END
    FROM build b
        JOIN task t ON t.parent = b.task_id AND t.method = 'buildArch'
        LEFT JOIN pending_import p ON p.build_id = b.id
    WHERE b.release = $1";

/// Kills at chosen moments: once this stage is seen, so many milliseconds later.
const MOMENTS: [(&str, u64); 6] =
    [("built", 0), ("pending", 0), ("pending", 15), ("pending", 40), ("pending", 90), ("complete", 0)];

#[tokio::test]
async fn whole_builds_or_none() {
    let mut system = System::start(Wishes::default()).await;
    let hub = system.hub.clone();
    // the buildroot is filled once, so that the rest is quick
    let first = hub.build(&system.srpm(&Golden::good(100)), json!({})).await;
    hub.closes(first).await;

    for (release, (stage, later)) in (1..).zip(MOMENTS) {
        let good = Golden::good(release);
        let task = hub.build(&system.srpm(&good), json!({})).await;
        let reached = reaches(&system.database.pool, release, stage).await;
        sleep(Duration::from_millis(later)).await;
        system.kill_server();
        let (state, rpms, tags) = traces(&system.database.pool, release).await;
        eprintln!("killed {later} ms after '{reached}' was seen: build state {state}, {rpms} RPMs, {tags} tags");
        match state {
            0 => assert_eq!((rpms, tags), (0, 0), "a build that is not complete has nothing"),
            1 => assert_eq!(rpms, 3, "a build that is complete has everything"),
            other => panic!("the build's state is {other}"),
        }

        system.start_server().await;
        hub.closes(task).await;
        let (state, rpms, tags) = traces(&system.database.pool, release).await;
        assert_eq!((state, rpms, tags), (1, 3, 1));
        assert_eq!(hub.build_state(&good.nvr()).await, BuildState::Complete);
        files_are_there(&system, release).await;
    }
    assert_eq!(system.database.number("SELECT count(*) FROM pending_import").await, 0);
    hub.assert_quiet().await;
}

/// Waits until an import is this far, or farther. Looks as often as it can: the moment is short.
async fn reaches(pool: &PgPool, release: u32, stage: &str) -> String {
    let order = ["building", "built", "pending", "complete"];
    let place = |stage: &str| order.iter().position(|known| *known == stage).unwrap();
    let begun = tokio::time::Instant::now();
    loop {
        let now: Option<String> =
            sqlx::query_scalar(STAGE).bind(release.to_string()).fetch_optional(pool).await.unwrap();
        if let Some(now) = now.filter(|now| place(now) >= place(stage)) {
            return now;
        }
        assert!(begun.elapsed() < SOON, "release {release} never was {stage}");
    }
}

/// The build's state, its RPMs and its tags, all of one moment.
async fn traces(pool: &PgPool, release: u32) -> (i16, i64, i64) {
    sqlx::query_as(
        "SELECT b.state, (SELECT count(*) FROM rpminfo r WHERE r.build_id = b.id),
                (SELECT count(*) FROM tag_listing l WHERE l.build_id = b.id AND l.active)
         FROM build b WHERE b.release = $1",
    )
    .bind(release.to_string())
    .fetch_one(pool)
    .await
    .unwrap()
}

async fn files_are_there(system: &System, release: u32) {
    let dir = format!("{}/kojifiles/packages/good/1.0/{release}", system.url);
    for file in [
        format!("src/good-1.0-{release}.src.rpm"),
        format!("x86_64/good-1.0-{release}.x86_64.rpm"),
        format!("noarch/good-data-1.0-{release}.noarch.rpm"),
    ] {
        let url = format!("{dir}/{file}");
        until(&url, SOON, async || reqwest::get(&url).await.is_ok_and(|got| got.status().is_success()).then_some(()))
            .await;
    }
}
