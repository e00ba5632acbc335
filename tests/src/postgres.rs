//! A Postgres server of a test's own, which it may stop.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::wait::{SOON, until};

/// The user that runs it when we are root: Postgres refuses to be run by root.
const USER: &str = "postgres";

/// A cluster in a folder of its own. It is stopped when this is dropped.
pub struct Postgres {
    /// Its superuser's URL.
    pub url: String,
    dir: TempDir,
    bin: PathBuf,
}

impl Postgres {
    /// Makes a cluster and starts it.
    ///
    /// # Panics
    /// When Postgres is not installed or does not start.
    pub fn start() -> Self {
        Self::with("fsync = off\n")
    }

    /// Makes a cluster that bears being killed, and starts it.
    ///
    /// # Panics
    /// As [`Postgres::start`].
    pub fn durable() -> Self {
        Self::with("fsync = on\nsynchronous_commit = on\nfull_page_writes = on\n")
    }

    fn with(durability: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("toji-pg-").tempdir().expect("a folder can be made");
        if rustix::process::geteuid().is_root() {
            let chown = Command::new("chown").arg(USER).arg(dir.path()).status();
            assert!(chown.is_ok_and(|status| status.success()), "{USER} cannot have a folder");
        }
        let port = free_port();
        let url = format!("postgres://toji@127.0.0.1:{port}/postgres");
        let postgres = Self { url, dir, bin: newest() };
        let data = postgres.data();
        postgres.run("initdb", &["-D", &data, "-U", "toji", "-E", "UTF8", "--locale=C.UTF-8", "--auth=trust", "-N"]);
        let settings =
            format!("port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n{durability}");
        let file = Path::new(&data).join("postgresql.auto.conf");
        fs::write(file, settings).expect("settings can be written");
        postgres.resume();
        postgres
    }

    /// Starts it again.
    ///
    /// # Panics
    /// When it does not start.
    pub fn resume(&self) {
        let (data, log) = (self.data(), self.dir.path().join("log").display().to_string());
        self.run("pg_ctl", &["-D", &data, "-l", &log, "-w", "start"]);
    }

    /// Stops it at once: whoever was connected no longer is.
    ///
    /// # Panics
    /// When it does not stop.
    pub fn stop(&self) {
        self.run("pg_ctl", &["-D", &self.data(), "-m", "fast", "-w", "stop"]);
    }

    /// Kills it with SIGKILL: the server, and all that it has started. Nothing is written down any more.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn kill(&self) {
        let file = Path::new(&self.data()).join("postmaster.pid");
        let text = fs::read_to_string(file).expect("Postgres runs");
        let server: i32 = text.lines().next().and_then(|line| line.parse().ok()).expect("its file names the process");
        let server = Pid::from_raw(server).expect("a process has a number");
        // Halted, it starts no more of them. They would notice its end, but only in a moment, and a new server waits for them.
        kill_process(server, Signal::STOP).expect("Postgres runs");
        let children = children_of(server.as_raw_nonzero().get()).into_iter().filter_map(Pid::from_raw);
        let doomed: Vec<Pid> = std::iter::once(server).chain(children).collect();
        for pid in &doomed {
            let _ = kill_process(*pid, Signal::KILL);
        }
        // until somebody has reaped the server, its number is taken, and a new one believes that it runs
        let gone = async || doomed.iter().all(|pid| parent_of(pid.as_raw_nonzero().get()).is_none()).then_some(());
        until("Postgres's end", SOON, gone).await;
    }

    fn data(&self) -> String {
        self.dir.path().join("data").display().to_string()
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let program = self.bin.join(program);
        let mut command = if rustix::process::geteuid().is_root() {
            let mut drop = Command::new("setpriv");
            drop.args(["--reuid", USER, "--regid", USER, "--clear-groups"]).arg(program);
            drop
        } else {
            Command::new(program)
        };
        command.args(arguments).current_dir("/");
        command
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        // into a file, not a pipe: the server that pg_ctl starts would hold the pipe open
        let said = self.dir.path().join(format!("{program}.said"));
        let file = fs::File::create(&said).expect("a file can be written");
        let mut command = self.command(program, arguments);
        command.stdout(file.try_clone().expect("a file can be shared")).stderr(file);
        let status = command.status().unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(status.success(), "{program}: {}", fs::read_to_string(&said).unwrap_or_default());
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.data();
        let _ = self.command("pg_ctl", &["-D", &data, "-m", "immediate", "-w", "stop"]).output();
    }
}

/// A port nobody has now. Below 32768 the kernel hands out none to outgoing connections.
///
/// # Panics
/// When all are taken.
pub(crate) fn free_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let mut ports = std::iter::repeat_with(|| rand::random_range(20_000..32_000)).take(1000);
    ports.find(is_free).expect("a port is free")
}

/// The processes whose parent is this one.
fn children_of(parent: i32) -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_child = |pid: &i32| parent_of(*pid) == Some(parent);
    pids.filter(is_child).collect()
}

/// A process's parent.
fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name stands in brackets, and may hold anything; the state comes next
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn newest() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.max_by_key(|entry| entry.file_name().to_string_lossy().parse::<u32>().unwrap_or(0));
    newest.expect("Postgres is installed").path().join("bin")
}
