//! Signatures of RPMs.

use toji_protocol::{
    id::RpmId,
    method::{
        build::Build,
        rpm::{Rpm, RpmRef},
    },
};

use super::{import::still, is_asked, is_wanted, undraft};
use crate::{
    Result, build,
    call::Cx,
    callback::{Callback, Happening, after, around, before, message::of_build},
    rpm,
};

/// An RPM gets a signature; an empty key is none.
///
/// # Errors
/// When a hook refuses.
pub(crate) async fn signed(cx: &mut Cx, rpm: RpmId, sigkey: &str, sighash: &str) -> Result<()> {
    if !is_wanted(cx, Callback::RpmSign) {
        return Ok(());
    }
    let Some(rpm) = rpm::find(cx.db().await?, &RpmRef::Id(rpm)).await?.into_iter().next() else { return Ok(()) };
    let build = match rpm.build_id {
        Some(build) => Some(build::get(cx.db().await?, build).await?),
        None => None,
    };
    around(cx, happening(&rpm, build.as_ref(), sigkey, sighash)?).await
}

/// An RPM has been imported with a signature.
///
/// # Errors
/// When a hook refuses.
pub(super) async fn imported(cx: &mut Cx, rpm: &Rpm, build: &Build, sigkey: &str, sighash: &str) -> Result<()> {
    if !is_wanted(cx, Callback::RpmSign) {
        return Ok(());
    }
    let happening = happening(rpm, Some(build), sigkey, sighash)?;
    if is_asked(cx, Callback::RpmSign) {
        let mut asked = happening.clone();
        asked.key = None;
        for member in ["rpm", "build"] {
            asked.body.get_mut(member).into_iter().for_each(still);
        }
        undraft(&mut asked, "build");
        before(cx, &asked).await?;
    }
    after(cx, happening);
    Ok(())
}

fn happening(rpm: &Rpm, build: Option<&Build>, sigkey: &str, sighash: &str) -> Result<Happening> {
    // without a key it is not what protonmsg sends
    let address = if sigkey.is_empty() { "sign.rpm.header" } else { "sign.rpm" };
    Happening::new(Callback::RpmSign, address, build.and_then(|build| of_build(build.id)))
        .prop("sigkey", sigkey)
        .prop("rpm_name", rpm.name.as_str())
        .prop("rpm_version", rpm.version.as_str())
        .prop("rpm_release", rpm.release.as_str())
        .prop("rpm_arch", rpm.arch.as_str())
        .with("sigkey", sigkey)?
        .with("sighash", sighash)?
        .with("build", build)?
        .with("rpm", rpm)
}
