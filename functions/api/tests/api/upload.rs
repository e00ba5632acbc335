//! Uploads: Koji's pieces, its old base64 way, and parts to presigned URLs.

use sqlx::PgPool;
use toji_hub::upload::{UploadPath, complete};
use toji_protocol::{
    client::Client,
    method::upload::{CheckUpload, FinishUpload, StartUpload, part_size},
    object_key,
    value::Value,
};

use crate::app::{App, Session, TOKEN, fault, named};

const MIB: usize = 1 << 20;

/// Bytes that repeat nowhere near.
fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn adler32(bytes: &[u8]) -> String {
    format!("{:08x}", adler2::adler32_slice(bytes))
}

/// Where a piece goes: `name` in `cli-build/1.x`.
fn at(name: &str, offset: i64, more: &str) -> String {
    format!("filename={name}&filepath=cli-build/1.x&fileverify=adler32&offset={offset}{more}")
}

async fn check(session: &Session<'_>, name: &str, more: &[(&str, Value)]) -> Value {
    session.call(0, "checkUpload", named(vec!["cli-build/1.x".into(), name.into()], more)).await.unwrap()
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_file_in_pieces(pool: PgPool) {
    let app = App::new(pool).await;
    let session = app.login().await;
    let file = bytes(20 * MIB + 12_345, 1);
    for (number, piece) in file.chunks(MIB).enumerate() {
        let receipt = session.upload(&at("a%2Bb.src.rpm", (number * MIB) as i64, ""), piece.to_vec()).await.unwrap();
        assert_eq!(receipt.get("size"), Some(&Value::Int(piece.len() as i64)));
        assert_eq!(receipt.get("offset"), Some(&Value::Int((number * MIB) as i64)));
        assert_eq!(receipt.get("fileverify"), Some(&"adler32".into()));
        assert_eq!(receipt.get("hexdigest"), Some(&adler32(piece).as_str().into()));
    }
    let parts: i64 = sqlx::query_scalar("SELECT count(*) FROM upload_part").fetch_one(&app.hub.pool).await.unwrap();
    assert_eq!(parts, 2, "they are folded as they come");

    // asked by two at once
    let path = UploadPath::parse("cli-build/1.x/a+b.src.rpm").unwrap();
    let (one, two) = tokio::join!(complete(&app.hub, &path), complete(&app.hub, &path));
    for object in [one, two].into_iter().flatten() {
        assert_eq!((object.key.as_str(), object.size), ("work/cli-build/1.x/a+b.src.rpm", file.len() as i64));
    }
    let state = check(&session, "a+b.src.rpm", &[("verify", "adler32".into())]).await;
    assert_eq!(state.get("size"), Some(&Value::Int(file.len() as i64)));
    assert_eq!(state.get("hexdigest"), Some(&adler32(&file).as_str().into()), "summed up from the pieces");
    let tail = check(&session, "a+b.src.rpm", &[("verify", "adler32".into()), ("tail", 1000.into())]).await;
    assert_eq!(tail.get("hexdigest"), Some(&adler32(&file[file.len() - 1000..]).as_str().into()));
    assert_eq!(tail.get("sumlength"), Some(&Value::Int(1000)));

    let read = app.get("/kojifiles/work/cli-build/1.x/a+b.src.rpm", &[]).await;
    assert!(read.body == file);
    let left = app.hub.store.list("work/.pieces/").await.unwrap();
    assert_eq!(left, []);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn rules_of_pieces(pool: PgPool) {
    let app = App::new(pool).await;
    let session = app.login().await;
    let up = async |offset: i64, more: &str, body: &'static str| session.upload(&at("f", offset, more), body).await;
    let holds = async || {
        let sum = "SELECT coalesce(sum(size), 0)::bigint FROM upload_piece";
        sqlx::query_scalar::<_, i64>(sum).fetch_one(&app.hub.pool).await.unwrap()
    };
    assert!(fault(up(5, "", "late").await).contains("begin at 0"));
    up(0, "", "hello ").await.unwrap();
    up(0, "", "hello ").await.unwrap();
    assert_eq!(holds().await, 6, "sent again, it is the same piece");
    assert!(fault(up(0, "", "jello ").await).starts_with("1000: upload path exists: cli-build/1.x/f"));
    up(6, "", "world").await.unwrap();
    up(0, "", "hello ").await.unwrap();
    assert_eq!(holds().await, 11, "an early piece sent again cuts nothing off");
    up(6, "", "World").await.unwrap();
    assert!(fault(up(7, "", "x").await).contains("does not fit: 11 bytes have arrived"));
    assert!(fault(up(12, "&overwrite=1", "x").await).contains("does not fit"));
    up(-1, "", "!").await.unwrap();
    up(8, "&overwrite=1", "rks").await.unwrap();
    assert_eq!(check(&session, "f", &[]).await.get("size"), Some(&Value::Int(11)));
    assert_eq!(app.get("/kojifiles/work/cli-build/1.x/f", &[]).await.text(), "hello Works");

    assert!(fault(up(11, "", "more").await).starts_with("1000: upload path exists"));
    up(0, "&overwrite=1", "anew").await.unwrap();
    check(&session, "f", &[]).await;
    assert_eq!(app.get("/kojifiles/work/cli-build/1.x/f", &[]).await.text(), "anew");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn going_back_behind_what_was_folded(pool: PgPool) {
    let app = App::new(pool).await;
    let session = app.login().await;
    let (first, second) = (bytes(10 * MIB, 2), bytes(10 * MIB, 3));
    for (number, piece) in first.chunks(MIB).enumerate() {
        session.upload(&at("f", (number * MIB) as i64, ""), piece.to_vec()).await.unwrap();
    }
    session.upload(&at("f", 4_000_000, "&overwrite=1"), second.clone()).await.unwrap();
    let state = check(&session, "f", &[("verify", "adler32".into())]).await;
    let whole = [&first[..4_000_000], &second].concat();
    assert_eq!(state.get("size"), Some(&Value::Int(whole.len() as i64)));
    assert_eq!(state.get("hexdigest"), Some(&adler32(&whole).as_str().into()));
    assert!(app.get("/kojifiles/work/cli-build/1.x/f", &[]).await.body == whole);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_may_not_be_uploaded(pool: PgPool) {
    let app = App::new(pool).await;
    let session = app.login().await;
    let no_digest = session.upload("filename=f&filepath=cli-build/1.x&offset=0", "x").await;
    assert_eq!(fault(no_digest), "1019: fileverify is missing: it can be adler32, md5 or sha256");
    let crc = session.upload("filename=f&filepath=cli-build/1.x&offset=0&fileverify=crc32", "x").await;
    assert!(fault(crc).starts_with("1000: unsupported fileverify 'crc32'"));
    for (file, folder) in [("a/b", "c"), (".user", "c"), ("f", "../c"), ("f", "tasks/1/1"), ("f", ".pieces"), ("f", "")]
    {
        let query = format!("filename={file}&filepath={folder}&fileverify=adler32&offset=0");
        assert!(session.upload(&query, "x").await.is_err(), "{folder}/{file}");
    }
    let volume = session.upload(&at("f", 0, "&volume=vol1"), "x").await;
    assert!(fault(volume).starts_with("1000: No such volume: vol1"));
    let large = session.upload(&at("f", 0, ""), vec![0; 16 * MIB + 1]).await;
    assert!(fault(large).contains("16 MiB at the most"));
    assert!(session.upload("filename=f&filepath=c&fileverify=md5&offset=x", "x").await.is_err());

    let headers = [("content-type", "application/octet-stream")];
    let path = format!("/kojihub?{}", at("f", 0, ""));
    let nobody = app.request(axum::http::Method::POST, &path, &headers, "x").await;
    let nobody = toji_protocol::xmlrpc::decode_response(&nobody.body).unwrap();
    assert!(fault(nobody).starts_with("1002: 'session-id' not specified in session args"));

    session.upload(&at("mine", 0, ""), "x").await.unwrap();
    let bob = format!("Bearer {}", app.user("bob").await);
    let theirs = app.request(axum::http::Method::POST, &path, &[headers[0], ("authorization", &bob)], "x").await;
    let theirs = toji_protocol::xmlrpc::decode_response(&theirs.body).unwrap();
    assert!(fault(theirs).starts_with("1004: the upload folder cli-build/1.x belongs to another user"));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn small_and_empty_files(pool: PgPool) {
    let app = App::new(pool).await;
    let session = app.login().await;
    assert_eq!(check(&session, "none", &[]).await, Value::Nil);
    let receipt = session.upload(&at("empty", 0, ""), "").await.unwrap();
    assert_eq!(receipt.get("hexdigest"), Some(&"00000001".into()));
    session.upload(&at("empty", 0, ""), "").await.unwrap();
    assert_eq!(check(&session, "empty", &[]).await.get("size"), Some(&Value::Int(0)));
    assert_eq!(app.get("/kojifiles/work/cli-build/1.x/empty", &[]).await.status, 200);
    for (kind, digest) in [
        ("md5", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ] {
        let query = at(kind, 0, "").replace("adler32", kind);
        let receipt = session.upload(&query, "abc").await.unwrap();
        assert_eq!(receipt.get("hexdigest"), Some(&digest.into()));
        let state = check(&session, kind, &[("verify", kind.into())]).await;
        assert_eq!(state.get("hexdigest"), Some(&digest.into()));
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn the_old_way(pool: PgPool) {
    let app = App::new(pool).await;
    let session = app.login().await;
    let up = async |size: i64, sum: Value, offset: i64, data: &str| {
        let params = vec!["cli-build/1.x".into(), "f".into(), size.into(), sum, offset.into(), data.into()];
        session.call(0, "uploadFile", params).await
    };
    let md5 = Value::from("900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(up(3, md5.clone(), 0, "YWJj\n").await, Ok(Value::Bool(true)));
    assert_eq!(up(4, md5.clone(), 3, "YWJj").await, Ok(Value::Bool(false)), "a wrong size");
    assert_eq!(up(3, "00".into(), 3, "YWJj").await, Ok(Value::Bool(false)), "a wrong digest");
    assert!(fault(up(3, md5.clone(), 3, "%%%").await).starts_with("1019: data is not base64"));
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let pair = Value::Array(vec!["sha256".into(), sha256.into()]);
    assert_eq!(up(3, pair.clone(), 0, "YWJj").await, Ok(Value::Bool(true)), "begun again");
    assert_eq!(up(3, pair, -1, "").await, Ok(Value::Bool(true)), "the whole file");
    assert_eq!(up(4, Value::Nil, -1, "").await, Ok(Value::Bool(false)));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn parts_to_presigned_urls(pool: PgPool) {
    let app = App::new(pool).await;
    let client = Client::new(&app.serve().await, Some(TOKEN)).unwrap();
    let content = bytes(17 * MIB, 4);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f");
    std::fs::write(&file, &content).unwrap();
    let size = content.len() as i64;
    let digests: Vec<String> = content.chunks(part_size(size) as usize).map(sha256).collect();
    let path = "cli-build/2.y/foo+1-1-1.src.rpm".to_owned();

    let start = StartUpload { path: path.clone(), size, parts: digests };
    let given_up = client.call(&start).await.unwrap();
    let plan = client.call(&start).await.unwrap();
    assert_ne!(given_up.upload_id, plan.upload_id, "one that was never finished is begun again");
    let check = CheckUpload {
        path: "cli-build/2.y".into(),
        name: "foo+1-1-1.src.rpm".into(),
        verify: Some("adler32".into()),
        tail: None,
        volume: None,
    };
    assert!(client.call(&check).await.unwrap().is_none());
    assert!(complete(&app.hub, &UploadPath::parse(&path).unwrap()).await.is_err());

    let parts = client.upload_parts(&plan, &file, |_| {}).await.unwrap();
    let finish = FinishUpload { path: path.clone(), upload_id: plan.upload_id, parts };
    let stale = FinishUpload { upload_id: given_up.upload_id, ..finish.clone() };
    assert!(client.call(&stale).await.unwrap_err().is_conflict());
    let mut short = finish.clone();
    short.parts[0].sha256 = short.parts[1].sha256.clone();
    assert_eq!(client.call(&short).await.unwrap_err().status(), Some(400));
    client.call(&finish).await.unwrap();
    client.call(&finish).await.unwrap();

    let object = complete(&app.hub, &UploadPath::parse(&path).unwrap()).await.unwrap();
    assert_eq!((object.key, object.size), (object_key::client_upload(&path), size));
    let state = client.call(&check).await.unwrap().unwrap();
    assert_eq!(state.hexdigest, Some(adler32(&content)));
    assert!(client.call(&start).await.is_err(), "it is there");
    let wrong = StartUpload { path: "cli-build/2.y/g".into(), size, parts: vec![] };
    assert_eq!(client.call(&wrong).await.unwrap_err().code(), Some(1019));
    let no_digest = StartUpload { path: "cli-build/2.y/g".into(), size: 1, parts: vec!["x".into()] };
    assert_eq!(client.call(&no_digest).await.unwrap_err().status(), Some(400));
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(bytes))
}
