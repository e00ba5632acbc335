//! The policy `build_from_scm`: the hub says whether sources may come from a place, and what is done with them.

use toji_protocol::value::{Map, Value};

use super::{Allowed, ScmUrl, allow::default_command};
use crate::failure::TaskError;

/// What the policy is told of a URL: Koji's fields.
pub(crate) fn facts(url: &ScmUrl, allowed: Option<&Allowed>) -> Map {
    let mut facts = Map::new();
    facts.insert("scm_scheme", format!("{}://", url.scheme_name));
    facts.insert("scm_type", url.scheme.type_name());
    facts.insert("scm_user", url.user.clone());
    facts.insert("scm_host", url.host.as_str());
    facts.insert("scm_repository", url.repository.as_str());
    facts.insert("scm_module", url.module.clone().unwrap_or_default());
    facts.insert("scm_revision", url.revision.as_str());
    facts.insert("scm_use_common", allowed.is_some_and(|allowed| allowed.use_common));
    let command = allowed.map(|allowed| allowed.source_command.as_slice()).unwrap_or_default();
    facts.insert("scm_source_cmd", Value::Array(command.iter().map(|word| word.as_str().into()).collect()));
    facts
}

/// What the policy says: `allow [use_common] [command…|none]`, or `deny [reason]`. What it leaves open the list of places has decided;
/// without one there is no `common`, and the usual command.
///
/// # Errors
/// When it denies, or says nothing.
pub(crate) fn verdict(answer: Option<&str>, listed: Option<&Allowed>, url: &ScmUrl) -> Result<Allowed, TaskError> {
    let mut words = answer.unwrap_or_default().split_whitespace().peekable();
    let action = words.next().unwrap_or_default().to_lowercase();
    if action != "allow" {
        let reason = words.collect::<Vec<_>>().join(" ");
        let reason = match (action.as_str(), reason.as_str()) {
            ("", _) => "it says nothing of them",
            ("deny", "") => "it denies them",
            ("deny", reason) => reason,
            _ => "error in policy",
        };
        let place = format!("{}:{}", url.host, url.repository);
        return Err(TaskError::Denied(format!("policy violation (build_from_scm): {reason} ({place})")));
    }
    let use_common = words.next_if(|word| *word == "use_common").is_some();
    let command: Vec<String> = words.map(str::to_owned).collect();
    let source_command = match (command.as_slice(), listed) {
        ([], Some(listed)) => listed.source_command.clone(),
        ([], None) => default_command(),
        ([none], _) if none.eq_ignore_ascii_case("none") => Vec::new(),
        _ => command,
    };
    Ok(Allowed { use_common: use_common || listed.is_some_and(|listed| listed.use_common), source_command })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(answer: Option<&str>, listed: Option<&Allowed>) -> Result<(bool, String), String> {
        let url = ScmUrl::parse("git://h/p#r").unwrap();
        let allowed = verdict(answer, listed, &url).map_err(|error| error.to_string())?;
        Ok((allowed.use_common, allowed.source_command.join(" ")))
    }

    #[test]
    fn answers() {
        let own = |common: bool, command: &str| Ok((common, command.to_owned()));
        for (answer, means) in [
            ("allow", own(false, "make sources")),
            ("Allow use_common", own(true, "make sources")),
            ("allow none", own(false, "")),
            ("allow use_common NONE", own(true, "")),
            ("allow fedpkg sources", own(false, "fedpkg sources")),
            ("allow use_common make get none", own(true, "make get none")),
        ] {
            assert_eq!(said(Some(answer), None), means, "{answer}");
        }
        let listed = Allowed { use_common: true, source_command: vec!["get".to_owned()] };
        assert_eq!(said(Some("allow"), Some(&listed)), own(true, "get"));
        assert_eq!(said(Some("allow none"), Some(&listed)), own(true, ""));
    }

    #[test]
    fn refusals() {
        for (answer, told) in [
            (Some("deny Not From There"), "policy violation (build_from_scm): Not From There (h:/p)"),
            (Some("DENY"), "policy violation (build_from_scm): it denies them (h:/p)"),
            (Some("use default"), "policy violation (build_from_scm): error in policy (h:/p)"),
            (Some(""), "policy violation (build_from_scm): it says nothing of them (h:/p)"),
            (None, "policy violation (build_from_scm): it says nothing of them (h:/p)"),
        ] {
            assert_eq!(said(answer, None).unwrap_err(), told);
        }
    }

    #[test]
    fn what_the_policy_is_told() {
        let url = ScmUrl::parse("svn+ssh://ann@h/r?trunk/x#7").unwrap();
        let facts = facts(&url, None);
        let told = |key: &str| facts.get(key).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        let keys = ["scm_scheme", "scm_type", "scm_user", "scm_host", "scm_repository", "scm_module", "scm_revision"];
        assert_eq!(keys.map(told), ["svn+ssh://", "SVN+SSH", "ann", "h", "/r", "trunk/x", "7"]);
    }
}
