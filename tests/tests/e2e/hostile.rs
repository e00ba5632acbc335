//! Packages that mean harm. Their builds fail with a plain reason, and the same builder goes on to build others.
//!
//! What multiplies does so within a [`Fence`], what fills a disk has a [`Disk`] of its own, and what looks for the metadata service does so
//! in a [`Network`] of its own.

use std::time::Duration;

use serde_json::json;
use toji_protocol::state::TaskState;
use toji_tests::{Disk, Fence, Golden, Network, SOON, System, Wishes, count, until};

/// The settings under test: far below the defaults, so that they are soon reached.
const PROCESSES: u32 = 200;
/// For builds that have much to do.
const LONG: u32 = 600;
/// What there may be within the fence: some tasks at their limit, and the builder.
const FENCE: u32 = 2000;
/// MiB beside the logs; what builds need by themselves, and the builder's gate, leave some to be filled.
const DISK: u32 = 1200;

/// A system with one builder, within a fence and on a disk of its own.
struct Ground {
    system: System,
    fence: Fence,
    disk: Disk,
    release: u32,
    /// Good builds, each begun after a hostile one.
    good: Vec<i64>,
}

impl Ground {
    async fn new(timeout: u32) -> Self {
        let (fence, disk) = (Fence::up(FENCE), Disk::of(DISK + most_logs()));
        let mut system = System::start(Wishes { builders: 0, lease: 60, ..Wishes::default() }).await;
        let settings = format!(
            "work_dir = {:?}\ncapacity = 4.0\nchannels = [\"default\", \"runroot\"]\nbuild_timeout = {timeout}\n\
             [limits]\nprocesses = {PROCESSES}\nlogs = {}\n[failed]\nkeep = 0\n",
            disk.path().join("work"),
            most_logs()
        );
        system.hub.call("addChannel", json!(["runroot"])).await;
        system.add_builder(&settings, fence.through()).await;
        assert!(fence.holds(system.builder_pid(0)), "nothing hostile is run outside of the fence");
        Self { system, fence, disk, release: 0, good: Vec::new() }
    }

    fn next(&mut self) -> u32 {
        self.release += 1;
        self.release
    }

    async fn begin(&self, package: &Golden) -> i64 {
        self.system.hub.build(&self.system.srpm(package), json!({"scratch": true})).await
    }

    /// Begins a hostile build.
    async fn begin_hostile(&mut self, script: &str) -> i64 {
        let package = Golden::hostile(self.next(), script);
        self.begin(&package).await
    }

    /// A hostile build fails for this reason.
    async fn fails(&mut self, script: &str, reason: &[&str]) {
        let build = self.begin_hostile(script).await;
        self.has_failed(build, reason).await;
    }

    /// Sees to it that a build has failed, and says why in its task's own words. Then begins a good one.
    async fn has_failed(&mut self, build: i64, reason: &[&str]) {
        let hub = &self.system.hub;
        let state = hub.ended(build).await;
        let task = hub.child(build, "buildArch").await.expect("it came to its build");
        let told = self.system.toji(&["taskinfo", &task.to_string()]).await.well().out;
        assert_eq!(state, TaskState::Failed, "{told}");
        eprintln!("{told}");
        for part in reason {
            assert!(told.contains(part), "'{part}' is not said by\n{told}");
        }
        let good = Golden::good(self.next());
        let good = self.begin(&good).await;
        self.good.push(good);
    }

    /// A command as root in a chroot, after which there is a good build; answers how it ended and its log.
    async fn command(&mut self, command: &str) -> (TaskState, String) {
        let (state, log) = run_root(&self.system, command).await;
        let good = Golden::good(self.next());
        let good = self.begin(&good).await;
        self.good.push(good);
        (state, log)
    }

    /// The most memory that the builder has taken so far, in MiB.
    fn builders_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.system.builder_pid(0))).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        let peak = peak.unwrap().parse::<u64>().unwrap() / 1024;
        eprintln!("the builder took {peak} MiB");
        peak
    }

    /// All good builds have gone well, and nothing of the hostile ones is left.
    async fn all_is_well(&mut self) {
        for good in std::mem::take(&mut self.good) {
            self.system.hub.closes(good).await;
        }
        let tasks = self.disk.path().join("work/tasks");
        until("clean folders", SOON, async || (tasks.read_dir().unwrap().count() == 0).then_some(())).await;
        until("no processes", SOON, async || (count(self.disk.path()) == 0).then_some(())).await;
        until("no groups of tasks", SOON, async || self.fence.groups().is_empty().then_some(())).await;
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let left = mounts.lines().filter(|line| line.contains(&*tasks.to_string_lossy()));
        assert_eq!(left.count(), 0, "{mounts}");
        assert_eq!(
            self.fence.touched(),
            0,
            "a task's own limit of {PROCESSES} comes before the fence's of {}",
            self.fence.most()
        );
        self.system.hub.assert_quiet().await;
    }
}

/// Runs a command as root in a chroot; answers how it ended and its log.
async fn run_root(system: &System, command: &str) -> (TaskState, String) {
    let hub = &system.hub;
    let ask = json!({"tagInfo": "demo-build", "arch": std::env::consts::ARCH, "command": command});
    let task = hub.call("runroot", ask).await.as_i64().unwrap();
    let state = hub.ended(task).await;
    let log = hub.ask("downloadTaskOutput", json!([task, "runroot.log"])).await.unwrap_or_default();
    use base64::Engine;
    let log = base64::prelude::BASE64_STANDARD.decode(log.as_str().unwrap_or_default()).unwrap();
    let log = format!("{}\n{}", String::from_utf8_lossy(&log), hub.fault(task).await);
    eprintln!("runroot: {command}\n{state}: {log}\n");
    (state, log)
}

/// MiB of logs; in the long form, as much as a hostile package may well print.
fn most_logs() -> u32 {
    if is_long() { 1024 } else { 100 }
}

/// Seconds for a build that sleeps; what prints must come to its end before.
fn time_limit() -> u32 {
    if is_long() { 75 } else { 25 }
}

fn is_long() -> bool {
    std::env::var_os("TOJI_SOAK").is_some()
}

/// Each forks until it is stopped.
const FORKS: [&str; 2] = [
    "bomb() { bomb | bomb & }\nbomb\nwait",
    // These do not hear of signals, leave their session and their parent, forget their environment, and fork again when they may.
    "cat > fork <<'END'\ntrap '' TERM INT HUP QUIT\nwhile :; do env -i setsid sh fork & env -i setsid sh fork & sleep 0.01; done\nEND\n\
     trap '' TERM\nsh fork",
];

#[tokio::test]
async fn what_forks_prints_sleeps_or_kills() {
    let mut ground = Ground::new(time_limit()).await;
    // It sleeps while the others run.
    let sleeper = ground.begin_hostile("trap '' TERM\nsetsid sleep 3600.0141593 & sleep 3600").await;
    for forks in FORKS {
        ground.fails(forks, &["too many processes", "more than the 200", "limits.processes"]).await;
    }
    let beyond = format!("beyond the {} MiB", most_logs());
    ground.fails("yes 'all work and no play'", &["too much output", &beyond, "limits.logs"]).await;
    let memory = ground.builders_memory();
    assert!(memory < 256, "the builder took {memory} MiB");
    ground.fails("kill -9 -1", &["rpmbuild was killed by signal 9"]).await;
    ground.fails("rm -rf --no-preserve-root / 2>/dev/null; exit 5", &["rpmbuild exited with status"]).await;
    ground
        .fails("printf '\\033[2J\\033]0;owned\\007error: \\033[8mhidden\\n'; exit 1", &["error: \u{fffd}[8mhidden"])
        .await;
    let stopped = format!("rpmbuild was stopped after {} s, its time limit", time_limit());
    ground.has_failed(sleeper, &[&stopped]).await;
    assert!(!toji_tests::is_running("3600.0141593"));
    ground.all_is_well().await;
}

#[tokio::test]
async fn what_fills_the_disk_or_leaves_odd_files() {
    let mut ground = Ground::new(LONG).await;
    let hub = ground.system.hub.clone();
    // A good one first, so that its root need not be made on a full disk.
    let first = ground.begin(&Golden::good(1000)).await;
    hub.closes(first).await;
    let before = ground.disk.free();

    let no_space = ["no space left on device", "MiB ran full while this task ran"];
    ground.fails("cat /dev/zero > full", &no_space).await;
    // All at once, from a source of a few bytes; its own traces are gone when it ends.
    ground.fails("cat /dev/zero > /tmp/full; echo error: disk full; exit 1", &no_space).await;
    until("room again", SOON, async || (ground.disk.free() + 64 > before).then_some(())).await;

    odd_results(&mut ground).await;
    many_files(&mut ground).await;
    root_of_a_chroot(&mut ground).await;
    ground.all_is_well().await;
}

/// What rpmbuild never leaves in the folders of results.
async fn odd_results(ground: &mut Ground) {
    let into_results = "cd /builddir/build/RPMS";
    ground
        .fails(&format!("{into_results}; truncate -s 1T x86.rpm"), &["no RPM of x86.rpm", "1099511627776 bytes"])
        .await;
    let newline = format!("{into_results}; echo x > \"$(printf 'a\\nb.rpm')\"");
    ground.fails(&newline, &["whose name is no plain text: a\\nb.rpm"]).await;
    let no_text = format!("{into_results}; echo x > \"$(printf 'a\\377.rpm')\"");
    ground.fails(&no_text, &["whose name is no plain text: a\\xff.rpm"]).await;

    // Links to files of the machine, pipes, and what has no rights are passed over; the rest is as good as any.
    // The section for tidying up is the last that runs.
    let odd = format!(
        "{into_results}; ln -s /etc/shadow shadow.rpm; ln -s ../../../../../etc/shadow up.rpm; mkfifo pipe.rpm; mkdir dir.rpm\n\
         ln -s /etc/shadow ../SRPMS/x.src.rpm\n%clean\nchmod 000 /builddir/build/SRPMS /builddir/build/RPMS"
    );
    let odd = Golden::hostile(ground.next(), &odd);
    let build = ground.begin(&odd).await;
    let hub = &ground.system.hub;
    hub.closes(build).await;
    let task = hub.child(build, "buildArch").await.unwrap();
    let files = hub.call("listTaskOutput", json!([task])).await.to_string();
    for odd in ["shadow", "up.rpm", "pipe", "dir.rpm"] {
        assert!(!files.contains(odd), "{files}");
    }
    lies(ground).await;
}

/// An RPM whose name is not what its header says, in a build that is to be imported.
async fn lies(ground: &mut Ground) {
    let other = "Name: other\\nVersion: 2\\nRelease: 1\\nSummary: x\\nLicense: x\\nBuildArch: noarch\\n%%description\\nx\\n%%files\\n";
    let script = format!(
        "printf '{}' > other.spec\nrpmbuild -bb --quiet --define '_rpmdir /tmp' other.spec\n\
         mv $(find /tmp -name 'other-*.rpm') /builddir/build/RPMS/hostile-lies-1.0-1.noarch.rpm",
        other.replace('%', "%%")
    );
    let package = Golden::hostile(ground.next(), &script);
    let hub = ground.system.hub.clone();
    let build = hub.build(&ground.system.srpm(&package), json!({})).await;
    assert_eq!(hub.ended(build).await, TaskState::Failed);
    let fault = hub.fault(build).await;
    eprintln!("lies: {fault}");
    assert!(fault.contains("hostile-lies-1.0-1.noarch.rpm") && fault.contains("other-2-1"), "{fault}");
    assert_eq!(hub.get_build(&package.nvr()).await["state"], json!(3), "it has failed");
}

/// 100,000 files in the chroot, and as many in a package that is imported and gets into a repo.
async fn many_files(ground: &mut Ground) {
    let many = "mkdir -p $data/many && cd $data/many && seq -f 'file-%%06g' 100000 | xargs touch";
    let package = Golden::hostile_files(ground.next(), many);
    let hub = ground.system.hub.clone();
    let build = hub.build(&ground.system.srpm(&package), json!({})).await;
    let state = hub.ended_within(build, Duration::from_secs(LONG.into())).await;
    assert_eq!(state, TaskState::Closed, "{}", hub.fault(build).await);
    let rpm = format!("hostile-data-1.0-{}.noarch", package.nvr().rsplit('-').next().unwrap());
    let last = hub.call("getRPMFile", json!([rpm, "/usr/share/hostile/many/file-100000"])).await;
    assert_eq!(last["size"], json!(0), "{last}");
}

/// Root in a chroot: it may break the chroot, and nothing else.
async fn root_of_a_chroot(ground: &mut Ground) {
    let (state, log) = ground.command("chattr +i /etc/passwd").await;
    assert!(state == TaskState::Failed && log.contains("Operation not permitted"), "{log}");
    let (state, log) = ground.command("mount -t tmpfs x /mnt; mknod /dev/sda b 8 0 || mknod /sda b 8 0").await;
    assert!(state == TaskState::Failed && log.contains("permi"), "{log}");
    let (state, _) = ground.command("rm -rf --no-preserve-root / 2>/dev/null; exit 7").await;
    assert_eq!(state, TaskState::Failed);
    let (state, log) = ground.command("bomb() { bomb | bomb & }; bomb; while :; do :; done").await;
    assert!(state == TaskState::Failed && log.contains("too many processes"), "{log}");
}

#[tokio::test]
async fn the_metadata_service_is_out_of_reach() {
    let mut system = System::start(Wishes { builders: 0, lease: 60, ..Wishes::default() }).await;
    let hub = system.hub.clone();
    hub.call("addChannel", json!(["runroot"])).await;
    let network = Network::like_ec2(&system.servers());
    let ask = "for at in 169.254.169.254 fd00:ec2::254; do \
               perl -MIO::Socket::IP -e '$s = IO::Socket::IP->new(PeerHost => shift, PeerPort => 80, Timeout => 3) or die \"$@\\n\"; \
               print $s \"GET / HTTP/1.0\\n\\n\"; print <$s>' $at; done 2>&1; true";
    let told = network.run(&["sh", "-c", ask]).await;
    assert_eq!(
        (told.matches("SecretAccessKey").count(), network.asked()),
        (2, 2),
        "it is there, at both addresses: {told}"
    );

    let settings =
        "channels = [\"default\", \"runroot\"]\n[ec2]\nmetadata = \"http://169.254.169.254\"\nby_unit = true\n";
    system.add_builder(settings, network.through()).await;
    assert!(system.builder_log(0).contains("would reach this machine's metadata service"), "it says so when it starts");
    let (state, log) = run_root(&system, ask).await;
    assert_eq!(state, TaskState::Failed);
    assert!(log.contains("metadata service at 169.254.169.254:80"), "{log}");
    assert_eq!(network.asked(), 2, "nothing has run that could ask");
    // What has no network needs no protection.
    hub.closes(hub.build(&system.srpm(&Golden::good(1)), json!({})).await).await;

    network.forbid_metadata();
    let (state, log) = run_root(&system, &format!("id -u; {ask}")).await;
    assert_eq!(state, TaskState::Closed, "{log}");
    assert!(log.starts_with("0\n") && log.matches("No route to host").count() == 2, "{log}");
    assert_eq!(network.asked(), 2, "{log}");
    let from_build = Golden::hostile(1, &format!("{ask}\nexit 1"));
    let build = hub.build(&system.srpm(&from_build), json!({"scratch": true})).await;
    assert_eq!(hub.ended(build).await, TaskState::Failed);
    assert_eq!(network.asked(), 2, "a build has no network at all");
    hub.closes(hub.build(&system.srpm(&Golden::good(2)), json!({})).await).await;
}

/// What is kept of logs does not reach a terminal as it is.
#[tokio::test]
async fn terminals_are_not_told_what_to_do() {
    let system = System::start(Wishes::default()).await;
    let hub = &system.hub;
    let package = Golden::hostile(1, "printf '\\033[2J\\033]0;owned\\007hidden\\n'; exit 1");
    let build = hub.build(&system.srpm(&package), json!({"scratch": true})).await;
    assert_eq!(hub.ended_within(build, Duration::from_secs(60)).await, TaskState::Failed);
    let task = hub.child(build, "buildArch").await.unwrap().to_string();
    let piped = system.toji(&["watch-logs", "--log", "build.log", &task]).await.well();
    assert!(piped.out.contains("\u{1b}[2J\u{1b}]0;owned\u{7}hidden"), "a file gets what was written");
    let shown = on_a_terminal(&system, &["watch-logs", "--log", "build.log", &task]).await;
    assert!(shown.contains("^[[2J^[]0;owned^Ghidden"), "{shown:?}");
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{7}'), "{shown:?}");
    hub.closes(hub.build(&system.srpm(&Golden::good(1)), json!({})).await).await;
}

/// What `toji` writes to a terminal.
async fn on_a_terminal(system: &System, arguments: &[&str]) -> String {
    let terminal = "import pty, sys; pty.spawn(sys.argv[1:])";
    let mut command = tokio::process::Command::new("python3");
    command.args(["-c", terminal]).arg(toji_tests::program("toji")).args(arguments);
    command.env("TOJI_SERVER", &system.url).env("TOJI_TOKEN", toji_tests::TOKEN).env("HOME", system.dir());
    let output = command.stdin(std::process::Stdio::null()).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
