//! A draft becomes the build of its name, once and for all.
//!
//! Its files are copied to the folder of the new name while nobody may begin a build there; then one commit changes the name;
//! then the old folder goes. A crash before the commit leaves copies, one after it the old folder: the sweep pass tells by the row.

use toji_protocol::{
    id::BuildId,
    method::build::{Build, PromoteBuild},
    nvr::{Nvr, target_release},
    object_key,
    state::BuildState,
    value::Map,
};

use super::{delete::lock, files, get, nvr, promotion, require, sql};
use crate::{
    Error, Hub, Result,
    call::{Cx, Handle},
    callback::tell,
    import::{Copy, copy_all},
    policy, tag, volume,
};

impl Handle for PromoteBuild {
    async fn handle(self, cx: &mut Cx) -> Result<Build> {
        let hub = cx.hub.clone();
        let mut tx = cx.transaction().await?;
        let draft = require(tx.db().await?, &self.build).await?;
        let draft = get(tx.db().await?, draft).await?;
        sql::lock_package(tx.db().await?, draft.package_id).await?;
        let draft = lock(&mut tx, draft.id).await?;
        let target = check(&mut tx, &draft, self.force).await?;
        let now = tx.now;
        let lease = files::lease(tx.db().await?, draft.id, Some(&target.release), now).await?;
        tx.commit().await?;

        let old = nvr(&draft);
        if let Err(error) = copy_folder(cx, &draft, &old, &target).await {
            lease.empty(&hub, &target).await;
            return Err(error);
        }
        match rename(cx, &draft, &target).await {
            Ok(()) => lease.empty(&hub, &old).await,
            Err(error) if error.is_rule() => {
                lease.empty(&hub, &target).await;
                return Err(error);
            }
            // whether it was committed is not known: the sweep pass sees
            Err(error) => return Err(error),
        }
        let build = get(cx.db().await?, draft.id).await?;
        if let Some(volume) = volume::of_build(cx, &build, false).await?
            && let Err(error) = volume::change_to(cx, build.id, &volume).await
        {
            // promoted it is; the volume can be set later
            tracing::warn!(nvr = build.nvr, %error, "cannot apply the volume policy");
        }
        get(cx.db().await?, draft.id).await
    }
}

/// Whether a draft may be promoted. Answers the name that it is to have.
async fn check(cx: &mut Cx, draft: &Build, force: bool) -> Result<Nvr> {
    let refuse = |why: String| Error::invalid(format!("Cannot promote build {}. Reason: {why}", draft.nvr));
    if !draft.draft {
        return Err(refuse("Not a draft build".to_owned()));
    }
    if draft.state != BuildState::Complete {
        return Err(refuse(format!("state ({}) is not COMPLETE.", draft.state)));
    }
    let release = target_release(&draft.release).ok_or_else(|| refuse("its release has no draft mark".to_owned()))?;
    let target = Nvr { release: release.to_owned(), ..nvr(draft) };
    if let Some(taken) = sql::by_nvr(cx.db().await?, &target).await? {
        return Err(refuse(format!("Target build exists: {target}(#{taken})")));
    }
    if sql::is_claimed(cx.db().await?, draft.package_id, &target.version, &target.release).await? {
        return Err(refuse(format!("another draft of {target} is being promoted")));
    }
    if let Some(rpm) = promotion::taken_rpm(cx.db().await?, draft.id).await? {
        return Err(refuse(format!("another build has an RPM {rpm}")));
    }
    let user = cx.caller.user()?.id;
    let mut data = Map::new();
    data.insert("build", draft.id.0);
    data.insert("target_release", target.release.clone());
    data.insert("user_id", user.0);
    policy::assert(cx, "draft_promotion", data, force).await?;
    tell::promoted(cx, draft, release, false).await?;
    Ok(target)
}

async fn copy_folder(cx: &mut Cx, draft: &Build, old: &Nvr, new: &Nvr) -> Result<()> {
    let class = volume::storage_class(cx.db().await?, draft.volume_id).await?;
    cx.release();
    let (from, to) = (format!("{}/", object_key::build_dir(old)), format!("{}/", object_key::build_dir(new)));
    let objects = cx.hub.store.list(&from).await?;
    let copy = |object: toji_store::Object| {
        let key = object.key.strip_prefix(&from).map(|below| format!("{to}{below}"))?;
        Some(Copy { task: None, name: String::new(), from: object.key, to: key, size: object.size })
    };
    let copies: Vec<Copy> = objects.into_iter().filter_map(copy).collect();
    copy_all(&cx.hub, &copies, class.as_deref()).await
}

async fn rename(cx: &mut Cx, draft: &Build, target: &Nvr) -> Result<()> {
    let user = cx.caller.user()?.id;
    let mut tx = cx.transaction().await?;
    let now = tx.now;
    if !promotion::promote(tx.db().await?, draft.id, &target.release, user, now).await? {
        return Err(Error::conflict(format!("{} was changed while it was being promoted", draft.nvr)));
    }
    let (from, to) = (object_key::build_dir(&nvr(draft)), object_key::build_dir(target));
    promotion::rename_files(tx.db().await?, draft.id, &format!("{from}/"), &format!("{to}/")).await?;
    tag::note_update(&mut tx, draft.id, tag::Update::DraftPromotion).await?;
    tell::promoted(&mut tx, draft, &target.release, true).await?;
    tx.commit().await
}

impl Hub {
    /// Where a file of a draft that was promoted lies now; None when it was not, or the key is no draft's.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn promoted_key(&self, key: &str) -> Result<Option<String>> {
        let Some((build, nvr, below)) = parse_draft(key) else { return Ok(None) };
        let is_promoted = promotion::is_promoted(&mut *self.pool.acquire().await?, build, &nvr).await?;
        Ok(is_promoted.then(|| format!("{}/{below}", object_key::build_dir(&nvr))))
    }
}

/// `packages/<name>/<version>/<release>,draft_<id>/…`: the build, the name that it has when it is promoted, and the rest.
fn parse_draft(key: &str) -> Option<(BuildId, Nvr, &str)> {
    // names may have slashes, versions and releases have none
    let mark = key.find(",draft_")?;
    let (head, tail) = key.split_at(mark);
    let (id, below) = tail.strip_prefix(",draft_")?.split_once('/')?;
    let mut segments = head.strip_prefix("packages/")?.rsplitn(3, '/');
    let (release, version, name) = (segments.next()?, segments.next()?, segments.next()?);
    let nvr = Nvr { name: name.to_owned(), version: version.to_owned(), release: release.to_owned(), epoch: None };
    Some((id.parse().ok()?, nvr, below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_drafts() {
        let (build, nvr, below) = parse_draft("packages/a/b/1.0/2.fc40,draft_17/src/a-1.0-2.fc40.src.rpm").unwrap();
        assert_eq!((build, nvr.name.as_str(), below), (BuildId(17), "a/b", "src/a-1.0-2.fc40.src.rpm"));
        assert_eq!((nvr.version.as_str(), nvr.release.as_str()), ("1.0", "2.fc40"));
        for other in ["packages/a/1/2/src/x", "packages/a/1/2,draft_x/y", "packages/2,draft_1/y", "x/a/1/2,draft_1/y"] {
            assert!(parse_draft(other).is_none(), "{other}");
        }
    }
}
