//! Who receives a letter.

use std::collections::BTreeSet;

use toji_protocol::{
    id::{Ref, TagId, UserId},
    method::build::Build,
    state::BuildState,
};

use super::sql;
use crate::{Result, call::Cx, package, tag};

/// The addresses of those who are to know that something has happened to a build in a tag: who wished to be told, and, unless the
/// deployment keeps it from them when all went well, who submitted it and who owns its package there. Nobody who blocked it.
pub(super) async fn of(
    cx: &mut Cx,
    build: &Build,
    in_tag: Option<TagId>,
    state: BuildState,
) -> Result<BTreeSet<String>> {
    let is_success = state == BuildState::Complete;
    let tells_makers = !is_success || cx.hub.config.mail.on_success;
    let conn = cx.db().await?;
    let mut told = sql::subscribers(conn, build.package_id, in_tag, is_success).await?;
    if tells_makers {
        let makers = makers(cx, build, in_tag).await?;
        let named = sql::people(cx.db().await?, &makers).await?;
        told.extend(named.into_iter().map(|(user, name)| (user, cx.hub.config.mail.address(&name))));
    }
    let users: Vec<UserId> = told.iter().map(|(user, _)| *user).collect();
    let unwilling = sql::unwilling(cx.db().await?, &users, build.package_id, in_tag).await?;
    Ok(told.into_iter().filter(|(user, _)| !unwilling.contains(user)).map(|(_, address)| address).collect())
}

/// Who submitted a build, and who owns its package in a tag.
async fn makers(cx: &mut Cx, build: &Build, in_tag: Option<TagId>) -> Result<Vec<UserId>> {
    let mut makers = vec![build.owner_id];
    let Some(in_tag) = in_tag else { return Ok(makers) };
    let quirks = cx.hub.config.quirks;
    let conn = cx.db().await?;
    // the tag may have been deleted since
    if tag::find(conn, &Ref::Id(in_tag)).await?.is_some() {
        let entry = package::config(conn, quirks, in_tag, build.package_id, None).await?;
        makers.extend(entry.filter(|entry| !entry.blocked).and_then(|entry| entry.owner_id));
    }
    Ok(makers)
}
