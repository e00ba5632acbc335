//! External repos.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::world::{World, column};

async fn family(pool: PgPool) -> World {
    let world = World::new(pool).await;
    world.tags(&["base", "child"]).await;
    world.inherit("child", "base", 1).await;
    for name in ["one", "two", "three"] {
        let url = format!("https://example.com/{name}/$arch");
        world.ok("createExternalRepo", json!({"name": name, "url": url})).await;
    }
    world
}

fn at(tag: &str, repo: &str, priority: i32) -> Value {
    json!({"tag_info": tag, "repo_info": repo, "priority": priority})
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn merged_in_order(pool: PgPool) {
    let world = family(pool).await;
    world.ok("addExternalRepoToTag", at("base", "one", 1)).await;
    world.ok("addExternalRepoToTag", at("base", "two", 2)).await;
    world.ok("addExternalRepoToTag", at("child", "three", 10)).await;
    world.ok("addExternalRepoToTag", at("child", "two", 5)).await;
    let list = world.ok("getExternalRepoList", json!({"tag_info": "child"})).await;
    assert_eq!(column(&list, "external_repo_name"), ["two", "three", "one"], "each once, the nearest");
    assert_eq!(
        list[0],
        json!({
            "arches": null, "external_repo_id": 2, "external_repo_name": "two", "merge_mode": "koji", "priority": 5,
            "tag_id": 2, "tag_name": "child", "url": "https://example.com/two/$arch/",
        })
    );
    let before = world.last_event().await;
    world
        .ok(
            "editTagExternalRepo",
            json!({"tag_info": "child", "repo_info": "three", "priority": 1, "arches": "x86_64"}),
        )
        .await;
    let list = world.ok("getTagExternalRepos", json!({"tag_info": "child"})).await;
    assert_eq!(
        (column(&list, "external_repo_name"), &list[0]["arches"]),
        (vec!["three".into(), "two".into()], &json!("x86_64"))
    );
    let old = world.ok("getTagExternalRepos", json!({"tag_info": "child", "event": before})).await;
    assert_eq!(column(&old, "external_repo_name"), ["two", "three"]);
    let same = json!({"tag_info": "child", "repo_info": "three", "priority": 1});
    assert_eq!(world.ok("editTagExternalRepo", same).await, json!(false));
    let everywhere = world.ok("getTagExternalRepos", json!({"repo_info": "two"})).await;
    assert_eq!(column(&everywhere, "tag_name"), ["base", "child"]);

    world.ok("deleteExternalRepo", json!({"info": "two"})).await;
    let list = world.ok("getExternalRepoList", json!({"tag_info": "child"})).await;
    assert_eq!(column(&list, "external_repo_name"), ["three", "one"]);
    let old = world.ok("getExternalRepoList", json!({"tag_info": "child", "event": before})).await;
    assert_eq!(column(&old, "external_repo_name"), ["two", "three", "one"]);
    let again = world.ok("createExternalRepo", json!({"name": "two", "url": "https://example.org"})).await;
    assert_eq!(again, json!({"id": 2, "name": "two", "url": "https://example.org/"}));
    assert_eq!(world.ok("getTagExternalRepos", json!({"repo_info": "two"})).await, json!([]));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn what_cannot_be(pool: PgPool) {
    let world = family(pool).await;
    world.ok("addExternalRepoToTag", at("base", "one", 1)).await;
    let mut mixed = at("base", "two", 2);
    mixed["merge_mode"] = json!("bare");
    assert!(world.fault("addExternalRepoToTag", mixed).await.1.contains("cannot be mixed"));
    assert!(world.fault("addExternalRepoToTag", at("base", "two", 1)).await.1.contains("at priority 1"));
    assert!(world.fault("addExternalRepoToTag", at("base", "one", 7)).await.1.contains("already associated"));
    let mut unknown = at("child", "two", 2);
    unknown["merge_mode"] = json!("shuffle");
    assert!(world.fault("addExternalRepoToTag", unknown).await.1.contains("No such merge mode"));
    world.ok("addExternalRepoToTag", at("base", "two", 2)).await;
    let change = json!({"tag_info": "base", "repo_info": "two", "merge_mode": "simple"});
    assert!(world.fault("editTagExternalRepo", change).await.1.contains("cannot be mixed"));
    let change = json!({"tag_info": "base", "repo_info": "two", "priority": 1});
    assert!(world.fault("editTagExternalRepo", change).await.1.contains("at priority 1"));
    let stranger = json!({"tag_info": "child", "repo_info": "two"});
    assert!(world.fault("removeExternalRepoFromTag", stranger).await.1.contains("not associated"));

    let create = |name: &str, url: &str| json!({"name": name, "url": url});
    assert!(world.fault("createExternalRepo", create("one", "https://x/")).await.1.contains("already exists"));
    assert!(world.fault("createExternalRepo", create("INTERNAL", "https://x/")).await.1.contains("already exists"));
    assert_eq!(world.fault("createExternalRepo", create("a b", "https://x/")).await.0, 1024);
    assert_eq!(world.fault("createExternalRepo", create("x", "no url")).await.0, 1000);
    assert!(world.fault("getExternalRepo", json!({"info": "none", "strict": true})).await.1.contains("No such"));
    assert_eq!(world.fault("editExternalRepo", json!({"info": "one", "name": "two"})).await.0, 1000);
    let bob = world.user("bob", &["tag"]).await;
    assert_eq!(bob.fault("createExternalRepo", create("x", "https://x/")).await.0, 1004);
}
