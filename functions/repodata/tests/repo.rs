//! Repositories made by us, read by dnf, beside createrepo_c's of the same packages.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod common;

use std::{collections::BTreeSet, fs, io::Read, path::Path, process::Command};

use common::{Package, dnf, dnf_in, repoquery};
use sha2::{Digest, Sha256};
use toji_repodata::{
    comps::{self, Group, GroupPackage, GroupRequirement, PackageType},
    repo::{
        Compression, DataKind, PackageWriter, RepoError, RepoFile, RepoFileWriter, RepoPackage, Settings,
        compress_frame, repomd,
    },
};

const ODD: &str = include_str!("data/odd.spec");

fn settings(compression: Compression) -> Settings {
    Settings { compression, open_checksum: true }
}

/// Puts data files and repomd.xml into `dir/repodata`.
fn save(dir: &Path, files: Vec<(RepoFile, Vec<u8>)>) {
    let repodata = dir.join("repodata");
    fs::create_dir_all(&repodata).unwrap();
    for (file, bytes) in &files {
        assert_eq!(file.size, bytes.len() as u64);
        assert_eq!(file.checksum, hex::encode(Sha256::digest(bytes)));
        fs::write(repodata.join(file.file_name()), bytes).unwrap();
    }
    let listed: Vec<_> = files.iter().map(|(file, _)| (file, None)).collect();
    fs::write(repodata.join("repomd.xml"), repomd("1", 1_700_000_000, &listed)).unwrap();
}

fn write_packages(packages: &[Package], settings: Settings) -> Vec<(RepoFile, Vec<u8>)> {
    let outs = [Vec::new(), Vec::new(), Vec::new()];
    let mut writer = PackageWriter::new(packages.len() as u64, settings, outs).unwrap();
    for package in packages {
        writer
            .package(RepoPackage {
                primary: &package.fragments.primary,
                filelists: &package.fragments.filelists,
                other: &package.fragments.other,
                location: package.location(),
                file_time: package.mtime,
            })
            .unwrap();
    }
    writer.finish().unwrap().into()
}

fn plain(bytes: &[u8], compression: Compression) -> String {
    let mut text = String::new();
    match compression {
        Compression::Gzip => flate2::read::MultiGzDecoder::new(bytes).read_to_string(&mut text).unwrap(),
        Compression::Zstd => zstd::stream::read::Decoder::new(bytes).unwrap().read_to_string(&mut text).unwrap(),
    };
    text
}

fn built() -> (tempfile::TempDir, Vec<Package>) {
    let dir = tempfile::tempdir().unwrap();
    common::rpmbuild(ODD, dir.path());
    common::rpmbuild(&common::plain_spec("tool", ("", "1", "1"), "Requires: lib >= 2\nBuildArch: noarch"), dir.path());
    common::rpmbuild(&common::plain_spec("lib", ("1", "2", "1"), ""), dir.path());
    let packages = common::rpms(dir.path()).iter().map(|path| Package::open(path)).collect();
    (dir, packages)
}

/// A directory with the packages of `dir` and no metadata.
fn copy(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for path in common::rpms(dir) {
        let to = copy.path().join(path.file_name().unwrap());
        fs::copy(&path, &to).unwrap();
    }
    copy
}

#[test]
fn dnf_reads_the_same_from_ours_as_from_createrepos() {
    let (theirs, packages) = built();
    common::createrepo(theirs.path());
    let expected = repoquery(theirs.path());
    for compression in [Compression::Gzip, Compression::Zstd] {
        for open_checksum in [true, false] {
            let ours = copy(theirs.path());
            save(ours.path(), write_packages(&packages, Settings { compression, open_checksum }));
            assert_eq!(repoquery(ours.path()), expected, "{compression:?}");
            let by_file = dnf(ours.path(), &["repoquery", "--file", "/usr/share/odd/x", "--qf", "%{name}"]);
            assert_eq!(by_file.trim(), "odd", "filelists are read: {compression:?}");
        }
    }
}

#[test]
fn every_file_is_createrepos_but_for_the_order() {
    let (dir, packages) = built();
    common::createrepo(dir.path());
    for compression in [Compression::Gzip, Compression::Zstd] {
        for (file, bytes) in write_packages(&packages, settings(compression)) {
            let text = plain(&bytes, compression);
            assert_eq!(file.open_size, text.len() as u64);
            assert_eq!(file.open_checksum, Some(hex::encode(Sha256::digest(&text))));
            let theirs = common::metadata(dir.path(), file.kind.name());
            let pre_flags =
                |text: &str| if common::createrepo_is_old() { text.replace(" pre=\"1\"", "") } else { text.to_owned() };
            let head_and_tail = |text: &str| {
                let (head, rest) = text.split_at(text.find("<package ").unwrap());
                (head.to_owned(), rest[rest.rfind('<').unwrap()..].to_owned())
            };
            assert_eq!(head_and_tail(&text), head_and_tail(&theirs));
            assert_eq!(common::packages(&pre_flags(&text)), common::packages(&pre_flags(&theirs)));
        }
    }
}

#[test]
fn data_files_may_live_beside_the_repository() {
    let (dir, packages) = built();
    let ours = tempfile::tempdir().unwrap();
    let (data, arch) = (ours.path().join("data"), ours.path().join("1/x86_64/repodata"));
    fs::create_dir_all(&data).unwrap();
    fs::create_dir_all(&arch).unwrap();
    let files = write_packages(&packages, settings(Compression::Gzip));
    for (file, bytes) in &files {
        fs::write(data.join(file.file_name()), bytes).unwrap();
    }
    let base = format!("file://{}", data.display());
    let listed: Vec<_> = files.iter().map(|(file, _)| (file, Some(base.as_str()))).collect();
    fs::write(arch.join("repomd.xml"), repomd("1", 1, &listed)).unwrap();
    let names = dnf(&ours.path().join("1/x86_64"), &["repoquery", "--file", "/usr/share/odd/x", "--qf", "%{name}"]);
    assert_eq!(names.trim(), "odd");
    drop(dir);
}

#[test]
fn an_empty_repository_is_one() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let dir = tempfile::tempdir().unwrap();
        let mut files = write_packages(&[], settings(compression));
        let group = RepoFileWriter::new(DataKind::Group, 0, settings(compression), Vec::new()).unwrap();
        let (group, bytes) = {
            let mut group = group;
            group.push(comps::render(&[]).as_bytes(), 0).unwrap();
            group.finish().unwrap()
        };
        files.push((group, bytes));
        let origin = RepoFileWriter::new(DataKind::Origin, 0, settings(compression), Vec::new()).unwrap();
        let (origin, bytes) = origin.finish().unwrap();
        assert_eq!(plain(&bytes, compression), "");
        files.push((origin, bytes));
        save(dir.path(), files);
        assert_eq!(repoquery(dir.path()), BTreeSet::from([String::new()]));
    }
}

#[test]
fn stored_frames_give_the_same_text_as_pushed_packages() {
    let (_dir, packages) = built();
    for compression in [Compression::Gzip, Compression::Zstd] {
        let mut writer =
            RepoFileWriter::new(DataKind::Filelists, packages.len() as u64, settings(compression), Vec::new()).unwrap();
        for (number, package) in packages.iter().enumerate() {
            let fragment = package.fragments.filelists.as_bytes();
            // Mixed, as a repository of stored frames and merged external packages is.
            if number % 2 == 0 {
                writer.frames(compress_frame(fragment, 1, compression).unwrap().borrow()).unwrap();
            } else {
                writer.push(fragment, 1).unwrap();
            }
        }
        let (file, bytes) = writer.finish().unwrap();
        let (pushed, pushed_bytes) = write_packages(&packages, settings(compression)).remove(1);
        assert_eq!(plain(&bytes, compression), plain(&pushed_bytes, compression));
        assert_eq!(file.open_checksum, pushed.open_checksum);
        assert_eq!(file.open_size, pushed.open_size);
        assert_ne!(file.checksum, pushed.checksum, "the frames are cut differently");
    }
}

#[test]
fn a_file_of_many_frames_is_read_whole() {
    let (dir, mut packages) = built();
    // Enough description for several frames.
    for package in &mut packages {
        let long = format!("<description>{}", "x".repeat(700_000));
        let text = package.fragments.primary.as_str().replacen("<description>", &long, 1);
        package.fragments.primary = text.try_into().unwrap();
    }
    for compression in [Compression::Gzip, Compression::Zstd] {
        let ours = copy(dir.path());
        let files = write_packages(&packages, settings(compression));
        save(ours.path(), files);
        let names = dnf(ours.path(), &["repoquery", "--qf", "%{name}"]);
        assert_eq!(names.lines().collect::<Vec<_>>(), ["lib", "odd", "sub-noarch", "tool"]);
    }
}

#[test]
fn wrong_counts_and_damaged_frames_are_refused() {
    let mut writer = RepoFileWriter::new(DataKind::Other, 2, settings(Compression::Zstd), Vec::new()).unwrap();
    writer.push(b"<package/>\n", 1).unwrap();
    let error = writer.finish().unwrap_err();
    assert!(matches!(error, RepoError::PackageCount { kind: "other", expected: 2, actual: 1 }), "{error}");

    let mut writer = RepoFileWriter::new(DataKind::Other, 1, settings(Compression::Gzip), Vec::new()).unwrap();
    let mut frame = compress_frame(b"abc", 1, Compression::Gzip).unwrap();
    frame.open_size = 4;
    assert!(matches!(writer.frames(frame.borrow()), Err(RepoError::FrameSize { expected: 4, actual: 3 })));
    frame.bytes.truncate(12);
    assert!(matches!(writer.frames(frame.borrow()), Err(RepoError::Io(_))));
}

fn group_package(name: &str, kind: PackageType) -> GroupPackage {
    GroupPackage { name: name.into(), kind, requires: None, basearchonly: false }
}

fn groups() -> Vec<Group> {
    let group = |id: &str, packages| Group {
        id: id.into(),
        name: format!("{id} & <co>"),
        description: "what a build needs".into(),
        default: false,
        uservisible: true,
        biarchonly: false,
        langonly: None,
        packages,
        requirements: Vec::new(),
    };
    let mut build = group(
        "build",
        vec![
            group_package("tool", PackageType::Mandatory),
            group_package("sub-noarch", PackageType::Default),
            group_package("odd", PackageType::Optional),
            GroupPackage {
                requires: Some("tool".into()),
                basearchonly: true,
                ..group_package("lib", PackageType::Conditional)
            },
        ],
    );
    build.requirements.push(GroupRequirement { id: "srpm-build".into(), kind: PackageType::Mandatory });
    let mut srpm_build = group("srpm-build", vec![group_package("lib", PackageType::Mandatory)]);
    srpm_build.langonly = Some("de".into());
    srpm_build.biarchonly = true;
    vec![build, srpm_build]
}

#[test]
fn dnf_installs_a_group() {
    let (dir, packages) = built();
    for compression in [Compression::Gzip, Compression::Zstd] {
        let ours = copy(dir.path());
        let mut files = write_packages(&packages, settings(compression));
        let mut group = RepoFileWriter::new(DataKind::Group, 0, settings(compression), Vec::new()).unwrap();
        group.push(comps::render(&groups()).as_bytes(), 0).unwrap();
        files.push(group.finish().unwrap());
        save(ours.path(), files);
        let info = dnf(ours.path(), &["group", "info", "build"]);
        let section = |title: &str| -> Vec<String> {
            let lines = info.lines().skip_while(|line| !line.contains(title)).skip(1);
            lines.take_while(|line| !line.ends_with(':')).map(|line| line.trim().to_owned()).collect()
        };
        assert!(info.contains("<co>") && info.contains("what a build needs"), "{compression:?}: {info}");
        assert_eq!(section("Mandatory Packages"), ["tool"], "{compression:?}: {info}");
        assert_eq!(section("Default Packages"), ["sub-noarch"]);
        assert_eq!(section("Optional Packages"), ["odd"]);
        assert_eq!(section("Conditional Packages"), ["lib"]);
        assert_eq!(installed(ours.path(), "@build"), ["lib", "sub-noarch", "tool"]);
    }
}

/// Installs into an empty root and lists what is there then.
fn installed(repo: &Path, what: &str) -> Vec<String> {
    let work = tempfile::tempdir().unwrap();
    dnf_in(work.path(), repo, &["install", what]);
    let root = work.path().join("root");
    let output = common::run(Command::new("rpm").env("HOME", work.path()).arg("--root").arg(root).args([
        "-qa",
        "--qf",
        "%{NAME}\n",
    ]));
    let mut names: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    names.sort();
    names
}
