//! The instance that is measured: toji-local and a builder, as processes of their own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use sqlx::{Connection as _, PgConnection};
use toji_protocol::client::Client;

use crate::{Arguments, http::Connection, proc, proc::Watched, xml};

/// The admin of the instance.
pub(crate) const ADMIN: &str = "admin";
/// The admin's token: of a system that nobody else can reach, and that is gone in a minute.
pub(crate) const TOKEN: &str = "bench-token-of-a-throw-away-instance";

/// Tasks that the builder runs at once. Each `sleep` weighs 1, so the capacity holds none back.
pub(crate) const MAX_JOBS: u16 = 50;
/// The sum of weights that the builder takes.
pub(crate) const CAPACITY: f64 = 100.0;

/// A process, killed when dropped.
struct Running {
    name: &'static str,
    child: Child,
}

impl Running {
    fn start(name: &'static str, log: &Path, command: &mut Command) -> Result<Self> {
        let log = fs::File::create(log)?;
        let command = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Self { name, child: command.spawn().with_context(|| format!("cannot start {name}"))? })
    }

    /// Asks it to end, and waits.
    async fn stop(mut self) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(begun.elapsed() < Duration::from_secs(60), "{} does not stop", self.name);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // nothing is left to be done about it
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn says_hello(address: &str) -> bool {
    let request = xml::request(address, None, "identity", &xml::document("hello", &[]));
    match Connection::open(address).await {
        Ok(mut connection) => connection.ask(&request).await.is_ok(),
        Err(_) => false,
    }
}

/// The URL of another database of the same server.
fn beside(url: &str, database: &str) -> String {
    let (url, query) = url.split_once('?').map_or((url, String::new()), |(url, query)| (url, format!("?{query}")));
    let (server, _) = url.rsplit_once('/').unwrap_or((url, ""));
    format!("{server}/{database}{query}")
}

/// The instance.
pub(crate) struct System {
    programs: PathBuf,
    home: PathBuf,
    /// Its own database.
    pub(crate) database_url: String,
    /// `host:port`.
    pub(crate) address: String,
    /// What CPU and memory are measured of.
    pub(crate) watched: Watched,
    hub: Running,
    builder: Option<Running>,
}

impl System {
    /// Starts toji-local on an empty database of its own.
    pub(crate) async fn start(arguments: &Arguments, home: &Path) -> Result<Self> {
        let mut database =
            PgConnection::connect(&arguments.database_url).await.context("cannot connect to Postgres")?;
        sqlx::raw_sql("DROP DATABASE IF EXISTS toji_bench WITH (FORCE)").execute(&mut database).await?;
        sqlx::raw_sql("CREATE DATABASE toji_bench").execute(&mut database).await?;
        let database_url = beside(&arguments.database_url, "toji_bench");
        let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut database).await?;
        let postmaster = proc::parent(backend.try_into()?)?;

        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new(arguments.programs.join("toji-local"));
        command.args(["serve", "--listen", &address, "--admin", ADMIN, "--data"]).arg(home.join("data"));
        command.env("DATABASE_URL", &database_url).env("TOJI_ADMIN_TOKEN", TOKEN);
        let hub = Running::start("toji-local", &home.join("toji-local.log"), &mut command)?;
        let watched = Watched { hub: hub.child.id(), postmaster };
        let programs = arguments.programs.clone();
        let mut system = Self { programs, home: home.to_owned(), address, database_url, watched, hub, builder: None };
        system.healthy().await?;
        Ok(system)
    }

    /// Starts the builder, unless it runs.
    pub(crate) fn start_builder(&mut self) -> Result<()> {
        if self.builder.is_some() {
            return Ok(());
        }
        let state = self.home.join("builder");
        fs::create_dir_all(&state)?;
        let config = self.home.join("builder.toml");
        let text = format!(
            "server = \"http://{}\"\nname = \"bench\"\nstate_dir = \"{}\"\narches = [\"{}\"]\ncapacity = {CAPACITY:.1}\n\
             max_jobs = {MAX_JOBS}\nchannels = [\"default\", \"createrepo\"]\nbuildroot = \"bwrap\"\nminspace = 1\nmax_load = 0.0\nmin_memory = 0\n",
            self.address,
            state.display(),
            std::env::consts::ARCH
        );
        fs::write(&config, text)?;
        let mut command = Command::new(self.programs.join("toji-builder"));
        command.arg("--config").arg(config).env("TOJI_ENROL_TOKEN", TOKEN);
        self.builder = Some(Running::start("toji-builder", &self.home.join("builder.log"), &mut command)?);
        Ok(())
    }

    /// The typed client.
    pub(crate) fn client(&self) -> Result<Client> {
        Ok(Client::new(&format!("http://{}", self.address), Some(TOKEN))?)
    }

    async fn healthy(&mut self) -> Result<()> {
        let begun = Instant::now();
        while !says_hello(&self.address).await {
            let is_over = self.hub.child.try_wait()?.is_some() || begun.elapsed() > Duration::from_secs(60);
            if is_over {
                bail!("toji-local did not start:\n{}", fs::read_to_string(self.home.join("toji-local.log"))?);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// What the builder has written, for who wonders.
    pub(crate) fn builder_log(&self) -> String {
        fs::read_to_string(self.home.join("builder.log")).unwrap_or_default()
    }

    /// Stops the builder, if it runs.
    pub(crate) async fn stop_builder(&mut self) -> Result<()> {
        match self.builder.take() {
            Some(builder) => builder.stop().await,
            None => Ok(()),
        }
    }

    /// Stops everything.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.stop_builder().await?;
        self.hub.stop().await
    }
}
