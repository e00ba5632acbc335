//! The file that says what a plugin is for.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use thiserror::Error;
use toji_protocol::arch::{canonical, is_valid};

use super::Plugin;
use crate::config::Config;

/// What is wrong with a plugin.
#[derive(Debug, Error)]
pub enum PluginError {
    /// The file, or the folder, cannot be read.
    #[error("cannot read {}: {error}", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is no TOML, or has a setting that is not known or of the wrong type.
    #[error("{}: {error}", .file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// Where and why.
        error: Box<toml::de::Error>,
    },
    /// It makes no sense.
    #[error("{}: {problem}", .file.display())]
    Senseless {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Somebody else could change it, and so run as the builder does.
    #[error("{} must belong to the builder's user, and nobody else may write to it: chown root and chmod go-w it", .0.display())]
    Exposed(PathBuf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    method: String,
    /// Beside the file, unless absolute.
    program: PathBuf,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default = "default_weight")]
    weight: f64,
    channel: Option<String>,
    /// The machines that it runs on; any unless said.
    arches: Option<Vec<String>>,
    uid: Option<u32>,
    /// Seconds.
    timeout: Option<u64>,
}

fn default_weight() -> f64 {
    1.0
}

/// The plugins in a folder that are for a machine with these settings, and the file of each.
pub(super) fn load(dir: &Path, config: &Config) -> Result<Vec<(PathBuf, Plugin)>, PluginError> {
    let unreadable = |error| PluginError::Unreadable { path: dir.to_owned(), error };
    check_safe(dir)?;
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    let mut plugins = Vec::new();
    for file in files {
        if let Some(plugin) = read(&file, config)? {
            plugins.push((file, plugin));
        }
    }
    Ok(plugins)
}

/// None when it is for other machines.
fn read(file: &Path, config: &Config) -> Result<Option<Plugin>, PluginError> {
    check_safe(file)?;
    let text = fs::read_to_string(file).map_err(|error| PluginError::Unreadable { path: file.to_owned(), error })?;
    let manifest: Manifest = toml::from_str(&text)
        .map_err(|error| PluginError::Malformed { file: file.to_owned(), error: Box::new(error) })?;
    let senseless = |problem: String| PluginError::Senseless { file: file.to_owned(), problem };
    check(&manifest).map_err(senseless)?;
    let program = file.parent().unwrap_or(Path::new("/")).join(&manifest.program);
    check_safe(&program)?;
    if !fs::metadata(&program).is_ok_and(|meta| meta.is_file() && meta.mode() & 0o111 != 0) {
        return Err(senseless(format!("the program {} cannot be executed: chmod +x it", program.display())));
    }
    let fits = |arch: &String| config.arches.iter().any(|own| canonical(own) == canonical(arch));
    if manifest.arches.as_ref().is_some_and(|arches| !arches.iter().any(fits)) {
        tracing::info!(method = manifest.method, "a plugin is for other architectures");
        return Ok(None);
    }
    Ok(Some(Plugin {
        method: manifest.method,
        program,
        args: manifest.args,
        weight: manifest.weight,
        channel: manifest.channel,
        uid: manifest.uid,
        timeout: Duration::from_secs(manifest.timeout.unwrap_or(config.build_timeout)),
    }))
}

fn check(manifest: &Manifest) -> Result<(), String> {
    let Manifest { method, weight, .. } = manifest;
    // It names a log, too.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !method.starts_with(|c: char| c.is_ascii_alphabetic()) || !method.chars().all(is_plain) {
        return Err(format!("method: '{method}' must begin with a letter and have only letters, digits and ._-"));
    }
    if !(*weight >= 0.0 && weight.is_finite()) {
        return Err("weight: must be 0 or more".to_owned());
    }
    if manifest.timeout == Some(0) {
        return Err("timeout: must be at least 1 s".to_owned());
    }
    if let Some(bad) = manifest.arches.iter().flatten().find(|arch| !is_valid(arch)) {
        return Err(format!("arches: '{bad}' is no architecture"));
    }
    Ok(())
}

fn check_safe(path: &Path) -> Result<(), PluginError> {
    let meta = fs::metadata(path).map_err(|error| PluginError::Unreadable { path: path.to_owned(), error })?;
    let is_ours = [0, rustix::process::geteuid().as_raw()].contains(&meta.uid());
    if is_ours && meta.mode() & 0o022 == 0 { Ok(()) } else { Err(PluginError::Exposed(path.to_owned())) }
}
