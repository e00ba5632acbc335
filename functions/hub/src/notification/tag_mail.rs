//! The letter about a build that was tagged, untagged or moved, or could not be.

use std::collections::BTreeSet;

use toji_protocol::{
    id::{BuildId, Ref, TagId, UserId},
    state::BuildState,
};

use super::{Mail, known, recipients};
use crate::{Result, call::Cx, tag, user};

/// What was done, or tried.
pub(super) struct Change<'a> {
    pub(super) into: Option<TagId>,
    pub(super) from: Option<TagId>,
    pub(super) by: Option<UserId>,
    /// Why it could not be done.
    pub(super) failure: Option<&'a str>,
    /// When, in seconds.
    pub(super) at: f64,
}

pub(super) async fn compose(cx: &mut Cx, build: BuildId, change: &Change<'_>) -> Result<Option<Mail>> {
    let Some(build) = known(cx, build).await? else { return Ok(None) };
    let state = if change.failure.is_none() { BuildState::Complete } else { BuildState::Failed };
    let mut to = BTreeSet::new();
    for tag in [change.into, change.from].into_iter().flatten() {
        to.extend(recipients::of(cx, &build, Some(tag), state).await?);
    }
    if to.is_empty() {
        return Ok(None);
    }
    let (into, from) = (name(cx, change.into).await?, name(cx, change.from).await?);
    let by = match change.by {
        Some(user) => user::name(cx.db().await?, user).await?,
        None => "the hub".to_owned(),
    };
    let (status, result) = match change.failure {
        None => ("complete", "successfully"),
        Some(_) => ("failed", "unsuccessfully"),
    };
    let (action, operation) = match (&from, &into) {
        (Some(from), Some(into)) => ("moved", format!("moved from {from} into {into}")),
        (Some(from), None) => ("untagged", format!("untagged from {from}")),
        (None, Some(into)) => ("tagged", format!("tagged into {into}")),
        // both tags are gone meanwhile
        (None, None) => return Ok(None),
    };
    let subject = format!("{} {result} {operation} by {by}", build.nvr);
    let mut text = format!("Package: {}\nNVR: {}\nUser: {by}\nStatus: {status}\n", build.package_name, build.nvr);
    text += &format!("Tag Operation: {action}\n");
    let mut headers = vec![
        ("X-Koji-Package", build.package_name.clone()),
        ("X-Koji-NVR", build.nvr.clone()),
        ("X-Koji-Draft", if build.draft { "True" } else { "False" }.to_owned()),
        ("X-Koji-User", by),
        ("X-Koji-Status", status.to_owned()),
    ];
    headers.push(("X-Koji-Tag", [&from, &into].into_iter().flatten().cloned().collect::<Vec<_>>().join(", ")));
    for (word, name) in [("From Tag", from), ("Into Tag", into)] {
        if let Some(name) = name {
            text += &format!("{word}: {name}\n");
        }
    }
    text += &format!("\n{subject}\n");
    if let Some(failure) = change.failure {
        text += &format!("\nIt failed with the error:\n    {}\n", failure.replace('\n', "\n    "));
    }
    text += &format!("\nBuild Info: {}/buildinfo?buildID={}\n", cx.hub.config.web_url(), build.id);
    let tag = |tag: Option<TagId>| tag.map_or_else(String::new, |tag| tag.to_string());
    let id = format!("{action}-{}-{}-{}-{}", build.id, tag(change.from), tag(change.into), change.at);
    Ok(Some(Mail { to: to.into_iter().collect(), subject, headers, text, id }))
}

async fn name(cx: &mut Cx, tag: Option<TagId>) -> Result<Option<String>> {
    let Some(tag) = tag else { return Ok(None) };
    Ok(tag::find(cx.db().await?, &Ref::Id(tag)).await?.map(|(_, name)| name))
}
