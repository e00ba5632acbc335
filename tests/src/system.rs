//! A whole system: a server, builders, a database and a folder.

use std::{
    env,
    ffi::OsString,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command as Program,
    time::Duration,
};

use serde_json::json;
use tempfile::TempDir;
use toji_protocol::client::{Client, Retry};
use tokio::process::Command;

use crate::{
    database::Database,
    golden::Golden,
    hub::Hub,
    postgres::free_port,
    process::Daemon,
    programs::{koji, program},
    said::Said,
    traces,
    wait::{SOON, until},
};

/// The first admin.
pub const ADMIN: &str = "admin";
/// The first admin's token.
pub const TOKEN: &str = "a-token-for-tests";

mod messages;
mod parts;

pub use parts::{Part, names_in};

/// How the system is to be.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// Builders.
    pub builders: usize,
    /// Seconds that a silent builder keeps its task.
    pub lease: u32,
    /// The Postgres server; `DATABASE_URL`'s unless said.
    pub postgres: Option<String>,
    /// Hooks, webhooks and added methods: the text of their file.
    pub hooks: Option<String>,
    /// What takes messages, and the passes, in a process of its own.
    pub is_split: bool,
    /// What each builder claims to be; the machine's own architecture where nothing is said.
    pub arches: Vec<&'static str>,
    /// A folder with signing keys (`file:NAME`).
    pub signing_keys: Option<PathBuf>,
    /// The folder with the distribution that is built in; `TOJI_TEST_MINIDISTRO`'s unless said.
    pub distribution: Option<PathBuf>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            builders: 1,
            lease: 4,
            postgres: None,
            hooks: None,
            is_split: false,
            arches: Vec::new(),
            signing_keys: None,
            distribution: None,
        }
    }
}

/// What a builder is.
#[derive(Clone, Debug)]
pub struct BuilderProgram {
    /// The program.
    pub name: String,
    /// Further lines of its settings.
    pub settings: String,
    /// A program and its arguments that becomes it; empty: none.
    pub through: Vec<OsString>,
}

impl Default for BuilderProgram {
    fn default() -> Self {
        Self { name: "toji-builder".to_owned(), settings: String::new(), through: Vec::new() }
    }
}

/// A whole system. All of it ends when this is dropped, whatever state it is in.
pub struct System {
    /// The API.
    pub hub: Hub,
    /// The server's URL.
    pub url: String,
    /// The database.
    pub database: Database,
    /// What builders are that are started from now on.
    pub builder: BuilderProgram,
    lease: u32,
    hooks: Option<String>,
    is_split: bool,
    arches: Vec<&'static str>,
    signing_keys: Option<PathBuf>,
    distribution: PathBuf,
    port: u16,
    server: Option<Daemon>,
    worker: Option<Daemon>,
    builders: Vec<Option<Daemon>>,
    dir: TempDir,
}

impl System {
    /// Starts a system with the target `demo`, in whose tag all golden packages may be built.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start(wishes: Wishes) -> Self {
        let postgres = wishes.postgres.unwrap_or_else(|| env::var("DATABASE_URL").expect("DATABASE_URL is set"));
        let dir = tempfile::Builder::new().prefix("toji-e2e-").tempdir().expect("a folder can be made");
        // builders' children, who are somebody else, look into it
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(dir.path(), open).expect("a folder can be opened");
        let database = Database::create(&postgres).await;
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let patient = Retry { total: SOON, first: Duration::from_millis(20), longest: Duration::from_millis(200) };
        let client = Client::new(&url, Some(TOKEN)).expect("a client can be made").with_retry(patient);
        let builders = (0..wishes.builders).map(|_| None).collect();
        let mut system = Self {
            hub: Hub { client },
            url,
            database,
            builder: BuilderProgram::default(),
            lease: wishes.lease,
            hooks: wishes.hooks,
            is_split: wishes.is_split,
            arches: wishes.arches,
            signing_keys: wishes.signing_keys,
            distribution: wishes.distribution.unwrap_or_else(distribution),
            port,
            server: None,
            worker: None,
            builders,
            dir,
        };
        system.start_server().await;
        if system.is_split {
            system.start_worker();
        }
        system.set_up_tags().await;
        for n in 0..wishes.builders {
            system.start_builder(n).await;
        }
        system
    }

    /// A folder for the test's own files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A new folder below it.
    ///
    /// # Panics
    /// When it is there.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.dir().join(name);
        fs::create_dir(&folder).expect("a new folder");
        folder
    }

    /// The source RPM of a package.
    pub fn srpm(&self, package: &Golden) -> PathBuf {
        package.srpm(self.dir())
    }

    // ── the server ───────────────────────────────────────────────────────────────────────

    /// Starts the server, and waits until it answers.
    ///
    /// # Panics
    /// When it ends instead.
    pub async fn start_server(&mut self) {
        let mut command = self.local(if self.is_split { "front" } else { "all" });
        let mut server = Daemon::start(&mut command, &self.dir().join("toji-local.log"));
        let once = self.hub.client.clone().with_retry(Retry::NEVER);
        let once = Hub { client: once };
        until("the server", SOON, async || {
            assert!(server.is_running(), "the server has ended:\n{}", server.last_words());
            once.ask("getAPIVersion", json!([])).await.ok()
        })
        .await;
        self.server = Some(server);
    }

    fn local(&self, parts: &str) -> Program {
        let mut command = self.program("toji-local");
        command.args(["serve", "--parts", parts, "--listen", &format!("127.0.0.1:{}", self.port), "--admin", ADMIN]);
        command.args(["--lease-seconds", &self.lease.to_string()]);
        command.arg("--data").arg(self.dir().join("data")).arg("--demo-repo").arg(&self.distribution);
        if let Some(hooks) = &self.hooks {
            command.env("TOJI_HOOKS", hooks);
        }
        if let Some(keys) = &self.signing_keys {
            command.arg("--signing-keys").arg(keys);
        }
        command.env("TOJI_ADMIN_TOKEN", TOKEN).env("DATABASE_URL", &self.database.url);
        command
    }

    /// Kills the server with SIGKILL.
    pub fn kill_server(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill();
        }
    }

    /// The letter with this subject, once it was sent: the message, its folded lines made whole.
    ///
    /// # Panics
    /// When none comes.
    pub async fn letter(&self, subject: &str) -> String {
        let folder = self.dir().join("data/mail");
        let wanted = format!("Subject: {subject}\r\n");
        until(&format!("the letter '{subject}'"), SOON, async || {
            let letters = fs::read_dir(&folder).into_iter().flatten().flatten();
            let mut texts = letters.filter_map(|letter| fs::read_to_string(letter.path()).ok());
            texts.find_map(|text| {
                let (head, body) = text.split_once("\r\n\r\n")?;
                let head = head.replace("\r\n ", " ") + "\r\n";
                head.contains(&wanted).then(|| format!("{head}\r\n{body}"))
            })
        })
        .await
    }

    // ── builders ─────────────────────────────────────────────────────────────────────────

    /// Starts a builder, and waits until the hub knows it. It comes back as the host that it was.
    ///
    /// # Panics
    /// When it ends instead.
    pub async fn start_builder(&mut self, n: usize) {
        let name = builder_name(n);
        let state = self.dir().join(&name);
        let arch = self.arches.get(n).copied().unwrap_or(env::consts::ARCH);
        let settings = format!(
            "server = {:?}\nname = {name:?}\nstate_dir = {state:?}\narches = [{arch:?}]\nbuildroot = \"bwrap\"\n\
             minspace = 256\nmax_load = 0.0\nmin_memory = 32\n{}\n",
            self.url, self.builder.settings
        );
        let file = self.dir().join(format!("{name}.toml"));
        fs::write(&file, settings).expect("settings can be written");
        let mut command = self.builder_program();
        command.arg("--config").arg(&file).env("TOJI_ENROL_TOKEN", TOKEN);
        let before = self.last_seen(&name).await;
        let mut builder = Daemon::start(&mut command, &self.dir().join(format!("{name}.log")));
        until(&name, SOON, async || {
            assert!(builder.is_running(), "{name} has ended:\n{}", builder.last_words());
            let seen = self.last_seen(&name).await;
            (seen.is_some() && seen != before).then_some(())
        })
        .await;
        self.builders[n] = Some(builder);
    }

    /// When a builder was heard of last; None when it was never there.
    async fn last_seen(&self, name: &str) -> Option<f64> {
        let host = self.hub.call("getHost", json!([name])).await;
        host["ready"].as_bool().filter(|ready| *ready)?;
        self.hub.call("getLastHostUpdate", json!([host["id"], true])).await.as_f64()
    }

    /// Kills a builder with SIGKILL. What it has started lives on.
    pub fn kill_builder(&mut self, n: usize) {
        if let Some(mut builder) = self.builders[n].take() {
            builder.kill();
        }
    }

    /// A builder's process id; what it was run by has become the builder.
    ///
    /// # Panics
    /// When it does not run.
    pub fn builder_pid(&self, n: usize) -> u32 {
        self.builders[n].as_ref().expect("the builder runs").id()
    }

    /// A builder's log.
    ///
    /// # Panics
    /// When it has none.
    pub fn builder_log(&self, n: usize) -> String {
        fs::read_to_string(self.dir().join(format!("{}.log", builder_name(n)))).expect("the builder has a log")
    }

    /// Starts one more builder, with further settings as its file has them, and run by a program that becomes it.
    ///
    /// # Panics
    /// When it ends instead.
    pub async fn add_builder(&mut self, settings: &str, through: Vec<OsString>) {
        self.builder = BuilderProgram { settings: settings.to_owned(), through, ..BuilderProgram::default() };
        self.builders.push(None);
        self.start_builder(self.builders.len() - 1).await;
    }

    /// Whether a builder's process has ended.
    pub fn builder_has_ended(&mut self, n: usize) -> bool {
        self.builders[n].as_mut().is_none_or(|builder| !builder.is_running())
    }

    /// Which builder has a task.
    ///
    /// # Panics
    /// When none has.
    pub async fn builder_of(&self, task: i64) -> usize {
        let host = self.hub.task(task).await["host_id"].clone();
        let host = self.hub.call("getHost", json!([host])).await;
        let n = (0..self.builders.len()).find(|n| host["name"] == builder_name(*n).as_str());
        n.unwrap_or_else(|| panic!("no builder has task {task}: {host}"))
    }

    /// Where builders must get to: the API, S3 and SQS.
    ///
    /// # Panics
    /// When the server does not remember its ports.
    pub fn servers(&self) -> Vec<SocketAddr> {
        let remembered = fs::read(self.dir().join("data/cloud.json")).expect("the server remembers its ports");
        let remembered: serde_json::Value = serde_json::from_slice(&remembered).expect("ports are remembered as JSON");
        let remembered =
            ["s3_port", "sqs_port"].map(|port| remembered[port].as_u64().and_then(|port| port.try_into().ok()));
        let ports = [Some(self.port)].into_iter().chain(remembered);
        ports.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port.expect("a port")))).collect()
    }

    // ── commands ─────────────────────────────────────────────────────────────────────────

    /// Runs `toji` as the admin.
    pub async fn toji(&self, arguments: &[&str]) -> Said {
        self.toji_as(TOKEN, arguments).await
    }

    /// Runs `toji` with another token.
    pub async fn toji_as(&self, token: &str, arguments: &[&str]) -> Said {
        let mut command = Command::new(program("toji"));
        command.args(arguments).env("TOJI_SERVER", &self.url).env("TOJI_TOKEN", token);
        command.env_remove("TOJI_PROFILE").env_remove("TOJI_TOPURL");
        Said::by(command.current_dir(self.dir()).env("HOME", self.dir())).await
    }

    /// Runs the stock client as the admin in a folder; None where there is no stock client.
    ///
    /// # Panics
    /// When its settings cannot be written.
    pub async fn koji(&self, folder: &Path, arguments: &[&str]) -> Option<Said> {
        self.koji_as(TOKEN, folder, arguments).await
    }

    /// As [`System::koji`], with another token.
    ///
    /// # Panics
    /// When its settings cannot be written.
    pub async fn koji_as(&self, token: &str, folder: &Path, arguments: &[&str]) -> Option<Said> {
        let config = self.dir().join("koji.conf");
        let text = format!(
            "[toji]\nserver = {0}/kojihub\nweburl = {0}\ntopurl = {0}/kojifiles\nauthtype = password\n\
             poll_interval = 1\n",
            self.url
        );
        fs::write(&config, text).expect("settings can be written");
        let mut command = Command::new(koji()?);
        command.arg("-c").arg(config).args(["-p", "toji", "--user", ADMIN, "--password", token]).args(arguments);
        Some(Said::by(command.current_dir(folder).env("HOME", self.dir())).await)
    }

    /// Runs plain dnf, which knows of toji only the address of a tag's newest repo.
    pub async fn dnf(&self, tag: &str, arguments: &[&str]) -> Said {
        self.dnf_for(env::consts::ARCH, tag, arguments).await
    }

    /// The same for another architecture.
    pub async fn dnf_for(&self, arch: &str, tag: &str, arguments: &[&str]) -> Said {
        let cache = self.dir().join("dnf-cache");
        let repo = format!("e2e-{arch},{}/kojifiles/repos/{tag}/latest/{arch}", self.url);
        let mut command = Command::new("dnf");
        command.args(["-q", "--refresh", "--setopt=reposdir=/dev/null", "--setopt=plugins=0"]);
        command.arg(format!("--setopt=cachedir={}", cache.display()));
        command.args(["--releasever=1", &format!("--forcearch={arch}"), &format!("--repofrompath={repo}")]);
        Said::by(command.args(arguments).env("HOME", self.dir())).await
    }

    // ── the rest ─────────────────────────────────────────────────────────────────────────

    fn builder_program(&self) -> Program {
        let BuilderProgram { name, through, .. } = &self.builder;
        let [first, rest @ ..] = through.as_slice() else { return self.program(name) };
        let mut command = self.marked(Program::new(first));
        command.args(rest).arg(program(name));
        command
    }

    fn program(&self, name: &str) -> Program {
        self.marked(Program::new(program(name)))
    }

    fn marked(&self, mut command: Program) -> Program {
        // by this, what it starts is found again
        command.env("TOJI_TEST_DIR", self.dir());
        command
    }

    async fn set_up_tags(&self) {
        let hub = &self.hub;
        let mut arches = self.arches.clone();
        arches.push(env::consts::ARCH);
        arches.sort_unstable();
        arches.dedup();
        let arch = arches.join(" ");
        for (tag, parent) in [("demo", json!(null)), ("demo-build", json!("demo"))] {
            hub.call("createTag", json!({ "name": tag, "arches": arch, "parent": parent })).await;
        }
        hub.call("createBuildTarget", json!(["demo", "demo-build", "demo"])).await;
        let repo = format!("{}/minidistro/$arch", self.url);
        hub.call("createExternalRepo", json!(["minidistro", repo])).await;
        hub.call("addExternalRepoToTag", json!(["demo-build", "minidistro", 5])).await;
        for group in ["build", "srpm-build"] {
            hub.call("groupListAdd", json!(["demo-build", group])).await;
            hub.call("groupPackageListAdd", json!(["demo-build", group, "minidistro-buildroot"])).await;
        }
        for package in Golden::NAMES {
            hub.call("packageListAdd", json!(["demo", package, ADMIN])).await;
        }
    }
}

/// The folder with the mini distribution.
pub(crate) fn distribution() -> PathBuf {
    env::var_os("TOJI_TEST_MINIDISTRO").expect("TOJI_TEST_MINIDISTRO is set").into()
}

fn builder_name(n: usize) -> String {
    format!("builder-{n}")
}

impl Drop for System {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for daemon in self.server.iter().chain(&self.worker).chain(self.builders.iter().flatten()) {
                eprintln!("{}", daemon.last_words());
            }
        }
        // builders first: they hand their tasks back while there is a hub to hand them to
        for builder in self.builders.iter_mut().flatten() {
            builder.terminate(Duration::from_secs(15));
        }
        for part in self.worker.iter_mut().chain(&mut self.server) {
            part.terminate(Duration::from_secs(10));
        }
        traces::clear(self.dir.path());
    }
}
