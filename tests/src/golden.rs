//! Packages that are named for how their builds end.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A source package.
#[derive(Clone, Debug)]
pub struct Golden {
    name: &'static str,
    release: u32,
    /// What `%build` does.
    build: String,
    /// What `%install` does besides; the folder of data is there.
    install: &'static str,
    /// Further lines of the preamble.
    preamble: &'static str,
}

impl Golden {
    /// Builds, in no time: an RPM for the machine, and one for all.
    pub fn good(release: u32) -> Self {
        Self::new("good", release, "echo brewing > good")
    }

    /// Builds, in no time, one RPM for all machines.
    pub fn noarch(release: u32) -> Self {
        Self { preamble: "BuildArch: noarch", ..Self::new("noarch", release, "echo brewing > noarch") }
    }

    /// Its `%build` says why, and fails.
    pub fn fails_in_build(release: u32) -> Self {
        Self::new("fails-in-build", release, "echo 'error: the yeast is dead' >&2\nexit 3")
    }

    /// Requires what is in no repo.
    pub fn needs_what_nobody_has(release: u32) -> Self {
        Self { preamble: "BuildRequires: unobtainium >= 7", ..Self::new("needs-what-nobody-has", release, "true") }
    }

    /// The same with further lines of the preamble, such as `ExclusiveArch: aarch64`.
    pub fn with(self, preamble: &'static str) -> Self {
        Self { preamble, ..self }
    }

    /// Builds after a while: it runs `sleep` with this number of seconds, by whose odd form the process is known.
    pub fn sleeps(release: u32, seconds: &str) -> Self {
        Self::new("sleeps", release, &format!("echo asleep\nsleep {seconds}\necho awake > sleeps"))
    }

    /// Never ends by itself, and starts five that try to get away: in a session of their own, deaf to the end of it, and orphaned.
    pub fn runs_away(release: u32, seconds: &str) -> Self {
        let build = format!(
            "setsid sleep {seconds}1 &\nnohup sleep {seconds}2 >/dev/null 2>&1 &\n\
             (setsid sh -c 'sleep {seconds}3 & exec sleep {seconds}4' &)\n\
             sh -c 'trap \"\" TERM HUP; env -i /usr/bin/setsid /usr/bin/sleep {seconds}5 &'\nsleep {seconds}6"
        );
        Self::new("runs-away", release, &build)
    }

    /// Says what time it is, five times a second: `tick 1 1795288271.123456789` and so on.
    pub fn ticks(release: u32, ticks: u32) -> Self {
        let build = format!("for n in $(seq {ticks}); do echo tick $n $(date +%s.%N); sleep 0.2; done\necho > ticks");
        Self::new("ticks", release, &build)
    }

    /// Says so many MiB, in lines that count.
    pub fn chatty(release: u32, mib: u32) -> Self {
        let build = format!("seq -f 'line %%012.0f of what is long' 1 {}\necho > chatty", u64::from(mib) << 15);
        Self::new("chatty", release, &build)
    }

    /// Its `%build` does as it is told. Run it where it can do no harm.
    pub fn hostile(release: u32, build: &str) -> Self {
        Self::new("hostile", release, build)
    }

    /// The same, with more to install below `usr/share/hostile`, which is in `$data`.
    pub fn hostile_files(release: u32, install: &'static str) -> Self {
        Self { install, ..Self::new("hostile", release, "true") }
    }

    fn new(name: &'static str, release: u32, build: &str) -> Self {
        Self { name, release, build: build.to_owned(), install: "", preamble: "" }
    }

    /// All their names.
    pub const NAMES: [&str; 9] = [
        "good",
        "noarch",
        "fails-in-build",
        "needs-what-nobody-has",
        "sleeps",
        "runs-away",
        "ticks",
        "chatty",
        "hostile",
    ];

    /// Its name-version-release.
    pub fn nvr(&self) -> String {
        format!("{}-1.0-{}", self.name, self.release)
    }

    fn spec(&self) -> String {
        let Self { name, release, build, install, preamble } = self;
        format!(
            "\
%global debug_package %{{nil}}
Name: {name}
Version: 1.0
Release: {release}
Summary: A golden package
License: Apache-2.0
{preamble}

%description
A package for the tests of toji.

%package data
Summary: Its data
BuildArch: noarch

%description data
Data for the tests of toji.

%prep
%setup -q -c -T

%build
{build}

%install
mkdir -p %{{buildroot}}/usr/share/{name} %{{buildroot}}/usr/bin
echo data > %{{buildroot}}/usr/share/{name}/data
printf '#!/bin/sh\\necho {name}\\n' > %{{buildroot}}/usr/bin/{name}
chmod 755 %{{buildroot}}/usr/bin/{name}
data=%{{buildroot}}/usr/share/{name}
{install}

%files
/usr/bin/{name}

%files data
/usr/share/{name}
"
        )
    }

    /// Makes its source RPM in a folder.
    ///
    /// # Panics
    /// When rpmbuild fails.
    pub fn srpm(&self, dir: &Path) -> PathBuf {
        let work = tempfile::tempdir().expect("a folder can be made");
        let spec = work.path().join(format!("{}.spec", self.name));
        fs::write(&spec, self.spec()).expect("a spec can be written");
        let define = |name: &str, path: &Path| format!("{name} {}", path.display());
        let made = Command::new("rpmbuild")
            .args(["-bs", "--quiet", "--nodeps", "--define", &define("_topdir", work.path())])
            .args(["--define", &define("_srcrpmdir", dir)])
            .arg(&spec)
            // neither the caller's macros nor his rpm database matter
            .env("HOME", work.path())
            .output()
            .expect("rpmbuild can be run");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let path = dir.join(format!("{}.src.rpm", self.nvr()));
        assert!(path.is_file(), "{} was not made", path.display());
        path
    }
}
