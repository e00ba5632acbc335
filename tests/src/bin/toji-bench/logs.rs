//! From a line that is written in a chroot to those who watch the log.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use futures::future::try_join_all;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use toji_protocol::state::TaskState;
use toji_tests::{Events, Golden, System, Wishes};

use crate::{
    load::quantile,
    report::{self, ms},
};

/// Who watch at once.
const WATCHERS: [usize; 2] = [1, 200];
/// Lines, five a second.
const TICKS: u32 = 60;

/// Builds a package that tells the time, with watchers; prints how late they learn it, and answers it.
pub(crate) async fn measure() -> Result<Value> {
    println!("\nLive logs: from a line in the chroot to a watcher's client ({TICKS} lines, 5 a second)");
    let system = System::start(Wishes { lease: 60, ..Wishes::default() }).await;
    let mut table = report::Table::new(&["watchers", "p50", "p95", "p99", "transactions meanwhile"]);
    let mut figures = serde_json::Map::new();
    // the first one makes repos and fills caches
    one(&system, 1, 0).await?;
    let (_, quiet) = one(&system, 2, 0).await?;
    for (release, watchers) in (3..).zip(WATCHERS) {
        let (mut late, transactions) = one(&system, release, watchers).await?;
        late.sort_by(f64::total_cmp);
        let share = |share| quantile(&late, share);
        let (p50, p95, p99) = (share(0.5)?, share(0.95)?, share(0.99)?);
        let beside = format!("{transactions} ({quiet} without)");
        table.row(&[watchers.to_string(), ms(p50), ms(p95), ms(p99), beside]);
        figures.insert(
            watchers.to_string(),
            json!({"p50_ms": p50 * 1e3, "p95_ms": p95 * 1e3, "p99_ms": p99 * 1e3, "lines": late.len(),
                "transactions": transactions, "transactions_without_watchers": quiet}),
        );
    }
    table.note(
        "  Koji: builders send logs once a second; each watcher asks the hub for all of a task's logs, again and again",
    );
    table.print();
    Ok(Value::Object(figures))
}

/// One build: how late each watcher learned of each line, in seconds, and what Postgres did from the first line to the last.
async fn one(system: &System, release: u32, watchers: usize) -> Result<(Vec<f64>, i64)> {
    let mut database = PgConnection::connect(&system.database.url).await?;
    let build = system.hub.build(&system.srpm(&Golden::ticks(release, TICKS)), json!({"scratch": true})).await;
    let task = system.hub.child_in(build, "buildArch", TaskState::Open).await;
    let before = transactions(&mut database).await?;
    let http = reqwest::Client::new();
    let url = format!("{}/api/tasks/{task}/logs/build.log", system.url);
    let late = try_join_all((0..watchers).map(|_| watch(&http, &url))).await?;
    system.hub.closes(build).await;
    let after = transactions(&mut database).await?;
    Ok((late.concat(), after - before))
}

async fn watch(http: &reqwest::Client, url: &str) -> Result<Vec<f64>> {
    let response = http.get(url).send().await?.error_for_status()?;
    let mut events = Events::new(response.bytes_stream());
    let mut late = Vec::new();
    let mut line = String::new();
    while let Some(event) = events.next().await {
        let learned = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
        line += event.data["text"].as_str().unwrap_or_default();
        let whole = line.rfind('\n').map_or(0, |end| end + 1);
        for tick in line.drain(..whole).collect::<String>().lines().filter_map(|line| line.strip_prefix("tick ")) {
            let written = tick.split_once(' ').and_then(|(_, time)| time.parse::<f64>().ok());
            late.push(learned - written.context("a tick without its time")?);
        }
    }
    anyhow::ensure!(late.len() == TICKS as usize, "{} lines of {TICKS} were told", late.len());
    Ok(late)
}

async fn transactions(database: &mut PgConnection) -> Result<i64> {
    let count = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
    Ok(sqlx::query_scalar(count).fetch_one(database).await?)
}
