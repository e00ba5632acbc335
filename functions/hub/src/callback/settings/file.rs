//! The file as it is written, and what it means.

use std::time::Duration;

use chrono::TimeDelta;
use serde::Deserialize;

use super::{Callback, Endpoint, Hook, Receiver, Secret, Settings, SettingsError, Topic, When};
use crate::{
    callback::Point,
    plugin::{PluginMethod, access, parameter},
};

/// The longest that a call, which somebody waits for, is held up.
const LONGEST_HOOK: u64 = 10_000;
/// The longest that a method of somebody else's may take: API Gateway itself gives up after 29 s.
const LONGEST_METHOD: u64 = 25_000;
const LONGEST_DELIVERY: u64 = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    keep_days: Option<u32>,
    #[serde(default)]
    hook: Vec<RawHook>,
    #[serde(default)]
    webhook: Vec<RawWebhook>,
    #[serde(default)]
    bus: Vec<RawBus>,
    #[serde(default)]
    method: Vec<RawMethod>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHook {
    name: String,
    callbacks: Vec<String>,
    url: Option<String>,
    lambda: Option<String>,
    timeout_ms: Option<u64>,
    #[serde(default)]
    ignore_error: bool,
    secret: Option<OneOrMore>,
    secret_env: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWebhook {
    name: String,
    url: String,
    topics: Option<Vec<String>>,
    timeout_ms: Option<u64>,
    secret: Option<OneOrMore>,
    secret_env: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBus {
    name: String,
    bus: String,
    topics: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMethod {
    name: String,
    doc: Option<String>,
    access: Option<String>,
    permission: Option<String>,
    parameters: Option<Vec<String>>,
    url: Option<String>,
    lambda: Option<String>,
    timeout_ms: Option<u64>,
    secret: Option<OneOrMore>,
    secret_env: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

type Parsed<T> = Result<T, SettingsError>;

fn wrong<T>(name: &str, problem: impl std::fmt::Display) -> Parsed<T> {
    Err(SettingsError(format!("{name}: {problem}")))
}

impl File {
    pub(super) fn settings(self) -> Parsed<Settings> {
        let mut settings = Settings::default();
        if let Some(days) = self.keep_days {
            settings.keep = TimeDelta::days(days.into());
        }
        settings.hooks = self.hook.into_iter().map(RawHook::parse).collect::<Parsed<_>>()?;
        settings.receivers = self.webhook.into_iter().map(RawWebhook::parse).collect::<Parsed<_>>()?;
        let buses: Vec<Receiver> = self.bus.into_iter().map(RawBus::parse).collect::<Parsed<_>>()?;
        settings.receivers.extend(buses);
        settings.methods = self.method.into_iter().map(RawMethod::parse).collect::<Parsed<_>>()?;
        Ok(settings)
    }
}

impl RawHook {
    fn parse(self) -> Parsed<Hook> {
        let name = checked_name(self.name)?;
        let callback = |text: &String| match text.parse::<Point>() {
            Ok(Point { when: When::Pre, callback }) => Ok(callback),
            Ok(point) => wrong(&name, format!("{point} has happened already: hooks are asked before; tell a webhook")),
            Err(problem) => wrong(&name, problem),
        };
        let callbacks: Vec<Callback> = self.callbacks.iter().map(callback).collect::<Parsed<_>>()?;
        if callbacks.is_empty() {
            return wrong(&name, "callbacks is empty: name what it is asked before, such as preTag");
        }
        Ok(Hook {
            endpoint: endpoint(&name, self.url, self.lambda)?,
            limit: limit(&name, self.timeout_ms, 3000, LONGEST_HOOK)?,
            secrets: secrets(&name, self.secret, self.secret_env)?,
            ignore_error: self.ignore_error,
            callbacks,
            name,
        })
    }
}

impl RawWebhook {
    fn parse(self) -> Parsed<Receiver> {
        let name = checked_name(self.name)?;
        let secrets = secrets(&name, self.secret, self.secret_env)?;
        if secrets.is_empty() {
            return wrong(
                &name,
                "a webhook needs a secret (secret or secret_env), so that its receiver knows who sends",
            );
        }
        Ok(Receiver {
            endpoint: endpoint(&name, Some(self.url), None)?,
            topics: topics(&name, self.topics)?,
            limit: limit(&name, self.timeout_ms, LONGEST_DELIVERY, LONGEST_DELIVERY)?,
            secrets,
            name,
        })
    }
}

impl RawBus {
    fn parse(self) -> Parsed<Receiver> {
        let name = checked_name(self.name)?;
        Ok(Receiver {
            endpoint: Endpoint::Bus(self.bus),
            topics: topics(&name, self.topics)?,
            limit: Duration::from_millis(LONGEST_DELIVERY),
            secrets: Vec::new(),
            name,
        })
    }
}

impl RawMethod {
    fn parse(self) -> Parsed<PluginMethod> {
        let name = self.name;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
        if name.is_empty() || name.len() > 100 || !name.chars().all(is_plain) {
            return wrong(&name, "a method's name has letters, digits, points and underscores");
        }
        if name.starts_with("host.") || name.starts_with("system.") || crate::call::is_ours(&name) {
            return wrong(&name, "that name is the hub's own; choose another, such as one with your own prefix");
        }
        let parameters = match &self.parameters {
            None => None,
            Some(written) => {
                let parsed: Result<Vec<_>, String> = written.iter().map(|text| parameter(text)).collect();
                Some(parsed.or_else(|problem| wrong(&name, problem))?)
            }
        };
        let access = access(self.access.as_deref(), self.permission);
        Ok(PluginMethod {
            access: access.or_else(|problem| wrong(&name, problem))?,
            doc: self.doc.unwrap_or_else(|| "A method that this deployment has added.".to_owned()),
            parameters,
            endpoint: endpoint(&name, self.url, self.lambda)?,
            limit: limit(&name, self.timeout_ms, 10_000, LONGEST_METHOD)?,
            secrets: secrets(&name, self.secret, self.secret_env)?,
            name,
        })
    }
}

fn checked_name(name: String) -> Parsed<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 100 || !name.chars().all(is_plain) {
        return wrong(&name, "a name has letters, digits, '-', '_' and '.'");
    }
    Ok(name)
}

fn endpoint(name: &str, url: Option<String>, lambda: Option<String>) -> Parsed<Endpoint> {
    match (url, lambda) {
        (Some(url), None) => {
            let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
            if rest.is_empty() || rest.starts_with('/') || url.contains(char::is_whitespace) {
                return wrong(name, format!("'{url}' is no URL: it begins with https:// or http:// and a host"));
            }
            Ok(Endpoint::Url(url))
        }
        (None, Some(lambda)) if !lambda.is_empty() => Ok(Endpoint::Lambda(lambda)),
        _ => wrong(name, "say either url or lambda"),
    }
}

fn limit(name: &str, given: Option<u64>, default: u64, longest: u64) -> Parsed<Duration> {
    match given.unwrap_or(default) {
        ms if (1..=longest).contains(&ms) => Ok(Duration::from_millis(ms)),
        ms => wrong(name, format!("timeout_ms is {ms}: it must be from 1 to {longest}")),
    }
}

fn secrets(name: &str, given: Option<OneOrMore>, variable: Option<String>) -> Parsed<Vec<Secret>> {
    let texts = match (given, variable) {
        (Some(_), Some(_)) => return wrong(name, "say either secret or secret_env"),
        (Some(OneOrMore::One(one)), None) => vec![one],
        (Some(OneOrMore::More(more)), None) => more,
        (None, Some(variable)) => match std::env::var(&variable) {
            Ok(value) if !value.trim().is_empty() => value.split_whitespace().map(str::to_owned).collect(),
            _ => return wrong(name, format!("the environment variable {variable} is not set")),
        },
        (None, None) => Vec::new(),
    };
    texts.iter().map(|text| text.parse().or_else(|problem| wrong(name, problem))).collect()
}

fn topics(name: &str, given: Option<Vec<String>>) -> Parsed<Vec<Topic>> {
    let Some(given) = given else { return Ok(vec![Topic::protonmsg()]) };
    let topic = |text: &String| {
        // a callback point's name is a likely mistake
        if let Ok(point) = text.parse::<Point>() {
            return wrong(name, format!("{point} is a callback point; topics are addresses, such as build.tag"));
        }
        let Ok(topic) = text.parse::<Topic>();
        let is_known = Callback::ALL.into_iter().any(|callback| topic.may_match(callback));
        if is_known { Ok(topic) } else { wrong(name, format!("nothing is ever told under '{text}'")) }
    };
    let topics: Vec<Topic> = given.iter().map(topic).collect::<Parsed<_>>()?;
    if topics.is_empty() { wrong(name, "topics is empty: leave it out for all") } else { Ok(topics) }
}
