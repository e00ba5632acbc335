//! Who this builder is: a token that the hub gave it, kept where only root reads.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use toji_protocol::{client::Client, method::worker::EnrolHost};

use super::RunError;
use crate::{config::Config, hub};

/// What is kept.
#[derive(Serialize, Deserialize)]
struct Identity {
    /// The hub that it is for: a token is never shown to another.
    server: String,
    /// The host's name.
    name: String,
    /// The token.
    token: String,
}

fn path(config: &Config) -> PathBuf {
    config.state_dir.join("identity.json")
}

/// A client with the kept identity; None when there is none for this hub and name.
pub(super) fn load(config: &Config) -> Result<Option<Client>, RunError> {
    let path = path(config);
    let reading = |error| RunError::Machine { what: format!("reading {}", path.display()), error };
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(reading(error)),
    };
    let identity: Identity = serde_json::from_slice(&text).map_err(|error| reading(io::Error::other(error)))?;
    if identity.server != config.server || identity.name != config.name {
        return Ok(None);
    }
    client(config, &identity.token).map(Some)
}

/// Enrols this builder, and keeps what the hub answers.
pub(super) async fn enrol(config: &Config) -> Result<Client, RunError> {
    let token = config.enrol_token()?.ok_or_else(|| RunError::NotEnrolled { server: config.server.clone() })?;
    let request = EnrolHost {
        name: config.name.clone(),
        arches: config.arches.clone(),
        channels: Some(config.channels.clone()),
        capacity: Some(config.capacity),
    };
    let enrolled = hub::call(&client(config, &token)?, &request).await;
    let enrolled = enrolled.map_err(|error| RunError::hub("enrolling", error))?;
    let identity = Identity { server: config.server.clone(), name: config.name.clone(), token: enrolled.token.clone() };
    keep(&path(config), &identity)
        .map_err(|error| RunError::Machine { what: "keeping the token".to_owned(), error })?;
    tracing::info!(host = %config.name, id = %enrolled.host_id, "enrolled");
    client(config, &enrolled.token)
}

fn client(config: &Config, token: &str) -> Result<Client, RunError> {
    Client::new(&config.server, Some(token)).map_err(|error| RunError::hub("the hub's address", error))
}

/// Writes it whole or not at all.
fn keep(path: &Path, identity: &Identity) -> io::Result<()> {
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    let mut file = fs::File::options().create_new(true).write(true).mode(0o600).open(&new)?;
    file.write_all(&serde_json::to_vec(identity)?)?;
    file.sync_all()?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_token_is_for_one_hub_and_for_root() {
        let dir = tempfile::tempdir().unwrap();
        let config = |server: &str| -> Config {
            let dir = dir.path().display();
            let text = format!("server='{server}'\nname='b'\nstate_dir='{dir}'\narches=['x86_64']\nbuildroot='bwrap'");
            toml::from_str(&text).unwrap()
        };
        let here = config("http://here");
        assert!(load(&here).unwrap().is_none());
        let identity = Identity { server: "http://here".into(), name: "b".into(), token: "t".into() };
        keep(&path(&here), &identity).unwrap();
        assert_eq!(fs::metadata(path(&here)).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(load(&here).unwrap().is_some());
        assert!(load(&config("http://there")).unwrap().is_none());
        fs::write(path(&here), "{").unwrap();
        assert!(load(&here).is_err());
    }
}
