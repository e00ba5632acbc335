//! A mini distribution of two architectures, on a machine that is only one of them.
//!
//! Programs are what they are: those of this machine. So for the other architecture all of them go into one package that says `noarch`,
//! which dnf installs for any. What is built with them there is text.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::system::distribution;

/// The spec of that package: everything that lies in its build root.
const SPEC: &str = "\
%global __os_install_post %{nil}
%global __spec_install_pre %{nil}
%global __check_files %{nil}
%global debug_package %{nil}
%global _binaries_in_noarch_packages_terminate_build 0
Name: minidistro-buildroot
Version: 12
Release: 1.mini1
Summary: Everything that a buildroot needs, for machines that only claim to be another
License: Various free licences
BuildArch: noarch
AutoReqProv: no
Provides: /bin/sh /bin/bash rpm-build make

%description
A stand-in for a distribution. Not a real one.

%files
/*
";

/// The distribution, in a folder of its own that is deleted when this is dropped.
pub struct SecondArch {
    dir: TempDir,
}

impl SecondArch {
    /// The architecture that a builder of this machine can only claim to have.
    pub const ARCH: &str = "aarch64";

    /// Makes the distribution.
    ///
    /// # Panics
    /// When rpmbuild or createrepo_c fails.
    pub fn make() -> Self {
        let dir = tempfile::Builder::new().prefix("toji-arches-").tempdir().expect("a folder can be made");
        let own = distribution().join(env::consts::ARCH);
        let (tree, repo) = (dir.path().join("tree"), dir.path().join("repos").join(Self::ARCH));
        for folder in [&tree, &repo] {
            fs::create_dir_all(folder).expect("a new folder");
        }
        symlink(&own, dir.path().join("repos").join(env::consts::ARCH)).expect("a link can be made");
        let unpack = "for rpm in \"$0\"/*.rpm; do rpm2archive -n - <\"$rpm\" | tar -xp; done";
        run(Command::new("bash").args(["-o", "pipefail", "-ec", unpack]).arg(&own).current_dir(&tree));
        let spec = dir.path().join("minidistro.spec");
        fs::write(&spec, SPEC).expect("a spec can be written");
        let define = |name: &str, value: &str| ["--define".to_owned(), format!("{name} {value}")];
        let mut build = Command::new("rpmbuild");
        build.args(["-bb", "--quiet", "--noclean", "--nodeps", "--buildroot"]).arg(&tree);
        build.args(define("_topdir", &dir.path().join("rpmbuild").to_string_lossy()));
        build.args(define("_rpmdir", &repo.to_string_lossy())).args(define("_rpmfilename", "%%{NAME}.rpm"));
        build.args(define("_binary_payload", "w1T2.zstdio")).args(define("_dbpath", "/var/tmp/none"));
        run(build.arg(&spec).env("HOME", dir.path()));
        run(Command::new("createrepo_c").args(["-q", "--no-database"]).arg(&repo));
        fs::remove_dir_all(tree).expect("the tree can be deleted");
        Self { dir }
    }

    /// The folder that has a repo for each architecture.
    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("repos")
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", Path::new(command.get_program()).display());
}
