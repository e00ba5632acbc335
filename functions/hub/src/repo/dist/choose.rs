//! Which of its signatures an RPM is shown with.

use super::opts::Opts;
use crate::{Error, Result};

/// RPMs that a message names at the most.
const NAMED: usize = 200;

/// How an RPM is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// By the copy that is signed with this key.
    Signed(String),
    /// By the file as it was built.
    AsBuilt,
    /// Not at all.
    LeftOut,
    /// It has none of the keys, and nobody has said what to do then.
    Missing,
}

/// Chooses by the keys that are wanted, the preferred first, and the keys that an RPM has signatures of.
pub(super) fn choose(wanted: &[String], has: &[String], opts: &Opts) -> Choice {
    let found = wanted.iter().find(|key| key.is_empty() || has.contains(key));
    match found {
        Some(key) if key.is_empty() => Choice::AsBuilt,
        Some(key) => Choice::Signed(key.clone()),
        None if opts.skip_missing => Choice::LeftOut,
        None if opts.allow_missing => Choice::AsBuilt,
        None => Choice::Missing,
    }
}

/// Refuses a repo some of whose RPMs cannot be shown as is asked.
///
/// # Errors
/// When there are any.
pub(super) fn refuse(lacking: &[String], what: &str, advice: &str) -> Result<()> {
    if lacking.is_empty() {
        return Ok(());
    }
    let mut named: Vec<&str> = lacking.iter().map(String::as_str).collect();
    named.sort_unstable();
    let more = named.len().saturating_sub(NAMED);
    named.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(Error::invalid(format!("{what}: {}{more}; {advice}", named.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_that_is_there_counts() {
        let opts = |allow_missing, skip_missing| Opts {
            arches: Vec::new(),
            inherit: true,
            latest: Some(1),
            allow_missing,
            skip_missing,
            write_signed: false,
            split_debuginfo: false,
            comps: None,
        };
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let signed = |key: &str| Choice::Signed(key.to_owned());
        let strict = opts(false, false);
        assert_eq!(choose(&keys(&["b", "a"]), &keys(&["", "a", "b"]), &strict), signed("b"));
        assert_eq!(choose(&keys(&["c", "a"]), &keys(&["a"]), &strict), signed("a"));
        assert_eq!(choose(&keys(&["c", ""]), &keys(&["a"]), &strict), Choice::AsBuilt);
        assert_eq!(choose(&keys(&["c"]), &keys(&["", "a"]), &strict), Choice::Missing);
        assert_eq!(choose(&keys(&["c"]), &keys(&["", "a"]), &opts(true, false)), Choice::AsBuilt);
        assert_eq!(choose(&keys(&["c"]), &keys(&["", "a"]), &opts(true, true)), Choice::LeftOut);
        assert_eq!(choose(&[], &keys(&[""]), &opts(true, false)), Choice::AsBuilt);
    }

    #[test]
    fn a_long_list_is_cut() {
        let many: Vec<String> = (0..203).map(|n| format!("p{n:03}")).collect();
        let text = refuse(&many, "no", "do").unwrap_err().to_string();
        assert!(text.starts_with("no: p000, p001") && text.ends_with("p199 and 3 more; do"), "{text}");
    }
}
