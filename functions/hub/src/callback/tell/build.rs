//! Changes of builds: their state, their volume, and drafts that become the build of their name.

use serde_json::{Value, json};
use toji_protocol::{id::BuildId, method::build::Build, state::BuildState};

use super::{caller, is_asked, is_wanted, undraft};
use crate::{
    Result, build,
    call::Cx,
    callback::{Callback, Happening, after, before, message::of_build, sql},
};

/// What the change itself hands out, or sets anew each time that it is run.
const FRESH: [&str; 3] = ["creation_event_id", "creation_time", "creation_ts"];
/// The same of a build that is new.
const FRESH_OF_NEW: [&str; 3] = ["id", "build_id", "package_id"];

/// Builds have changed. To be called after the change, and before their history has it: that knows what they were.
///
/// # Errors
/// When a hook refuses.
pub(crate) async fn changed(cx: &mut Cx, builds: &[BuildId]) -> Result<()> {
    if !is_wanted(cx, Callback::BuildStateChange) {
        return Ok(());
    }
    for id in builds {
        let before = sql::build_before(cx.db().await?, *id).await?;
        let info = build::get(cx.db().await?, *id).await?;
        let (old_state, old_volume) = before.unzip();
        if old_state != Some(info.state) {
            let old = old_state.map(|state| i64::from(state.number()));
            let address = format!("build.{}", info.state.name().to_lowercase());
            let names = (old_state.map(BuildState::name).into(), info.state.name().into());
            let values = (json!(old), i64::from(info.state.number()).into());
            tell(cx, &info, &address, "state", values, names).await?;
        }
        if let Some(old) = old_volume.filter(|old| *old != info.volume_id) {
            let values: (Value, Value) = (json!(old), json!(info.volume_id));
            tell(cx, &info, "build.change.volume_id", "volume_id", values.clone(), values).await?;
        }
    }
    Ok(())
}

async fn tell(
    cx: &mut Cx,
    info: &Build,
    address: &str,
    attribute: &str,
    (old, new): (Value, Value),
    names: (Value, Value),
) -> Result<()> {
    let happening = |key| {
        Happening::new(Callback::BuildStateChange, address, key)
            .prop("name", info.name.as_str())
            .prop("version", info.version.as_str())
            .prop("release", info.release.as_str())
            .prop("attribute", attribute)
            .prop("old", names.0.clone())
            .prop("new", names.1.clone())
            .with("attribute", attribute)?
            .with("old", &old)?
            .with("new", &new)?
            .with("info", info)
    };
    if is_asked(cx, Callback::BuildStateChange) {
        let is_new = old.is_null();
        let mut asked = happening(if is_new { None } else { of_build(info.id) })?;
        if let Some(info) = asked.body.get_mut("info").and_then(Value::as_object_mut) {
            for fresh in FRESH.into_iter().chain(FRESH_OF_NEW.into_iter().filter(|_| is_new)) {
                info.shift_remove(fresh);
            }
        }
        if is_new {
            undraft(&mut asked, "info");
        } else if old == i64::from(BuildState::Building.number()) {
            // a content generator's import begins it anew each time that it is run; a draft's release has its id
            let members: &[&str] = if info.draft { &["id", "build_id", "nvr", "release"] } else { &["id", "build_id"] };
            asked = asked.fresh("info", members);
        }
        before(cx, &asked).await?;
    }
    after(cx, happening(of_build(info.id))?);
    Ok(())
}

/// A draft becomes the build of its name. To be asked before its files are copied (`is_done` false), and told when it has.
///
/// # Errors
/// When a hook refuses.
pub(crate) async fn promoted(cx: &mut Cx, draft: &Build, target_release: &str, is_done: bool) -> Result<()> {
    if !is_wanted(cx, Callback::BuildPromote) {
        return Ok(());
    }
    let user = caller(cx).await?;
    let build = if is_done { build::get(cx.db().await?, draft.id).await? } else { draft.clone() };
    let happening = Happening::new(Callback::BuildPromote, "build.promote", of_build(draft.id))
        .prop("name", build.name.as_str())
        .prop("version", build.version.as_str())
        .prop("release", build.release.as_str())
        .prop("user", user.as_ref().map(|user| user.name.clone()))
        .with("draft_release", &draft.release)?
        .with("target_release", target_release)?
        .with("build", build)?
        .with("user", user)?;
    if is_done {
        after(cx, happening);
        return Ok(());
    }
    before(cx, &happening).await
}
