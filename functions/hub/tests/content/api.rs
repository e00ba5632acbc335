//! What is alike for all methods: Koji's argument names, wrong types, who may call.

use serde_json::{Map, Value, json};
use sqlx::PgPool;
use toji_hub::{call::Entry, error::Error};
use toji_protocol::method::{Access, Effect, Param, ParamKind};

use crate::{koji, world::World};

/// Methods whose arguments we name where Koji takes `*args, **opts` and looks into them. What Koji's clients send fits both.
const NAMED_HERE: [&str; 4] = ["login", "sslLogin", "exclusiveSession", "makeTask"];

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn every_method_of_kojis_with_its_arguments(pool: PgPool) {
    let world = World::new(pool).await;
    let listed = world.ok("_listapi", json!({})).await;
    let ours: std::collections::BTreeMap<&str, &str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|method| (method["name"].as_str().unwrap(), method["argdesc"].as_str().unwrap()))
        .collect();
    let mut wrong = Vec::new();
    for (name, arguments) in koji::methods() {
        match ours.get(name) {
            None => wrong.push(format!("{name} is missing")),
            Some(ours) if *ours != arguments && !NAMED_HERE.contains(&name) => {
                wrong.push(format!("{name}{ours} should be {name}{arguments}"));
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Arguments of the right number, none of which is of any use.
fn arguments(params: &[Param], value: &Value) -> Value {
    let given = params.iter().filter(|param| matches!(param.kind, ParamKind::Required | ParamKind::Optional(_)));
    Value::Object(given.map(|param| (param.name.to_owned(), value.clone())).collect::<Map<_, _>>())
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn arguments_of_a_wrong_type_are_a_fault_of_the_callers(pool: PgPool) {
    let world = World::new(pool).await;
    let hub = world.hub.clone();
    let odd = [json!({"a": [1]}), json!([[{}]]), json!(1e300), json!(-1), json!(""), json!("\u{0}"), json!(i64::MAX)];
    // two of Koji's fail on purpose
    let is_asked = |entry: &Entry| entry.access != Access::Host && !matches!(entry.name, "fault" | "error");
    for entry in hub.table().iter().filter(|entry| is_asked(entry)) {
        for value in &odd {
            let answer = world.call(entry.name, arguments(entry.params, value)).await;
            // with S3 away, as it is here, that is all that may go wrong
            let is_fine = match &answer {
                Ok(_) => true,
                Err(Error::Unavailable(_)) => entry.effect == Effect::Outside,
                Err(error) => error.fault_code() >= 1000,
            };
            assert!(is_fine, "{}({value}): {answer:?}", entry.name);
        }
        if entry.params.iter().all(|param| param.kind != ParamKind::RestNamed) {
            let (code, text) = world.fault(entry.name, json!({"no_such_argument": 1})).await;
            assert_eq!(code, 1019, "{}: {text}", entry.name);
        }
    }
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn who_may_call_what(pool: PgPool) {
    let world = World::new(pool).await;
    let (nobody, bob) = (world.nobody(), world.user("bob", &[]).await);
    let hub = world.hub.clone();
    for entry in hub.table().iter() {
        // denied before anything else is looked at
        let useless = arguments(entry.params, &json!(1));
        if entry.access != Access::Anonymous {
            let (code, text) = nobody.fault(entry.name, useless.clone()).await;
            assert_eq!(code, 1004, "{}: {text}", entry.name);
        }
        match entry.access {
            Access::Permission(perm) => {
                let (code, text) = bob.fault(entry.name, useless).await;
                assert_eq!((code, text), (1004, format!("{perm} permission required (logged in as bob)")));
            }
            Access::Host => assert_eq!(bob.fault(entry.name, useless).await.0, 1004, "{}", entry.name),
            Access::Anonymous | Access::LoggedIn => {}
        }
    }
}
