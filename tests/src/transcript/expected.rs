//! Whether what was said is what was expected.

use std::collections::BTreeMap;

use regex::Regex;

/// The words that `{name}`s stand for.
pub(super) type Words = BTreeMap<String, String>;

/// Compares lines with the expected ones. Answers the words with those that were new, or None when they differ.
pub(super) fn agree(expected: &[String], said: &[&str], words: &Words) -> Option<Words> {
    let Some((first, rest)) = expected.split_first() else { return said.is_empty().then(|| words.clone()) };
    if first.trim() == "..." {
        return (0..=said.len()).find_map(|skipped| agree(rest, &said[skipped..], words));
    }
    let (line, others) = said.split_first()?;
    agree(rest, others, &line_agrees(first, line, words)?)
}

/// Compares a line with the expected one.
pub(super) fn line_agrees(expected: &str, said: &str, words: &Words) -> Option<Words> {
    let (pattern, new) = pattern(expected.trim_end(), words);
    let found = pattern.captures(said.trim_end())?;
    let mut words = words.clone();
    for (name, group) in new.into_iter().zip(1..) {
        words.insert(name, found[group].to_owned());
    }
    Some(words)
}

/// A line as a regular expression, and the names of its groups.
fn pattern(line: &str, words: &Words) -> (Regex, Vec<String>) {
    let marks = Regex::new(r"\[\.\.\]|\{([a-z][a-z0-9_]*)\}").expect("it is well formed");
    let mut pattern = String::from("^");
    let mut new = Vec::new();
    let mut end = 0;
    for mark in marks.captures_iter(line) {
        let whole = mark.get(0).expect("it is there");
        pattern += &regex::escape(&line[end..whole.start()]);
        end = whole.end();
        match mark.get(1).map(|name| name.as_str()) {
            None => pattern += ".*?",
            Some(name) => match words.get(name) {
                Some(word) => pattern += &regex::escape(word),
                None => {
                    pattern += r"(\S+?)";
                    new.push(name.to_owned());
                }
            },
        }
    }
    pattern += &regex::escape(&line[end..]);
    pattern.push('$');
    (Regex::new(&pattern).expect("it is well formed"), new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(expected: &str, said: &str, words: &Words) -> Option<Words> {
        let expected: Vec<String> = expected.lines().map(str::to_owned).collect();
        agree(&expected, &said.lines().collect::<Vec<_>>(), words)
    }

    #[test]
    fn lines_are_compared() {
        let words = Words::from([("tag".into(), "7".into())]);
        for (expected, said) in [
            ("", ""),
            ("a\nb", "a\nb  "),
            ("Tag: f42 [{tag}]", "Tag: f42 [7]"),
            ("at [..] by admin", "at 10:00 by admin"),
            ("a\n...\nb", "a\nb"),
            ("a\n...\nb", "a\nb\nc\nb"),
            ("...", ""),
            ("{'tag': 1}.*", "{'tag': 1}.*"),
        ] {
            assert!(ask(expected, said, &words).is_some(), "{expected}\n{said}");
        }
        for (expected, said) in [
            ("", "a"),
            ("a", ""),
            ("a\nb", "b\na"),
            ("a", "ab"),
            ("Tag: f42 [{tag}]", "Tag: f42 [8]"),
            ("a\n...\nb", "a\nc"),
            ("a.c", "abc"),
        ] {
            assert!(ask(expected, said, &words).is_none(), "{expected}\n{said}");
        }
    }

    #[test]
    fn a_new_word_is_written_down_and_stays_the_same() {
        let words =
            ask("Created task: {task}\nTask {task} is free", "Created task: 12\nTask 12 is free", &Words::new());
        assert_eq!(words.unwrap()["task"], "12");
        assert!(
            ask("Created task: {task}\nTask {task} is free", "Created task: 12\nTask 1 is free", &Words::new())
                .is_none()
        );
    }
}
