//! From makeTask's call to OPEN, on an idle builder.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use serde_json::{Value, json};
use toji_protocol::{
    client::Client,
    id::TaskId,
    method::{
        OneOrMany,
        task::{GetTaskInfo, TaskInfo},
    },
    state::TaskState,
    value::Value as Argument,
};

use crate::{
    load::quantile,
    report::{self, ms},
    system::{CAPACITY, MAX_JOBS, System},
};

/// Tasks of each kind.
const TASKS: usize = 200;
/// Tasks before, which are not counted.
const WARM_UP: usize = 20;
/// How often we look whether a task is OPEN.
const LOOK: Duration = Duration::from_millis(1);
/// How long all may take.
const PATIENCE: f64 = 60.0;

/// Upstream's, with its defaults and tuned, as the table shows them.
const UPSTREAM: [&str; 2] = ["60 s at its defaults; tuned 54-113 ms", "tuned 13 s, 6-8 tasks/s"];

/// A task's times, in seconds since 1970; this machine has one clock.
struct Times {
    called: f64,
    /// When a caller saw it OPEN, or further; None = nobody looked.
    seen: Option<f64>,
    created: f64,
    started: f64,
    ended: f64,
}

/// Measures both kinds, prints them, and answers them.
pub(crate) async fn measure(system: &System) -> Result<Value> {
    let client = system.client()?;
    println!("\nDispatch: makeTask's call to OPEN, `sleep 0` (builder: capacity {CAPACITY}, max_jobs {MAX_JOBS})");
    let measured = both(&client).await;
    let (single, burst) = measured.with_context(|| format!("the builder says:\n{}", system.builder_log()))?;
    let mut table =
        report::Table::new(&["", "p50", "p99", "seen OPEN p50", "p99", "hub's clock p50", "p99", "tasks/s"]);
    let mut figures = serde_json::Map::new();
    for (name, times, upstream) in [("one by one", &single, UPSTREAM[0]), ("200 at once", &burst, UPSTREAM[1])] {
        let call_to_start = spread(times.iter().map(|t| t.started - t.called))?;
        let seen = spread(times.iter().filter_map(|t| Some(t.seen? - t.called))).ok();
        let on_hub = spread(times.iter().map(|t| t.started - t.created))?;
        let first = times.iter().map(|t| t.called).fold(f64::INFINITY, f64::min);
        let last = times.iter().map(|t| t.ended).fold(0.0, f64::max);
        let rate = times.len() as f64 / (last - first);
        let text = |pair: Option<(f64, f64)>| pair.map_or([String::new(), String::new()], |(a, b)| [ms(a), ms(b)]);
        let [a, b] = text(Some(call_to_start));
        let [c, d] = text(seen);
        let [e, f] = text(Some(on_hub));
        table.row(&[name.to_owned(), a, b, c, d, e, f, format!("{rate:.0}")]);
        table.note(&format!("  Koji: {upstream}"));
        figures.insert(
            name.replace(' ', "_"),
            json!({
                "call_to_open_ms": {"p50": call_to_start.0 * 1e3, "p99": call_to_start.1 * 1e3},
                "seen_open_ms": seen.map(|seen| json!({"p50": seen.0 * 1e3, "p99": seen.1 * 1e3})),
                "create_to_start_ms": {"p50": on_hub.0 * 1e3, "p99": on_hub.1 * 1e3},
                "tasks_per_second": rate,
                "koji": upstream,
            }),
        );
    }
    table.print();
    figures.insert("builder".to_owned(), json!({"capacity": CAPACITY, "max_jobs": MAX_JOBS}));
    Ok(Value::Object(figures))
}

async fn both(client: &Client) -> Result<(Vec<Times>, Vec<Times>)> {
    for _ in 0..WARM_UP {
        one(client).await?;
    }
    let mut single = Vec::new();
    for _ in 0..TASKS {
        single.push(one(client).await?);
    }
    let made = try_join_all((0..TASKS).map(|_| async {
        let called = now();
        Ok::<_, anyhow::Error>((called, make(client).await?))
    }))
    .await?;
    let mut burst = Vec::new();
    for (called, task) in made {
        let info = until(client, task, Duration::from_millis(20), |info| info.state.is_final()).await?;
        burst.push(times(&info, called, None)?);
    }
    Ok((single, burst))
}

/// One task, to its end.
async fn one(client: &Client) -> Result<Times> {
    let called = now();
    let task = make(client).await?;
    until(client, task, LOOK, |info| info.state != TaskState::Free).await?;
    let seen = now();
    let info = until(client, task, LOOK, |info| info.state.is_final()).await?;
    times(&info, called, Some(seen))
}

async fn make(client: &Client) -> Result<TaskId> {
    let arguments = [Argument::from("sleep"), Argument::Array(vec![0.into()])];
    match client.call_positional("makeTask", &arguments).await? {
        Argument::Int(id) => Ok(TaskId(id)),
        other => bail!("makeTask answers {other:?}"),
    }
}

async fn until(
    client: &Client,
    task: TaskId,
    pause: Duration,
    condition: impl Fn(&TaskInfo) -> bool,
) -> Result<TaskInfo> {
    let begun = now();
    loop {
        let ask = GetTaskInfo { task_id: OneOrMany::One(task), request: false, strict: true };
        match client.call(&ask).await? {
            OneOrMany::One(Some(info)) if condition(&info) => return Ok(info),
            OneOrMany::One(Some(info)) if now() - begun > PATIENCE => bail!("task {task} is still {}", info.state),
            OneOrMany::One(Some(_)) => tokio::time::sleep(pause).await,
            _ => bail!("there is no task {task}"),
        }
    }
}

fn times(info: &TaskInfo, called: f64, seen: Option<f64>) -> Result<Times> {
    if info.state != TaskState::Closed {
        bail!("task {} is {}", info.id, info.state);
    }
    Ok(Times {
        called,
        seen,
        created: info.create_ts,
        started: info.start_ts.context("a task without a start")?,
        ended: info.completion_ts.context("a task without an end")?,
    })
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn spread(times: impl Iterator<Item = f64>) -> Result<(f64, f64)> {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    Ok((quantile(&times, 0.5)?, quantile(&times, 0.99)?))
}
