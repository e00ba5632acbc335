//! The table of operations: the name in `X-Amz-Target`, who may call it, and what it does.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Shared;
use super::error::{Refusal, Result};
use super::signature::Caller;
use super::{admin, consume, send};
use crate::credentials::Access;

/// A request, past its signature.
pub(super) struct Request<'a> {
    pub(super) shared: &'a Shared,
    pub(super) caller: &'a Caller,
    body: &'a Bytes,
}

impl Request<'_> {
    /// The parameters.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(self.body).map_err(|error| Refusal::malformed(error.to_string()))
    }

    /// Refuses a caller that may not take messages from `queue`.
    pub(super) fn check_consumer(&self, queue: &str) -> Result<()> {
        if self.caller.access.may_consume(queue) {
            return Ok(());
        }
        Err(Refusal::access_denied())
    }

    /// Refuses a caller that may only take messages.
    fn check_owner(&self) -> Result<()> {
        match self.caller.access {
            Access::Everything => Ok(()),
            Access::Queues(_) => Err(Refusal::access_denied()),
        }
    }
}

/// Runs the operation that `target` names.
pub(super) async fn run(shared: &Shared, caller: &Caller, target: &str, body: &Bytes) -> Result<Value> {
    let request = &Request { shared, caller, body };
    let operation = target.strip_prefix("AmazonSQS.").unwrap_or_default();
    match operation {
        // These look at the queue's name themselves: a builder's key is good for its own.
        "ReceiveMessage" => consume::receive(request).await,
        "DeleteMessage" => consume::delete(request),
        "DeleteMessageBatch" => consume::delete_batch(request),
        "ChangeMessageVisibility" => consume::change_visibility(request),
        "ChangeMessageVisibilityBatch" => consume::change_visibility_batch(request),
        "GetQueueUrl" => admin::get_url(request),
        "GetQueueAttributes" => admin::get_attributes(request),
        _ => {
            request.check_owner()?;
            match operation {
                "SendMessage" => send::send(request),
                "SendMessageBatch" => send::send_batch(request),
                "CreateQueue" => admin::create(request),
                "ListQueues" => admin::list(request),
                "DeleteQueue" => admin::delete(request),
                "PurgeQueue" => admin::purge(request),
                "SetQueueAttributes" => admin::set_attributes(request),
                "TagQueue" => admin::tag(request),
                "UntagQueue" => admin::untag(request),
                "ListQueueTags" => admin::list_tags(request),
                _ => Err(Refusal::unknown_operation()),
            }
        }
    }
}
