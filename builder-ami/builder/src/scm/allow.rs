//! The list of places that sources may come from.

use serde::Deserialize;

use toji_protocol::glob::matches;

use super::ScmUrl;

/// The source command of an entry that names none.
const DEFAULT_COMMAND: [&str; 2] = ["make", "sources"];

/// Entries in order; the first that fits decides, and what none fits is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct AllowList(Vec<Entry>);

/// One entry: `host:repository[:use_common[:source,command]]`, or `!host:repository`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Entry {
    host: String,
    repository: String,
    /// What is done with sources from there; None = they are refused.
    allowed: Option<Allowed>,
}

/// What is done with sources that are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Check `common` out, too, from beside the repository.
    pub use_common: bool,
    /// The program that fetches what the checkout does not hold, and its arguments; empty = none.
    pub source_command: Vec<String>,
}

/// The program, and its arguments, where nobody names another.
pub(super) fn default_command() -> Vec<String> {
    DEFAULT_COMMAND.map(str::to_owned).to_vec()
}

impl AllowList {
    /// What is allowed for a URL; None = it is refused.
    pub fn find(&self, url: &ScmUrl) -> Option<&Allowed> {
        let fits = |entry: &&Entry| matches(&entry.host, &url.host) && matches(&entry.repository, &url.repository);
        self.0.iter().find(fits)?.allowed.as_ref()
    }
}

impl TryFrom<String> for Entry {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (blocks, rest) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text.as_str()),
        };
        // A port is written as part of the host with the colon in brackets: `host[:]8443:/path`.
        let fields = split_outside_brackets(rest);
        let (host, repository) = match fields.as_slice() {
            [host, repository, ..] if !host.is_empty() && !repository.is_empty() && fields.len() <= 4 => {
                (host, repository)
            }
            _ => return Err(format!("'{text}' is no entry: it reads host:repository[:use_common[:source,command]]")),
        };
        let use_common = match fields.get(2).map(|word| word.to_lowercase()).as_deref() {
            None | Some("" | "yes" | "on" | "true" | "1") => true,
            Some("no" | "off" | "false" | "0") => false,
            Some(word) => return Err(format!("'{text}': use_common is '{word}', it can be true or false")),
        };
        let source_command = match fields.get(3) {
            None => default_command(),
            Some(words) => words.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
        };
        Ok(Self {
            host: (*host).to_owned(),
            repository: (*repository).to_owned(),
            allowed: (!blocks).then_some(Allowed { use_common, source_command }),
        })
    }
}

fn split_outside_brackets(text: &str) -> Vec<&str> {
    let (mut fields, mut from, mut inside) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            ':' if !inside => {
                fields.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    fields.push(&text[from..]);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> AllowList {
        AllowList(entries.iter().map(|entry| Entry::try_from((*entry).to_owned()).unwrap()).collect())
    }

    fn found(entries: &[&str], url: &str) -> Option<(bool, String)> {
        let list = list(entries);
        list.find(&ScmUrl::parse(url).unwrap()).map(|allowed| (allowed.use_common, allowed.source_command.join(" ")))
    }

    #[test]
    fn the_first_that_fits_decides() {
        let entries = ["!git.example.com:/secret/*", "git.example.com:/*:no:fedpkg,sources", "*:/open/*:off:"];
        assert_eq!(found(&entries, "git://git.example.com/secret/x#r"), None);
        assert_eq!(found(&entries, "git://git.example.com/rpms/x#r"), Some((false, "fedpkg sources".into())));
        assert_eq!(found(&entries, "git://other/open/x#r"), Some((false, String::new())));
        assert_eq!(found(&entries, "git://other/rpms/x#r"), None);
        assert_eq!(found(&[], "git://other/rpms/x#r"), None);
    }

    #[test]
    fn defaults_are_kojis() {
        assert_eq!(found(&["h:/*"], "git://h/x#r"), Some((true, "make sources".into())));
        assert_eq!(found(&["h[:]8443:/*"], "git://h:8443/x#r"), Some((true, "make sources".into())));
        assert_eq!(found(&["h:/*"], "git://h:8443/x#r"), None);
    }

    /// Entries | URL → what is done with it: whether with `common`, and the source command; None = it is refused.
    #[test]
    fn vectors() {
        let all = ["*:/*"];
        let odd = ["h:/a[bc]:no:", "!h:/a*", "h*:*:yes:get,it"];
        for (entries, url, means) in [
            (&all[..], "git://any.example/x#r", Some((true, "make sources"))),
            (&all, "svn+http://any.example:8080/x?y#1", Some((true, "make sources"))),
            (&[], "git://h/x#r", None),
            (&["h:/x"], "git://h/x#r", Some((true, "make sources"))),
            (&["h:/x"], "git://h/x/#r", None),
            (&["h:/x"], "git://H/x#r", None),
            (&["h:/x"], "git://h/x/y#r", None),
            (&["h:/x*"], "git://h/x/y/z#r", Some((true, "make sources"))),
            (&["h:/?"], "git://h/ab#r", None),
            (&odd, "git://h/ab#r", Some((false, ""))),
            (&odd, "git://h/ad#r", None),
            (&odd, "git://host/zz#r", Some((true, "get it"))),
            (&["!*:*", "h:/x"], "git://h/x#r", None),
            (&["h:/x:TRUE:none"], "git://h/x#r", Some((true, "none"))),
            (&["h:/x::"], "git://h/x#r", Some((true, ""))),
            (&["h:/x:0:make,-f,M,sources"], "git://h/x#r", Some((false, "make -f M sources"))),
            // who asks, which part and which revision do not matter
            (&["h:/x:no:"], "git+ssh://ann@h/x?part#main", Some((false, ""))),
        ] {
            let means = means.map(|(common, command): (bool, &str)| (common, command.to_owned()));
            assert_eq!(found(entries, url), means, "{entries:?} {url}");
        }
    }

    #[test]
    fn malformed_entries() {
        for entry in ["", "host", "host:", ":/x", "h:/x:maybe", "h:/x:no:a:b"] {
            assert!(Entry::try_from(entry.to_owned()).is_err(), "{entry}");
        }
    }
}
