//! Attaching external repos to tags.

use sqlx::PgConnection;
use toji_protocol::{
    id::{ExternalRepoId, Ref, TagId},
    method::external_repo::{AddExternalRepoToTag, EditTagExternalRepo, RemoveExternalRepoFromTag, TagExternalRepo},
};

use super::{
    require,
    sql::{self, Attachment},
};
use crate::{
    Error, Result,
    call::{Cx, Handle},
    repo, tag,
};

/// A tag and a repo that are locked for a change, and what is attached to the tag now.
struct Place {
    tag: TagId,
    tag_name: String,
    repo: ExternalRepoId,
    repo_name: String,
    attached: Vec<TagExternalRepo>,
}

impl Place {
    async fn take(conn: &mut PgConnection, tag: &Ref<TagId>, repo: &Ref<ExternalRepoId>) -> Result<Self> {
        let (tag, tag_name) = tag::require(conn, tag).await?;
        let repo = require(conn, repo, None).await?;
        tag::lock(conn, &[tag]).await?;
        sql::lock(conn, repo.id).await?;
        require(conn, &Ref::Id(repo.id), None).await?;
        let attached = sql::attached(conn, Some(&[tag]), None, None).await?;
        Ok(Self { tag, tag_name, repo: repo.id, repo_name: repo.name, attached })
    }

    fn current(&self) -> Option<&TagExternalRepo> {
        self.attached.iter().find(|attached| attached.external_repo_id == self.repo)
    }

    fn not_attached(&self) -> Error {
        let Self { tag_name, repo_name, .. } = self;
        Error::missing(format!("external repo {repo_name} not associated with tag {tag_name}"))
    }

    /// # Errors
    /// When the tag's other repos leave no room for this.
    fn check(&self, how: &Attachment) -> Result<()> {
        const MODES: [&str; 3] = ["koji", "simple", "bare"];
        if !MODES.contains(&how.merge_mode.as_str()) {
            let message = format!("No such merge mode: '{}'; there are {}", how.merge_mode, MODES.join(", "));
            return Err(Error::invalid(message));
        }
        for other in self.attached.iter().filter(|other| other.external_repo_id != self.repo) {
            if other.priority == how.priority {
                let Self { tag_name, .. } = self;
                return Err(Error::invalid(format!(
                    "tag {tag_name} already associated with an external repo at priority {}: {}",
                    how.priority, other.external_repo_name
                )));
            }
            if other.merge_mode != how.merge_mode {
                return Err(Error::invalid(format!(
                    "merge modes cannot be mixed: {} is attached to tag {} with mode {}",
                    other.external_repo_name, self.tag_name, other.merge_mode
                )));
            }
        }
        Ok(())
    }
}

/// A list of architectures, or None where it is empty: all of the tag's.
fn only(arches: Option<&str>) -> Result<Option<String>> {
    Ok(arches.map(tag::arches).transpose()?.filter(|arches| !arches.is_empty()))
}

impl Handle for AddExternalRepoToTag {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        let arches = only(self.arches.as_deref())?;
        let how = Attachment { priority: self.priority, merge_mode: self.merge_mode, arches };
        let place = Place::take(cx.db().await?, &self.tag_info, &self.repo_info).await?;
        if place.current().is_some() {
            let Place { tag_name, repo_name, .. } = place;
            return Err(Error::invalid(format!("tag {tag_name} already associated with external repo {repo_name}")));
        }
        place.check(&how)?;
        let event = cx.event().await?;
        sql::attach(cx.db().await?, place.tag, place.repo, &how, event, by).await?;
        repo::tag_changed(cx, place.tag).await
    }
}

impl Handle for RemoveExternalRepoFromTag {
    async fn handle(self, cx: &mut Cx) -> Result<()> {
        let by = cx.caller.user()?.id;
        let place = Place::take(cx.db().await?, &self.tag_info, &self.repo_info).await?;
        if place.current().is_none() {
            return Err(place.not_attached());
        }
        let event = cx.event().await?;
        sql::detach(cx.db().await?, Some(place.tag), place.repo, event, by).await?;
        repo::tag_changed(cx, place.tag).await
    }
}

impl Handle for EditTagExternalRepo {
    async fn handle(self, cx: &mut Cx) -> Result<bool> {
        let by = cx.caller.user()?.id;
        let arches = only(self.arches.as_deref())?;
        let place = Place::take(cx.db().await?, &self.tag_info, &self.repo_info).await?;
        let Some(current) = place.current() else { return Err(place.not_attached()) };
        let TagExternalRepo { priority, merge_mode, arches: old_arches, .. } = current.clone();
        let old = Attachment { priority, merge_mode, arches: old_arches };
        let new = Attachment {
            priority: self.priority.unwrap_or(old.priority),
            merge_mode: self.merge_mode.unwrap_or_else(|| old.merge_mode.clone()),
            arches: if self.arches.is_some() { arches } else { old.arches.clone() },
        };
        if new == old {
            return Ok(false);
        }
        place.check(&new)?;
        let event = cx.event().await?;
        let conn = cx.db().await?;
        sql::detach(conn, Some(place.tag), place.repo, event, by).await?;
        sql::attach(conn, place.tag, place.repo, &new, event, by).await?;
        repo::tag_changed(cx, place.tag).await?;
        Ok(true)
    }
}
