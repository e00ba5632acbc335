//! A package in `other.xml`: its latest changelog entries.

use super::{FileFacts, push_identity};
use crate::{
    header::{Changelog, RpmHeader},
    xml::{push_attribute_pair, push_text},
};

/// createrepo_c's default.
const LIMIT: usize = 10;

pub(super) fn render(header: &RpmHeader, facts: FileFacts<'_>) -> String {
    let mut out = String::with_capacity(2048);
    push_identity(&mut out, header, facts);
    for (entry, time) in oldest_first(&header.changelogs) {
        out.push_str("  <changelog");
        push_attribute_pair(&mut out, "author", &entry.author);
        push_attribute_pair(&mut out, "date", &time.to_string());
        out.push('>');
        push_text(&mut out, &entry.text);
        out.push_str("</changelog>\n");
    }
    out.push_str("</package>\n");
    out
}

/// The newest entries, oldest first. rpm knows only the day, and readers sort by time, so entries of one day are set a
/// second apart each.
fn oldest_first(entries: &[Changelog]) -> Vec<(&Changelog, u64)> {
    let mut out: Vec<(&Changelog, u64)> = Vec::new();
    for entry in entries.iter().take(LIMIT).rev() {
        let time = match out.last() {
            Some((before, set)) if (before.time..=*set).contains(&entry.time) => set + 1,
            _ => entry.time,
        };
        out.push((entry, time));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_one_day_are_set_apart() {
        let times = |newest_first: &[u64]| {
            let entry = |time: &u64| Changelog { time: *time, author: String::new(), text: String::new() };
            let entries: Vec<_> = newest_first.iter().map(entry).collect();
            oldest_first(&entries).into_iter().map(|(_, time)| time).collect::<Vec<_>>()
        };
        assert_eq!(times(&[500, 400, 400, 400, 399, 401, 100, 100]), [100, 101, 401, 399, 400, 401, 402, 500]);
        assert_eq!(times(&[100, 102, 101, 100, 100, 100, 99]), [99, 100, 101, 102, 103, 104, 100]);
        assert_eq!(times(&[5; 15]), [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    }
}
