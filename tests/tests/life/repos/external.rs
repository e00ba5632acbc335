//! Repos of others, merged into ours: what is in them, how often they are read, and what happens when they cannot be.

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use toji_protocol::state::TaskState;
use toji_tests::made_up;
use tower_http::services::ServeDir;

use super::{Got, Repos};
use crate::repodata::{createrepo, metadata, run};

/// What others serve.
struct Outside {
    folder: tempfile::TempDir,
    address: SocketAddr,
    told: Arc<Told>,
}

#[derive(Default)]
struct Told {
    is_down: AtomicBool,
    /// Files that were asked for.
    asked: Mutex<Vec<String>>,
}

async fn noted(State(told): State<Arc<Told>>, request: Request, next: Next) -> Response {
    if told.is_down.load(Ordering::Relaxed) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let path = request.uri().path();
    told.asked.lock().unwrap().push(path.rsplit(['/', '-']).next().unwrap().to_owned());
    next.run(request).await
}

impl Outside {
    async fn serve() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let told = Arc::<Told>::default();
        let router = Router::new().fallback_service(ServeDir::new(folder.path()));
        let router = router.layer(from_fn_with_state(told.clone(), noted));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { folder, address, told }
    }

    fn dir(&self, name: &str) -> PathBuf {
        let dir = self.folder.path().join(name).join("x86_64");
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn url(&self, name: &str) -> String {
        format!("http://{}/{name}/$arch/", self.address)
    }

    /// What has been asked for since this was last looked at.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.told.asked.lock().unwrap())
    }
}

impl Repos {
    /// Attaches an external repo to the tag.
    async fn attach(&self, outside: &Outside, name: &str, mode: &str, priority: u32) {
        self.farm.world.ok("createExternalRepo", json!({"name": name, "url": outside.url(name)})).await;
        self.link(name, mode, priority).await;
    }

    async fn link(&self, name: &str, mode: &str, priority: u32) {
        let link = json!({"tag_info": "r", "repo_info": name, "priority": priority, "merge_mode": mode});
        self.farm.world.ok("addExternalRepoToTag", link).await;
    }

    /// All in another mode: modes are not mixed.
    async fn relink(&self, names: [&str; 2], mode: &str) {
        for name in names {
            self.farm.world.ok("removeExternalRepoFromTag", json!({"tag_info": "r", "repo_info": name})).await;
        }
        for (name, priority) in names.into_iter().zip([5, 10]) {
            self.link(name, mode, priority).await;
        }
    }

    fn write(&self, dir: &Path, builds: impl IntoIterator<Item = (u32, u32)>) {
        let builds: Vec<_> = builds.into_iter().map(|(number, version)| self.made_up.build(number, version)).collect();
        made_up::write(&builds, dir);
        createrepo(dir);
    }
}

/// `base of its repo` and `name of the file` of each package.
fn listed(primary: &str) -> BTreeSet<String> {
    primary
        .split("<location ")
        .skip(1)
        .map(|rest| {
            let of = |name: &str| rest.split("/>").next()?.split(&format!("{name}=\"")).nth(1)?.split('"').next();
            let name = of("href").unwrap().rsplit('/').next().unwrap();
            let base = of("xml:base").map(|base| base.trim_end_matches('/').rsplit('/').nth(1).unwrap());
            format!("{} {name}", base.unwrap_or("local"))
        })
        .collect()
}

fn origins(got: &Got) -> BTreeSet<String> {
    got.texts["origin"].lines().map(str::to_owned).collect()
}

/// The same, of what mergerepo_c makes of the same repos.
fn merged(dirs: &[(&str, &Path)], mode: &[&str], blocked: &str) -> BTreeSet<String> {
    let out = tempfile::tempdir().unwrap();
    let list = out.path().join("blocked");
    fs::write(&list, blocked).unwrap();
    let mut command = Command::new(std::env::var("MERGEREPO_C").unwrap_or_else(|_| "mergerepo_c".to_owned()));
    command.args(mode).args(["--no-database", "--compress-type=gz", "-a", "x86_64", "-o"]).arg(out.path());
    if !mode.contains(&"--all") {
        command.arg("-b").arg(&list);
    }
    for (_, dir) in dirs {
        command.arg("-r").arg(format!("file://{}", dir.display()));
    }
    run(&mut command);
    let found = listed(&metadata(out.path(), "primary"));
    assert!(!found.is_empty());
    found
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn merged_as_mergerepo_merges(options: PgPoolOptions, connect: PgConnectOptions) {
    let repos = Repos::new(options, connect).await;
    let (world, outside) = (&repos.farm.world, Outside::serve().await);
    let (near, far) = (outside.dir("near"), outside.dir("far"));
    // some sources twice, some that are local too, or in both
    repos.write(&near, (5..20).map(|number| (number, 2)).chain([(18, 1), (19, 3)]));
    repos.write(&far, (15..30).map(|number| (number, 3)));
    let local = repos.fill("r", 0..8, 1).await;
    let own = outside.dir("local");
    made_up::write(&local, &own);
    createrepo(&own);
    repos.attach(&outside, "near", "koji", 5).await;
    repos.attach(&outside, "far", "koji", 10).await;
    world.ok("packageListAdd", json!({"taginfo": "r", "pkginfo": "made-up-25", "owner": "admin"})).await;
    world.ok("packageListBlock", json!({"taginfo": "r", "pkginfo": "made-up-25"})).await;

    let dirs = [("local", own.as_path()), ("near", near.as_path()), ("far", far.as_path())];
    let modes: [(&str, &[&str]); 3] =
        [("koji", &["--koji"]), ("simple", &["--koji", "--simple"]), ("bare", &["--all", "--pkgorigins"])];
    for (mode, arguments) in modes {
        repos.relink(["near", "far"], mode).await;
        let got = repos.made("r").await;
        let ours = listed(&got.texts["primary"]);
        assert_eq!(ours, merged(&dirs, arguments, "made-up-25\n"), "{mode}");
        let foreign = ours.iter().filter_map(|package| package.split_once(' ').filter(|(base, _)| *base != "local"));
        let foreign: BTreeSet<&str> = foreign.map(|(_, name)| name).collect();
        let base = format!("\thttp://{}/", outside.address);
        assert!(origins(&got).iter().all(|line| line.contains(&base)));
        // in simple mode both repos may have the very same package: it has one line
        assert_eq!(origins(&got).len(), foreign.len(), "{mode}");
    }
    assert!(!repos.newest("r").await.texts["primary"].contains("$arch"));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn read_once_for_each_of_its_states(options: PgPoolOptions, connect: PgConnectOptions) {
    let repos = Repos::new(options, connect).await;
    let outside = Outside::serve().await;
    let dir = outside.dir("ext");
    repos.write(&dir, (0..150).map(|number| (number, 1)));
    repos.fill("r", 200..210, 1).await;
    repos.attach(&outside, "ext", "koji", 5).await;
    let first = repos.made("r").await;
    assert_eq!(outside.asked(), ["repomd.xml", "primary.xml.gz", "filelists.xml.gz", "other.xml.gz"]);
    let before = repos.frames("r", first.id).await;

    // a change of ours: theirs is not read again, and what is near ours only
    repos.fill("r", 205..206, 2).await;
    let second = repos.made("r").await;
    assert_eq!(outside.asked(), ["repomd.xml"]);
    let after = repos.frames("r", second.id).await;
    assert_eq!(after.chunks.iter().filter(|chunk| !before.chunks.contains(chunk)).count(), 1);

    // a change of theirs
    repos.write(&dir, [(3, 2)]);
    let third = repos.made("r").await;
    assert_eq!(outside.asked().len(), 4);
    assert!(third.texts["primary"].contains("made-up-3-1.2-1.fc42"));
    let last = repos.frames("r", third.id).await;
    assert!(last.chunks.iter().filter(|chunk| !after.chunks.contains(chunk)).count() <= 2);

    // dead or corrupt, it leaves the repo that there is, and is named
    outside.told.is_down.store(true, Ordering::Relaxed);
    let fails = async |reason: &str| {
        let (state, result) = repos.attempt("r").await;
        assert_eq!(state, TaskState::Failed);
        let url = format!("external repo http://{}/ext/x86_64: ", outside.address);
        let result = result.as_str().unwrap();
        assert!(result.contains(&url) && result.contains(reason), "{result}");
        assert_eq!(repos.newest("r").await.id, third.id);
    };
    fails("503").await;
    outside.told.is_down.store(false, Ordering::Relaxed);
    repos.write(&dir, [(4, 2)]);
    let data = fs::read_dir(dir.join("repodata")).unwrap().map(|entry| entry.unwrap().path());
    let primary = data.into_iter().find(|path| path.to_string_lossy().ends_with("primary.xml.gz")).unwrap();
    let whole = fs::read(&primary).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    for bad in [&damaged, &whole[..whole.len() - 7], b""] {
        fs::write(&primary, bad).unwrap();
        fails("").await;
    }
    fs::write(dir.join("repodata/repomd.xml"), "<html>not found</html>").unwrap();
    fails("").await;
    createrepo(&dir);
    assert!(repos.made("r").await.texts["primary"].contains("made-up-4-1.2-1.fc42"));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn bare_mode_carries_advisories_and_modules(options: PgPoolOptions, connect: PgConnectOptions) {
    let repos = Repos::new(options, connect).await;
    let outside = Outside::serve().await;
    for (name, number) in [("one", 1), ("two", 2)] {
        let dir = outside.dir(name);
        repos.write(&dir, [(number, 1)]);
        let update = format!(
            "<?xml version=\"1.0\"?>\n<updates><update type=\"security\"><id>TOJI-{name}</id></update></updates>\n"
        );
        let module =
            format!("---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: {name}\n  stream: \"1\"\n...\n");
        for (file, text) in [("updateinfo.xml", update), ("modules.yaml", module)] {
            fs::write(dir.join(file), text).unwrap();
            run(Command::new("modifyrepo_c").arg(dir.join(file)).arg(dir.join("repodata")));
        }
        repos.attach(&outside, name, "bare", number).await;
    }
    let got = repos.made("r").await;
    for name in ["one", "two"] {
        assert!(got.texts["updateinfo"].contains(&format!("<id>TOJI-{name}</id>")), "{:?}", got.texts);
        assert!(got.texts["modules"].contains(&format!("module: {name}")));
    }
    assert_eq!(
        (got.texts["updateinfo"].matches("<updates>").count(), got.texts["modules"].matches("---").count()),
        (1, 2)
    );
    repos.relink(["one", "two"], "koji").await;
    let kinds: Vec<String> = repos.made("r").await.texts.into_keys().collect();
    assert_eq!(kinds, ["filelists", "group", "origin", "other", "primary"]);
}
