//! Real RPMs and real repositories to compare with.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this")]

pub mod craft;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use sha2::{Digest, Sha256};
use toji_repodata::{
    fragment::{self, FileFacts, Fragments, Location},
    header::{self, Parsed, RpmHeader},
};

/// Runs a tool; says how to get it if it is absent.
pub fn run(command: &mut Command) -> Output {
    let name = command.get_program().to_string_lossy().into_owned();
    let output =
        command.output().unwrap_or_else(|error| panic!("cannot run {name} ({error}): `make setup` installs it"));
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Builds all packages of a spec file, source package included, into `dir`.
pub fn rpmbuild(spec: &str, dir: &Path) -> Vec<PathBuf> {
    let work = tempfile::tempdir().unwrap();
    let spec_file = work.path().join("package.spec");
    fs::write(&spec_file, spec).unwrap();
    fs::write(work.path().join("a.txt"), "hello\n").unwrap();
    let out = work.path().join("out");
    let mut command = Command::new("rpmbuild");
    command.env("HOME", work.path()).args(["-ba", "--nodeps", "--target", "x86_64"]);
    for (name, value) in [
        ("_topdir", work.path().join("top")),
        ("_sourcedir", work.path().to_owned()),
        ("_rpmdir", out.clone()),
        ("_srcrpmdir", out.clone()),
        ("_build_name_fmt", "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm".into()),
    ] {
        command.arg("--define").arg(format!("{name} {}", value.display()));
    }
    run(command.arg(&spec_file));
    let mut built = Vec::new();
    for entry in fs::read_dir(&out).unwrap() {
        let from = entry.unwrap().path();
        let to = dir.join(from.file_name().unwrap());
        fs::copy(&from, &to).unwrap();
        built.push(to);
    }
    built.sort();
    built
}

/// A spec of a package without files.
pub fn plain_spec(name: &str, evr: (&str, &str, &str), extra: &str) -> String {
    let (epoch, version, release) = evr;
    let epoch = if epoch.is_empty() { String::new() } else { format!("Epoch: {epoch}\n") };
    format!(
        "Name: {name}\n{epoch}Version: {version}\nRelease: {release}\nSummary: {name}\nLicense: MIT\n{extra}\n\
         %description\n{name}\n%files\n"
    )
}

pub fn createrepo_binary() -> String {
    std::env::var("CREATEREPO_C").unwrap_or_else(|_| "createrepo_c".to_owned())
}

/// Whether the createrepo_c at hand is older than 1.0, which marks fewer requirements as `pre`.
pub fn createrepo_is_old() -> bool {
    let output = run(Command::new(createrepo_binary()).arg("--version"));
    String::from_utf8_lossy(&output.stdout).contains("Version: 0.")
}

/// Makes a repository of `dir` with createrepo_c.
pub fn createrepo(dir: &Path) {
    let mut command = Command::new(createrepo_binary());
    command.args(["--quiet", "--no-database"]);
    if !createrepo_is_old() {
        command.args(["--compress-type=gz", "--general-compress-type=gz"]);
    }
    run(command.arg(dir));
}

/// The decompressed content of the one file of `kind` in a repository.
pub fn metadata(dir: &Path, kind: &str) -> String {
    let suffix = format!("-{kind}.xml.gz");
    let file = fs::read_dir(dir.join("repodata"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().ends_with(&suffix))
        .unwrap_or_else(|| panic!("no {kind} in {}", dir.display()));
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(fs::File::open(file).unwrap()).read_to_end(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// The `<package>` elements of a metadata file, by package id.
pub fn packages(xml: &str) -> BTreeMap<String, String> {
    xml.split_inclusive("</package>\n")
        .filter_map(|piece| piece.find("<package ").map(|start| piece[start..].to_owned()))
        .map(|package| {
            let mark = if package.contains("pkgid=\"YES\">") { "pkgid=\"YES\">" } else { "pkgid=\"" };
            let start = package.find(mark).unwrap() + mark.len();
            (package[start..start + 64].to_owned(), package)
        })
        .collect()
}

pub fn read_header(bytes: &[u8]) -> RpmHeader {
    match header::parse(bytes).unwrap() {
        Parsed::Header(header) => *header,
        Parsed::NeedBytes(bytes) => panic!("a whole file is too short: {bytes} bytes wanted"),
    }
}

/// One package as the tests hold it.
pub struct Package {
    pub file_name: String,
    pub header: RpmHeader,
    pub sha256: String,
    pub size: u64,
    pub mtime: u64,
    pub fragments: Fragments,
}

impl Package {
    pub fn open(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let header = read_header(&bytes);
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let size = bytes.len() as u64;
        let fragments = fragment::render(&header, FileFacts { sha256: &sha256, size });
        let modified = fs::metadata(path).unwrap().modified().unwrap();
        let mtime = modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        Self {
            file_name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            header,
            sha256,
            size,
            mtime,
            fragments,
        }
    }

    pub fn location(&self) -> Location<'_> {
        Location { base: None, href: &self.file_name }
    }

    pub fn primary(&self) -> String {
        let mut out = Vec::new();
        self.fragments.primary.render(self.mtime, self.location(), &mut out);
        String::from_utf8(out).unwrap()
    }
}

/// All RPMs in a directory, by name.
pub fn rpms(dir: &Path) -> Vec<PathBuf> {
    let mut rpms: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rpm"))
        .collect();
    rpms.sort();
    rpms
}

/// Runs dnf on one repository and nothing else of this machine. `work` holds its root, cache and logs.
pub fn dnf_in(work: &Path, repo: &Path, arguments: &[&str]) -> String {
    let log = work.join("log");
    fs::create_dir_all(&log).unwrap();
    fs::write(work.join(".rpmmacros"), "%_dbpath /var/lib/rpm\n").unwrap();
    let output = run(Command::new("dnf")
        .env("HOME", work)
        .args(["--quiet", "--assumeyes", "--releasever=1", "--forcearch=x86_64"])
        .args(["--setopt=plugins=0", "--setopt=reposdir=/dev/null", "--setopt=gpgcheck=0"])
        .arg("--setopt=module_platform_id=platform:f1")
        .arg(format!("--setopt=cachedir={}", work.join("cache").display()))
        .arg(format!("--setopt=logdir={}", log.display()))
        .arg(format!("--installroot={}", work.join("root").display()))
        .arg(format!("--repofrompath=it,file://{}", repo.display()))
        .arg("--repo=it")
        .args(arguments));
    String::from_utf8(output.stdout).unwrap()
}

/// The same, with everything of its own thrown away after.
pub fn dnf(repo: &Path, arguments: &[&str]) -> String {
    dnf_in(tempfile::tempdir().unwrap().path(), repo, arguments)
}

/// All that dnf can tell of a package in a repository.
const FIELDS: &str = "%{name}|%{epoch}|%{version}|%{release}|%{arch}|%{summary}|%{url}|%{license}|%{sourcerpm}|\
     %{buildtime}|%{downloadsize}|%{installsize}|%{packager}|%{vendor}|%{group}|%{description}|%{location}|%{provides}|\
     %{requires}|%{conflicts}|%{obsoletes}|%{suggests}|%{recommends}|%{enhances}|%{supplements}|%{requires-pre}|%{files}@@";

/// What dnf tells of each package.
pub fn repoquery(repo: &Path) -> BTreeSet<String> {
    // createrepo_c before 1.0 marks fewer requirements; the fragments' own tests compare the rest of them.
    let fields = if createrepo_is_old() { FIELDS.replace("|%{requires-pre}", "") } else { FIELDS.to_owned() };
    dnf(repo, &["repoquery", "--qf", &fields]).split("@@").map(|line| line.trim().to_owned()).collect()
}
