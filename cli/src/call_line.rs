//! The arguments of `toji call`: literals, names, JSON.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use toji_protocol::{
    method::system::ListedMethod,
    value::{Map, Value},
};

/// Arguments by place and by name.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) positional: Vec<Value>,
    pub(crate) named: Map,
}

impl Arguments {
    /// Reads words: `k=v` is a named argument, everything else one by place.
    pub(crate) fn parse(words: &[String], json: bool) -> anyhow::Result<Self> {
        let mut arguments = Self::default();
        for word in words {
            match word.split_once('=').filter(|(name, _)| is_name(name)) {
                Some((name, value)) => {
                    arguments.named.insert(name, literal(value, json)?);
                }
                None => arguments.positional.push(literal(word, json)?),
            }
        }
        Ok(arguments)
    }

    /// All of them by name, as the JSON API takes them.
    pub(crate) fn into_named(self, method: &ListedMethod) -> anyhow::Result<Map> {
        let member = |key: &str| method.argspec.get(key);
        let args = member("args").and_then(Value::as_array).unwrap_or_default();
        let names: Vec<&str> = args.iter().filter_map(Value::as_str).filter(|name| *name != "self").collect();
        let mut named = self.named;
        let mut positional = self.positional.into_iter();
        for name in &names {
            let Some(value) = positional.next() else { break };
            if named.insert(*name, value).is_some() {
                bail!("{}: '{name}' is given by place and by name", method.name);
            }
        }
        let rest: Vec<Value> = positional.collect();
        if !rest.is_empty() {
            let most = names.len();
            let varargs = member("varargs").and_then(Value::as_str);
            let varargs =
                varargs.with_context(|| format!("{}{} takes at most {most} arguments", method.name, method.argdesc))?;
            named.insert(varargs, rest);
        }
        Ok(named)
    }
}

fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_alphanumeric() || letter == '_')
}

/// An int, a float, None, True, False, or the text itself; with `json`, JSON where it is JSON.
fn literal(text: &str, json: bool) -> anyhow::Result<Value> {
    if let Ok(number) = text.parse::<i64>() {
        return Ok(Value::Int(number));
    }
    // "inf" and "nan" are names here, as no JSON can carry them.
    if let Some(number) =
        text.parse().ok().filter(|number: &f64| number.is_finite() && text.contains(|c: char| c.is_ascii_digit()))
    {
        return Ok(Value::Double(number));
    }
    match text {
        "None" => return Ok(Value::Nil),
        "True" => return Ok(Value::Bool(true)),
        "False" => return Ok(Value::Bool(false)),
        _ => {}
    }
    if json {
        match serde_json::from_str(text) {
            Ok(value) => return Ok(value),
            Err(error) if text.starts_with(['{', '[', '"']) => {
                return Err(error).with_context(|| format!("'{text}' is no JSON"));
            }
            Err(_) => {}
        }
    }
    Ok(Value::from(text))
}

/// The methods by name.
pub(crate) fn by_name(methods: Vec<ListedMethod>) -> BTreeMap<String, ListedMethod> {
    methods.into_iter().map(|method| (method.name.clone(), method)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str], json: bool) -> anyhow::Result<Arguments> {
        Arguments::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), json)
    }

    fn method(args: &[&str], varargs: Option<&str>) -> ListedMethod {
        let args: Vec<Value> = args.iter().map(|name| Value::from(*name)).collect();
        let argspec = Map::from_iter([
            ("args".to_owned(), Value::Array(args.clone())),
            ("varargs".to_owned(), Value::from(varargs.map(str::to_owned))),
        ]);
        ListedMethod { name: "m".to_owned(), doc: None, argdesc: "(…)".to_owned(), args, argspec }
    }

    #[test]
    fn literals() {
        let parsed = parse(&["1", "-2", "1.5", "None", "True", "False", "f42", "1e3", "inf", "a-b=c"], false).unwrap();
        let text = Value::from;
        assert_eq!(
            parsed.positional,
            [
                Value::Int(1),
                Value::Int(-2),
                Value::Double(1.5),
                Value::Nil,
                Value::Bool(true),
                Value::Bool(false),
                text("f42"),
                Value::Double(1000.0),
                text("inf"),
                text("a-b=c"),
            ]
        );
    }

    #[test]
    fn names() {
        let parsed = parse(&["x", "strict=True", "a=b=c"], false).unwrap();
        assert_eq!(parsed.positional, [Value::from("x")]);
        assert_eq!(parsed.named.get("strict"), Some(&Value::Bool(true)));
        assert_eq!(parsed.named.get("a"), Some(&Value::from("b=c")));
    }

    #[test]
    fn json() {
        let parsed = parse(&[r#"{"a": [1, null]}"#, "o=[]", "plain"], true).unwrap();
        let list = Value::Array(vec![Value::Int(1), Value::Nil]);
        assert_eq!(parsed.positional, [Value::from(Map::from_iter([("a".to_owned(), list)])), Value::from("plain")]);
        assert_eq!(parsed.named.get("o"), Some(&Value::Array(vec![])));
        assert!(parse(&["{a}"], true).is_err());
        assert_eq!(parse(&["{a}"], false).unwrap().positional, [Value::from("{a}")]);
    }

    #[test]
    fn places_become_names() {
        let named = parse(&["1", "b=2"], false).unwrap().into_named(&method(&["a", "b"], None)).unwrap();
        assert_eq!(named, Map::from_iter([("a".to_owned(), Value::Int(1)), ("b".to_owned(), Value::Int(2))]));
        let rest = parse(&["1", "2", "3"], false).unwrap().into_named(&method(&["a"], Some("more"))).unwrap();
        assert_eq!(rest.get("more"), Some(&Value::Array(vec![Value::Int(2), Value::Int(3)])));
        assert!(parse(&["1", "a=2"], false).unwrap().into_named(&method(&["a"], None)).is_err());
        assert!(parse(&["1", "2"], false).unwrap().into_named(&method(&["a"], None)).is_err());
    }
}
