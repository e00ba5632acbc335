//! Handlers in real buildroots of the mini distribution, with a hub that takes notes.

use std::{fs, path::Path, time::Duration};

use toji_protocol::{
    task::{build_arch::Built, rebuild_srpm::SrpmMade},
    value::{Map, from_value},
};

use super::*;
use crate::testing::Lab;

const SPEC: &str = "Name: hello\nVersion: 1.0\nRelease: 1\nSummary: x\nLicense: MIT\nBuildArch: noarch\n";
const REST: &str = "\n%description\nx\n%install\nmkdir -p %{buildroot}/usr/bin\necho hi >%{buildroot}/usr/bin/hello\n\
                    %files\n/usr/bin/hello\n";

fn spec(more: &str, build: &str) -> String {
    format!("{SPEC}{more}{}", REST.replace("%install", &format!("%build\n{build}\n%install")))
}

fn opts() -> Value {
    let mut opts = Map::new();
    opts.insert("repo_id", 9);
    Value::Struct(opts)
}

async fn run(ctx: &TaskContext) -> Result<Value, TaskError> {
    ctx.machine.handlers.find(&ctx.task.method).unwrap().run(ctx).await
}

async fn build(lab: &Lab, id: i64, spec: &str) -> Result<Built, TaskError> {
    let pkg = lab.srpm(spec);
    let arch = lab.task(id, "buildArch", "noarch", build_request(&pkg));
    run(&arch).await.map(|built| from_value(built).unwrap())
}

fn build_request(pkg: &str) -> Vec<Value> {
    vec![pkg.into(), 2.into(), "x86_64".into(), true.into(), opts()]
}

#[tokio::test]
async fn repos_that_are_away_are_waited_for() {
    let Some(lab) = Lab::new().await else { return };
    lab.hub.close_repos(Duration::from_secs(3));
    build(&lab, 7, &spec("", "true")).await.unwrap();
    let log = fs::read_to_string(lab.hub.work("tasks/7/7/root.log")).unwrap();
    assert!(log.contains("the repo is out of reach; trying again in 1 s"), "{log}");
}

#[tokio::test]
async fn from_an_upload_to_rpms() {
    let Some(lab) = Lab::new().await else { return };
    let uploaded = lab.srpm(&spec("BuildRequires: make >= 1, /usr/bin/patch\n", "echo \"dist is %{dist}, CC is $CC\""));
    lab.hub.set_extra(serde_json::json!({"rpm.macro.dist": ".t1", "rpm.env.CC": "tcc"}));

    let srpm = lab.task(7, "rebuildSRPM", "noarch", vec![uploaded.into(), 2.into(), opts()]);
    let made: SrpmMade = from_value(run(&srpm).await.unwrap()).unwrap();
    assert_eq!(made.srpm, "tasks/7/7/hello-1.0-1.src.rpm");
    assert_eq!(made.brootid.0, 5);
    assert!(made.logs.contains(&"tasks/7/7/build.log".to_owned()), "{:?}", made.logs);

    let arch = lab.task(8, "buildArch", "noarch", build_request(&made.srpm));
    let built: Built = from_value(run(&arch).await.unwrap()).unwrap();
    assert_eq!(built.rpms, ["tasks/8/8/hello-1.0-1.noarch.rpm"]);
    assert_eq!(built.srpms, ["tasks/8/8/hello-1.0-1.src.rpm"]);
    let rpm = rpm::PackageMetadata::open(lab.hub.work(&built.rpms[0])).unwrap();
    assert_eq!((rpm.get_vendor().unwrap(), rpm.get_packager().unwrap()), ("toji", "toji"));

    let log = fs::read_to_string(lab.hub.work("tasks/8/8/build.log")).unwrap();
    assert!(log.contains("dist is .t1, CC is tcc"), "{log}");
    assert!(lab.hub.live_log("build.log").contains("dist is .t1"), "logs come as parts, too");
    let state = fs::read_to_string(lab.hub.work("tasks/8/8/state.log")).unwrap();
    for stage in ["STAGE buildroot ", "STAGE requirements ", "STAGE rpmbuild "] {
        assert!(state.contains(stage), "{state}");
    }

    let before = lab.hub.told("host.setBuildRootList")[1]["rpmlist"].as_array().unwrap().clone();
    assert!(before.iter().any(|rpm| rpm["name"] == "bash" && rpm["payloadhash"].as_str().unwrap().len() == 32));
    let states: Vec<_> = lab.hub.told("host.setBuildRootState").iter().map(|told| told["state"].clone()).collect();
    assert_eq!(states, ["BUILDING", "EXPIRED", "BUILDING", "EXPIRED"]);
    assert_eq!(lab.hub.told("host.updateBuildRootList").len(), 2);
    assert_eq!(lab.hub.told("host.setTaskWeight")[0]["weight"], 3.5);
    assert!(lab.hub.told("host.closeTask").is_empty(), "closing is the runner's");
}

#[tokio::test]
async fn builds_are_kept_inside() {
    let Some(lab) = Lab::new().await else { return };
    let secret = lab.dir.path().join("secret");
    fs::write(&secret, "s").unwrap();
    let look = format!(
        "echo uid $(id -u); tail -n +3 /proc/net/dev | cut -d: -f1 | sed 's/^/net /'\n\
         [ ! -e {} ] && echo hidden\n\
         set -- /proc/[0-9]*; echo processes $#\n\
         touch /usr/x 2>/dev/null || echo cannot write\n\
         touch /builddir/originals/x 2>/dev/null || echo originals are read-only\n\
         ln -s /etc/shadow /builddir/build/RPMS/stolen-1-1.noarch.rpm\n\
         mv /builddir/build/RPMS /builddir/build/R 2>/dev/null || echo cannot move",
        secret.display()
    );
    let built = build(&lab, 7, &spec("", &look)).await.unwrap();
    assert_eq!(built.rpms, ["tasks/7/7/hello-1.0-1.noarch.rpm"], "links are no results");
    let log = fs::read_to_string(lab.hub.work("tasks/7/7/build.log")).unwrap();
    let said: Vec<_> = log.lines().filter(|line| !line.starts_with('+')).collect();
    for line in ["uid 1000", "hidden", "cannot write", "originals are read-only", "cannot move"] {
        assert!(said.contains(&line), "{line}\n{log}");
    }
    let nets: Vec<_> = said.iter().filter(|line| line.starts_with("net ")).map(|line| line.replace(' ', "")).collect();
    assert_eq!(nets, ["netlo"]);
    let processes = said.iter().find_map(|line| line.strip_prefix("processes ")).unwrap();
    assert!(processes.parse::<u32>().unwrap() < 10, "{processes}");
}

#[tokio::test]
async fn more_requirements_come_up_in_the_build() {
    let Some(lab) = Lab::new().await else { return };
    let more = "\n%generate_buildrequires\necho 'make >= 1'\n";
    let spec = spec("", "make --version").replace("%build", &format!("{more}%build"));
    let built = build(&lab, 7, &spec).await.unwrap();
    assert_eq!(built.rpms.len(), 1);
    assert_eq!(built.srpms, ["tasks/7/7/hello-1.0-1.src.rpm"]);
}

#[tokio::test]
async fn what_cannot_be_built_says_why() {
    let Some(lab) = Lab::new().await else { return };
    let error = build(&lab, 7, &spec("", "echo so far; false")).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("error building package (arch x86_64), rpmbuild exited with status 1; see build.log"),
        "{text}"
    );
    assert!(text.contains("Bad exit status") && matches!(error, TaskError::Build(_)), "{text}");
    let log = fs::read_to_string(lab.hub.work("tasks/7/7/build.log")).unwrap();
    assert!(log.contains("so far"), "the log is there all the same");
    assert_eq!(lab.hub.told("host.updateBuildRootList").len(), 1, "the contents, too");

    let error = build(&lab, 8, &spec("BuildRequires: no-such-thing >= 3\n", "true")).await.unwrap_err().to_string();
    assert!(error.contains("no-such-thing") && error.contains("root.log"), "{error}");

    let none = lab.task(9, "buildArch", "noarch", build_request("cli-build/none-1-1.src.rpm"));
    let error = run(&none).await.unwrap_err().to_string();
    assert!(error.contains("cli-build/none-1-1.src.rpm"), "{error}");

    fs::write(lab.hub.work("bad-1-1.src.rpm"), "no rpm").unwrap();
    let bad = lab.task(10, "buildArch", "noarch", build_request("bad-1-1.src.rpm"));
    let error = run(&bad).await.unwrap_err().to_string();
    assert!(error.contains("bad-1-1.src.rpm is no RPM"), "{error}");

    let wrong = lab.task(11, "buildArch", "noarch", vec![7.into()]);
    assert!(matches!(run(&wrong).await.unwrap_err(), TaskError::Request(_)));
}

#[tokio::test]
async fn a_stopped_build_leaves_nothing() {
    let Some(lab) = Lab::new().await else { return };
    // A daemon with a clean environment and a session of its own, and a build that hears no SIGTERM.
    let build = "(setsid env -i sleep 1000 &) ; trap '' TERM; echo running; while :; do sleep 1000; done";
    let pkg = lab.srpm(&spec("", build));
    let ctx = lab.task(7, "buildArch", "noarch", build_request(&pkg));
    let running = async {
        tokio::select! {
            ended = run(&ctx) => panic!("it ended: {ended:?}"),
            () = async { while !lab.hub.live_log("build.log").contains("\nrunning\n") { tokio::task::yield_now().await } } => {}
        }
    };
    running.await;
    assert!(ctx.scope.processes().len() > 3);
    let begun = std::time::Instant::now();
    crate::process::kill_all(&ctx.scope, Duration::from_millis(200)).await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(ctx.scope.processes().is_empty());
    crate::mounts::delete(ctx.dir.clone()).await;
    assert!(!ctx.dir.exists());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(lab.dir.path().to_str().unwrap()), "{mounts}");
}

#[tokio::test]
async fn hosts_that_are_not_allowed_are_not_asked() {
    let lab = Lab::with("/nowhere".into(), "[scm]\nallowed = ['good.example:/*:no:']").await;
    let ctx = lab.task(7, "buildSRPMFromSCM", "noarch", vec!["git://bad.example/x#main".into(), 2.into(), opts()]);
    let error = run(&ctx).await.unwrap_err().to_string();
    assert_eq!(error, "bad.example:/x is not in the list of allowed SCMs");
    assert!(lab.hub.told("repoInfo").is_empty() && !ctx.dir.exists());
}

#[tokio::test]
async fn the_policy_is_asked_before_any_machine() {
    let lab = Lab::with("/nowhere".into(), "[scm]\nuse_config = false\nuse_policy = true").await;
    lab.hub.set_result(Ok("deny not from there".into()));
    let request = vec!["svn://bad.example/x?trunk#7".into(), 2.into(), opts()];
    let error = run(&lab.task(7, "buildSRPMFromSCM", "noarch", request)).await.unwrap_err();
    let said = "policy violation (build_from_scm): not from there (bad.example:/x)";
    assert_eq!(error.to_string(), said);
    assert!(error.response().contains("<int>1004</int>"));
    let asked = &lab.hub.told("host.evalPolicy")[0];
    assert_eq!((asked["name"].as_str(), &asked["data"]["scm_host"]), (Some("build_from_scm"), &"bad.example".into()));
    assert_eq!((&asked["data"]["user_id"], &asked["data"]["scm_module"]), (&1.into(), &"trunk".into()));
    assert!(lab.hub.told("repoInfo").is_empty());

    // Both: the list goes first, and who is not on it is not asked about.
    let both = Lab::with("/nowhere".into(), "[scm]\nallowed = ['good.example:/*']\nuse_policy = true").await;
    let request = vec!["git://bad.example/x#main".into(), 2.into(), opts()];
    run(&both.task(7, "buildSRPMFromSCM", "noarch", request)).await.unwrap_err();
    assert!(both.hub.told("host.evalPolicy").is_empty());
}

async fn commit(repo: &Path) {
    for args in [&["init", "-q", "-b", "main"][..], &["add", "."], &["commit", "-q", "-m", "x"]] {
        let mut git = tokio::process::Command::new("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@t"]).args(args).current_dir(repo);
        assert!(git.status().await.unwrap().success());
    }
}

/// A repository, and a server of it on this machine.
struct GitServer(tokio::process::Child, u16);

async fn git_server(base: &Path, spec: &str) -> GitServer {
    let repo = base.join("rpms/hello");
    for dir in ["f42", "plain/SPECS"] {
        fs::create_dir_all(repo.join(dir)).unwrap();
    }
    fs::write(repo.join("hello.spec"), spec).unwrap();
    fs::write(repo.join("f42/hello.spec"), spec.replace("source.txt", "../common/shared.txt")).unwrap();
    fs::write(repo.join("Makefile"), "sources:\n\techo fetched > source.txt; id -u\n").unwrap();
    commit(&repo).await;
    let common = base.join("common/common");
    fs::create_dir_all(&common).unwrap();
    fs::write(common.join("shared.txt"), "shared").unwrap();
    commit(&common).await;
    std::os::unix::fs::symlink(&repo, base.join("common/hello")).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // The daemon itself: `git` would only be its parent.
    let tools = std::process::Command::new("git").arg("--exec-path").output().unwrap().stdout;
    let mut server =
        tokio::process::Command::new(Path::new(String::from_utf8(tools).unwrap().trim()).join("git-daemon"));
    server.args(["--export-all", "--reuseaddr", "--listen=127.0.0.1"]).arg(format!("--port={port}"));
    server.arg(format!("--base-path={}", base.display())).kill_on_drop(true);
    let server = server.stderr(std::process::Stdio::null()).spawn().unwrap();
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::task::yield_now().await;
    }
    GitServer(server, port)
}

#[tokio::test]
async fn from_a_checkout_to_a_source_rpm() {
    let Some(distro) = crate::testing::minidistro() else { return };
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let lab =
        Lab::with(distro, "[scm]\nallowed = ['127.0.0.1*:/rpms/*:no:make,sources', '127.0.0.1*:/common/*:yes:']").await;
    let base = lab.dir.path().join("git");
    let server = git_server(&base, &spec("Source0: source.txt\nBuildRequires: make\n", "true")).await;
    let url = format!("git://127.0.0.1:{}/rpms/hello#main", server.1);
    let ctx = lab.task(7, "buildSRPMFromSCM", "noarch", vec![url.as_str().into(), 2.into(), opts()]);
    let made: SrpmMade = from_value(run(&ctx).await.unwrap()).unwrap();
    assert_eq!(made.srpm, "tasks/7/7/hello-1.0-1.src.rpm");
    let source = made.source.unwrap();
    assert_eq!(source.get("url").unwrap().as_str(), Some(url.as_str()));
    let (recorded, commit) = source.get("source").unwrap().as_str().unwrap().split_once('#').unwrap();
    assert_eq!((recorded, commit.len()), (url.split_once('#').unwrap().0, 40));
    assert!(fs::read_to_string(lab.hub.work("tasks/7/7/checkout.log")).unwrap().contains("1000"), "not as root");

    let none = format!("git://127.0.0.1:{}/rpms/hello#nosuch", server.1);
    let ctx = lab.task(8, "buildSRPMFromSCM", "noarch", vec![none.into(), 2.into(), opts()]);
    let error = run(&ctx).await.unwrap_err().to_string();
    assert!(error.contains("checkout.log") && error.contains("nosuch"), "{error}");
    drop(server.0);
}

#[tokio::test]
async fn the_common_module_lies_beside_the_sources() {
    let Some(distro) = crate::testing::minidistro() else { return };
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let lab = Lab::with(distro, "[scm]\nallowed = ['127.0.0.1*:/common/*:yes:cat,../common/shared.txt']").await;
    let server = git_server(&lab.dir.path().join("git"), &spec("", "true")).await;
    // The folders above are nobody else's, as in a home directory.
    fs::set_permissions(lab.dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let url = format!("git://127.0.0.1:{}/common/hello?f42#main", server.1);
    let ctx = lab.task(7, "buildSRPMFromSCM", "noarch", vec![url.into(), 2.into(), opts()]);
    run(&ctx).await.unwrap();
    let log = fs::read_to_string(lab.hub.work("tasks/7/7/checkout.log")).unwrap();
    assert!(log.contains("shared"), "{log}");
    drop(server.0);
}

fn runroot(command: Value, opts: &[(&str, Value)]) -> Vec<Value> {
    let mut named = Map::new();
    named.insert("__starstar", true);
    named.insert("repo_id", 9);
    for (name, value) in opts {
        named.insert(*name, value.clone());
    }
    vec![2.into(), "x86_64".into(), command, Value::Struct(named)]
}

fn texts(texts: &[&str]) -> Value {
    Value::Array(texts.iter().map(|text| Value::from(*text)).collect())
}

#[tokio::test]
async fn commands_in_a_chroot() {
    let Some(distro) = crate::testing::minidistro() else { return };
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let shown = tempfile::tempdir().unwrap();
    fs::write(shown.path().join("given"), "from outside").unwrap();
    let settings =
        format!("[[runroot.mounts]]\npath = '/mnt/shown'\nsource = '{}'\nalways = true", shown.path().display());
    let lab = Lab::with(distro, &settings).await;
    let command = "id -u; cat /mnt/shown/given; touch /mnt/shown/x 2>/dev/null || echo read-only; \
                   chown 1000 /builddir && echo owns; mknod /tmp/disk b 8 0 2>/dev/null || echo no devices; \
                   [ -w /proc/sys/kernel/core_pattern ] || echo no settings; touch /etc/changed && echo changed; echo kept > /root/left.log; ln -s /etc/passwd /root/out.log";
    let options = [("packages", texts(&["make"])), ("upload_logs", texts(&["/root/left.log"])), ("weight", 0.1.into())];
    let ctx = lab.task(7, "runroot", "x86_64", runroot(command.into(), &options));
    assert_eq!(run(&ctx).await.unwrap(), Value::from("the command exited with status 0"));
    let log = fs::read_to_string(lab.hub.work("tasks/7/7/runroot.log")).unwrap();
    let said: Vec<_> = log.lines().collect();
    assert_eq!(said, ["0", "from outsideread-only", "owns", "no devices", "no settings", "changed"], "{log}");
    assert_eq!(fs::read_to_string(lab.hub.work("tasks/7/7/left.log")).unwrap(), "kept\n");
    assert_eq!(lab.hub.told("host.setTaskWeight")[0]["weight"], 0.5, "a command weighs no less");
    assert!(!Path::new("/etc/changed").exists());

    // A list is no line for the shell; what fails says so, with its last words and its files.
    let list = texts(&["sh", "-c", "echo \"$0: it's hopeless, error\"; exit 3", "a b"]);
    let ctx = lab.task(8, "runroot", "x86_64", runroot(list, &[("skip_setarch", true.into())]));
    let error = run(&ctx).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "the command exited with status 3; see runroot.log for more information\na b: it's hopeless, error"
    );
    for (number, (command, options, told)) in [
        ("true", vec![("upload_logs", texts(&["/root/out.log"]))], "left no file /root/out.log"),
        ("ln -s /etc/passwd /root/out.log", vec![("upload_logs", texts(&["/root/out.log"]))], "left no file"),
        ("true", vec![("upload_logs", texts(&["../../../etc/passwd"]))], "left no file"),
        ("true", vec![("new_chroot", false.into())], "isolates nothing"),
        ("true", vec![("mounts", texts(&["/etc"]))], "not among the folders"),
        ("true", vec![("packages", texts(&["http://x/y.rpm"]))], "cannot be required"),
        ("true", vec![("packages", texts(&["no-such-package"]))], "no-such-package"),
        ("true", vec![("nonsense", 1.into())], "nonsense"),
    ]
    .into_iter()
    .enumerate()
    {
        let ctx = lab.task(20 + number as i64, "runroot", "x86_64", runroot(command.into(), &options));
        let error = run(&ctx).await.unwrap_err().to_string();
        assert!(error.contains(told), "{command} {options:?}: {error}");
    }
}

#[tokio::test]
async fn a_command_waits_for_a_repo() {
    let lab = Lab::with("/nowhere".into(), "").await;
    // Nobody hears orders here: what waits is woken by hand.
    lab.hub.set_result(Err("Timed out: no repo of demo-build".to_owned()));
    let request = vec!["demo-build".into(), "x86_64".into(), "true".into()];
    let ctx = lab.task(7, "runroot", "x86_64", request);
    ctx.waits.wake();
    let error = run(&ctx).await.unwrap_err();
    assert!(matches!(&error, TaskError::Subtask { code: 1005, .. }), "{error:?}");
    assert!(error.to_string().contains("Timed out: no repo of demo-build"), "{error}");
    let started = lab.hub.told("host.startSubtask");
    assert_eq!(
        (&started[0]["method"], &started[0]["arglist"][0], &started[0]["label"]),
        (&"waitrepo".into(), &2.into(), &"waitrepo".into())
    );
}

#[tokio::test]
async fn what_a_failed_build_has_left() {
    let Some(lab) = Lab::new().await else { return };
    let pkg = lab.srpm(&spec("", "echo brewing > half-done; ln -s /etc/shadow link; false"));
    let ctx = lab.task(7, "buildArch", "noarch", build_request(&pkg));
    run(&ctx).await.unwrap_err();
    assert!(ctx.machine.kept.adopt(&ctx.dir).await && !ctx.dir.exists());

    // Once by the builder that built it, and once by one that was started since.
    let machine = std::sync::Arc::new(crate::context::Machine::new(lab.machine.config.clone(), Handlers::own()));
    machine.set_facts(lab.machine.facts());
    for (id, full) in [(8, false), (9, true)] {
        let mut ctx = lab.task(id, "saveFailedTree", "noarch", vec![5.into(), full.into()]);
        if full {
            ctx.machine = std::sync::Arc::clone(&machine);
        }
        run(&ctx).await.unwrap();
        let tar = lab.hub.work(&format!("tasks/{id}/{id}/broot-5.tar.gz"));
        let listed = std::process::Command::new("tar").arg("tzvf").arg(tar).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let dir = if full { "broot/builddir/build/BUILD/" } else { "broot/build/BUILD/" };
        let has = |end: &str| listed.lines().any(|line| line.contains(dir) && line.ends_with(end));
        assert!(has("half-done") && has("link -> /etc/shadow"), "{listed}");
        assert_eq!(listed.lines().any(|line| line.ends_with("broot/usr/bin/bash")), full, "{listed}");
        assert!(!listed.contains("broot/proc/1"), "{listed}");
    }
    for (id, request, told) in
        [(11, vec![6.into()], "nothing of buildroot 6 is kept"), (12, vec!["x".into()], "arguments")]
    {
        let ctx = lab.task(id, "saveFailedTree", "noarch", request);
        let error = run(&ctx).await.unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

/// A Subversion server on this machine with `pkg/trunk`; None where there is none.
async fn svn_server(base: &Path, spec: &str) -> Option<(tokio::process::Child, u16)> {
    let repo = base.join("repos/pkg");
    fs::create_dir_all(repo.parent().unwrap()).unwrap();
    let Ok(made) = std::process::Command::new("svnadmin").arg("create").arg(&repo).status() else {
        eprintln!("skipped: there is no Subversion on this machine");
        return None;
    };
    assert!(made.success());
    let tree = base.join("tree");
    fs::create_dir_all(tree.join("trunk/hello")).unwrap();
    fs::create_dir_all(tree.join("common")).unwrap();
    fs::write(tree.join("trunk/hello/hello.spec"), spec).unwrap();
    fs::write(tree.join("trunk/hello/source.txt"), "source").unwrap();
    fs::write(tree.join("common/shared.txt"), "shared").unwrap();
    let url = format!("file://{}", repo.display());
    for message in ["first", "second"] {
        let target = format!("{url}/{message}");
        let import =
            std::process::Command::new("svn").args(["import", "-q", "-m", message]).arg(&tree).arg(target).status();
        assert!(import.unwrap().success());
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = tokio::process::Command::new("svnserve");
    server.args([
        "--daemon",
        "--foreground",
        "--listen-host",
        "127.0.0.1",
        "--listen-port",
        &port.to_string(),
        "--root",
    ]);
    let server = server.arg(base.join("repos")).kill_on_drop(true).spawn().unwrap();
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::task::yield_now().await;
    }
    Some((server, port))
}

#[tokio::test]
async fn from_subversion_to_a_source_rpm() {
    let Some(distro) = crate::testing::minidistro() else { return };
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let allowed = "[scm]\nallowed = ['127.0.0.1*:/pkg/first:yes:cat,../common/shared.txt', '127.0.0.1*:/pkg/*:no:']";
    let lab = Lab::with(distro, allowed).await;
    let spec = spec("Source0: source.txt\n", "true");
    let Some((server, port)) = svn_server(&lab.dir.path().join("svn"), &spec).await else { return };
    for (id, what, recorded) in [
        (7, "pkg/second/trunk?hello#HEAD", "pkg/second/trunk?hello#2"),
        (8, "pkg/second/trunk/hello#2", "pkg/second/trunk/hello#2"),
        (9, "pkg/first?trunk/hello#1", "pkg/first?trunk/hello#1"),
    ] {
        let url = format!("svn://127.0.0.1:{port}/{what}");
        let ctx = lab.task(id, "buildSRPMFromSCM", "noarch", vec![url.as_str().into(), 2.into(), opts()]);
        let made: SrpmMade = from_value(run(&ctx).await.unwrap()).unwrap();
        let source = made.source.unwrap();
        assert_eq!(source.get("url").unwrap().as_str(), Some(url.as_str()));
        let told = format!("svn://127.0.0.1:{port}/{recorded}");
        assert_eq!(source.get("source").unwrap().as_str(), Some(told.as_str()));
    }
    let log = fs::read_to_string(lab.hub.work("tasks/9/9/checkout.log")).unwrap();
    assert!(log.contains("shared"), "the source command ran beside common: {log}");
    for (id, what) in [(10, "pkg/second/trunk/hello#99"), (11, "pkg/nowhere#1")] {
        let url = format!("svn://127.0.0.1:{port}/{what}");
        let ctx = lab.task(id, "buildSRPMFromSCM", "noarch", vec![url.into(), 2.into(), opts()]);
        let error = run(&ctx).await.unwrap_err().to_string();
        assert!(error.starts_with("svn checkout exited with status 1; see checkout.log"), "{error}");
    }
    drop(server);
}

#[tokio::test]
async fn contents_that_do_not_match_fail_the_build() {
    let Some(lab) = Lab::new().await else { return };
    let said = "bash-5.2-1.x86_64 in the buildroot is not the one that is known: its payload hash is a, not b";
    for (id, method) in [(7, "host.setBuildRootList"), (8, "host.updateBuildRootList")] {
        lab.hub.refuse(method, 1012, said);
        let error = build(&lab, id, &spec("", "true")).await.unwrap_err();
        assert_eq!(error.to_string(), said, "{method}");
        assert!(error.response().contains("<int>1012</int>"));
        assert!(
            !lab.hub.work(&format!("tasks/{id}/{id}/hello-1.0-1.noarch.rpm")).exists(),
            "nothing of it is handed in"
        );
        assert!(lab.hub.work(&format!("tasks/{id}/{id}/build.log")).exists(), "but its logs");
    }
}

/// What is asked of the stand-in, of the real one.
#[tokio::test]
async fn the_real_mock() {
    let Some(program) = std::env::var_os("TOJI_TEST_MOCK") else {
        eprintln!("skipped: TOJI_TEST_MOCK names no mock");
        return;
    };
    let Some(distro) = crate::testing::minidistro() else { return };
    let uid = std::env::var("TOJI_TEST_MOCK_UID").map(|uid| format!("uid = {uid}\n")).unwrap_or_default();
    let settings = format!("[mock]\npath = {program:?}\n{uid}");
    let lab = Lab::of("mock", distro, &settings).await;
    lab.hub.set_extra(serde_json::json!({"rpm.macro.dist": ".t1", "rpm.env.CC": "tcc"}));
    let look = "echo dist is %{dist}, CC is $CC; tail -n +3 /proc/net/dev | cut -d: -f1 | sed 's/^ */net /'";
    let built = build(&lab, 7, &spec("BuildRequires: make\n", look)).await.unwrap();
    assert_eq!(built.rpms, ["tasks/7/7/hello-1.0-1.noarch.rpm"]);
    let log = fs::read_to_string(lab.hub.work("tasks/7/7/build.log")).unwrap();
    assert!(log.contains("dist is .t1, CC is tcc"), "{log}");
    let nets: Vec<_> = log.lines().filter(|line| line.starts_with("net ")).collect();
    assert_eq!(nets, ["net lo"], "nspawn, without network");
    let error = build(&lab, 8, &spec("", "echo so far; false")).await.unwrap_err().to_string();
    assert!(error.contains("build.log") && error.contains("Bad exit status"), "{error}");
    let error = build(&lab, 9, &spec("BuildRequires: no-such-thing\n", "true")).await.unwrap_err().to_string();
    assert!(error.contains("status 30") && error.contains("no-such-thing"), "{error}");
    let ctx = lab.task(10, "runroot", "x86_64", runroot("id -u".into(), &[]));
    run(&ctx).await.unwrap();
    assert_eq!(fs::read_to_string(lab.hub.work("tasks/10/10/runroot.log")).unwrap(), "0\n");
}
