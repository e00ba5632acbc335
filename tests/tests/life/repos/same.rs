//! What createrepo_c makes of the same files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use toji_repodata::repo::DataKind;
use toji_tests::made_up::{self, MadeUpBuild};

use super::{Got, Repos};
use crate::{
    repodata::{createrepo, dnf, metadata, packages, repoquery, run},
    world::start,
};

const LOCATION: &str = "<location href=\"toplink/";
const LISTS: [DataKind; 3] = [DataKind::Primary, DataKind::Filelists, DataKind::Other];

/// The packages of a repo of ours are those that createrepo_c finds in a folder, word for word; but for where they are.
fn assert_same(got: &Got, folder: &Path, count: usize) {
    for kind in LISTS {
        let (ours, theirs) = (got.text(kind), metadata(folder, kind.name()));
        assert!(ours.contains(&format!(" packages=\"{count}\"")) && theirs.contains(&format!(" packages=\"{count}\"")));
        let ours: BTreeMap<_, _> =
            packages(ours).into_iter().map(|(id, package)| (id, without_folder(&package, LOCATION, '"'))).collect();
        let theirs = packages(&theirs);
        assert_eq!(ours.len(), count);
        for (id, package) in &theirs {
            assert_eq!(ours.get(id), Some(package), "{}", kind.name());
        }
    }
}

/// The path that begins with the `mark`'s end, `toplink/packages/…/x.rpm`, as `x.rpm`.
fn without_folder(package: &str, mark: &str, after: char) -> String {
    let Some(start) = package.find(mark) else { return package.to_owned() };
    let start = start + mark.len() - "toplink/".len();
    let end = start + package[start..].find(after).unwrap();
    let name = package[start..end].rsplit('/').next().unwrap();
    format!("{}{name}{}", &package[..start], &package[end..])
}

/// Everything that createrepo_c's parser finds in a repo, but for where packages are; None where there is no parser.
fn parsed(folder: &Path) -> Option<String> {
    const SCRIPT: &str = r#"
import sys, json, createrepo_c as cr
left_out = {"location_href", "location_base", "copy", "nevra", "nvra"}
packages, warnings = cr.RepositoryReader.from_path(sys.argv[1]).parse_packages()
assert not warnings, warnings
fields = [name for name in dir(cr.Package) if name[0] != "_" and name not in left_out]
print(json.dumps({id: {f: getattr(p, f) for f in fields} for id, p in sorted(packages.items())}, sort_keys=True))
"#;
    let python = Path::new(&std::env::var_os("CREATEREPO_C")?).with_file_name("python");
    let output = run(Command::new(python).args(["-c", SCRIPT]).arg(folder));
    Some(String::from_utf8(output.stdout).unwrap())
}

/// dnf tells the same of both repos, misses nothing in ours, and createrepo_c reads the same.
fn assert_read_alike(ours: &Path, theirs: &Path) {
    let of_theirs = repoquery(theirs);
    let of_ours: BTreeSet<String> = repoquery(ours).iter().map(|line| without_folder(line, "|toplink/", '|')).collect();
    assert_eq!(of_ours.difference(&of_theirs).next(), None);
    assert_eq!(of_ours.len(), of_theirs.len());
    let closure = ["--setopt=plugins=1", "--disableplugin=*", "--enableplugin=repoclosure", "repoclosure"];
    assert_eq!(dnf(ours, &closure).trim(), "");
    match (parsed(ours), parsed(theirs)) {
        (Some(ours), theirs) => assert!(Some(ours) == theirs, "createrepo_c's parser tells them apart"),
        (None, _) => eprintln!("skipped: CREATEREPO_C names no createrepo_c whose parser could be asked"),
    }
}

fn count(builds: &[MadeUpBuild]) -> usize {
    builds.iter().map(|build| build.rpms.len()).sum()
}

async fn compare(options: PgPoolOptions, connect: PgConnectOptions, sources: u32) {
    let repos = Repos::new(options, connect).await;
    let folder = tempfile::tempdir().unwrap();
    let builds = repos.fill("r", 0..sources, 1).await;
    made_up::write(&builds, folder.path());
    createrepo(folder.path());
    for (compression, extension) in [("gzip", ".gz"), ("zstd", ".zst")] {
        let extra = json!({"tagInfo": "r", "extra": {"repo.compression": compression}});
        repos.farm.world.ok("editTag2", extra).await;
        let got = repos.made("r").await;
        assert!(got.repomd.records.iter().all(|record| record.href.ends_with(extension)), "{:?}", got.repomd);
        assert_same(&got, folder.path(), count(&builds));
        let mirror = tempfile::tempdir().unwrap();
        repos.mirror("r", got.id, mirror.path()).await;
        assert_read_alike(mirror.path(), folder.path());
    }
    // once more, when a third of them have been built again
    let again = repos.fill("r", 0..sources / 3, 2).await;
    fs::remove_dir_all(folder.path()).unwrap();
    fs::create_dir(folder.path()).unwrap();
    made_up::write(&again, folder.path());
    made_up::write(&builds[sources as usize / 3..], folder.path());
    createrepo(folder.path());
    assert_same(&repos.made("r").await, folder.path(), count(&builds));
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn few_packages(options: PgPoolOptions, connect: PgConnectOptions) {
    compare(options, connect, 3).await;
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn many_packages(options: PgPoolOptions, connect: PgConnectOptions) {
    // of 2.5 packages each
    let sources = if std::env::var_os("TOJI_SOAK").is_some() { 2000 } else { 200 };
    compare(options, connect, sources).await;
}

/// A deployment may say where packages are, whatever the repo's own address.
#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn packages_at_an_address_of_their_own(options: PgPoolOptions, connect: PgConnectOptions) {
    let repos = Repos::new(options, connect).await;
    repos.fill("r", 0..2, 1).await;
    let beside = repos.made("r").await;
    let url = "https://files.example.org/kojifiles";
    let hub = repos.farm.world.hub_with(|config| config.repo_base_url = Some(url.to_owned()));
    let (_, message) = repos.begin("r").await;
    let fetch = toji_repo::HttpFetch::new().unwrap();
    toji_repo::handle(&hub, &message, start(), &fetch).await.unwrap();
    let elsewhere = repos.newest("r").await;
    let wanted = beside.text(DataKind::Primary).replace("href=\"toplink/", &format!("xml:base=\"{url}/\" href=\""));
    assert_ne!(beside.text(DataKind::Primary), wanted);
    assert_eq!(elsewhere.text(DataKind::Primary), wanted, "frames of the other form are not taken over");
}
