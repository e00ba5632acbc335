//! S3 and SQS, served in this process over one directory; or elsewhere, by an emulator.

use std::{
    fs,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, Result};
use aws_credential_types::Credentials as Keys;
use chrono::{TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use toji_hub::{
    config::{Issued, QueueCredentials},
    env::SameForAll,
};
use toji_protocol::{
    id::HostId,
    queue::{QueueAccess, Queues},
    queue_name::QueueUrls,
};
use toji_store::{Store, StoreAccess};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::{
    credentials::{Access, Credentials},
    s3, sqs,
    stop::stopped,
};

const REGION: &str = "us-east-1";
const BUCKET: &str = "toji";
const QUEUE_PREFIX: &str = "toji-";

/// How long a builder's keys are good: it asks for new ones before.
const KEYS_LAST: TimeDelta = TimeDelta::hours(12);

/// Where S3 and SQS are, and what opens them.
pub struct Cloud {
    s3: String,
    sqs: String,
    keys: Keys,
    /// Whom the servers of this process know; None when they are somebody else's.
    known: Option<Credentials>,
    stop: watch::Sender<bool>,
    servers: JoinSet<()>,
}

/// What is remembered over a restart: queue URLs that builders hold stay good.
#[derive(Serialize, Deserialize)]
struct Remembered {
    s3_port: u16,
    sqs_port: u16,
    access_key: String,
    secret: String,
}

impl Cloud {
    /// Serves both from `dir`, on ports of their own that are remembered there.
    ///
    /// # Errors
    /// When another process has the directory, or it cannot be read or written.
    pub async fn serve(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let file = dir.join("cloud.json");
        let before = remembered(&file)?;
        let ports = before.as_ref().map_or((0, 0), |before| (before.s3_port, before.sqs_port));
        let (s3_listener, s3_port) = listen(ports.0).await?;
        let (sqs_listener, sqs_port) = listen(ports.1).await?;
        let (access_key, secret) = match before {
            Some(before) => (before.access_key, before.secret),
            None => (random("TOJIROOT", 6), random("", 20)),
        };

        let known = Credentials::new(&access_key, &secret);
        let sqs = format!("http://127.0.0.1:{sqs_port}");
        let s3_server = s3::Server::open(&dir.join("s3"), known.clone()).context("cannot open the S3 directory")?;
        let sqs_server =
            sqs::Server::open(&dir.join("sqs"), known.clone(), &sqs).context("cannot open the SQS directory")?;
        // only now is the directory ours
        remember(&file, &Remembered { s3_port, sqs_port, access_key: access_key.clone(), secret: secret.clone() })?;
        let (stop, stop_s3) = watch::channel(false);
        let stop_sqs = stop_s3.clone();
        let mut servers = JoinSet::new();
        servers.spawn(async move { s3_server.serve(s3_listener, stopped(stop_s3)).await });
        servers.spawn(async move { sqs_server.serve(sqs_listener, stopped(stop_sqs)).await });
        let keys = Keys::from_keys(access_key, secret, None);
        Ok(Self { s3: format!("http://127.0.0.1:{s3_port}"), sqs, keys, known: Some(known), stop, servers })
    }

    /// Uses what another process serves from `dir`.
    ///
    /// # Errors
    /// When nobody has ever served from there.
    pub fn beside(dir: &Path) -> Result<Self> {
        let file = dir.join("cloud.json");
        let there = remembered(&file)?;
        let there =
            there.with_context(|| format!("{} is missing: start a front over this data first", file.display()))?;
        let at = |port: u16| format!("http://127.0.0.1:{port}");
        let keys = Keys::from_keys(there.access_key, there.secret, None);
        Ok(Self::of_others(at(there.s3_port), at(there.sqs_port), keys))
    }

    /// Uses an emulator at `endpoint`, which takes any keys.
    pub fn elsewhere(endpoint: &str) -> Self {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        Self::of_others(endpoint.clone(), endpoint, Keys::from_keys("test", "test", None))
    }

    fn of_others(s3: String, sqs: String, keys: Keys) -> Self {
        let (stop, _) = watch::channel(false);
        Self { s3, sqs, keys, known: None, stop, servers: JoinSet::new() }
    }

    /// The bucket, which is made if there is none.
    ///
    /// # Errors
    /// When S3 does not answer.
    pub async fn store(&self) -> Result<Store> {
        let access = StoreAccess {
            endpoint: Some(self.s3.clone()),
            region: REGION.to_owned(),
            credentials: Some(self.keys.clone()),
            bucket: BUCKET.to_owned(),
        };
        let store = Store::connect(&access).await;
        store.ensure_bucket().await?;
        Ok(store)
    }

    /// The queues.
    pub async fn queues(&self) -> Queues {
        Queues::new(self.queue_access().client().await, QUEUE_PREFIX)
    }

    /// What opens all queues.
    pub fn queue_access(&self) -> QueueAccess {
        QueueAccess {
            endpoint: Some(self.sqs.clone()),
            region: REGION.to_owned(),
            credentials: Some(self.keys.clone()),
        }
    }

    /// Who gives builders their keys.
    pub fn queue_credentials(&self) -> Box<dyn QueueCredentials> {
        match &self.known {
            Some(known) => Box::new(Issuer { endpoint: self.sqs.clone(), known: known.clone() }),
            None => {
                let endpoint = Some(self.sqs.clone());
                Box::new(SameForAll { endpoint, region: REGION.to_owned(), keys: Some(self.keys.clone()) })
            }
        }
    }

    /// Ends what is served.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.servers.join_next().await.is_some() {}
    }
}

/// Gives each builder short-lived keys, known to our SQS server only, that open its own queues and no other.
struct Issuer {
    endpoint: String,
    known: Credentials,
}

impl QueueCredentials for Issuer {
    fn issue(&self, _host: HostId, mut urls: QueueUrls) -> Issued<'_> {
        Box::pin(async move {
            let name = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
            let queues = std::iter::once(&urls.own).chain(urls.bins.iter().map(|bin| &bin.url));
            let queues = queues.map(|url| name(url)).collect();
            let (key, secret, token) = (random("TOJI", 8), random("", 20), random("", 32));
            let expires = Utc::now() + KEYS_LAST;
            self.known.add(&key, &secret, Some(&token), Some(expires), Access::Queues(queues));
            urls.endpoint = Some(self.endpoint.clone());
            urls.region = REGION.to_owned();
            urls.access_key_id = key;
            urls.secret_access_key = secret;
            urls.session_token = Some(token);
            urls.expires_ts = Some(expires.timestamp() as f64);
            Ok(urls)
        })
    }
}

/// `prefix` and so many random bytes in hex.
fn random(prefix: &str, bytes: usize) -> String {
    let mut text = prefix.to_owned();
    for _ in 0..bytes {
        text.push_str(&format!("{:02X}", rand::random::<u8>()));
    }
    text
}

/// A listener at `port`; at another one when that is taken, or 0.
async fn listen(port: u16) -> Result<(TcpListener, u16)> {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = match TcpListener::bind(at(port)).await {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => TcpListener::bind(at(0)).await,
        bound => bound,
    };
    let listener = listener.context("cannot listen on 127.0.0.1")?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

fn remembered(file: &Path) -> Result<Option<Remembered>> {
    let unreadable = || format!("cannot read {}; if it is damaged, remove it", file.display());
    match fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).map(Some).with_context(unreadable),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(unreadable),
    }
}

/// Written beside and moved into place, so that a crash leaves the old or the new; readable by nobody else.
fn remember(file: &Path, what: &Remembered) -> Result<()> {
    let new = file.with_extension("new");
    let written = || -> io::Result<()> {
        let _ = fs::remove_file(&new);
        let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        out.write_all(&serde_json::to_vec(what)?)?;
        fs::rename(&new, file)
    };
    written().with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_for_nobody_else() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cloud.json");
        assert!(remembered(&file).unwrap().is_none());
        for secret in ["a", "b"] {
            remember(&file, &Remembered { s3_port: 1, sqs_port: 2, access_key: "k".into(), secret: secret.into() })
                .unwrap();
            assert_eq!(remembered(&file).unwrap().unwrap().secret, secret);
        }
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&file, "{").unwrap();
        assert!(remembered(&file).is_err());
    }

    #[tokio::test]
    async fn others_use_it_from_beside() {
        let dir = tempfile::tempdir().unwrap();
        let error = Cloud::beside(dir.path()).err().unwrap().to_string();
        assert!(error.contains("start a front"), "{error}");
        let served = Cloud::serve(dir.path()).await.unwrap();
        let store = served.store().await.unwrap();
        store.put("a", "kept", "text/plain").await.unwrap();
        let beside = Cloud::beside(dir.path()).unwrap();
        assert_eq!(beside.store().await.unwrap().get("a").await.unwrap(), "kept");
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_replaced() {
        let (_held, port) = listen(0).await.unwrap();
        let (_other, other) = listen(port).await.unwrap();
        assert_ne!(port, other);
    }
}
