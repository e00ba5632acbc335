//! Tests of the data's own fields.

use toji_protocol::{glob, value::Value};

use crate::{Error, Result};

/// Patterns; one that fits is enough.
pub(in crate::policy) type Globs = Vec<String>;

/// Whether one of the patterns fits.
pub(in crate::policy) fn fits(globs: &[String], text: &str) -> bool {
    globs.iter().any(|glob| glob::matches(glob, text))
}

/// A field's value as text, as Python would write it. None for nil.
fn text(field: &str, value: &Value) -> Result<Option<String>> {
    Ok(Some(match value {
        Value::Nil => return Ok(None),
        Value::String(text) | Value::DateTime(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Bytes(_) | Value::Array(_) | Value::Struct(_) => {
            return Err(Error::invalid(format!(
                "policy: '{field}' is {}, which no pattern can be matched with; a list takes match_any or match_all",
                value.kind()
            )));
        }
    }))
}

/// `match`: the field's text fits a pattern. False when there is no such field, or it is nil.
pub(super) fn matches(field: &str, value: Option<&Value>, globs: &[String]) -> Result<bool> {
    let text = match value {
        Some(value) => text(field, value)?,
        None => None,
    };
    Ok(text.is_some_and(|text| fits(globs, &text)))
}

/// `match_any` and `match_all`: items of a list. False when the field is no list, or an empty one.
pub(super) fn matches_items(field: &str, value: Option<&Value>, globs: &[String], all: bool) -> Result<bool> {
    let items = value.and_then(Value::as_array).unwrap_or_default();
    for item in items {
        let fits = text(field, item)?.is_some_and(|text| fits(globs, &text));
        if fits != all {
            return Ok(fits);
        }
    }
    Ok(all && !items.is_empty())
}

/// A comparison of a field with a number.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::policy) struct Comparison {
    pub(super) field: String,
    operator: Operator,
    number: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Less,
    Greater,
    LessOrEqual,
    GreaterOrEqual,
    Equal,
    Unequal,
}

impl Comparison {
    /// Reads `FIELD OP NUMBER`.
    pub(super) fn parse(args: &[String]) -> std::result::Result<Self, String> {
        let [field, operator, number] = args else {
            return Err("compare takes a field, an operator and a number".to_owned());
        };
        let operator = match operator.as_str() {
            "<" => Operator::Less,
            ">" => Operator::Greater,
            "<=" => Operator::LessOrEqual,
            ">=" => Operator::GreaterOrEqual,
            "=" => Operator::Equal,
            "!=" => Operator::Unequal,
            other => return Err(format!("compare knows < > <= >= = !=, not '{other}'")),
        };
        let number = number.parse().map_err(|_| format!("compare takes a number, not '{number}'"))?;
        Ok(Self { field: field.clone(), operator, number })
    }

    /// False when there is no such field.
    pub(super) fn holds(&self, value: Option<&Value>) -> Result<bool> {
        #[allow(clippy::cast_precision_loss, reason = "policies compare small numbers; Python's floats do the same")]
        let number = match value {
            None => return Ok(false),
            Some(Value::Int(number)) => *number as f64,
            Some(Value::Double(number)) => *number,
            Some(Value::Bool(flag)) => f64::from(u8::from(*flag)),
            Some(other) => match self.operator {
                Operator::Equal => return Ok(false),
                Operator::Unequal => return Ok(true),
                _ => {
                    let (field, kind) = (&self.field, other.kind());
                    return Err(Error::invalid(format!("policy: compare takes a number, but '{field}' is {kind}")));
                }
            },
        };
        Ok(match self.operator {
            Operator::Less => number < self.number,
            Operator::Greater => number > self.number,
            Operator::LessOrEqual => number <= self.number,
            Operator::GreaterOrEqual => number >= self.number,
            #[allow(clippy::float_cmp, reason = "equal is what the rule asks")]
            Operator::Equal => number == self.number,
            #[allow(clippy::float_cmp, reason = "unequal is what the rule asks")]
            Operator::Unequal => number != self.number,
        })
    }
}
