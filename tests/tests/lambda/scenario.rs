//! One build, from its upload to a repo, with every part of the hub a Lambda function.

use std::{
    env, fs,
    panic::{AssertUnwindSafe, resume_unwind},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use chrono::Utc;
use futures::FutureExt;
use serde_json::json;
use tempfile::TempDir;
use toji_protocol::{
    client::{Client, Retry},
    queue_name::QueueName,
    state::BuildState,
};
use toji_tests::{ADMIN, Daemon, Database, Golden, Hub, SOON, Said, TOKEN, koji, program, until};

use crate::{deployment::Deployment, localstack, unique};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_goes_through_lambda() {
    let Some(endpoint) = localstack() else { return };
    let postgres = env::var("DATABASE_URL").expect("DATABASE_URL is set");
    let minidistro = env::var("TOJI_TEST_MINIDISTRO").expect("TOJI_TEST_MINIDISTRO is set");
    let database = Database::create(&postgres).await;
    toji_hub::MIGRATIONS.run(&database.pool).await.unwrap();
    let deployment = Deployment::start(&endpoint, &unique(), &database, &minidistro).await;
    let told = tokio::select! {
        told = AssertUnwindSafe(story(&deployment)).catch_unwind() => told,
        never = AssertUnwindSafe(deployment.run_passes()).catch_unwind() => never,
    };
    deployment.destroy().await;
    if let Err(panic) = told {
        resume_unwind(panic);
    }
}

async fn story(deployment: &Deployment) {
    toji_hub::user::bootstrap_admin(&deployment.hub, ADMIN, TOKEN, Utc::now()).await.unwrap();
    let patient = Retry { total: SOON, first: Duration::from_millis(50), longest: Duration::from_secs(1) };
    let client = Client::new(&deployment.url, Some(TOKEN)).unwrap().with_retry(patient);
    let hub = Hub { client };
    for call in ["the first, which starts the function", "the next"] {
        let begun = Instant::now();
        hub.call("getAPIVersion", json!([])).await;
        println!("{call} call: {:.1?}", begun.elapsed());
    }
    set_up_tags(&hub, &deployment.url).await;
    let dir = tempfile::Builder::new().prefix("toji-lambda-").tempdir().unwrap();
    let mut builder = start_builder(&hub, &deployment.url, &dir).await;

    let package = Golden::good(1);
    let nvr = package.nvr();
    let begun = Instant::now();
    let task = hub.build(&package.srpm(dir.path()), json!({})).await;
    let (state, ()) = tokio::join!(hub.ended_within(task, SOON), a_lost_database_loses_no_message(deployment));
    println!("the build: {:.1?}", begun.elapsed());
    if hub.build_state(&nvr).await != BuildState::Complete {
        panic!("task {task} is {state}: {}\n{}", hub.fault(task).await, builder.last_words());
    }
    assert_eq!(hub.tagged("demo").await, [nvr.as_str()]);
    assert_eq!(hub.rpms(&nvr).await.len(), 3, "a source RPM, one for the machine, one for all");

    let begun = Instant::now();
    hub.fresh_repo("demo").await;
    println!("the repo: {:.1?}", begun.elapsed());
    dnf_finds(&deployment.url, dir.path(), &nvr).await;
    the_stock_client_is_served(&deployment.url, dir.path(), &nvr).await;
    let begun = Instant::now();
    builder.terminate(Duration::from_secs(15));
    println!("the builder's end: {:.1?}", begun.elapsed());
    hub.assert_quiet().await;
    let begun = Instant::now();
    for queue in [QueueName::Coordinator, QueueName::Repo] {
        until("an empty queue", SOON, async || (deployment.hub.queues.depth(&queue).await.unwrap() == 0).then_some(()))
            .await;
    }
    println!("the queues are empty after {:.1?}", begun.elapsed());
}

async fn set_up_tags(hub: &Hub, url: &str) {
    let arch = env::consts::ARCH;
    for (tag, parent) in [("demo", json!(null)), ("demo-build", json!("demo"))] {
        hub.call("createTag", json!({ "name": tag, "arches": arch, "parent": parent })).await;
    }
    hub.call("createBuildTarget", json!(["demo", "demo-build", "demo"])).await;
    hub.call("createExternalRepo", json!(["minidistro", format!("{url}/minidistro/$arch")])).await;
    hub.call("addExternalRepoToTag", json!(["demo-build", "minidistro", 5])).await;
    for group in ["build", "srpm-build"] {
        hub.call("groupListAdd", json!(["demo-build", group])).await;
        hub.call("groupPackageListAdd", json!(["demo-build", group, "minidistro-buildroot"])).await;
    }
    hub.call("packageListAdd", json!(["demo", "good", ADMIN])).await;
}

async fn start_builder(hub: &Hub, url: &str, dir: &TempDir) -> Daemon {
    // its children, who are somebody else, look into it
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (state, arch) = (dir.path().join("builder"), env::consts::ARCH);
    let settings = format!(
        "server = {url:?}\nname = \"builder\"\nstate_dir = {state:?}\narches = [{arch:?}]\nbuildroot = \"bwrap\"\n\
         minspace = 256\n"
    );
    let file = dir.path().join("builder.toml");
    fs::write(&file, settings).unwrap();
    let mut command = Command::new(program("toji-builder"));
    command.arg("--config").arg(&file).env("TOJI_ENROL_TOKEN", TOKEN);
    let mut builder = Daemon::start(&mut command, &dir.path().join("builder.log"));
    until("the builder", SOON, async || {
        assert!(builder.is_running(), "the builder has ended:\n{}", builder.last_words());
        (!hub.call("getHost", json!(["builder"])).await.is_null()).then_some(())
    })
    .await;
    builder
}

/// A function that cannot reach Postgres gives its messages back one by one, and drops what is no message.
async fn a_lost_database_loses_no_message(deployment: &Deployment) {
    let message = |id: &str, body: &str| json!({ "messageId": id, "body": body, "attributes": {}, "messageAttributes": {}, "eventSource": "aws:sqs" });
    let event = json!({ "Records": [message("one", "{\"task\": 1}"), message("two", "no message")] });
    let answer = deployment.functions.invoke("lost", &event).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "one" }] }));
}

/// Plain dnf, which knows of toji only an address.
async fn dnf_finds(url: &str, dir: &Path, nvr: &str) {
    let mut command = tokio::process::Command::new("dnf");
    let repo = format!("lambda,{url}/kojifiles/repos/demo/latest/{}", env::consts::ARCH);
    command.args(["-q", "--setopt=reposdir=/dev/null", "--setopt=plugins=0", "--releasever=1"]);
    command.arg(format!("--setopt=cachedir={}", dir.join("dnf").display())).arg(format!("--repofrompath={repo}"));
    let said = Said::by(command.args(["repoquery", "--qf", "%{name}-%{version}-%{release}"]).env("HOME", dir)).await;
    assert!(said.code == Some(0) && said.out.lines().any(|line| line == nvr), "{}", said.all());
}

/// XML-RPC, with its session in the query, comes through too.
async fn the_stock_client_is_served(url: &str, dir: &Path, nvr: &str) {
    let Some(koji) = koji() else { return eprintln!("TOJI_TEST_KOJI names no stock client") };
    let config = dir.join("koji.conf");
    let text = format!(
        "[toji]\nserver = {url}/kojihub\nweburl = {url}\ntopurl = {url}/kojifiles\nauthtype = password\n\
         poll_interval = 1\n"
    );
    fs::write(&config, text).unwrap();
    let mut command = tokio::process::Command::new(koji);
    command.arg("-c").arg(&config).args(["-p", "toji", "--user", ADMIN, "--password", TOKEN, "--force-auth"]);
    let said = Said::by(command.args(["buildinfo", nvr]).current_dir(dir).env("HOME", dir)).await;
    assert!(said.code == Some(0) && said.out.contains("COMPLETE"), "{}", said.all());
}
