//! Values to and from Rust types, and what is said of those that do not fit.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use toji_protocol::value::{Map, Value, from_value, to_value};

fn value(json: serde_json::Value) -> Value {
    serde_json::from_value(json).unwrap()
}

fn read<T: DeserializeOwned>(json: serde_json::Value) -> Result<T, String> {
    from_value(value(json)).map_err(|error| error.to_string())
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct TagId(i32);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected an int or a string")]
enum IdOrName {
    Id(TagId),
    Name(String),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum State {
    Open,
    Closed,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Params {
    tag_info: IdOrName,
    #[serde(default)]
    strict: bool,
    event: Option<i64>,
    #[serde(default)]
    opts: Opts,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Opts {
    #[serde(default)]
    repos: Vec<String>,
    #[serde(default)]
    weight: f64,
    state: Option<State>,
    #[serde(default)]
    by_id: BTreeMap<i64, Vec<u8>>,
}

#[test]
fn a_flag_may_be_nil_zero_or_one() {
    for (given, flag) in [(json!(null), false), (json!(0), false), (json!(1), true), (json!(true), true)] {
        let params: Params = read(json!({"tagInfo": "f42", "strict": given})).unwrap();
        assert_eq!(params.strict, flag);
    }
    assert_eq!(read::<bool>(json!(2)).unwrap_err(), "expected a boolean, got the int 2");
    assert_eq!(read::<bool>(json!("")).unwrap_err(), "expected a boolean, got the string \"\"");
}

#[test]
fn an_int_is_a_double_but_a_double_is_no_int() {
    assert_eq!(read::<f64>(json!(3)), Ok(3.0));
    assert_eq!(read::<i64>(json!(3.0)).unwrap_err(), "expected an int, got the double 3.0");
    assert_eq!(read::<i64>(json!(true)).unwrap_err(), "expected an int, got the boolean true");
    assert_eq!(read::<i64>(json!("3")).unwrap_err(), "expected an int, got the string \"3\"");
    assert_eq!(read::<i64>(json!(null)).unwrap_err(), "expected an int, got nil");
}

#[test]
fn an_int_out_of_range_is_told_the_range() {
    let error = read::<i32>(json!(5_000_000_000_i64)).unwrap_err();
    assert_eq!(error, "expected an int from -2147483648 to 2147483647, got the int 5000000000");
    let error = read::<u64>(json!(-1)).unwrap_err();
    assert_eq!(error, "expected an int from 0 to 9223372036854775807, got the int -1");
    assert_eq!(
        to_value(&[u64::MAX]).unwrap_err().to_string(),
        "[0]: the int 18446744073709551615 does not fit in 64 bits, signed"
    );
    assert_eq!(to_value(&(i64::MAX as u64)), Ok(Value::Int(i64::MAX)));
}

#[test]
fn errors_name_the_place() {
    for (given, error) in [
        (json!({"tagInfo": []}), "tagInfo: expected an int or a string, got a list"),
        (json!({"tagInfo": null}), "tagInfo: expected an int or a string, got nil"),
        (json!({}), "tagInfo: required, but missing"),
        (json!({"tagInfo": 1, "flag": true}), "flag: not a known name; known are: tagInfo, strict, event, opts"),
        (json!({"tagInfo": 1, "event": "x"}), "event: expected an int, got the string \"x\""),
        (json!({"tagInfo": 1, "opts": {"repos": ["a", null]}}), "opts.repos[1]: expected a string, got nil"),
        (json!({"tagInfo": 1, "opts": {"repos": {}}}), "opts.repos: expected a list, got a struct"),
        (json!({"tagInfo": 1, "opts": 1}), "opts: expected a struct, got the int 1"),
        (json!({"tagInfo": 1, "opts": {"state": "FREE"}}), "opts.state: expected one of OPEN, CLOSED, got \"FREE\""),
        (json!({"tagInfo": 1, "opts": {"state": 4}}), "opts.state: expected a string, got the int 4"),
        (
            json!({"tagInfo": 1, "opts": {"by_id": {"7": [1, 256]}}}),
            "opts.by_id.7[1]: expected an int from 0 to 255, got the int 256",
        ),
        // serde's derive takes a list for a struct: the place is then an index.
        (json!([[1], 2]), "[0]: expected an int or a string, got a list"),
    ] {
        assert_eq!(read::<Params>(given).unwrap_err(), error);
    }
}

#[test]
fn a_long_text_is_not_repeated() {
    let error = read::<i64>(json!("é".repeat(1_000_000))).unwrap_err();
    assert_eq!(error, format!("expected an int, got a string that begins with \"{}\"", "é".repeat(60)));
}

#[test]
fn tuples_have_a_length() {
    assert_eq!(read::<(i64, String)>(json!([1, "a"])), Ok((1, "a".to_owned())));
    assert_eq!(read::<(i64,)>(json!([1, 2])).unwrap_err(), "expected a list of 1, got a list of 2");
    assert_eq!(read::<(i64, i64)>(json!([1])).unwrap_err(), "expected a tuple of size 2, got a list of 1");
}

#[test]
fn typed_values_come_back_as_they_were() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Content {
        Unit,
        Newtype(TagId),
        Tuple(i64, bool),
        Struct { a: Option<bool> },
    }
    let typed = (
        Params {
            tag_info: IdOrName::Id(TagId(7)),
            strict: true,
            event: None,
            opts: Opts {
                repos: vec!["a".to_owned()],
                weight: 1.5,
                state: Some(State::Closed),
                by_id: BTreeMap::from([(-3, vec![1])]),
            },
        },
        [Content::Unit, Content::Newtype(TagId(1)), Content::Tuple(1, false), Content::Struct { a: None }],
        ('x', (), Some("y".to_owned())),
    );
    let dynamic = to_value(&typed).unwrap();
    assert_eq!(dynamic.as_array().unwrap()[0].get("event"), Some(&Value::Nil));
    assert_eq!(from_value(dynamic), Ok(typed));
}

#[test]
fn a_variant_must_have_the_content_it_needs() {
    #[derive(Debug, PartialEq, Deserialize)]
    enum Action {
        Stop,
        Wait(i64),
    }
    assert_eq!(read(json!("Stop")), Ok(Action::Stop));
    assert_eq!(read(json!({"Stop": null})), Ok(Action::Stop));
    assert_eq!(read::<Action>(json!({"Stop": 1})).unwrap_err(), "expected the string \"Stop\", got a struct");
    assert_eq!(read::<Action>(json!("Wait")).unwrap_err(), "expected a struct with the member Wait, got a string");
    assert_eq!(read::<Action>(json!({"Wait": "x"})).unwrap_err(), "Wait: expected an int, got the string \"x\"");
    assert_eq!(read::<Action>(json!({"Stop": null, "Wait": 1})).unwrap_err(), "expected a string, got a struct");
}

#[test]
fn bytes_and_dates_keep_their_kind_inside_typed_values() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Task {
        arglist: Vec<Value>,
    }
    let task = Task { arglist: vec![Value::Bytes(vec![0, 255]), Value::DateTime("20240102T03:04:05".to_owned())] };
    let dynamic = to_value(&task).unwrap();
    assert_eq!(dynamic.get("arglist"), Some(&Value::Array(task.arglist.clone())));
    assert_eq!(from_value(dynamic), Ok(task));
}

#[test]
fn json_shows_bytes_as_base64_and_keeps_the_order() {
    let mut map = Map::new();
    map.insert("z", vec![0_u8, 255]);
    map.insert("a", Value::DateTime("20240102T03:04:05".to_owned()));
    map.insert("z", map.get("z").cloned());
    let json = serde_json::to_string(&map).unwrap();
    assert_eq!(json, r#"{"z":"AP8=","a":"20240102T03:04:05"}"#);
    assert!(serde_json::from_str::<Value>("18446744073709551615").is_err());
}

#[test]
fn a_map_has_each_name_once() {
    let mut map: Map =
        [("a", 1), ("b", 2), ("a", 3)].map(|(name, n)| (name.to_owned(), Value::from(n))).into_iter().collect();
    assert_eq!(map.iter().collect::<Vec<_>>(), [("a", &3.into()), ("b", &2.into())]);
    assert_eq!(map.insert("a", 4), Some(3.into()));
    assert_eq!(map.insert("c", 5), None);
    assert_eq!(map.remove("b"), Some(2.into()));
    assert_eq!(map.remove("b"), None);
    assert_eq!(map.keys().collect::<Vec<_>>(), ["a", "c"]);

    let reversed: Map = map.clone().into_iter().rev().collect();
    assert_eq!(map, reversed);
    map.insert("c", 6);
    assert_ne!(map, reversed);
}
