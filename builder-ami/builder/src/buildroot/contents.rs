//! What is installed in a buildroot: its RPM database, read from outside.

use std::{
    io,
    path::{Path, PathBuf},
};

use toji_protocol::method::worker::InstalledRpm;

use crate::{
    failure::{Doing, TaskError},
    process::{Command, Scope},
};

const FORMAT: &str =
    "%{NAME}\\t%{VERSION}\\t%{RELEASE}\\t%{EPOCH}\\t%{ARCH}\\t%{SIGMD5}\\t%{SIZE}\\t%{LONGSIZE}\\t%{BUILDTIME}\\n";

/// Where RPM's database is, newer places first.
const DATABASES: [&str; 2] = ["usr/lib/sysimage/rpm", "var/lib/rpm"];

/// Where the RPM database in this root is.
pub(super) fn database(root: &Path) -> PathBuf {
    let has_one = |dir: &&&str| {
        let dir = root.join(**dir);
        ["rpmdb.sqlite", "Packages.db", "Packages"].iter().any(|file| dir.join(file).is_file())
    };
    root.join(DATABASES.iter().find(has_one).unwrap_or(&DATABASES[1]))
}

/// All that is installed in this root, without public keys.
///
/// # Errors
/// When rpm cannot read the database.
pub(super) async fn installed(root: &Path, scope: &Scope, log: &Path) -> Result<Vec<InstalledRpm>, TaskError> {
    let query = Command::new("rpm")
        .arg("--dbpath")
        .arg(database(root))
        .args(["-qa", "--qf", FORMAT])
        .log(log)
        .output(scope)
        .await;
    let (ended, output) = query.doing(|| "listing the buildroot".to_owned())?;
    if !ended.is_success() {
        return Err(TaskError::Build(format!("rpm cannot list the buildroot: it exited with status {}", ended.status)));
    }
    parse(&String::from_utf8_lossy(&output)).doing(|| "listing the buildroot".to_owned())
}

fn parse(listing: &str) -> io::Result<Vec<InstalledRpm>> {
    let mut rpms = Vec::new();
    for line in listing.lines() {
        let malformed = || io::Error::other(format!("rpm lists a package in a way that is not understood: {line}"));
        let rpm = parse_line(line).ok_or_else(malformed)?;
        if rpm.name != "gpg-pubkey" {
            rpms.push(rpm);
        }
    }
    rpms.sort_by(|a, b| (&a.name, &a.arch, &a.version, &a.release).cmp(&(&b.name, &b.arch, &b.version, &b.release)));
    Ok(rpms)
}

fn parse_line(line: &str) -> Option<InstalledRpm> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [name, version, release, epoch, arch, sigmd5, size, long_size, buildtime] = fields.as_slice() else {
        return None;
    };
    Some(InstalledRpm {
        name: (*name).to_owned(),
        version: (*version).to_owned(),
        release: (*release).to_owned(),
        epoch: match *epoch {
            "(none)" => None,
            number => Some(number.parse().ok()?),
        },
        arch: (*arch).to_owned(),
        payloadhash: (*sigmd5).to_owned(),
        // Which of the two there is depends on the size.
        size: size.parse().or_else(|_| long_size.parse()).unwrap_or(0),
        buildtime: buildtime.parse().ok()?,
        external_repo_id: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings() {
        let listing = "zsh\t5.9\t1\t(none)\tx86_64\tabc\t10\t10\t1700000000\n\
                       gpg-pubkey\t1\t2\t(none)\t(none)\t(none)\t0\t0\t0\n\
                       bash\t5.2\t2\t1\tx86_64\tdef\t(none)\t5000000000\t1700000001\n";
        let rpms = parse(listing).unwrap();
        assert_eq!(rpms.iter().map(|rpm| rpm.name.as_str()).collect::<Vec<_>>(), ["bash", "zsh"]);
        assert_eq!((rpms[0].epoch, rpms[0].size), (Some(1), 5_000_000_000));
        assert_eq!((rpms[1].epoch, rpms[1].payloadhash.as_str()), (None, "abc"));
        assert!(parse("bash 5.2\n").is_err());
    }
}
