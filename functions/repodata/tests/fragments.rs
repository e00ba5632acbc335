//! Our fragments against createrepo_c's, byte for byte, for real RPMs and for ones that rpmbuild would not make.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod common;

use std::{fs, path::Path};

use common::{
    Package,
    craft::{self, Tags, Value, dependencies, modify, texts},
};

const ODD: &str = include_str!("data/odd.spec");

/// Compares every RPM in `dir`.
fn assert_same_as_createrepo(dir: &Path) {
    common::createrepo(dir);
    let primary = common::packages(&common::metadata(dir, "primary"));
    let filelists = common::packages(&common::metadata(dir, "filelists"));
    let other = common::packages(&common::metadata(dir, "other"));
    let old = common::createrepo_is_old();
    let rpms = common::rpms(dir);
    assert!(!rpms.is_empty());
    assert_eq!(primary.len(), rpms.len(), "createrepo_c left a package out");
    for path in rpms {
        let package = Package::open(&path);
        let mut ours = package.primary();
        if old {
            ours = forget_new_pre_flags(&ours);
        }
        assert_same(&package.file_name, &primary[&package.sha256], &ours);
        assert_same(&package.file_name, &filelists[&package.sha256], &package.fragments.filelists);
        assert_same(&package.file_name, &other[&package.sha256], &package.fragments.other);
    }
}

/// createrepo_c before 1.0 does not mark these; the specs here name such requirements after the flag.
fn forget_new_pre_flags(xml: &str) -> String {
    let forget = |line: &str| match ["\"pretrans", "\"posttrans"].iter().any(|name| line.contains(name)) {
        true => line.replace(" pre=\"1\"", ""),
        false => line.to_owned(),
    };
    xml.split_inclusive('\n').map(forget).collect()
}

fn assert_same(name: &str, theirs: &str, ours: &str) {
    for (number, (theirs, ours)) in theirs.lines().zip(ours.lines()).enumerate() {
        assert_eq!(ours, theirs, "{name}, line {}", number + 1);
    }
    assert_eq!(ours, theirs, "{name}");
}

fn base_rpm() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let built = common::rpmbuild(ODD, dir.path());
    let binary = built.iter().find(|path| path.to_string_lossy().ends_with("x86_64.rpm")).unwrap();
    fs::read(binary).unwrap()
}

/// A name and a change to the tags.
type Variant<'a> = (&'a str, &'a dyn Fn(&mut Tags));

/// Writes variants of one RPM into a directory and compares them.
fn compare_variants(variants: &[Variant<'_>]) {
    let base = base_rpm();
    let dir = tempfile::tempdir().unwrap();
    for (name, change) in variants {
        let rpm = modify(&base, |tags| {
            tags.insert(1000, Value::Text((*name).into()));
            change(tags);
        });
        fs::write(dir.path().join(format!("{name}.rpm")), rpm).unwrap();
    }
    assert_same_as_createrepo(dir.path());
}

const PROVIDES: (u32, u32, u32) = (1047, 1112, 1113);
const REQUIRES: (u32, u32, u32) = (1049, 1048, 1050);
const CONFLICTS: (u32, u32, u32) = (1054, 1053, 1055);
const OBSOLETES: (u32, u32, u32) = (1090, 1114, 1115);
const RECOMMENDS: (u32, u32, u32) = (5046, 5048, 5047);
const LT: u32 = 2;
const GT: u32 = 4;
const EQ: u32 = 8;
const PREREQ: u32 = 1 << 6;
const SCRIPT_PRE: u32 = 1 << 9;
const MISSING_OK: u32 = 1 << 19;
const STRONG: u32 = 1 << 27;

#[test]
fn a_package_with_everything() {
    let dir = tempfile::tempdir().unwrap();
    let built = common::rpmbuild(ODD, dir.path());
    assert_eq!(built.len(), 3, "binary, noarch and source: {built:?}");
    assert_same_as_createrepo(dir.path());
}

#[test]
fn plain_packages_and_a_source_package_with_its_sources() {
    let dir = tempfile::tempdir().unwrap();
    let spec =
        common::plain_spec("plain", ("", "1.0", "1"), "Source0: a.txt\nBuildArch: noarch\nBuildRequires: x >= 1");
    common::rpmbuild(&spec, dir.path());
    common::rpmbuild(&common::plain_spec("epoch", ("0", "1", "1"), ""), dir.path());
    assert_same_as_createrepo(dir.path());
}

#[test]
fn the_rpm_crates_own_files() {
    // Made by rpm 4 and 6 on other systems: signed by several kinds of keys, special files, hard links, translations.
    let output = common::run(std::process::Command::new(env!("CARGO")).args([
        "metadata",
        "--format-version=1",
        "--offline",
        "--filter-platform=x86_64-unknown-linux-gnu",
        "--manifest-path",
        concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
    ]));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let manifest = metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == "rpm").unwrap();
    let assets = Path::new(manifest["manifest_path"].as_str().unwrap()).with_file_name("tests/assets");
    let dir = tempfile::tempdir().unwrap();
    let mut found = 0;
    let mut pending = vec![assets];
    while let Some(place) = pending.pop() {
        for entry in fs::read_dir(place).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rpm") {
                found += 1;
                fs::copy(&path, dir.path().join(format!("{found}.rpm"))).unwrap();
            }
        }
    }
    assert!(found > 20, "{found} files");
    for path in common::rpms(dir.path()) {
        let header = Package::open(&path).header;
        assert_eq!(header.verify_digests(), Ok(()), "{}", header.name);
    }
    // The same file may be there twice under two names; createrepo_c then lists it twice.
    let mut seen = std::collections::HashSet::new();
    for path in common::rpms(dir.path()) {
        if !seen.insert(Package::open(&path).sha256) {
            fs::remove_file(path).unwrap();
        }
    }
    assert_same_as_createrepo(dir.path());
}

#[test]
fn dependencies_repeated_provided_and_malformed() {
    let repeated = |tags: &mut Tags| {
        let le = LT | GT | EQ;
        dependencies(
            tags,
            PROVIDES,
            &[
                ("a", 0, ""),
                ("a", 0, ""),
                ("b", EQ, "1"),
                ("a", 0, ""),
                ("c", EQ, "0:1"),
                ("c", EQ, "1"),
                ("/etc/foo", 0, ""),
                ("d", LT | GT, "3"),
                ("e", le, "3"),
                ("f", EQ, ""),
                ("g", 0, "5"),
                ("", 0, ""),
                ("h", EQ, "1:"),
                ("h2", EQ, "1:-"),
                ("h3", EQ, "1-"),
                ("h4", EQ, ":1-2"),
                ("h5", EQ, "x:1-2"),
                ("h6", EQ, "1:2-3-4"),
                ("h7", EQ, "01:2"),
                ("h8", EQ, "-1"),
                ("h9", EQ, "1:2:3-1"),
            ],
        );
        dependencies(
            tags,
            REQUIRES,
            &[
                ("a", PREREQ, ""),
                ("r", 0, ""),
                ("s", 0, ""),
                ("r", 0, ""),
                ("b", EQ, "1"),
                ("c", EQ, "1"),
                ("c", EQ, "0:1"),
                ("t", EQ, "1"),
                ("t", EQ, "2"),
                ("t", EQ, "1"),
                ("/etc/foo", 0, ""),
                ("/etc/odd.conf", 0, ""),
                ("/usr/bin/odd-tool", GT, "1"),
                ("/opt/x/bin", 0, ""),
                ("/etc/odd.d", 0, ""),
                ("rpmlib(X)", 1 << 24 | LT | EQ, "1"),
                ("rpmlib(Y)", 0, ""),
                ("u", EQ | PREREQ, "1"),
                ("u", EQ, "1"),
                ("u", EQ | SCRIPT_PRE, "1"),
                ("d", LT | GT, "3"),
                ("", 0, ""),
                ("x1", EQ, "1x:1"),
                ("x2", EQ, " -1:1"),
                ("x3", 0, "x:1"),
                ("x", EQ, "1"),
                ("x", GT | EQ, "1"),
                ("x", EQ, "1"),
                ("x", EQ, "1"),
            ],
        );
        for kind in [CONFLICTS, OBSOLETES] {
            dependencies(tags, kind, &[("a", 0, ""), ("a", 0, ""), ("rpmlib(z)", 0, ""), ("x", EQ, "x:1")]);
        }
        let twice = [("a", 0, ""), ("a", SCRIPT_PRE, ""), ("libc.so.6(A_1)", 0, ""), ("libc.so.6(A_2)", 0, "")];
        dependencies(tags, RECOMMENDS, &twice);
    };
    let may_be_missing = |tags: &mut Tags| {
        dependencies(tags, PROVIDES, &[("c", 0, "")]);
        dependencies(
            tags,
            REQUIRES,
            &[
                ("c", MISSING_OK, ""),
                ("m", MISSING_OK, ""),
                ("m", MISSING_OK, ""),
                ("m", 0, ""),
                ("n", 0, ""),
                ("n", MISSING_OK, ""),
                ("rpmlib(x)", MISSING_OK, ""),
                ("libc.so.6(A_2)", MISSING_OK, ""),
                ("libc.so.6(A_1)", 0, ""),
                ("p", MISSING_OK | GT | EQ | PREREQ, "2"),
                ("/etc/odd.conf", MISSING_OK, ""),
            ],
        );
    };
    let all_flags = |tags: &mut Tags| {
        let name = |bit: u32| match bit {
            5 => "posttrans".to_owned(),
            7 => "pretrans".to_owned(),
            bit => format!("bit{bit}"),
        };
        let names: Vec<String> = (0..32).map(name).collect();
        let items: Vec<_> = names.iter().enumerate().map(|(bit, name)| (name.as_str(), 1 << bit, "")).collect();
        dependencies(tags, REQUIRES, &items);
    };
    let old_weak = |tags: &mut Tags| {
        dependencies(tags, (1156, 1158, 1157), &[("os1", 0, ""), ("os2", STRONG | EQ, "1")]);
        dependencies(tags, (1159, 1161, 1160), &[("oe1", 0, ""), ("oe2", STRONG, "1")]);
    };
    let missing_arrays = |tags: &mut Tags| {
        for tag in [CONFLICTS.1, REQUIRES.1, PROVIDES.2] {
            tags.remove(&tag);
        }
    };
    compare_variants(&[
        ("repeated", &repeated),
        ("may-be-missing", &may_be_missing),
        ("all-flags", &all_flags),
        ("old-weak", &old_weak),
        ("missing-arrays", &missing_arrays),
    ]);
}

#[test]
fn glibc_requirements() {
    let pairs: Vec<(String, Vec<&'static str>)> = [
        vec!["(A_2.9)", "(B_1.10)"],
        vec!["(B_1.10)", "(A_2.9)"],
        vec!["(A5)", "(A6)"],
        vec!["(6)", "(5)"],
        vec!["(ABC)", "(ABD)"],
        vec!["(ABD)", "(ABC)"],
        vec!["(G_ABI_X)", "(G_2.4)"],
        vec!["(G_2.4)", "(G_ABI_X)"],
        vec!["()", "(64)"],
        vec!["", "(A)"],
        vec!["(A)", ""],
        vec!["(A)", "()"],
        vec!["()", "(A)"],
        vec!["", "()"],
        vec!["(A_2.3)(64bit)", "(A_2.3)"],
        vec!["(A_2.3)", "(A_2.3)(64bit)"],
        vec![".1(A_2)", "(A_3)"],
        vec!["(A_2.3", "(A_2.4"],
        vec!["(A2_1)", "(A1_2)"],
        vec!["_3", "_4"],
        vec!["(X_2~1)", "(X_2)"],
        vec!["(X_2a)", "(X_2b)"],
        vec!["(G_2.4)(64bit)", "(G_2.34)(64bit)", "(G_ABI_DT_RELR)(64bit)"],
    ]
    .into_iter()
    .enumerate()
    .map(|(number, pair)| (format!("pair{number}"), pair))
    .collect();
    let change = |rests: Vec<&'static str>| {
        move |tags: &mut Tags| {
            let names: Vec<String> = rests.iter().map(|rest| format!("libc.so.6{rest}")).collect();
            let mut items: Vec<_> = names.iter().map(|name| (name.as_str(), 0, "")).collect();
            items.insert(1, ("between", 0, ""));
            dependencies(tags, REQUIRES, &items);
        }
    };
    let changes: Vec<_> = pairs.iter().map(|(name, rests)| (name.as_str(), change(rests.clone()))).collect();
    let variants: Vec<Variant<'_>> =
        changes.iter().map(|(name, change)| (*name, change as &dyn Fn(&mut Tags))).collect();
    compare_variants(&variants);
}

#[test]
fn text_that_needs_escaping_or_is_not_utf8() {
    let escapes = |tags: &mut Tags| {
        tags.insert(1004, Value::I18n(vec!["d\u{7f}e\tf\ng\rh\u{80}i".into(), b"second".to_vec()]));
        tags.insert(1005, Value::I18n(vec![b"lat\xe9in \xff <&>\"' \x80".to_vec()]));
        tags.insert(1020, Value::Text(b"  lead trail \n\n".to_vec()));
        tags.insert(1014, Value::Text(b"l\xe9".to_vec()));
        tags.insert(1011, Value::Text(b"v\r\nx".to_vec()));
        tags.insert(1016, Value::I18n(vec![Vec::new()]));
        tags.insert(1001, Value::Text(b"1\"&".to_vec()));
        dependencies(tags, PROVIDES, &[("a\"b'<>&é", EQ, "1é-2"), ("t\tn\nr\rc😀", EQ, "1")]);
        tags.insert(1080, Value::I32(vec![5000, 5000, 5000]));
        tags.insert(1081, texts(&["n\"ame\t\n\r<é😀".as_bytes(), b"l\xe9", b""]));
        tags.insert(1082, texts(&["t\"\t\r<é  ".as_bytes(), b"l\xe9\x85", b""]));
        if let Some(Value::Texts(names)) = tags.get_mut(&1117) {
            names[0] = "g\"h\t\r<é".into();
            names[1] = b"l\xe9".to_vec();
        }
    };
    let every_byte = |tags: &mut Tags| {
        let bytes: Vec<u8> = (0x20..=0xff).collect();
        tags.insert(1004, Value::I18n(vec![bytes.clone()]));
        tags.insert(1047, Value::Texts(vec![bytes]));
        tags.insert(1112, Value::I32(vec![EQ]));
        tags.insert(1113, texts(&[b"\x85\xe9"]));
        tags.insert(1016, Value::I18n(vec!["\u{fdd0}\u{1ffff}".into()]));
    };
    compare_variants(&[("escapes", &escapes), ("every-byte", &every_byte)]);
}

#[test]
fn changelogs_and_missing_tags() {
    let changelog = |times: Vec<u32>| {
        move |tags: &mut Tags| {
            let numbered = |prefix| (0..times.len()).map(|n| format!("{prefix}{n}").into_bytes()).collect();
            tags.insert(1081, Value::Texts(numbered("a")));
            tags.insert(1082, Value::Texts(numbered("c")));
            tags.insert(1080, Value::I32(times.clone()));
        }
    };
    let missing = |tags: &mut Tags| {
        for tag in [1004, 1005, 1014, 1015, 1016, 1007, 1011, 1020, 1009, 1006, 1080, 1081, 1082, 1003] {
            tags.remove(&tag);
        }
    };
    let source_without_sourcerpm = |tags: &mut Tags| {
        tags.remove(&1044);
        tags.insert(1106, Value::I32(vec![1]));
    };
    let whole_names = |tags: &mut Tags| {
        for tag in [1116, 1117, 1118] {
            tags.remove(&tag);
        }
        let count = match &tags[&1030] {
            Value::I16(modes) => modes.len(),
            _ => unreachable!(),
        };
        let path = |n: usize| format!("/etc/file{n}").into_bytes();
        tags.insert(1027, Value::Texts((0..count).map(path).collect()));
    };
    let large = |tags: &mut Tags| {
        tags.remove(&1009);
        tags.insert(5009, Value::I64(vec![5 << 32]));
    };
    compare_variants(&[
        ("out-of-order", &changelog(vec![500, 400, 400, 400, 399, 401, 100, 100])),
        ("one-day", &changelog(vec![5; 15])),
        ("ascending", &changelog(vec![100, 200, 300, 50, 50, 60, 50])),
        ("cut", &changelog(vec![7, 7, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 5])),
        ("missing", &missing),
        ("source", &source_without_sourcerpm),
        ("whole-names", &whole_names),
        ("large", &large),
    ]);
}

#[test]
fn characters_that_xml_cannot_carry_are_left_out() {
    let rpm = craft::modify(&base_rpm(), |tags| {
        tags.insert(1004, Value::I18n(vec!["a\u{1}b\u{2}c\u{1f}d\u{fffe}e".into()]));
        tags.insert(1081, texts(&[b"x\x01y"]));
        tags.insert(1082, texts(&[b"\x02"]));
        tags.insert(1080, Value::I32(vec![1]));
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.rpm");
    fs::write(&path, rpm).unwrap();
    let package = Package::open(&path);
    assert!(package.primary().contains("<summary>abcde</summary>"));
    assert!(package.fragments.other.contains("<changelog author=\"xy\" date=\"1\"></changelog>"));
    for text in [package.primary(), package.fragments.filelists, package.fragments.other] {
        assert!(!text.contains(|c: char| c.is_control() && !c.is_ascii_whitespace()));
    }
}

/// One RPM for each package of a real system: the mini distribution.
#[test]
fn a_whole_distribution() {
    let folder = std::env::var("TOJI_TEST_MINIDISTRO").expect("TOJI_TEST_MINIDISTRO is not set: run `make test`");
    let dir = tempfile::tempdir().unwrap();
    let rpms = common::rpms(&Path::new(&folder).join("x86_64"));
    assert!(rpms.len() > 100, "{}", rpms.len());
    for rpm in rpms {
        fs::copy(&rpm, dir.path().join(rpm.file_name().unwrap())).unwrap();
    }
    assert_same_as_createrepo(dir.path());
}

/// Numbers that look like chance, the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 % most
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u32) as usize]
    }
}

/// Dependencies, files, epochs and changelogs of all kinds beside one another.
#[test]
fn headers_by_chance() {
    const NAMES: [&str; 16] = [
        "a",
        "b",
        "foo",
        "libc.so.6()(64bit)",
        "libc.so.6(GLIBC_2.34)(64bit)",
        "/usr/bin/x",
        "/etc/y",
        "rpmlib(X)",
        "(a and b)",
        "(a if b >= 1)",
        "config(foo)",
        "perl(A::B)",
        "ä☃",
        "x y",
        "pkgconfig(z)",
        "rtld(GNU_HASH)",
    ];
    const FLAGS: [u32; 10] = [0, LT, GT, EQ, LT | EQ, GT | EQ, PREREQ, SCRIPT_PRE | EQ, MISSING_OK | GT | EQ, STRONG];
    const VERSIONS: [&str; 8] = ["", "1", "1-1", "2:1.0~rc1-3^git", "0:1", "1.0-", "-1", "a:b-c"];
    const KINDS: [(u32, u32, u32); 8] = [
        PROVIDES,
        REQUIRES,
        CONFLICTS,
        OBSOLETES,
        RECOMMENDS,
        (5049, 5051, 5050),
        (5052, 5054, 5053),
        (5055, 5057, 5056),
    ];
    let base = base_rpm();
    let dir = tempfile::tempdir().unwrap();
    for number in 0..150 {
        let mut chance = Chance(number);
        let rpm = modify(&base, |tags| {
            tags.insert(1000, Value::Text(format!("chance-{number}").into()));
            match chance.below(3) {
                0 => drop(tags.remove(&1003)),
                _ => drop(tags.insert(1003, Value::I32(vec![chance.below(70_000)]))),
            }
            for kind in KINDS {
                let items: Vec<(&str, u32, &str)> = (0..chance.below(7))
                    .map(|_| (chance.of(&NAMES), FLAGS[chance.below(10) as usize], chance.of(&VERSIONS)))
                    .collect();
                if items.is_empty() {
                    [kind.0, kind.1, kind.2].iter().for_each(|tag| drop(tags.remove(tag)));
                } else {
                    dependencies(tags, kind, &items);
                }
            }
            // an empty list is none: rpm refuses the header
            [1080, 1081, 1082].iter().for_each(|tag| drop(tags.remove(tag)));
            let entries = chance.below(13);
            if entries == 0 {
                return;
            }
            let text = |chance: &mut Chance| chance.of(&["", "x", "- a\n- b\n", " é <b@c> - 1-1"]).as_bytes().to_vec();
            tags.insert(1080, Value::I32((0..entries).map(|_| chance.below(u32::MAX)).collect()));
            tags.insert(1081, Value::Texts((0..entries).map(|_| text(&mut chance)).collect()));
            tags.insert(1082, Value::Texts((0..entries).map(|_| text(&mut chance)).collect()));
        });
        fs::write(dir.path().join(format!("{number}.rpm")), rpm).unwrap();
    }
    assert_same_as_createrepo(dir.path());
}

#[test]
fn a_hundred_thousand_files() {
    const FILES: u32 = 100_000;
    let many = |tags: &mut Tags| {
        let all = |number: u32| Value::I32(vec![number; FILES as usize]);
        let same = |text: &[u8]| Value::Texts(vec![text.to_vec(); FILES as usize]);
        tags.insert(1117, Value::Texts((0..FILES).map(|file| format!("file-{file}").into()).collect()));
        tags.insert(1116, Value::I32((0..FILES).map(|file| file % 1000).collect()));
        let folders = (0..1000).map(|folder| match folder % 3 {
            0 => format!("/usr/bin/{folder}/").into(),
            1 => format!("/etc/{folder}/").into(),
            _ => format!("/usr/share/{folder}/").into(),
        });
        tags.insert(1118, Value::Texts(folders.collect()));
        tags.insert(
            1030,
            Value::I16((0..FILES).map(|file| if file % 7 == 0 { 0o040_755 } else { 0o100_644 }).collect()),
        );
        tags.insert(1037, Value::I32((0..FILES).map(|file| if file % 11 == 0 { 1 << 6 } else { 0 }).collect()));
        for (tag, value) in [
            (1028, all(1)),
            (1034, all(1_700_000_000)),
            (1035, same(&[b'a'; 64])),
            (1036, same(b"")),
            (1039, same(b"root")),
            (1040, same(b"root")),
        ] {
            tags.insert(tag, value);
        }
    };
    compare_variants(&[("many-files", &many)]);
}
