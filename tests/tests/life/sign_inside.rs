//! Signing inside: what is tagged into a tag that names a key is signed, with keys in files and with KMS's. rpm itself checks.
//!
//! KMS is MiniStack's: `TOJI_TEST_KMS` is its address (`localstack/bin/test` starts it).

use std::{path::Path, process::Command};

use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::config::Config;
use toji_hub::sign;
use toji_keyring::{Keyring, KmsAccess};
use toji_protocol::queue_name::QueueName;

use crate::{
    signing::{Tree, fault, verify},
    world::{ADMIN, World, seconds, start},
};

const NVRA: &str = "tree-1.0-3.x86_64";
const KEY: &str = "file:devel.pem";

/// A folder with a key.
fn keys() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    make_key(&dir.path().join("devel.pem"));
    dir
}

fn make_key(file: &Path) {
    let mut openssl = Command::new("openssl");
    openssl.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"]);
    let made = openssl.arg(file).output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// A hub with a key, and a build; its tag names the key.
async fn world(pool: PgPool, folder: &Path) -> (World, Tree) {
    let world =
        World::with(pool, Config { keyring: Keyring::default().with_folder(folder.to_owned()), ..Config::default() })
            .await;
    let tree = Tree::plant(&world, 5000).await;
    make_tag(&world, "signed", json!({"sign.key": KEY})).await;
    (world, tree)
}

async fn make_tag(world: &World, name: &str, extra: Value) {
    world.ok("createTag", json!({"name": name, "arches": "x86_64", "extra": extra})).await;
    world.ok("packageListAdd", json!({"taginfo": name, "pkginfo": "tree", "owner": "admin"})).await;
}

/// Handles the messages that are there now, as the function does. Answers how many.
async fn sign_all(world: &World, now: chrono::DateTime<chrono::Utc>) -> usize {
    let messages = world.take(&QueueName::Sign).await;
    for message in &messages {
        toji_sign::handle(&world.hub, message, now).await.unwrap();
    }
    messages.len()
}

async fn public(world: &World, tag: &str) -> (String, String) {
    let key = world.ok("sign.key", json!({"tag": tag})).await;
    (key["sigkey"].as_str().unwrap().to_owned(), key["public_key"].as_str().unwrap().to_owned())
}

async fn signed_copy(world: &World, sigkey: &str) -> Vec<u8> {
    let key = format!("packages/tree/1.0/3/data/signed/{sigkey}/x86_64/{NVRA}.rpm");
    world.hub.store.get(&key).await.unwrap().to_vec()
}

async fn waiting(world: &World) -> Vec<Value> {
    world.ok("sign.pending", json!({})).await.as_array().unwrap().clone()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_is_tagged_is_signed_and_rpm_accepts_it(pool: PgPool) {
    let keys = keys();
    let (world, tree) = world(pool, keys.path()).await;
    // before the key is used for the first time, too
    let (sigkey, public) = public(&world, "signed").await;
    world.ok("tagBuildBypass", json!({"tag": "signed", "build": tree.build})).await;
    assert_eq!(waiting(&world).await.len(), 1);
    assert_eq!(sign_all(&world, start()).await, 1);
    assert!(waiting(&world).await.is_empty());

    let copy = signed_copy(&world, &sigkey).await;
    let said = verify(&public, &copy).unwrap();
    assert!(said.contains(&format!("Header V4 RSA/SHA256 Signature, key ID {sigkey}: OK")), "{said}");
    assert!(said.contains("Payload SHA256 digest: OK"), "{said}");
    // the unsigned one, and one with another byte anywhere, are not accepted
    verify(&public, &tree.bytes).unwrap_err();
    let header = copy.windows(6).rposition(|bytes| bytes == b"leaves").unwrap();
    for at in [header, copy.len() - 1000, copy.len() - 1] {
        let mut bad = copy.clone();
        bad[at] ^= 1;
        verify(&public, &bad).unwrap_err();
    }
    // as addRPMSig and writeSignedRPM would have left it
    let sigs = world.ok("queryRPMSigs", json!({"sigkey": sigkey})).await;
    assert_eq!(sigs.as_array().unwrap().len(), 2, "the source RPM, too: {sigs}");
    let sums = world.ok("getRPMChecksums", json!({"rpm_id": tree.rpm})).await;
    use sha2::Digest;
    assert_eq!(sums[&sigkey]["sha256"], hex::encode(sha2::Sha256::digest(&copy)));
    // noted for good
    let log = world.ok("sign.log", json!({"rpm_id": tree.rpm})).await;
    let entry = &log[0];
    assert_eq!((&entry["key"], &entry["user_name"]), (&json!(KEY), &json!("admin")), "{log}");
    assert_eq!((&entry["tag_name"], &entry["name"]), (&json!("signed"), &json!(format!("{NVRA}.rpm"))), "{log}");
    assert!(public.contains("PUBLIC KEY") && entry["fingerprint"].as_str().unwrap().ends_with(&sigkey));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn signed_again_it_is_the_same_and_what_is_missing_is_made(pool: PgPool) {
    let keys = keys();
    let (world, tree) = world(pool, keys.path()).await;
    world.ok("tagBuildBypass", json!({"tag": "signed", "build": tree.build})).await;
    let messages = world.take(&QueueName::Sign).await;
    // twice at once, as after a message that came twice
    let handle = || toji_sign::handle(&world.hub, &messages[0], start());
    let (one, other) = futures::join!(handle(), handle());
    one.and(other).unwrap();
    let (sigkey, _) = public(&world, "signed").await;
    let copy = signed_copy(&world, &sigkey).await;
    let signatures = "SELECT count(*) FROM signature_log";
    assert_eq!(world.count(signatures).await, 2);

    // a crash between the row and the objects
    let objects = world.hub.store.list("packages/tree/1.0/3/data/").await.unwrap();
    assert_eq!(objects.len(), 4);
    for object in &objects {
        world.hub.store.delete(&object.key).await.unwrap();
    }
    world.ok("sign.build", json!({"tag": "signed", "build": tree.build})).await;
    sign_all(&world, start() + seconds(500)).await;
    assert_eq!(signed_copy(&world, &sigkey).await, copy);
    assert_eq!(world.hub.store.list("packages/tree/1.0/3/data/").await.unwrap().len(), 4);
    assert_eq!(world.count(signatures).await, 2, "nothing new was published");

    // a lost message
    world.ok("sign.build", json!({"tag": "signed", "build": tree.build})).await;
    world.take(&QueueName::Sign).await;
    assert_eq!(sign::run_once(&world.hub, start()).await.unwrap(), 0);
    assert_eq!(sign::run_once(&world.hub, start() + seconds(200)).await.unwrap(), 1);
    assert_eq!(sign_all(&world, start() + seconds(200)).await, 1);
    assert!(waiting(&world).await.is_empty());
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn every_way_into_the_tag_counts(pool: PgPool) {
    let keys = keys();
    let (world, tree) = world(pool, keys.path()).await;
    make_tag(&world, "plain", json!({})).await;
    let parent = json!({"name": "heir", "arches": "x86_64", "parent": "signed"});
    world.ok("createTag", parent).await;
    let messages = async || world.take(&QueueName::Sign).await.len();

    world.ok("tagBuildBypass", json!({"tag": "plain", "build": tree.build})).await;
    assert_eq!(messages().await, 0, "it names no key");
    let task = world.ok("moveBuild", json!({"tag1": "plain", "tag2": "signed", "build": tree.build})).await;
    toji_hub::coordinate::advance(&world.hub, task.as_i64().unwrap().into(), start()).await.unwrap();
    assert_eq!(messages().await, 1, "moved there");
    world.ok("massTag", json!({"tag": "heir", "builds": [tree.build]})).await;
    assert_eq!(messages().await, 1, "the key is inherited");
    world.ok("tagBuildBypass", json!({"tag": "signed", "build": tree.build, "force": true})).await;
    assert_eq!(messages().await, 1, "tagged anew");
    world.ok("snapshotTag", json!({"src": "signed", "dst": "copied", "config": true})).await;
    assert_eq!(messages().await, 1, "copied with its tag");

    // untagged before it was signed
    world.ok("untagBuildBypass", json!({"tag": "signed", "build": tree.build})).await;
    toji_sign::handle(
        &world.hub,
        &format!("{{\"tag\": {}, \"build\": {}}}", tag_id(&world).await, tree.build),
        start(),
    )
    .await
    .unwrap();
    assert_eq!(world.count("SELECT count(*) FROM signature_log").await, 0);
}

async fn tag_id(world: &World) -> i64 {
    world.ok("getTagID", json!({"info": "signed"})).await.as_i64().unwrap()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_names_no_key_is_said(pool: PgPool) {
    let keys = keys();
    let (world, tree) = world(pool, keys.path()).await;
    for bad in [json!("devel.pem"), json!("file:../devel.pem"), json!("file:/etc/passwd"), json!(""), json!(7)] {
        let extra = json!({"name": "bad", "extra": {"sign.key": bad}});
        let (code, text) = fault(&world, ADMIN, "createTag", extra).await;
        assert!(code == 1019 && text.contains("kms:alias/NAME"), "{text}");
        let (code, _) =
            fault(&world, ADMIN, "editTag2", json!({"tagInfo": "signed", "extra": {"sign.key": bad}})).await;
        assert_eq!(code, 1019);
    }
    let (_, text) = fault(&world, ADMIN, "sign.key", json!({"tag": "none"})).await;
    assert_eq!(text, "No such tag: 'none'");
    make_tag(&world, "plain", json!({})).await;
    let (_, text) = fault(&world, ADMIN, "sign.key", json!({"tag": "plain"})).await;
    assert!(text.contains("toji edit-tag plain -x sign.key="), "{text}");
    let (_, text) = fault(&world, ADMIN, "sign.build", json!({"tag": "signed", "build": tree.build})).await;
    assert!(text.contains("is not in the tag signed"), "{text}");
    // a kind of key that this deployment does not reach
    make_tag(&world, "far", json!({"sign.key": "kms:alias/releases"})).await;
    let (_, text) = fault(&world, ADMIN, "sign.key", json!({"tag": "far"})).await;
    assert!(text.contains("kms:alias/releases cannot be used: this deployment reaches no KMS"), "{text}");

    // a key that is away leaves the build tagged, and says so until it is back
    let pem = keys.path().join("devel.pem");
    let kept = std::fs::read(&pem).unwrap();
    std::fs::remove_file(&pem).unwrap();
    world.ok("tagBuildBypass", json!({"tag": "signed", "build": tree.build})).await;
    sign_all(&world, start()).await;
    let unsigned = waiting(&world).await;
    assert!(
        unsigned[0]["problem"].as_str().unwrap().contains("the signing key file:devel.pem cannot be used now"),
        "{unsigned:?}"
    );
    assert_eq!((&unsigned[0]["nvr"], &unsigned[0]["attempts"]), (&json!("tree-1.0-3"), &json!(1)));
    assert_eq!(sign::run_once(&world.hub, start() + seconds(9)).await.unwrap(), 0);
    assert_eq!(sign::run_once(&world.hub, start() + seconds(10)).await.unwrap(), 1);
    sign_all(&world, start() + seconds(10)).await;
    assert_eq!(sign::run_once(&world.hub, start() + seconds(29)).await.unwrap(), 0, "twice as long");
    std::fs::write(&pem, kept).unwrap();
    assert_eq!(sign::run_once(&world.hub, start() + seconds(30)).await.unwrap(), 1);
    sign_all(&world, start() + seconds(30)).await;
    assert!(waiting(&world).await.is_empty());
    // the file has another key now: what was noted once counts
    make_key(&pem);
    world.ok("tagBuildBypass", json!({"tag": "signed", "build": tree.build, "force": true})).await;
    for object in world.hub.store.list("packages/tree/1.0/3/data/").await.unwrap() {
        world.hub.store.delete(&object.key).await.unwrap();
    }
    sign_all(&world, start()).await;
    let problem = waiting(&world).await[0]["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains("signs with another key than the one that was noted"), "{problem}");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn who_may_not_is_refused(pool: PgPool) {
    let keys = keys();
    let (world, tree) = world(pool, keys.path()).await;
    world.ok("createUser", json!({"username": "bob"})).await;
    let bob = world.ok("createToken", json!({"user": "bob"})).await["token"].as_str().unwrap().to_owned();
    for (method, arguments) in [
        ("sign.build", json!({"tag": "signed", "build": tree.build})),
        ("sign.pending", json!({})),
        ("sign.log", json!({})),
    ] {
        assert_eq!(fault(&world, &bob, method, arguments).await.0, 1004, "{method}");
    }
    world.ok("grantPermission", json!({"userinfo": "bob", "permission": "sign"})).await;
    world.ok("tagBuildBypass", json!({"tag": "signed", "build": tree.build})).await;
    world.call(&bob, "sign.build", json!({"tag": "signed", "build": tree.build}), start()).await.unwrap();
    assert_eq!(waiting(&world).await[0]["user_name"], "bob");
    assert_eq!(fault(&world, &bob, "sign.log", json!({})).await.0, 1004);
}

/// MiniStack's KMS, and a new RSA key there under a new alias.
async fn kms() -> (aws_sdk_kms::Client, Keyring, String, String) {
    let endpoint = std::env::var("TOJI_TEST_KMS").unwrap_or_else(|_| {
        panic!("TOJI_TEST_KMS holds no address of a KMS: localstack/bin/setup ministack, localstack/bin/ministack start test")
    });
    let access = KmsAccess::emulator(&endpoint);
    let keyring = Keyring::default().with_kms(access.clone()).await;
    let client = access.client().await;
    let made = client.create_key().key_spec(KeySpec::Rsa2048).key_usage(KeyUsageType::SignVerify).send().await.unwrap();
    let id = made.key_metadata.unwrap().key_id;
    let alias = format!("alias/toji-{:08x}", rand::random::<u32>());
    client.create_alias().alias_name(&alias).target_key_id(&id).send().await.unwrap();
    (client, keyring, id, alias)
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn kms_signs_and_keeps_its_key(pool: PgPool) {
    let (client, keyring, id, alias) = kms().await;
    let world = World::with(pool, Config { keyring, ..Config::default() }).await;
    let tree = Tree::plant(&world, 5000).await;
    make_tag(&world, "signed", json!({"sign.key": format!("kms:{alias}")})).await;

    // away: tagged and unsigned, and it is said why
    client.disable_key().key_id(&id).send().await.unwrap();
    world.ok("tagBuildBypass", json!({"tag": "signed", "build": tree.build})).await;
    sign_all(&world, start()).await;
    let problem = waiting(&world).await[0]["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains(&alias) && problem.contains("DisabledException"), "{problem}");
    assert!(problem.contains("(request ") && !problem.contains("request unknown"), "{problem}");
    client.enable_key().key_id(&id).send().await.unwrap();
    assert_eq!(sign::run_once(&world.hub, start() + seconds(10)).await.unwrap(), 1);
    sign_all(&world, start() + seconds(10)).await;
    assert!(waiting(&world).await.is_empty());

    let (sigkey, public) = public(&world, "signed").await;
    let copy = signed_copy(&world, &sigkey).await;
    let said = verify(&public, &copy).unwrap();
    assert!(said.contains(&format!("Header V4 RSA/SHA256 Signature, key ID {sigkey}: OK")), "{said}");
    // another deployment makes the same public key of it
    sqlx::query("UPDATE signing_key SET reference = 'kms:old'").execute(&world.pool).await.unwrap();
    assert_eq!(world.ok("sign.key", json!({"tag": "signed"})).await["public_key"], public);

    // the alias moves on to another key: what was noted is not signed with it
    let other =
        client.create_key().key_spec(KeySpec::Rsa2048).key_usage(KeyUsageType::SignVerify).send().await.unwrap();
    let other = other.key_metadata.unwrap().key_id;
    client.update_alias().alias_name(&alias).target_key_id(other).send().await.unwrap();
    sqlx::query("DELETE FROM rpmsigs WHERE sigkey = $1").bind(&sigkey).execute(&world.pool).await.unwrap();
    world.ok("sign.build", json!({"tag": "signed", "build": tree.build})).await;
    sign_all(&world, start()).await;
    let problem = waiting(&world).await[0]["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains("has its alias been moved?"), "{problem}");

    // keys that do not fit
    let elliptic =
        client.create_key().key_spec(KeySpec::EccNistP256).key_usage(KeyUsageType::SignVerify).send().await.unwrap();
    let elliptic = elliptic.key_metadata.unwrap().key_id;
    make_tag(&world, "elliptic", json!({"sign.key": format!("kms:{elliptic}")})).await;
    let (_, text) = fault(&world, ADMIN, "sign.key", json!({"tag": "elliptic"})).await;
    assert!(text.contains("it is no RSA key that signs; make one"), "{text}");
    make_tag(&world, "nowhere", json!({"sign.key": "kms:alias/nobody-has-this"})).await;
    let (_, text) = fault(&world, ADMIN, "sign.key", json!({"tag": "nowhere"})).await;
    assert!(text.contains("KMS says NotFoundException"), "{text}");
}
