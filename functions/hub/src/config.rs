//! Settings of a deployment.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use chrono::TimeDelta;
use toji_keyring::Keyring;
use toji_protocol::{id::HostId, queue_name::QueueUrls};

use crate::{
    Result, callback,
    callback::remote::{Nobody, Remote},
    policy::PolicyFile,
    sidetag,
    tag::Quirks,
};

/// What a deployment may set.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where files are read from (`…/kojifiles`), without a slash at the end.
    pub topurl: String,
    /// How long a builder holds a task without renewing it.
    pub lease: TimeDelta,
    /// Attempts at a task before it fails because its builders were lost.
    pub max_attempts: i32,
    /// newRepo tasks at once.
    pub max_repo_tasks: i64,
    /// newRepo tasks that are tried for a request.
    pub repo_retries: i32,
    /// How far a repo may lag behind its tag when no event is asked for.
    pub repo_lag: TimeDelta,
    /// The event that is asked for is rounded down to this.
    pub repo_lag_window: TimeDelta,
    /// How long an outdated repo is kept.
    pub repo_lifetime: TimeDelta,
    /// How long a dist repo is kept that is not the newest.
    pub dist_repo_lifetime: TimeDelta,
    /// How long an expired repo's files are kept.
    pub expired_repo_lifetime: TimeDelta,
    /// Which tags want repos by themselves.
    pub auto_repos: AutoRepos,
    /// Whether passes sleep when nothing is written: see `activity`.
    pub sleeps: bool,
    /// How long a waitrepo task waits.
    pub wait_repo_timeout: TimeDelta,
    /// Where web pages are, without a slash at the end; None = beside the files.
    pub web_url: Option<String>,
    /// Who is told by mail, and how.
    pub mail: MailConfig,
    /// The absolute URL below which repos say that packages are; None = beside the repo (`toplink/…`), whatever its address.
    pub repo_base_url: Option<String>,
    /// How repo files are compressed where the tag does not say (`repo.compression`).
    pub repo_compression: toji_repodata::repo::Compression,
    /// The deployment's own policies. Those that `policy.set` stores go before them.
    pub policies: PolicyFile,
    /// A policy that allows or denies, and is not there, allows: Koji's `MissingPolicyOk`.
    pub missing_policy_ok: bool,
    /// Who is denied is told the rule: Koji's `VerbosePolicy`.
    pub verbose_policy: bool,
    /// How side tags are.
    pub sidetags: sidetag::Settings,
    /// The kinds of tasks of which what a failed one left is kept; None = all.
    pub save_failed_tree: Option<Vec<String>>,
    /// Whether tags inherit as in Koji, oddities included.
    pub quirks: Quirks,
    /// Hooks, receivers of messages, and methods that others answer.
    pub callbacks: Arc<callback::Settings>,
    /// How those are called.
    pub remote: Arc<dyn Remote>,
    /// The signing keys that can be reached.
    pub keyring: Keyring,
    /// Whose keys they are, as their OpenPGP user id says: `Name <address>`. A key that was used keeps its own.
    pub signing_user_id: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            topurl: String::new(),
            // more than twice the rescue pass's schedule of a minute: see `task::rescue`
            lease: TimeDelta::minutes(5),
            max_attempts: 4,
            max_repo_tasks: 10,
            repo_retries: 3,
            repo_lag: TimeDelta::hours(1),
            repo_lag_window: TimeDelta::minutes(10),
            repo_lifetime: TimeDelta::days(7),
            dist_repo_lifetime: TimeDelta::days(7),
            expired_repo_lifetime: TimeDelta::days(7),
            auto_repos: AutoRepos::Tags,
            sleeps: false,
            wait_repo_timeout: TimeDelta::minutes(120),
            web_url: None,
            mail: MailConfig::default(),
            repo_base_url: None,
            repo_compression: toji_repodata::repo::Compression::Zstd,
            policies: PolicyFile::default(),
            missing_policy_ok: true,
            verbose_policy: false,
            sidetags: sidetag::Settings::default(),
            save_failed_tree: Some(vec!["buildArch".to_owned()]),
            quirks: Quirks::Koji,
            callbacks: Arc::default(),
            remote: Arc::new(Nobody),
            keyring: Keyring::default(),
            signing_user_id: "toji signing key".to_owned(),
        }
    }
}

impl Config {
    /// Where web pages are, without a slash at the end.
    pub fn web_url(&self) -> String {
        match &self.web_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("{}/koji", self.topurl.trim_end_matches("/kojifiles")),
        }
    }
}

/// Which tags want repos by themselves, whoever waits for one or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AutoRepos {
    /// Those whose setting `repo.auto` is true, as in Koji.
    #[default]
    Tags,
    /// And the build tags of all targets, unless theirs is false.
    Targets,
}

impl std::str::FromStr for AutoRepos {
    type Err = String;

    fn from_str(word: &str) -> std::result::Result<Self, String> {
        match word {
            "tags" => Ok(Self::Tags),
            "targets" => Ok(Self::Targets),
            other => Err(format!("'{other}': say tags or targets")),
        }
    }
}

/// Who is told by mail, and how.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// Nobody is told anything.
    pub is_off: bool,
    /// The domain of users' addresses, which are `name@domain`; None = `localhost`.
    pub domain: Option<String>,
    /// Those who submitted a build or own its package are told when all went well, too.
    pub on_success: bool,
    /// The sender's address; None = `toji` in the domain.
    pub from: Option<String>,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self { is_off: false, domain: None, on_success: true, from: None }
    }
}

impl MailConfig {
    /// The domain of users' addresses.
    pub fn domain(&self) -> &str {
        self.domain.as_deref().unwrap_or("localhost")
    }

    /// A user's address.
    pub fn address(&self, name: &str) -> String {
        format!("{name}@{}", self.domain())
    }

    /// The sender's address.
    pub fn sender(&self) -> String {
        self.from.clone().unwrap_or_else(|| self.address("toji"))
    }
}

/// The answer of [`QueueCredentials::issue`].
pub type Issued<'a> = Pin<Box<dyn Future<Output = Result<QueueUrls>> + Send + 'a>>;

/// Gives builders short-lived credentials that open their own queues and no other: the local server's own, or AWS STS's.
pub trait QueueCredentials: Send + Sync {
    /// Completes `urls`, whose `own` and `bins` are set, with credentials for just those.
    fn issue(&self, host: HostId, urls: QueueUrls) -> Issued<'_>;
}

impl fmt::Debug for dyn QueueCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueueCredentials")
    }
}
