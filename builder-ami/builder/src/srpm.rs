//! Source RPMs and specs: what they say, and what is refused.

use std::{
    io,
    path::{Path, PathBuf},
};

use rpm::{IndexTag, PackageMetadata};

use crate::failure::{Doing, TaskError};

/// Tags of a spec that are the build system's to set.
const RESERVED: [&str; 3] = ["packager", "distribution", "vendor"];

/// What a source RPM's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SrpmFacts {
    /// What its file must be called.
    pub file_name: String,
    /// What building it requires, without what only rpm itself must be able to do.
    pub requires: Vec<String>,
    /// Those of `Packager`, `Vendor` and `Distribution` that are missing.
    pub missing: Vec<&'static str>,
}

/// Reads a source RPM's header.
///
/// # Errors
/// When the file is no RPM, or no source RPM.
pub(crate) async fn facts(srpm: &Path) -> Result<SrpmFacts, TaskError> {
    let path = srpm.to_owned();
    let read = tokio::task::spawn_blocking(move || PackageMetadata::open(path));
    let name = srpm.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let header = read
        .await
        .map_err(io::Error::other)
        .doing(|| format!("reading {name}"))?
        .map_err(|error| TaskError::Build(format!("{name} is no RPM that can be read: {}", unreadable(&error))))?;
    facts_of(&header, &name)
}

/// In words that people understand; of a file that is too short, the library speaks of its buffer.
fn unreadable(error: &rpm::Error) -> String {
    match error {
        rpm::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => "it breaks off too early".to_owned(),
        error => error.to_string(),
    }
}

fn facts_of(header: &PackageMetadata, name: &str) -> Result<SrpmFacts, TaskError> {
    if !header.is_source_package() {
        return Err(TaskError::Build(format!("{name} is no source RPM")));
    }
    let broken = |error: rpm::Error| TaskError::Build(format!("the header of {name} is broken: {error}"));
    let file_name = format!(
        "{}-{}-{}.src.rpm",
        header.get_name().map_err(broken)?,
        header.get_version().map_err(broken)?,
        header.get_release().map_err(broken)?
    );
    let requires = header
        .get_requires()
        .map_err(broken)?
        .iter()
        .filter(|dependency| !dependency.name.starts_with("rpmlib("))
        .map(ToString::to_string)
        .collect();
    let has = |tag| header.header.get_entry_data_as_string(tag).is_ok_and(|text| !text.is_empty());
    let tags = [
        ("Packager", IndexTag::RPMTAG_PACKAGER),
        ("Vendor", IndexTag::RPMTAG_VENDOR),
        ("Distribution", IndexTag::RPMTAG_DISTRIBUTION),
    ];
    let missing = tags.into_iter().filter(|(_, tag)| !has(*tag)).map(|(name, _)| name).collect();
    Ok(SrpmFacts { file_name, requires, missing })
}

/// Checks that a source RPM is called what its header says. Answers its facts.
///
/// # Errors
/// When it is not, or cannot be read.
pub(crate) async fn well_named(srpm: &Path) -> Result<SrpmFacts, TaskError> {
    let facts = facts(srpm).await?;
    let name = srpm.file_name().unwrap_or_default().to_string_lossy();
    if name != facts.file_name {
        return Err(TaskError::Build(format!("srpm name mismatch: {name} != {}", facts.file_name)));
    }
    Ok(facts)
}

/// The spec of a checkout: the only one at the top, or in `SPECS/`, or the one that is called like the checkout.
///
/// # Errors
/// When there is none, or several.
pub(crate) fn find_spec(checkout: &Path, name: &str) -> Result<PathBuf, TaskError> {
    let mut specs = specs_in(checkout).doing(|| "looking for the spec".to_owned())?;
    if specs.is_empty() {
        specs = specs_in(&checkout.join("SPECS")).unwrap_or_default();
    }
    match specs.as_slice() {
        [spec] => Ok(spec.clone()),
        [] => Err(TaskError::Build("no spec file found".to_owned())),
        many => {
            let wanted = format!("{name}.spec");
            let named = many.iter().find(|spec| spec.file_name().is_some_and(|file| file == wanted.as_str()));
            let names = many.iter().filter_map(|spec| spec.file_name()).map(|name| name.to_string_lossy());
            let names: Vec<_> = names.collect();
            named.cloned().ok_or_else(|| {
                TaskError::Build(format!("multiple spec files found, and none is {wanted}: {}", names.join(", ")))
            })
        }
    }
}

fn specs_in(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut specs = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        // Not through links: they could lead out of the checkout.
        if entry.file_type()?.is_file() && entry.file_name().to_string_lossy().ends_with(".spec") {
            specs.push(entry.path());
        }
    }
    specs.sort();
    Ok(specs)
}

/// Checks that a spec leaves to the build system what is its.
///
/// # Errors
/// When it sets or defines one of the reserved tags.
pub(crate) fn check_spec(text: &str) -> Result<(), TaskError> {
    for line in text.lines() {
        let line = line.trim().to_lowercase();
        for tag in RESERVED {
            let sets = line.strip_prefix(tag).is_some_and(|rest| rest.trim_start().starts_with(':'));
            let mut words = line.split_whitespace();
            let defines = matches!(words.next(), Some("%define" | "%global")) && words.next() == Some(tag);
            if sets || defines {
                return Err(TaskError::Build(format!("spec file sets {tag}, which only the build system may: {line}")));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs() {
        check_spec("Name: x\n# vendor stuff\n%global vendored 1\nVendorship: no\n").unwrap();
        for line in ["Vendor: Me", "  packager : Me", "%define distribution x", "%global\tVendor y"] {
            let error = check_spec(&format!("Name: x\n{line}\n")).unwrap_err().to_string();
            assert!(error.contains("only the build system"), "{error}");
        }
    }

    #[test]
    fn the_spec_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let touch = |name: &str| std::fs::write(dir.path().join(name), "").unwrap();
        assert!(find_spec(dir.path(), "foo").unwrap_err().to_string().contains("no spec"));
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link.spec")).unwrap();
        std::fs::create_dir(dir.path().join("SPECS")).unwrap();
        touch("SPECS/inner.spec");
        assert_eq!(find_spec(dir.path(), "foo").unwrap(), dir.path().join("SPECS/inner.spec"));
        touch("a.spec");
        assert_eq!(find_spec(dir.path(), "foo").unwrap(), dir.path().join("a.spec"));
        touch("b.spec");
        assert!(find_spec(dir.path(), "foo").unwrap_err().to_string().contains("a.spec, b.spec"));
        touch("foo.spec");
        assert_eq!(find_spec(dir.path(), "foo").unwrap(), dir.path().join("foo.spec"));
    }

    #[tokio::test]
    async fn not_an_rpm() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.src.rpm");
        std::fs::write(&path, "no rpm").unwrap();
        let error = facts(&path).await.unwrap_err().to_string();
        assert!(error.contains("x.src.rpm is no RPM"), "{error}");
    }
}
