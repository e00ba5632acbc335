//! Policies from a file, in the form that they have in Koji's `hub.conf`.
//!
//! ```text
//! [policy]
//! tag =
//!     has_perm admin :: allow
//!     tag *-candidate :: allow
//!     all :: deny ask release engineering
//! ```
//!
//! A line that begins in the first column names a policy; the indented lines below are its rules. Sections with another name are
//! skipped, and so are lines that begin with `#` or `;`. A file without any section is all policies.

use std::{collections::BTreeMap, str::FromStr, sync::Arc};

use super::parse::{ParseError, RuleSet};

/// The policies of a file, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyFile(pub(super) BTreeMap<String, FilePolicy>);

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FilePolicy {
    pub(super) set: Arc<RuleSet>,
    pub(super) rules: String,
}

impl FromStr for PolicyFile {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut policies = BTreeMap::new();
        let mut open: Option<Open<'_>> = None;
        let mut is_ours = true;
        for (at, line) in text.lines().enumerate() {
            let number = at + 1;
            let wrong = |problem: String| ParseError { line: number, problem };
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
                continue;
            }
            if let Some(section) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                close(open.take(), &mut policies)?;
                is_ours = section.trim() == "policy";
                continue;
            }
            if !is_ours {
                continue;
            }
            if line.starts_with([' ', '\t']) {
                let Some(open) = &mut open else {
                    return Err(wrong(
                        "a rule stands before any policy's name; names begin in the first column".into(),
                    ));
                };
                open.lines.push((number, line));
                continue;
            }
            let Some((name, first)) = line.split_once(['=', ':']) else {
                return Err(wrong(format!("'{trimmed}' is neither NAME = nor an indented rule")));
            };
            let name = name.trim().to_lowercase();
            if name.is_empty() || policies.contains_key(&name) || open.as_ref().is_some_and(|open| open.name == name) {
                return Err(wrong(format!("the policy '{name}' has no name, or stands twice in the file")));
            }
            close(open.replace(Open { name, lines: vec![(number, first)] }), &mut policies)?;
        }
        close(open, &mut policies)?;
        Ok(Self(policies))
    }
}

/// A policy whose lines are being read.
struct Open<'a> {
    name: String,
    lines: Vec<(usize, &'a str)>,
}

fn close(open: Option<Open<'_>>, policies: &mut BTreeMap<String, FilePolicy>) -> Result<(), ParseError> {
    let Some(Open { name, lines }) = open else { return Ok(()) };
    let set = RuleSet::parse_lines(lines.iter().copied())?;
    let rules = lines.iter().map(|(_, line)| line.trim()).filter(|line| !line.is_empty()).collect::<Vec<_>>();
    policies.insert(name, FilePolicy { set: Arc::new(set), rules: rules.join("\n") });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.parse::<PolicyFile>().unwrap().0.into_keys().collect()
    }

    #[test]
    fn kojis_form() {
        let text = "[hub]\nDBName = koji\n\n[policy]\n# why\nTag =\n    has_perm admin :: allow\n\n  ; or so\n    \
                    tag x :: {\n        all :: deny\n    }\nvolume = all :: DEFAULT\n";
        let file: PolicyFile = text.parse().unwrap();
        assert_eq!(file.0.keys().collect::<Vec<_>>(), ["tag", "volume"]);
        assert_eq!(file.0["tag"].rules, "has_perm admin :: allow\ntag x :: {\nall :: deny\n}");
        // lines are the file's
        assert_eq!(file.0["tag"].set.rules.iter().map(|rule| rule.line).collect::<Vec<_>>(), [7, 10]);
    }

    #[test]
    fn without_sections_all_are_policies() {
        assert_eq!(names("a =\n all :: allow\nb =\n"), ["a", "b"]);
        assert_eq!(names(""), [""; 0]);
    }

    #[test]
    fn errors_name_the_files_line() {
        let error = |text: &str| text.parse::<PolicyFile>().unwrap_err().to_string();
        assert!(error("tag =\n  all :: allow\n  nonsense :: deny").starts_with("line 3: there is no test 'nonsense'"));
        assert!(error("  all :: allow").starts_with("line 1: a rule stands before"));
        assert!(error("tag\n").starts_with("line 1: 'tag' is neither"));
        assert!(error("tag =\nvolume =\ntag =\n").starts_with("line 3: the policy 'tag' has no name, or stands twice"));
    }
}
