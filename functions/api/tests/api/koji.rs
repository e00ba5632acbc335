//! The stock client, where `TOJI_TEST_KOJI` names one.

use std::{path::Path, process::Output};

use sqlx::PgPool;
use tokio::process::Command;

use crate::app::{ADMIN, App, TOKEN};

async fn koji(program: &str, server: &str, dir: &Path, arguments: &[&str]) -> Output {
    let config = dir.join("koji.conf");
    let text = format!("[toji]\nserver = {server}/kojihub\ntopurl = {server}/kojifiles\nauthtype = password\n");
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(program);
    command.arg("-c").arg(config).args(["-p", "toji", "--user", ADMIN, "--password", TOKEN]).args(arguments);
    command.env("HOME", dir).kill_on_drop(true).output().await.unwrap()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn the_stock_client(pool: PgPool) {
    let Ok(program) = std::env::var("TOJI_TEST_KOJI") else {
        eprintln!("skipped: TOJI_TEST_KOJI is not set");
        return;
    };
    let app = App::new(pool).await;
    let server = app.serve().await;
    let dir = tempfile::tempdir().unwrap();
    let run = async |arguments: &[&str]| {
        let output = koji(&program, &server, dir.path(), arguments).await;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "koji {arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    };
    let greeting = run(&["moshimoshi"]).await;
    assert!(greeting.contains("admin!"), "{greeting}");
    assert!(greeting.contains("Authenticated via password"), "{greeting}");
    let methods = run(&["list-api"]).await;
    assert!(methods.lines().any(|line| line.starts_with("getUser(")), "{methods}");
    assert!(methods.lines().any(|line| line.starts_with("echo(*args)")), "{methods}");
    let version = run(&["version"]).await;
    assert!(version.split_whitespace().any(|word| word == "1.35.3"), "{version}");

    let file = dir.path().join("a file+1.rpm");
    std::fs::write(&file, vec![b'x'; (5 << 20) + 17]).unwrap();
    let script = "\
import sys, koji
hub, user, token, file = sys.argv[1:]
session = koji.ClientSession(hub, {'user': user, 'password': token, 'upload_blocksize': 1 << 20})
session.login()
session.uploadWrapper(file, 'cli-build/1.test')
print(session.checkUpload('cli-build/1.test', 'a file+1.rpm', verify='md5')['size'])
";
    let python = Path::new(&program).with_file_name("python");
    let hub = format!("{server}/kojihub");
    let output = Command::new(python).args(["-c", script, &hub, ADMIN, TOKEN]).arg(&file).output().await.unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "5242897",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
