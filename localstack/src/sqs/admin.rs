//! Queues themselves: made, found, described, emptied, removed.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::attributes::{Map, Settings};
use super::error::{Refusal, Result};
use super::name::{arn, check_queue_name, queue_of_url, url};
use super::operation::Request;
use super::queue::Queue;
use super::store::{Event, Queues};
use crate::clock::now;

/// What `GetQueueAttributes` knows beside the settings.
const FACTS: [&str; 6] = [
    "QueueArn",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
];
/// Settings that may be asked for though they are not set.
const OPTIONAL: [&str; 5] =
    ["RedrivePolicy", "RedriveAllowPolicy", "Policy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"];
/// The longest page of `ListQueues`.
const LONGEST_PAGE: i64 = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    queue_name: String,
    #[serde(default)]
    attributes: Map,
    // The protocol writes this one name small.
    #[serde(default, rename = "tags")]
    tags: Map,
}

/// Makes a queue; asking again with equal attributes succeeds again.
pub(super) fn create(request: &Request<'_>) -> Result<Value> {
    let Create { queue_name, attributes, tags } = request.parse()?;
    check_queue_name(&queue_name)?;
    let settings = Settings::default().with(&attributes)?;
    let now = now();
    let answer = json!({ "QueueUrl": url(&request.shared.base_url, &queue_name) });
    request.shared.store.change(now, |queues| {
        if let Some(queue) = queues.by_name.get(&queue_name) {
            return match queue.settings.agree_with(&attributes) {
                None => Ok((vec![], answer)),
                Some(name) => Err(Refusal::queue_name_exists(format!(
                    "A queue already exists with the same name and a different value for attribute {name}"
                ))),
            };
        }
        check_target(queues, &settings)?;
        let event = Event::Made { queue: queue_name, at: now, settings, tags };
        Ok((vec![event], answer))
    })
}

/// A dead-letter queue must be there before it is named.
fn check_target(queues: &Queues, settings: &Settings) -> Result<()> {
    match settings.redrive() {
        Some(redrive) if !queues.by_name.contains_key(&redrive.target) => Err(Refusal::invalid_parameter(format!(
            "Value {} for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist.",
            settings.set.get("RedrivePolicy").map_or("", String::as_str)
        ))),
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetUrl {
    queue_name: String,
}

pub(super) fn get_url(request: &Request<'_>) -> Result<Value> {
    let GetUrl { queue_name } = request.parse()?;
    request.check_consumer(&queue_name)?;
    request.shared.store.read(now(), |queues| queues.get(&queue_name).map(drop))?;
    Ok(json!({ "QueueUrl": url(&request.shared.base_url, &queue_name) }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    queue_name_prefix: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

/// Lists queues by name; by pages, if a length is given. The token of a page is the last name of the one before.
pub(super) fn list(request: &Request<'_>) -> Result<Value> {
    let List { queue_name_prefix, max_results, next_token } = request.parse()?;
    if max_results.is_some_and(|most| !(1..=LONGEST_PAGE).contains(&most)) {
        return Err(Refusal::invalid_parameter(
            "Value for parameter MaxResults is invalid. Reason: Must be between 1 and 1000.",
        ));
    }
    let prefix = queue_name_prefix.unwrap_or_default();
    let after = next_token.unwrap_or_default();
    let most = usize::try_from(max_results.unwrap_or(LONGEST_PAGE)).unwrap_or_default();
    request.shared.store.read(now(), |queues| {
        let names = queues.by_name.keys();
        let mut names = names.filter(|name| **name > after && name.starts_with(&prefix));
        let page: Vec<_> = names.by_ref().take(most).collect();
        let more = max_results.is_some() && names.next().is_some();
        let urls: Vec<_> = page.iter().map(|name| url(&request.shared.base_url, name)).collect();
        let mut answer = json!({ "QueueUrls": urls });
        if more {
            answer["NextToken"] = json!(page.last());
        }
        Ok(answer)
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    queue_url: String,
}

pub(super) fn delete(request: &Request<'_>) -> Result<Value> {
    change(request, |queue| Event::Removed { queue })
}

/// Removes all messages, those in flight too.
pub(super) fn purge(request: &Request<'_>) -> Result<Value> {
    change(request, |queue| Event::Purged { queue })
}

fn change(request: &Request<'_>, event: impl FnOnce(String) -> Event) -> Result<Value> {
    let Named { queue_url } = request.parse()?;
    let name = queue_of_url(&queue_url)?;
    request.shared.store.change(now(), |queues| {
        queues.get(name)?;
        Ok((vec![event(name.to_owned())], json!({})))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetAttributes {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

pub(super) fn get_attributes(request: &Request<'_>) -> Result<Value> {
    let GetAttributes { queue_url, attribute_names } = request.parse()?;
    let name = queue_of_url(&queue_url)?;
    request.check_consumer(name)?;
    let mut shown = request.shared.store.read(now(), |queues| Ok(described(name, queues.get(name)?)))?;
    let known = |name: &String| shown.contains_key(name) || OPTIONAL.contains(&name.as_str());
    let mut asked = attribute_names.iter().filter(|name| *name != "All");
    if let Some(unknown) = asked.find(|name| !known(name)) {
        return Err(Refusal::invalid_attribute_name(unknown));
    }
    if !attribute_names.iter().any(|name| name == "All") {
        shown.retain(|name, _| attribute_names.contains(name));
    }
    if shown.is_empty() {
        return Ok(json!({}));
    }
    Ok(json!({ "Attributes": shown }))
}

fn described(name: &str, queue: &Queue) -> BTreeMap<String, String> {
    let counts = queue.counts();
    let values = [
        arn(name),
        (queue.made / 1000).to_string(),
        (queue.changed / 1000).to_string(),
        counts.ready.to_string(),
        counts.in_flight.to_string(),
        counts.delayed.to_string(),
    ];
    let mut shown = queue.settings.shown();
    shown.extend(FACTS.map(str::to_owned).into_iter().zip(values));
    shown
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SetAttributes {
    queue_url: String,
    attributes: Map,
}

pub(super) fn set_attributes(request: &Request<'_>) -> Result<Value> {
    let SetAttributes { queue_url, attributes } = request.parse()?;
    let name = queue_of_url(&queue_url)?;
    let now = now();
    request.shared.store.change(now, |queues| {
        let settings = queues.get(name)?.settings.with(&attributes)?;
        check_target(queues, &settings)?;
        let queue = name.to_owned();
        Ok((vec![Event::Set { queue, at: now, settings }], json!({})))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tags {
    queue_url: String,
    #[serde(default)]
    tags: Map,
    #[serde(default)]
    tag_keys: Vec<String>,
}

pub(super) fn tag(request: &Request<'_>) -> Result<Value> {
    change_tags(request)
}

pub(super) fn untag(request: &Request<'_>) -> Result<Value> {
    change_tags(request)
}

fn change_tags(request: &Request<'_>) -> Result<Value> {
    let Tags { queue_url, tags: added, tag_keys } = request.parse()?;
    let name = queue_of_url(&queue_url)?;
    request.shared.store.change(now(), |queues| {
        let mut tags = queues.get(name)?.tags.clone();
        tags.extend(added);
        tags.retain(|key, _| !tag_keys.contains(key));
        let queue = name.to_owned();
        Ok((vec![Event::Tagged { queue, tags }], json!({})))
    })
}

pub(super) fn list_tags(request: &Request<'_>) -> Result<Value> {
    let Named { queue_url } = request.parse()?;
    let name = queue_of_url(&queue_url)?;
    let tags = request.shared.store.read(now(), |queues| Ok(queues.get(name)?.tags.clone()))?;
    Ok(json!({ "Tags": tags }))
}
