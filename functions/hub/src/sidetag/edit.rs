//! What a side tag's owner may change of it.

use toji_protocol::{
    glob,
    id::{Ref, TagId},
    method::{
        Named,
        sidetag::EditSideTag,
        tag::{EditTag2, GetInheritanceData, Tag},
    },
    value::Value,
};

use super::{of_caller, own};
use crate::{
    Error, Result,
    call::{Cx, Handle},
};

/// What a tag's RPM macros are called in its extra.
const MACRO: &str = "rpm.macro.";

impl Handle for EditSideTag {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let tag = of_caller(cx, &self.sidetag).await?;
        if (self.extra.is_some() || self.remove_extra.is_some()) && !cx.caller.has_perm("sidetag_admin") {
            return Err(Error::denied("extra of a sidetag is changed only with the permission sidetag_admin or admin"));
        }
        let base = base(cx, &tag).await?;
        if self.debuginfo.is_some() && !base.extra.get("sidetag_debuginfo_allowed").is_some_and(Value::is_truthy) {
            return Err(Error::invalid(format!(
                "Debuginfo setting is not allowed in parent tag: {} has no sidetag_debuginfo_allowed",
                base.name
            )));
        }
        let (set, removed) = (self.rpm_macros.unwrap_or_default(), self.remove_rpm_macros.unwrap_or_default());
        if !set.is_empty() || !removed.is_empty() {
            let allowed = allowed_macros(&base)?;
            for name in set.keys().chain(removed.iter().map(String::as_str)) {
                check_macro(name, &allowed)?;
            }
        }

        let mut extra = self.extra.unwrap_or_default();
        let mut remove_extra = self.remove_extra.unwrap_or_default();
        if let Some(debuginfo) = self.debuginfo {
            extra.insert("with_debuginfo", debuginfo);
        }
        for (name, value) in set {
            extra.insert(format!("{MACRO}{name}"), value);
        }
        remove_extra.extend(removed.iter().map(|name| format!("{MACRO}{name}")));
        if extra.is_empty() && remove_extra.is_empty() {
            return Ok(());
        }
        let mut changes = Named::new();
        changes.insert("extra", extra);
        changes.insert("remove_extra", remove_extra.into_iter().map(Value::from).collect::<Vec<_>>());
        EditTag2 { tag_info: Ref::Id(tag.id), changes }.handle(cx).await
    }
}

/// The tag that a side tag inherits from first.
async fn base(cx: &mut Cx, tag: &Tag) -> Result<Tag> {
    let links = GetInheritanceData { tag: Ref::Id(tag.id), event: None }.handle(cx).await?;
    let first: TagId = links.iter().min_by_key(|link| link.priority).map(|link| link.parent_id).ok_or_else(|| {
        Error::invalid(format!("{} inherits from no tag any more, so nothing of it is allowed to be changed", tag.name))
    })?;
    own(cx, &Ref::Id(first)).await
}

/// Patterns of the macros that may be changed: a list, or a text with blanks between.
fn allowed_macros(base: &Tag) -> Result<Vec<String>> {
    let bad =
        || Error::invalid(format!("sidetag_rpm_macros_allowed of {} must be a list of texts, or one text", base.name));
    let allowed = match base.extra.get("sidetag_rpm_macros_allowed") {
        None | Some(Value::Nil) => Vec::new(),
        Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(bad)).collect::<Result<_>>()?
        }
        Some(_) => return Err(bad()),
    };
    if allowed.is_empty() {
        return Err(Error::invalid(format!(
            "RPM macros change is not allowed in parent tag: {} has no sidetag_rpm_macros_allowed",
            base.name
        )));
    }
    Ok(allowed)
}

/// # Errors
/// When RPM would not take it for a macro's name, or it may not be changed.
fn check_macro(name: &str, allowed: &[String]) -> Result<()> {
    let is_name = name.chars().count() > 1 && name.starts_with(|first: char| first.is_alphabetic() || first == '_');
    if !is_name {
        return Err(Error::invalid(format!("Invalid macro name '{name}'")));
    }
    if !allowed.iter().any(|pattern| glob::matches(pattern, name)) {
        return Err(Error::invalid(format!("RPM macro {name} editing is not allowed via parent tag")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use toji_protocol::value::Map;

    use super::*;

    fn base(allowed: Value) -> Tag {
        let mut extra = Map::new();
        extra.insert("sidetag_rpm_macros_allowed", allowed);
        Tag {
            id: TagId(1),
            name: "base".to_owned(),
            arches: None,
            locked: false,
            maven_support: false,
            maven_include_all: false,
            perm: None,
            perm_id: None,
            extra,
        }
    }

    #[test]
    fn macros_are_the_bases() {
        let texts = |texts: &[&str]| Value::Array(texts.iter().map(|text| Value::from(*text)).collect());
        assert_eq!(allowed_macros(&base("dist  with_*".into())).unwrap(), ["dist", "with_*"]);
        assert_eq!(allowed_macros(&base(texts(&["dist"]))).unwrap(), ["dist"]);
        for bad in [Value::Nil, "".into(), 5_i64.into(), Value::Array(vec![5_i64.into()]), texts(&[])] {
            assert!(allowed_macros(&base(bad.clone())).is_err(), "{bad:?}");
        }
        let allowed = ["dist".to_owned(), "with_*".to_owned(), "_*".to_owned()];
        for good in ["dist", "with_x", "_x"] {
            assert!(check_macro(good, &allowed).is_ok(), "{good}");
        }
        for bad in ["", "d", "1dist", "vendor", "DIST"] {
            assert!(check_macro(bad, &allowed).is_err(), "{bad}");
        }
    }
}
