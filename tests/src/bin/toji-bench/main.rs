//! `toji-bench`: how quick dispatch and the API are, on an instance of its own; beside Koji's figures.
//!
//! This process is the load generator, and nothing else: toji-local and the builder are processes of their own.

mod api;
mod dispatch;
mod http;
mod load;
mod logs;
mod proc;
mod report;
mod repos;
mod seed;
mod system;
mod xml;

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use serde_json::{Map, Value};

/// Measures toji.
#[derive(Parser)]
struct Arguments {
    /// Where toji-local and toji-builder are
    #[arg(long, value_name = "FOLDER")]
    programs: PathBuf,
    /// Where the figures go, as JSON
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A Postgres server; the database `toji_bench` is made anew there
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// Measure this alone
    #[arg(long)]
    only: Option<Part>,
    /// Seconds of one run against the API; five runs are made of each call
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Packages of the repos that are made
    #[arg(long, value_delimiter = ',', default_values_t = [2_000, 10_000, 50_000])]
    packages: Vec<u32>,
    /// A createrepo_c to compare with; may be repeated
    #[arg(long, value_name = "PROGRAM", default_value = "createrepo_c")]
    createrepo: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Dispatch,
    Api,
    Logs,
    Repos,
}

/// One thread: the cores are for what is measured.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let wants = |part| arguments.only.is_none_or(|only| only == part);
    let mut figures = Map::new();
    figures.insert("machine".to_owned(), report::machine());
    let home = tempfile::tempdir()?;
    let mut system = system::System::start(&arguments, home.path()).await?;
    if wants(Part::Dispatch) {
        system.start_builder()?;
        figures.insert("dispatch".to_owned(), dispatch::measure(&system).await?);
    }
    system.stop_builder().await?;
    if wants(Part::Repos) {
        let measured = repos::measure(&system, &arguments.packages, &arguments.createrepo).await?;
        figures.insert("repos".to_owned(), measured);
    }
    if wants(Part::Api) {
        seed::fill(&system.database_url).await?;
        figures.insert("api".to_owned(), api::measure(&system, arguments.seconds).await?);
    }
    system.stop().await?;
    if wants(Part::Logs) {
        figures.insert("logs".to_owned(), logs::measure().await?);
    }
    let text = serde_json::to_string_pretty(&Value::Object(figures))?;
    fs::write(&arguments.out, text + "\n").with_context(|| format!("cannot write {}", arguments.out.display()))?;
    println!("\nwritten to {}", arguments.out.display());
    Ok(())
}
