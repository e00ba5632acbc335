//! Methods that a deployment adds to the API, and that somebody else answers: a Lambda function, or a URL.
//!
//! They stand in the table of methods beside ours: in both encodings, `_listapi`, OpenAPI and multicalls. The hub finds out who calls
//! and whether he may, binds the arguments if the settings name parameters, and hands the call on:
//!
//! ```json
//! {"method": "acme.freeze", "args": [], "kwargs": {"tag": "f42", "until": null}, "request_id": "…",
//!  "caller": {"id": 5, "name": "bob", "permissions": ["acme"]}}
//! ```
//!
//! The answer is `{"result": …}` or `{"fault": {"code": 1000, "message": "…"}}`. Nobody is called within a transaction: in a multicall
//! these methods are called first, in their order, and what they do stands whatever becomes of the other calls.

mod declare;

use std::time::Duration;

pub(crate) use declare::{access, kept, parameter};
use serde::Deserialize;
use serde_json::json;
use toji_protocol::{
    method::Access,
    method::Param,
    value::{Map, Value},
};

use crate::{
    Error, Result,
    call::{Caller, Cx, Reply},
    callback::{
        remote::{Endpoint, Sent},
        settings::Secret,
        signed,
    },
    error::FaultCode,
};

/// A method that somebody else answers.
#[derive(Clone, Debug)]
pub struct PluginMethod {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) access: Access,
    /// None = any.
    pub(crate) parameters: Option<Vec<Param>>,
    pub(crate) endpoint: Endpoint,
    pub(crate) limit: Duration,
    pub(crate) secrets: Vec<Secret>,
}

/// The members that all arguments have where the settings name no parameters.
pub(crate) const ARGS: &str = "args";
pub(crate) const KWARGS: &str = "kwargs";

/// What is answered.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Answer {
    Result(Value),
    Fault { code: Option<i32>, message: String },
}

/// Hands a call on, and its answer back.
///
/// # Errors
/// The method's own fault; or what is wrong with who is to answer.
pub(crate) async fn call(cx: &mut Cx, method: &PluginMethod, mut bound: Map) -> Result<Reply> {
    let name = &method.name;
    if cx.is_writing() {
        return Err(Error::invalid(format!(
            "{name} is answered elsewhere, and not within a transaction: call it alone"
        )));
    }
    // nobody waits for the database meanwhile
    cx.release();
    let (args, kwargs) = match method.parameters {
        Some(_) => (Value::Array(Vec::new()), Value::Struct(bound)),
        None => (bound.remove(ARGS).unwrap_or_default(), bound.remove(KWARGS).unwrap_or_default()),
    };
    let caller = match &cx.caller {
        Caller::User(user) => json!({ "id": user.id, "name": user.name, "permissions": user.perms }),
        Caller::Nobody => serde_json::Value::Null,
    };
    let request_id = cx.hub.request_id();
    let body = json!({ "method": name, "args": args, "kwargs": kwargs, "caller": caller, "request_id": request_id });
    let body = body.to_string();
    let id = format!("call_{:032x}", rand::random::<u128>());
    let headers = signed(&method.secrets, &id, &body, cx.now);
    let sent = Sent { topic: name.clone(), body, headers };
    let failed = |problem: String| Error::Remote(FaultCode::Plugin, format!("{name}: {problem}"));
    let answer = cx.hub.config.remote.call(&method.endpoint, sent, method.limit).await;
    let answer = answer.map_err(|problem| {
        tracing::warn!(method = name, endpoint = %method.endpoint, %problem, "a method of the deployment's does not answer");
        failed(problem.to_string())
    })?;
    match serde_json::from_slice(&answer) {
        Ok(Answer::Result(value)) => Ok(Box::new(value)),
        Ok(Answer::Fault { code, message }) => {
            Err(Error::TaskFault(code.unwrap_or(FaultCode::Generic as i32), message))
        }
        Err(error) => Err(failed(format!("it answers neither a result nor a fault: {error}"))),
    }
}
