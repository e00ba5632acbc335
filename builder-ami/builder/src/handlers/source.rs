//! The source RPM that a task is given.

use std::path::{Path, PathBuf};

use crate::{
    context::TaskContext,
    failure::{Doing, TaskError},
    fetch, srpm,
};

/// Loads a source RPM from below `work/` into the task's folder, and looks whether it is one.
///
/// # Errors
/// When its path leads elsewhere, it cannot be had, or is no source RPM.
pub(super) async fn fetch_srpm(ctx: &TaskContext, path: &str) -> Result<PathBuf, TaskError> {
    let name = file_name(path)?;
    let dir = ctx.dir.join("in");
    std::fs::create_dir_all(&dir).doing(|| "making the task's folder".to_owned())?;
    let target = dir.join(name);
    let url = format!("{}/work/{}", ctx.machine.facts().topurl, encoded(path));
    fetch::file(ctx.hub.client(), &url, &target).await?;
    srpm::facts(&target).await?;
    Ok(target)
}

fn file_name(path: &str) -> Result<&str, TaskError> {
    let steps: Vec<&str> = path.split('/').collect();
    let climbs = steps.iter().any(|step| step.is_empty() || *step == "." || *step == "..");
    match Path::new(path).file_name().and_then(|name| name.to_str()) {
        Some(name) if !climbs && name.ends_with(".src.rpm") => Ok(name),
        _ => Err(TaskError::Build(format!("'{path}' is no path of a source RPM"))),
    }
}

/// A path as a URL has it: `+` and the like mean themselves there.
fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(file_name("cli-build/1.x/a-1-1.src.rpm").unwrap(), "a-1-1.src.rpm");
        for path in ["", "a.rpm", "../a.src.rpm", "/etc/a.src.rpm", "x/../a.src.rpm", "x//a.src.rpm"] {
            assert!(file_name(path).is_err(), "{path}");
        }
        assert_eq!(encoded("cli/libstdc++-1~2^3.src.rpm"), "cli/libstdc%2B%2B-1~2%5E3.src.rpm");
    }
}
