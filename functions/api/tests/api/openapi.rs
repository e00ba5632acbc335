//! The OpenAPI document.

use std::collections::BTreeSet;

use serde_json::Value;
use sqlx::PgPool;

use crate::app::App;

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn describes_every_method(pool: PgPool) {
    let app = App::new(pool).await;
    let answer = app.get("/openapi.json", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    for entry in app.hub.table().iter() {
        let operation = &document["paths"][format!("/api/{}", entry.name)]["post"];
        assert_eq!(operation["operationId"], entry.name);
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{} says nothing of itself", entry.name);
        assert!(!operation["responses"]["200"]["content"]["application/json"]["schema"].is_null());
    }
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut references = BTreeSet::new();
    find_references(&document, &mut references);
    assert!(references.len() > 3);
    for reference in references {
        let name = reference.strip_prefix("#/components/schemas/").unwrap_or_else(|| panic!("{reference}"));
        assert!(schemas.contains_key(name), "{reference} leads nowhere");
    }

    let arguments =
        &document["paths"]["/api/login"]["post"]["requestBody"]["content"]["application/json"]["schema"]["anyOf"][0];
    assert_eq!(arguments["required"], serde_json::json!(["user", "password"]));
    assert_eq!(arguments["additionalProperties"], true);
    assert!(arguments["properties"].get("named").is_none());
}

fn find_references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.insert(reference.clone());
            }
            members.values().for_each(|value| find_references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| find_references(value, found)),
        _ => {}
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn who_has_it_is_told_so(pool: PgPool) {
    let app = App::new(pool).await;
    let first = app.get("/openapi.json", &[]).await;
    let etag = first.header("etag").to_owned();
    let again = app.get("/openapi.json", &[("if-none-match", &etag)]).await;
    assert_eq!((again.status.as_u16(), again.body.len(), again.header("etag")), (304, 0, etag.as_str()));
    assert_eq!(app.get("/openapi.json", &[("if-none-match", "\"other\"")]).await.status, 200);
}
