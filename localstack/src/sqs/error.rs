//! What SQS answers when it refuses.

use http::StatusCode;

/// A refusal, in SQS's words: the name in the JSON protocol, and the code of the older query protocol, which clients
/// still go by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) name: &'static str,
    pub(super) code: &'static str,
    pub(super) message: String,
}

pub(super) type Result<T, E = Refusal> = std::result::Result<T, E>;

impl Refusal {
    fn new(name: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, name, code, message: message.into() }
    }

    pub(super) fn queue_does_not_exist() -> Self {
        Self::new("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
    }

    pub(super) fn queue_name_exists(message: impl Into<String>) -> Self {
        Self::new("QueueNameExists", "QueueAlreadyExists", message)
    }

    pub(super) fn invalid_parameter(message: impl Into<String>) -> Self {
        let name = "InvalidParameterValue";
        Self::new(name, name, message)
    }

    pub(super) fn missing_parameter(name: &str) -> Self {
        let message = format!("The request must contain the parameter {name}.");
        Self::new("MissingParameter", "MissingParameter", message)
    }

    pub(super) fn invalid_attribute_name(name: &str) -> Self {
        let message = format!("Unknown Attribute {name}.");
        Self::new("InvalidAttributeName", "InvalidAttributeName", message)
    }

    pub(super) fn invalid_attribute_value(name: &str) -> Self {
        let message = format!("Invalid value for the parameter {name}.");
        Self::new("InvalidAttributeValue", "InvalidAttributeValue", message)
    }

    pub(super) fn invalid_message_contents() -> Self {
        Self::new(
            "InvalidMessageContents",
            "InvalidMessageContents",
            "Invalid binary character was found in the message body, the set of allowed characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
        )
    }

    pub(super) fn receipt_handle_is_invalid(handle: &str) -> Self {
        let message = format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
        Self::new("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", message)
    }

    pub(super) fn message_not_in_flight() -> Self {
        Self::new(
            "MessageNotInflight",
            "AWS.SimpleQueueService.MessageNotInflight",
            "The specified message is not in flight.",
        )
    }

    pub(super) fn empty_batch() -> Self {
        Self::new(
            "EmptyBatchRequest",
            "AWS.SimpleQueueService.EmptyBatchRequest",
            "There should be at least one entry in the request.",
        )
    }

    pub(super) fn too_many_entries(count: usize) -> Self {
        let message = format!("Maximum number of entries per request are 10. You have sent {count}.");
        Self::new("TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", message)
    }

    pub(super) fn ids_not_distinct(id: &str) -> Self {
        Self::new(
            "BatchEntryIdsNotDistinct",
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            format!("Id {id} repeated."),
        )
    }

    pub(super) fn invalid_batch_id() -> Self {
        Self::new(
            "InvalidBatchEntryId",
            "AWS.SimpleQueueService.InvalidBatchEntryId",
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.",
        )
    }

    pub(super) fn batch_too_long(limit: usize, length: usize) -> Self {
        Self::new(
            "BatchRequestTooLong",
            "AWS.SimpleQueueService.BatchRequestTooLong",
            format!("Batch requests cannot be longer than {limit} bytes. You have sent {length} bytes."),
        )
    }

    pub(super) fn unsupported(message: &str) -> Self {
        Self::new("UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation", message)
    }

    pub(super) fn unknown_operation() -> Self {
        Self::new("UnknownOperationException", "InvalidAction", "The action is not served here.")
    }

    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new("SerializationException", "MalformedInput", message)
    }

    /// `name` is one of AWS's common refusals of callers.
    fn forbidden(name: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, ..Self::new(name, code, message) }
    }

    pub(super) fn access_denied() -> Self {
        let message = "Access to the resource is denied.";
        Self::forbidden("AccessDeniedException", "AccessDenied", message)
    }

    pub(super) fn missing_token() -> Self {
        let message = "Request is missing Authentication Token";
        Self::forbidden("MissingAuthenticationTokenException", "MissingAuthenticationToken", message)
    }

    pub(super) fn invalid_token() -> Self {
        let message = "The security token included in the request is invalid.";
        Self::forbidden("UnrecognizedClientException", "InvalidClientTokenId", message)
    }

    pub(super) fn expired_token() -> Self {
        let message = "The security token included in the request is expired";
        Self::forbidden("ExpiredTokenException", "ExpiredToken", message)
    }

    pub(super) fn bad_signature(message: &str) -> Self {
        Self::forbidden("InvalidSignatureException", "SignatureDoesNotMatch", message)
    }

    pub(super) fn internal(error: &std::io::Error) -> Self {
        tracing::error!(%error, "SQS failed");
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            ..Self::new("InternalFailure", "InternalFailure", "The server failed; its log says why.")
        }
    }
}
