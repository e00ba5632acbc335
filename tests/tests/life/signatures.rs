//! Signatures: kept, written into copies that rpm itself accepts, and forgotten.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use crate::{
    signing::{Tree, fault},
    world::{ADMIN, World},
};

const NVRA: &str = "tree-1.0-3.x86_64";
const SIGNED: &str = "packages/tree/1.0/3/data/signed";
const KEPT: &str = "packages/tree/1.0/3/data/sigcache";
/// More than goes through the hub: such a copy is put together in S3.
const LARGE: usize = 14 << 20;

/// The signature header of a file, as a client cuts it out.
fn signature(rpm: &[u8]) -> String {
    let number = |at: usize| u32::from_be_bytes(rpm[at..at + 4].try_into().unwrap()) as usize;
    let size = 16 + number(104) * 16 + number(108);
    BASE64_STANDARD.encode(&rpm[96..96 + size.next_multiple_of(8)])
}

async fn signed_with(world: &World, tree: &Tree, name: &str) -> String {
    let (key, signed) = tree.sign(name);
    world.ok("addRPMSig", json!({"an_rpm": NVRA, "data": signature(&signed)})).await;
    world.ok("writeSignedRPM", json!({"an_rpm": tree.rpm, "sigkey": key.to_uppercase()})).await;
    let written = world.hub.store.get(&format!("{SIGNED}/{key}/x86_64/{NVRA}.rpm")).await.unwrap();
    assert_eq!(written, signed, "what rpmsign has made, to the byte");
    assert!(tree.check(name, &written).contains(&format!("key ID {key}: OK")));
    key
}

fn keys(sigs: &Value) -> Vec<&str> {
    sigs.as_array().unwrap().iter().map(|sig| sig["sigkey"].as_str().unwrap()).collect()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_signed_copy_is_what_rpmsign_makes(pool: PgPool) {
    let world = World::new(pool).await;
    let tree = Tree::plant(&world, 10).await;
    let ada = signed_with(&world, &tree, "ada").await;
    let bob = signed_with(&world, &tree, "bob").await;

    let sigs = world.ok("queryRPMSigs", json!({"rpm_id": NVRA, "queryOpts": {"order": "sigkey"}})).await;
    let mut expected = vec!["", ada.as_str(), bob.as_str()];
    expected.sort_unstable();
    assert_eq!(keys(&sigs), expected);
    assert_eq!(keys(&world.ok("queryRPMSigs", json!({"sigkey": ada.to_uppercase()})).await), [ada.as_str()]);
    assert_eq!(world.ok("queryRPMSigs", json!({"rpm_id": "none-1-1.src"})).await, json!([]));

    // of each key: of a file that was never written, too
    let cached = world.ok("getRPMChecksums", json!({"rpm_id": tree.rpm, "cacheonly": true})).await;
    assert_eq!(cached[&ada], json!({"md5": null, "sha256": null}));
    let sums = world.ok("getRPMChecksums", json!({"rpm_id": tree.rpm})).await;
    assert_eq!(sums[""]["sha256"], hex::encode(Sha256::digest(&tree.bytes)));
    let written = world.hub.store.get(&format!("{SIGNED}/{ada}/x86_64/{NVRA}.rpm")).await.unwrap();
    assert_eq!(sums[&ada]["sha256"], hex::encode(Sha256::digest(&written)));
    assert_eq!(world.ok("getRPMChecksums", json!({"rpm_id": tree.rpm, "cacheonly": true})).await, sums);
    let (_, text) = fault(&world, ADMIN, "getRPMChecksums", json!({"rpm_id": tree.rpm, "checksum_types": ["x"]})).await;
    assert!(text.starts_with("Checksum_type x isn't supported"), "{text}");

    // the copy of the key that is none is the file itself
    world.ok("writeSignedRPM", json!({"an_rpm": tree.rpm, "sigkey": ""})).await;
    assert_eq!(world.hub.store.get(&format!("{SIGNED}/x86_64/{NVRA}.rpm")).await.unwrap(), tree.bytes);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_large_copy_is_put_together_in_s3(pool: PgPool) {
    let world = World::new(pool).await;
    let tree = Tree::plant(&world, LARGE).await;
    assert!(tree.bytes.len() > LARGE, "it cannot be compressed");
    let key = signed_with(&world, &tree, "ada").await;
    // present: nothing is done; by force: anew
    let object = format!("{SIGNED}/{key}/x86_64/{NVRA}.rpm");
    world.hub.store.put(&object, "something else", "text/plain").await.unwrap();
    world.ok("writeSignedRPM", json!({"an_rpm": NVRA, "sigkey": key})).await;
    assert_eq!(world.hub.store.head(&object).await.unwrap().unwrap().size, 14);
    world.ok("writeSignedRPM", json!({"an_rpm": NVRA, "sigkey": key, "force": true})).await;
    assert!(world.hub.store.head(&object).await.unwrap().unwrap().size as usize > LARGE);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_is_no_signature_of_it_is_refused(pool: PgPool) {
    let world = World::new(pool).await;
    let tree = Tree::plant(&world, 10).await;
    let add = async |data: &str| fault(&world, ADMIN, "addRPMSig", json!({"an_rpm": NVRA, "data": data})).await.1;
    assert!(add("***").await.starts_with("data is no base64"));
    assert!(add(&BASE64_STANDARD.encode(b"not a header at all")).await.starts_with("data is no signature header"));
    let cut = BASE64_STANDARD.encode(&BASE64_STANDARD.decode(signature(&tree.bytes)).unwrap()[..40]);
    assert!(add(&cut).await.starts_with("data is no signature header"));
    // of the source RPM
    let source = world.hub.store.get("packages/tree/1.0/3/src/tree-1.0-3.src.rpm").await.unwrap();
    assert!(add(&signature(&source)).await.starts_with("wrong md5 for tree-1.0-3.x86_64: "));

    let (code, text) = fault(&world, ADMIN, "writeSignedRPM", json!({"an_rpm": NVRA, "sigkey": "ABCD1234"})).await;
    assert_eq!((code, text.as_str()), (1000, "No cached signature for package tree-1.0-3.x86_64, key abcd1234"));
    let (code, text) = fault(&world, ADMIN, "addRPMSig", json!({"an_rpm": 9999, "data": signature(&source)})).await;
    assert_eq!((code, text.as_str()), (1000, "No such rpm: 9999"));
    world.ok("createUser", json!({"username": "bob"})).await;
    let token = world.ok("createToken", json!({"user": "bob"})).await["token"].as_str().unwrap().to_owned();
    for (method, arguments) in [
        ("addRPMSig", json!({"an_rpm": NVRA, "data": ""})),
        ("writeSignedRPM", json!({"an_rpm": NVRA, "sigkey": ""})),
        ("deleteRPMSig", json!({"rpminfo": NVRA, "all_sigs": true})),
    ] {
        assert_eq!(fault(&world, &token, method, arguments).await.0, 1004, "{method}");
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_signature_is_forgotten_but_for_a_copy(pool: PgPool) {
    let world = World::new(pool).await;
    let tree = Tree::plant(&world, 10).await;
    let (key, signed) = tree.sign("ada");
    let data = signature(&signed);
    world.ok("addRPMSig", json!({"an_rpm": tree.rpm, "data": data})).await;
    let (_, text) = fault(&world, ADMIN, "addRPMSig", json!({"an_rpm": tree.rpm, "data": data})).await;
    assert_eq!(text, format!("Signature already exists for package {NVRA}, key {key}"));
    // after a crash between row and object, the same header mends it
    let object = format!("{KEPT}/{key}/x86_64/{NVRA}.rpm.sig");
    world.hub.store.delete(&object).await.unwrap();
    let (_, text) = fault(&world, ADMIN, "writeSignedRPM", json!({"an_rpm": tree.rpm, "sigkey": key})).await;
    assert!(text.contains("import it again"), "{text}");
    world.ok("addRPMSig", json!({"an_rpm": tree.rpm, "data": data})).await;
    world.ok("writeSignedRPM", json!({"an_rpm": tree.rpm, "sigkey": key})).await;
    world.ok("getRPMChecksums", json!({"rpm_id": tree.rpm})).await;

    let (_, text) = fault(&world, ADMIN, "deleteRPMSig", json!({"rpminfo": NVRA})).await;
    assert_eq!(text, "No signature specified");
    let (_, text) = fault(&world, ADMIN, "deleteRPMSig", json!({"rpminfo": NVRA, "sigkey": "00000000"})).await;
    assert_eq!(text, format!("{NVRA} has no matching signatures to delete"));
    world.ok("deleteRPMSig", json!({"rpminfo": NVRA, "sigkey": key})).await;
    assert_eq!(keys(&world.ok("queryRPMSigs", json!({"rpm_id": tree.rpm})).await), [""]);
    let left = world.hub.store.list("packages/tree/1.0/3/data/").await.unwrap();
    let left: Vec<&str> = left.iter().map(|object| object.key.as_str()).collect();
    assert!(left.len() == 1 && left[0].starts_with(&object) && left[0].ends_with(".save"), "{left:?}");
    let sums = world.ok("getRPMChecksums", json!({"rpm_id": tree.rpm, "cacheonly": true})).await;
    assert_eq!(sums.as_object().unwrap().keys().collect::<Vec<_>>(), [""]);
    // and it may come again
    world.ok("addRPMSig", json!({"an_rpm": tree.rpm, "data": data})).await;
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_signature_under_another_key(pool: PgPool) {
    let world = World::new(pool).await;
    let tree = Tree::plant(&world, 10).await;
    let key = signed_with(&world, &tree, "ada").await;
    let bytes = world.hub.store.get(&format!("{SIGNED}/{key}/x86_64/{NVRA}.rpm")).await.unwrap();
    let rename = |old: &str, new: &str| json!({"rpminfo": NVRA, "oldkey": old, "newkey": new});
    // the new name is taken by the signature itself
    let (_, text) = fault(&world, ADMIN, "renameRPMSig", rename(&key, &key)).await;
    assert_eq!(text, format!("Signature already exists for package {NVRA}, key {key}"));

    let longer = format!("0123456789abcdef{key}");
    world.ok("getRPMChecksums", json!({"rpm_id": tree.rpm})).await;
    world.ok("renameRPMSig", rename(&key.to_uppercase(), &longer)).await;
    assert_eq!(keys(&world.ok("queryRPMSigs", json!({"rpm_id": tree.rpm})).await), ["", &longer]);
    let objects = world.hub.store.list("packages/tree/1.0/3/data/").await.unwrap();
    let objects: Vec<&str> = objects.iter().map(|object| object.key.as_str()).collect();
    let new = [format!("{KEPT}/{longer}/x86_64/{NVRA}.rpm.sig"), format!("{SIGNED}/{longer}/x86_64/{NVRA}.rpm")];
    assert_eq!(objects, new);
    assert_eq!(world.hub.store.get(&new[1]).await.unwrap(), bytes);
    world.ok("writeSignedRPM", json!({"an_rpm": NVRA, "sigkey": longer, "force": true})).await;
    assert_eq!(world.hub.store.get(&new[1]).await.unwrap(), bytes);
    let sums = world.ok("getRPMChecksums", json!({"rpm_id": tree.rpm})).await;
    assert_eq!(sums[&longer]["sha256"], hex::encode(Sha256::digest(&bytes)));
    let (_, text) = fault(&world, ADMIN, "renameRPMSig", rename(&key, "abcd")).await;
    assert_eq!(text, format!("No cached signature for package {NVRA}, key {key}"));
}
