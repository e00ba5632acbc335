//! A hub from the environment: how every Lambda function begins.
//!
//! | variable | meaning |
//! |---|---|
//! | `DATABASE_URL` | Postgres |
//! | `TOJI_BUCKET` | the bucket |
//! | `TOJI_TOPURL` | where files are read from, `…/kojifiles` |
//! | `TOJI_QUEUE_PREFIX` | what the queues' names begin with; `toji-` unless said |
//! | `TOJI_LEASE_SECONDS` | how long a silent builder keeps its task |
//! | `TOJI_POLICY` | the deployment's policies: the path of a file as in `policy::file`, or its text |
//! | `TOJI_MISSING_POLICY_OK` | `false`: a policy that is not there denies |
//! | `TOJI_VERBOSE_POLICY` | `true`: who is denied is told the rule |
//! | `TOJI_SIDETAG_NAMES` | what side tags are called; `{basetag}-side-{tag_id}` unless said |
//! | `TOJI_SIDETAG_SUFFIXES` | what users may have added to the name, with commas between |
//! | `TOJI_SIDETAG_QUOTA` | the most side tags that a user may have |
//! | `TOJI_SIDETAG_REMOVE_EMPTY` | `true`: a side tag goes with its last build |
//! | `TOJI_SIDETAG_NEW_REPO` | `true`: a new side tag's repo is asked for at once |
//! | `TOJI_SAVE_FAILED_TREE` | kinds of tasks, with commas between, or `*`; `buildArch` unless said |
//! | `TOJI_AUTO_REPOS` | `tags`: repos are made by themselves of tags whose setting `repo.auto` is true; `targets`: of all targets' build tags, too. `tags` unless said |
//! | `TOJI_SLEEP` | `false`: scheduled passes ask Postgres each time, also when nothing has been written |
//! | `TOJI_QUIRKS` | `koji`: tags inherit as in Koji, oddities included; `none`: without them. `koji` unless said |
//! | `TOJI_HOOKS` | hooks, webhooks and added methods: the path of a file as in `callback::settings`, or its text |
//! | `TOJI_SIGNING_KEYS` | a folder with key files for tags whose `sign.key` is `file:NAME`: for development only |
//! | `TOJI_SIGNING_USER_ID` | whose the signing keys are, as `Name <address>` |
//! | `AWS_REGION` | `us-east-1` unless said |
//! | `AWS_ENDPOINT_URL` | AWS elsewhere: LocalStack. `AWS_ENDPOINT_URL_KMS`: KMS alone |

use std::{sync::Arc, time::Duration};

use aws_credential_types::Credentials;
use chrono::TimeDelta;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use thiserror::Error as ThisError;
use toji_keyring::{Keyring, KmsAccess};
use toji_protocol::{
    id::HostId,
    queue::{QueueAccess, Queues},
    queue_name::QueueUrls,
};
use toji_store::{Store, StoreAccess, Unset};

use crate::{
    Error, Hub, callback,
    callback::remote::Remote,
    config::{Config, Issued, MailConfig, QueueCredentials},
    policy::PolicyFile,
    sidetag,
};

/// A function answers one request at a time; the second connection is for what a request does beside its transaction.
const CONNECTIONS: u32 = 2;

/// Shorter than the server's own idle timeout, so that no request begins on a connection that the server has closed.
const IDLE: Duration = Duration::from_secs(45);

/// What is wrong with the environment.
#[derive(Debug, ThisError)]
pub enum EnvError {
    /// A variable is missing.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// A variable makes no sense.
    #[error("the environment variable {name} makes no sense: {problem}")]
    Senseless {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl Hub {
    /// Puts a hub together from the environment, which calls what is outside by `remote`. Nothing is opened yet.
    ///
    /// # Errors
    /// When a variable is missing or makes no sense.
    pub async fn from_env(remote: Arc<dyn Remote>) -> Result<Self, EnvError> {
        let database: PgConnectOptions = parsed("DATABASE_URL")?.ok_or(EnvError::Missing("DATABASE_URL"))?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_secs(10))
            .idle_timeout(IDLE)
            .connect_lazy_with(database);
        let access = StoreAccess::from_env().map_err(|Unset(name)| EnvError::Missing(name))?;
        let (endpoint, region) = (access.endpoint.clone(), access.region.clone());
        let queue_access = QueueAccess { endpoint: endpoint.clone(), region: region.clone(), credentials: None };
        let prefix = optional("TOJI_QUEUE_PREFIX").unwrap_or_else(|| "toji-".to_owned());
        let topurl = optional("TOJI_TOPURL").ok_or(EnvError::Missing("TOJI_TOPURL"))?;
        let mut config = Config { topurl: topurl.trim_end_matches('/').to_owned(), ..Config::default() };
        if let Some(seconds) = parsed("TOJI_LEASE_SECONDS")? {
            config.lease = TimeDelta::seconds(seconds);
        }
        if let Some(named) = optional("TOJI_POLICY") {
            config.policies =
                policies(&named).map_err(|problem| EnvError::Senseless { name: "TOJI_POLICY", problem })?;
        }
        if let Some(ok) = parsed("TOJI_MISSING_POLICY_OK")? {
            config.missing_policy_ok = ok;
        }
        if let Some(verbose) = parsed("TOJI_VERBOSE_POLICY")? {
            config.verbose_policy = verbose;
        }
        config.web_url = optional("TOJI_WEB_URL");
        config.repo_base_url = optional("TOJI_REPO_BASE_URL");
        config.mail = mail()?;
        config.sidetags = sidetags()?;
        if let Some(methods) = optional("TOJI_SAVE_FAILED_TREE") {
            config.save_failed_tree = (methods.trim() != "*").then(|| words(&methods));
        }
        if let Some(auto_repos) = parsed("TOJI_AUTO_REPOS")? {
            config.auto_repos = auto_repos;
        }
        config.sleeps = parsed("TOJI_SLEEP")?.unwrap_or(true);
        if let Some(quirks) = parsed("TOJI_QUIRKS")? {
            config.quirks = quirks;
        }
        if let Some(named) = optional("TOJI_HOOKS") {
            let senseless = |problem| EnvError::Senseless { name: "TOJI_HOOKS", problem };
            let settings = hooks(&named).map_err(senseless)?;
            settings.check(&*remote).map_err(|problem| senseless(problem.to_string()))?;
            config.callbacks = Arc::new(settings);
        }
        config.remote = remote;
        config.keyring = keyring().with_kms(KmsAccess::default()).await;
        if let Some(user_id) = optional("TOJI_SIGNING_USER_ID") {
            config.signing_user_id = user_id;
        }
        let keys = match (optional("AWS_ACCESS_KEY_ID"), optional("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) if endpoint.is_some() => Some(Credentials::from_keys(id, secret, None)),
            _ => None,
        };
        let store = Store::connect(&access).await;
        let queues = Queues::new(queue_access.client().await, &prefix);
        Ok(Self::new(pool, store, queues, Box::new(SameForAll { endpoint, region, keys }), config))
    }
}

/// The key files that the environment names.
pub fn keyring() -> Keyring {
    let keyring = Keyring::default();
    match optional("TOJI_SIGNING_KEYS") {
        Some(folder) => keyring.with_folder(folder.into()),
        None => keyring,
    }
}

/// Settings of mail; whoever sends it reads more.
///
/// # Errors
/// When a variable makes no sense.
pub fn mail() -> Result<MailConfig, EnvError> {
    let default = MailConfig::default();
    Ok(MailConfig {
        is_off: parsed("TOJI_DISABLE_NOTIFICATIONS")?.unwrap_or(default.is_off),
        domain: optional("TOJI_EMAIL_DOMAIN"),
        on_success: parsed("TOJI_NOTIFY_ON_SUCCESS")?.unwrap_or(default.on_success),
        from: optional("TOJI_MAIL_FROM"),
    })
}

fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn parsed<T>(name: &'static str) -> Result<Option<T>, EnvError>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let senseless = |problem: T::Err| EnvError::Senseless { name, problem: problem.to_string() };
    optional(name).map(|value| value.parse().map_err(senseless)).transpose()
}

fn sidetags() -> Result<sidetag::Settings, EnvError> {
    let default = sidetag::Settings::default();
    Ok(sidetag::Settings {
        name_template: optional("TOJI_SIDETAG_NAMES").unwrap_or(default.name_template),
        allowed_suffixes: optional("TOJI_SIDETAG_SUFFIXES").map(|suffixes| words(&suffixes)).unwrap_or_default(),
        quota: parsed("TOJI_SIDETAG_QUOTA")?,
        remove_empty: parsed("TOJI_SIDETAG_REMOVE_EMPTY")?.unwrap_or(default.remove_empty),
        trigger_new_repo: parsed("TOJI_SIDETAG_NEW_REPO")?.unwrap_or(default.trigger_new_repo),
    })
}

/// What stands between commas.
fn words(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Policies from a file, or from their text: a text has more than one line.
///
/// # Errors
/// When the file cannot be read, or a line is no rule.
pub fn policies(named: &str) -> Result<PolicyFile, String> {
    text(named)?.parse::<PolicyFile>().map_err(|error| error.to_string())
}

/// Hooks and webhooks from a file, or from its text: a text has more than one line.
///
/// # Errors
/// When the file cannot be read, or makes no sense.
pub fn hooks(named: &str) -> Result<callback::Settings, String> {
    text(named)?.parse().map_err(|problem: callback::settings::SettingsError| problem.to_string())
}

fn text(named: &str) -> Result<String, String> {
    if named.contains('\n') {
        return Ok(named.to_owned());
    }
    std::fs::read_to_string(named).map_err(|error| format!("{named}: {error}"))
}

/// Hands the same keys to every builder: for emulators, where nothing is guarded.
pub struct SameForAll {
    /// Where SQS is.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// The keys; None on AWS, where nobody may have the hub's own.
    pub keys: Option<Credentials>,
}

impl QueueCredentials for SameForAll {
    fn issue(&self, _host: HostId, mut urls: QueueUrls) -> Issued<'_> {
        Box::pin(async move {
            let keys = self.keys.as_ref().ok_or_else(|| {
                Error::internal(anyhow::anyhow!(
                    "this deployment has nobody who gives builders credentials for their queues"
                ))
            })?;
            urls.endpoint.clone_from(&self.endpoint);
            urls.region.clone_from(&self.region);
            keys.access_key_id().clone_into(&mut urls.access_key_id);
            keys.secret_access_key().clone_into(&mut urls.secret_access_key);
            Ok(urls)
        })
    }
}
