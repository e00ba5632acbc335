//! Signed repos: dnf installs from them with all checks on, and refuses a flipped byte anywhere.

use std::{
    fs,
    path::Path,
    process::Command as Program,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tempfile::TempDir;
use toji_tests::{Golden, SOON, Said, System, Wishes, until};
use tokio::process::Command;

/// A file of which a byte is flipped, as the end of its path; and where: from the start, or from the end.
#[derive(Clone, Copy, Debug)]
struct Flip {
    file: &'static str,
    at: isize,
}

/// Hands files on from a server, but for a flipped byte.
struct Flipper {
    url: String,
    flip: Arc<Mutex<Option<Flip>>>,
}

impl Flipper {
    async fn open(server: &str) -> Self {
        let flip = Arc::new(Mutex::new(None));
        let state = (server.to_owned(), Arc::clone(&flip));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(state);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, flip }
    }

    fn set(&self, flip: Option<Flip>) {
        *self.flip.lock().unwrap() = flip;
    }
}

async fn pass(State((server, flip)): State<(String, Arc<Mutex<Option<Flip>>>)>, uri: Uri) -> Response {
    let answer = reqwest::get(format!("{server}{}", uri.path())).await.unwrap();
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
    let mut bytes = answer.bytes().await.unwrap().to_vec();
    let flip = *flip.lock().unwrap();
    if let Some(Flip { at, .. }) = flip.filter(|flip| uri.path().ends_with(flip.file)) {
        let at = if at < 0 { bytes.len() - at.unsigned_abs() } else { at.unsigned_abs() };
        bytes[at] ^= 1;
    }
    (status, bytes).into_response()
}

/// A system whose tag `demo` names a key, and a build in it that is signed.
async fn signed_system() -> (System, TempDir, String) {
    let keys = tempfile::tempdir().unwrap();
    let mut openssl = Program::new("openssl");
    openssl.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"]);
    assert!(openssl.arg(keys.path().join("demo.pem")).output().unwrap().status.success());
    let system =
        System::start(Wishes { lease: 30, signing_keys: Some(keys.path().to_owned()), ..Wishes::default() }).await;
    let edit = json!({"tagInfo": "demo", "extra": {"sign.key": "file:demo.pem"}});
    system.hub.call("editTag2", edit).await;
    let good = Golden::good(1);
    system.hub.closes(system.hub.build(&system.srpm(&good), json!({})).await).await;
    let sigkey = system.hub.call("sign.key", json!(["demo"])).await["sigkey"].as_str().unwrap().to_owned();
    is_signed(&system, &sigkey, 3).await;
    (system, keys, sigkey)
}

async fn is_signed(system: &System, sigkey: &str, rpms: usize) {
    until("signatures", SOON, async || {
        let waiting = system.hub.call("sign.pending", json!([])).await;
        let sigs = system.hub.call("queryRPMSigs", json!([null, sigkey])).await;
        (waiting == json!([]) && sigs.as_array().unwrap().len() == rpms).then_some(())
    })
    .await;
}

/// dnf with all checks on, on a machine that knows only this repo and this key.
struct Machine {
    root: TempDir,
}

impl Machine {
    fn new(baseurl: &str, key: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let repos = root.path().join("repos.d");
        fs::create_dir(&repos).unwrap();
        fs::create_dir(root.path().join("log")).unwrap();
        let public = root.path().join("key.asc");
        fs::write(&public, key).unwrap();
        let text = format!(
            "[signed]\nname = signed\nbaseurl = {baseurl}\ngpgcheck = 1\nrepo_gpgcheck = 1\ngpgkey = file://{}\n",
            public.display()
        );
        fs::write(repos.join("signed.repo"), text).unwrap();
        Self { root }
    }

    async fn dnf(&self, arguments: &[&str]) -> Said {
        let under = |name: &str| self.root.path().join(name).display().to_string();
        let mut command = Command::new("dnf");
        command.args([
            "-y",
            "--refresh",
            "--releasever=1",
            "--forcearch=x86_64",
            "--setopt=plugins=0",
            "--setopt=retries=1",
        ]);
        command.arg(format!("--setopt=reposdir={}", under("repos.d")));
        command.arg(format!("--setopt=cachedir={}", under("cache")));
        command.arg(format!("--setopt=persistdir={}", under("persist")));
        command.arg(format!("--setopt=logdir={}", under("log")));
        command.args(["--setopt=tsflags=nodocs", "--setopt=install_weak_deps=0"]);
        command.arg(format!("--installroot={}", under("root"))).args(arguments);
        Said::by(command.env("HOME", self.root.path())).await
    }

    fn has(&self, path: &str) -> bool {
        self.root.path().join("root").join(path).exists()
    }
}

#[tokio::test]
async fn dnf_installs_what_is_signed_and_refuses_a_flipped_byte() {
    let (system, _keys, sigkey) = signed_system().await;
    let key = system.toji(&["signing-key", "demo"]).await.well().out;
    let dist = format!("repos-dist/demo/{}/x86_64", dist_repo(&system, &[&sigkey], json!({})).await);
    let flipper = Flipper::open(&system.url).await;
    let at = |path: &str| format!("{}/kojifiles/{path}", flipper.url);

    // the numbered one, and the newest
    for path in [dist.as_str(), "repos-dist/demo/latest/x86_64"] {
        let machine = Machine::new(&at(path), &key);
        let said = machine.dnf(&["install", "good-data"]).await.well();
        assert!(machine.has("usr/share/good/data"), "{}", said.all());
    }
    // a machine that trusts another key
    let other = Machine::new(&at(&dist), &other_key());
    refused(&other.dnf(&["install", "good-data"]).await, "GPG signature");

    for (flip, why) in [
        (Flip { file: "repodata/repomd.xml", at: 60 }, "GPG signature"),
        (Flip { file: "repodata/repomd.xml.asc", at: 120 }, "GPG signature"),
        (Flip { file: "-primary.xml.zst", at: 40 }, "checksum"),
        (Flip { file: "good-data-1.0-1.noarch.rpm", at: 3000 }, "checksum"),
        (Flip { file: "good-data-1.0-1.noarch.rpm", at: -2 }, "checksum"),
    ] {
        flipper.set(Some(flip));
        let machine = Machine::new(&at(&dist), &key);
        let said = machine.dnf(&["install", "good-data"]).await;
        refused(&said, why);
        assert!(!machine.has("usr/share/good"), "{flip:?}: {}", said.all());
    }
    flipper.set(None);

    // the tag's ordinary repo is signed, too; its RPMs are as they were built
    system.hub.fresh_repo("demo").await;
    for path in ["repos/demo/latest/x86_64".to_owned(), format!("repos/demo/{}/x86_64", newest(&system).await)] {
        let machine = Machine::new(&at(&path), &key);
        let _ = machine.dnf(&["repoquery", "good-data"]).await.well();
        let said = machine.dnf(&["install", "good-data"]).await;
        refused(&said, "not signed");
        flipper.set(Some(Flip { file: "repodata/repomd.xml", at: 60 }));
        refused(&Machine::new(&at(&path), &key).dnf(&["install", "good-data"]).await, "GPG signature");
        flipper.set(None);
    }
    system.hub.assert_quiet().await;
}

/// dnf did not do it, and for this reason.
fn refused(said: &Said, why: &str) {
    assert!(said.code != Some(0) && said.all().contains(why), "{why}: {}", said.all());
}

#[tokio::test]
async fn a_key_that_is_away_fails_the_repo_and_says_so() {
    let (system, keys, _) = signed_system().await;
    fs::remove_file(keys.path().join("demo.pem")).unwrap();
    let asked = system.hub.call("repo.request", json!({"tag": "demo", "min_event": "last", "force": true})).await;
    let request = asked["request"]["id"].clone();
    let task = until("a task", SOON, async || {
        let answer = system.hub.call("repo.checkRequest", json!([request])).await;
        answer["task"]["id"].as_i64()
    })
    .await;
    assert_eq!(system.hub.ended(task).await, toji_protocol::state::TaskState::Failed);
    let fault = system.hub.fault(task).await;
    assert!(fault.contains("the signing key file:demo.pem cannot be used now"), "{fault}");
    // builds are tagged all the same
    let again = Golden::good(2);
    system.hub.closes(system.hub.build(&system.srpm(&again), json!({})).await).await;
    assert_eq!(system.hub.tagged("demo").await.len(), 2);
    until("the reason", SOON, async || {
        let waiting = system.hub.call("sign.pending", json!(["demo"])).await;
        waiting[0]["problem"].as_str().filter(|problem| problem.contains("file:demo.pem")).map(str::to_owned)
    })
    .await;
}

async fn newest(system: &System) -> i64 {
    system.hub.call("getRepo", json!(["demo"])).await["id"].as_i64().unwrap()
}

/// Asks for a dist repo of `demo`, and answers its id when it is ready.
async fn dist_repo(system: &System, keys: &[&str], opts: serde_json::Value) -> i64 {
    let task = dist_task(system, keys, opts).await;
    system.hub.closes(task).await;
    system.hub.call("getTaskResult", json!([task])).await[0].as_i64().unwrap()
}

async fn dist_task(system: &System, keys: &[&str], opts: serde_json::Value) -> i64 {
    let mut arguments = json!({"tag": "demo", "keys": keys, "arch": ["x86_64"]});
    arguments.as_object_mut().unwrap().extend(opts.as_object().unwrap().clone());
    system.hub.call("distRepo", arguments).await.as_i64().unwrap()
}

/// A key that nobody signs with.
fn other_key() -> String {
    let home = tempfile::tempdir().unwrap();
    let gpg = |arguments: &[&str]| {
        let mut gpg = Program::new("gpg");
        gpg.arg("--homedir").arg(home.path()).args(["--batch", "--passphrase", ""]).args(arguments);
        gpg.output().unwrap().stdout
    };
    gpg(&["--quick-gen-key", "nobody", "rsa2048", "sign", "never"]);
    let key = gpg(&["--armor", "--export", "nobody"]);
    let mut kill = Program::new("gpgconf");
    kill.arg("--homedir").arg(home.path()).args(["--kill", "all"]).output().unwrap();
    String::from_utf8(key).unwrap()
}

/// What a repo lists, by the parser of createrepo_c that is on the machine: dnf's own.
async fn listed(system: &System, folder: &Path, path: &str) -> Vec<String> {
    let mut command = Command::new("dnf");
    command.args([
        "-q",
        "--refresh",
        "--setopt=reposdir=/dev/null",
        "--setopt=plugins=0",
        "--releasever=1",
        "--forcearch=x86_64",
    ]);
    command.arg(format!("--setopt=cachedir={}", folder.join("cache").display()));
    command.arg(format!("--repofrompath=r,{}/kojifiles/{path}", system.url));
    command.args(["repoquery", "--qf", "%{name}-%{version}-%{release}.%{arch}"]);
    let said = Said::by(command.env("HOME", folder)).await.well();
    let mut names: Vec<String> = said.out.split_whitespace().map(str::to_owned).collect();
    names.sort();
    names
}

#[tokio::test]
async fn dist_repos_by_kojis_options() {
    let (system, _keys, sigkey) = signed_system().await;
    let hub = &system.hub;
    let dir = system.folder("dist");
    // tagged when the key was not there: it has no signature
    let edit = json!({"tagInfo": "demo", "remove_extra": ["sign.key"]});
    hub.call("editTag2", edit).await;
    let before = hub.call("tagLastChangeEvent", json!(["demo"])).await;
    hub.closes(hub.build(&system.srpm(&Golden::noarch(1)), json!({})).await).await;

    let task = dist_task(&system, &[&sigkey], json!({})).await;
    hub.ended(task).await;
    let fault = hub.fault(task).await;
    assert!(
        fault.starts_with(&format!(
            "These RPMs have none of the keys {sigkey}: noarch-1.0-1.noarch, noarch-data-1.0-1.noarch; sign them"
        )),
        "{fault}"
    );

    let path = |id: i64| format!("repos-dist/demo/{id}/x86_64");
    let good = ["good-1.0-1.x86_64", "good-data-1.0-1.noarch"];
    let all = ["good-1.0-1.x86_64", "good-data-1.0-1.noarch", "noarch-1.0-1.noarch", "noarch-data-1.0-1.noarch"];
    let skipped = dist_repo(&system, &[&sigkey.to_uppercase()], json!({"skip_missing_signatures": true})).await;
    assert_eq!(listed(&system, &dir, &path(skipped)).await, good);
    let allowed = dist_repo(&system, &["deadbeef", &sigkey], json!({"allow_missing_signatures": true})).await;
    assert_eq!(listed(&system, &dir, &path(allowed)).await, all);
    let unsigned = dist_repo(&system, &[&sigkey, ""], json!({})).await;
    assert_eq!(listed(&system, &dir, &path(unsigned)).await, all);
    let earlier = dist_repo(&system, &[&sigkey], json!({"event": before})).await;
    assert_eq!(listed(&system, &dir, &path(earlier)).await, good);
    // the newest event is the latest, not the newest id
    assert_eq!(listed(&system, &dir, "repos-dist/demo/latest/x86_64").await, all);

    // what is inherited, and what is not
    let heir =
        |inherit: bool| json!({"tag": "demo-build", "keys": [""], "arch": ["x86_64", "src"], "inherit": inherit});
    for (inherit, expected) in [(true, all.to_vec()), (false, Vec::new())] {
        let task = hub.call("distRepo", heir(inherit)).await.as_i64().unwrap();
        hub.closes(task).await;
        let id = hub.call("getTaskResult", json!([task])).await[0].clone();
        assert_eq!(listed(&system, &dir, &format!("repos-dist/demo-build/{id}/x86_64")).await, expected);
        let sources = listed(&system, &dir, &format!("repos-dist/demo-build/{id}/src")).await;
        assert_eq!(sources.len(), if inherit { 2 } else { 0 }, "{sources:?}");
    }

    // signed anew by hand: then it is there
    let edit = json!({"tagInfo": "demo", "extra": {"sign.key": "file:demo.pem"}});
    hub.call("editTag2", edit).await;
    let _ = system.toji(&["sign-build", "demo", "noarch-1.0-1"]).await.well();
    is_signed(&system, &sigkey, 6).await;
    let signed = dist_repo(&system, &[&sigkey], json!({})).await;
    assert_eq!(listed(&system, &dir, &path(signed)).await, all);

    comps_are_taken(&system, &sigkey).await;
    debuginfo_is_split(&system, &dir).await;
    for bad in [json!({"delta": [1]}), json!({"zck": true}), json!({"multilib": "cli/x/multilib.conf"})] {
        let mut arguments = json!({"tag": "demo", "keys": [sigkey], "arch": ["x86_64"]});
        arguments.as_object_mut().unwrap().extend(bad.as_object().unwrap().clone());
        let error = hub.ask("distRepo", arguments).await.unwrap_err().to_string();
        assert!(error.contains("leave out --"), "{error}");
    }
    system.hub.assert_quiet().await;
}

async fn comps_are_taken(system: &System, sigkey: &str) {
    let file = system.dir().join("comps.xml");
    fs::write(&file, "<?xml version=\"1.0\"?><comps><group><id>brew</id><name>Brewing</name></group></comps>").unwrap();
    let path = system.hub.upload(&file).await;
    let id = dist_repo(system, &[sigkey], json!({"comps": path})).await;
    let repomd =
        reqwest::get(format!("{}/kojifiles/repos-dist/demo/{id}/x86_64/repodata/repomd.xml", system.url)).await;
    let repomd = repomd.unwrap().text().await.unwrap();
    assert!(repomd.contains("type=\"group\""), "{repomd}");
    let task = dist_task(system, &[sigkey], json!({"comps": "cli-build/none/comps.xml"})).await;
    system.hub.ended(task).await;
    let fault = system.hub.fault(task).await;
    assert!(fault.contains("No such upload: cli-build/none/comps.xml"), "{fault}");
}

async fn debuginfo_is_split(system: &System, dir: &Path) {
    let id = dist_repo(system, &[""], json!({"split_debuginfo": true})).await;
    let all = listed(system, dir, &format!("repos-dist/demo/{id}/x86_64")).await;
    assert!(all.contains(&"good-1.0-1.x86_64".to_owned()), "{all:?}");
    let debug = listed(system, dir, &format!("repos-dist/demo/{id}/x86_64/debug")).await;
    assert!(debug.is_empty(), "these packages have none: {debug:?}");
}

#[tokio::test]
async fn the_stock_client_makes_dist_repos() {
    let (system, _keys, sigkey) = signed_system().await;
    let folder = system.folder("client");
    let Some(said) = system.koji(&folder, &["dist-repo", "--wait", "demo", &sigkey]).await else {
        eprintln!("skipped: TOJI_TEST_KOJI is not set");
        return;
    };
    let said = said.well();
    assert!(said.all().contains("distRepo") && said.all().contains("completed successfully"), "{}", said.all());
    let repo = system.hub.call("getRepo", json!({"tag": "demo", "dist": true})).await;
    assert_eq!((&repo["state"], &repo["dist"]), (&json!(1), &json!(true)), "{repo}");
    // a comps.xml that comes in pieces
    fs::write(folder.join("comps.xml"), "<comps></comps>").unwrap();
    let with = ["dist-repo", "--wait", "--with-src", "--comps", "comps.xml", "--non-latest", "demo", &sigkey];
    let _ = system.koji(&folder, &with).await.unwrap().well();
    let repomd = format!("{}/kojifiles/repos-dist/demo/latest/x86_64/repodata/repomd.xml", system.url);
    assert!(reqwest::get(&repomd).await.unwrap().text().await.unwrap().contains("type=\"group\""));
    assert_eq!(listed(&system, &folder, "repos-dist/demo/latest/src").await, ["good-1.0-1.src"]);
    let said = system.koji(&folder, &["dist-repo", "--wait", "demo", "deadbeef"]).await.unwrap();
    assert!(said.code != Some(0) && said.all().contains("good-1.0-1.x86_64"), "{}", said.all());
}
