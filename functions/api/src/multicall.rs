//! Many calls in one request.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use toji_hub::{
    Error, Hub, Result,
    call::{InnerCall, Reply, Request},
};
use toji_protocol::{
    value::{Map, Value},
    xmlrpc::{MulticallReply, split_named},
};

use crate::{
    error::{Problem, Told, xml},
    request_id::RequestId,
};

/// The most calls in one request: Koji's own scripts send up to 10,000.
const MOST_CALLS: usize = 50_000;

pub(crate) fn is_multicall(method: &str) -> bool {
    matches!(method, "multiCall" | "system.multicall")
}

/// Answers in XML-RPC: for each call a list of one result, or a fault.
pub(crate) async fn xmlrpc(hub: &Hub, id: &RequestId, request: Request) -> Response {
    let replies = match run(hub, request).await {
        Ok(replies) => replies,
        Err(error) => return Told::new(&error, id).xmlrpc(),
    };
    let mut answer = MulticallReply::new();
    for reply in replies {
        let pushed = match reply {
            Ok(reply) => answer.push_result(&*reply).map_err(Error::internal),
            Err(error) => Err(error),
        };
        if let Err(error) = pushed
            && let Err(error) = answer.push_fault(&Told::new(&error, id).fault(), &[])
        {
            return Told::new(&Error::internal(error), id).xmlrpc();
        }
    }
    xml(answer.finish())
}

/// What a call has come to, in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Entry<'a> {
    Result(&'a (dyn erased_serde::Serialize + Send)),
    Problem(Problem),
}

/// Answers in JSON: for each call `{"result": …}` or `{"problem": {…}}`.
pub(crate) async fn json(hub: &Hub, id: &RequestId, request: Request) -> Response {
    let replies = match run(hub, request).await {
        Ok(replies) => replies,
        Err(error) => return Told::new(&error, id).json(id),
    };
    let entries: Vec<Entry<'_>> = replies
        .iter()
        .map(|reply| match reply {
            Ok(reply) => Entry::Result(&**reply),
            Err(error) => Entry::Problem(Told::new(error, id).problem(id)),
        })
        .collect();
    match serde_json::to_vec(&entries) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => Told::new(&Error::internal(error), id).json(id),
    }
}

async fn run(hub: &Hub, mut request: Request) -> Result<Vec<Result<Reply>>> {
    let calls = match (request.positional.pop(), request.named.remove("calls")) {
        (Some(calls), None) if request.positional.is_empty() => calls,
        (None, Some(calls)) => calls,
        _ => return Err(Error::parameter("multiCall() takes one argument: the list of calls")),
    };
    let Value::Array(calls) = calls else {
        return Err(Error::parameter(format!("calls: expected a list, got {}", calls.kind())));
    };
    if calls.len() > MOST_CALLS {
        return Err(Error::parameter(format!("{} calls are too many: send {MOST_CALLS} at the most", calls.len())));
    }
    let calls = calls.into_iter().map(inner).collect();
    hub.multicall(request.auth.clone(), calls, &request).await
}

/// A call that cannot be read has no name, and is answered with a fault of its own like one that nobody knows.
fn inner(call: Value) -> InnerCall {
    let mut members = match call {
        Value::Struct(members) => members,
        _ => Map::new(),
    };
    let method = match members.remove("methodName") {
        Some(Value::String(method)) => method,
        _ => String::new(),
    };
    let params = match members.remove("params") {
        Some(Value::Array(params)) => params,
        _ => Vec::new(),
    };
    let (positional, mut named) = split_named(params);
    if let Some(Value::Struct(args)) = members.remove("args") {
        for (name, value) in args {
            named.insert(name, value);
        }
    }
    InnerCall { method, positional, named }
}
