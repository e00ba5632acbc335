//! Repos: from the request to READY, beside createrepo_c on the same packages.
//!
//! What is counted for toji is all of it: the local system's one process (API, coordinator, repo function, S3) and the database. For
//! createrepo_c it is its process; what then copies its files to where they are served is not counted.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use sqlx::{Connection as _, PgConnection};
use toji_protocol::value::Value as Argument;
use toji_tests::made_up::{self, MadeUp, MadeUpBuild};

use crate::{
    proc,
    report::{Table, ms},
    system::System,
};

/// Packages come from sources of one to four.
const PER_SOURCE: f64 = 2.5;
/// Builds that are held in memory at once.
const INSERTED: usize = 1000;
/// Builds that are tagged one after the other.
const TAGGED: u32 = 5;

/// What one run took.
#[derive(Clone, Copy, Debug)]
struct Cost {
    wall: f64,
    cpu: f64,
    /// MB.
    peak: f64,
    /// MB that were read and written, by any call.
    read: f64,
    written: f64,
}

/// Measures each size; prints a table of each, and answers the figures.
pub(crate) async fn measure(system: &System, sizes: &[u32], createrepos: &[PathBuf]) -> Result<Value> {
    println!("\nRepos: a new one of a tag (toji), or of a folder (createrepo_c, without sqlite)");
    let made_up = MadeUp::new();
    let mut figures = Map::new();
    let mut first = 0;
    for &size in sizes {
        let sources = first..first + (f64::from(size) / PER_SOURCE).round() as u32;
        first = sources.end;
        let mut table = Table::new(&[&format!("{size} packages"), "wall", "CPU", "peak", "read", "written"]);
        let mut of_size = Map::new();
        let mut told = |what: &str, cost: Cost| {
            let mb = |number: f64| format!("{number:.0} MB");
            table.row(&[what.to_owned(), ms(cost.wall), ms(cost.cpu), mb(cost.peak), mb(cost.read), mb(cost.written)]);
            let cost = json!({"wall_s": cost.wall, "cpu_s": cost.cpu, "peak_mb": cost.peak, "read_mb": cost.read,
                "written_mb": cost.written});
            of_size.insert(what.to_owned(), cost);
        };
        toji(system, &made_up, sources.clone(), &mut told).await?;
        for binary in createrepos {
            createrepo(binary, &made_up, sources.clone(), &mut told).await?;
        }
        table.print();
        figures.insert(size.to_string(), Value::Object(of_size));
    }
    Ok(Value::Object(figures))
}

async fn toji(system: &System, made_up: &MadeUp, sources: Range<u32>, told: &mut impl FnMut(&str, Cost)) -> Result<()> {
    let mut database = PgConnection::connect(&system.database_url).await?;
    let tag = format!("bench-repo-{}", sources.len());
    call(system, "createTag", &[("name", &tag), ("arches", "x86_64")]).await?;
    for begin in sources.clone().step_by(INSERTED) {
        let numbers = begin..sources.end.min(begin + INSERTED as u32);
        let builds: Vec<MadeUpBuild> = numbers.map(|number| made_up.build(number, 1)).collect();
        made_up::insert(&mut database, &tag, &builds).await;
    }
    sqlx::raw_sql("VACUUM ANALYZE").execute(&mut database).await?;
    sqlx::raw_sql("CHECKPOINT").execute(&mut database).await?;
    told("toji, all anew", new_repo(system, &mut database, &tag).await?);
    let mut costs = Vec::new();
    for version in 2..2 + TAGGED {
        let number = sources.start + version * 7919 % sources.len() as u32;
        made_up::insert(&mut database, &tag, &[made_up.build(number, version)]).await;
        costs.push(new_repo(system, &mut database, &tag).await?);
    }
    costs.sort_by(|a, b| a.wall.total_cmp(&b.wall));
    told("toji, one build tagged", costs[costs.len() / 2]);
    told("toji, nothing changed", new_repo(system, &mut database, &tag).await?);
    Ok(())
}

async fn call(system: &System, method: &str, arguments: &[(&str, &str)]) -> Result<Argument> {
    let named = arguments.iter().map(|(name, value)| ((*name).to_owned(), Argument::from(*value))).collect();
    Ok(system.client()?.call_named(method, named).await?)
}

/// From the request to READY.
async fn new_repo(system: &System, database: &mut PgConnection, tag: &str) -> Result<Cost> {
    let watched = system.watched;
    proc::forget_peak(watched.hub)?;
    let (cpu, io, begun) = (watched.cpu()?, proc::io(watched.hub)?, Instant::now());
    let answer = call(system, "newRepo", &[("tag", tag)]).await?;
    let task = answer.as_int().context("no task")?;
    loop {
        let state: i16 =
            sqlx::query_scalar("SELECT state FROM task WHERE id = $1").bind(task).fetch_one(&mut *database).await?;
        match state {
            2 => break,
            0 | 1 | 4 => tokio::time::sleep(Duration::from_millis(5)).await,
            _ => anyhow::bail!("no repo of {tag} was made"),
        }
        ensure!(begun.elapsed() < Duration::from_secs(600), "the repo of {tag} does not become READY");
    }
    let wall = begun.elapsed().as_secs_f64();
    let (cpu, after) = (watched.cpu()?.since(cpu), proc::io(watched.hub)?);
    Ok(Cost {
        wall,
        cpu: cpu.hub + cpu.database,
        peak: proc::peak(watched.hub)?,
        read: after.0 - io.0,
        written: after.1 - io.1,
    })
}

async fn createrepo(
    binary: &Path,
    made_up: &MadeUp,
    sources: Range<u32>,
    told: &mut impl FnMut(&str, Cost),
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let version = Command::new(binary).arg("--version").output().with_context(|| binary.display().to_string())?;
    let version = String::from_utf8_lossy(&version.stdout);
    let version = version.split_whitespace().nth(1).unwrap_or("?").to_owned();
    let one = sources.start + 7;
    for number in sources {
        made_up::write(&[made_up.build(number, 1)], folder.path());
    }
    let run = async |update: &[&str]| {
        let mut command = Command::new(binary);
        command.args(["--quiet", "--no-database"]).args(update).arg(folder.path());
        child(&mut command).await
    };
    let update = ["--update", "--skip-stat"];
    told(&format!("createrepo_c {version}, all anew"), run(&[]).await?);
    for rpm in &made_up.build(one, 1).rpms {
        fs::remove_file(folder.path().join(rpm.file_name(&made_up.build(one, 1))))?;
    }
    made_up::write(&[made_up.build(one, 2)], folder.path());
    told(&format!("createrepo_c {version} --update --skip-stat, one build"), run(&update).await?);
    told(&format!("createrepo_c {version} --update --skip-stat, nothing"), run(&update).await?);
    Ok(())
}

/// Runs a program to its end.
async fn child(command: &mut Command) -> Result<Cost> {
    let before = proc::of_children()?;
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let (mut peak, mut io) = (0.0, (0.0, 0.0));
    while child.try_wait()?.is_none() {
        // both are gone with the process: what was seen last counts
        peak = proc::peak(child.id()).unwrap_or(peak);
        io = proc::io(child.id()).unwrap_or(io);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let wall = begun.elapsed().as_secs_f64();
    ensure!(child.wait()?.success(), "{command:?} failed");
    Ok(Cost { wall, cpu: proc::of_children()? - before, peak, read: io.0, written: io.1 })
}
