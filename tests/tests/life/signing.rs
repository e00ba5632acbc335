//! RPMs that are really signed: a key of gpg's, and rpm itself to check with.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use sqlx::PgPool;
use tempfile::TempDir;
use toji_protocol::{
    nvr::{Nvr, Nvra},
    object_key,
};

use crate::world::World;

/// A spec with something of everything that is asked for.
const SPEC: &str = "\
Name: tree
Epoch: 2
Version: 1.0
Release: 3
Summary: A tree
License: MIT
Requires: bash >= 5
Recommends: leaves
Conflicts: fire
%description
It grows.
%install
mkdir -p %{buildroot}/opt/tree
head -c BYTES /dev/urandom > %{buildroot}/opt/tree/wood
%files
%dir /opt/tree
/opt/tree/wood
%changelog
* Wed Nov 18 2026 Ada <ada@example.org> - 1.0-3
- third
* Tue Nov 17 2026 Bob <bob@example.org> - 1.0-2
- second
";

/// A build whose files are in S3, and where its RPMs lie on disk.
pub(crate) struct Tree {
    pub(crate) build: i64,
    /// Of the binary RPM.
    pub(crate) rpm: i64,
    pub(crate) bytes: Vec<u8>,
    dir: TempDir,
}

fn run(command: &mut Command) -> String {
    let out = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{command:?}: {said}");
    said
}

impl Tree {
    /// Builds `tree-1.0-3` with a payload of so many bytes, and imports it as an import leaves it.
    pub(crate) async fn plant(world: &World, bytes: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let spec = dir.path().join("tree.spec");
        fs::write(&spec, SPEC.replace("BYTES", &bytes.to_string())).unwrap();
        let top = format!("_topdir {}", dir.path().display());
        let mut rpmbuild = Command::new("rpmbuild");
        rpmbuild.args(["-ba", "--target", "x86_64", "--define", &top, "--define", "debug_package %{nil}"]);
        run(rpmbuild.args(["--define", "__os_install_post %{nil}"]).arg(spec));
        let build = insert_build(&world.pool).await;
        let mut rpm = 0;
        for arch in ["src", "x86_64"] {
            let bytes = fs::read(place(dir.path(), arch)).unwrap();
            rpm = insert_rpm(world, build, arch, &bytes).await;
        }
        let bytes = fs::read(place(dir.path(), "x86_64")).unwrap();
        Self { build, rpm, bytes, dir }
    }

    /// Signs a copy of the binary RPM with a new key; answers the key's short id, and the copy.
    pub(crate) fn sign(&self, name: &str) -> (String, Vec<u8>) {
        let home = self.dir.path().join(name);
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let gpg = |arguments: &[&str]| {
            run(Command::new("gpg").arg("--homedir").arg(&home).args(["--batch", "--passphrase", ""]).args(arguments))
        };
        gpg(&["--quick-gen-key", name, "rsa2048", "sign", "never"]);
        let listed = gpg(&["--list-keys", "--with-colons"]);
        let id = listed.lines().find_map(|line| line.strip_prefix("pub:")?.split(':').nth(3)).unwrap();
        let public = gpg(&["--armor", "--export", name]);
        fs::write(home.join("public.asc"), public).unwrap();
        let signed = home.join("tree-1.0-3.x86_64.rpm");
        fs::write(&signed, &self.bytes).unwrap();
        let mut rpmsign = Command::new("rpmsign");
        // Debian's rpm looks for it under its old name
        let gpg2 = run(Command::new("sh").args(["-c", "command -v gpg"]));
        rpmsign.env("GNUPGHOME", &home).args(["--define", &format!("__gpg {}", gpg2.trim())]);
        rpmsign.args(["--define", &format!("_gpg_name {name}"), "--addsign"]);
        run(rpmsign.arg(&signed));
        run(Command::new("gpgconf").arg("--homedir").arg(&home).args(["--kill", "all"]));
        (id[id.len() - 8..].to_lowercase(), fs::read(signed).unwrap())
    }

    /// What `rpm -K` says of a file when it knows that key.
    pub(crate) fn check(&self, name: &str, bytes: &[u8]) -> String {
        let public = fs::read_to_string(self.dir.path().join(name).join("public.asc")).unwrap();
        verify(&public, bytes).unwrap()
    }
}

/// What `rpm -K` says of a file when it knows this key and no other, well or badly.
pub(crate) fn verify(public: &str, bytes: &[u8]) -> Result<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let (key, file) = (dir.path().join("public.asc"), dir.path().join("checked.rpm"));
    fs::write(&key, public).unwrap();
    fs::write(&file, bytes).unwrap();
    let rpm = || {
        let mut rpm = Command::new("rpmkeys");
        rpm.arg("--dbpath").arg(dir.path().join("db"));
        rpm
    };
    run(rpm().arg("--import").arg(&key));
    // without a signature it would be content with digests
    let out = rpm().args(["--define", "_pkgverify_level all", "-Kv"]).arg(file).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    if out.status.success() { Ok(said) } else { Err(said) }
}

fn place(dir: &Path, arch: &str) -> std::path::PathBuf {
    let folder = if arch == "src" { "SRPMS".to_owned() } else { format!("RPMS/{arch}") };
    dir.join(folder).join(format!("tree-1.0-3.{arch}.rpm"))
}

async fn insert_build(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "WITH package AS (INSERT INTO package (name) VALUES ('tree') RETURNING id)
         INSERT INTO build (pkg_id, version, release, epoch, state, owner, create_event, start_time, completion_time)
         SELECT id, '1.0', '3', 2, 1, 1, new_event(), now(), now() FROM package RETURNING id",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

async fn insert_rpm(world: &World, build: i64, arch: &str, bytes: &[u8]) -> i64 {
    let nvr = Nvr::parse("tree-1.0-3").unwrap();
    let key = object_key::rpm(&nvr, &Nvra { nvr: nvr.clone(), arch: arch.to_owned() });
    world.hub.store.put(&key, bytes.to_vec(), "application/x-rpm").await.unwrap();
    let header = toji_hub::import::read_header(&world.hub, &key, bytes.len() as i64).await.unwrap();
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO rpminfo (build_id, name, version, release, epoch, arch, payloadhash, size, buildtime)
         VALUES ($1, 'tree', '1.0', '3', 2, $2, $3, $4, 1) RETURNING id",
    )
    .bind(build)
    .bind(arch)
    .bind(header.sigmd5)
    .bind(bytes.len() as i64)
    .fetch_one(&world.pool)
    .await
    .unwrap();
    sqlx::query("INSERT INTO rpmsigs VALUES ($1, '', $2)")
        .bind(id)
        .bind(header.sighash)
        .execute(&world.pool)
        .await
        .unwrap();
    id
}

/// A call that must fail; answers the fault's number and text.
pub(crate) async fn fault(world: &World, token: &str, method: &str, arguments: Value) -> (i32, String) {
    match world.call(token, method, arguments.clone(), crate::world::start()).await {
        Ok(reply) => panic!("{method}({arguments}) answered {reply}"),
        Err(error) => (error.fault_code(), error.to_string()),
    }
}
