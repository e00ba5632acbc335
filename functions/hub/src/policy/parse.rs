//! The rule language: from text to a tree.

use thiserror::Error as ThisError;

use super::tests::Test;

/// How deep rules may be nested: they are walked by recursion.
const MAX_DEPTH: usize = 50;

/// How long a policy may be, in bytes.
const MAX_LENGTH: usize = 200_000;

/// Why a text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("line {line}: {problem}")]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: String,
}

/// A policy: its rules, in the order in which they are asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleSet {
    pub(super) rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    /// Where it stands, from 1.
    pub(super) line: usize,
    /// As it is written, without its comment.
    pub(super) text: String,
    /// It counts when all of these hold …
    pub(super) tests: Vec<Test>,
    /// … or, with this, when one of them does not.
    pub(super) negated: bool,
    pub(super) then: Then,
}

/// What a rule leads to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Then {
    /// An action, as it is written.
    Act(String),
    /// Further rules.
    Nested(Vec<Rule>),
}

/// One line.
enum Line {
    Blank,
    Close,
    Rule { text: String, tests: Vec<Test>, negated: bool, action: String },
}

impl RuleSet {
    /// Reads a policy.
    ///
    /// # Errors
    /// With the line that is wrong.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::parse_lines(text.lines().enumerate().map(|(at, line)| (at + 1, line)))
    }

    /// Reads a policy of numbered lines: where it is part of a file, errors name the file's.
    ///
    /// # Errors
    /// With the line that is wrong.
    pub fn parse_lines<'a>(lines: impl Iterator<Item = (usize, &'a str)>) -> Result<Self, ParseError> {
        let mut rules = Vec::new();
        // the rules that an open brace interrupted, and the rule that opened it
        let mut outer: Vec<(Vec<Rule>, Rule)> = Vec::new();
        let mut length = 0;
        for (line, text) in lines {
            let wrong = |problem: String| ParseError { line, problem };
            length += text.len() + 1;
            if length > MAX_LENGTH {
                return Err(wrong(format!("the policy is longer than {MAX_LENGTH} bytes")));
            }
            match parse_line(text).map_err(wrong)? {
                Line::Blank => {}
                Line::Close => {
                    let Some((before, mut rule)) = outer.pop() else {
                        return Err(wrong("this } closes nothing".to_owned()));
                    };
                    rule.then = Then::Nested(std::mem::replace(&mut rules, before));
                    rules.push(rule);
                }
                Line::Rule { text, tests, negated, action } if action == "{" => {
                    if outer.len() == MAX_DEPTH {
                        return Err(wrong(format!("rules are nested deeper than {MAX_DEPTH}")));
                    }
                    let rule = Rule { line, text, tests, negated, then: Then::Nested(Vec::new()) };
                    outer.push((std::mem::take(&mut rules), rule));
                }
                Line::Rule { text, tests, negated, action } => {
                    rules.push(Rule { line, text, tests, negated, then: Then::Act(action) });
                }
            }
        }
        match outer.pop() {
            Some((_, rule)) => Err(ParseError {
                line: rule.line,
                problem: "this { is never closed: a } must stand alone on a line".to_owned(),
            }),
            None => Ok(Self { rules }),
        }
    }
}

fn parse_line(line: &str) -> std::result::Result<Line, String> {
    let text = line.split('#').next().unwrap_or_default().trim();
    match text {
        "" => return Ok(Line::Blank),
        "}" => return Ok(Line::Close),
        _ => {}
    }
    let Some((tests, action, negated)) = split(text) else {
        return Err(format!("'{text}' is no rule: write TEST :: ACTION or TEST !! ACTION"));
    };
    let action = action.trim();
    if action.is_empty() {
        return Err(format!("'{text}' has no action after its {}", if negated { "!!" } else { "::" }));
    }
    let tests = tests.split("&&").map(Test::parse).collect::<Result<_, _>>()?;
    Ok(Line::Rule { text: text.to_owned(), tests, negated, action: action.to_owned() })
}

/// A rule's tests, its action, and whether it is negated. The last `::` wins over any `!!`, so that patterns may contain both.
fn split(text: &str) -> Option<(&str, &str, bool)> {
    match text.rsplit_once("::") {
        Some((tests, action)) => Some((tests, action, false)),
        None => text.rsplit_once("!!").map(|(tests, action)| (tests, action, true)),
    }
}

impl Rule {
    /// Its tests, as they are written.
    pub(super) fn test_texts(&self) -> impl Iterator<Item = &str> {
        let tests = split(&self.text).map_or("", |(tests, ..)| tests);
        tests.split("&&").map(str::trim)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The tree on one line: `line:tests[!]=action`, nested rules in braces.
    fn shown(rules: &[Rule]) -> String {
        let one = |rule: &Rule| {
            let mark = if rule.negated { "!" } else { "" };
            let then = match &rule.then {
                Then::Act(action) => action.clone(),
                Then::Nested(rules) => format!("{{{}}}", shown(rules)),
            };
            format!("{}:{}{mark}={then}", rule.line, rule.tests.len())
        };
        rules.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    fn parsed(text: &str) -> String {
        shown(&RuleSet::parse(text).unwrap().rules)
    }

    fn error(text: &str) -> String {
        RuleSet::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn rules_and_comments() {
        assert_eq!(parsed(""), "");
        assert_eq!(parsed("  # only this\n\n"), "");
        assert_eq!(parsed("all :: allow"), "1:1=allow");
        assert_eq!(parsed("\n  tag a b && user c :: deny Ask First # why\n"), "2:2=deny Ask First");
        assert_eq!(parsed("has_perm admin !! deny"), "1:1!=deny");
        assert_eq!(parsed("match x # :: y\n".replace("# ", "").as_str()), "1:1=y");
    }

    #[test]
    fn the_last_colons_split() {
        let rules = RuleSet::parse("source git::x :: allow").unwrap().rules;
        assert_eq!(rules[0].tests, [Test::parse("source git::x").unwrap()]);
        // with colons anywhere, the bangs are only text
        assert_eq!(parsed("match a b!!c :: allow"), "1:1=allow");
        assert_eq!(parsed("match a b!!c !! allow"), "1:1!=allow");
        assert_eq!(parsed("match a b :: allow !! x"), "1:1=allow !! x");
    }

    #[test]
    fn nesting() {
        let text = "all :: {\n  tag a :: allow\n  tag b !! {\n    all :: deny\n  }\n}\nall :: deny last";
        assert_eq!(parsed(text), "1:1={2:1=allow 3:1!={4:1=deny}} 7:1=deny last");
        assert_eq!(parsed("all :: {\n}"), "1:1={}");
    }

    #[test]
    fn errors_name_the_line() {
        assert_eq!(error("all :: allow\nallow"), "line 2: 'allow' is no rule: write TEST :: ACTION or TEST !! ACTION");
        assert_eq!(error("all ::"), "line 1: 'all ::' has no action after its ::");
        assert_eq!(error("all !! # x"), "line 1: 'all !!' has no action after its !!");
        assert_eq!(error("}"), "line 1: this } closes nothing");
        assert!(error("\nall :: {\nall :: allow").starts_with("line 2: this { is never closed"));
        assert!(error("all :: {\nall :: allow }").starts_with("line 1: this { is never closed"));
        assert!(error("nonsense x :: allow").starts_with("line 1: there is no test 'nonsense'"));
        assert!(error(":: allow").starts_with("line 1: a test is missing"));
        assert!(error("all && :: allow").starts_with("line 1: a test is missing"));
        assert!(error(&"all :: {\n".repeat(60)).starts_with("line 51: rules are nested deeper"));
        assert!(error(&"all :: allow\n".repeat(20_000)).contains("longer than"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = RuleSet::parse(&text);
        }

        #[test]
        fn what_looks_like_rules_is_read_or_refused(lines in prop::collection::vec("[ a-z]{0,8}(all|tag|compare|policy|match|has) ?[a-z*=<]{0,6}( && true)?( ?(::|!!) ?)([{}#a-z]{0,5})|\\}|#.*", 0..30)) {
            if let Err(error) = RuleSet::parse(&lines.join("\n")) {
                prop_assert!(error.line >= 1 && error.line <= lines.len());
            }
        }
    }
}
