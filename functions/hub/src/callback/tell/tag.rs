//! Tagging and untagging.

use toji_protocol::id::{BuildId, TagId};

use super::{caller, is_wanted, tag_info};
use crate::{
    Result, build,
    call::Cx,
    callback::{Callback, Happening, around, message::of_build},
};

/// A build is tagged.
///
/// # Errors
/// When a hook refuses.
pub(crate) async fn tagged(cx: &mut Cx, tag: TagId, build: BuildId, force: bool) -> Result<()> {
    if !is_wanted(cx, Callback::Tag) {
        return Ok(());
    }
    let happening = happening(cx, Callback::Tag, "build.tag", tag, build).await?.with("force", force)?;
    around(cx, happening).await
}

/// A build is untagged.
///
/// # Errors
/// When a hook refuses.
pub(crate) async fn untagged(cx: &mut Cx, tag: TagId, build: BuildId, strict: bool, force: bool) -> Result<()> {
    if !is_wanted(cx, Callback::Untag) {
        return Ok(());
    }
    let happening = happening(cx, Callback::Untag, "build.untag", tag, build).await?;
    around(cx, happening.with("strict", strict)?.with("force", force)?).await
}

async fn happening(cx: &mut Cx, what: Callback, address: &str, tag: TagId, build: BuildId) -> Result<Happening> {
    let tag = tag_info(cx, tag).await?;
    let build = build::get(cx.db().await?, build).await?;
    let user = caller(cx).await?;
    Happening::new(what, address, of_build(build.id))
        .prop("tag", tag.name.as_str())
        .prop("name", build.name.as_str())
        .prop("version", build.version.as_str())
        .prop("release", build.release.as_str())
        .prop("user", user.as_ref().map(|user| user.name.clone()))
        .with("tag", tag)?
        .with("build", build)?
        .with("user", user)
}
