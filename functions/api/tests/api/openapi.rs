//! The OpenAPI document.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};
use sqlx::PgPool;
use toji_hub::config::Config;

use crate::app::{App, TOKEN};

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

/// Of what others answer, the names of the parameters are known, and nothing of their types.
#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn describes_what_others_answer(pool: PgPool) {
    let method = "[[method]]\nname = \"acme.freeze\"\npermission = \"acme\"\nurl = \"http://127.0.0.1:1/\"\n";
    let hooks = format!("{method}doc = \"Freezes a tag.\"\nparameters = [\"tag\", \"until=nil\", \"days=3\"]\n");
    let hooks = format!("{hooks}{}", method.replace("acme.freeze", "acme.any"));
    let config = Config { callbacks: Arc::new(hooks.parse().unwrap()), ..Config::default() };
    let app = App::with(pool, config).await;
    let document = app.get("/openapi.json", &[]).await.json();
    let operation = |name: &str| document["paths"][format!("/api/{name}")]["post"].clone();
    let schema =
        |name: &str| operation(name)["requestBody"]["content"]["application/json"]["schema"]["anyOf"][0].clone();
    assert_eq!(operation("acme.freeze")["description"], "Freezes a tag.\n\nNeeds the permission `acme`.");
    assert_eq!(
        schema("acme.freeze"),
        json!({
            "type": "object",
            "properties": {"tag": {}, "until": {"default": null}, "days": {"default": 3}},
            "required": ["tag"],
            "additionalProperties": false,
        })
    );
    assert_eq!(schema("acme.any")["additionalProperties"], true);

    // in both encodings; nobody is there to answer
    let answer = app.json("acme.freeze", &[], "{\"tag\": \"f42\"}").await;
    assert_eq!(answer.status, 401);
    let authorization = format!("Bearer {TOKEN}");
    let answer = app.json("acme.freeze", &[("authorization", &authorization)], "[\"f42\"]").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["faultCode"]), (502, &json!(1016)));
    let fault = app.xml_as("", &[("authorization", &authorization)], "acme.any", vec![]).await.unwrap_err();
    assert_eq!((fault.code, fault.message.starts_with("acme.any: ")), (1016, true), "{}", fault.message);
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
