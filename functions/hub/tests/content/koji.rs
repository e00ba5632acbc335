//! What is known of Koji's API: names, arguments, members of answers.

use std::collections::BTreeMap;

/// A method's arguments as Koji lists them, by its name.
pub(crate) fn methods() -> BTreeMap<&'static str, &'static str> {
    lines(include_str!("koji/methods.txt")).filter_map(|line| Some(line.split_at(line.find('(')?))).collect()
}

/// The members of the struct, or of each struct of the list, that a method answers.
pub(crate) fn shapes() -> BTreeMap<&'static str, Vec<&'static str>> {
    let shape = |line: &'static str| {
        let (method, members) = line.split_once(':')?;
        Some((method.trim_end_matches("[]"), members.split_whitespace().collect()))
    };
    lines(include_str!("koji/shapes.txt")).filter_map(shape).collect()
}

fn lines(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}
