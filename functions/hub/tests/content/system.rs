//! The server itself: calls within calls, its settings, and what it says of methods that it does not have.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::world::{World, column};

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn answers_are_counted_and_cut(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["b", "a", "c"]).await;
    let count = async |arguments: Value| world.nobody().ok("count", arguments).await;
    assert_eq!(count(json!({"methodName": "listTags"})).await, json!(3));
    assert_eq!(count(json!({"methodName": "getTag", "args": ["none"]})).await, json!(0), "nil counts nothing");
    assert_eq!(count(json!({"methodName": "getTagID", "args": ["a"]})).await, json!(1));
    assert_eq!(count(json!({"methodName": "getTag", "tagInfo": "a"})).await, json!(9), "a struct has members");
    assert_eq!(count(json!({"methodName": "listTags", "queryOpts": {"limit": 2}})).await, json!(2));

    let cut = async |opts: Value| {
        let arguments = json!({"methodName": "listTags", "filterOpts": opts});
        world.nobody().ok("countAndFilterResults", arguments).await
    };
    let answer = cut(json!({"order": "-name", "offset": 1, "limit": 1})).await;
    assert_eq!(answer[0], json!(3));
    assert_eq!(column(&answer[1], "name"), ["b"]);
    assert_eq!(column(&cut(Value::Null).await[1], "name").len(), 3);
    let filtered = json!({"methodName": "listTags", "filterOpts": {"order": "id", "limit": 2}});
    assert_eq!(column(&world.ok("filterResults", filtered).await, "name"), ["b", "a"]);
    let none = json!({"methodName": "getTag", "args": ["none"]});
    assert_eq!(world.ok("filterResults", none.clone()).await, Value::Null);
    assert_eq!(world.ok("countAndFilterResults", none).await, json!([0, null]));

    world.ok("grantPermission", json!({"userinfo": "admin", "permission": "x", "create": true})).await;
    let sorted = async |none_greatest: bool| {
        let opts = json!({"order": "description", "noneGreatest": none_greatest});
        let all = world.ok("filterResults", json!({"methodName": "getAllPerms", "filterOpts": opts})).await;
        column(&all, "name").iter().position(|name| name == "x").unwrap()
    };
    assert_eq!((sorted(false).await, sorted(true).await), (0, 15), "nil goes first, or last");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_call_within_a_call_may_no_more_than_alone(pool: PgPool) {
    let world = World::new(pool).await;
    let bob = world.user("bob", &[]).await;
    for method in ["createTag", "login", "checkUpload", "count", "filterResults", "countAndFilterResults", "nosuch"] {
        for wrapper in ["count", "filterResults", "countAndFilterResults"] {
            let fault = world.fault(wrapper, json!({"methodName": method, "args": ["x", "y", "z"]})).await;
            assert_eq!(fault.0, 1000, "{wrapper}({method}): {}", fault.1);
        }
    }
    assert_eq!(world.ok("listTags", json!({})).await, json!([]));
    assert_eq!(bob.fault("count", json!({"methodName": "showOpts"})).await.0, 1004, "that takes admin");
    let wrapped = bob.fault("filterResults", json!({"methodName": "showOpts"})).await;
    assert!(wrapped.1.starts_with("method showOpts raised an exception (admin permission required"), "{}", wrapped.1);
    assert_eq!(world.fault("count", json!({"methodName": "getTag"})).await.0, 1019);
    assert_eq!(world.fault("filterResults", json!({"methodName": "getUser"})).await.0, 1000, "no list");
    for bad in [json!({"order": "colour"}), json!({"limit": -1}), json!({"offset": -1})] {
        assert_eq!(
            world.fault("filterResults", json!({"methodName": "listUsers", "filterOpts": bad})).await.0 / 1000,
            1
        );
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn settings_are_shown_to_admins(pool: PgPool) {
    let world = World::new(pool).await;
    let bob = world.user("bob", &[]).await;
    let opts = world.ok("showOpts", json!({"as_string": false})).await;
    assert_eq!((&opts["EmailDomain"], &opts["EnableMaven"]), (&json!("localhost"), &json!(false)));
    let text = world.ok("showOpts", json!({})).await;
    assert!(text.as_str().unwrap().contains("'EmailDomain': 'localhost', 'EnableMaven': False"), "{text}");
    assert_eq!(bob.fault("showOpts", json!({})).await.0, 1004);
    assert_eq!(world.fault("error", json!({})).await, (1000, "test error".to_owned()));
    assert_eq!(world.fault("fault", json!({})).await.0, 1);
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_is_outside_says_so(pool: PgPool) {
    let world = World::new(pool).await;
    let fault = async |method: &str| world.fault(method, json!({})).await;
    for method in ["mavenBuild", "wrapperRPM", "winBuild", "buildImage", "host.importImage", "createMavenBuild"] {
        let (code, text) = fault(method).await;
        assert_eq!(code, 1000);
        assert!(text.contains("toji builds RPMs"), "{method}: {text}");
    }
    for method in ["host.getTasks", "host.openTask", "host.updateHost"] {
        let (code, text) = fault(method).await;
        assert_eq!(code, 1000);
        assert!(text.contains("toji-builder"), "{method}: {text}");
    }
    assert_eq!(fault("nosuch").await, (1000, "Invalid method: nosuch".to_owned()));
    let listed = column(&world.ok("_listapi", json!({})).await, "name");
    assert!(!listed.iter().any(|name| name == "mavenBuild" || name == "host.getTasks"));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn every_method_describes_itself(pool: PgPool) {
    let world = World::new(pool).await;
    let listed = world.nobody().ok("_listapi", json!({})).await;
    let names = world.nobody().ok("system.listMethods", json!({})).await;
    assert_eq!(json!(column(&listed, "name")), names);
    for method in listed.as_array().unwrap() {
        let name = method["name"].as_str().unwrap();
        assert!(!method["doc"].as_str().unwrap().is_empty(), "{name} has no description");
        let (args, spec) = (method["args"].as_array().unwrap(), &method["argspec"]);
        let defaults = args.iter().filter(|arg| arg.is_array()).count();
        assert_eq!(spec["args"].as_array().unwrap().len(), args.len(), "{name}");
        assert_eq!(spec["defaults"].as_array().map_or(0, Vec::len), defaults, "{name}");
        let help = world.ok("system.methodHelp", json!({"method": name})).await;
        let signature = format!("{name}{}", method["argdesc"].as_str().unwrap());
        assert!(help.as_str().unwrap().starts_with(&signature), "{help}");
    }
    let count = listed.as_array().unwrap().iter().find(|method| method["name"] == "count").unwrap();
    assert_eq!(count["argdesc"], json!("(methodName, *args, **kw)"));
    assert_eq!((&count["argspec"]["varargs"], &count["argspec"]["varkw"]), (&json!("args"), &json!("kw")));
    assert_eq!(world.ok("system.methodSignature", json!({"method": "count"})).await, json!("signatures not supported"));
}

/// Every list of Koji's that takes `queryOpts`, as far as it is offered, with what makes it answer two rows or more.
#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn lists_honour_query_opts(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["f42-build", "f42"]).await;
    for name in ["one", "two"] {
        let target = json!({"name": name, "build_tag": "f42-build", "dest_tag": "f42"});
        world.ok("createBuildTarget", target).await;
        world.ok("addHost", json!({"hostname": name, "arches": "x86_64"})).await;
        let url = format!("https://example.com/{name}");
        world.ok("createExternalRepo", json!({"name": name, "url": url})).await;
    }
    world.list("f42", &["hello", "world"]).await;
    world.build("hello-1-1").await;
    world.build("world-1-1").await;
    world.ok("createUser", json!({"username": "bob"})).await;
    world.ok("makeTask", json!({"method": "sleep", "arglist": [1]})).await;
    world.ok("makeTask", json!({"method": "sleep", "arglist": [2]})).await;
    for (method, arguments, order) in [
        ("getBuildTargets", json!({}), "name"),
        ("listBuilds", json!({}), "build_id"),
        ("listExternalRepos", json!({}), "name"),
        ("listHosts", json!({}), "name"),
        ("listPackages", json!({}), "package_name"),
        ("listPackages", json!({"tagID": "f42"}), "package_name"),
        ("listPackagesSimple", json!({}), "package_name"),
        ("listBTypes", json!({}), "name"),
        ("untaggedBuilds", json!({}), "name"),
        ("listRPMs", json!({}), "id"),
        ("listTags", json!({}), "name"),
        ("listTasks", json!({}), "id"),
        ("listUsers", json!({}), "name"),
        ("search", json!({"terms": "*", "type": "build", "matchType": "glob"}), "name"),
    ] {
        honours(&world, method, &arguments, order).await;
    }
}

async fn honours(world: &World, method: &str, arguments: &Value, order: &str) {
    let list = async |opts: Value| {
        let mut arguments = arguments.clone();
        arguments["queryOpts"] = opts;
        world.ok(method, arguments).await
    };
    let all = list(json!({"order": order})).await;
    let mut keys = column(&all, order);
    assert!(keys.len() >= 2, "{method}: {all}");
    let down = list(json!({"order": format!("-{order}")})).await;
    keys.reverse();
    assert_eq!(column(&down, order), keys, "{method}");
    let cut = list(json!({"order": format!("-{order}"), "offset": 1, "limit": 1})).await;
    assert_eq!(column(&cut, order), keys[1..2], "{method}");
    assert_eq!(list(json!({"countOnly": true})).await, json!(keys.len()), "{method}");
    assert_eq!(list(json!({"countOnly": true, "offset": 1})).await, json!(keys.len() - 1), "{method}");
    assert_eq!(list(json!({"limit": 0})).await.as_array().unwrap().len(), keys.len(), "{method}: 0 is no limit");
    let lists = list(json!({"order": order, "asList": true})).await;
    let mut first: Vec<(&String, &Value)> = all[0].as_object().unwrap().iter().collect();
    first.sort_by_key(|(name, _)| *name);
    let first: Vec<&Value> = first.into_iter().map(|(_, value)| value).collect();
    assert_eq!(lists[0], json!(first), "{method}");
    assert_eq!(world.fault(method, with(arguments, json!({"order": "no such column"}))).await.0, 1000, "{method}");
    assert_eq!(world.fault(method, with(arguments, json!({"limit": -1}))).await.0, 1019, "{method}");
}

fn with(arguments: &Value, opts: Value) -> Value {
    let mut arguments = arguments.clone();
    arguments["queryOpts"] = opts;
    arguments
}
