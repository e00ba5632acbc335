//! What the settings say of a method: who may call it, and what it takes.

use toji_protocol::method::{Access, Default, Param, ParamKind};

/// Lives as long as the program: settings are read once, when it starts, and the table of methods has names that live so long.
pub(crate) fn kept(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

/// Who may call: `access`, or else whoever has a permission.
///
/// # Errors
/// When neither or both are said.
pub(crate) fn access(access: Option<&str>, permission: Option<String>) -> Result<Access, String> {
    match (access, permission) {
        (Some("anonymous"), None) => Ok(Access::Anonymous),
        (Some("logged in"), None) => Ok(Access::LoggedIn),
        (None, Some(permission)) if !permission.is_empty() => Ok(Access::Permission(kept(&permission))),
        _ => Err("say who may call it: permission = \"…\", or access = \"anonymous\" or \"logged in\"".to_owned()),
    }
}

/// A parameter: `name`, or `name=default`, where the default is `nil`, `true`, `false`, a number, or a text in quotes.
///
/// # Errors
/// When it is none.
pub(crate) fn parameter(text: &str) -> Result<Param, String> {
    let (name, default) = match text.split_once('=') {
        Some((name, default)) => (name.trim(), Some(default.trim())),
        None => (text.trim(), None),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(is_name) {
        return Err(format!("'{name}' is no parameter's name"));
    }
    let kind = match default {
        None => ParamKind::Required,
        Some("nil" | "None" | "null") => ParamKind::Optional(Default::Nil),
        Some("true" | "True") => ParamKind::Optional(Default::True),
        Some("false" | "False") => ParamKind::Optional(Default::False),
        Some(other) => ParamKind::Optional(
            literal(other)
                .ok_or_else(|| format!("'{other}' is no default: nil, true, false, a number, or a text in quotes"))?,
        ),
    };
    Ok(Param { name: kept(name), kind })
}

fn literal(text: &str) -> Option<Default> {
    let quoted = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    match quoted('\'').or_else(|| quoted('"')) {
        Some(inner) => Some(Default::Text(kept(inner))),
        None => text.parse().ok().map(Default::Int),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let kind = |text: &str| parameter(text).map(|param| (param.name, param.kind));
        assert_eq!(kind("tag"), Ok(("tag", ParamKind::Required)));
        assert_eq!(kind("until = nil"), Ok(("until", ParamKind::Optional(Default::Nil))));
        assert_eq!(kind("n=-3"), Ok(("n", ParamKind::Optional(Default::Int(-3)))));
        assert_eq!(kind("why='a=b'"), Ok(("why", ParamKind::Optional(Default::Text("a=b")))));
        assert_eq!(kind("force=False"), Ok(("force", ParamKind::Optional(Default::False))));
        for bad in ["", "1x", "a b", "a=b", "a='b", "a=1.5", "=1"] {
            assert!(parameter(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn who_may() {
        assert_eq!(access(Some("anonymous"), None), Ok(Access::Anonymous));
        assert_eq!(access(None, Some("acme".to_owned())), Ok(Access::Permission("acme")));
        for (said, permission) in [(None, None), (Some("x"), None), (Some("anonymous"), Some("acme".to_owned()))] {
            assert!(access(said, permission).is_err());
        }
    }
}
