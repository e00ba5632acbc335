//! Looks at what a build has left to be uploaded, before anybody reads it.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::failure::{Doing, TaskError};

/// The largest of packages have a few thousand subpackages.
const MOST_FILES: usize = 20_000;
/// Of a file that was written, most has its place on the disk, even where the disk compresses.
const MOST_HOLLOW: u64 = 64;
const SMALL: u64 = 1024 * 1024;

/// Refuses files that cannot be what rpmbuild has made.
///
/// # Errors
/// When there is one.
pub(super) fn check(files: &[PathBuf]) -> Result<(), TaskError> {
    if files.len() > MOST_FILES {
        let problem = format!("the build made {} RPMs, more than the {MOST_FILES} that are taken", files.len());
        return Err(TaskError::Build(problem));
    }
    files.iter().try_for_each(|file| check_one(file))
}

fn check_one(file: &Path) -> Result<(), TaskError> {
    let name = file.file_name().unwrap_or_default();
    if name.to_str().is_none_or(|name| name.contains(char::is_control)) {
        let problem = "the build made an RPM whose name is no plain text";
        return Err(TaskError::Build(format!("{problem}: {}", name.as_encoded_bytes().escape_ascii())));
    }
    let meta = fs::symlink_metadata(file).doing(|| "looking at what was built".to_owned())?;
    if !meta.is_file() {
        let error = io::Error::other(format!("{} is no file", file.display()));
        return Err(TaskError::Machine { what: "looking at what was built".to_owned(), error });
    }
    // In units of 512 bytes, whatever the file system's are.
    let stored = meta.blocks().saturating_mul(512);
    if meta.len() > SMALL && stored < meta.len() / MOST_HOLLOW {
        return Err(TaskError::Build(format!(
            "the build made no RPM of {}: the file has {} bytes, of which only {stored} were ever written",
            name.to_string_lossy(),
            meta.len()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    use super::*;

    #[test]
    fn what_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &[u8]| {
            let path = dir.path().join(OsStr::from_bytes(name));
            fs::write(&path, "x").unwrap();
            path
        };
        let good = file("a-1-1.x86_64.rpm".as_bytes());
        check(&[good.clone(), file("sake-酒-1-1.noarch.rpm".as_bytes())]).unwrap();
        for (name, told) in
            [(&b"a\nb.rpm"[..], "a\\nb.rpm"), (b"a\xff.rpm", "a\\xff.rpm"), (b"\x1b[2J.rpm", "\\x1b[2J.rpm")]
        {
            let error = check(&[good.clone(), file(name)]).unwrap_err().to_string();
            assert!(error.ends_with(told), "{error}");
        }
        let hollow = file(b"hollow.rpm");
        fs::File::options().write(true).open(&hollow).unwrap().set_len(1 << 40).unwrap();
        let error = check(&[hollow]).unwrap_err().to_string();
        assert!(error.contains("no RPM of hollow.rpm") && error.contains("1099511627776 bytes"), "{error}");
        assert!(check(&vec![good; MOST_FILES + 1]).unwrap_err().to_string().contains("20001 RPMs"));
    }
}
