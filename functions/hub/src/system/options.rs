//! The deployment's settings, under the names that they have in Koji's hub.conf where it has them.

use toji_protocol::{
    method::system::ShowOpts,
    value::{Map, Value},
};

use crate::{
    Result,
    call::{Cx, Handle},
    config::Config,
    name, session,
};

fn options(config: &Config) -> Map {
    [
        ("DisableNotifications", Value::Bool(config.mail.is_off)),
        ("EmailDomain", Value::from(config.mail.domain())),
        ("EnableMaven", Value::Bool(false)),
        ("EnableWin", Value::Bool(false)),
        ("KojiTopURL", Value::from(config.topurl.as_str())),
        ("KojiWebURL", Value::from(config.web_url().as_str())),
        ("LeaseSeconds", Value::Int(config.lease.num_seconds())),
        ("MaxAttempts", Value::Int(config.max_attempts.into())),
        ("MaxNameLengthInternal", Value::Int(name::MAX as i64)),
        ("MaxRepoTasks", Value::Int(config.max_repo_tasks)),
        ("NotifyOnSuccess", Value::Bool(config.mail.on_success)),
        ("RepoLag", Value::Int(config.repo_lag.num_seconds())),
        ("RepoLagWindow", Value::Int(config.repo_lag_window.num_seconds())),
        ("RepoRetries", Value::Int(config.repo_retries.into())),
        ("SessionRenewalTimeout", Value::Int(session::RENEWAL.num_minutes())),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// A value as Python writes it.
fn python(value: &Value) -> String {
    match value {
        Value::Nil => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        other => format!("{other:?}"),
    }
}

impl Handle for ShowOpts {
    async fn handle(self, cx: &mut Cx) -> Result<Value> {
        let options = options(&cx.hub.config);
        if !self.as_string {
            return Ok(Value::Struct(options));
        }
        let pairs: Vec<String> = options.iter().map(|(name, value)| format!("'{name}': {}", python(value))).collect();
        Ok(Value::String(format!("{{{}}}", pairs.join(", "))))
    }
}
