//! Names: of queues, of their URLs and ARNs, and of a message that was received.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::{Refusal, Result};
use super::queue::Number;

/// The account that everything here belongs to; LocalStack's, too.
const ACCOUNT: &str = "000000000000";

/// Refuses what cannot name a standard queue.
pub(super) fn check_queue_name(name: &str) -> Result<()> {
    let good =
        (1..=80).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if good {
        return Ok(());
    }
    Err(Refusal::invalid_parameter(
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    ))
}

pub(super) fn url(base: &str, queue: &str) -> String {
    format!("{}/{ACCOUNT}/{queue}", base.trim_end_matches('/'))
}

pub(super) fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}")
}

/// The queue that a URL names, under whichever host the client knows this server.
pub(super) fn queue_of_url(url: &str) -> Result<&str> {
    let mut parts = url.rsplit('/');
    match (parts.next(), parts.next()) {
        (Some(queue), Some(ACCOUNT)) if !queue.is_empty() => Ok(queue),
        _ => Err(Refusal::queue_does_not_exist()),
    }
}

/// What a receiver holds: one receive of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) number: Number,
    /// Random: a later receive has another.
    pub(super) secret: u64,
}

impl Receipt {
    pub(super) fn to_handle(self, queue: &str) -> String {
        let Self { number, secret } = self;
        URL_SAFE_NO_PAD.encode(format!("{queue}/{number:x}/{secret:x}"))
    }

    /// `ReceiptHandleIsInvalid` unless it is a handle of `queue`.
    pub(super) fn from_handle(handle: &str, queue: &str) -> Result<Self> {
        let parsed = || {
            let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(handle).ok()?).ok()?;
            let (own, rest) = plain.split_once('/')?;
            let (number, secret) = rest.split_once('/')?;
            (own == queue).then_some(())?;
            Some(Self {
                number: Number::from_str_radix(number, 16).ok()?,
                secret: u64::from_str_radix(secret, 16).ok()?,
            })
        };
        parsed().ok_or_else(|| Refusal::receipt_handle_is_invalid(handle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_of_one_queue() {
        let receipt = Receipt { number: 7, secret: u64::MAX };
        let handle = receipt.to_handle("q");
        assert_eq!(Receipt::from_handle(&handle, "q"), Ok(receipt));
        assert_eq!(Receipt::from_handle(&handle, "p").unwrap_err().name, "ReceiptHandleIsInvalid");
        for bad in ["", "garbage", "!!"] {
            assert!(Receipt::from_handle(bad, "q").is_err());
        }
    }

    #[test]
    fn urls() {
        assert_eq!(url("http://h:1/", "q"), "http://h:1/000000000000/q");
        assert_eq!(queue_of_url("http://other/000000000000/q"), Ok("q"));
        assert!(queue_of_url("http://h/1/q").is_err() && queue_of_url("q").is_err());
        assert!(queue_of_url("http://h/000000000000/").is_err());
    }

    #[test]
    fn queue_names() {
        assert!(check_queue_name("tasks-default_x86_64").is_ok());
        for bad in ["", "a.fifo", "a b", &"a".repeat(81)] {
            assert!(check_queue_name(bad).is_err(), "{bad}");
        }
    }
}
