//! The stock `koji` client, command by command: the transcripts in `tests/transcripts/koji`, side by side on one system.
//!
//! `TOJI_TRANSCRIPT=tags` runs those alone whose names begin so. With `TOJI_TRANSCRIPTS_WRITE` set, what was really said
//! is written into the files: look at the difference, then put `[..]` where it says something else each time.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::json;
use toji_protocol::state::TaskState;
use toji_tests::{ADMIN, Golden, Ran, Runner, System, TOKEN, Transcript, Wishes, koji};
use tokio::{sync::Semaphore, task::JoinSet};

/// Transcripts at a time: each is mostly the start of a Python.
const SIDE_BY_SIDE: usize = 3;

/// How long the first build may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is not run: it makes images, or asks for Maven or Windows. (Archives that are imported are of one of these, too.)
const NOT_OURS: [&str; 12] = [
    "dud-build",
    "image-build",
    "image-build-indirection",
    "import-archive",
    "kiwi-build",
    "maven-build",
    "maven-chain",
    "spin-appliance",
    "spin-livecd",
    "spin-livemedia",
    "win-build",
    "wrapper-rpm",
];

/// What cannot be had without a good path, or a bad one: `version` refuses nothing.
const ONE_PATH: [&str; 1] = ["version"];

#[tokio::test]
async fn the_stock_commands_say_what_is_written() {
    let Some(koji) = koji() else {
        eprintln!("skipped: TOJI_TEST_KOJI is not set");
        return;
    };
    let system = System::start(Wishes { lease: 30, ..Wishes::default() }).await;
    let runner = Arc::new(prepare(&system, &koji).await);
    let all_at_once = Arc::new(Semaphore::new(SIDE_BY_SIDE));
    let mut running = JoinSet::new();
    let wanted = env::var("TOJI_TRANSCRIPT").unwrap_or_default();
    for file in files().into_iter().filter(|file| name(file).starts_with(&wanted)) {
        let (runner, turn) = (Arc::clone(&runner), Arc::clone(&all_at_once));
        running.spawn(async move {
            let _turn = turn.acquire_owned().await.unwrap();
            let mut transcript = Transcript::read(&file);
            let ran = runner.run(&mut transcript).await;
            if env::var_os("TOJI_TRANSCRIPTS_WRITE").is_some() {
                fs::write(&file, transcript.rewritten()).unwrap();
            }
            ran
        });
    }
    let ran: Vec<Ran> = running.join_all().await.into_iter().flatten().collect();
    let complaints: Vec<&str> = ran.iter().filter_map(|ran| ran.complaint.as_deref()).collect();
    assert!(complaints.is_empty(), "{} of {} commands:\n\n{}", complaints.len(), ran.len(), complaints.join("\n"));
    if wanted.is_empty() {
        every_command_went_well_and_failed(&ran, &offered(&system).await);
    }
}

fn name(file: &Path) -> String {
    file.file_stem().unwrap().to_string_lossy().into_owned()
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts/koji");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A `koji` that knows the system and its admin, a user who may do nothing, and packages to build.
async fn prepare(system: &System, koji: &Path) -> Runner {
    let dir = system.folder("transcripts");
    let path = system.folder("bin");
    let conf = path.join("koji.conf");
    let settings = format!(
        "[toji]\nserver = {0}/kojihub\nweburl = {0}\ntopurl = {0}/kojifiles\nauthtype = password\npoll_interval = 1\n",
        system.url
    );
    fs::write(&conf, settings).unwrap();
    let wrapper = path.join("koji");
    let settings = format!("-c {} -p toji --user {ADMIN} --password {TOKEN}", conf.display());
    fs::write(&wrapper, format!("#!/bin/sh\nexec {} {settings} \"$@\"\n", koji.display())).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();

    system.hub.call("createUser", json!(["bob"])).await;
    let bob = system.hub.call("createToken", json!({ "user": "bob", "description": "transcripts" })).await;
    let srpms = system.folder("srpms");
    for release in 2..=9 {
        Golden::good(release).srpm(&srpms);
    }
    // one build is there from the beginning
    let first = Golden::good(1).srpm(&srpms);
    let built = system.hub.build(&first, json!({})).await;
    assert_eq!(system.hub.ended_within(built, PATIENCE).await, TaskState::Closed);
    Golden::fails_in_build(1).srpm(&srpms);
    Golden::sleeps(1, "3600.0577215").srpm(&srpms);
    let words = [
        ("url", system.url.clone()),
        ("builder", "builder-0".to_owned()),
        ("bob", bob["token"].as_str().unwrap().to_owned()),
        ("srpms", srpms.display().to_string()),
    ];
    Runner { dir, path, words: words.map(|(name, word)| (name.to_owned(), word)).to_vec() }
}

/// The commands that the client offers.
async fn offered(system: &System) -> BTreeSet<String> {
    let categories = ["help", "admin", "bind", "build", "download", "info", "misc", "monitor", "search"];
    let said = system.koji(system.dir(), &categories).await.unwrap().well();
    let commands = said.out.lines().filter_map(|line| line.strip_prefix("        "));
    commands.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Each command has a good path and a bad one.
fn every_command_went_well_and_failed(ran: &[Ran], offered: &BTreeSet<String>) {
    let mut codes: BTreeMap<&str, BTreeSet<bool>> = BTreeMap::new();
    for ran in ran {
        for words in ran.command.split(['|', ';', '&', '(', ')']).map(str::split_whitespace) {
            let mut words = words.skip_while(|word| *word != "koji").skip(1);
            if let Some(command) = words.find(|word| offered.contains(*word)) {
                codes.entry(command).or_default().insert(ran.code == 0);
            }
        }
    }
    let lacks = |command: &&String| codes.get(command.as_str()).is_none_or(|codes| codes.len() < 2);
    let ours = offered.iter().filter(|command| !NOT_OURS.contains(&command.as_str()));
    let missing: Vec<&str> = ours.filter(lacks).map(String::as_str).collect();
    assert_eq!(
        missing, ONE_PATH,
        "left: commands without a good path or a bad one; right: those that are known to be so"
    );
}
