//! Listing names in order, with a prefix, a delimiter and pages: the rule behind three S3 operations.

use std::collections::BTreeMap;
use std::ops::Bound;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// Behind this key.
    AfterKey(String),
    /// Behind every key with this prefix.
    AfterPrefix(String),
}

impl From {
    /// As an opaque continuation token.
    pub(super) fn to_token(&self) -> String {
        let plain = match self {
            Self::AfterKey(key) => format!("k{key}"),
            Self::AfterPrefix(prefix) => format!("p{prefix}"),
        };
        URL_SAFE_NO_PAD.encode(plain)
    }

    /// `None` if it is no token of ours.
    pub(super) fn from_token(token: &str) -> Option<Self> {
        let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        match plain.split_at_checked(1)? {
            ("k", key) => Some(Self::AfterKey(key.to_owned())),
            ("p", prefix) => Some(Self::AfterPrefix(prefix.to_owned())),
            _ => None,
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Query<'a> {
    pub(super) prefix: &'a str,
    /// Keys that have it behind the prefix are rolled up.
    pub(super) delimiter: Option<&'a str>,
    pub(super) from: Option<From>,
    /// The most keys and common prefixes together.
    pub(super) limit: usize,
}

/// What is found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<'a, T> {
    pub(super) items: Vec<(&'a String, &'a T)>,
    pub(super) prefixes: Vec<String>,
    /// Where the next page begins, if there is one.
    pub(super) next: Option<From>,
}

/// One page of `names`. Costs about one step for each line of the page, however much a common prefix hides.
pub(super) fn list<'a, T>(names: &'a BTreeMap<String, T>, query: &Query<'_>) -> Page<'a, T> {
    let mut page = Page { items: Vec::new(), prefixes: Vec::new(), next: None };
    let mut last = None;
    let Some(mut start) = first_bound(query) else {
        return page;
    };
    while let Some((key, item)) = names.range::<String, _>((start, Bound::Unbounded)).next() {
        let Some(rest) = key.strip_prefix(query.prefix) else {
            break;
        };
        if page.items.len() + page.prefixes.len() == query.limit {
            page.next = last;
            break;
        }
        let cut = query.delimiter.and_then(|delimiter| rest.find(delimiter).map(|at| at + delimiter.len()));
        if let Some(cut) = cut {
            let prefix = key[..query.prefix.len() + cut].to_owned();
            let behind = successor(&prefix);
            page.prefixes.push(prefix.clone());
            last = Some(From::AfterPrefix(prefix));
            match behind {
                Some(behind) => start = Bound::Included(behind),
                None => break,
            }
        } else {
            page.items.push((key, item));
            last = Some(From::AfterKey(key.clone()));
            start = Bound::Excluded(key.clone());
        }
    }
    page
}

/// Where to begin; `None` if nothing can follow.
fn first_bound(query: &Query<'_>) -> Option<Bound<String>> {
    let at_prefix = Bound::Included(query.prefix.to_owned());
    match &query.from {
        Some(From::AfterKey(key)) if key.as_str() >= query.prefix => Some(Bound::Excluded(key.clone())),
        Some(From::AfterPrefix(prefix)) => Some(Bound::Included(successor(prefix)?)),
        _ => Some(at_prefix),
    }
}

/// The least string behind all that begin with `prefix`; `None` if there is none.
fn successor(prefix: &str) -> Option<String> {
    let mut next = prefix.to_owned();
    while let Some(last) = next.pop() {
        let above = match last {
            // The surrogates are no characters.
            '\u{d7ff}' => Some('\u{e000}'),
            _ => char::from_u32(u32::from(last) + 1),
        };
        if let Some(above) = above {
            next.push(above);
            return Some(next);
        }
    }
    None
}

/// Percent-encodes a name as `encoding-type=url` asks: XML cannot hold every key.
pub(super) fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(keys: &[&str]) -> BTreeMap<String, ()> {
        keys.iter().map(|key| ((*key).to_owned(), ())).collect()
    }

    fn lines(page: &Page<'_, ()>) -> Vec<String> {
        let keys = page.items.iter().map(|(key, ())| (*key).clone());
        let mut lines: Vec<_> = keys.chain(page.prefixes.iter().cloned()).collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_delimiter_rolls_up() {
        let names = names(&["a", "b/1", "b/2", "b/c/3", "c"]);
        let mut query = Query { delimiter: Some("/"), limit: 10, ..Query::default() };
        assert_eq!(lines(&list(&names, &query)), ["a", "b/", "c"]);
        query.prefix = "b/";
        assert_eq!(lines(&list(&names, &query)), ["b/1", "b/2", "b/c/"]);
        // A start within a common prefix shows it when something behind the start has it.
        query = Query { delimiter: Some("/"), limit: 10, from: Some(From::AfterKey("b/1".into())), ..Query::default() };
        assert_eq!(lines(&list(&names, &query)), ["b/", "c"]);
    }

    #[test]
    fn no_keys_asked_for_is_no_endless_page() {
        let page = list::<()>(&names(&["a"]), &Query::default()).next;
        assert_eq!(page, None);
    }

    #[test]
    fn tokens() {
        for from in [From::AfterKey("ü/+".into()), From::AfterPrefix("a/".into())] {
            assert_eq!(From::from_token(&from.to_token()), Some(from));
        }
        assert_eq!(From::from_token("!"), None);
        assert_eq!(From::from_token(""), None);
    }

    #[test]
    fn successors() {
        assert_eq!(successor("a/").as_deref(), Some("a0"));
        assert_eq!(successor("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(successor("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(successor("\u{10ffff}"), None);
    }

    #[test]
    fn encoding() {
        assert_eq!(encode("a+b c/ü~%"), "a%2Bb%20c/%C3%BC~%25");
    }

    proptest! {
        /// Page by page, everything comes once, in order, as it does in one page.
        #[test]
        fn pages_add_up(
            keys in proptest::collection::btree_set("[ab/\u{ff}\u{10ffff}]{1,5}", 0..40),
            prefix in "[ab/]{0,2}",
            limit in 1_usize..5,
        ) {
            let names: BTreeMap<String, ()> = keys.into_iter().map(|key| (key, ())).collect();
            let query = Query { prefix: &prefix, delimiter: Some("/"), from: None, limit: 1000 };
            let whole = lines(&list(&names, &query));
            let mut query = Query { limit, ..query };
            let mut paged = Vec::new();
            loop {
                let page = list(&names, &query);
                prop_assert!(page.items.len() + page.prefixes.len() <= limit);
                paged.extend(lines(&page));
                match page.next {
                    Some(next) => query.from = Some(next),
                    None => break,
                }
            }
            prop_assert_eq!(paged, whole);
        }
    }
}
