//! Headers of real RPMs, in pieces, damaged, and as the `rpm` crate reads them.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod common;

use std::fs;

use common::read_header;
use proptest::prelude::*;
use toji_repodata::header::{self, FIRST_READ, FileKind, HeaderError, Parsed, TagValue};

const ODD: &str = include_str!("data/odd.spec");

fn built() -> Vec<(String, Vec<u8>)> {
    let dir = tempfile::tempdir().unwrap();
    let read =
        |path: &std::path::PathBuf| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap());
    common::rpmbuild(ODD, dir.path()).iter().map(read).collect()
}

fn binary() -> Vec<u8> {
    built().into_iter().find(|(name, _)| name.ends_with("x86_64.rpm")).unwrap().1
}

#[test]
fn a_header_is_read_from_as_many_bytes_as_it_asks_for() {
    for (name, rpm) in built() {
        let (mut length, mut rounds) = (0, 0);
        let header = loop {
            match header::parse(&rpm[..length]).unwrap() {
                Parsed::NeedBytes(bytes) => {
                    assert!(bytes as usize > length, "{name} asks for no more than it has");
                    length = bytes as usize;
                }
                Parsed::Header(header) => break header,
            }
            rounds += 1;
        };
        assert_eq!(header.header_end as usize, length, "{name}");
        assert!(rounds <= 3, "{name} took {rounds} rounds");
        assert!(header.header_end < FIRST_READ, "{name}");
        for short in 0..length {
            assert!(matches!(header::parse(&rpm[..short]).unwrap(), Parsed::NeedBytes(_)), "{name}: {short} bytes");
        }
    }
}

#[test]
fn fields_are_what_the_spec_says() {
    let header = read_header(&binary());
    assert_eq!((header.name.as_str(), header.epoch, header.version.as_str()), ("odd", Some(3), "1.0~rc1"));
    assert_eq!((header.release.as_str(), header.arch.as_str(), header.is_source), ("2^git", "x86_64", false));
    assert_eq!(header.sourcerpm.as_deref(), Some("odd-1.0~rc1-2^git.nosrc.rpm"));
    assert_eq!(header.key_id, None);
    assert_eq!(header.changelogs.len(), 25);
    assert_eq!(header.changelogs[0].author, "Aüthor 0 <a0@e.org> - 1.0-1");
    let kind = |path: &str| header.files.iter().find(|file| file.path == path).unwrap().kind;
    assert_eq!(kind("/usr/bin/odd-tool"), FileKind::File);
    assert_eq!(kind("/etc/odd.d"), FileKind::Dir);
    assert_eq!(kind("/var/log/odd.log"), FileKind::Ghost);
    assert_eq!(kind("/var/ghostdir"), FileKind::Dir);
    assert!(header.requires.iter().any(|required| required.name == "((a and b) if c >= 2:1-1)"));
    assert_eq!(header.any_tag(1014).unwrap(), Some(TagValue::Text("MIT AND (GPLv2+ OR \"X\")".into())));
    assert_eq!(header.any_tag(4_000_000).unwrap(), None);
}

#[test]
fn a_source_package_says_where_it_may_be_built() {
    let dir = tempfile::tempdir().unwrap();
    let spec = common::plain_spec(
        "arches",
        ("", "1", "1"),
        "BuildArch: noarch\nExclusiveArch: x86_64 aarch64 noarch\nExcludeArch: s390x",
    );
    let built = common::rpmbuild(&spec, dir.path());
    let source = built.iter().find(|path| path.to_string_lossy().ends_with(".src.rpm")).unwrap();
    let header = read_header(&fs::read(source).unwrap());
    assert!(header.is_source);
    assert_eq!(header.repo_arch(), "src");
    assert_eq!(header.sourcerpm, None);
    assert_eq!(header.build_archs, ["noarch"]);
    assert_eq!(header.exclusive_arch, ["x86_64", "aarch64", "noarch"]);
    assert_eq!(header.exclude_arch, ["s390x"]);
}

#[test]
fn rpm_itself_and_the_rpm_crate_read_the_same() {
    for (name, rpm) in built() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(&name);
        fs::write(&path, &rpm).unwrap();
        let header = read_header(&rpm);
        let format =
            "%{NAME}|%{EPOCHNUM}|%{VERSION}|%{RELEASE}|%{BUILDTIME}|%{SIGMD5}|%{SHA256HEADER}|%{PAYLOADDIGEST}";
        let output = common::run(
            std::process::Command::new("rpm").env("HOME", dir.path()).args(["-qp", "--qf", format]).arg(&path),
        );
        let ours = format!(
            "{}|{}|{}|{}|{}|{}|{}|{}",
            header.name,
            header.epoch.unwrap_or(0),
            header.version,
            header.release,
            header.buildtime,
            header.sigmd5.clone().unwrap(),
            header.header_sha256.clone().unwrap(),
            header.payload_digest.clone().unwrap(),
        );
        assert_eq!(String::from_utf8(output.stdout).unwrap(), ours);

        let theirs = rpm::PackageMetadata::open(&path).unwrap();
        let offsets = theirs.get_package_segment_offsets();
        assert_eq!((header.header_start, header.header_end), (offsets.header, offsets.payload));
        assert_eq!(header.header_bytes(), theirs.header_bytes().unwrap());
        let paths: Vec<_> = theirs.get_file_paths().unwrap().iter().map(|path| path.display().to_string()).collect();
        assert_eq!(header.files.iter().map(|file| file.path.clone()).collect::<Vec<_>>(), paths);
        let provides: Vec<_> = theirs.get_provides().unwrap().into_iter().map(|provided| provided.name).collect();
        assert_eq!(header.provides.iter().map(|provided| provided.name.clone()).collect::<Vec<_>>(), provides);
    }
}

#[test]
fn a_signed_package_names_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path();
    let gpg_home = home.join("gnupg");
    fs::create_dir(&gpg_home).unwrap();
    fs::set_permissions(&gpg_home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let gpg = |arguments: &[&str]| {
        common::run(std::process::Command::new("gpg").arg("--homedir").arg(&gpg_home).args(arguments))
    };
    for (user, algorithm) in [("rsa@example.org", "rsa2048"), ("ed@example.org", "ed25519")] {
        gpg(&["--batch", "--passphrase", "", "--quick-generate-key", user, algorithm, "sign", "never"]);
        let listing = gpg(&["--with-colons", "--list-keys", user]).stdout;
        let listing = String::from_utf8(listing).unwrap();
        let long_id = listing.lines().find(|line| line.starts_with("pub:")).unwrap().split(':').nth(4).unwrap();
        let path = home.join(format!("{algorithm}.rpm"));
        let unsigned = binary();
        fs::write(&path, &unsigned).unwrap();
        common::run(
            std::process::Command::new("rpmsign")
                .env("HOME", home)
                .args(["--addsign", "--define", &format!("_gpg_name {user}")])
                // Debian's rpm looks for a gpg2 that Debian no longer has.
                .args(["--define", "__gpg /usr/bin/gpg"])
                .args(["--define", &format!("_gpg_path {}", gpg_home.display())])
                .arg(&path),
        );
        let signed = read_header(&fs::read(&path).unwrap());
        let unsigned = read_header(&unsigned);
        assert_eq!(signed.key_id, Some(long_id[8..].to_lowercase()), "{algorithm}");
        assert_eq!(signed.sigmd5, unsigned.sigmd5);
        assert_ne!(signed.sighash, unsigned.sighash);
        assert_eq!(signed.verify_digests(), Ok(()));
    }
    // The agent that gpg started would outlive the test.
    common::run(std::process::Command::new("gpgconf").arg("--homedir").arg(&gpg_home).args(["--kill", "all"]));
}

#[test]
fn the_signature_header_is_cut_out_with_its_padding() {
    use md5::Digest;
    let rpm = binary();
    let header = read_header(&rpm);
    assert_eq!(header.signature_bytes, &rpm[96..header.header_start as usize]);
    assert_eq!(header.sighash, hex::encode(md5::Md5::digest(&rpm[96..header.header_start as usize])));
}

#[test]
fn a_changed_header_fails_verification() {
    let rpm = binary();
    let header = read_header(&rpm);
    assert_eq!(header.verify_digests(), Ok(()));
    let mut changed = rpm.clone();
    // A letter of the description, so that the header still parses.
    let position = rpm.windows(8).position(|window| window == b"Line one").unwrap();
    changed[position] = b'l';
    assert!(matches!(
        read_header(&changed).verify_digests(),
        Err(HeaderError::DigestMismatch { digest: "SHA-256", .. })
    ));
}

#[test]
fn other_files_and_impossible_sizes_are_refused() {
    assert!(matches!(header::parse(b"\x7fELF and more"), Err(HeaderError::NotRpm(_))));
    assert!(matches!(header::parse(b"\xed\xab\xef"), Err(HeaderError::NotRpm(_))));
    assert!(matches!(header::parse(b""), Ok(Parsed::NeedBytes(112))));
    let mut huge = binary();
    huge[96 + 8..96 + 16].fill(0xff);
    assert!(matches!(header::parse(&huge), Err(HeaderError::Malformed(_))));
    let nameless = common::craft::modify(&binary(), |tags| {
        tags.remove(&1000);
    });
    assert_eq!(header::parse(&nameless).unwrap_err(), HeaderError::MissingTag(1000));
    let numbers_for_text = common::craft::modify(&binary(), |tags| {
        tags.insert(1001, common::craft::Value::I32(vec![1]));
    });
    assert_eq!(header::parse(&numbers_for_text).unwrap_err(), HeaderError::WrongType(1001));
    let short_arrays = common::craft::modify(&binary(), |tags| {
        tags.insert(1050, common::craft::texts(&[b"1"]));
    });
    assert!(matches!(header::parse(&short_arrays), Err(HeaderError::Malformed(_))));
    let no_such_dir = common::craft::modify(&binary(), |tags| {
        if let Some(common::craft::Value::I32(indexes)) = tags.get_mut(&1116) {
            indexes[0] = 999;
        }
    });
    assert!(matches!(header::parse(&no_such_dir), Err(HeaderError::Malformed(_))));
}

#[test]
fn damaged_headers_are_errors_and_never_panics() {
    let rpm = binary();
    let end = read_header(&rpm).header_end as usize;
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 2000, ..Default::default() });
    let damage = proptest::collection::vec((0..end, any::<u8>()), 1..8);
    runner
        .run(&damage, |bytes| {
            let mut damaged = rpm[..end].to_vec();
            for (position, byte) in bytes {
                damaged[position] = byte;
            }
            // Whatever comes out, fragments of it are well-formed text.
            if let Ok(Parsed::Header(header)) = header::parse(&damaged) {
                let facts = toji_repodata::fragment::FileFacts { sha256: "0", size: 1 };
                let fragments = toji_repodata::fragment::render(&header, facts);
                prop_assert_eq!(fragments.primary.as_str().matches('\u{2}').count(), 1);
            }
            Ok(())
        })
        .unwrap();
}
