//! The stock `koji-gc`, changed only by configuration: its actions, on builds that were made here.

use std::{fs, path::PathBuf};

use serde_json::json;
use toji_protocol::state::BuildState;
use toji_tests::{ADMIN, Golden, Said, System, TOKEN, Wishes, koji};
use tokio::process::Command;

/// `koji-gc` with its settings.
struct Gc {
    program: PathBuf,
    settings: PathBuf,
}

impl Gc {
    fn new(system: &System, koji: PathBuf) -> Self {
        let settings = system.dir().join("koji-gc.conf");
        let template = system.dir().join("email.tpl");
        fs::write(&template, "The following builds will be deleted:\n$builds\n").unwrap();
        let text = format!(
            "[main]\nserver = {0}/kojihub\nweburl = {0}\nuser = {ADMIN}\npassword = {TOKEN}\nmail = False\n\
             email_template = {1}\nlock_file = {2}\ntrashcan_tag = trashcan\n\
             [prune]\npolicy =\n    tag locked :: keep\n    tag demo && order >= 2 :: untag\n    tag * :: keep\n",
            system.url,
            template.display(),
            system.dir().join("koji-gc.lock").display(),
        );
        fs::write(&settings, text).unwrap();
        Self { program: koji.with_file_name("koji-gc"), settings }
    }

    async fn run(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(&self.program);
        Said::by(command.arg("--config-file").arg(&self.settings).args(arguments)).await.well()
    }
}

#[tokio::test]
async fn koji_gc_prunes_trashes_salvages_and_deletes() {
    let Some(koji) = koji() else {
        eprintln!("skipped: TOJI_TEST_KOJI is not set");
        return;
    };
    let system = System::start(Wishes { lease: 30, ..Wishes::default() }).await;
    let hub = &system.hub;
    let mut builds = Vec::new();
    for release in 1..=3 {
        let package = Golden::good(release);
        builds.push(package.nvr());
        hub.closes(hub.build(&system.srpm(&package), json!({})).await).await;
    }
    let [first, second, third] = &builds[..] else { unreachable!() };
    for tag in ["trashcan", "kept"] {
        hub.call("createTag", json!([tag])).await;
        hub.call("packageListAdd", json!([tag, "good", ADMIN])).await;
    }
    let gc = Gc::new(&system, koji);

    // a rehearsal, then the policy: of demo, the two newest are kept
    let said = gc.run(&["--action", "prune", "--test"]).await;
    said.has(&[&format!("Would have untagged {first} from demo")]);
    assert_eq!(hub.tagged("demo").await.len(), 3);
    let said = gc.run(&["--action", "prune"]).await;
    said.has(&[&format!("Untagging build {first} from demo")]);
    let mut kept = hub.tagged("demo").await;
    kept.sort();
    assert_eq!(kept, [second.as_str(), third.as_str()]);

    // what nobody has tagged goes into the trash, but not before its time
    let _ = gc.run(&["--action", "trash", "--delay", "1 day"]).await;
    assert!(hub.tagged("trashcan").await.is_empty());
    gc.run(&["--action", "trash", "--delay", "0 seconds"]).await.has(&["...got 1 builds", first]);
    assert_eq!(hub.tagged("trashcan").await, [first.as_str()]);

    // what is tagged again comes back out of it
    let said = gc.run(&["--action", "salvage", "--grace-period", "0 seconds"]).await;
    said.has(&["...got 1 builds to check", "1 builds remaining", "Salvage mode. Skipping deletes."]);
    assert_eq!(hub.tagged("trashcan").await, [first.as_str()]);
    hub.call("tagBuildBypass", json!(["kept", first])).await;
    let said = gc.run(&["--action", "salvage", "--grace-period", "0 seconds"]).await;
    said.has(&[&format!("Build {first} tagged elsewhere: ['kept']"), "Salvage mode. Skipping deletes."]);
    assert!(hub.tagged("trashcan").await.is_empty());

    // what is not there long enough is not deleted
    hub.call("untagBuildBypass", json!(["kept", first])).await;
    let _ = gc.run(&["--action", "trash", "--delay", "0 seconds"]).await;
    gc.run(&["--action", "delete"]).await.has(&["...got 0 builds to check"]);
    for build in [first, second, third] {
        assert_eq!(hub.build_state(build).await, BuildState::Complete);
    }
    // … and then it is: untagged and deleted in one multicall
    gc.run(&["--action", "delete", "--grace-period", "0 seconds"]).await.has(&["...got 1 builds to check"]);
    assert!(hub.tagged("trashcan").await.is_empty());
    assert_eq!(hub.build_state(first).await, BuildState::Deleted);
    assert_eq!(hub.build_state(second).await, BuildState::Complete);
    system.hub.assert_quiet().await;
}
