//! `/openapi.json`: every method as OpenAPI 3.1, made from the hub's table.

use std::sync::{Arc, OnceLock};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use toji_hub::call::{Entry, Table};
use toji_protocol::method::{Access, ParamKind};

use crate::Api;

/// The document, made when it is first asked for.
#[derive(Default)]
pub(crate) struct Cached(OnceLock<Document>);

struct Document {
    body: Bytes,
    etag: String,
}

pub(crate) async fn answer(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    let document = api.openapi.0.get_or_init(|| {
        let body = Bytes::from(describe(api.hub.table()).to_string());
        // weak: compressed or not, it says the same
        let etag = format!("W/\"{}\"", hex::encode(&Sha256::digest(&body)[..16]));
        Document { body, etag }
    });
    let known = headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok()).unwrap_or_default();
    let is_known = known.split(',').any(|tag| tag.trim() == document.etag || tag.trim() == "*");
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], document.body.clone()).into_response()
    };
    if let Ok(etag) = HeaderValue::from_str(&document.etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

fn describe(table: &Table) -> Value {
    let mut schemas = SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .into_generator();
    let mut paths: Map<String, Value> =
        table.iter().map(|entry| (format!("/api/{}", entry.name), operation(entry, &mut schemas))).collect();
    paths.insert("/api/multiCall".to_owned(), multicall());
    let mut components = schemas.take_definitions(true);
    components.insert("Problem".to_owned(), problem());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "toji",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The API of Koji, as JSON. A method's arguments are an object by name, or an array by position. \
                The same methods are at /kojihub in XML-RPC.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "An API token" },
            },
        },
    })
}

fn operation(entry: &Entry, schemas: &mut SchemaGenerator) -> Value {
    let answer = (entry.answer)(schemas);
    let named = arguments(entry, (entry.arguments)(schemas));
    let is_required = entry.params.iter().any(|param| param.kind == ParamKind::Required);
    let mut description = entry.doc.to_owned();
    let security = match entry.access {
        Access::Anonymous => json!([{}, { "token": [] }]),
        Access::LoggedIn => json!([{ "token": [] }]),
        Access::Permission(permission) => {
            description.push_str(&format!("\n\nNeeds the permission `{permission}`."));
            json!([{ "token": [] }])
        }
        Access::Host => {
            description.push_str("\n\nFor builders only.");
            json!([{ "token": [] }])
        }
    };
    let summary = entry.doc.lines().next().unwrap_or_default().trim();
    json!({
        "post": {
            "operationId": entry.name,
            "summary": summary,
            "description": description,
            "security": security,
            "requestBody": {
                "required": is_required,
                "content": { "application/json": { "schema": { "anyOf": [named, { "type": "array" }] } } },
            },
            "responses": {
                "200": { "description": "The answer", "content": { "application/json": { "schema": answer } } },
                "default": refusal(),
            },
        },
    })
}

/// The arguments by name. Unlike the fields of the struct, some may be left out, and others may be added.
fn arguments(entry: &Entry, schema: Schema) -> Value {
    let mut schema = schema.to_value();
    let Some(members) = schema.as_object_mut() else { return schema };
    members.remove("title");
    members.remove("description");
    let required: Vec<&str> =
        entry.params.iter().filter(|param| param.kind == ParamKind::Required).map(|param| param.name).collect();
    members.remove("required");
    if !required.is_empty() {
        members.insert("required".to_owned(), json!(required));
    }
    let mut is_open = false;
    if let Some(properties) = members.get_mut("properties").and_then(Value::as_object_mut) {
        for param in entry.params {
            if param.kind != ParamKind::RestNamed && !properties.contains_key(param.name) {
                // of what others answer only the names are known
                properties.insert(param.name.to_owned(), json!({}));
            }
            match param.kind {
                ParamKind::RestNamed => {
                    is_open = true;
                    properties.shift_remove(param.name);
                }
                ParamKind::Optional(default) => {
                    let default = serde_json::to_value(default.value()).unwrap_or_default();
                    if let Some(property) = properties.get_mut(param.name).and_then(Value::as_object_mut) {
                        property.insert("default".to_owned(), default);
                    }
                }
                ParamKind::Required | ParamKind::Rest => {}
            }
        }
    }
    members.insert("additionalProperties".to_owned(), Value::Bool(is_open));
    schema
}

fn refusal() -> Value {
    json!({
        "description": "Why there is none",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "Problem details, RFC 9457, with Koji's fault code.",
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "faultCode": { "type": "integer" },
            "requestId": { "type": "string" },
        },
        "required": ["type", "title", "status", "detail", "faultCode", "requestId"],
    })
}

fn multicall() -> Value {
    let call = json!({
        "type": "object",
        "properties": {
            "methodName": { "type": "string" },
            "params": { "type": "array", "description": "Arguments by position" },
            "args": { "type": "object", "description": "Arguments by name" },
        },
        "required": ["methodName"],
    });
    let entry = json!({
        "oneOf": [
            { "type": "object", "properties": { "result": true }, "required": ["result"] },
            {
                "type": "object",
                "properties": { "problem": { "$ref": "#/components/schemas/Problem" } },
                "required": ["problem"],
            },
        ],
    });
    let calls = json!({
        "type": "object",
        "properties": { "calls": { "type": "array", "items": call } },
        "required": ["calls"],
    });
    json!({
        "post": {
            "operationId": "multiCall",
            "summary": "Many calls in one transaction; one that fails is undone alone.",
            "security": [{}, { "token": [] }],
            "requestBody": { "required": true, "content": { "application/json": { "schema": calls } } },
            "responses": {
                "200": {
                    "description": "An entry for each call",
                    "content": { "application/json": { "schema": { "type": "array", "items": entry } } },
                },
                "default": refusal(),
            },
        },
    })
}
