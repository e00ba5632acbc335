//! Tiny real RPMs, made by rpmbuild once a test.

use std::{fs, path::Path, process::Command};

use crate::builder::Package;

/// An RPM.
#[derive(Clone, Debug)]
pub(crate) struct Rpm {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

fn spec(name: &str) -> String {
    format!(
        "Name: {name}\nVersion: 1.0\nRelease: 1\nSummary: A test\nLicense: Apache-2.0\n\
         %description\nA test.\n%install\nmkdir -p %{{buildroot}}/opt\necho {name} > %{{buildroot}}/opt/{name}\n\
         %files\n/opt/{name}\n"
    )
}

fn rpmbuild(top: &Path, name: &str, target: &str, what: &str) {
    rpmbuild_spec(top, name, &spec(name), target, what);
}

fn rpmbuild_spec(top: &Path, name: &str, spec: &str, target: &str, what: &str) {
    let spec_file = top.join(format!("{name}.spec"));
    fs::write(&spec_file, spec).unwrap();
    let out = Command::new("rpmbuild")
        .args([what, "--target", target, "--define"])
        .arg(format!("_topdir {}", top.display()))
        // nothing is compiled, so nothing is to be taken apart
        .args(["--define", "debug_package %{nil}", "--define", "__os_install_post %{nil}"])
        .arg(spec_file)
        .output()
        .unwrap();
    assert!(out.status.success(), "rpmbuild: {}", String::from_utf8_lossy(&out.stderr));
}

fn find(dir: &Path, prefix: &str) -> Rpm {
    let mut entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let entry = entries.find(|entry| entry.file_name().to_string_lossy().starts_with(prefix)).unwrap();
    Rpm { name: entry.file_name().into_string().unwrap(), bytes: fs::read(entry.path()).unwrap() }
}

/// `hello-1.0-1`, built for two architectures; and a package of another source.
pub(crate) fn hello() -> Package {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    let mut built = Vec::new();
    for arch in ["x86_64", "aarch64"] {
        rpmbuild(top, "hello", arch, if arch == "x86_64" { "-ba" } else { "-bb" });
        built.push((arch.to_owned(), find(&top.join("RPMS").join(arch), "hello-")));
    }
    rpmbuild(top, "other", "x86_64", "-bb");
    let stranger = find(&top.join("RPMS/x86_64"), "other-");
    Package { source: find(&top.join("SRPMS"), "hello-"), built, noarch: Vec::new(), stranger }
}

/// A noarch RPM of hello, as each architecture's build makes it; `of` says what is in its spec there: lines of the preamble, and of
/// `%install` and `%files`.
pub(crate) fn data(of: impl Fn(&str) -> [String; 3]) -> Vec<(String, Rpm)> {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path();
    let build = |arch: &str| {
        let [preamble, install, files] = of(arch);
        let text = format!(
            "Name: hello\nVersion: 1.0\nRelease: 1\nSummary: A test\nLicense: Apache-2.0\n%description\nA test.\n\
             %package data\nSummary: Its data\nBuildArch: noarch\n{preamble}\n%description data\nIts data.\n\
             %install\nmkdir -p %{{buildroot}}/opt\necho $RANDOM$$ > %{{buildroot}}/opt/data\n{install}\n\
             %files data\n/opt/data\n{files}\n"
        );
        rpmbuild_spec(top, "hello", &text, arch, "-bb");
        (arch.to_owned(), find(&top.join("RPMS/noarch"), "hello-data-"))
    };
    ["x86_64", "aarch64"].map(build).into()
}
