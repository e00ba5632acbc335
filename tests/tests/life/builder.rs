//! A scripted builder: it speaks the public host API, and makes what it was given instead of building.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use toji_protocol::task::build::result_path;

use crate::{
    rpms::Rpm,
    world::{Held, Host, World, new_id, response},
};

/// What an attempt is to do other than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trick {
    /// Nothing: all goes well.
    None,
    /// It names an RPM that it does not upload.
    MissingUpload,
    /// An RPM of another source.
    WrongSource,
    /// An RPM under another's name.
    WrongName,
    /// Bytes that are no RPM.
    NoRpm,
    /// Two source RPMs.
    TwoSources,
}

/// PUTs bytes to the URLs of a plan (they are one part), and answers what ends the upload.
pub(crate) async fn put(plan: &Value, name: &str, bytes: &[u8]) -> Value {
    let digest = Sha256::digest(bytes);
    let url = plan["urls"][0].as_str().unwrap();
    // a second time it is there already, which is well
    drop(rustls::crypto::ring::default_provider().install_default());
    let answer = reqwest::Client::new()
        .put(url)
        .header("x-amz-checksum-sha256", BASE64_STANDARD.encode(digest))
        .body(bytes.to_vec())
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
    let part = json!({"etag": etag, "sha256": hex::encode(digest)});
    json!({"name": name, "upload_id": plan["upload_id"], "parts": [part]})
}

fn describe(name: &str, bytes: &[u8]) -> Value {
    let digest = hex::encode(Sha256::digest(bytes));
    json!({"name": name, "size": bytes.len(), "sha256": digest, "parts": [digest]})
}

/// Uploads a task's file but for the call that ends it; answers that call's argument.
pub(crate) async fn begin_upload(
    world: &World,
    host: &Host,
    held: &Held,
    name: &str,
    bytes: &[u8],
    now: DateTime<Utc>,
) -> Value {
    let plans = host.ok(world, "host.startUpload", held.with(json!({"files": [describe(name, bytes)]})), now).await;
    put(&plans[0], name, bytes).await
}

pub(crate) async fn upload(world: &World, host: &Host, held: &Held, name: &str, bytes: &[u8], now: DateTime<Utc>) {
    let done = begin_upload(world, host, held, name, bytes, now).await;
    host.ok(world, "host.finishUpload", held.with(json!({"files": [done]})), now).await;
}

/// A client's upload of a source RPM; answers its path.
pub(crate) async fn client_upload(world: &World, rpm: &Rpm, now: DateTime<Utc>) -> String {
    client_upload_to(world, &format!("cli-build/{}", new_id()), rpm, now).await
}

/// The same, into a folder.
pub(crate) async fn client_upload_to(world: &World, folder: &str, rpm: &Rpm, now: DateTime<Utc>) -> String {
    let path = format!("{folder}/{}", rpm.name);
    let digest = hex::encode(Sha256::digest(&rpm.bytes));
    let arguments = json!({"path": path, "size": rpm.bytes.len(), "parts": [digest]});
    let plan = world.ok_at("upload.start", arguments, now).await;
    let done = put(&plan, &rpm.name, &rpm.bytes).await;
    let arguments = json!({"path": path, "upload_id": plan["upload_id"], "parts": done["parts"]});
    world.ok_at("upload.finish", arguments, now).await;
    path
}

/// A package, as its builds come out.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub(crate) source: Rpm,
    /// For each architecture.
    pub(crate) built: Vec<(String, Rpm)>,
    /// noarch ones that come out of each architecture's build, too.
    pub(crate) noarch: Vec<(String, Rpm)>,
    /// Of another source.
    pub(crate) stranger: Rpm,
}

/// Does a task up to the call that ends it; answers the result to close it with.
pub(crate) async fn work(
    world: &World,
    host: &Host,
    held: &Held,
    package: &Package,
    trick: Trick,
    now: DateTime<Utc>,
) -> Value {
    match held.method.as_str() {
        "rebuildSRPM" => {
            let buildroot = buildroot(world, host, held, &held.request[2]["repo_id"], "noarch", now).await;
            upload(world, host, held, &package.source.name, &package.source.bytes, now).await;
            upload(world, host, held, "root.log", b"installing\n", now).await;
            let path = |name: &str| result_path(held.id, name);
            json!({"srpm": path(&package.source.name), "logs": [path("root.log")], "brootid": buildroot,
                "source": {"source": package.source.name, "url": package.source.name}})
        }
        "buildArch" => build_arch(world, host, held, package, trick, now).await,
        other => panic!("the scripted builder does no {other}"),
    }
}

async fn build_arch(
    world: &World,
    host: &Host,
    held: &Held,
    package: &Package,
    trick: Trick,
    now: DateTime<Utc>,
) -> Value {
    let arch = held.request[2].as_str().unwrap();
    let buildroot = buildroot(world, host, held, &held.request[4]["repo_id"], arch, now).await;
    // one child is enough to spoil a build
    let keeps_source = held.request[3].as_bool().unwrap();
    let trick = if keeps_source { trick } else { Trick::None };
    let mut rpm = package.built.iter().find(|(built, _)| built == arch).unwrap().1.clone();
    match trick {
        Trick::WrongSource => rpm = package.stranger.clone(),
        Trick::WrongName => rpm.name = rpm.name.replace("-1.0-", "-1.1-"),
        Trick::NoRpm => rpm.bytes = b"not an RPM, but long enough to be read as one".repeat(10),
        _ => {}
    }
    let mut sources = Vec::new();
    if trick != Trick::MissingUpload {
        upload(world, host, held, &rpm.name, &rpm.bytes, now).await;
    }
    if keeps_source {
        upload(world, host, held, &package.source.name, &package.source.bytes, now).await;
        sources.push(result_path(held.id, &package.source.name));
    }
    if trick == Trick::TwoSources {
        sources.push(result_path(held.id, "build.log"));
    }
    upload(world, host, held, "build.log", b"built\n", now).await;
    let mut rpms = vec![result_path(held.id, &rpm.name)];
    for (_, rpm) in package.noarch.iter().filter(|(built, _)| built == arch) {
        upload(world, host, held, &rpm.name, &rpm.bytes, now).await;
        rpms.push(result_path(held.id, &rpm.name));
    }
    json!({"rpms": rpms, "srpms": sources,
        "logs": [result_path(held.id, "build.log")], "brootid": buildroot})
}

async fn buildroot(world: &World, host: &Host, held: &Held, repo: &Value, arch: &str, now: DateTime<Utc>) -> Value {
    let id = host.ok(world, "host.newBuildRoot", held.with(json!({"repo": repo, "arch": arch})), now).await;
    let state = held.with(json!({"brootid": id, "state": "BUILDING"}));
    host.ok(world, "host.setBuildRootState", state, now).await;
    id
}

/// Closes a task with a result.
pub(crate) async fn close(world: &World, host: &Host, held: &Held, result: &Value, now: DateTime<Utc>) {
    let result: toji_protocol::value::Value = serde_json::from_value(result.clone()).unwrap();
    host.ok(world, "host.closeTask", held.with(json!({"response": response(&result)})), now).await;
}
