//! Puts positional and named arguments in the places of a method's parameters.

use thiserror::Error;

use super::{Param, ParamKind};
use crate::value::{Map, Value};

/// Why arguments do not fit a method's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BindError {
    /// More positional arguments than it takes.
    #[error("{method}() takes {takes} but {given} {} given", if *.given == 1 { "was" } else { "were" })]
    TooMany {
        /// The method.
        method: &'static str,
        /// How many it takes, in words.
        takes: String,
        /// How many there were.
        given: usize,
    },
    /// One was given both by position and by name.
    #[error("{method}() got multiple values for argument '{name}'")]
    Twice {
        /// The method.
        method: &'static str,
        /// The argument.
        name: String,
    },
    /// It has no such parameter.
    #[error("{method}() got an unexpected keyword argument '{name}'")]
    Unexpected {
        /// The method.
        method: &'static str,
        /// The argument.
        name: String,
    },
    /// One without a default was left out.
    #[error("{method}() missing required argument: '{name}'")]
    Missing {
        /// The method.
        method: &'static str,
        /// The parameter.
        name: &'static str,
    },
}

/// Binds arguments as Python would, and fills in the defaults. The answer has exactly one member a parameter.
///
/// # Errors
/// When the arguments do not fit.
pub fn bind(method: &'static str, params: &[Param], positional: Vec<Value>, named: Map) -> Result<Map, BindError> {
    let plain = params.iter().filter(|p| matches!(p.kind, ParamKind::Required | ParamKind::Optional(_))).count();
    let has_rest = params.iter().any(|p| p.kind == ParamKind::Rest);
    if positional.len() > plain && !has_rest {
        return Err(BindError::TooMany { method, takes: takes(params), given: positional.len() });
    }

    let mut named = named;
    let mut positional = positional.into_iter();
    let mut bound = Map::new();
    for param in params {
        let by_name = named.remove(param.name);
        let value = match param.kind {
            ParamKind::Rest => by_name.unwrap_or_else(|| Value::Array(positional.by_ref().collect())),
            ParamKind::RestNamed => continue,
            ParamKind::Required | ParamKind::Optional(_) => match (positional.next(), by_name) {
                (Some(_), Some(_)) => {
                    return Err(BindError::Twice { method, name: param.name.to_owned() });
                }
                (Some(value), None) | (None, Some(value)) => value,
                (None, None) => match param.kind {
                    ParamKind::Optional(default) => default.value(),
                    _ => {
                        return Err(BindError::Missing { method, name: param.name });
                    }
                },
            },
        };
        bound.insert(param.name.to_owned(), value);
    }

    match params.iter().find(|p| p.kind == ParamKind::RestNamed) {
        Some(rest) => {
            bound.insert(rest.name.to_owned(), Value::Struct(named));
        }
        None => {
            if let Some((name, _)) = named.iter().next() {
                return Err(BindError::Unexpected { method, name: name.to_string() });
            }
        }
    }
    Ok(bound)
}

/// The reverse of [`bind`]: a method's own fields as named arguments.
pub fn to_named(params: &[Param], fields: Map) -> Map {
    let mut named = Map::new();
    for (name, value) in fields {
        let is_rest = params.iter().any(|p| p.name == name && p.kind == ParamKind::RestNamed);
        match value {
            Value::Struct(rest) if is_rest => {
                for (name, value) in rest {
                    named.insert(name, value);
                }
            }
            value => {
                named.insert(name, value);
            }
        }
    }
    named
}

fn takes(params: &[Param]) -> String {
    let most = params.iter().filter(|p| p.kind != ParamKind::RestNamed).count();
    let least = params.iter().filter(|p| p.kind == ParamKind::Required).count();
    let noun = if most == 1 { "argument" } else { "arguments" };
    if least == most {
        format!("{most} positional {noun}")
    } else {
        format!("from {least} to {most} positional arguments")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::{Default, Method, system::Echo, tag::GetTag};

    fn int(number: i64) -> Value {
        Value::Int(number)
    }

    fn map(members: &[(&str, Value)]) -> Map {
        members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn fills_in_defaults() {
        let bound = bind("getTag", GetTag::PARAMS, vec![int(1)], map(&[("strict", Value::Bool(true))])).unwrap();
        assert_eq!(bound.get("strict"), Some(&Value::Bool(true)));
        assert_eq!(bound.get("event"), Some(&Value::Nil));
        assert_eq!(Default::Int(3).python(), "3");
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let too_many = bind("getTag", GetTag::PARAMS, vec![int(1); 7], Map::new()).unwrap_err();
        assert_eq!(too_many.to_string(), "getTag() takes from 1 to 4 positional arguments but 7 were given");
        let missing = bind("getTag", GetTag::PARAMS, vec![], Map::new()).unwrap_err();
        assert_eq!(missing.to_string(), "getTag() missing required argument: 'tagInfo'");
        let unknown = bind("getTag", GetTag::PARAMS, vec![int(1)], map(&[("x", int(1))])).unwrap_err();
        assert_eq!(unknown.to_string(), "getTag() got an unexpected keyword argument 'x'");
        let twice = bind("getTag", GetTag::PARAMS, vec![int(1)], map(&[("tagInfo", int(1))])).unwrap_err();
        assert_eq!(twice.to_string(), "getTag() got multiple values for argument 'tagInfo'");
    }

    #[test]
    fn takes_the_rest() {
        let bound = bind("echo", Echo::PARAMS, vec![int(1), int(2)], Map::new()).unwrap();
        assert_eq!(bound.get("args"), Some(&Value::Array(vec![int(1), int(2)])));
    }
}
