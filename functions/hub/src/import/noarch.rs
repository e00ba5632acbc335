//! The same noarch RPM comes out of every architecture's build, and one is kept for all: so they must not differ in what they do.
//!
//! Compared is what rpmdiff compares, without what may differ between two builds of the same: sizes, digests and times of files.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use toji_protocol::{id::TaskId, object_key};
use toji_repodata::header::{Dependency, RpmHeader, TagValue};

use super::{Harvest, Made, header, refuse};
use crate::{Error, Hub, Result};

/// What the difference is saved as, among the build task's files.
pub const FILE: &str = "noarch_rpmdiff.json";
/// A message has so many differences; the file has all.
const SHOWN: usize = 5;
const LONGEST: usize = 120;

/// Tags with one value, by rpm's number.
const TAGS: [(&str, u32); 12] = [
    ("Name", 1000),
    ("Summary", 1004),
    ("Description", 1005),
    ("Group", 1016),
    ("License", 1014),
    ("URL", 1020),
    ("PreIn", 1023),
    ("PostIn", 1024),
    ("PreUn", 1025),
    ("PostUn", 1026),
    ("PreTrans", 1151),
    ("PostTrans", 1152),
];

/// Tags with a value for each file.
const FILE_TAGS: [(&str, u32); 7] = [
    ("mode", 1030),
    ("device", 1033),
    ("link", 1036),
    ("flags", 1037),
    ("user", 1039),
    ("group", 1040),
    ("verify flags", 1045),
];

/// What two RPMs of one name differ in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The RPM's file name.
    pub rpm: String,
    /// A tag, a kind of dependency, or a file.
    pub what: String,
    /// What each architecture's has; null = nothing.
    #[serde(flatten)]
    pub values: BTreeMap<String, Option<String>>,
}

/// Compares the noarch RPMs that several architectures have made. What differs is saved as a file of the build's task.
///
/// # Errors
/// Koji's build fault when any differ.
pub async fn check(hub: &Hub, task: TaskId, attempt: i32, harvest: &Harvest, now: DateTime<Utc>) -> Result<()> {
    let mut differences = Vec::new();
    for other in &harvest.doubles {
        let first = harvest.rpms.iter().find(|made| made.file.name == other.file.name);
        let first =
            first.ok_or_else(|| Error::internal(anyhow::anyhow!("{} is doubled, but once", other.file.name)))?;
        if first.file.sha256 != other.file.sha256 {
            differences.extend(compare(hub, first, other).await?);
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    save(hub, task, attempt, &differences, now).await?;
    Err(refuse(message(task, &differences)))
}

async fn compare(hub: &Hub, first: &Made, other: &Made) -> Result<Vec<Difference>> {
    let read = |made: &Made| {
        let (key, size) = (made.file.key.clone(), made.file.size);
        async move { header::read(hub, &key, size).await }
    };
    let (one, two) = futures::try_join!(read(first), read(other))?;
    let said = |header: &RpmHeader, made: &Made| {
        facts(header).map_err(|error| refuse(format!("{} of task {}: {error}", made.file.name, made.task)))
    };
    let (one, two) = (said(&one, first)?, said(&two, other)?);
    let what: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
    let differing = what.into_iter().filter(|what| one.get(*what) != two.get(*what));
    Ok(differing
        .map(|what| Difference {
            rpm: first.file.name.clone(),
            what: what.clone(),
            values: [(first, one.get(what)), (other, two.get(what))]
                .map(|(made, value)| (made.arch.clone(), value.cloned()))
                .into(),
        })
        .collect())
}

/// All that must be the same, by name.
fn facts(header: &RpmHeader) -> std::result::Result<BTreeMap<String, String>, toji_repodata::header::HeaderError> {
    let mut facts = BTreeMap::new();
    for (name, tag) in TAGS {
        if let Some(value) = header.any_tag(tag)? {
            facts.insert(name.to_owned(), shown(&value).join(", "));
        }
    }
    for (kind, dependencies) in [
        ("Requires", &header.requires),
        ("Provides", &header.provides),
        ("Conflicts", &header.conflicts),
        ("Obsoletes", &header.obsoletes),
        ("Recommends", &header.recommends),
        ("Suggests", &header.suggests),
        ("Supplements", &header.supplements),
        ("Enhances", &header.enhances),
    ] {
        // their order says nothing
        facts.extend(dependencies.iter().map(|one| (format!("{kind} {}", dependency(one)), "yes".to_owned())));
    }
    for file in &header.files {
        facts.insert(format!("file {}", file.path), "yes".to_owned());
    }
    for (name, tag) in FILE_TAGS {
        let values = header.any_tag(tag)?.map(|value| shown(&value)).unwrap_or_default();
        for (file, value) in header.files.iter().zip(values) {
            facts.insert(format!("{name} of {}", file.path), value);
        }
    }
    Ok(facts)
}

fn dependency(dependency: &Dependency) -> String {
    match dependency.comparison() {
        Some(comparison) => format!("{} {comparison} {}", dependency.name, dependency.version),
        None => dependency.name.clone(),
    }
}

fn shown(value: &TagValue) -> Vec<String> {
    match value {
        TagValue::Numbers(numbers) => numbers.iter().map(u64::to_string).collect(),
        TagValue::Text(text) => vec![text.clone()],
        TagValue::Texts(texts) => texts.clone(),
        TagValue::Bytes(bytes) => vec![hex::encode(bytes)],
    }
}

fn message(task: TaskId, differences: &[Difference]) -> String {
    let rpms: BTreeSet<&str> = differences.iter().map(|difference| difference.rpm.as_str()).collect();
    let rpms = rpms.into_iter().collect::<Vec<_>>().join(", ");
    let mut message =
        format!("noarch RPMs came out differently on different architectures: {rpms}; see {FILE} of task {task}");
    for difference in differences.iter().take(SHOWN) {
        let value = |value: &Option<String>| match value {
            Some(text) => text.chars().take(LONGEST).collect(),
            None => "nothing".to_owned(),
        };
        let values = difference.values.iter().map(|(arch, said)| format!("{arch}: {}", value(said)));
        message = format!("{message}\n{}: {}", difference.what, values.collect::<Vec<_>>().join(" | "));
    }
    let more = differences.len().saturating_sub(SHOWN);
    if more == 0 { message } else { format!("{message}\nand {more} more") }
}

/// Saved before the task fails with it. Run again, it writes the same.
async fn save(hub: &Hub, task: TaskId, attempt: i32, differences: &[Difference], now: DateTime<Utc>) -> Result<()> {
    let text = serde_json::to_vec_pretty(differences).map_err(Error::internal)?;
    let (size, sha256) = (text.len() as i64, hex::encode(Sha256::digest(&text)));
    hub.store.put(&object_key::attempt_file(task, attempt, FILE), text, "application/json").await?;
    sqlx::query!(
        "INSERT INTO task_file (task_id, attempt, name, size, sha256, upload_id, create_time, done_time)
         VALUES ($1, $2, $3, $4, $5, '', $6, $6)
         ON CONFLICT (task_id, attempt, name) DO UPDATE SET size = $4, sha256 = $5, done_time = $6",
        task.0,
        attempt,
        FILE,
        size,
        sha256,
        now
    )
    .execute(&hub.pool)
    .await?;
    Ok(())
}
