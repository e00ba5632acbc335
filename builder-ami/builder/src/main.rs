//! `toji-builder`: the builder daemon.

use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

use clap::Parser;
use toji_builder::Ended;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The status that asks whoever started it to start it anew.
const RESTART: u8 = 75;

/// Takes build tasks from a toji hub and runs them.
///
/// Ends by SIGTERM or SIGINT, handing its tasks back, when it was drained, or with status 75 when it is to be started anew.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The settings
    #[arg(long, value_name = "FILE", default_value = "/etc/toji/builder.toml")]
    config: PathBuf,
    /// Only watch for EC2's notices that this machine goes, and tell the builder when one came
    #[arg(long)]
    notices: bool,
    /// Write the log as JSON
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    if args.json {
        log.json().init()
    } else {
        log.init()
    }
    match run(args).await {
        Ok(Ended::Stopped | Ended::Drained) => ExitCode::SUCCESS,
        Ok(Ended::Restart) => ExitCode::from(RESTART),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<Ended> {
    let config = toji_builder::Config::load(&args.config)?;
    if args.notices {
        toji_builder::announce(&config).await?;
        return Ok(Ended::Stopped);
    }
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(toji_builder::run(config, toji_builder::Handlers::own(), shutdown).await?)
}
