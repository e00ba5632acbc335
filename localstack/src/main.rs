//! `toji-local`: the whole of toji in one process, or its database's schema alone.

use std::{io::IsTerminal, net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result};
use chrono::TimeDelta;
use clap::{Parser, Subcommand};
use sqlx::PgPool;
use toji_hub::tag::Quirks;
use toji_keyring::{Keyring, KmsAccess};
use toji_local::{Local, Parts, Settings};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The whole of toji on one machine.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve everything until SIGTERM or Ctrl-C
    Serve(Box<Serve>),
    /// Change the database's schema
    Migrate {
        /// Postgres
        #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
        database_url: String,
        #[command(subcommand)]
        direction: Direction,
    },
}

#[derive(clap::Args)]
struct Serve {
    /// What runs in this process: everything; or only S3, SQS and the API; or, beside that, only what takes messages and the passes
    #[arg(long, value_enum, default_value_t = Parts::All)]
    parts: Parts,
    /// Where the API is served; port 0 picks one
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Postgres
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
    /// Where S3 and SQS keep what they hold
    #[arg(long)]
    data: PathBuf,
    /// The first admin
    #[arg(long, default_value = "admin")]
    admin: String,
    /// The first admin's API token
    #[arg(long, env = "TOJI_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: String,
    /// S3 and SQS of an emulator, instead of our own
    #[arg(long, value_name = "URL")]
    aws_endpoint: Option<String>,
    /// A folder of RPM repositories to serve at /minidistro/
    #[arg(long, value_name = "FOLDER")]
    demo_repo: Option<PathBuf>,
    /// The mail server, as smtp://host or smtps://user:password@host; otherwise letters become files below the data
    #[arg(long, value_name = "URL", env = "TOJI_SMTP_URL", hide_env_values = true)]
    smtp_url: Option<String>,
    /// Run a builder in this process, too, with these settings
    #[arg(long, value_name = "FILE")]
    builder_config: Option<PathBuf>,
    /// Seconds that a silent builder keeps its task
    #[arg(long, env = "TOJI_LEASE_SECONDS", value_parser = clap::value_parser!(i64).range(1..))]
    lease_seconds: Option<i64>,
    /// Policies, in the form of Koji's hub.conf; without it, and for those that it does not have, Koji's defaults
    #[arg(long, env = "TOJI_POLICY", value_name = "FILE", value_parser = toji_hub::env::policies)]
    policies: Option<toji_hub::policy::PolicyFile>,
    /// Hooks, webhooks and methods that others answer, as functions/events/README.md describes them
    #[arg(long, env = "TOJI_HOOKS", hide_env_values = true, value_name = "FILE", value_parser = toji_hub::env::hooks)]
    hooks: Option<toji_hub::callback::Settings>,
    /// How tags inherit: as in Koji, oddities included, or without them
    #[arg(long, env = "TOJI_QUIRKS", value_name = "koji|none", default_value = "koji")]
    quirks: Quirks,
    /// A folder with key files (RSA, PEM) for tags whose sign.key is file:NAME
    #[arg(long, env = "TOJI_SIGNING_KEYS", value_name = "FOLDER")]
    signing_keys: Option<PathBuf>,
    /// Whose the signing keys are
    #[arg(long, env = "TOJI_SIGNING_USER_ID", value_name = "NAME <ADDRESS>")]
    signing_user_id: Option<String>,
    /// KMS of an emulator, for tags whose sign.key is kms:...
    #[arg(long, value_name = "URL")]
    kms_endpoint: Option<String>,
}

#[derive(Subcommand)]
enum Direction {
    /// Apply what is missing
    Up,
    /// Undo all migrations after a version; 0 empties the database
    Down {
        /// The last version that stays
        #[arg(long)]
        to: i64,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let filter = EnvFilter::try_from_env("TOJI_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let is_terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_terminal).with_writer(std::io::stderr).init();
    match Arguments::parse().command {
        Command::Serve(serve) => run(*serve).await,
        Command::Migrate { database_url, direction } => migrate(&database_url, direction).await,
    }
}

async fn run(serve: Serve) -> Result<()> {
    // before anything starts, so that no signal finds us half way
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let keyring = keyring(serve.signing_keys, serve.kms_endpoint).await;
    let settings = Settings {
        parts: serve.parts,
        listen: serve.listen,
        database_url: serve.database_url,
        data: serve.data,
        admin: serve.admin,
        admin_token: serve.admin_token,
        aws_endpoint: serve.aws_endpoint,
        demo_repo: serve.demo_repo,
        smtp_url: serve.smtp_url.filter(|url| !url.is_empty()),
        lease: serve.lease_seconds.map(TimeDelta::seconds),
        policies: serve.policies.unwrap_or_default(),
        hooks: serve.hooks.unwrap_or_default(),
        quirks: serve.quirks,
        keyring,
        signing_user_id: serve.signing_user_id,
        builder: serve.builder_config.as_deref().map(toji_builder::Config::load).transpose()?,
    };
    let local = tokio::select! {
        started = Local::start(settings) => started?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    local.stop().await;
    Ok(())
}

/// The signing keys that can be reached: an emulator takes any credentials.
async fn keyring(folder: Option<PathBuf>, kms: Option<String>) -> Keyring {
    let mut keyring = Keyring::default();
    if let Some(folder) = folder {
        keyring = keyring.with_folder(folder);
    }
    match kms {
        Some(endpoint) => keyring.with_kms(KmsAccess::emulator(&endpoint)).await,
        None => keyring,
    }
}

async fn migrate(url: &str, direction: Direction) -> Result<()> {
    let pool = PgPool::connect(url).await.context("cannot connect to Postgres")?;
    match direction {
        Direction::Up => toji_hub::MIGRATIONS.run(&pool).await?,
        Direction::Down { to } => toji_hub::MIGRATIONS.undo(&pool, to).await?,
    }
    Ok(())
}
