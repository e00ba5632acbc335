//! Side tags: tags that users make for themselves. One is a tag with `sidetag`, `sidetag_user` and `sidetag_user_id` in its extra, that
//! inherits from its base, and a target of the same name that builds in it and for it.
//!
//! Making one, listing them and taking one away stand here; `edit`: what its owner may change of it.

mod edit;
mod sql;

use toji_protocol::{
    id::{Ref, TagId, TargetId},
    method::{
        Listing, Named,
        repo::RequestRepo,
        sidetag::{CreateSideTag, EditSideTag, ListSideTags, NewSideTag, RemoveSideTag, SideTag},
        tag::{CreateTag, DeleteTag, GetTag, Tag},
        target::{CreateBuildTarget, DeleteBuildTarget},
    },
    value::{Map, Value},
};

use crate::{
    Error, Result,
    call::{Cx, Handle, Table},
    listing, policy, tag, target, user,
};

pub(crate) fn methods(table: &mut Table) {
    table.add::<CreateSideTag>().add::<RemoveSideTag>().add::<ListSideTags>().add::<EditSideTag>();
}

/// How side tags are on a deployment.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Their names: `{basetag}` and `{tag_id}` are filled in.
    pub name_template: String,
    /// What users may have added to a name.
    pub allowed_suffixes: Vec<String>,
    /// The most that a user may have, admins apart; None = any number. The policy `sidetag` may say more.
    pub quota: Option<i64>,
    /// One goes when its last build is untagged.
    pub remove_empty: bool,
    /// A repo is asked for at once.
    pub trigger_new_repo: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name_template: "{basetag}-side-{tag_id}".to_owned(),
            allowed_suffixes: Vec::new(),
            quota: None,
            remove_empty: false,
            trigger_new_repo: false,
        }
    }
}

impl Settings {
    fn name(&self, base: &str, id: TagId, suffix: Option<&str>) -> String {
        // the base's name may itself look like a part of the template
        let name = self.name_template.replace("{tag_id}", &id.to_string()).replace("{basetag}", base);
        match suffix {
            Some(suffix) => format!("{name}-{suffix}"),
            None => name,
        }
    }

    fn check_suffix<'a>(&self, suffix: Option<&'a str>) -> Result<Option<&'a str>> {
        let suffix = suffix.filter(|suffix| !suffix.is_empty());
        match suffix {
            Some(suffix) if !self.allowed_suffixes.iter().any(|allowed| allowed == suffix) => {
                let allowed = match self.allowed_suffixes.join(", ") {
                    none if none.is_empty() => "none is".to_owned(),
                    some => format!("these are: {some}"),
                };
                Err(Error::invalid(format!("{suffix} suffix is not allowed for sidetag; {allowed}")))
            }
            suffix => Ok(suffix),
        }
    }
}

/// A tag with its own extra.
async fn own(cx: &mut Cx, tag: &Ref<TagId>) -> Result<Tag> {
    let asked = GetTag { tag_info: tag.clone(), strict: true, event: None, blocked: false };
    asked.handle(cx).await?.ok_or_else(|| Error::missing(format!("No such tag: {tag}")))
}

/// A side tag that the caller may change.
///
/// # Errors
/// When the tag is none, or another's.
async fn of_caller(cx: &mut Cx, tag: &Ref<TagId>) -> Result<Tag> {
    let caller = cx.caller.user()?.id;
    let tag = own(cx, tag).await?;
    if !tag.extra.get("sidetag").is_some_and(Value::is_truthy) {
        return Err(Error::invalid(format!("Not a sidetag: {}", tag.name)));
    }
    let is_own = tag.extra.get("sidetag_user_id").and_then(Value::as_int) == Some(caller.0);
    if !is_own && !cx.caller.has_perm("admin") {
        return Err(Error::denied("This is not your sidetag"));
    }
    Ok(tag)
}

impl Handle for CreateSideTag {
    async fn handle(self, cx: &mut Cx) -> Result<NewSideTag> {
        let user = cx.caller.user()?;
        let (owner, owner_name) = (user.id, user.name.clone());
        let hub = cx.hub.clone();
        let settings = &hub.config.sidetags;
        let suffix = settings.check_suffix(self.suffix.as_deref())?;
        let base = own(cx, &self.basetag).await?;
        let count = sql::count_locked(cx.db().await?, owner).await?;
        let mut data = Map::new();
        data.insert("tag", base.id.0);
        data.insert("number_of_tags", count);
        policy::assert(cx, "sidetag", data, false).await?;
        if settings.quota.is_some_and(|quota| count >= quota) && !cx.caller.has_perm("admin") {
            return Err(Error::denied(format!(
                "{owner_name} has {count} side tags, and may have no more: remove one with removeSideTag first"
            )));
        }

        let id = sql::next_id(cx.db().await?).await?;
        let name = settings.name(&base.name, id, suffix);
        // so that the tag gets the id that its name tells
        sql::reserve(cx.db().await?, id, &name).await?;
        let mut extra = Named::new();
        extra.insert("sidetag", true);
        extra.insert("sidetag_user", owner_name);
        extra.insert("sidetag_user_id", owner.0);
        if self.debuginfo {
            extra.insert("with_debuginfo", true);
        }
        let tag = CreateTag {
            name: name.clone(),
            parent: Some(Ref::Id(base.id)),
            arches: base.arches,
            perm: None,
            locked: false,
            maven_support: false,
            maven_include_all: false,
            extra: Some(extra),
        };
        let id = tag.handle(cx).await?;
        let target = CreateBuildTarget { name: name.clone(), build_tag: Ref::Id(id), dest_tag: Ref::Id(id) };
        target.handle(cx).await?;
        let request = match settings.trigger_new_repo {
            true => {
                let asked = RequestRepo {
                    tag: Ref::Id(id),
                    min_event: None,
                    at_event: None,
                    opts: None,
                    priority: None,
                    force: false,
                };
                asked.handle(cx).await?.request
            }
            false => None,
        };
        Ok(NewSideTag { name, id, task_id: None, request })
    }
}

impl Handle for RemoveSideTag {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let tag = of_caller(cx, &self.sidetag).await?;
        remove(cx, &tag).await
    }
}

/// Deletes a side tag and its target.
///
/// # Errors
/// When there is no target of its name, or that target is not its own.
async fn remove(cx: &mut Cx, tag: &Tag) -> Result<()> {
    tag::lock(cx.db().await?, &[tag.id]).await?;
    let named: Ref<TargetId> = tag.name.as_str().into();
    let Some(target) = target::find(cx.db().await?, &named, None).await? else {
        return Err(Error::missing(format!("Target is missing for sidetag {}", tag.name)));
    };
    if (target.build_tag, target.dest_tag) != (tag.id, tag.id) {
        return Err(Error::invalid(format!("Target does not match sidetag {}", tag.name)));
    }
    DeleteBuildTarget { target_info: Ref::Id(target.id) }.handle(cx).await?;
    DeleteTag { tag_info: Ref::Id(tag.id) }.handle(cx).await
}

/// After a build was untagged: a side tag that has none left is removed, where the deployment wants it so.
///
/// # Errors
/// When the database is away. A side tag whose target is not its own stays.
pub(crate) async fn untagged(cx: &mut Cx, tag: TagId) -> Result<()> {
    if !cx.hub.config.sidetags.remove_empty || sql::has_builds(cx.db().await?, tag).await? {
        return Ok(());
    }
    let tag = own(cx, &Ref::Id(tag)).await?;
    if !tag.extra.get("sidetag").is_some_and(Value::is_truthy) {
        return Ok(());
    }
    match remove(cx, &tag).await {
        Err(error) if matches!(error, Error::NotFound(..) | Error::Invalid(..)) => {
            tracing::warn!(%error, tag = tag.name, "an empty side tag stays");
            Ok(())
        }
        done => done,
    }
}

impl Handle for ListSideTags {
    async fn handle(self, cx: &mut Cx) -> Result<Listing<SideTag>> {
        let conn = cx.db().await?;
        let user = match &self.user {
            Some(user) => Some(user::require(conn, user).await?.id),
            None => None,
        };
        let base = match &self.basetag {
            Some(base) => Some(tag::require(conn, base).await?.0),
            None => None,
        };
        listing::in_memory(sql::list(conn, base, user).await?, self.query_opts.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_template() {
        let mut settings = Settings::default();
        assert_eq!(settings.name("f42-build", TagId(7), None), "f42-build-side-7");
        assert_eq!(settings.name("f42-build", TagId(7), Some("x")), "f42-build-side-7-x");
        settings.name_template = "side/{tag_id}/{basetag}".to_owned();
        assert_eq!(settings.name("b{tag_id}", TagId(7), None), "side/7/b{tag_id}");
    }

    #[test]
    fn suffixes_are_the_deployments() {
        let settings = Settings { allowed_suffixes: vec!["boot".to_owned(), "perl".to_owned()], ..Settings::default() };
        assert_eq!(settings.check_suffix(Some("boot")).unwrap(), Some("boot"));
        assert_eq!((settings.check_suffix(None).unwrap(), settings.check_suffix(Some("")).unwrap()), (None, None));
        let refused = settings.check_suffix(Some("x")).unwrap_err().to_string();
        assert_eq!(refused, "x suffix is not allowed for sidetag; these are: boot, perl");
        assert!(Settings::default().check_suffix(Some("x")).unwrap_err().to_string().ends_with("none is"));
    }
}
