//! Inheritance, through SQL: the same vectors as the pure walk has.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::world::{World, column};

/// Makes tags A to G, and the links that `text` names: `A->B p1 maxdepth 0 intransitive noconfig filter x.*; …`.
async fn tree(world: &World, prefix: &str, text: &str) {
    for name in 'A'..='G' {
        world.ok("createTag", json!({"name": format!("{prefix}{name}")})).await;
    }
    for (at, link) in text.split(';').enumerate() {
        let mut words = link.split_whitespace();
        let (child, parent) = words.next().unwrap().split_once("->").unwrap();
        let mut data = json!({"priority": at});
        while let Some(word) = words.next() {
            match word {
                "intransitive" | "noconfig" => data[word] = json!(true),
                "maxdepth" => data["maxdepth"] = json!(words.next().unwrap().parse::<i32>().unwrap()),
                "filter" => data["pkg_filter"] = json!(words.next().unwrap()),
                priority => data["priority"] = json!(priority.trim_start_matches('p')),
            }
        }
        world.link(&format!("{prefix}{child}"), &format!("{prefix}{parent}"), data).await;
    }
}

async fn walk(world: &World, prefix: &str, from: &str, reverse: bool) -> String {
    let order = world.ok("getFullInheritance", json!({"tag": format!("{prefix}{from}"), "reverse": reverse})).await;
    let mut shown = Vec::new();
    for link in order.as_array().unwrap() {
        let name = async |key: &str| {
            let tag = world.ok("getTag", json!({"tagInfo": link[key]})).await;
            tag["name"].as_str().unwrap().trim_start_matches(prefix).to_owned()
        };
        shown.push(format!("{}>{}", name("child_id").await, name("parent_id").await));
    }
    shown.join(" ")
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn vectors(pool: PgPool) {
    let world = World::new(pool).await;
    for (name, links, expected) in [
        ("V1", "A->B p10; A->C p5; B->D; C->D", "A>C C>D A>B"),
        ("V2", "A->B maxdepth 0; B->C", "A>B"),
        ("V3", "A->B maxdepth 1; B->C; C->D", "A>B B>C"),
        ("V4", "A->B; B->C maxdepth 1; C->D; D->E", "A>B B>C C>D"),
        ("V5", "A->B maxdepth 5; B->C maxdepth 1; C->D; D->E", "A>B B>C"),
        ("V6", "A->B intransitive; B->C intransitive; B->D", "A>B B>D"),
        ("V7", "A->B p1 maxdepth 0; A->C p2; C->B; B->E", "A>B A>C C>B B>E"),
        ("V8", "A->B p1 filter x.*; A->C p2; C->B; B->E", "A>B B>E A>C C>B B>E"),
        ("V8b", "A->B p1; A->C p2 filter x.*; C->B; B->E", "A>B B>E A>C"),
        ("V9", "A->B noconfig; B->D", "A>B B>D"),
        ("V9b", "A->B p1 noconfig; A->C p2; C->B", "A>B A>C"),
        ("V10", "A->B; B->A; B->C", "A>B B>C"),
    ] {
        let prefix = format!("{name}-");
        tree(&world, &prefix, links).await;
        assert_eq!(walk(&world, &prefix, "A", false).await, expected, "{name}");
    }
    tree(&world, "V11-", "A->B p0; B->C p0; D->C p0 maxdepth 0; E->D p0; F->C p0 intransitive; G->F p0").await;
    assert_eq!(walk(&world, "V11-", "C", true).await, "B>C A>B D>C E>D F>C");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn links_as_the_stock_client_shows_them(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["parent", "child"]).await;
    world.link("child", "parent", json!({"priority": "10", "maxdepth": null, "pkg_filter": "lib.*"})).await;
    let (parent, child) = (world.tag_id("parent").await, world.tag_id("child").await);
    let own = json!({
        "intransitive": false, "maxdepth": null, "name": "parent", "noconfig": false, "parent_id": parent,
        "pkg_filter": "lib.*", "priority": 10, "child_id": child,
    });
    assert_eq!(world.ok("getInheritanceData", json!({"tag": "child"})).await, json!([own]));
    let mut full = own;
    full["currdepth"] = json!(1);
    full["nextdepth"] = Value::Null;
    full["filter"] = json!(["lib.*"]);
    assert_eq!(world.ok("getFullInheritance", json!({"tag": "child"})).await, json!([full]));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn links_are_changed_removed_and_replaced(pool: PgPool) {
    let world = World::new(pool).await;
    world.tags(&["child", "one", "two", "three"]).await;
    let id = async |name: &str| world.tag_id(name).await;
    let set = async |data: Value, clear: bool| {
        world.call("setInheritanceData", json!({"tag": "child", "data": data, "clear": clear})).await
    };
    let names = async || column(&world.ok("getInheritanceData", json!({"tag": "child"})).await, "name");

    world.inherit("child", "one", 1).await;
    world.inherit("child", "two", 2).await;
    // priorities may be swapped in one call, but not be equal
    set(json!([{"parent_id": id("one").await, "priority": 2}, {"parent_id": id("two").await, "priority": 1}]), false)
        .await
        .unwrap();
    assert_eq!(names().await, ["two", "one"]);
    let clash = set(json!([{"parent_id": id("three").await, "priority": 1}]), false).await.unwrap_err();
    assert!(clash.to_string().starts_with("Inheritance priorities not unique"), "{clash}");

    // what changes nothing makes no event
    let before = world.last_event().await;
    set(json!([{"parent_id": id("one").await, "priority": 2}]), false).await.unwrap();
    assert_eq!(world.last_event().await, before);

    set(json!([{"parent_id": id("two").await, "priority": 1, "delete link": true}]), false).await.unwrap();
    assert_eq!(names().await, ["one"]);
    set(json!([{"parent_id": id("three").await, "priority": 5}]), true).await.unwrap();
    assert_eq!(names().await, ["three"]);
    assert_eq!(
        column(&world.ok("getInheritanceData", json!({"tag": "child", "event": before})).await, "name"),
        ["two", "one"]
    );

    for bad in [
        json!([{"parent_id": id("one").await}]),
        json!([{"parent_id": id("one").await, "priority": "many"}]),
        json!([{"parent_id": id("one").await, "priority": 1, "maxdepth": -1}]),
        json!([{"parent_id": id("one").await, "priority": 1, "pkg_filter": "a("}]),
        json!([{"parent_id": id("child").await, "priority": 1}]),
        json!([{"parent_id": 999_999, "priority": 1}]),
    ] {
        assert!(set(bad.clone(), false).await.is_err(), "{bad}");
    }
    assert_eq!(names().await, ["three"]);
}
