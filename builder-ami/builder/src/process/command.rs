//! A program to be run for a task.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use tokio::{io::AsyncReadExt, process::Child};

use super::{Scope, spawner};

/// Where the programs of a builder's machine are.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Enters the control groups whose doors are named before `--`, and becomes the program named after it. Only the process itself can
/// do that in time: whoever started it might find it forked already.
const ENTER: &str = r#"while [ "$1" != -- ]; do echo 0 > "$1" || exit 125; shift; done; shift; exec "$@""#;

/// A program, its arguments and its surroundings. No shell reads them, and there is nothing of the builder's own environment.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    log: Option<PathBuf>,
    dir: Option<PathBuf>,
    /// Run as this user and group, without any privilege.
    uid: Option<u32>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Its exit status; 128 and the number when a signal ended it, as a shell tells it.
    pub status: i32,
}

impl Ended {
    /// Whether all went well.
    pub(crate) fn is_success(self) -> bool {
        self.status == 0
    }
}

impl From<ExitStatus> for Ended {
    fn from(status: ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        Self { status: status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(-1) }
    }
}

impl Command {
    /// A program, by name or path.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            log: None,
            dir: None,
            uid: None,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The file that all it says is added to.
    #[must_use]
    pub(crate) fn log(mut self, log: impl Into<PathBuf>) -> Self {
        self.log = Some(log.into());
        self
    }

    /// The folder that it begins in, instead of `/`.
    #[must_use]
    pub(crate) fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Runs it as that user and the group of the same number, without any privilege.
    #[must_use]
    pub(crate) fn uid(mut self, uid: u32) -> Self {
        self.uid = Some(uid);
        self
    }

    /// Runs it to its end. Dropping the future does not stop it: [`super::kill_all`] does.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) async fn run(self, scope: &Scope) -> io::Result<Ended> {
        let (stdout, stderr) = match &self.log {
            Some(log) => {
                let file = append_to(log)?;
                (Stdio::from(file.try_clone()?), Stdio::from(file))
            }
            None => (Stdio::null(), Stdio::null()),
        };
        let mut command = self.prepared(scope);
        command.stdout(stdout).stderr(stderr);
        let mut child = spawner::spawn(command).await?;
        ended(&mut child, scope).await
    }

    /// Runs it to its end and answers what it wrote to its standard output; complaints go to the log.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) async fn output(self, scope: &Scope) -> io::Result<(Ended, Vec<u8>)> {
        let stderr = self.stderr()?;
        let mut command = self.prepared(scope);
        command.stdout(Stdio::piped()).stderr(stderr);
        let mut child = spawner::spawn(command).await?;
        let mut output = Vec::new();
        let read = async {
            match child.stdout.take() {
                Some(mut stdout) => stdout.read_to_end(&mut output).await.map(drop),
                None => Ok(()),
            }
        };
        let read = read.await;
        let ended = ended(&mut child, scope).await?;
        read?;
        Ok((ended, output))
    }

    /// Starts it to be talked with: its standard input and output are pipes; complaints go to the log. As with [`Command::run`],
    /// dropping it does not stop it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) async fn start(self, scope: &Scope) -> io::Result<Child> {
        let stderr = self.stderr()?;
        let mut command = self.prepared(scope);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        spawner::spawn(command).await
    }

    fn stderr(&self) -> io::Result<Stdio> {
        self.log.as_deref().map_or(Ok(Stdio::null()), |log| Ok(append_to(log)?.into()))
    }

    fn prepared(self, scope: &Scope) -> tokio::process::Command {
        // setpriv asks the kernel to kill the program when the builder dies, and then becomes the program.
        let mut command = match scope.group() {
            Some(group) => {
                let mut shell = tokio::process::Command::new("sh");
                shell.args(["-c", ENTER, "sh"]).args(group.doors()).args(["--", "setpriv"]);
                shell
            }
            None => tokio::process::Command::new("setpriv"),
        };
        command.args(["--pdeathsig", "KILL"]);
        if let Some(uid) = self.uid {
            let uid = uid.to_string();
            command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups", "--no-new-privs"]);
            command.args(["--inh-caps=-all", "--bounding-set=-all"]);
        }
        command.arg("--");
        if let Some(most) = scope.most_of_user() {
            command.args(["prlimit", &format!("--nproc={most}"), "--"]);
        }
        command.arg(&self.program).args(&self.args);
        command.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8").envs(self.env);
        let (name, value) = scope.mark();
        command.env(name, value);
        command.current_dir(self.dir.as_deref().unwrap_or(Path::new("/"))).stdin(Stdio::null()).process_group(0);
        command
    }
}

/// Waits for a program's end, and notes what it took.
///
/// # Errors
/// When it cannot be waited for.
pub(crate) async fn ended(child: &mut Child, scope: &Scope) -> io::Result<Ended> {
    scope.meter().watch(child).await;
    Ok(child.wait().await?.into())
}

fn append_to(log: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(log)
}
