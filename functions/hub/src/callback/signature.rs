//! How a receiver knows that it was us: the scheme of Standard Webhooks, for which there are libraries in most languages.
//!
//! | header | value |
//! |---|---|
//! | `webhook-id` | the message's id: the same each time that it is sent |
//! | `webhook-timestamp` | when it was sent, in seconds since 1970 |
//! | `webhook-signature` | `v1,` and base64 of HMAC-SHA256 of `<id>.<timestamp>.<body>`; one for each secret, with spaces between |

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::settings::Secret;

/// The headers of a message with this id.
pub(crate) fn signed(secrets: &[Secret], id: &str, body: &str, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let timestamp = now.timestamp().to_string();
    let signatures: Vec<String> = secrets.iter().map(|secret| signature(secret, id, &timestamp, body)).collect();
    let mut headers = vec![("webhook-id", id.to_owned()), ("webhook-timestamp", timestamp)];
    if !signatures.is_empty() {
        headers.push(("webhook-signature", signatures.join(" ")));
    }
    headers
}

fn signature(secret: &Secret, id: &str, timestamp: &str, body: &str) -> String {
    // a key of any length does, so this does not fail
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.bytes()) else { return String::new() };
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that the libraries of Standard Webhooks test themselves with.
    #[test]
    fn as_its_libraries_have_it() {
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let now = DateTime::from_timestamp(1_614_265_330, 0).unwrap();
        let headers = signed(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", "{\"test\": 2432232314}", now);
        assert_eq!(headers[1], ("webhook-timestamp", "1614265330".to_owned()));
        assert_eq!(headers[2].1, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
