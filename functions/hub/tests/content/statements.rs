//! How many statements a call takes: a number that does not grow with what there is.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::config::Config;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    instrument::WithSubscriber,
    span,
};

use crate::world::World;

/// Whether a statement only sets a connection up, as one that has idled is.
struct IsSetting(bool);

impl Visit for IsSetting {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0 |= field.name() == "summary" && (value.starts_with("SET ") || value.starts_with("RESET "));
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn std::fmt::Debug) {}
}

/// Counts what sqlx tells of each statement.
struct Counter(Arc<AtomicUsize>);

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn event(&self, event: &Event<'_>) {
        let mut settings = IsSetting(false);
        event.record(&mut settings);
        self.0.fetch_add(usize::from(!settings.0), Ordering::Relaxed);
    }

    fn new_span(&self, _attributes: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

/// The statements of one call, and its answer. The second call of two: the first may set a connection up.
async fn statements(world: &World, method: &str, arguments: Value) -> (usize, Value) {
    world.ok(method, arguments.clone()).await;
    let count = Arc::new(AtomicUsize::new(0));
    let answer = world.ok(method, arguments).with_subscriber(Counter(Arc::clone(&count))).await;
    (count.load(Ordering::Relaxed), answer)
}

/// So many tags, each inheriting from the next, and builds spread over them, of packages that the last one lists.
async fn fill(world: &World, prefix: &str, tags: i64, builds: i64) {
    const SQL: &str = "
        CREATE TEMP TABLE it AS SELECT new_event() AS event, 1::bigint AS who;
        INSERT INTO tag (name) SELECT '{P}' || n FROM generate_series(1, {T}) n;
        INSERT INTO tag_config (tag_id, arches, create_event, creator_id)
            SELECT id, 'x86_64', event, who FROM tag, it WHERE name LIKE '{P}%';
        INSERT INTO tag_inheritance (tag_id, parent_id, priority, create_event, creator_id)
            SELECT child.id, parent.id, 0, event, who FROM it, generate_series(1, {T} - 1) n
                JOIN tag child ON child.name = '{P}' || n JOIN tag parent ON parent.name = '{P}' || n + 1;
        INSERT INTO package (name) SELECT '{P}-package-' || n FROM generate_series(1, {B} / 4) n;
        INSERT INTO tag_packages (package_id, tag_id, create_event, creator_id)
            SELECT package.id, tag.id, event, who FROM it, package, tag
            WHERE package.name LIKE '{P}-%' AND tag.name = '{P}{T}';
        INSERT INTO tag_package_owners (package_id, tag_id, owner, create_event, creator_id)
            SELECT package_id, tag_id, who, it.event, who FROM it, tag_packages
            WHERE tag_id = (SELECT id FROM tag WHERE name = '{P}{T}');
        INSERT INTO build (pkg_id, version, release, state, owner, create_event, start_time, completion_time)
            SELECT package.id, n::text, '1', 1, who, event, now(), now()
            FROM it, package, generate_series(1, 4) n WHERE package.name LIKE '{P}-%';
        INSERT INTO rpminfo (build_id, name, version, release, arch, payloadhash, size, buildtime)
            SELECT build.id, package.name, version, release, 'x86_64', 'd41d8cd98f00b204e9800998ecf8427e', 1, 1
            FROM build JOIN package ON package.id = pkg_id WHERE package.name LIKE '{P}-%';
        INSERT INTO tag_listing (build_id, tag_id, create_event, creator_id)
            SELECT build.id, tag.id, event, who
            FROM it, build JOIN package ON package.id = pkg_id JOIN tag ON tag.name = '{P}' || (build.id % {T} + 1)
            WHERE package.name LIKE '{P}-%';
        DROP TABLE it";
    let sql = SQL.replace("{P}", prefix).replace("{T}", &tags.to_string()).replace("{B}", &builds.to_string());
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&world.pool).await.unwrap();
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn lists_of_any_length_take_as_many(pool: PgPool) {
    let world = World::new(pool).await;
    fill(&world, "few", 2, 8).await;
    fill(&world, "many", 20, 2_000).await;
    // the caller's token takes one of them
    for (method, most, more) in [
        ("listTagged", 7, json!({"inherit": true})),
        ("listTagged", 7, json!({"inherit": true, "latest": true, "event": world.last_event().await})),
        ("getLatestBuilds", 7, json!({})),
        ("listTaggedRPMS", 8, json!({"inherit": true})),
        ("getLatestRPMS", 8, json!({})),
        ("getBuildConfig", 5, json!({})),
        ("getFullInheritance", 3, json!({})),
        ("getTagGroups", 6, json!({})),
        ("getExternalRepoList", 4, json!({"tag_info": null})),
        ("listPackages", 4, json!({"tagID": null, "inherited": true})),
    ] {
        let arguments = |tag: &str| {
            let mut arguments = more.clone();
            let key =
                arguments.as_object().unwrap().iter().find(|(_, value)| value.is_null()).map(|(key, _)| key.clone());
            arguments[key.unwrap_or_else(|| "tag".to_owned())] = json!(tag);
            arguments
        };
        let (few, _) = statements(&world, method, arguments("few1")).await;
        let (many, answer) = statements(&world, method, arguments("many1")).await;
        assert!(few > 0, "{method}: nothing was counted");
        assert_eq!(few, many, "{method} {more}");
        assert!(many <= most, "{method} {more}: {many} statements");
        if method == "listTagged" && more.get("latest").is_none() {
            assert_eq!(answer.as_array().unwrap().len(), 2_000);
        }
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn edits_of_many_take_as_many(pool: PgPool) {
    let world = World::new(pool).await;
    fill(&world, "few", 2, 8).await;
    fill(&world, "many", 20, 2_000).await;
    let copy = async |src: &str| {
        let count = Arc::new(AtomicUsize::new(0));
        let arguments = json!({"src": format!("{src}1"), "dst": format!("copy-of-{src}")});
        world.ok("snapshotTag", arguments).with_subscriber(Counter(Arc::clone(&count))).await;
        count.load(Ordering::Relaxed)
    };
    copy("few").await;
    world.ok("deleteTag", json!({"tagInfo": "copy-of-few"})).await;
    let few = copy("few").await;
    assert_eq!(copy("many").await, few);
    assert_eq!(world.nvrs("listTagged", json!({"tag": "copy-of-many"})).await.len(), 500);
}

/// Hooks and webhooks cost nothing where nobody is asked or told.
#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_no_hook_is_for_takes_no_more(pool: PgPool) {
    let plain = World::new(pool.clone()).await;
    let hooks = "
        [[hook]]
        name = \"h\"
        callbacks = [\"preRepoInit\", \"preBuildPromote\"]
        url = \"http://127.0.0.1:1/\"
        [[webhook]]
        name = \"w\"
        url = \"http://127.0.0.1:1/\"
        topics = [\"repo.*\"]
        secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"
        [[method]]
        name = \"acme.echo\"
        access = \"anonymous\"
        url = \"http://127.0.0.1:1/\"";
    let config = Config { callbacks: Arc::new(hooks.parse().unwrap()), ..Config::default() };
    let hooked = World::with(pool, config).await;
    plain.tags(&["t"]).await;
    plain.ok("packageListAdd", json!({"taginfo": "t", "pkginfo": "pkg", "owner": "admin"})).await;
    let build = plain.build("pkg-1-1").await;
    for (method, arguments) in [
        ("tagBuildBypass", json!({"tag": "t", "build": build, "force": true})),
        ("untagBuildBypass", json!({"tag": "t", "build": build, "strict": false})),
        ("packageListSetOwner", json!({"taginfo": "t", "pkginfo": "pkg", "owner": "admin"})),
        ("makeTask", json!({"method": "sleep", "arglist": []})),
        ("getBuild", json!({"buildInfo": build})),
    ] {
        let (without, _) = statements(&plain, method, arguments.clone()).await;
        let (with, _) = statements(&hooked, method, arguments).await;
        assert!(without > 0 && with == without, "{method}: {with} statements instead of {without}");
    }
}
