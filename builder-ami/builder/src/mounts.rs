//! Overlay mounts, and taking away what is mounted below a folder.

use std::{
    ffi::CString,
    io,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{IFlags, Mode, OFlags},
    mount::{MountFlags, UnmountFlags},
};

/// Mounts `upper` over `lower` at `at`; `work` is the kernel's. Paths hold no colons or commas (the settings see to it).
pub(crate) fn overlay(lower: &Path, upper: &Path, work: &Path, at: &Path) -> io::Result<()> {
    let plain = format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
    // The second is what a user namespace's root must ask for.
    let mut result = Ok(());
    for options in [plain.clone(), format!("{plain},userxattr")] {
        let options = CString::new(options)?;
        result = rustix::mount::mount("overlay", at, "overlay", MountFlags::empty(), options.as_c_str());
        if result.is_ok() {
            break;
        }
    }
    Ok(result?)
}

/// Takes away all that is mounted at or below a folder. What is busy goes when its last user does.
pub(crate) fn unmount_below(dir: &Path) {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    // Later mounts lie above earlier ones.
    for point in points_below(&table, dir).iter().rev() {
        if let Err(error) = rustix::mount::unmount(point, UnmountFlags::DETACH) {
            tracing::warn!(%error, path = %point.display(), "cannot unmount");
        }
    }
}

/// Whether something is mounted just there.
pub(crate) fn is_mounted(at: &Path) -> bool {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    points_below(&table, at).iter().any(|point| point == at)
}

fn points_below(mountinfo: &str, dir: &Path) -> Vec<PathBuf> {
    mountinfo
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(|point| PathBuf::from(unescaped(point)))
        .filter(|point| point.starts_with(dir))
        .collect()
}

/// The kernel writes blanks and the like as `\040`.
fn unescaped(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = rest.get(1..4).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if *first == b'\\' => {
                out.push(byte);
                rest = &rest[4..];
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Deletes a folder with all that is mounted and stored in it. Leaves a note in the log when it cannot.
pub(crate) async fn delete(dir: PathBuf) {
    let shown = dir.display().to_string();
    let deleted = tokio::task::spawn_blocking(move || {
        unmount_below(&dir);
        let gone = match std::fs::remove_dir_all(&dir) {
            // Files may be marked as never to be changed, which stops even root.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                make_mutable(&dir);
                std::fs::remove_dir_all(&dir)
            }
            gone => gone,
        };
        gone.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
    });
    match deleted.await.map_err(io::Error::other) {
        Ok(Ok(())) => {}
        Ok(Err(error)) | Err(error) => tracing::warn!(%error, path = shown, "cannot delete"),
    }
}

/// Takes the marks away that `chattr +i` and `+a` make. What cannot be marked is passed over; links are not followed.
fn make_mutable(path: &Path) {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(meta) = std::fs::symlink_metadata(path) else { return };
    if meta.is_dir() || meta.is_file() {
        let marks = rustix::fs::open(path, flags, Mode::empty())
            .and_then(|file| rustix::fs::ioctl_getflags(&file).map(|marks| (file, marks)));
        let fixed = IFlags::IMMUTABLE | IFlags::APPEND;
        if let Some((file, marks)) = marks.ok().filter(|(_, marks)| marks.intersects(fixed))
            && let Err(error) = rustix::fs::ioctl_setflags(file, marks.difference(fixed))
        {
            tracing::warn!(%error, path = %path.display(), "cannot take the mark away that keeps it from being deleted");
        }
    }
    if meta.is_dir() {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            make_mutable(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_marked_is_deleted_too() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        std::fs::create_dir_all(tree.join("a")).unwrap();
        std::fs::write(tree.join("a/b"), "").unwrap();
        std::os::unix::fs::symlink("/nowhere", tree.join("a/link")).unwrap();
        for (mark, path) in [("+a", "a/b"), ("+i", "a")] {
            let marked = std::process::Command::new("chattr").arg(mark).arg(tree.join(path)).status();
            if !marked.is_ok_and(|status| status.success()) {
                eprintln!("skipped: files cannot be marked here");
                return;
            }
        }
        assert!(std::fs::remove_dir_all(&tree).is_err());
        delete(tree.clone()).await;
        assert!(!tree.exists());
    }

    #[test]
    fn mount_points() {
        let table = "1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:5 / /w/tasks/a\\040b/root rw - overlay o rw\n\
                     3 1 0:6 / /w/tasksx rw - tmpfs t rw\n";
        assert_eq!(points_below(table, Path::new("/w/tasks")), [Path::new("/w/tasks/a b/root")]);
    }
}
