//! Content generators bring builds: what they reserve, describe and upload, and that what is refused leaves nothing.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use toji_hub::callback::deliver;

use crate::{
    builder,
    callbacks::receiver::{Receiver, SECRET},
    rpms::{self, Rpm},
    world::{World, start},
};

/// A content generator that the admin may act for, and its uploads in one folder.
struct Generator {
    world: World,
    source: Rpm,
    folder: String,
}

impl Generator {
    async fn new(pool: PgPool) -> Self {
        Self::with_hooks(pool, "").await
    }

    async fn with_hooks(pool: PgPool, hooks: &str) -> Self {
        let world = World::with_hooks(pool, hooks).await;
        world.ok("grantCGAccess", json!({"user": "admin", "cg": "cg", "create": true})).await;
        world.ok("addBType", json!({"name": "bundle"})).await;
        let source = rpms::hello().source;
        let path = builder::client_upload(&world, &source, start()).await;
        let folder = path.rsplit_once('/').unwrap().0.to_owned();
        Self { world, source, folder }
    }

    async fn upload(&self, name: &str, bytes: &[u8]) {
        let file = Rpm { name: name.to_owned(), bytes: bytes.to_vec() };
        builder::client_upload_to(&self.world, &self.folder, &file, start()).await;
    }

    fn output(&self, name: &str, bytes: &[u8], kind: &str) -> Value {
        json!({"buildroot_id": 7, "filename": name, "filesize": bytes.len(), "arch": "noarch", "type": kind,
            "checksum_type": "sha256", "checksum": hex::encode(Sha256::digest(bytes))})
    }

    /// A description with the source RPM as the only output.
    fn metadata(&self) -> Value {
        json!({
            "metadata_version": 0,
            "build": {"name": "hello", "version": "1.0", "release": "1", "source": "git://x#1",
                "start_time": 1_000_000_000, "end_time": "1000000010.5", "extra": {"note": "x"}},
            "buildroots": [{
                "id": 7,
                "content_generator": {"name": "cg", "version": "2"},
                "container": {"type": "docker", "arch": "x86_64"},
                "host": {"os": "an os", "arch": "aarch64"},
                "tools": [{"name": "tar", "version": "1.35"}],
                "components": [{"type": "rpm", "name": "nobody", "version": "1", "release": "1", "epoch": null,
                    "arch": "noarch", "sigmd5": "00", "signature": null}],
                "extra": {"a": 1},
            }],
            "output": [self.output(&self.source.name, &self.source.bytes, "rpm")],
        })
    }

    async fn import(&self, metadata: &Value, token: Option<&str>) -> Result<Value, (i32, String)> {
        let arguments = json!({"metadata": metadata, "directory": self.folder, "token": token});
        let answer = self.world.attempt("CGImport", arguments, start()).await;
        answer.map_err(|error| (error.fault_code(), error.to_string()))
    }

    async fn keys(&self) -> Vec<String> {
        let objects = self.world.hub.store.list("packages/").await.unwrap();
        objects.into_iter().map(|object| object.key).collect()
    }

    async fn rows(&self) -> i64 {
        let all = "SELECT (SELECT count(*) FROM build) + (SELECT count(*) FROM rpminfo) + (SELECT count(*) FROM archiveinfo)
            + (SELECT count(*) FROM buildroot) + (SELECT count(*) FROM build_types) + (SELECT count(*) FROM pending_import)
            + (SELECT count(*) FROM build_config)";
        self.world.count(all).await
    }
}

/// Refused at the end, when all is copied, nothing is left of it; allowed, it is told of.
#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_hook_has_the_last_word(pool: PgPool) {
    let receiver = Receiver::new().await;
    let url = receiver.url();
    let hooks = format!(
        "[[hook]]\nname = \"h\"\ncallbacks = [\"preImport\", \"preBuildStateChange\"]\nurl = \"{url}\"\n
         [[webhook]]\nname = \"w\"\nurl = \"{url}/tell\"\nsecret = \"{SECRET}\"\n"
    );
    let cg = Generator::with_hooks(pool, &hooks).await;
    cg.upload("hello.tar.gz", b"a tarball").await;
    let mut metadata = cg.metadata();
    let mut bundle = cg.output("hello.tar.gz", b"a tarball", "bundle");
    bundle["extra"] = json!({"typeinfo": {"bundle": {}}});
    metadata["build"]["extra"]["typeinfo"] = json!({"bundle": {}});
    metadata["output"].as_array_mut().unwrap().push(bundle);
    for kind in ["cg", "rpm", "archive"] {
        receiver
            .answers(move |asked| (200, json!({"allow": asked["body"]["type"] != kind, "reason": kind}).to_string()));
        let (code, text) = cg.import(&metadata, None).await.unwrap_err();
        assert_eq!((code, text), (1017, format!("preImport: the hook h refuses: {kind}")));
        assert_eq!((cg.rows().await, cg.keys().await), (0, vec![]));
    }
    receiver.answers(|_| (200, String::new()));
    receiver.heard();
    let build = cg.import(&metadata, None).await.unwrap();
    assert_eq!(build["state"], 1);
    deliver::run_once(&cg.world.hub, start()).await.unwrap();
    let mut told = receiver.heard();
    told.retain(|heard| heard.path == "/tell" && heard.body["key"] == format!("build:{}", build["id"]));
    let addresses: Vec<&str> = told.iter().map(|heard| heard.body["address"].as_str().unwrap()).collect();
    assert_eq!(addresses.last(), Some(&"build.complete"), "{addresses:?}");
    for address in ["build.building", "import.cg", "import.rpm", "import.archive"] {
        assert!(addresses.contains(&address), "{addresses:?}");
    }
    let cg_import = told.iter().find(|heard| heard.body["address"] == "import.cg").unwrap();
    assert_eq!(cg_import.body["body"]["metadata"]["build"]["name"], "hello");
    assert_eq!(cg_import.body["body"]["directory"], cg.folder.as_str());
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_build_that_was_made_elsewhere(pool: PgPool) {
    let cg = Generator::new(pool).await;
    let world = &cg.world;
    let log = b"all went well\n";
    cg.upload("build.log", log).await;
    cg.upload("hello.tar.gz", b"a tarball, it says").await;
    let mut metadata = cg.metadata();
    metadata["build"]["extra"]["typeinfo"] = json!({"bundle": {"color": "red"}});
    let mut bundle = cg.output("hello.tar.gz", b"a tarball, it says", "bundle");
    bundle["extra"] = json!({"typeinfo": {"bundle": {"part": 1}}});
    bundle["subdir"] = json!("a/b");
    let mut facts = cg.output("only.zip", b"nobody has uploaded it", "bundle");
    facts["extra"] = json!({"typeinfo": {"bundle": {}}});
    facts["metadata_only"] = json!(true);
    let mut build_log = cg.output("build.log", log, "log");
    build_log["subdir"] = json!("noarch");
    metadata["output"].as_array_mut().unwrap().extend([build_log, bundle, facts]);
    let build = cg.import(&metadata, None).await.unwrap();
    assert_eq!(
        json!([
            build["nvr"],
            build["state"],
            build["cg_name"],
            build["source"],
            build["start_ts"],
            build["completion_ts"]
        ]),
        json!(["hello-1.0-1", 1, "cg", "git://x#1", 1_000_000_000.0, 1_000_000_010.5])
    );
    assert_eq!(build["extra"], json!({"note": "x", "typeinfo": {"bundle": {"color": "red"}}}));
    let id = build["id"].clone();
    assert_eq!(
        world.ok("getBuildType", json!({"buildInfo": id})).await,
        json!({"rpm": null, "bundle": {"color": "red"}})
    );
    assert_eq!(world.ok("listBuilds", json!({"cgID": "cg", "type": "bundle"})).await.as_array().unwrap().len(), 1);
    assert_eq!(
        cg.keys().await,
        [
            "packages/hello/1.0/1/data/logs/noarch/build.log",
            "packages/hello/1.0/1/data/sigcache/src/hello-1.0-1.src.rpm.sig",
            "packages/hello/1.0/1/files/bundle/a/b/hello.tar.gz",
            "packages/hello/1.0/1/metadata.json",
            "packages/hello/1.0/1/src/hello-1.0-1.src.rpm",
        ]
    );

    let rpm = world.ok("getRPM", json!({"rpminfo": "hello-1.0-1.src"})).await;
    let root = world.ok("getBuildroot", json!({"buildrootID": rpm["buildroot_id"]})).await;
    assert_eq!(
        json!([
            root["br_type"],
            root["cg_name"],
            root["cg_version"],
            root["host_os"],
            root["host_arch"],
            root["arch"],
            root["container_type"],
            root["extra"],
            root["state"],
            root["create_event_id"],
            root["task_id"]
        ]),
        json!([1, "cg", "2", "an os", "aarch64", "x86_64", "docker", {"a": 1}, null, null, null])
    );
    let archives = world.ok("listArchives", json!({"buildID": id, "type": "bundle"})).await;
    assert_eq!(archives.as_array().unwrap().len(), 2);
    let bundle = &archives[0];
    assert_eq!(
        json!([
            bundle["filename"],
            bundle["type_name"],
            bundle["btype"],
            bundle["checksum_type"],
            bundle["metadata_only"],
            bundle["buildroot_id"]
        ]),
        json!(["hello.tar.gz", "tar", "bundle", 2, false, root["id"]])
    );
    assert_eq!(archives[1]["metadata_only"], true);
    assert_eq!(world.ok("getArchive", json!({"archive_id": bundle["id"]})).await, *bundle);
    assert_eq!(world.count("SELECT count(*) FROM buildroot_tools_info").await, 1);
    let (code, text) = cg.import(&cg.metadata(), None).await.unwrap_err();
    assert!(code == 1000 && text.starts_with("Build already exists: hello-1.0-1"), "{text}");
    // what is in one archive keeps its build
    sqlx::query("INSERT INTO archive_components (archive_id, component_id) VALUES (2, 1)")
        .execute(&world.pool)
        .await
        .unwrap();
    let refs = world.ok("buildReferences", json!({"build": id})).await;
    assert_eq!((&refs["component_of"], &refs["images"]), (&json!([2]), &json!([2])));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_is_refused_leaves_nothing(pool: PgPool) {
    let cg = Generator::new(pool).await;
    cg.world.ok("createUser", json!({"username": "other"})).await;
    cg.world.ok("grantCGAccess", json!({"user": "other", "cg": "others", "create": true})).await;
    let wrong = |path: &str, value: Value| {
        let mut metadata = cg.metadata();
        *metadata.pointer_mut(path).unwrap() = value;
        metadata
    };
    let sum = "0".repeat(64);
    let second = cg.metadata()["buildroots"][0].clone();
    for (metadata, code, says) in [
        (wrong("/metadata_version", json!(1)), 1000, "No such metadata version: 1"),
        (wrong("/output/0/checksum", json!(sum)), 1000, "File checksum mismatch for hello-1.0-1.src.rpm"),
        (wrong("/output/0/checksum_type", json!("crc")), 1000, "Unsupported verify type: crc"),
        (wrong("/output/0/filesize", json!(1)), 1000, "File size"),
        (wrong("/output/0/filename", json!("absent-1-1.src.rpm")), 1000, "No such upload"),
        (wrong("/output/0/buildroot_id", json!(8)), 1000, "Buildroot id not used in output: 7"),
        (
            wrong("/buildroots/0/content_generator/name", json!("none")),
            1000,
            "No such entry in table content_generator",
        ),
        (
            wrong("/buildroots/0/content_generator/name", json!("others")),
            1002,
            "Content generator access required (others)",
        ),
        (wrong("/buildroots", json!([second, second])), 1000, "Duplicate buildroot id in metadata: 7"),
        (wrong("/buildroots", json!([])), 1000, "the metadata names no buildroot"),
        (wrong("/build/release", json!("2")), 1005, "the source RPM is hello-1.0-1, but the build is hello-1.0-2"),
        (wrong("/build/release", json!("1-2")), 1000, "The \"-\" character not allowed in release field"),
        (wrong("/build/start_time", json!("soon")), 1000, "Invalid metadata"),
        (wrong("/build/extra", json!({"typeinfo": {"none": {}}})), 1000, "No such entry in table btype: none"),
        (wrong("/build/extra", json!({"maven": {}})), 1000, "maven support not enabled"),
        (wrong("/output/0/type", json!("bundle")), 1000, "No typeinfo for: hello-1.0-1.src.rpm"),
        (json!("{"), 1000, "Invalid json data for metadata"),
        (json!("nothing.json"), 1000, "No such upload"),
        (json!(7), 1019, "metadata must be a struct or a string"),
    ] {
        let told = cg.import(&metadata, None).await.unwrap_err();
        assert!(told.0 == code && told.1.starts_with(says), "{told:?} instead of {says}");
        assert_eq!((cg.rows().await, cg.keys().await.len()), (0, 0), "{says}");
    }
    let (_, text) = cg.import(&cg.metadata(), Some("x")).await.unwrap_err();
    assert_eq!(text, "Reservation token given, but no build_id in metadata");
    assert_eq!(cg.rows().await, 0);

    // an RPM of that name is there: refused before anything is copied
    let path = cg.folder.clone();
    cg.world.ok("importRPM", json!({"path": path, "basename": cg.source.name})).await;
    cg.world.ok("createEmptyBuild", json!({"name": "bye", "version": "1", "release": "1", "epoch": null})).await;
    sqlx::query("UPDATE rpminfo SET build_id = (SELECT id FROM build WHERE version = '1')")
        .execute(&cg.world.pool)
        .await
        .unwrap();
    sqlx::query("UPDATE build SET state = 4 WHERE version = '1.0'").execute(&cg.world.pool).await.unwrap();
    let rows = cg.rows().await;
    assert_eq!(cg.import(&cg.metadata(), None).await.unwrap_err().1, "rpm already exists: hello-1.0-1.src");
    assert_eq!(cg.rows().await, rows);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn reserved_names(pool: PgPool) {
    let cg = Generator::new(pool).await;
    let world = &cg.world;
    let data = json!({"name": "hello", "version": "1.0", "release": "1"});
    let reserved = world.ok("CGInitBuild", json!({"cg": "cg", "data": data})).await;
    let (id, token) = (reserved["build_id"].clone(), reserved["token"].as_str().unwrap().to_owned());
    assert!(token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(
        world.count("SELECT count(*) FROM build_reservations WHERE encode(token_hash, 'hex') LIKE '%'").await,
        1
    );
    let build = world.ok("getBuild", json!({"buildInfo": id})).await;
    assert_eq!((&build["state"], &build["cg_name"]), (&json!(0), &json!("cg")));
    let again = world.attempt("CGInitBuild", json!({"cg": "cg", "data": data}), start()).await;
    assert!(again.unwrap_err().to_string().starts_with("Build already exists: hello-1.0-1"));
    for bad in [json!({"name": "a", "version": "1"}), json!({"name": "a", "version": "1", "release": 1})] {
        world.attempt("CGInitBuild", json!({"cg": "cg", "data": bad}), start()).await.unwrap_err();
    }

    let mut metadata = cg.metadata();
    assert!(cg.import(&metadata, None).await.unwrap_err().1.starts_with("Build already exists"));
    metadata["build"]["build_id"] = id.clone();
    for wrong in [None, Some("0".repeat(64))] {
        let told = cg.import(&metadata, wrong.as_deref()).await.unwrap_err();
        assert_eq!(told, (1000, format!("Token doesn't match build ID {id}")));
    }
    let refund = |token: &str, state: i64| json!({"cg": "cg", "build_id": id, "token": token, "state": state});
    let refused =
        async |arguments: Value| world.attempt("CGRefundBuild", arguments, start()).await.unwrap_err().to_string();
    assert_eq!(refused(refund("x", 3)).await, format!("Token doesn't match build ID {id}"));
    assert_eq!(refused(refund(&token, 1)).await, "Only FAILED/CANCELED build states are allowed");
    let mut other = metadata.clone();
    other["build"]["release"] = json!("2");
    assert_eq!(cg.import(&other, Some(&token)).await.unwrap_err().1, format!("Build ({id}) NVR is different"));
    other = metadata.clone();
    other["build"]["draft"] = json!(true);
    assert!(cg.import(&other, Some(&token)).await.unwrap_err().1.starts_with("Draft field does not match"));
    assert_eq!(world.ok("getBuild", json!({"buildInfo": id})).await["state"], 0);
    assert_eq!(cg.keys().await, [""; 0]);

    let build = cg.import(&metadata, Some(&token)).await.unwrap();
    assert_eq!((&build["id"], &build["state"]), (&id, &json!(1)));
    // a token is good for one import
    assert_eq!(cg.import(&metadata, Some(&token)).await.unwrap_err().1, format!("Token doesn't match build ID {id}"));
    assert_eq!(refused(refund(&token, 3)).await, format!("Build ID {id} is not in BUILDING state"));

    let data = json!({"name": "bye", "version": "1", "release": "1", "epoch": 2, "draft": true});
    let reserved = world.ok("CGInitBuild", json!({"cg": "cg", "data": data})).await;
    let arguments = json!({"cg": "cg", "build_id": reserved["build_id"], "token": reserved["token"], "state": 4});
    assert_eq!(world.ok("CGRefundBuild", arguments).await, Value::Null);
    let build = world.ok("getBuild", json!({"buildInfo": reserved["build_id"]})).await;
    assert_eq!((&build["state"], &build["draft"], &build["epoch"]), (&json!(4), &json!(true), &json!(2)));
    assert_eq!(world.count("SELECT count(*) FROM build_reservations").await, 0);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_description_that_was_uploaded(pool: PgPool) {
    let cg = Generator::new(pool).await;
    let mut metadata = cg.metadata();
    metadata["build"]["draft"] = json!(true);
    cg.upload("metadata.json", metadata.to_string().as_bytes()).await;
    let build = cg.import(&Value::Null, None).await.unwrap();
    let id = &build["id"];
    assert_eq!((&build["nvr"], &build["draft"]), (&json!(format!("hello-1.0-1,draft_{id}")), &json!(true)));
    assert!(cg.keys().await.contains(&format!("packages/hello/1.0/1,draft_{id}/src/hello-1.0-1.src.rpm")));
    // another draft of it, from the same uploads
    let other = cg.import(&metadata, None).await.unwrap();
    assert_ne!(other["id"], *id);
    let rpms = cg.world.ok("getRPM", json!({"rpminfo": "hello-1.0-1.src", "multi": true})).await;
    assert_eq!(rpms.as_array().unwrap().len(), 2);
    let promoted = cg.world.ok("promoteBuild", json!({"build": id, "force": true})).await;
    assert_eq!(promoted["nvr"], "hello-1.0-1");
}
