//! What is told of each kind of change: Koji's data, under Koji's names. Nothing is fetched that nobody wants.
//!
//! Each is called in the transaction of the change, before or after the change itself: what a hook refuses is undone as a whole. What a
//! hook is asked must be the same when the call is run again, so it lacks the ids that the change itself hands out.

mod build;
mod builder;
mod import;
mod package;
mod repo;
mod rpm;
mod tag;
mod task;

pub(crate) use build::{changed as build_changed, promoted};
pub(crate) use builder::builder;
pub(crate) use import::{Files, Imported, imported, rpms as imported_rpms};
pub(crate) use package::{Entry, ListChange, package_list};
pub(crate) use repo::{Init, done as repo_done, init as repo_init};
pub(crate) use rpm::signed as rpm_signed;
use serde_json::Value;
pub(crate) use tag::{tagged, untagged};
pub(crate) use task::{
    Change as TaskChange, changed as task_changed, ended as task_ended, freed as task_freed, made as task_made,
};
use toji_protocol::{
    id::{Ref, TagId},
    method::{tag::Tag, user::User},
};

use super::{Callback, Happening, When, around};
use crate::{Result, call::Cx, user};

/// Whether anybody wants to be asked or told.
fn is_wanted(cx: &Cx, callback: Callback) -> bool {
    is_asked(cx, callback) || cx.hub.config.callbacks.concerns(callback, When::Post)
}

/// Whether anybody is to be asked. What the hub does by itself, nobody is asked about.
fn is_asked(cx: &Cx, callback: Callback) -> bool {
    cx.hub.answers().is_kept() && cx.hub.config.callbacks.concerns(callback, When::Pre)
}

/// A call's changes are about to be committed. Koji tells nothing with it.
///
/// # Errors
/// When a hook refuses.
pub(super) async fn commit(cx: &mut Cx) -> Result<()> {
    if !is_wanted(cx, Callback::Commit) {
        return Ok(());
    }
    around(cx, Happening::new(Callback::Commit, "commit", None)).await
}

/// A release or a name without the mark of a draft, which has the build's id.
fn undrafted(text: &str) -> &str {
    text.split(",draft_").next().unwrap_or(text)
}

/// Takes the mark of a draft out of what is asked: its build may not be there yet.
fn undraft(happening: &mut Happening, member: &str) {
    let cut = |value: Option<&mut Value>| {
        if let Some(Value::String(text)) = value {
            *text = undrafted(text).to_owned();
        }
    };
    cut(happening.props.get_mut("release"));
    if let Some(info) = happening.body.get_mut(member) {
        cut(info.get_mut("release"));
        cut(info.get_mut("nvr"));
    }
}

/// Who does it; None = the hub.
async fn caller(cx: &mut Cx) -> Result<Option<User>> {
    let Some(id) = cx.caller.user_id() else { return Ok(None) };
    let user = user::require(cx.db().await?, &Ref::Id(id)).await?;
    Ok(Some(User { krb_principals: None, ..user }))
}

async fn tag_info(cx: &mut Cx, tag: TagId) -> Result<Tag> {
    crate::tag::get(cx.db().await?, tag).await
}
