//! noarch RPMs that come out of several architectures' builds.

use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::{builder::Trick, parents::Farm, rpms, world::start};

fn lines(preamble: &str, install: &str, files: &str) -> [String; 3] {
    [preamble, install, files].map(str::to_owned)
}

async fn build(farm: &Farm) -> (i64, i64, String) {
    let task = farm.build(start()).await;
    farm.finish(1, Trick::None, start()).await;
    let row = farm.world.task(task).await;
    (task, row["state"].as_i64().unwrap(), row["result"].as_str().unwrap_or_default().to_owned())
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn those_that_do_the_same_are_imported_once(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut farm = Farm::new(options, connect).await;
    // what they hold, how long, and when they were built: that may differ
    farm.hello.noarch = rpms::data(|arch| lines("", &format!("echo {arch} >> %{{buildroot}}/opt/data"), ""));
    let [(_, one), (_, two)] = farm.hello.noarch.as_slice() else { panic!("two of them") };
    assert_ne!(one.bytes, two.bytes);
    let (_, state, said) = build(&farm).await;
    assert_eq!(state, 2, "{said}");
    assert_eq!(farm.world.count("SELECT count(*) FROM rpminfo WHERE arch = 'noarch'").await, 1);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn those_that_differ_fail_the_build(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut farm = Farm::new(options, connect).await;
    let on_arm = |arch: &str, text: &str| if arch == "aarch64" { text.to_owned() } else { String::new() };
    for (preamble, install, files, what, values) in [
        ("Requires: qemu", "", "", "Requires qemu", json!({"x86_64": null, "aarch64": "yes"})),
        ("", "touch %{buildroot}/opt/more", "/opt/more", "file /opt/more", json!({"x86_64": null, "aarch64": "yes"})),
        (
            "",
            "chmod 700 %{buildroot}/opt/data",
            "",
            "mode of /opt/data",
            json!({"x86_64": "33188", "aarch64": "33216"}),
        ),
        ("", "", "%attr(-,games,-) /opt/data", "user of /opt/data", json!({"x86_64": "root", "aarch64": "games"})),
        ("Summary: Other data", "", "", "Summary", json!({"x86_64": "Its data", "aarch64": "Other data"})),
    ] {
        farm.hello.noarch = rpms::data(|arch| [on_arm(arch, preamble), on_arm(arch, install), on_arm(arch, files)]);
        let (task, state, said) = build(&farm).await;
        assert_eq!(state, 5, "{what}");
        let names = format!("hello-data-1.0-1.noarch.rpm; see noarch_rpmdiff.json of task {task}");
        assert!(said.contains("<int>1005</int>") && said.contains(&names) && said.contains(what), "{said}");
        let output = farm.world.ok("listTaskOutput", json!({"taskID": task})).await;
        assert_eq!(output, json!(["noarch_rpmdiff.json"]));
        let saved = json!({"taskID": task, "fileName": "noarch_rpmdiff.json"});
        let saved = farm.world.ok("downloadTaskOutput", saved).await;
        let saved = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, saved.as_str().unwrap()).unwrap();
        let saved: Vec<Value> = serde_json::from_slice(&saved).unwrap();
        let found = saved.iter().find(|difference| difference["what"] == what);
        let found = found.unwrap_or_else(|| panic!("{what} is not in {saved:?}"));
        for (arch, value) in values.as_object().unwrap() {
            assert_eq!(&found[arch], value, "{what}");
        }
        assert_eq!(farm.world.count("SELECT count(*) FROM rpminfo").await, 0);
        let failed = farm.world.count("SELECT count(*) FROM build WHERE state = 3").await;
        assert_eq!(failed, 1, "the build has failed, and may be tried again");
    }
    // a scratch build is no excuse
    let src = crate::builder::client_upload(&farm.world, &farm.hello.source, start()).await;
    let task = farm.world.ok("build", json!({"src": src, "target": "f", "opts": {"scratch": true}})).await;
    farm.finish(1, Trick::None, start()).await;
    assert_eq!(farm.world.state(task.as_i64().unwrap()).await, 5);
}
