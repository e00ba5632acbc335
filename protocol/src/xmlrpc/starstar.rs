//! Named arguments, which XML-RPC does not have: Koji's clients send them as a last struct that is marked.

use crate::value::{Map, Value};

/// The member that marks a struct of named arguments.
const MARK: &str = "__starstar";

/// Splits parameters into positional and named ones.
///
/// A last parameter that is a struct with a true member `__starstar` is taken off, and its other members are the named
/// arguments. A struct whose mark is false is a parameter like any other.
pub fn split_named(mut params: Vec<Value>) -> (Vec<Value>, Map) {
    let marked = params.last().and_then(|last| last.get(MARK)).is_some_and(Value::is_truthy);
    match params.pop_if(|_| marked) {
        Some(Value::Struct(mut named)) => {
            named.remove(MARK);
            (params, named)
        }
        _ => (params, Map::new()),
    }
}

/// The reverse of [`split_named`]: appends `named`, marked, unless it is empty.
pub fn join_named(mut params: Vec<Value>, mut named: Map) -> Vec<Value> {
    if !named.is_empty() {
        named.insert(MARK, true);
        params.push(named.into());
    }
    params
}
