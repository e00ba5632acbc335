//! mock's configuration, and a stand-in for mock that notes how it is called.

use std::os::unix::fs::PermissionsExt;

use toji_protocol::{
    id::RepoId,
    mock_config::{environment, macros},
    value::{Map, Value},
};

use super::*;
use crate::buildroot::Group;

fn config() -> Config {
    toml::from_str("server='http://h'\nname='b'\nstate_dir='/s'\narches=['x86_64']\nbuildroot='bwrap'").unwrap()
}

fn extra(pairs: &[(&str, Value)]) -> Map {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

fn plan(settings: &[(&str, Value)]) -> Plan {
    let extra = extra(settings);
    Plan {
        name: "f42-build-7-9".to_owned(),
        repo_id: RepoId(9),
        baseurl: "http://h/kojifiles/repos/f42-build/9/x86_64".to_owned(),
        repo_made: "1".to_owned(),
        arch: "x86_64".to_owned(),
        group: Group::Build,
        network: false,
        macros: macros(&config().makers(), &extra, "x86_64"),
        env: environment(&extra),
        extra,
        timeout: 86_400,
        binds: Vec::new(),
    }
}

fn render(plan: &Plan, allow_bootstrap_image: bool, systemd: bool) -> Result<String, String> {
    let (dir, scope) = (PathBuf::from("/t"), Scope::builder(Path::new("/s"), Path::new("/s")));
    let stages = Arc::new(Stages::new("/none".into()));
    let mut mock = Mock::new(plan.clone(), dir, scope, &config(), stages);
    mock.basedir = "/b".into();
    mock.settings.allow_bootstrap_image = allow_bootstrap_image;
    mock.config_text(systemd).map_err(|error| error.to_string())
}

#[test]
fn a_plain_tag() {
    insta::assert_snapshot!(render(&plan(&[]), false, true).unwrap(), @r#"
    config_opts["root"] = "f42-build-7-9"
    config_opts["basedir"] = "/b"
    config_opts["target_arch"] = "x86_64"
    config_opts["chroothome"] = "/builddir"
    config_opts["chroot_setup_cmd"] = "install @build"
    config_opts["rpmbuild_networking"] = False
    config_opts["use_host_resolv"] = False
    config_opts["rpmbuild_timeout"] = 86400
    config_opts["dnf_warning"] = False
    config_opts["isolation"] = "nspawn"
    config_opts["use_bootstrap_image"] = False
    config_opts['plugin_conf']["ccache_enable"] = False
    config_opts['plugin_conf']["yum_cache_enable"] = False
    config_opts['plugin_conf']["root_cache_enable"] = False
    config_opts['plugin_conf']["buildroot_lock_enable"] = True
    config_opts["dnf.conf"] = "[main]\ncachedir=/var/cache/yum\nkeepcache=1\ndebuglevel=1\nlogfile=/var/log/yum.log\nreposdir=/dev/null\nretries=20\nobsoletes=1\ngpgcheck=0\nassumeyes=1\ninstall_weak_deps=0\nstrict=1\n\n[build]\nname=build\nbaseurl=http://h/kojifiles/repos/f42-build/9/x86_64\n"
    config_opts['macros']["%_rpmfilename"] = "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm"
    config_opts['macros']["%vendor"] = "toji"
    config_opts['macros']["%packager"] = "toji"
    config_opts['macros']["%distribution"] = "toji"
    config_opts['macros']["%_topdir"] = "/builddir/build"
    config_opts['macros']["%_host_cpu"] = "x86_64"
    config_opts['macros']["%_host"] = "x86_64-redhat-linux-gnu"
    "#);
}

#[test]
fn source_rpms_see_the_network() {
    let plan = Plan { group: Group::SrpmBuild, network: true, ..plan(&[]) };
    let config = render(&plan, false, true).unwrap();
    assert!(config.contains("config_opts[\"chroot_setup_cmd\"] = \"install @srpm-build\"\n"));
    assert!(config.contains("config_opts[\"rpmbuild_networking\"] = True\n"));
    assert!(config.contains("config_opts[\"use_host_resolv\"] = True\n"));
}

#[test]
fn settings_of_the_tag() {
    let text = |text: &str| Value::from(text);
    for (key, value, line) in [
        ("mock.package_manager", text("dnf5"), "config_opts[\"package_manager\"] = \"dnf5\""),
        ("mock.releasever", 42.into(), "config_opts[\"releasever\"] = \"42\""),
        ("mock.forcearch", text("s390x"), "config_opts[\"forcearch\"] = \"s390x\""),
        ("mock.use_bootstrap", false.into(), "config_opts[\"use_bootstrap\"] = False"),
        ("mock.use_bootstrap", 1.into(), "config_opts[\"use_bootstrap\"] = True"),
        (
            "mock.module_setup_commands",
            Value::Array(vec![Value::Array(vec![text("enable"), text("ruby:2.7")])]),
            "config_opts[\"module_setup_commands\"] = [[\"enable\", \"ruby:2.7\"]]",
        ),
        ("mock.yum.best", 1.into(), "best=1"),
        ("mock.yum.module_hotfixes", true.into(), "module_hotfixes=1"),
        ("mock.plugin_conf.sign_opts.cmd", text("sign"), ""),
        ("mock.plugin_conf.sign_enable", true.into(), "config_opts['plugin_conf']['sign_enable'] = True"),
        ("rpm.macro.dist", text(".\"q\\\n"), "config_opts['macros'][\"%dist\"] = \".\\\"q\\\\\\n\""),
        ("rpm.env.CC", text("clang"), "config_opts['environment'][\"CC\"] = \"clang\""),
    ] {
        let config = render(&plan(&[(key, value)]), false, true).unwrap();
        assert!(config.contains(line), "{key}: {line}\n{config}");
    }
}

#[test]
fn signing_is_a_plugin() {
    let set = [
        ("mock.plugin_conf.sign_enable", true.into()),
        ("mock.plugin_conf.sign_opts.cmd", "rpmsign".into()),
        ("mock.plugin_conf.sign_opts.opts", "--addsign %(rpms)s".into()),
    ];
    let config = render(&plan(&set), false, true).unwrap();
    for line in [
        "config_opts['plugin_conf']['sign_enable'] = True\n",
        "config_opts['plugin_conf']['sign_opts']['cmd'] = \"rpmsign\"\n",
        "config_opts['plugin_conf']['sign_opts']['opts'] = \"--addsign %(rpms)s\"\n",
    ] {
        assert!(config.contains(line), "{config}");
    }
}

#[test]
fn folders_of_the_machine() {
    let bind = |path: &str, is_writable| Bind { source: format!("/real{path}").into(), path: path.into(), is_writable };
    let plan = Plan { binds: vec![bind("/mnt/a", false), bind("/mnt/b", true)], ..plan(&[]) };
    let config = render(&plan, false, true).unwrap();
    let args = r#"["--capability=cap_ipc_lock", "--bind-ro=/real/mnt/a:/mnt/a", "--bind=/real/mnt/b:/mnt/b"]"#;
    assert!(config.contains(&format!("config_opts[\"nspawn_args\"] = {args}\n")), "{config}");
}

#[test]
fn images_only_where_the_builder_lets_them() {
    let plan = plan(&[("mock.bootstrap_image", "registry/x".into()), ("mock.bootstrap_image_ready", true.into())]);
    let refused = render(&plan, false, true).unwrap();
    assert!(refused.contains("config_opts[\"use_bootstrap_image\"] = False\n") && !refused.contains("registry/x"));
    let allowed = render(&plan, true, true).unwrap();
    assert!(allowed.contains("config_opts[\"use_bootstrap_image\"] = True\n"));
    assert!(allowed.contains("config_opts[\"bootstrap_image\"] = \"registry/x\"\n"));
    assert!(allowed.contains("config_opts[\"bootstrap_image_ready\"] = True\n"));
}

#[test]
fn nspawn_with_and_without_systemd() {
    let without = render(&plan(&[]), false, false).unwrap();
    assert!(without.contains("config_opts[\"isolation\"] = \"nspawn\"\n"));
    assert!(without.contains("--register=no"));
    assert!(!render(&plan(&[]), false, true).unwrap().contains("nspawn_args"));
    assert!(extra_arguments(&extra(&[("mock.new_chroot", false.into())])).is_err());
    assert_eq!(extra_arguments(&extra(&[("mock.new_chroot", true.into())])).unwrap(), ["--new-chroot"]);
}

#[test]
fn settings_without_sense() {
    let list = Value::Array(vec![]);
    for key in ["mock.package_manager", "mock.releasever", "mock.yum.best"] {
        let error = render(&plan(&[(key, list.clone())]), false, true).unwrap_err();
        assert!(error.contains(key), "{error}");
    }
}

#[tokio::test]
async fn the_configuration_is_python() {
    let plan = plan(&[
        ("rpm.macro.odd", "a\u{1F600}\u{7f}\n'\"\\ é".into()),
        ("mock.module_setup_commands", Value::Array(vec![Value::Nil, 1.5.into(), true.into()])),
    ]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.cfg");
    fs::write(&file, render(&plan, true, false).unwrap()).unwrap();
    let script = "import sys, collections\n\
        config_opts = collections.defaultdict(lambda: collections.defaultdict(dict))\n\
        exec(open(sys.argv[1], encoding='utf-8').read())\n\
        assert config_opts['macros']['%odd'] == 'a\\U0001F600\\x7f\\n\\'\"\\\\ \\u00e9'\n\
        assert config_opts['module_setup_commands'] == [None, 1.5, True]\n\
        assert 'baseurl=http://h/' in config_opts['dnf.conf']\n";
    let scope = Scope::builder(dir.path(), dir.path());
    let log = dir.path().join("log");
    let ended = Command::new("python3").args(["-c", script]).arg(&file).log(&log).run(&scope).await.unwrap();
    assert!(ended.is_success(), "{}", fs::read_to_string(log).unwrap());
}

/// Notes its arguments, makes a root with an RPM database, and writes what a rebuild would; fails as `fail` says.
const STAND_IN: &str = r#"#!/bin/bash
here=$(dirname "$0")
echo "$*" >>"$here/calls"
for arg; do [ "$last" != --resultdir ] || result=$arg; last=$arg; done
root=$here/task/mock/f42-build-7-9/root
case " $* " in
*" --init "*)
    [ ! -e "$here/fail-init" ] || { echo "Error: nothing provides @build" >"$result/root.log"; exit 30; }
    mkdir -p "$root/var/lib/rpm" && rpm --dbpath "$root/var/lib/rpm" --initdb ;;
*" --rebuild "*)
    echo "+ make" >"$result/build.log"
    [ ! -e "$here/fail-build" ] || { echo "error: Bad exit status from /tmp/x (%build)" >>"$result/build.log"; exit 10; }
    if [ -e "$here/replay" ]; then
        read -r status log <"$here/replay"
        tail -n +2 "$here/replay" >>"$result/$log"
        exit "$status"
    fi
    echo '{"version": "1.0.0"}' >"$result/buildroot_lock.json"
    touch "$result/foo-1-1.src.rpm" "$result/foo-1-1.x86_64.rpm" ;;
esac
"#;

struct Lab {
    dir: tempfile::TempDir,
    mock: Mock,
}

fn lab() -> Lab {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("mock");
    fs::write(&program, STAND_IN).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut config = config();
    config.mock.path = program;
    let task = dir.path().join("task");
    fs::create_dir_all(task.join("logs")).unwrap();
    let stages = Arc::new(Stages::new(task.join("logs/state.log")));
    let scope = Scope::builder(dir.path(), dir.path());
    Lab { mock: Mock::new(plan(&[]), task, scope, &config, stages), dir }
}

#[tokio::test]
async fn mock_is_driven() {
    let Lab { dir, mock } = lab();
    assert_eq!(mock.fill().await.unwrap(), []);
    let built = mock.build(Path::new("/in/foo-1-1.src.rpm"), "x86_64").await.unwrap();
    let names: Vec<_> = built.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["foo-1-1.src.rpm", "foo-1-1.x86_64.rpm"]);
    let calls = fs::read_to_string(dir.path().join("calls")).unwrap();
    let task = dir.path().join("task");
    let always = format!("-r {}/f42-build-7-9.cfg --resultdir {}/result ", task.display(), task.display());
    let calls: Vec<_> = calls.lines().map(|call| call.strip_prefix(&always).unwrap()).collect();
    assert_eq!(
        calls,
        ["--init", "--no-clean --chroot -- uname -r", "--no-clean --target x86_64 --rebuild /in/foo-1-1.src.rpm"]
    );
    assert!(fs::read_to_string(task.join("logs/mock_config.log")).unwrap().contains("f42-build-7-9"));
}

#[tokio::test]
async fn failures_name_the_log_and_the_reason() {
    let Lab { dir, mock } = lab();
    fs::write(dir.path().join("fail-build"), "").unwrap();
    mock.fill().await.unwrap();
    let error = mock.build(Path::new("/in/foo-1-1.src.rpm"), "x86_64").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "error building package (arch x86_64), mock exited with status 10; see build.log for more information\n\
         error: Bad exit status from /tmp/x (%build)"
    );
    fs::write(dir.path().join("fail-init"), "").unwrap();
    let error = mock.fill().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not init mock buildroot, mock exited with status 30 (the package manager failed); see root.log for more information\n\
         Error: nothing provides @build"
    );
}

/// Status | the log that mock writes to | what it says there | the message, after the status.
const REPLAYED: [(i32, &str, &str, &str); 11] = [
    (
        1,
        "build.log",
        "error: Bad exit status from /var/tmp/rpm-tmp.x (%check)\n",
        "; see build.log or root.log for more information",
    ),
    (
        1,
        "build.log",
        "error: Architecture is not included: x86_64\n",
        "; see build.log or root.log for more information",
    ),
    (10, "build.log", "make: *** [Makefile:2: all] Error 1\n", "; see build.log for more information"),
    (
        11,
        "build.log",
        "ERROR: Command failed: timeout(86400) expired\n",
        " (rpmbuild was stopped at its time limit); see build.log for more information",
    ),
    (
        30,
        "root.log",
        "DEBUG util.py: No matching package to install: 'unobtainium'\nError: Not all dependencies satisfied\n",
        " (the package manager failed); see root.log for more information",
    ),
    (
        30,
        "root.log",
        "Error: Failed to download metadata for repo 'build': Cannot download repomd.xml\n",
        " (the package manager failed); see root.log for more information",
    ),
    (
        30,
        "root.log",
        "Error: Unable to find a match: @build\n",
        " (the package manager failed); see root.log for more information",
    ),
    (
        60,
        "root.log",
        "ERROR: Build root is locked by another process.\n",
        " (the buildroot is locked by another mock); see root.log for more information",
    ),
    (20, "root.log", "ERROR: something failed\n", "; see root.log for more information"),
    (137, "root.log", "fatal: killed\n", " (it was killed); see root.log for more information"),
    (
        143,
        "root.log",
        "ERROR: Exiting on user interrupt\n",
        " (it was asked to stop); see root.log for more information",
    ),
];

#[tokio::test]
async fn each_status_points_to_what_went_wrong() {
    for (status, log, text, told) in REPLAYED {
        let Lab { dir, mock } = lab();
        mock.fill().await.unwrap();
        fs::write(dir.path().join("replay"), format!("{status} {log}\n{text}")).unwrap();
        let error = mock.build(Path::new("/in/foo-1-1.src.rpm"), "x86_64").await.unwrap_err();
        let words = text.lines().filter(|line| !line.starts_with("DEBUG")).collect::<Vec<_>>().join("\n");
        let wanted = format!("error building package (arch x86_64), mock exited with status {status}{told}\n");
        let said = error.to_string();
        assert!(said.starts_with(&wanted) && said.ends_with(&words), "{status}: {said}");
        assert_eq!(matches!(error, TaskError::TimedOut(_)), status == 11);
    }
}

#[tokio::test]
async fn what_mock_locked_is_kept() {
    let Lab { dir: _dir, mock } = lab();
    mock.fill().await.unwrap();
    assert!(!mock.records()[0].exists(), "older ones do not");
    mock.build(Path::new("/in/foo-1-1.src.rpm"), "x86_64").await.unwrap();
    assert!(fs::read_to_string(&mock.records()[0]).unwrap().contains("version"));
}
