//! What failed tasks leave in their chroots, kept for a while for those who want to look (`saveFailedTree`).
//!
//! A task that fails leaves a note in its folder. When the task is over, a folder with a note is not deleted but moved to
//! `work/kept/<buildroot>`; it goes when its time is over, when there are too many, or when space runs short. A builder that starts
//! finds what its predecessor has kept.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use toji_protocol::id::BuildrootId;

use crate::{
    config::FailedSettings,
    failure::{Doing, TaskError},
    mounts,
};

/// The note's file name.
const NOTE: &str = "kept.json";
/// What overlayfs wants beside the root, as `bwrap` makes them.
const UPPER: &str = "upper";
const OVERLAY: &str = "overlay";

/// Where a chroot is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remains {
    /// Its root, below the task's folder.
    pub root: PathBuf,
    /// The filled root that it is laid over; None = it is whole by itself.
    pub lower: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
struct Note {
    buildroot: BuildrootId,
    /// Seconds since the epoch.
    until: u64,
    #[serde(flatten)]
    remains: Remains,
}

/// A chroot that is kept. It is in use as long as somebody else holds it.
#[derive(Debug)]
pub(crate) struct KeptTree {
    dir: PathBuf,
    until: SystemTime,
    remains: Remains,
    /// Held by who looks into it.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

impl KeptTree {
    /// The root, put together again where it was taken apart.
    ///
    /// # Errors
    /// When it cannot be: what it was laid over is gone.
    pub(crate) fn open(&self) -> Result<PathBuf, TaskError> {
        let root = self.dir.join(&self.remains.root);
        if let Some(lower) = self.remains.lower.as_ref().filter(|_| !mounts::is_mounted(&root)) {
            mounts::overlay(lower, &self.dir.join(UPPER), &self.dir.join(OVERLAY), &root)
                .doing(|| "putting the chroot together again".to_owned())?;
        }
        Ok(root)
    }

    /// Takes it apart again.
    pub(crate) fn close(&self) {
        mounts::unmount_below(&self.dir);
    }
}

/// All that is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    dir: PathBuf,
    settings: FailedSettings,
    trees: Mutex<HashMap<BuildrootId, Arc<KeptTree>>>,
}

impl Kept {
    /// What there is below this folder, where new ones are kept, too.
    pub(crate) fn new(work_dir: &Path, settings: FailedSettings) -> Self {
        let dir = work_dir.join("kept");
        let found = fs::read_dir(&dir).into_iter().flatten().flatten().filter_map(|entry| read(&entry.path()));
        let trees = Mutex::new(found.map(|(id, tree)| (id, Arc::new(tree))).collect());
        Self { dir, settings, trees }
    }

    /// Leaves a note that a task's folder is to be kept.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn note(&self, task_dir: &Path, buildroot: BuildrootId, remains: Remains) -> io::Result<()> {
        if self.settings.keep == 0 || self.settings.most == 0 {
            return Ok(());
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let note = Note { buildroot, until: now.saturating_add(self.settings.keep), remains };
        fs::write(task_dir.join(NOTE), serde_json::to_vec(&note)?)
    }

    /// Takes over the folder of a task that is over, with nothing running in it any more, if a note says so. Answers whether it did.
    pub(crate) async fn adopt(&self, task_dir: &Path) -> bool {
        let Some((id, tree)) = read(task_dir) else { return false };
        mounts::unmount_below(task_dir);
        let home = self.dir.join(id.to_string());
        mounts::delete(home.clone()).await;
        let moved = fs::create_dir_all(&self.dir).and_then(|()| fs::rename(task_dir, &home));
        if let Err(error) = moved {
            tracing::warn!(%error, buildroot = %id, "what a failed task left is not kept");
            return false;
        }
        self.trees().insert(id, Arc::new(KeptTree { dir: home, ..tree }));
        while self.trees().len() > self.settings.most && self.drop_oldest().await {}
        true
    }

    /// A chroot that is kept.
    pub(crate) fn find(&self, buildroot: BuildrootId) -> Option<Arc<KeptTree>> {
        self.trees().get(&buildroot).cloned()
    }

    /// Whether a filled root lies below one that is kept.
    pub(crate) fn needs(&self, root: &Path) -> bool {
        self.trees().values().any(|tree| tree.remains.lower.as_deref() == Some(root))
    }

    /// What is not to be handed out.
    pub(crate) fn hidden(&self) -> &[String] {
        &self.settings.hide
    }

    /// Deletes what was kept long enough.
    pub(crate) async fn drop_old(&self, now: SystemTime) {
        while self.drop_first(|tree| tree.until <= now).await {}
    }

    /// Deletes the one that goes first. Answers whether there was one.
    pub(crate) async fn drop_oldest(&self) -> bool {
        self.drop_first(|_| true).await
    }

    async fn drop_first(&self, goes: impl Fn(&KeptTree) -> bool) -> bool {
        let gone = {
            let mut trees = self.trees();
            let unused = trees.iter().filter(|(_, tree)| Arc::strong_count(tree) == 1 && goes(tree));
            let first = unused.min_by_key(|(_, tree)| tree.until).map(|(id, _)| *id);
            first.and_then(|id| trees.remove(&id))
        };
        let Some(gone) = gone else { return false };
        mounts::delete(gone.dir.clone()).await;
        true
    }

    fn trees(&self) -> std::sync::MutexGuard<'_, HashMap<BuildrootId, Arc<KeptTree>>> {
        self.trees.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(dir: &Path) -> Option<(BuildrootId, KeptTree)> {
    let note: Note = serde_json::from_slice(&fs::read(dir.join(NOTE)).ok()?).ok()?;
    let until = UNIX_EPOCH + Duration::from_secs(note.until);
    let tree = KeptTree { dir: dir.to_owned(), until, remains: note.remains, turn: tokio::sync::Mutex::default() };
    Some((note.buildroot, tree))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(keep: u64, most: usize) -> FailedSettings {
        FailedSettings { keep, most, hide: Vec::new() }
    }

    async fn fail(kept: &Kept, work: &Path, id: i64, lower: Option<&Path>) -> bool {
        let dir = work.join(format!("tasks/{id}-1"));
        fs::create_dir_all(dir.join("root")).unwrap();
        let remains = Remains { root: "root".into(), lower: lower.map(Path::to_owned) };
        kept.note(&dir, id.into(), remains).unwrap();
        kept.adopt(&dir).await
    }

    #[tokio::test]
    async fn kept_for_a_while_and_over_a_restart() {
        let work = tempfile::tempdir().unwrap();
        let kept = Kept::new(work.path(), settings(100, 2));
        let lower = work.path().join("roots/a/root");
        assert!(fail(&kept, work.path(), 1, Some(&lower)).await);
        assert!(!work.path().join("tasks/1-1").exists());
        assert!(kept.find(1.into()).is_some() && kept.needs(&lower) && !kept.needs(work.path()));
        fs::create_dir_all(work.path().join("tasks/9-1")).unwrap();
        assert!(!kept.adopt(&work.path().join("tasks/9-1")).await, "no note: it is deleted");

        let again = Kept::new(work.path(), settings(100, 2));
        let held = again.find(1.into()).unwrap();
        assert_eq!(held.open().ok(), None, "what it lay over is gone");
        again.drop_old(SystemTime::now()).await;
        assert!(work.path().join("kept/1").exists());
        again.drop_old(SystemTime::now() + Duration::from_secs(200)).await;
        assert!(work.path().join("kept/1").exists(), "somebody looks at it");
        drop(held);
        again.drop_old(SystemTime::now() + Duration::from_secs(200)).await;
        assert!(!work.path().join("kept/1").exists() && again.find(1.into()).is_none());
    }

    #[tokio::test]
    async fn only_so_many() {
        let work = tempfile::tempdir().unwrap();
        let kept = Kept::new(work.path(), settings(100, 2));
        for id in 1..=3 {
            assert!(fail(&kept, work.path(), id, None).await);
        }
        assert_eq!(fs::read_dir(work.path().join("kept")).unwrap().count(), 2);
        assert!(kept.drop_oldest().await && kept.drop_oldest().await && !kept.drop_oldest().await);
        let none = Kept::new(work.path(), settings(0, 2));
        assert!(!fail(&none, work.path(), 5, None).await);
    }
}
