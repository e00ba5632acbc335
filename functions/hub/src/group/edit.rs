//! Changing a tag's groups. Every change goes the same way: lock the tag, see what counts now, write one entry of the tag's own.

use sqlx::PgConnection;
use toji_protocol::{
    id::{GroupId, Ref, TagId, UserId},
    method::{
        Named,
        group::{
            GroupListAdd, GroupListBlock, GroupListRemove, GroupListUnblock, GroupPackage, GroupPackageListAdd,
            GroupPackageListBlock, GroupPackageListRemove, GroupPackageListUnblock, GroupReq, GroupReqListAdd,
            GroupReqListBlock, GroupReqListRemove, GroupReqListUnblock, TagGroup,
        },
    },
    value::Value,
};

use super::{merge, sql};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    name, repo, tag,
};

/// A group in a tag that is locked for a change, and who changes it.
struct Place {
    tag: TagId,
    tag_name: String,
    group: GroupId,
    group_name: String,
    by: UserId,
}

async fn require(conn: &mut PgConnection, group: &Ref<GroupId>) -> Result<(GroupId, String)> {
    sql::find(conn, group).await?.ok_or_else(|| Error::missing(format!("No such group: {group}")))
}

impl Place {
    async fn take(cx: &mut Cx, tag: &Ref<TagId>, group: &Ref<GroupId>, create: bool) -> Result<Self> {
        let by = cx.caller.user()?.id;
        let conn = cx.db().await?;
        let (tag, tag_name) = tag::require(conn, tag).await?;
        let (group, group_name) = match (sql::find(conn, group).await?, group.name()) {
            (Some(found), _) => found,
            (None, Some(new)) if create => {
                name::check("group", new)?;
                (sql::create(conn, new).await?, new.to_owned())
            }
            (None, _) => return Err(Error::missing(format!("No such group: {group}"))),
        };
        tag::lock(conn, &[tag]).await?;
        Ok(Self { tag, tag_name, group, group_name, by })
    }

    /// The group as it counts for the tag; None when it is in no list.
    async fn effective(&self, cx: &mut Cx) -> Result<Option<TagGroup>> {
        let quirks = cx.hub.config.quirks;
        let groups = merge::read(cx.db().await?, quirks, self.tag, None, merge::ALL).await?;
        Ok(groups.into_iter().find(|group| group.group_id == self.group))
    }

    /// The same; a fault when it is in no list, or blocked.
    async fn usable(&self, cx: &mut Cx) -> Result<TagGroup> {
        match self.effective(cx).await? {
            None => Err(Error::missing(format!("group {} not present in tag {}", self.group_name, self.tag_name))),
            Some(group) if group.blocked => Err(self.blocked()),
            Some(group) => Ok(group),
        }
    }

    fn blocked(&self) -> Error {
        Error::invalid(format!("group {} is blocked in tag {}", self.group_name, self.tag_name))
    }

    fn entry_blocked(&self, what: &str) -> Error {
        Error::invalid(format!("{what} blocked in group {}, tag {}", self.group_name, self.tag_name))
    }

    fn entry_not_blocked(&self, what: &str) -> Error {
        Error::invalid(format!("{what} is NOT blocked in group {}, tag {}", self.group_name, self.tag_name))
    }
}

fn text(key: &str, value: &Value) -> Result<Option<String>> {
    match value {
        Value::Nil => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        other => Err(Error::parameter(format!("{key} must be a text or nil, not {}", other.kind()))),
    }
}

fn flag(value: &Value) -> Option<bool> {
    (!value.is_nil()).then(|| value.is_truthy())
}

fn kind(value: &Value, kinds: &[&str]) -> Result<String> {
    match value.as_str() {
        Some(kind) if kinds.contains(&kind) => Ok(kind.to_owned()),
        _ => Err(Error::parameter(format!("type must be one of {}", kinds.join(", ")))),
    }
}

fn unknown(method: &str, key: &str) -> Error {
    Error::parameter(format!("{method}() got an unexpected keyword argument '{key}'"))
}

// groups

fn apply_to_group(group: &mut TagGroup, opts: &Named) -> Result<()> {
    for (key, value) in opts.iter() {
        match key {
            "display_name" => {
                if let Some(name) = text(key, value)? {
                    group.display_name = name;
                }
            }
            "is_default" => group.is_default = flag(value),
            "uservisible" => group.uservisible = flag(value),
            "exported" => group.exported = flag(value),
            "description" => group.description = text(key, value)?,
            "langonly" => group.langonly = text(key, value)?,
            "biarchonly" => group.biarchonly = flag(value),
            other => return Err(unknown("groupListAdd", other)),
        }
    }
    Ok(())
}

async fn add_group(cx: &mut Cx, place: Place, block: bool, force: bool, opts: &Named) -> Result<()> {
    let before = place.effective(cx).await?;
    let mut group = match &before {
        Some(before) if before.blocked && !force => {
            return Err(place.blocked());
        }
        Some(before) => before.clone(),
        None => TagGroup {
            biarchonly: Some(false),
            blocked: false,
            description: None,
            display_name: place.group_name.clone(),
            exported: Some(true),
            group_id: place.group,
            is_default: None,
            langonly: None,
            name: place.group_name.clone(),
            tag_id: place.tag,
            uservisible: Some(true),
            packagelist: None,
            grouplist: None,
        },
    };
    apply_to_group(&mut group, opts)?;
    group.blocked = block;
    if before.as_ref() == Some(&group) {
        return Ok(());
    }
    group.tag_id = place.tag;
    let event = cx.event().await?;
    let conn = cx.db().await?;
    sql::revoke_group(conn, place.tag, place.group, event, place.by).await?;
    sql::insert_group(conn, &group, event, place.by).await?;
    repo::tag_changed(cx, place.tag).await
}

impl Handle for GroupListAdd {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let place = Place::take(cx, &self.taginfo, &self.grpinfo, true).await?;
        add_group(cx, place, self.block, self.force, &self.opts).await
    }
}

impl Handle for GroupListBlock {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let place = Place::take(cx, &self.taginfo, &self.grpinfo, false).await?;
        add_group(cx, place, true, false, &Named::new()).await
    }
}

async fn own_group(cx: &mut Cx, place: &Place) -> Result<Option<TagGroup>> {
    let groups = sql::groups(cx.db().await?, &[place.tag], None).await?;
    Ok(groups.into_iter().find(|group| group.group_id == place.group))
}

async fn remove_group(cx: &mut Cx, place: Place) -> Result<()> {
    let event = cx.event().await?;
    sql::revoke_group(cx.db().await?, place.tag, place.group, event, place.by).await?;
    repo::tag_changed(cx, place.tag).await
}

impl Handle for GroupListRemove {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let place = Place::take(cx, &self.taginfo, &self.grpinfo, false).await?;
        match own_group(cx, &place).await? {
            None if self.force => Ok(()),
            None => Err(Error::missing(format!("No group: {} found for tag: {}", place.group_name, place.tag_name))),
            Some(_) => remove_group(cx, place).await,
        }
    }
}

impl Handle for GroupListUnblock {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let place = Place::take(cx, &self.taginfo, &self.grpinfo, false).await?;
        match own_group(cx, &place).await? {
            Some(group) if group.blocked => remove_group(cx, place).await,
            _ => Err(Error::invalid(format!("group {} is NOT blocked in tag {}", place.group_name, place.tag_name))),
        }
    }
}

// packages of groups

fn apply_to_package(entry: &mut GroupPackage, opts: &Named) -> Result<()> {
    for (key, value) in opts.iter() {
        match key {
            "type" => entry.kind = kind(value, &["mandatory", "default", "optional", "conditional"])?,
            "basearchonly" => entry.basearchonly = flag(value),
            "requires" => entry.requires = text(key, value)?,
            other => return Err(unknown("groupPackageListAdd", other)),
        }
    }
    Ok(())
}

async fn add_package(cx: &mut Cx, place: Place, package: &str, block: bool, force: bool, opts: &Named) -> Result<()> {
    name::check("package", package)?;
    let group = place.usable(cx).await?;
    let before = group.packagelist.into_iter().flatten().find(|entry| entry.package == package);
    let mut entry = match &before {
        Some(before) if before.blocked && !force => {
            return Err(place.entry_blocked(&format!("package {package}")));
        }
        Some(before) => before.clone(),
        None => GroupPackage {
            basearchonly: None,
            blocked: false,
            group_id: place.group,
            package: package.to_owned(),
            requires: None,
            tag_id: place.tag,
            kind: "mandatory".to_owned(),
        },
    };
    apply_to_package(&mut entry, opts)?;
    entry.blocked = block;
    if before.as_ref() == Some(&entry) && !force {
        return Ok(());
    }
    entry.tag_id = place.tag;
    let event = cx.event().await?;
    let conn = cx.db().await?;
    sql::revoke_package(conn, place.tag, (place.group, package), event, place.by).await?;
    sql::insert_package(conn, &entry, event, place.by).await?;
    repo::tag_changed(cx, place.tag).await
}

impl Handle for GroupPackageListAdd {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let place = Place::take(cx, &self.taginfo, &self.grpinfo, false).await?;
        add_package(cx, place, &self.pkg_name, self.block, self.force, &self.opts).await
    }
}

impl Handle for GroupPackageListBlock {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let place = Place::take(cx, &self.taginfo, &self.grpinfo, false).await?;
        add_package(cx, place, &self.pkg_name, true, false, &Named::new()).await
    }
}

async fn own_package(cx: &mut Cx, place: &Place, package: &str) -> Result<Option<GroupPackage>> {
    let entries = sql::packages(cx.db().await?, &[place.tag], None).await?;
    Ok(entries.into_iter().find(|entry| entry.group_id == place.group && entry.package == package))
}

async fn remove_package(cx: &mut Cx, place: Place, package: &str) -> Result<()> {
    let event = cx.event().await?;
    sql::revoke_package(cx.db().await?, place.tag, (place.group, package), event, place.by).await?;
    repo::tag_changed(cx, place.tag).await
}

impl Handle for GroupPackageListRemove {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let place = Place::take(cx, &self.taginfo, &self.grpinfo, false).await?;
        // Koji says nothing when there is none
        match own_package(cx, &place, &self.pkg_name).await? {
            Some(_) => remove_package(cx, place, &self.pkg_name).await,
            None => Ok(()),
        }
    }
}

impl Handle for GroupPackageListUnblock {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let place = Place::take(cx, &self.taginfo, &self.grpinfo, false).await?;
        match own_package(cx, &place, &self.pkg_name).await? {
            Some(entry) if entry.blocked => remove_package(cx, place, &self.pkg_name).await,
            _ => Err(place.entry_not_blocked(&format!("package {}", self.pkg_name))),
        }
    }
}

// groups that groups need

fn apply_to_req(entry: &mut GroupReq, opts: &Named) -> Result<()> {
    for (key, value) in opts.iter() {
        match key {
            "type" => entry.kind = kind(value, &["mandatory", "default", "optional"])?,
            "is_metapkg" => entry.is_metapkg = value.is_truthy(),
            other => return Err(unknown("groupReqListAdd", other)),
        }
    }
    Ok(())
}

async fn add_req(cx: &mut Cx, place: Place, req: &Ref<GroupId>, block: bool, force: bool, opts: &Named) -> Result<()> {
    let (req, req_name) = require(cx.db().await?, req).await?;
    let group = place.usable(cx).await?;
    let before = group.grouplist.into_iter().flatten().find(|entry| entry.req_id == req);
    let mut entry = match &before {
        Some(before) if before.blocked && !force => {
            return Err(place.entry_blocked(&format!("requirement on group {req_name}")));
        }
        Some(before) => before.clone(),
        None => GroupReq {
            blocked: false,
            group_id: place.group,
            is_metapkg: false,
            req_id: req,
            name: req_name,
            tag_id: place.tag,
            kind: "mandatory".to_owned(),
        },
    };
    apply_to_req(&mut entry, opts)?;
    entry.blocked = block;
    if before.as_ref() == Some(&entry) {
        return Ok(());
    }
    entry.tag_id = place.tag;
    let event = cx.event().await?;
    let conn = cx.db().await?;
    sql::revoke_req(conn, place.tag, (place.group, req), event, place.by).await?;
    sql::insert_req(conn, &entry, event, place.by).await?;
    repo::tag_changed(cx, place.tag).await
}

impl Handle for GroupReqListAdd {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let place = Place::take(cx, &self.taginfo, &self.grpinfo, false).await?;
        add_req(cx, place, &self.reqinfo, self.block, self.force, &self.opts).await
    }
}

impl Handle for GroupReqListBlock {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let place = Place::take(cx, &self.taginfo, &self.grpinfo, false).await?;
        add_req(cx, place, &self.reqinfo, true, false, &Named::new()).await
    }
}

async fn own_req(cx: &mut Cx, place: &Place, req: GroupId) -> Result<Option<GroupReq>> {
    let entries = sql::reqs(cx.db().await?, &[place.tag], None).await?;
    Ok(entries.into_iter().find(|entry| entry.group_id == place.group && entry.req_id == req))
}

async fn remove_req(cx: &mut Cx, place: Place, req: GroupId) -> Result<()> {
    let event = cx.event().await?;
    sql::revoke_req(cx.db().await?, place.tag, (place.group, req), event, place.by).await?;
    repo::tag_changed(cx, place.tag).await
}

impl Handle for GroupReqListRemove {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let place = Place::take(cx, &self.taginfo, &self.grpinfo, false).await?;
        let (req, _) = require(cx.db().await?, &self.reqinfo).await?;
        // Koji says nothing when there is none
        match own_req(cx, &place, req).await? {
            Some(_) => remove_req(cx, place, req).await,
            None => Ok(()),
        }
    }
}

impl Handle for GroupReqListUnblock {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let place = Place::take(cx, &self.taginfo, &self.grpinfo, false).await?;
        let (req, req_name) = require(cx.db().await?, &self.reqinfo).await?;
        match own_req(cx, &place, req).await? {
            Some(entry) if entry.blocked => remove_req(cx, place, req).await,
            _ => Err(place.entry_not_blocked(&format!("group req {req_name}"))),
        }
    }
}
