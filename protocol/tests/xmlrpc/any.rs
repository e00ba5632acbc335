//! Any value comes back as it was, and no document makes the decoder panic.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::{prelude::*, test_runner::TestRunner};
use toji_protocol::value::{Map, Value, from_value, to_value};
use toji_protocol::xmlrpc::{decode_call, decode_response, encode_call, encode_response};

fn any_text() -> impl Strategy<Value = String> {
    let awkward = prop::sample::select(vec!['<', '&', '>', '\r', '\n', '\t', ' ', '\0', '\u{1b}', ']', '\u{fffe}']);
    vec(prop_oneof![any::<char>(), awkward], 0..20).prop_map(String::from_iter)
}

fn any_value() -> impl Strategy<Value = Value> {
    let finite = any::<f64>().prop_filter("finite", |double| double.is_finite());
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<i32>().prop_map(Value::from),
        finite.prop_map(Value::Double),
        any_text().prop_map(Value::String),
        vec(any::<u8>(), 0..100).prop_map(Value::Bytes),
        (1..9999_u16, 1..=12_u8).prop_map(|(year, month)| Value::DateTime(format!("{year:04}{month:02}01T00:00:00"))),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::Array),
            vec((any_text(), inner), 0..40).prop_map(|members| Value::Struct(Map::from_iter(members))),
        ]
    })
}

/// The documented loss: what XML cannot carry is U+FFFD.
fn carried(value: Value) -> Value {
    let text = |text: String| -> String {
        let lost = |char: char| char < ' ' && !"\t\n\r".contains(char) || matches!(char, '\u{fffe}' | '\u{ffff}');
        text.chars().map(|char| if lost(char) { '\u{fffd}' } else { char }).collect()
    };
    match value {
        Value::String(string) => Value::String(text(string)),
        Value::Array(items) => Value::Array(items.into_iter().map(carried).collect()),
        Value::Struct(members) => {
            Value::Struct(members.into_iter().map(|(name, value)| (text(name), carried(value))).collect())
        }
        other => other,
    }
}

/// What JSON cannot tell apart.
fn in_json(value: Value) -> Value {
    use base64::{Engine, prelude::BASE64_STANDARD};
    match value {
        Value::Bytes(bytes) => Value::String(BASE64_STANDARD.encode(bytes)),
        Value::DateTime(text) => Value::String(text),
        Value::Array(items) => Value::Array(items.into_iter().map(in_json).collect()),
        Value::Struct(members) => {
            Value::Struct(members.into_iter().map(|(name, value)| (name, in_json(value))).collect())
        }
        other => other,
    }
}

/// An edit of a document: at a place (in thousandths of its length), so many bytes are replaced by others.
type Edit = (usize, usize, Vec<u8>);

fn any_edit() -> impl Strategy<Value = Edit> {
    let snippets =
        ["<", ">", "</", "/>", "<value>", "</value>", "<nil/>", "&#x41;", "&", ";", "]]>", "<![CDATA[", "<!--"];
    let bytes = prop_oneof![
        vec(any::<u8>(), 0..4),
        prop::sample::select(snippets.to_vec()).prop_map(|snippet| snippet.as_bytes().to_vec()),
    ];
    (0..1000_usize, 0..12_usize, bytes)
}

fn edited(mut document: Vec<u8>, edits: Vec<Edit>) -> Vec<u8> {
    for (place, length, with) in edits {
        let from = document.len() * place / 1000;
        let to = (from + length).min(document.len());
        document.splice(from..to, with);
    }
    document
}

/// Decodes it both ways; what could be read can be written and read again as the same.
fn decode(document: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(call) = decode_call(document) {
        let again = encode_call(&call.method, &call.params).unwrap();
        prop_assert_eq!(decode_call(&again), Ok(call));
    }
    if let Ok(Ok(value)) = decode_response(document) {
        let again = encode_response(&value).unwrap();
        prop_assert_eq!(decode_response(&again), Ok(Ok(value)));
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_value_comes_back(value in any_value()) {
        let document = encode_response(&value).unwrap();
        prop_assert_eq!(decode_response(&document), Ok(Ok(carried(value))));
    }

    #[test]
    fn a_value_passes_through_serde_unchanged(value in any_value()) {
        prop_assert_eq!(to_value(&value), Ok(value.clone()));
        prop_assert_eq!(from_value(value.clone()), Ok(value.clone()));
        let json = serde_json::to_value(&value).unwrap();
        let plain = in_json(value);
        prop_assert_eq!(to_value(&json), Ok(plain.clone()));
        prop_assert_eq!(serde_json::from_value::<Value>(json).unwrap(), plain);
    }

    #[test]
    fn bytes_do_not_panic(document in vec(any::<u8>(), 0..200)) {
        decode(&document)?;
    }
}

/// Fuzzing: documents that were damaged, for a second; for 10 minutes where `TOJI_SOAK` is set.
#[test]
fn edited_documents_do_not_panic() {
    let lasts = Duration::from_secs(if std::env::var_os("TOJI_SOAK").is_some() { 600 } else { 1 });
    let begun = Instant::now();
    let mut documents = 0;
    while begun.elapsed() < lasts {
        // each time from another seed
        let mut runner = TestRunner::default();
        let damaged = runner.run(&(any_value(), vec(any_edit(), 1..6)), |(value, edits)| {
            decode(&edited(encode_call("echo", std::slice::from_ref(&value)).unwrap(), edits.clone()))?;
            decode(&edited(encode_response(&value).unwrap(), edits))
        });
        damaged.unwrap_or_else(|failure| panic!("{failure}"));
        documents += 2 * runner.config().cases;
    }
    println!("{documents} damaged documents in {:?}", begun.elapsed());
}
