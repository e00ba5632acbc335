//! What a receiver does: receive, delete, change the time until a message comes again.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map as JsonMap, Value, json};
use tokio::time::Instant;

use super::attributes::{LONGEST_VISIBILITY, Redrive};
use super::batch::{Outcomes, check_ids};
use super::error::{Refusal, Result};
use super::message::{self, Message, Place};
use super::name::{Receipt, queue_of_url};
use super::operation::Request;
use super::queue::Queue;
use super::store::{Event, Queues};
use crate::clock::{Millis, now};

/// Messages that were received this often go nowhere on one request; the next request takes the next.
const MOST_MOVES: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Receive {
    queue_url: String,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

/// Answers as soon as there is a message, or with none when the waiting time is over.
pub(super) async fn receive(request: &Request<'_>) -> Result<Value> {
    let asked: Receive = request.parse()?;
    let name = queue_of_url(&asked.queue_url)?;
    request.check_consumer(name)?;
    let most = ranged("MaxNumberOfMessages", asked.max_number_of_messages, 1, 10)?.unwrap_or(1);
    let wait = ranged("WaitTimeSeconds", asked.wait_time_seconds, 0, 20)?;
    let longest = i64::from(LONGEST_VISIBILITY);
    let visibility = ranged("VisibilityTimeout", asked.visibility_timeout, 0, longest)?;
    let store = &request.shared.store;
    let (arrivals, wait) = store.read(now(), |queues| {
        let queue = queues.get(name)?;
        let wait = wait.unwrap_or_else(|| i64::from(queue.settings.wait_seconds()));
        Ok((queue.arrivals.clone(), wait))
    })?;
    let deadline = Instant::now() + Duration::from_secs(wait.unsigned_abs());
    let mut closing = request.shared.closing.subscribe();
    loop {
        // Listening begins before looking: what arrives between the two is not missed.
        let arrived = arrivals.notified();
        let now = now();
        let found = store.change(now, |queues| take(queues, name, most, visibility, &asked, now))?;
        if !found.is_empty() {
            return Ok(json!({ "Messages": found }));
        }
        tokio::select! {
            () = arrived => {}
            () = tokio::time::sleep_until(deadline) => return Ok(json!({})),
            _ = closing.wait_for(|closing| *closing) => return Ok(json!({})),
        }
    }
}

/// Takes up to `most` messages, and moves those away that were received too often.
fn take(
    queues: &Queues,
    name: &str,
    most: i64,
    visibility: Option<i64>,
    asked: &Receive,
    now: Millis,
) -> Result<(Vec<Event>, Vec<Value>)> {
    let queue = queues.get(name)?;
    let redrive = queue.settings.redrive();
    let redrive = redrive.filter(|redrive| queues.by_name.contains_key(&redrive.target));
    let seconds = visibility.unwrap_or_else(|| i64::from(queue.settings.visibility_seconds()));
    let (mut events, mut found) = (Vec::new(), Vec::new());
    let mut free_number = queues.next;
    for (number, message) in queue.ready() {
        if found.len() == usize::try_from(most).unwrap_or_default() || events.len() > MOST_MOVES {
            break;
        }
        let queue_name = name.to_owned();
        if queue.is_too_old(message, now) {
            events.push(Event::Deleted { queue: queue_name, number });
        } else if let Some(Redrive { target, .. }) = redrive.as_ref().filter(|r| message.receives >= r.most_receives) {
            events.push(Event::Moved { queue: queue_name, number, to: target.clone(), as_number: free_number });
            free_number += 1;
        } else {
            let receipt = Receipt { number, secret: rand::random() };
            found.push(shown(message, receipt.to_handle(name), asked, now));
            events.push(Event::Received {
                queue: queue_name,
                number,
                at: now,
                until: now + seconds * 1000,
                receipt: receipt.secret,
            });
        }
    }
    Ok((events, found))
}

/// A message as its receiver sees it.
fn shown(message: &Message, handle: String, asked: &Receive, now: Millis) -> Value {
    let mut shown = json!({
        "MessageId": message.id,
        "ReceiptHandle": handle,
        "MD5OfBody": message::md5_of_body(&message.body),
        "Body": message.body,
    });
    let first = message.first_received.unwrap_or(now);
    let facts = [
        ("SenderId", message.sender.clone()),
        ("SentTimestamp", message.sent.to_string()),
        ("ApproximateReceiveCount", (message.receives + 1).to_string()),
        ("ApproximateFirstReceiveTimestamp", first.to_string()),
    ];
    let names = [&asked.attribute_names, &asked.message_system_attribute_names];
    let wanted = |name: &str| names.iter().any(|names| names.iter().any(|n| n == "All" || n == name));
    let facts: JsonMap<String, Value> = facts
        .into_iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    if !facts.is_empty() {
        shown["Attributes"] = facts.into();
    }
    let mut attributes = message.attributes.clone();
    attributes.retain(|name, _| message::is_wanted(&asked.message_attribute_names, name));
    if let Some(md5) = message::md5_of_attributes(&attributes) {
        shown["MD5OfMessageAttributes"] = md5.into();
        shown["MessageAttributes"] = json!(attributes);
    }
    shown
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Single {
    queue_url: String,
    #[serde(flatten)]
    receipt: Handle,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch {
    queue_url: String,
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: String,
    #[serde(flatten)]
    receipt: Handle,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Handle {
    #[serde(default)]
    receipt_handle: String,
    visibility_timeout: Option<i64>,
}

/// Deleting what is gone succeeds; so does, without effect, deleting by the handle of an earlier receive.
pub(super) fn delete(request: &Request<'_>) -> Result<Value> {
    single(request, deletion)
}

pub(super) fn delete_batch(request: &Request<'_>) -> Result<Value> {
    batch(request, deletion)
}

pub(super) fn change_visibility(request: &Request<'_>) -> Result<Value> {
    single(request, postponement)
}

pub(super) fn change_visibility_batch(request: &Request<'_>) -> Result<Value> {
    batch(request, postponement)
}

/// What a handle asks for, as events.
type Decide = fn(&Queue, &str, &Handle, Millis) -> Result<Option<Event>>;

fn single(request: &Request<'_>, decide: Decide) -> Result<Value> {
    let Single { queue_url, receipt } = request.parse()?;
    let name = queue_of_url(&queue_url)?;
    request.check_consumer(name)?;
    let now = now();
    request.shared.store.change(now, |queues| {
        let event = decide(queues.get(name)?, name, &receipt, now)?;
        Ok((Vec::from_iter(event), json!({})))
    })
}

fn batch(request: &Request<'_>, decide: Decide) -> Result<Value> {
    let Batch { queue_url, entries } = request.parse()?;
    let name = queue_of_url(&queue_url)?;
    request.check_consumer(name)?;
    check_ids(entries.iter().map(|entry| entry.id.as_str()))?;
    let now = now();
    request.shared.store.change(now, |queues| {
        let queue = queues.get(name)?;
        let (mut events, mut outcomes) = (Vec::new(), Outcomes::default());
        for entry in &entries {
            let decided = decide(queue, name, &entry.receipt, now);
            outcomes.add(
                &entry.id,
                decided.map(|event| {
                    events.extend(event);
                    json!({})
                }),
            );
        }
        Ok((events, outcomes.answer()))
    })
}

fn deletion(queue: &Queue, name: &str, handle: &Handle, _now: Millis) -> Result<Option<Event>> {
    let receipt = Receipt::from_handle(&handle.receipt_handle, name)?;
    let held = queue.get(receipt.number).filter(|message| message.receipt == receipt.secret);
    Ok(held.map(|_| Event::Deleted { queue: name.to_owned(), number: receipt.number }))
}

fn postponement(queue: &Queue, name: &str, handle: &Handle, now: Millis) -> Result<Option<Event>> {
    let longest = i64::from(LONGEST_VISIBILITY);
    let seconds = ranged("VisibilityTimeout", handle.visibility_timeout, 0, longest)?;
    let seconds = seconds.ok_or_else(|| Refusal::missing_parameter("VisibilityTimeout"))?;
    let Receipt { number, secret } = Receipt::from_handle(&handle.receipt_handle, name)?;
    let message = queue.get(number).ok_or_else(|| {
        Refusal::invalid_parameter(format!(
            "Value {} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.",
            handle.receipt_handle
        ))
    })?;
    let since = match message.place {
        Place::InFlight { since, .. } if message.receipt == secret => since,
        _ => return Err(Refusal::message_not_in_flight()),
    };
    let queue = name.to_owned();
    let until = now + seconds * 1000;
    if seconds == 0 {
        return Ok(Some(Event::Released { queue, number }));
    }
    if until > since + longest * 1000 {
        return Err(Refusal::invalid_parameter(format!(
            "Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [{longest} seconds]."
        )));
    }
    Ok(Some(Event::Hidden { queue, number, since, until }))
}

/// A parameter within its limits.
fn ranged(name: &str, value: Option<i64>, least: i64, most: i64) -> Result<Option<i64>> {
    match value {
        Some(value) if !(least..=most).contains(&value) => Err(Refusal::invalid_parameter(format!(
            "Value {value} for parameter {name} is invalid. Reason: Must be >= {least} and <= {most}, if provided."
        ))),
        value => Ok(value),
    }
}
