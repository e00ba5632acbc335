//! What the API does in a second, asked in XML-RPC as stock clients do.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::{
    load::{self, Call, Run},
    proc::Cpu,
    report::{Table, ms},
    seed,
    system::{ADMIN, System, TOKEN},
    xml::{self, document},
};

/// Runs of each call; the best counts.
const RUNS: usize = 5;
/// How many connections ask at once.
const CONNECTIONS: [usize; 2] = [2, 8];
/// Different documents of calls that name one thing of many.
const VARIETY: i64 = 500;
/// Calls in a multicall, and in a larger one.
const MANY: i64 = 100;
const MANY_MORE: i64 = 1_000;

/// Upstream, with 2 workers and 2 connections: requests a second, and CPU milliseconds a request.
const UPSTREAM: [(&str, f64, f64); 8] = [
    ("hello", 2376.0, 0.45),
    ("getTag", 1042.0, 1.06),
    ("getTaskInfo", 1326.0, 0.80),
    ("listTasks (50)", 481.0, 2.15),
    ("listBuilds (50)", 206.0, 5.7),
    ("listTagged (200)", 122.0, 11.1),
    ("makeTask", 279.0, 3.2),
    ("multiCall (100 getTag)", 28.0, 48.0),
];
/// Its memory, in MB a worker.
const UPSTREAM_MEMORY: f64 = 68.0;

/// Measures every call, prints a table, and answers the figures.
pub(crate) async fn measure(system: &System, seconds: f64) -> Result<Value> {
    let mut database = PgConnection::connect(&system.database_url).await?;
    let tasks: Vec<i64> = sqlx::query_scalar("SELECT id FROM task WHERE method = 'bench' ORDER BY id LIMIT $1")
        .bind(VARIETY)
        .fetch_all(&mut database)
        .await?;
    let most = CONNECTIONS.into_iter().max().unwrap_or(1);
    let mut sessions = Vec::new();
    for _ in 0..most {
        sessions.push(xml::login(&system.address, ADMIN, TOKEN).await?);
    }
    println!(
        "\nAPI: XML-RPC at /kojihub; {} tasks, {} builds, {} tags; best of {RUNS} runs of {} s; CPU of hub and database",
        seed::TASKS,
        seed::BUILDS,
        seed::TAGS,
        seconds
    );
    let mut table = Table::new(&[
        "",
        "conns",
        "requests/s",
        "p50",
        "p99",
        "CPU/request",
        "(hub)",
        "Koji's req/s",
        "Koji's CPU",
        "requests x",
        "CPU /",
    ]);
    let mut figures = Vec::new();
    let length = Duration::from_secs_f64(seconds);
    for call in calls(&tasks) {
        load::check(&system.address, &call, &sessions).await?;
        for connections in CONNECTIONS {
            // so that every connection of the pool has met the statement
            load::run(&system.address, &call, &sessions, most, length).await?;
            let before = system.watched.cpu()?;
            let mut runs = Vec::new();
            for _ in 0..RUNS {
                runs.push(load::run(&system.address, &call, &sessions, connections, length).await?);
            }
            let cpu = system.watched.cpu()?.since(before);
            let best = *runs.iter().max_by(|a, b| a.rate.total_cmp(&b.rate)).context("no run")?;
            let requests = runs.iter().map(|run| run.requests).sum::<usize>() as f64;
            let per = Cpu { hub: cpu.hub / requests, database: cpu.database / requests };
            table.row(&row(&call, connections, best, per));
            figures.push(figure(&call, connections, best, per));
        }
    }
    table.print();
    let memory = system.watched.hub_memory()?;
    println!("  toji-local's memory, with S3 and SQS in it: {memory:.0} MB (Koji: {UPSTREAM_MEMORY} MB a worker)");
    Ok(json!({"calls": figures, "memory_mb": memory, "koji_memory_mb_a_worker": UPSTREAM_MEMORY}))
}

fn upstream(call: &Call) -> Option<(f64, f64)> {
    UPSTREAM.iter().find(|(name, ..)| *name == call.name).map(|(_, rate, cpu)| (*rate, *cpu))
}

fn row(call: &Call, connections: usize, best: Run, cpu: Cpu) -> Vec<String> {
    let total = cpu.hub + cpu.database;
    let mut cells = vec![
        call.name.to_owned(),
        connections.to_string(),
        format!("{:.0}", best.rate),
        ms(best.p50),
        ms(best.p99),
        format!("{:.3} ms", total * 1e3),
        format!("{:.3}", cpu.hub * 1e3),
    ];
    if let Some((rate, cpu)) = upstream(call) {
        cells.extend([
            format!("{rate:.0}"),
            format!("{cpu} ms"),
            format!("{:.1}", best.rate / rate),
            format!("{:.1}", cpu / total / 1e3),
        ]);
    }
    cells
}

fn figure(call: &Call, connections: usize, best: Run, cpu: Cpu) -> Value {
    let upstream = upstream(call);
    json!({
        "call": call.name,
        "connections": connections,
        "requests_per_second": best.rate,
        "p50_ms": best.p50 * 1e3,
        "p99_ms": best.p99 * 1e3,
        "cpu_ms_per_request": (cpu.hub + cpu.database) * 1e3,
        "cpu_ms_hub": cpu.hub * 1e3,
        "cpu_ms_database": cpu.database * 1e3,
        "koji_requests_per_second": upstream.map(|(rate, _)| rate),
        "koji_cpu_ms_per_request": upstream.map(|(_, cpu)| cpu),
    })
}

fn calls(tasks: &[i64]) -> Vec<Call> {
    let starstar = |mut named: Value| {
        named["__starstar"] = true.into();
        named
    };
    let plain = |name, documents, proof| Call { name, documents, proof, encoding: "identity", logged_in: false };
    let tag = |n: i64| Value::from(format!("bench-tag-{}", n * 3 % (seed::TAGS - 1) + 1));
    let latest = |name: &str| starstar(json!({"queryOpts": {"limit": 50, "order": format!("-{name}")}}));
    let tagged = document("listTagged", &[seed::FULL_TAG.into()]);
    let listed = seed::TAGGED as usize;
    let get_tag = |n| json!({"methodName": "getTag", "params": [tag(n)]});
    let multicall =
        |first: i64, many: i64| document("multiCall", &[(first..first + many).map(get_tag).collect::<Vec<_>>().into()]);
    let chain = |method: &str, named: Value| vec![document(method, &[seed::CHAIN_TAG.into(), starstar(named)])];
    vec![
        plain("hello", vec![document("hello", &[])], ("Hello World", 1)),
        plain("getTag", (0..VARIETY).map(|n| document("getTag", &[tag(n)])).collect(), ("bench-tag-", 1)),
        plain(
            "getTaskInfo",
            tasks.iter().map(|task| document("getTaskInfo", &[(*task).into()])).collect(),
            ("<name>create_ts</name>", 1),
        ),
        plain("listTasks (50)", vec![document("listTasks", &[latest("id")])], ("<name>create_ts</name>", 50)),
        plain("listBuilds (50)", vec![document("listBuilds", &[latest("build_id")])], ("<name>nvr</name>", 50)),
        plain("listTagged (200)", vec![tagged.clone()], ("<name>nvr</name>", listed)),
        plain(
            "multiCall (100 getTag)",
            (0..20).map(|n| multicall(n * MANY, MANY)).collect(),
            ("<name>maven_support</name>", MANY as usize),
        ),
        plain(
            "multiCall (1000 getTag)",
            (0..2).map(|n| multicall(n * MANY_MORE, MANY_MORE)).collect(),
            ("<name>maven_support</name>", MANY_MORE as usize),
        ),
        plain("getBuildConfig (20 tags)", chain("getBuildConfig", json!({})), ("<name>config_inheritance</name>", 1)),
        plain(
            "getLatestBuilds (20 tags, 1000 of 20000)",
            chain("getLatestBuilds", json!({})),
            ("<name>nvr</name>", seed::PACKAGES as usize),
        ),
        plain(
            "listTaggedRPMS (latest, 3000 of 60000)",
            chain("listTaggedRPMS", json!({"inherit": true, "latest": true})),
            ("<name>payloadhash</name>", 3 * seed::PACKAGES as usize),
        ),
        plain(
            "listTagged (20 tags, 20000)",
            chain("listTagged", json!({"inherit": true})),
            ("<name>nvr</name>", seed::BUILDS as usize),
        ),
        Call {
            encoding: "gzip, deflate",
            ..plain("listTagged (200), gzip", vec![tagged], ("<name>nvr</name>", listed))
        },
        Call {
            logged_in: true,
            ..plain("makeTask", vec![document("makeTask", &["sleep".into(), json!([0])])], ("<int>", 1))
        },
    ]
}
