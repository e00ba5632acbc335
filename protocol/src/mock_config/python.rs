//! Python literals and assignments.

use crate::value::Value;

/// A configuration that is being written.
#[derive(Default)]
pub(super) struct Python(pub(super) String);

impl Python {
    pub(super) fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    pub(super) fn set(&mut self, key: &str, text: &str) {
        self.set_raw(key, &python_text(text));
    }

    pub(super) fn set_raw(&mut self, key: &str, value: &str) {
        self.line(&format!("config_opts[{}] = {value}", python_text(key)));
    }
}

pub(super) fn python_bool(yes: bool) -> &'static str {
    if yes { "True" } else { "False" }
}

/// A string literal. JSON's are Python's, too, as non-ASCII characters are written as they are.
pub(super) fn python_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A literal for any value.
pub(super) fn python(value: &Value) -> String {
    match value {
        Value::Nil => "None".to_owned(),
        Value::Bool(yes) => python_bool(*yes).to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => format!("{number:?}"),
        Value::String(text) | Value::DateTime(text) => python_text(text),
        Value::Bytes(bytes) => python_text(&String::from_utf8_lossy(bytes)),
        Value::Array(items) => format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", ")),
        Value::Struct(map) => {
            let members = map.iter().map(|(key, value)| format!("{}: {}", python_text(key), python(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
    }
}
