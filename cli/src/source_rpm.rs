//! Source RPMs on their way to the hub.

use std::{
    fs::File,
    io::{IsTerminal, Read},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use toji_protocol::{
    client::FileDigest,
    method::upload::{FinishUpload, StartUpload},
};

use crate::session::Session;

/// What every RPM file begins with.
const MAGIC: [u8; 4] = [0xed, 0xab, 0xee, 0xdb];
/// The lead's type of a source RPM, after the magic and two bytes of version.
const SOURCE: [u8; 2] = [0, 1];

/// Looks whether a file is a source RPM, before anything is sent.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    let mut file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
    if file.metadata().with_context(|| format!("cannot read {shown}"))?.is_dir() {
        bail!("{shown} is a directory, not a source RPM");
    }
    let mut lead = [0; 8];
    let is_rpm = match file.read_exact(&mut lead) {
        Ok(()) => lead.starts_with(&MAGIC),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => false,
        Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
    };
    if !is_rpm {
        bail!("{shown} is no RPM: build from a .src.rpm file, or from an SCM URL with '://' in it");
    }
    if lead[6..8] != SOURCE {
        bail!("{shown} is a binary RPM: a build takes the source RPM, which ends in .src.rpm");
    }
    Ok(())
}

/// Uploads a file into a new folder and answers its path below `work/`.
pub(crate) async fn upload(session: &Session, path: &Path, progress: bool) -> anyhow::Result<String> {
    let name = path.file_name().and_then(|name| name.to_str()).context("the file's name is not UTF-8")?;
    let digest = FileDigest::of(path).await?;
    let target = format!("cli-build/{}/{name}", unique());
    let client = &session.client;
    let start = StartUpload { path: target.clone(), size: digest.size, parts: digest.parts };
    let plan = client.call(&start).await?;
    let bar = bar(digest.size.unsigned_abs(), name, progress && !session.quiet && !session.json);
    let parts = client.upload_parts(&plan, path, |bytes| bar.inc(bytes)).await?;
    client.call(&FinishUpload { path: target.clone(), upload_id: plan.upload_id, parts }).await?;
    bar.finish_and_clear();
    Ok(target)
}

/// A progress bar on a terminal; elsewhere nothing.
pub(crate) fn bar(size: u64, name: &str, wanted: bool) -> ProgressBar {
    let wanted = wanted && std::io::stderr().is_terminal();
    let target = if wanted { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(size), target).with_message(name.to_owned());
    let template = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

/// A folder nobody else has: the time, and eight letters.
fn unique() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let letters: String = rand::random::<[u8; 8]>().iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    format!("{:.6}.{letters}", now.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(content: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        match check(file.path()) {
            Ok(()) => String::new(),
            Err(error) => format!("{error:#}").replace(&file.path().display().to_string(), "FILE"),
        }
    }

    #[test]
    fn only_source_rpms_are_sent() {
        assert_eq!(refused(&[0xed, 0xab, 0xee, 0xdb, 3, 0, 0, 1, 0, 1]), "");
        let binary = refused(&[0xed, 0xab, 0xee, 0xdb, 3, 0, 0, 0, 0, 1]);
        assert_eq!(binary, "FILE is a binary RPM: a build takes the source RPM, which ends in .src.rpm");
        for content in [&b""[..], b"\xed\xab", b"PK\x03\x04 a zip file"] {
            let said = refused(content);
            assert_eq!(said, "FILE is no RPM: build from a .src.rpm file, or from an SCM URL with '://' in it");
        }
        let missing = check(Path::new("/nowhere/x.src.rpm")).unwrap_err();
        assert_eq!(format!("{missing:#}"), "cannot read /nowhere/x.src.rpm: No such file or directory (os error 2)");
        assert_eq!(check(Path::new("/")).unwrap_err().to_string(), "/ is a directory, not a source RPM");
    }

    #[test]
    fn folders_differ() {
        assert_ne!(unique(), unique());
        assert!(!unique().contains('/'));
    }
}
