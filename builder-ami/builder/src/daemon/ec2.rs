//! What EC2 tells a machine that it is about to take away: Spot notices, and an Auto Scaling group's wish to scale in.
//!
//! Asked of the instance metadata service, version 2, with a token. No notice is answered with 404.

use std::{
    io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Deserialize;
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{Request, RunError};
use crate::config::{Config, Ec2Settings};

const SPOT: &str = "/latest/meta-data/spot/instance-action";
const LIFECYCLE: &str = "/latest/meta-data/autoscaling/target-lifecycle-state";
const TOKEN: &str = "/latest/api/token";
/// The longest that a token is good.
const TOKEN_SECONDS: u32 = 21_600;
/// AWS's advice for Spot notices, which come two minutes ahead.
const PACE: Duration = Duration::from_secs(5);
/// What is not done this long before the end is handed back.
const MARGIN: Duration = Duration::from_secs(45);
/// In the state folder: until when tasks may go on, in seconds since the epoch.
const FILE: &str = "leave";
const SILENCE: Duration = Duration::from_secs(2);

/// A notice that the machine goes.
#[derive(Debug, PartialEq, Eq)]
enum Notice {
    /// It is gone within this time.
    Spot(Duration),
    /// The group wants to end it, and waits for us for as long as its hook says.
    ScaleIn,
}

/// Watches for notices until one came: asks the service, where the settings say so, and looks for the file of [`announce`].
pub(super) fn watch(config: &Config, requests: mpsc::Sender<Request>) -> JoinHandle<()> {
    let (settings, file) = (config.ec2.clone(), config.state_dir.join(FILE));
    // One of an earlier life of this machine.
    let _ = std::fs::remove_file(&file);
    tokio::spawn(async move {
        let told = async {
            loop {
                if let Ok(text) = std::fs::read_to_string(&file) {
                    let at = text.trim().parse::<u64>().ok().map(|at| UNIX_EPOCH + Duration::from_secs(at));
                    break at.map_or(Duration::ZERO, time_until);
                }
                sleep(settings.pace()).await;
            }
        };
        let asked = async {
            match settings.metadata.as_ref().filter(|_| !settings.by_unit).and_then(|address| Service::new(address)) {
                Some(mut service) => service.wait(&settings).await,
                None => std::future::pending().await,
            }
        };
        let left = tokio::select! {
            left = told => left,
            left = asked => left,
        };
        tracing::warn!(seconds = left.as_secs(), "EC2 says that this machine goes");
        let _ = requests.send(Request::Leave(Instant::now() + left)).await;
    })
}

/// Waits for a notice, and leaves it in a file for the builder with these settings: what builds run beside must not reach the
/// service, so the builder does not either.
///
/// # Errors
/// When no address is set, or the file cannot be written.
pub async fn announce(config: &Config) -> Result<(), RunError> {
    let machine = |error| RunError::Machine { what: "watching for notices".to_owned(), error };
    let address = config.ec2.metadata.as_ref();
    let address = address.ok_or_else(|| machine(io::Error::other("the setting 'ec2.metadata' is missing")))?;
    let mut service =
        Service::new(address).ok_or_else(|| machine(io::Error::other("there can be no client for it")))?;
    let end = SystemTime::now() + service.wait(&config.ec2).await;
    let seconds = end.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (file, new) = (config.state_dir.join(FILE), config.state_dir.join(format!("{FILE}.new")));
    std::fs::write(&new, seconds.to_string()).and_then(|()| std::fs::rename(new, file)).map_err(machine)
}

impl Ec2Settings {
    fn pace(&self) -> Duration {
        self.pace_ms.map_or(PACE, Duration::from_millis)
    }
}

/// The metadata service.
struct Service {
    address: String,
    client: reqwest::Client,
    token: Option<String>,
}

/// Spot's notice.
#[derive(Deserialize)]
struct InstanceAction {
    /// Such as `2026-11-21T20:00:00Z`.
    time: String,
}

impl Service {
    fn new(address: &str) -> Option<Self> {
        // Nothing of what it says is to go through a proxy.
        let client = reqwest::Client::builder().no_proxy().timeout(SILENCE).build().ok()?;
        Some(Self { address: address.trim_end_matches('/').to_owned(), client, token: None })
    }

    /// Until there is a notice. Answers how long tasks may go on.
    async fn wait(&mut self, settings: &Ec2Settings) -> Duration {
        loop {
            match self.notice().await {
                Ok(Some(Notice::Spot(left))) => return left.saturating_sub(MARGIN),
                Ok(Some(Notice::ScaleIn)) => return Duration::from_secs(settings.scale_in_seconds),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "the metadata service does not answer");
                    self.token = None;
                }
            }
            sleep(settings.pace()).await;
        }
    }

    async fn notice(&mut self) -> reqwest::Result<Option<Notice>> {
        if let Some(text) = self.get(SPOT).await? {
            let time =
                serde_json::from_str::<InstanceAction>(&text).ok().and_then(|action| seconds_until(&action.time));
            // A notice that cannot be read is a notice: Spot gives two minutes.
            return Ok(Some(Notice::Spot(time.unwrap_or(Duration::from_secs(120)))));
        }
        let state = self.get(LIFECYCLE).await?;
        Ok(state.filter(|state| state.trim() == "Terminated").map(|_| Notice::ScaleIn))
    }

    /// None: there is nothing.
    async fn get(&mut self, path: &str) -> reqwest::Result<Option<String>> {
        let token = match &self.token {
            Some(token) => token.clone(),
            None => {
                let asked = self.client.put(format!("{}{TOKEN}", self.address));
                let asked = asked.header("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_SECONDS);
                let token = asked.send().await?.error_for_status()?.text().await?;
                self.token.insert(token).clone()
            }
        };
        let asked = self.client.get(format!("{}{path}", self.address)).header("x-aws-ec2-metadata-token", token);
        let answer = asked.send().await?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(answer.error_for_status()?.text().await?))
    }
}

/// None for what is no time.
fn seconds_until(time: &str) -> Option<Duration> {
    Some(time_until(chrono::DateTime::parse_from_rfc3339(time).ok()?.into()))
}

fn time_until(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::now()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{Router, extract::State, http::HeaderMap, http::StatusCode, routing::get};

    use super::*;

    /// What is answered for the two paths; tokens are good once only.
    #[derive(Default)]
    struct Fake {
        spot: Option<String>,
        lifecycle: Option<String>,
        tokens: usize,
        asked: usize,
    }

    type Shared = Arc<Mutex<Fake>>;

    fn answer(fake: &Shared, headers: &HeaderMap, what: fn(&Fake) -> Option<String>) -> Result<String, StatusCode> {
        let mut fake = fake.lock().unwrap();
        fake.asked += 1;
        // A token that has grown old is refused, and asked for again.
        if headers["x-aws-ec2-metadata-token"] != format!("token {}", fake.tokens) {
            return Err(StatusCode::UNAUTHORIZED);
        }
        what(&fake).ok_or(StatusCode::NOT_FOUND)
    }

    async fn serve(fake: &Shared) -> String {
        let token = |State(fake): State<Shared>, headers: HeaderMap| async move {
            assert_eq!(headers["x-aws-ec2-metadata-token-ttl-seconds"], "21600");
            let mut fake = fake.lock().unwrap();
            fake.tokens += 1;
            format!("token {}", fake.tokens)
        };
        let spot = |State(fake): State<Shared>, headers: HeaderMap| async move {
            answer(&fake, &headers, |fake| fake.spot.clone())
        };
        let state = |State(fake): State<Shared>, headers: HeaderMap| async move {
            answer(&fake, &headers, |fake| fake.lifecycle.clone())
        };
        let router = Router::new()
            .route(TOKEN, axum::routing::put(token))
            .route(SPOT, get(spot))
            .route(LIFECYCLE, get(state))
            .with_state(Arc::clone(fake));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    fn config(dir: &std::path::Path, metadata: Option<String>) -> Config {
        let text =
            format!("server='http://h'\nname='b'\nstate_dir='{}'\narches=['x86_64']\nbuildroot='bwrap'", dir.display());
        let mut config: Config = toml::from_str(&text).unwrap();
        config.ec2 = Ec2Settings { metadata, scale_in_seconds: 600, pace_ms: Some(10), by_unit: false };
        config
    }

    async fn told(fake: &Shared) -> Duration {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), Some(serve(fake).await));
        let (requests, mut asked) = mpsc::channel(1);
        let watching = watch(&config, requests);
        let Some(Request::Leave(until)) = asked.recv().await else { panic!("no notice") };
        watching.await.unwrap();
        until.duration_since(Instant::now())
    }

    #[tokio::test]
    async fn a_spot_notice_leaves_a_margin() {
        crate::testing::tls();
        let at = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now() + Duration::from_secs(120));
        let text = format!(r#"{{"action": "terminate", "time": "{}"}}"#, at.to_rfc3339());
        let fake = Shared::default();
        fake.lock().unwrap().spot = Some(text);
        let left = told(&fake).await;
        assert!((Duration::from_secs(60)..=Duration::from_secs(75)).contains(&left), "{left:?}");
        fake.lock().unwrap().spot = Some("not what it should be".to_owned());
        assert!(told(&fake).await <= Duration::from_secs(75), "a notice is a notice");
        fake.lock().unwrap().spot = Some(r#"{"action": "stop", "time": "2020-01-01T00:00:00Z"}"#.to_owned());
        assert!(told(&fake).await.is_zero());
    }

    #[tokio::test]
    async fn scaling_in_waits_for_what_runs() {
        crate::testing::tls();
        let fake = Shared::default();
        fake.lock().unwrap().lifecycle = Some("InService".to_owned());
        let watched = Arc::clone(&fake);
        let change = async move {
            while watched.lock().unwrap().asked < 4 {
                tokio::task::yield_now().await;
            }
            // The token that is held is no longer good; the next question must not give up.
            let mut fake = watched.lock().unwrap();
            fake.tokens += 1;
            fake.lifecycle = Some("Terminated".to_owned());
        };
        let (left, ()) = tokio::join!(told(&fake), change);
        assert!(left > Duration::from_secs(590), "{left:?}");
    }

    #[tokio::test]
    async fn another_unit_asks_and_leaves_a_file() {
        crate::testing::tls();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "1").unwrap();
        let fake = Shared::default();
        let mut config = config(dir.path(), Some(serve(&fake).await));
        config.ec2.by_unit = true;
        let (requests, mut asked) = mpsc::channel(1);
        let watching = watch(&config, requests);
        assert!(!dir.path().join(FILE).exists(), "an earlier life's");
        fake.lock().unwrap().lifecycle = Some("Terminated".to_owned());
        announce(&config).await.unwrap();
        let Some(Request::Leave(until)) = asked.recv().await else { panic!("no notice") };
        assert!(until.duration_since(Instant::now()) > Duration::from_secs(590));
        watching.await.unwrap();
        config.ec2.metadata = None;
        assert!(announce(&config).await.unwrap_err().to_string().contains("'ec2.metadata' is missing"));
    }
}
