//! Packages by the thousand. Each is a real RPM whose header was changed, so that every tool reads it; nothing is installed from it.

use std::{fs, path::Path, process::Command};

use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use toji_hub::rpm::fragment as stored;
use toji_repodata::{
    fragment::{self, FileFacts},
    header::{self, Parsed},
};

use crate::craft::{self, Tags, Value};

/// An RPM of a made-up build.
#[derive(Debug)]
pub struct MadeUpRpm {
    /// Its name.
    pub name: String,
    /// Its architecture.
    pub arch: &'static str,
    /// The whole file.
    pub bytes: Vec<u8>,
}

/// A made-up build: a source, and one to four binary RPMs.
#[derive(Debug)]
pub struct MadeUpBuild {
    /// The source package's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its release.
    pub release: &'static str,
    /// The binary RPMs.
    pub rpms: Vec<MadeUpRpm>,
}

impl MadeUpRpm {
    /// The file's name.
    pub fn file_name(&self, build: &MadeUpBuild) -> String {
        format!("{}-{}-{}.{}.rpm", self.name, build.version, build.release, self.arch)
    }
}

/// Makes packages up.
#[derive(Debug)]
pub struct MadeUp {
    base: Vec<u8>,
}

impl Default for MadeUp {
    fn default() -> Self {
        Self::new()
    }
}

const RELEASE: &str = "1.fc42";

impl MadeUp {
    /// Has rpmbuild make the one that all others are made of.
    ///
    /// # Panics
    /// When rpmbuild fails.
    pub fn new() -> Self {
        let work = tempfile::tempdir().expect("a folder can be made");
        let spec = work.path().join("base.spec");
        let text = "Name: base\nVersion: 1\nRelease: 1\nSummary: s\nLicense: MIT\nBuildArch: noarch\n%description\nd\n%files\n";
        fs::write(&spec, text).expect("a spec can be written");
        let made = Command::new("rpmbuild")
            .args(["-bb", "--quiet", "--nodeps", "--define", &format!("_topdir {}", work.path().display())])
            .args(["--define", "_build_name_fmt base.rpm"])
            .arg(&spec)
            .env("HOME", work.path())
            .output()
            .expect("rpmbuild can be run");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self { base: fs::read(work.path().join("RPMS/base.rpm")).expect("it is there") }
    }

    /// The build of a number in a version: the same each time.
    pub fn build(&self, number: u32, version: u32) -> MadeUpBuild {
        let name = format!("made-up-{number}");
        let version = format!("1.{version}");
        let kinds = ["", "-libs", "-devel", "-doc"];
        let rpms = kinds.iter().take(1 + number as usize % 4).map(|kind| {
            let arch = if *kind == "-doc" { "noarch" } else { "x86_64" };
            let rpm = format!("{name}{kind}");
            let bytes = craft::modify(&self.base, |tags| describe(tags, number, (&name, &version), (&rpm, arch)));
            MadeUpRpm { name: rpm, arch, bytes }
        });
        MadeUpBuild { rpms: rpms.collect(), name, version, release: RELEASE }
    }
}

/// What is in the header: some 7 KB of metadata, of which no two packages have the same.
fn describe(tags: &mut Tags, number: u32, (source, version): (&str, &str), (name, arch): (&str, &str)) {
    let mut random = Sha256::digest(name.as_bytes()).to_vec();
    let mut next = |below: u32| {
        let value = u32::from_be_bytes([random[0], random[1], random[2], random[3]]);
        random = Sha256::digest(&random).to_vec();
        value % below
    };
    let text = |text: String| Value::Text(text.into_bytes());
    let words = |count: u32, next: &mut dyn FnMut(u32) -> u32| {
        let words: Vec<String> = (0..count).map(|_| format!("word{}", next(5000))).collect();
        words.join(" ")
    };
    tags.insert(1000, text(name.to_owned()));
    tags.insert(1001, text(version.to_owned()));
    tags.insert(1002, text(RELEASE.to_owned()));
    tags.insert(1004, Value::I18n(vec![words(8, &mut next).into_bytes()]));
    tags.insert(1005, Value::I18n(vec![words(60, &mut next).into_bytes()]));
    tags.insert(1006, Value::I32(vec![1_700_000_000 + number]));
    tags.insert(1020, text(format!("https://example.org/{source}")));
    tags.insert(1022, text(arch.to_owned()));
    tags.insert(1044, text(format!("{source}-{version}-{RELEASE}.src.rpm")));
    let evr = format!("{version}-{RELEASE}");
    let mut provides = vec![(name.to_owned(), 8, evr.clone())];
    provides.extend((0..2 + next(6)).map(|soname| (format!("lib{name}.so.{soname}()(64bit)"), 0, String::new())));
    let mut requires = vec![("rpmlib(CompressedFileNames)".to_owned(), 0x0100_000a, "3.0.4-1".to_owned())];
    if name != source {
        requires.push((source.to_owned(), 8, evr));
    }
    // of what others provide, so that the closure is whole: each leans on those before it
    requires
        .extend((0..next(8)).filter(|_| number > 0).map(|_| (format!("made-up-{}", next(number)), 12, "1".to_owned())));
    requires.sort();
    requires.dedup();
    for ((name, flags, version), items) in [((1047, 1112, 1113), provides), ((1049, 1048, 1050), requires)] {
        let items: Vec<(&str, u32, &str)> =
            items.iter().map(|(name, flags, version)| (name.as_str(), *flags, version.as_str())).collect();
        craft::dependencies(tags, (name, flags, version), &items);
    }
    files(tags, name, 10 + next(30));
    let times = (0..8).map(|entry| 1_690_000_000 - entry * 1_000_000);
    tags.insert(1080, Value::I32(times.collect()));
    let authors = (0..8).map(|_| format!("Somebody {} <s{}@example.org> - {version}-1", next(90), next(90)));
    tags.insert(1081, Value::Texts(authors.map(String::into_bytes).collect()));
    let mut text = |entry: u32| format!("- {} ({entry})", words(12, &mut next)).into_bytes();
    tags.insert(1082, Value::Texts((0..8).map(&mut text).collect()));
}

fn files(tags: &mut Tags, name: &str, count: u32) {
    let folders = [format!("/usr/share/{name}/"), "/usr/bin/".to_owned(), format!("/usr/lib64/{name}/")];
    let all = |value: u32| Value::I32(vec![value; count as usize]);
    let same = |text: &str| Value::Texts(vec![text.as_bytes().to_vec(); count as usize]);
    let base = (0..count).map(|file| format!("{name}-file-{file}").into_bytes());
    tags.insert(1117, Value::Texts(base.collect()));
    tags.insert(1116, Value::I32((0..count).map(|file| file % 3).collect()));
    tags.insert(1118, Value::Texts(folders.iter().map(|folder| folder.clone().into_bytes()).collect()));
    tags.insert(1028, all(1000));
    tags.insert(1030, Value::I16(vec![0o100_644; count as usize]));
    tags.insert(1034, all(1_700_000_000));
    tags.insert(1037, all(0));
    tags.insert(1039, same("root"));
    tags.insert(1040, same("root"));
    tags.insert(1035, same(&"ab".repeat(32)));
    tags.insert(1036, same(""));
}

/// When the files were made, in seconds.
pub const MADE_AT: u64 = 1_720_000_000;

/// Writes the RPMs of builds into a folder.
///
/// # Panics
/// When the disk is full.
pub fn write(builds: &[MadeUpBuild], dir: &Path) {
    let made = std::time::UNIX_EPOCH + std::time::Duration::from_secs(MADE_AT);
    for build in builds {
        for rpm in &build.rpms {
            let file = fs::File::create(dir.join(rpm.file_name(build))).expect("a file can be made");
            std::io::Write::write_all(&mut &file, &rpm.bytes).expect("it can be written");
            file.set_modified(made).expect("its time can be set");
        }
    }
}

/// Puts builds into a hub's database, as their imports would have, and tags them. Their files are nowhere. One event tags them all.
///
/// # Panics
/// When the database refuses.
pub async fn insert(conn: &mut PgConnection, tag: &str, builds: &[MadeUpBuild]) {
    let names: Vec<&str> = builds.iter().map(|build| build.name.as_str()).collect();
    let versions: Vec<&str> = builds.iter().map(|build| build.version.as_str()).collect();
    let mut transaction = sqlx::Connection::begin(conn).await.expect("a transaction");
    let conn = &mut *transaction;
    let event: i64 = sqlx::query_scalar("SELECT new_event()").fetch_one(&mut *conn).await.expect("an event");
    for statement in [
        "INSERT INTO package (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
        "INSERT INTO tag_packages (package_id, tag_id, create_event, creator_id)
         SELECT p.id, t.id, $3, 1 FROM package p, tag t WHERE t.name = $2 AND p.name = ANY($1)
             AND NOT EXISTS (SELECT FROM tag_packages o WHERE o.tag_id = t.id AND o.package_id = p.id AND o.active)",
        "INSERT INTO tag_package_owners (package_id, tag_id, owner, create_event, creator_id)
         SELECT p.id, t.id, 1, $3, 1 FROM package p, tag t WHERE t.name = $2 AND p.name = ANY($1)
             AND NOT EXISTS (SELECT FROM tag_package_owners o WHERE o.tag_id = t.id AND o.package_id = p.id AND o.active)",
    ] {
        let query = sqlx::query(statement).bind(&names);
        let query = if statement.contains("$2") { query.bind(tag).bind(event) } else { query };
        query.execute(&mut *conn).await.expect(statement);
    }
    let ids: Vec<i64> = sqlx::query_scalar(
        "INSERT INTO build (pkg_id, version, release, state, owner, create_event, start_time, completion_time)
         SELECT p.id, b.version, $3, 1, 1, $4, now(), now()
         FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS b (name, version, place) JOIN package p ON p.name = b.name
         ORDER BY b.place RETURNING id",
    )
    .bind(&names)
    .bind(&versions)
    .bind(RELEASE)
    .bind(event)
    .fetch_all(&mut *conn)
    .await
    .expect("builds");
    for statement in [
        "INSERT INTO build_config (build_id, state, owner, volume_id, create_event, creator_id)
         SELECT id, state, owner, volume_id, create_event, owner FROM build
         WHERE id = ANY($1) AND NOT EXISTS (SELECT FROM build_config c WHERE c.build_id = build.id)",
        "INSERT INTO tag_listing (build_id, tag_id, create_event, creator_id)
         SELECT b.id, t.id, $3, 1 FROM unnest($1::bigint[]) AS b (id), tag t WHERE t.name = $2",
    ] {
        let query = sqlx::query(statement).bind(&ids);
        let query = if statement.contains("$2") { query.bind(tag).bind(event) } else { query };
        query.execute(&mut *conn).await.expect(statement);
    }
    for (builds, ids) in builds.chunks(500).zip(ids.chunks(500)) {
        insert_rpms(conn, builds, ids).await;
    }
    transaction.commit().await.expect("a commit");
}

async fn insert_rpms(conn: &mut PgConnection, builds: &[MadeUpBuild], ids: &[i64]) {
    let mut columns: (Vec<i64>, Vec<&str>, Vec<&str>, Vec<&str>) = Default::default();
    let (mut sizes, mut pkgids, mut fragments) = (Vec::new(), Vec::new(), Vec::new());
    for (build, id) in builds.iter().zip(ids) {
        for rpm in &build.rpms {
            let Ok(Parsed::Header(header)) = header::parse(&rpm.bytes) else { panic!("{} is no RPM", rpm.name) };
            let (sha256, size) = (hex::encode(Sha256::digest(&rpm.bytes)), rpm.bytes.len() as u64);
            let rendered = fragment::render(&header, FileFacts { sha256: &sha256, size });
            columns.0.push(*id);
            columns.1.push(&rpm.name);
            columns.2.push(&build.version);
            columns.3.push(rpm.arch);
            sizes.push(size as i64);
            pkgids.push(sha256);
            fragments.push(stored::encode(rendered).expect("fragments are encoded"));
        }
    }
    let rpms: Vec<i64> = sqlx::query_scalar(
        "INSERT INTO rpminfo (build_id, name, version, release, arch, payloadhash, size, buildtime)
         SELECT build, name, version, $5, arch, md5(pkgid), size, 1700000000
         FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $6::bigint[], $7::text[])
             AS r (build, name, version, arch, size, pkgid)
         RETURNING id",
    )
    .bind(&columns.0)
    .bind(&columns.1)
    .bind(&columns.2)
    .bind(&columns.3)
    .bind(RELEASE)
    .bind(&sizes)
    .bind(&pkgids)
    .fetch_all(&mut *conn)
    .await
    .expect("RPMs");
    sqlx::query(
        "INSERT INTO rpm_fragment (rpm_id, pkgid, mtime, fragment)
         SELECT rpm, pkgid, $4, fragment FROM unnest($1::bigint[], $2::text[], $3::bytea[]) AS f (rpm, pkgid, fragment)",
    )
    .bind(&rpms)
    .bind(&pkgids)
    .bind(&fragments)
    .bind(MADE_AT as i64)
    .execute(conn)
    .await
    .expect("fragments");
}
