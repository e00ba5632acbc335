//! Filled roots, kept for the next task with the same repo, architecture and group.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use sha2::{Digest, Sha256};
use toji_protocol::method::worker::InstalledRpm;

use super::{Plan, TOPDIR, UID, contents, dnf::Dnf};
use crate::buildroot::{Group, Kept};
use crate::{
    failure::{Doing, TaskError},
    logs::Stages,
    mounts,
};

/// A filled root. It is in use as long as somebody holds it.
#[derive(Debug)]
pub(super) struct Pristine {
    dir: PathBuf,
    pub(super) contents: Vec<InstalledRpm>,
}

impl Pristine {
    pub(super) fn root(&self) -> PathBuf {
        self.dir.join("root")
    }
}

/// Why a root could not be filled.
pub(super) enum FillError {
    /// dnf's status.
    Dnf(i32),
    /// Anything else.
    Task(TaskError),
}

impl From<TaskError> for FillError {
    fn from(error: TaskError) -> Self {
        FillError::Task(error)
    }
}

type Slot = Arc<tokio::sync::Mutex<Option<Arc<Pristine>>>>;

/// The filled roots of a builder.
#[derive(Debug)]
pub(crate) struct RootCache {
    work_dir: PathBuf,
    kept: usize,
    /// Those of failed tasks lie over some.
    failed: Arc<Kept>,
    slots: Mutex<HashMap<String, (Slot, SystemTime)>>,
}

impl RootCache {
    /// Keeps so many unused roots below this folder.
    pub(crate) fn new(work_dir: &Path, kept: usize, failed: Arc<Kept>) -> Self {
        // Roots of an earlier life are as good as new.
        let left = fs::read_dir(work_dir.join("roots")).into_iter().flatten().flatten().filter_map(|entry| {
            let used = entry.metadata().ok()?.modified().ok()?;
            Some((entry.file_name().into_string().ok()?, (Slot::default(), used)))
        });
        Self { work_dir: work_dir.to_owned(), kept, failed, slots: Mutex::new(left.collect()) }
    }

    /// Where dnf keeps what it has loaded for a plan.
    pub(super) fn dnf_dir(&self, plan: &Plan) -> PathBuf {
        self.work_dir.join("dnf").join(repo_key(plan))
    }

    /// The root for a plan, filled if there is none yet; `dir` is the task's folder. Two tasks that want the same one at the
    /// same time fill it once.
    pub(super) async fn get(
        &self,
        plan: &Plan,
        dir: &Path,
        dnf: Dnf<'_>,
        stages: &Stages,
    ) -> Result<Arc<Pristine>, FillError> {
        let key = format!("{}{}", repo_key(plan), group_suffix(plan.group));
        let slot = self.slot(&key);
        let mut slot = slot.lock().await;
        if let Some(pristine) = &*slot {
            stages.line("the root is there already");
            return Ok(Arc::clone(pristine));
        }
        let home = self.home(&key);
        let pristine = match adopt(&home) {
            Some(pristine) => pristine,
            None => stages.time("fill-root", self.fill(plan, dir, &home, dnf)).await?,
        };
        let pristine = Arc::new(pristine);
        *slot = Some(Arc::clone(&pristine));
        drop(slot);
        self.drop_old().await;
        Ok(pristine)
    }

    fn home(&self, key: &str) -> PathBuf {
        self.work_dir.join("roots").join(key)
    }

    fn slot(&self, key: &str) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let (slot, used) = slots.entry(key.to_owned()).or_insert_with(|| (Slot::default(), SystemTime::now()));
        *used = SystemTime::now();
        Arc::clone(slot)
    }

    /// Fills a root in the task's own folder, and moves it home when it is complete: a crash leaves no half of one.
    async fn fill(&self, plan: &Plan, dir: &Path, home: &Path, dnf: Dnf<'_>) -> Result<Pristine, FillError> {
        let new = dir.join("new");
        let making = || "making the root".to_owned();
        fs::create_dir_all(new.join("root")).doing(making)?;
        dnf.link_cache(&new, self.dnf_dir(plan)).doing(making)?;
        let root = new.join("root");
        let status = dnf.install(&root, &[format!("@{}", plan.group.name())]).await?;
        if status != 0 {
            return Err(FillError::Dnf(status));
        }
        furnish(&root).doing(making)?;
        let contents = contents::installed(&root, dnf.scope, &dnf.log).await?;
        let listing = serde_json::to_vec(&contents).map_err(io::Error::other).doing(making)?;
        fs::write(new.join("contents.json"), listing).doing(making)?;
        fs::create_dir_all(self.work_dir.join("roots")).doing(making)?;
        mounts::delete(home.to_owned()).await;
        fs::rename(&new, home).doing(making)?;
        Ok(Pristine { dir: home.to_owned(), contents })
    }

    /// Deletes the roots that were not used for longest, but none that is in use. It goes on when the task that began it is stopped.
    async fn drop_old(&self) {
        let old = self.take_old();
        let deleting = tokio::spawn(async move {
            for old in old {
                mounts::delete(old).await;
            }
        });
        // What cannot be deleted was said where it was tried.
        let _ = deleting.await;
    }

    /// Moves old roots, and what dnf has loaded for their repos, out of the way. Under the lock, so that nobody begins to use
    /// one that is about to be deleted.
    fn take_old(&self) -> Vec<PathBuf> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let is_unused = |slot: &Slot| {
            let root_is_unused = |root: Option<&Arc<Pristine>>| root.is_none_or(|root| Arc::strong_count(root) == 1);
            Arc::strong_count(slot) == 1 && slot.try_lock().is_ok_and(|root| root_is_unused(root.as_ref()))
        };
        let mut unused: Vec<(SystemTime, String)> = slots
            .iter()
            .filter(|(key, (slot, _))| is_unused(slot) && !self.failed.needs(&self.home(key).join("root")))
            .map(|(key, (_, used))| (*used, key.clone()))
            .collect();
        unused.sort();
        let many = unused.len().saturating_sub(self.kept);
        let mut old = Vec::new();
        for (_, key) in unused.into_iter().take(many) {
            slots.remove(&key);
            old.extend(self.move_away(&self.home(&key)));
            let repo =
                [Group::SrpmBuild, Group::Build].iter().find_map(|group| key.strip_suffix(&group_suffix(*group)));
            if let Some(repo) = repo.filter(|repo| !slots.keys().any(|other| other.starts_with(repo))) {
                old.extend(self.move_away(&self.work_dir.join("dnf").join(repo)));
            }
        }
        old
    }

    fn move_away(&self, dir: &Path) -> Option<PathBuf> {
        let trash = self.work_dir.join("trash").join(hex::encode(rand::random::<[u8; 8]>()));
        fs::create_dir_all(trash.parent()?).ok()?;
        fs::rename(dir, &trash).ok()?;
        Some(trash)
    }
}

fn group_suffix(group: Group) -> String {
    format!("-{}", group.name())
}

/// A complete root that an earlier life of this builder has filled.
fn adopt(home: &Path) -> Option<Pristine> {
    let contents = serde_json::from_slice(&fs::read(home.join("contents.json")).ok()?).ok()?;
    Some(Pristine { dir: home.to_owned(), contents })
}

/// What all tasks of this root have in common: the user that builds, and its folders.
fn furnish(root: &Path) -> io::Result<()> {
    for (file, name, line) in [
        ("etc/passwd", "builder", format!("builder:x:{UID}:{UID}::/builddir:/bin/sh\n")),
        ("etc/group", "builder", format!("builder:x:{UID}:\n")),
    ] {
        let path = root.join(file);
        fs::create_dir_all(root.join("etc"))?;
        let mut text = fs::read_to_string(&path).unwrap_or_default();
        if !text.lines().any(|line| line.split(':').next() == Some(name)) {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            fs::write(&path, text + &line)?;
        }
    }
    let top = root.join(TOPDIR.trim_start_matches('/'));
    for dir in ["SPECS", "SOURCES", "SRPMS", "RPMS", "BUILD", "BUILDROOT"] {
        fs::create_dir_all(top.join(dir))?;
        chown(top.join(dir), Some(UID), Some(UID))?;
    }
    for dir in ["builddir/originals", "builddir/checkout", "proc", "dev", "tmp", "sys"] {
        fs::create_dir_all(root.join(dir))?;
    }
    chown(root.join("builddir"), Some(UID), Some(UID))?;
    chown(top, Some(UID), Some(UID))
}

/// Names a repo, in this life of the hub, for one architecture.
fn repo_key(plan: &Plan) -> String {
    let digest = Sha256::digest(format!("{}\n{}", plan.baseurl, plan.repo_made));
    format!("{}-{}-{}", plan.repo_id, plan.arch, hex::encode(&digest[..6]))
}

#[cfg(test)]
mod tests {
    use std::{fs::FileTimes, time::Duration};

    use super::*;

    #[test]
    fn the_oldest_roots_go_but_none_in_use() {
        let work = tempfile::tempdir().unwrap();
        for (age, key) in
            ["9-x86_64-aa-build", "9-x86_64-aa-srpm-build", "8-x86_64-bb-build", "7-x86_64-cc-build"].iter().enumerate()
        {
            let dir = work.path().join("roots").join(key);
            fs::create_dir_all(&dir).unwrap();
            fs::create_dir_all(work.path().join("dnf").join(key.split("-build").next().unwrap())).unwrap();
            let time = SystemTime::now() - Duration::from_secs(100 * (age as u64 + 1));
            fs::File::open(&dir).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
        }
        let failed = Arc::new(Kept::new(work.path(), Default::default()));
        let cache = RootCache::new(work.path(), 2, failed);
        let left = |dir: &str| {
            let entries = fs::read_dir(work.path().join(dir)).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let in_use = cache.slots.lock().unwrap()["7-x86_64-cc-build"].0.clone();
        assert_eq!(cache.take_old().len(), 2, "the oldest that nobody uses, and what dnf loaded for it");
        assert_eq!(left("roots"), ["7-x86_64-cc-build", "9-x86_64-aa-build", "9-x86_64-aa-srpm-build"]);
        assert!(!left("dnf").contains(&"8-x86_64-bb".to_owned()));
        drop(in_use);
        assert_eq!(cache.take_old().len(), 2);
        assert_eq!(left("roots"), ["9-x86_64-aa-build", "9-x86_64-aa-srpm-build"]);
        assert!(cache.take_old().is_empty());
    }

    #[tokio::test]
    async fn they_go_although_who_began_it_is_stopped() {
        let work = tempfile::tempdir().unwrap();
        for n in 0..5 {
            fs::create_dir_all(work.path().join(format!("roots/{n}-x86_64-aa-build/root"))).unwrap();
        }
        let cache = RootCache::new(work.path(), 0, Arc::new(Kept::new(work.path(), Default::default())));
        assert!(futures::FutureExt::now_or_never(cache.drop_old()).is_none(), "it is stopped at once");
        let trash = work.path().join("trash");
        assert!(fs::read_dir(&trash).unwrap().next().is_some());
        while fs::read_dir(&trash).unwrap().next().is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
