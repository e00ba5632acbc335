//! Who is asked and told, and which methods others answer: the deployment's file, TOML, which `TOJI_HOOKS` names.
//!
//! ```toml
//! keep_days = 14                                # how long what was told can be told again
//!
//! [[hook]]                                      # is asked before something happens, and may refuse
//! name = "freeze"
//! callbacks = ["preTag", "preUntag"]
//! url = "https://freeze.example.com/ask"        # or lambda = "name or ARN"
//! timeout_ms = 3000
//! ignore_error = false                          # true: when it does not answer, that is a yes
//! secret = "whsec_…"                            # or secret_env = "NAME"; a list while one is replaced
//!
//! [[webhook]]                                   # is told of what has happened
//! name = "ci"
//! url = "https://ci.example.com/koji"
//! topics = ["build.*", "repo.done"]             # all that protonmsg sends, unless said
//! secret_env = "CI_SECRET"
//!
//! [[bus]]                                       # the same, by EventBridge
//! name = "company"
//! bus = "default"
//!
//! [[method]]                                    # an API method that somebody else answers
//! name = "acme.freeze"
//! doc = "Freezes a tag."
//! permission = "acme"                           # or access = "anonymous", "logged in"
//! parameters = ["tag", "until=nil"]             # none said: it takes any
//! lambda = "acme-freeze"
//! timeout_ms = 10000
//! ```

mod file;
mod secret;

use std::{collections::HashSet, str::FromStr, time::Duration};

use chrono::TimeDelta;
use file::File;
pub use secret::Secret;
use thiserror::Error as ThisError;

use super::{
    Callback, Happening, When,
    remote::{Endpoint, Remote},
    topic::Topic,
};
use crate::plugin::PluginMethod;

/// What is wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("{0}")]
pub struct SettingsError(pub(super) String);

/// Who is asked and told.
#[derive(Clone, Debug)]
pub struct Settings {
    hooks: Vec<Hook>,
    receivers: Vec<Receiver>,
    /// Methods that others answer.
    pub(crate) methods: Vec<PluginMethod>,
    /// How long what was told can be told again.
    pub(crate) keep: TimeDelta,
}

/// Who is asked before something happens.
#[derive(Clone, Debug)]
pub(crate) struct Hook {
    pub(crate) name: String,
    pub(crate) callbacks: Vec<Callback>,
    pub(crate) endpoint: Endpoint,
    pub(crate) limit: Duration,
    pub(crate) ignore_error: bool,
    pub(crate) secrets: Vec<Secret>,
}

/// Who is told of what has happened.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    pub(crate) name: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) topics: Vec<Topic>,
    pub(crate) limit: Duration,
    pub(crate) secrets: Vec<Secret>,
}

impl Receiver {
    pub(crate) fn wants(&self, address: &str) -> bool {
        self.topics.iter().any(|topic| topic.matches(address))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { hooks: Vec::new(), receivers: Vec::new(), methods: Vec::new(), keep: TimeDelta::days(14) }
    }
}

impl FromStr for Settings {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let file: File = toml::from_str(text).map_err(|error| SettingsError(error.to_string()))?;
        let settings = file.settings()?;
        unique("hook", settings.hooks.iter().map(|hook| hook.name.as_str()))?;
        unique("webhook or bus", settings.receivers.iter().map(|receiver| receiver.name.as_str()))?;
        unique("method", settings.methods.iter().map(|method| method.name.as_str()))?;
        Ok(settings)
    }
}

fn unique<'a>(kind: &str, names: impl Iterator<Item = &'a str>) -> Result<(), SettingsError> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(SettingsError(format!("there are two of {kind} '{name}': each needs a name of its own")));
        }
    }
    Ok(())
}

impl Settings {
    /// Whether there is anybody to be asked.
    pub(crate) fn has_hooks(&self) -> bool {
        !self.hooks.is_empty()
    }

    /// A hook, by name.
    pub(super) fn hook(&self, name: &str) -> Option<&Hook> {
        self.hooks.iter().find(|hook| hook.name == name)
    }

    /// Who is asked before something.
    pub(super) fn hooks_of(&self, callback: Callback) -> impl Iterator<Item = &Hook> {
        self.hooks.iter().filter(move |hook| hook.callbacks.contains(&callback))
    }

    /// A receiver, by name.
    pub(super) fn receiver(&self, name: &str) -> Option<&Receiver> {
        self.receivers.iter().find(|receiver| receiver.name == name)
    }

    /// All receivers.
    pub(super) fn receivers(&self) -> &[Receiver] {
        &self.receivers
    }

    /// Who is told of something.
    pub(super) fn receivers_of(&self, happening: &Happening) -> Vec<&Receiver> {
        self.receivers.iter().filter(|receiver| receiver.wants(&happening.address)).collect()
    }

    /// Whether anybody may want to be asked or told of something: if not, its data need not be fetched.
    pub(super) fn concerns(&self, callback: Callback, when: When) -> bool {
        match when {
            When::Pre => self.hooks_of(callback).next().is_some(),
            When::Post => {
                let topics = self.receivers.iter().flat_map(|receiver| &receiver.topics);
                topics.into_iter().any(|topic| topic.may_match(callback))
            }
        }
    }

    /// Whether this program can call all who are named.
    ///
    /// # Errors
    /// Which one it cannot, and what to do.
    pub fn check(&self, remote: &dyn Remote) -> Result<(), SettingsError> {
        let hooks = self.hooks.iter().map(|hook| (&hook.name, &hook.endpoint));
        let receivers = self.receivers.iter().map(|receiver| (&receiver.name, &receiver.endpoint));
        let methods = self.methods.iter().map(|method| (&method.name, &method.endpoint));
        for (name, endpoint) in hooks.chain(receivers).chain(methods) {
            remote.check(endpoint).map_err(|problem| SettingsError(format!("{name}: {problem}")))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"";

    fn problem(text: &str) -> String {
        match text.parse::<Settings>() {
            Ok(settings) => panic!("{text} is {settings:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_whole_file() {
        let settings: Settings = format!(
            r#"
            keep_days = 3
            [[hook]]
            name = "freeze"
            callbacks = ["preTag", "preUntag"]
            lambda = "acme-freeze"
            [[webhook]]
            name = "ci"
            url = "https://ci.example.com"
            secret = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_NfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
            [[bus]]
            name = "company"
            bus = "default"
            topics = ["build.*"]
            [[method]]
            name = "acme.freeze"
            permission = "acme"
            url = "http://localhost:1/x"
            {SECRET}
            "#
        )
        .parse()
        .unwrap();
        assert_eq!(settings.keep, TimeDelta::days(3));
        assert!(settings.concerns(Callback::Tag, When::Pre) && !settings.concerns(Callback::Import, When::Pre));
        assert!(settings.concerns(Callback::Import, When::Post));
        assert_eq!(settings.receivers().len(), 2);
        assert_eq!(settings.receiver("ci").unwrap().secrets.len(), 2);
        assert_eq!(settings.hook("freeze").unwrap().limit, Duration::from_secs(3));
        assert!(!format!("{settings:?}").contains("MfKQ"), "secrets are shown nowhere");
        assert!(settings.check(&super::super::remote::Nobody).is_err());
        let nothing: Settings = "".parse().unwrap();
        assert!(Callback::ALL.into_iter().all(|callback| !nothing.concerns(callback, When::Post)));
        assert!(nothing.check(&super::super::remote::Nobody).is_ok());
    }

    #[test]
    fn what_makes_no_sense() {
        let hook = |more: &str| problem(&format!("[[hook]]\nname = \"h\"\n{more}"));
        let url = "url = \"http://x\"";
        for (more, said) in [
            ("", "missing field `callbacks`"),
            ("callbacks = []\nurl = \"http://x\"", "callbacks is empty"),
            ("callbacks = [\"preTag\"]", "either url or lambda"),
            ("callbacks = [\"preTag\"]\nurl = \"http://x\"\nlambda = \"y\"", "either url or lambda"),
            ("callbacks = [\"postTag\"]\nurl = \"http://x\"", "has happened already"),
            ("callbacks = [\"preCreateRepo\"]\nurl = \"http://x\"", "no callback point 'preCreateRepo'"),
            ("callbacks = [\"preTag\"]\nurl = \"ftp://x\"", "'ftp://x' is no URL"),
            ("callbacks = [\"preTag\"]\nurl = \"https:///x\"", "is no URL"),
            ("callbacks = [\"preTag\"]\nurl = \"http://x\"\ntimeout_ms = 60000", "from 1 to 10000"),
            ("callbacks = [\"preTag\"]\nurl = \"http://x\"\ntimeout_ms = 0", "from 1 to 10000"),
            ("callbacks = [\"preTag\"]\nurl = \"http://x\"\nsecret = \"hunter2\"", "a secret is `whsec_`"),
            ("callbacks = [\"preTag\"]\nurl = \"http://x\"\nsecret_env = \"TOJI_NOT_SET\"", "TOJI_NOT_SET is not set"),
            ("callbacks = [\"preTag\"]\nurl = \"http://x\"\ncolour = 1", "unknown field `colour`"),
        ] {
            assert!(hook(more).contains(said), "{more}: {}", hook(more));
        }
        assert!(!hook("callbacks = [\"preTag\"]\nurl = \"http://x\"\nsecret = \"hunter2\"").contains("hunter2"));
        let webhook = |more: &str| problem(&format!("[[webhook]]\nname = \"w\"\n{url}\n{more}"));
        for (more, said) in [
            ("", "needs a secret"),
            ("secret = \"whsec_\"", "a secret is `whsec_`"),
            (&format!("{SECRET}\ntopics = []"), "topics is empty"),
            (&format!("{SECRET}\ntopics = [\"postTag\"]"), "topics are addresses"),
            (&format!("{SECRET}\ntopics = [\"tag.*\"]"), "nothing is ever told under 'tag.*'"),
        ] {
            assert!(webhook(more).contains(said), "{more}: {}", webhook(more));
        }
        let method = |name: &str, more: &str| problem(&format!("[[method]]\nname = \"{name}\"\n{url}\n{more}"));
        for (name, more, said) in [
            ("x", "", "say who may call it"),
            ("x", "access = \"all\"", "say who may call it"),
            ("x", "access = \"anonymous\"\npermission = \"p\"", "say who may call it"),
            ("getTag", "access = \"anonymous\"", "that name is the hub's own"),
            ("host.x", "access = \"anonymous\"", "that name is the hub's own"),
            ("a b", "access = \"anonymous\"", "a method's name has"),
            ("x", "access = \"anonymous\"\nparameters = [\"a=1.5\"]", "'1.5' is no default"),
            ("x", "access = \"anonymous\"\ntimeout_ms = 30000", "from 1 to 25000"),
        ] {
            assert!(method(name, more).contains(said), "{more}: {}", method(name, more));
        }
        let twice = format!("[[webhook]]\nname = \"w\"\n{url}\n{SECRET}\n[[bus]]\nname = \"w\"\nbus = \"b\"");
        assert!(problem(&twice).contains("there are two of webhook or bus 'w'"));
        assert!(problem("[[hooks]]").contains("unknown field `hooks`"));
        assert!(problem("nonsense").contains("line 1"));
    }
}
