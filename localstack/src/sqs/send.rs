//! `SendMessage` and its batch.

use serde::Deserialize;
use serde_json::{Value, json};

use super::attributes::{LARGEST_MESSAGE, Settings};
use super::batch::{Outcomes, check_ids};
use super::error::{Refusal, Result};
use super::message::{self, Attributes, Message, Place};
use super::name::queue_of_url;
use super::operation::Request;
use super::store::Event;
use crate::clock::{Millis, now};

/// What is to be sent, alone or as an entry of a batch.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Outgoing {
    #[serde(default)]
    message_body: String,
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: Attributes,
    #[serde(default)]
    message_system_attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Send {
    queue_url: String,
    #[serde(flatten)]
    message: Outgoing,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendBatch {
    queue_url: String,
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: String,
    #[serde(flatten)]
    message: Outgoing,
}

impl Outgoing {
    fn length(&self) -> usize {
        message::length(&self.message_body, &self.message_attributes)
    }

    /// The message, and what is answered to its sender.
    fn accept(self, settings: &Settings, sender: &str, now: Millis) -> Result<(Message, Value)> {
        message::check(&self.message_body, &self.message_attributes)?;
        if !self.message_system_attributes.is_empty() {
            return Err(Refusal::unsupported("System attributes are not served here."));
        }
        let limit = settings.largest_message();
        if self.length() > usize::try_from(limit).unwrap_or(usize::MAX) {
            return Err(Refusal::invalid_parameter(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
            )));
        }
        let delay = match self.delay_seconds {
            None => i64::from(settings.delay_seconds()),
            Some(delay) if (0..=900).contains(&delay) => delay,
            Some(delay) => {
                return Err(Refusal::invalid_parameter(format!(
                    "Value {delay} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."
                )));
            }
        };
        let place = match delay {
            0 => Place::Ready,
            _ => Place::Delayed { until: now + delay * 1000 },
        };
        let message = Message {
            id: new_id(),
            body: self.message_body,
            attributes: self.message_attributes,
            sender: sender.to_owned(),
            sent: now,
            place,
            receives: 0,
            first_received: None,
            receipt: 0,
        };
        let mut answer = json!({
            "MessageId": message.id,
            "MD5OfMessageBody": message::md5_of_body(&message.body),
        });
        if let Some(md5) = message::md5_of_attributes(&message.attributes) {
            answer["MD5OfMessageAttributes"] = md5.into();
        }
        Ok((message, answer))
    }
}

pub(super) fn send(request: &Request<'_>) -> Result<Value> {
    let Send { queue_url, message } = request.parse()?;
    let name = queue_of_url(&queue_url)?;
    let now = now();
    request.shared.store.change(now, |queues| {
        let settings = &queues.get(name)?.settings;
        let (message, answer) = message.accept(settings, &request.caller.access_key, now)?;
        let event = Event::Sent { queue: name.to_owned(), number: queues.next, message };
        Ok((vec![event], answer))
    })
}

pub(super) fn send_batch(request: &Request<'_>) -> Result<Value> {
    let SendBatch { queue_url, entries } = request.parse()?;
    let name = queue_of_url(&queue_url)?;
    check_ids(entries.iter().map(|entry| entry.id.as_str()))?;
    let length = entries.iter().map(|entry| entry.message.length()).sum();
    let limit = usize::try_from(LARGEST_MESSAGE).unwrap_or(usize::MAX);
    if length > limit {
        return Err(Refusal::batch_too_long(limit, length));
    }
    let now = now();
    request.shared.store.change(now, |queues| {
        let settings = &queues.get(name)?.settings;
        let (mut events, mut outcomes) = (Vec::new(), Outcomes::default());
        for (number, entry) in (queues.next..).zip(entries) {
            let accepted = entry.message.accept(settings, &request.caller.access_key, now);
            let outcome = accepted.map(|(message, answer)| {
                events.push(Event::Sent { queue: name.to_owned(), number, message });
                answer
            });
            outcomes.add(&entry.id, outcome);
        }
        Ok((events, outcomes.answer()))
    })
}

/// A random UUID, version 4.
fn new_id() -> String {
    let random = rand::random::<u128>();
    let bits = random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let (a, b, c, d, e) = (&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    format!("{a}-{b}-{c}-{d}-{e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids() {
        let id = new_id();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&id.as_bytes()[19]), "{id}");
    }

    #[test]
    fn limits() {
        let outgoing = |body: String, delay_seconds| Outgoing {
            message_body: body,
            delay_seconds,
            message_attributes: Attributes::new(),
            message_system_attributes: Attributes::new(),
        };
        let settings = Settings::default();
        let accept = |outgoing: Outgoing| outgoing.accept(&settings, "k", 1_000);
        let largest = "a".repeat(256 << 10);
        assert!(accept(outgoing(largest.clone(), None)).is_ok());
        assert!(accept(outgoing(largest + "a", None)).is_err());
        assert!(accept(outgoing("a".into(), Some(901))).is_err());
        assert!(accept(outgoing("a".into(), Some(-1))).is_err());
        let (message, _) = accept(outgoing("a".into(), Some(2))).unwrap();
        assert_eq!(message.place, Place::Delayed { until: 3_000 });
    }
}
