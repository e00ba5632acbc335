//! Words of the command line that are more than text.

use serde_json::Value as Json;
use toji_protocol::{
    id::{BuildId, Ref},
    method::build::BuildRef,
    value::Value,
};

/// Something named by its id or its name.
pub(crate) fn named<Id: From<i64>>(text: &str) -> Result<Ref<Id>, String> {
    if text.is_empty() {
        return Err("a name cannot be empty".to_owned());
    }
    Ok(text.parse().map_or_else(|_| Ref::Name(text.to_owned()), |id: i64| Ref::Id(Id::from(id))))
}

/// A build named by its id or its name-version-release.
pub(crate) fn build(text: &str) -> Result<BuildRef, String> {
    Ok(text.parse().map_or_else(|_| BuildRef::Nvr(text.to_owned()), |id| BuildRef::Id(BuildId(id))))
}

/// `key=value`; the value is JSON where it reads as JSON.
pub(crate) fn pair(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("it is not of the form KEY=VALUE")?;
    if key.is_empty() {
        return Err("the key is empty".to_owned());
    }
    let value = match value {
        "None" => Value::Nil,
        "True" => Value::Bool(true),
        "False" => Value::Bool(false),
        value => serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)),
    };
    Ok((key.to_owned(), value))
}

/// A JSON object.
pub(crate) fn object(text: &str) -> Result<Value, String> {
    match serde_json::from_str::<Json>(text) {
        Ok(Json::Object(_)) => serde_json::from_str(text).map_err(|error| error.to_string()),
        Ok(_) => Err("it is no JSON object".to_owned()),
        Err(error) => Err(format!("it is no JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use toji_protocol::id::TagId;

    use super::*;

    #[test]
    fn ids_and_names() {
        assert_eq!(named::<TagId>("7").unwrap(), Ref::Id(TagId(7)));
        assert_eq!(named::<TagId>("f42").unwrap(), Ref::Name("f42".to_owned()));
        assert!(named::<TagId>("").is_err());
        assert_eq!(build("a-1-1").unwrap(), BuildRef::Nvr("a-1-1".to_owned()));
    }

    #[test]
    fn pairs() {
        assert_eq!(pair("a.b=dnf").unwrap(), ("a.b".to_owned(), Value::from("dnf")));
        assert_eq!(pair("n=5").unwrap().1, Value::Int(5));
        assert_eq!(pair("t=True").unwrap().1, Value::Bool(true));
        assert_eq!(pair("l=[1]").unwrap().1, Value::Array(vec![Value::Int(1)]));
        assert_eq!(pair("e=a=b").unwrap().1, Value::from("a=b"));
        assert!(pair("x").is_err() && pair("=x").is_err());
        assert!(object("{}").is_ok() && object("[]").is_err() && object("{").is_err());
    }
}
