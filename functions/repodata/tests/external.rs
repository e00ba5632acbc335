//! External repositories: reading real ones, refusing damaged ones, and merging as mergerepo_c does.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod common;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
    process::Command,
};

use common::Package;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use toji_repodata::{
    external::{ExternalError, ExternalPackage, FragmentReader, PrimaryReader, Record, Repomd},
    merge::{Identity, MergeMode, select},
    repo::{Compression, DataKind, Origins, PackageWriter, RepoFileWriter, RepoPackage, Settings, repomd},
};

const ODD: &str = include_str!("data/odd.spec");

/// A repository read whole.
struct Repository {
    url: String,
    packages: Vec<ExternalPackage>,
    filelists: HashMap<String, String>,
    other: HashMap<String, String>,
}

fn open(dir: &Path, record: &Record) -> impl std::io::BufRead + use<> {
    record.reader(File::open(dir.join(&record.href)).unwrap()).unwrap()
}

fn read_repository(dir: &Path) -> Repository {
    let repomd = Repomd::parse(&fs::read(dir.join("repodata/repomd.xml")).unwrap()).unwrap();
    let record = |kind| repomd.record(kind).unwrap();
    Repository {
        url: format!("file://{}", dir.display()),
        packages: PrimaryReader::new(open(dir, record("primary"))).collect::<Result<_, _>>().unwrap(),
        filelists: FragmentReader::filelists(open(dir, record("filelists"))).collect::<Result<_, _>>().unwrap(),
        other: FragmentReader::other(open(dir, record("other"))).collect::<Result<_, _>>().unwrap(),
    }
}

fn odd_repository() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    common::rpmbuild(ODD, dir.path());
    common::createrepo(dir.path());
    dir
}

#[test]
fn a_repository_of_createrepo_is_read_back_byte_for_byte() {
    let dir = odd_repository();
    let repository = read_repository(dir.path());
    let primary = common::packages(&common::metadata(dir.path(), "primary"));
    assert_eq!(repository.packages.len(), 3);
    for package in &repository.packages {
        let mut rendered = Vec::new();
        let location = toji_repodata::fragment::Location { base: None, href: &package.href };
        package.primary.render(0, location, &mut rendered);
        assert_eq!(String::from_utf8(rendered).unwrap(), primary[&package.pkgid]);
    }
    assert_eq!(
        repository.filelists,
        common::packages(&common::metadata(dir.path(), "filelists")).into_iter().collect()
    );
    assert_eq!(repository.other, common::packages(&common::metadata(dir.path(), "other")).into_iter().collect());
    let package = repository.packages.iter().find(|package| package.identity.arch == "x86_64").unwrap();
    let identity = &package.identity;
    assert_eq!((identity.name.as_str(), identity.epoch, identity.version.as_str()), ("odd", 3, "1.0~rc1"));
    assert_eq!(identity.sourcerpm.as_deref(), Some("odd-1.0~rc1-2^git.nosrc.rpm"));
    assert_eq!(identity.source_name(), "odd");
}

#[test]
fn locations_become_absolute() {
    let dir = odd_repository();
    let mut package = read_repository(dir.path()).packages.remove(0);
    package.href = "a/b.rpm".into();
    let mut rendered = |base: Option<&str>, href: &str| {
        package.base = base.map(str::to_owned);
        package.href = href.into();
        let mut out = Vec::new();
        package.primary.render(0, package.location("https://host/repo").borrow(), &mut out);
        let text = String::from_utf8(out).unwrap();
        let line = text.lines().find(|line| line.contains("<location")).unwrap();
        line.trim().to_owned()
    };
    assert_eq!(rendered(None, "a/b.rpm"), r#"<location xml:base="https://host/repo/" href="a/b.rpm"/>"#);
    assert_eq!(rendered(Some("http://x/y"), "b.rpm"), r#"<location xml:base="http://x/y/" href="b.rpm"/>"#);
    assert_eq!(rendered(Some("media/1"), "b.rpm"), r#"<location xml:base="https://host/repo/media/1/" href="b.rpm"/>"#);
    assert_eq!(rendered(Some("http://x/"), "ftp://z/b.rpm"), r#"<location href="ftp://z/b.rpm"/>"#);
}

#[test]
fn a_package_is_found_however_its_xml_is_laid_out() {
    let xml = "<?xml version='1.0'?><!-- c --><metadata packages='1' xmlns='x'>\n\n<package type='rpm'><name>a&amp;b</name>\
        <arch>noarch</arch><version rel='1' ver='&#x32;'/><checksum>abc</checksum>\
        <location href='p&amp;q.rpm' xml:base='http://h'></location><format><rpm:sourcerpm/></format></package></metadata>";
    let packages: Vec<_> = PrimaryReader::new(xml.as_bytes()).collect::<Result<_, _>>().unwrap();
    assert_eq!(packages.len(), 1);
    let package = &packages[0];
    assert_eq!((package.identity.name.as_str(), package.identity.version.as_str()), ("a&b", "2"));
    assert_eq!((package.identity.epoch, package.identity.sourcerpm.as_deref()), (0, None));
    assert_eq!((package.href.as_str(), package.base.as_deref()), ("p&q.rpm", Some("http://h")));
    assert!(package.primary.as_str().contains("</checksum><location\u{2}/><format>"));
}

/// Compresses with an ordinary tool.
fn compressed(tool: &str, bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new(tool)
        .arg("-c")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {tool} ({error}): `make setup` installs it"));
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    child.wait_with_output().unwrap().stdout
}

fn record_of(closed: &[u8], open: &[u8]) -> Record {
    let xml = format!(
        "<repomd><data type='primary'><checksum type='sha256'>{}</checksum><open-checksum type='sha256'>{}</open-checksum>\
         <location href='x'/><size>{}</size><open-size>{}</open-size></data></repomd>",
        hex::encode(Sha256::digest(closed)),
        hex::encode(Sha256::digest(open)),
        closed.len(),
        open.len()
    );
    Repomd::parse(xml.as_bytes()).unwrap().records.remove(0)
}

fn read_all(record: &Record, bytes: &[u8]) -> Result<Vec<u8>, ExternalError> {
    let mut out = Vec::new();
    record.reader(bytes)?.read_to_end(&mut out)?;
    Ok(out)
}

#[test]
fn every_supported_compression_is_unpacked_and_others_are_named() {
    let plain = "<metadata packages=\"0\">\n</metadata>".repeat(3000).into_bytes();
    let twice = |bytes: Vec<u8>| [bytes.clone(), bytes].concat();
    let doubled = [plain.clone(), plain.clone()].concat();
    for tool in ["gzip", "xz"] {
        let bytes = twice(compressed(tool, &plain));
        assert_eq!(read_all(&record_of(&bytes, &doubled), &bytes).unwrap(), doubled, "{tool}");
    }
    let zstd = twice(zstd::bulk::compress(&plain, 3).unwrap());
    assert_eq!(read_all(&record_of(&zstd, &doubled), &zstd).unwrap(), doubled);
    assert_eq!(read_all(&record_of(&plain, &plain), &plain).unwrap(), plain);
    for (bytes, name) in [(&b"BZh91AY&SY"[..], "bzip2"), (b"\0ZCK1...", "zchunk")] {
        match read_all(&record_of(bytes, b""), bytes) {
            Err(ExternalError::Unsupported(what)) => assert_eq!(what, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn wrong_bytes_are_refused() {
    let plain = b"<metadata>plain</metadata>".repeat(50);
    let bytes = compressed("gzip", &plain);
    let refused = |record: &Record, bytes: &[u8]| match read_all(record, bytes) {
        Err(ExternalError::Io(error)) => error.to_string(),
        other => panic!("not refused: {other:?}"),
    };
    let good = record_of(&bytes, &plain);
    assert!(read_all(&good, &bytes).is_ok());
    let other_file = compressed("gzip", &[&plain[..], b"x"].concat());
    assert!(refused(&Record { size: None, open_size: None, ..good.clone() }, &other_file).contains("checksum"));
    assert!(refused(&good, &[&bytes[..], b"trailing"].concat()).contains("more than"));
    assert!(refused(&Record { open_size: Some(10), ..good.clone() }, &bytes).contains("more than the 10 bytes"));
    let mut wrong_open = good.clone();
    wrong_open.open_checksum.as_mut().unwrap().hex = "00".into();
    assert!(refused(&wrong_open, &bytes).contains("checksum"));
    refused(&good, &bytes[..bytes.len() / 2]);
    let mut unknown = good;
    unknown.checksum.algorithm = "crc32".into();
    assert!(matches!(read_all(&unknown, &bytes), Err(ExternalError::Unsupported(what)) if what == "crc32 checksums"));
}

#[test]
fn broken_metadata_is_an_error_that_says_so() {
    let good = "<package><name>a</name><arch>x</arch><version ver='1' rel='1'/><checksum>1</checksum><location href='l'/></package>";
    let read = |xml: &str| PrimaryReader::new(xml.as_bytes()).collect::<Result<Vec<_>, _>>();
    assert_eq!(read(&format!("<metadata>{good}</metadata>")).unwrap().len(), 1);
    assert_eq!(read("<metadata packages='0'/>").unwrap().len(), 0);
    let without = |part: &str| read(&format!("<metadata>{}</metadata>", good.replace(part, "")));
    for part in
        ["<name>a</name>", "<version ver='1' rel='1'/>", "<location href='l'/>", " href='l'", "<checksum>1</checksum>"]
    {
        assert!(matches!(without(part), Err(ExternalError::Incomplete(_))), "{part}");
    }
    for broken in [
        format!("<metadata>{good}"),
        format!("<metadata>{}", &good[..40]),
        "not xml".to_owned(),
        String::new(),
        format!("<metadata>{}</metadata>", good.replace("</name>", "</nam>")),
        format!("<metadata>{}</metadata>", good.replace("a</name>", "&nothing;</name>")),
        format!("<metadata>{}</metadata>", good.replace("a</name>", "\u{2}</name>")),
        format!("<metadata>{}</metadata>", good.replace("ver='1'", "epoch='x' ver='1'")),
        format!("<metadata>{}</metadata>", good.replace("a</name>", "<![CDATA[</package>]]></name>")),
    ] {
        assert!(matches!(read(&broken), Err(ExternalError::Xml(_))), "{broken}");
    }
    assert!(matches!(Repomd::parse(b"<html></html>"), Err(ExternalError::Incomplete(_))));
    assert!(matches!(Repomd::parse(b""), Err(ExternalError::Incomplete(_))));
    assert!(matches!(
        Repomd::parse(b"<repomd><data type='primary'></data></repomd>"),
        Err(ExternalError::Incomplete(_))
    ));
    assert!(Repomd::parse(b"<repomd><data type='primary'>").is_err());
    assert!(Repomd::parse(b"\xff").is_err());
}

#[test]
fn repomd_is_read_as_createrepo_writes_it() {
    let dir = odd_repository();
    let repomd = Repomd::parse(&fs::read(dir.path().join("repodata/repomd.xml")).unwrap()).unwrap();
    let kinds: Vec<_> = repomd.records.iter().map(|record| record.kind.as_str()).collect();
    assert_eq!(kinds, ["primary", "filelists", "other"]);
    let record = repomd.record("other").unwrap();
    assert_eq!(record.size, Some(fs::metadata(dir.path().join(&record.href)).unwrap().len()));
    assert_eq!(repomd.newest_timestamp().map(|time| time.to_string()), repomd.revision);
    let odd = b"<repomd><data type='p'><checksum type='sha'>1</checksum><location href='x' xml:base='b'/><timestamp>12.75</timestamp></data></repomd>";
    let record = Repomd::parse(odd).unwrap().records.remove(0);
    assert_eq!((record.timestamp, record.base.as_deref(), record.size), (Some(12), Some("b"), None));
}

proptest! {
    #[test]
    fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0..400_usize) {
        let mut xml = b"<metadata><package><name>a</name><location href='&amp;'/></package></metadata>".to_vec();
        let at = at.min(xml.len());
        xml.splice(at..at, bytes);
        let _ = PrimaryReader::new(&xml[..]).collect::<Result<Vec<_>, _>>();
        let _ = FragmentReader::other(&xml[..]).collect::<Result<Vec<_>, _>>();
        let _ = Repomd::parse(&xml);
    }
}

// ---- merging ----

/// A binary package `name` of source package `source`.
struct Spec {
    name: &'static str,
    source: &'static str,
    evr: (&'static str, &'static str, &'static str),
    arch: &'static str,
}

const fn spec(name: &'static str, source: &'static str, version: &'static str) -> Spec {
    Spec { name, source, evr: ("", version, "1"), arch: "x86_64" }
}

fn make_repository(dir: &Path, specs: &[Spec]) {
    let base_dir = tempfile::tempdir().unwrap();
    let built = common::rpmbuild(&common::plain_spec("base", ("", "1", "1"), ""), base_dir.path());
    let base = fs::read(built.iter().find(|path| path.to_string_lossy().contains("x86_64")).unwrap()).unwrap();
    fs::create_dir_all(dir).unwrap();
    for (number, spec) in specs.iter().enumerate() {
        let (epoch, version, release) = spec.evr;
        let rpm = common::craft::modify(&base, |tags| {
            use common::craft::Value::{I32, Text};
            tags.insert(1000, Text(spec.name.into()));
            tags.insert(1001, Text(version.into()));
            tags.insert(1002, Text(release.into()));
            if !epoch.is_empty() {
                tags.insert(1003, I32(vec![epoch.parse().unwrap()]));
            }
            tags.insert(1022, Text(spec.arch.into()));
            tags.insert(1044, Text(format!("{}-{version}-{release}.src.rpm", spec.source).into()));
            if spec.arch == "src" {
                tags.remove(&1044);
                tags.insert(1106, I32(vec![1]));
            }
        });
        fs::write(dir.join(format!("{number}-{}.rpm", spec.name)), rpm).unwrap();
    }
    common::createrepo(dir);
}

fn local_specs() -> Vec<Spec> {
    vec![spec("foo", "foo", "1.0"), spec("lone", "lone", "1"), spec("loc", "loc", "1")]
}

fn first_external() -> Vec<Spec> {
    vec![
        spec("foo", "foo", "2.0"),
        spec("foo-sub", "foo", "9"),
        spec("bar", "bar", "1"),
        spec("bar", "bar", "2"),
        Spec { evr: ("1", "1.5", "1"), ..spec("bar", "bar", "") },
        spec("blk", "blk", "1"),
        spec("blk-sub", "blk", "1"),
        spec("innocent", "not-blk", "1"),
        spec("lone", "other", "5"),
        spec("loc-extra", "loc", "1"),
        spec("multi-a", "multi", "1"),
        spec("multi-b", "multi", "2"),
        spec("same-a", "same", "1"),
        spec("tilde", "tilde", "1~rc1"),
        spec("tilde", "tilde", "1"),
        Spec { arch: "i686", ..spec("m32", "m32", "1") },
        Spec { arch: "i686", ..spec("m32", "m32", "2") },
        spec("m32", "m32", "1"),
        Spec { arch: "noarch", ..spec("noa", "noa", "1") },
        Spec { arch: "aarch64", ..spec("arm", "arm", "1") },
        Spec { arch: "src", ..spec("bar", "bar", "2") },
    ]
}

fn second_external() -> Vec<Spec> {
    vec![
        spec("bar", "bar", "9"),
        spec("bar-x", "bar", "2"),
        spec("two", "two", "1"),
        Spec { evr: ("", "1", "2"), ..spec("two", "two", "") },
        Spec { arch: "noarch", ..spec("noa", "noa", "1") },
        spec("blk2", "blk2", "1"),
        spec("multi-c", "multi", "9"),
        spec("same-b", "same", "1"),
        Spec { arch: "athlon", ..spec("old", "old", "1") },
    ]
}

/// `name-epoch:version-release.arch base href` of each package of a `primary.xml`.
fn listing(primary: &str) -> BTreeSet<String> {
    let read = PrimaryReader::new(primary.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
    let line = |package: &ExternalPackage| {
        let identity = &package.identity;
        let base = package.base.as_deref().unwrap_or("").trim_end_matches('/');
        let Identity { name, epoch, version, release, arch, .. } = identity;
        format!("{name}-{epoch}:{version}-{release}.{arch} {base} {}", package.href)
    };
    read.iter().map(line).collect()
}

fn mergerepo(dirs: &[PathBuf; 3], arguments: &[&str], out: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let binary = std::env::var("MERGEREPO_C").unwrap_or_else(|_| "mergerepo_c".to_owned());
    let mut command = Command::new(binary);
    command.args(arguments).args(["--no-database", "--compress-type=gz", "-o"]).arg(out);
    for dir in dirs {
        command.arg("-r").arg(format!("file://{}", dir.display()));
    }
    common::run(&mut command);
    let origins = fs::read_dir(out.join("repodata"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("pkgorigins"))
        .unwrap();
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(File::open(origins).unwrap()).read_to_string(&mut text).unwrap();
    (listing(&common::metadata(out, "primary")), text.lines().map(str::to_owned).collect())
}

/// A merged repository of ours: local packages first, then what stays of each external repository.
fn merge(dirs: &[PathBuf; 3], mode: MergeMode, blocked: &[&str], out: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let local: Vec<_> = common::rpms(&dirs[0]).iter().map(|path| Package::open(path)).collect();
    let local_ids: Vec<_> = read_repository(&dirs[0]).packages.into_iter().map(|package| package.identity).collect();
    let repositories = [read_repository(&dirs[1]), read_repository(&dirs[2])];
    let identities =
        |repository: &Repository| repository.packages.iter().map(|package| package.identity.clone()).collect();
    let external: Vec<Vec<Identity>> = repositories.iter().map(identities).collect();
    let blocked: HashSet<String> = blocked.iter().map(|name| (*name).to_owned()).collect();
    let listed: Vec<Vec<&Identity>> = external.iter().map(|packages| packages.iter().collect()).collect();
    let kept = select(mode, "x86_64", &blocked, &local_ids, &listed);

    let count = local.len() + kept.iter().flatten().filter(|kept| **kept).count();
    let settings = Settings { compression: Compression::Gzip, open_checksum: true };
    let mut writer = PackageWriter::new(count as u64, settings, [Vec::new(), Vec::new(), Vec::new()]).unwrap();
    let mut origins = Origins::default();
    for package in &local {
        let header = &package.header;
        origins.add(
            (&header.name, &header.version, &header.release, &header.arch),
            &format!("file://{}", dirs[0].display()),
        );
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
    for (repository, kept) in repositories.iter().zip(&kept) {
        for (package, _) in repository.packages.iter().zip(kept).filter(|(_, kept)| **kept) {
            let Identity { name, version, release, arch, .. } = &package.identity;
            origins.add((name, version, release, arch), &repository.url);
            writer
                .package(RepoPackage {
                    primary: &package.primary,
                    filelists: &repository.filelists[&package.pkgid],
                    other: &repository.other[&package.pkgid],
                    location: package.location(&repository.url).borrow(),
                    file_time: 0,
                })
                .unwrap();
        }
    }
    let mut files: Vec<_> = writer.finish().unwrap().into();
    let mut origin = RepoFileWriter::new(DataKind::Origin, 0, settings, Vec::new()).unwrap();
    origin.push(origins.as_str().as_bytes(), 0).unwrap();
    files.push(origin.finish().unwrap());
    fs::create_dir_all(out.join("repodata")).unwrap();
    for (file, bytes) in &files {
        fs::write(out.join("repodata").join(file.file_name()), bytes).unwrap();
    }
    let listed: Vec<_> = files.iter().map(|(file, _)| (file, None)).collect();
    fs::write(out.join("repodata/repomd.xml"), repomd("1", 1, &listed)).unwrap();
    let lines = origins.as_str().lines().map(str::to_owned).collect();
    (listing(&common::metadata(out, "primary")), lines)
}

#[test]
fn merges_are_mergerepos() {
    let work = tempfile::tempdir().unwrap();
    let dirs = ["local", "first", "second"].map(|name| work.path().join(name));
    for (dir, specs) in dirs.iter().zip([local_specs(), first_external(), second_external()]) {
        make_repository(dir, &specs);
    }
    let blocklist = work.path().join("blocklist");
    fs::write(&blocklist, "blk\nblk2\n").unwrap();
    let blocklist = blocklist.display().to_string();
    let modes: [(MergeMode, Vec<&str>); 3] = [
        (MergeMode::Koji, vec!["--koji", "-b", &blocklist, "-a", "x86_64", "--arch-expand"]),
        (MergeMode::Simple, vec!["--koji", "--simple", "-b", &blocklist, "-a", "x86_64", "--arch-expand"]),
        (MergeMode::Bare, vec!["--pkgorigins", "--all", "-a", "x86_64", "--arch-expand"]),
    ];
    for (mode, arguments) in modes {
        let theirs = mergerepo(&dirs, &arguments, &work.path().join(format!("theirs-{mode:?}")));
        let ours = merge(&dirs, mode, &["blk", "blk2"], &work.path().join(format!("ours-{mode:?}")));
        assert_eq!(ours.0, theirs.0, "{mode:?}");
        assert_eq!(ours.1, theirs.1, "origins, {mode:?}");
    }
    let koji = merge(&dirs, MergeMode::Koji, &["blk", "blk2"], &work.path().join("again")).0;
    let names: Vec<_> = koji.iter().map(|line| line.split(' ').next().unwrap()).collect();
    // What the comparison rests on, so that it cannot pass for the wrong reason.
    for (name, there) in [
        ("foo-0:1.0-1.x86_64", true),
        ("foo-0:2.0-1.x86_64", false),
        ("bar-0:2-1.x86_64", true),
        ("bar-0:9-1.x86_64", false),
        ("blk-sub-0:1-1.x86_64", false),
        ("m32-0:2-1.i686", true),
        ("arm-0:1-1.aarch64", false),
    ] {
        assert_eq!(names.contains(&name), there, "{name}");
    }
}

#[test]
fn dnf_finds_merged_packages_where_they_are() {
    let work = tempfile::tempdir().unwrap();
    let dirs = ["local", "first", "second"].map(|name| work.path().join(name));
    make_repository(&dirs[0], &[spec("foo", "foo", "1")]);
    make_repository(&dirs[1], &[spec("foo", "foo", "2"), spec("bar", "bar", "1")]);
    make_repository(&dirs[2], &[spec("c++", "c++", "1")]);
    let out = work.path().join("out");
    merge(&dirs, MergeMode::Koji, &[], &out);
    for name in common::rpms(&dirs[0]) {
        fs::copy(&name, out.join(name.file_name().unwrap())).unwrap();
    }
    let log = work.path().join("log");
    fs::create_dir(&log).unwrap();
    let target = work.path().join("downloads");
    common::run(
        Command::new("dnf")
            .env("HOME", work.path())
            .args(["--quiet", "--releasever=1", "--forcearch=x86_64", "--setopt=reposdir=/dev/null"])
            .args(["--setopt=pluginpath=/usr/lib/python3/dist-packages/dnf-plugins", "--setopt=gpgcheck=0"])
            .args(["--disableplugin=*", "--setopt=module_platform_id=platform:f1"])
            .arg(format!("--setopt=cachedir={}", work.path().join("cache").display()))
            .arg(format!("--setopt=logdir={}", log.display()))
            .arg(format!("--installroot={}", work.path().join("root").display()))
            .arg(format!("--repofrompath=it,file://{}", out.display()))
            .args(["--repo=it", "--assumeyes", "--downloadonly", "install", "foo", "bar", "c++"])
            .arg(format!("--downloaddir={}", target.display())),
    );
    let names: Vec<_> = common::rpms(&target).iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["0-c++.rpm", "0-foo.rpm", "1-bar.rpm"]);
}
