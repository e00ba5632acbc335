//! Queue attributes: what a queue can be set to, and what of it means something here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::{Refusal, Result};

/// Attributes by name, as clients send and see them.
pub(super) type Map = BTreeMap<String, String>;

/// The numbers that a queue goes by: name, least, most, default. Seconds and bytes.
const NUMBERS: [(&str, u32, u32, u32); 5] = [
    ("DelaySeconds", 0, 900, 0),
    ("MaximumMessageSize", 1024, LARGEST_MESSAGE, LARGEST_MESSAGE),
    ("MessageRetentionPeriod", 60, 1_209_600, 345_600),
    ("ReceiveMessageWaitTimeSeconds", 0, 20, 0),
    ("VisibilityTimeout", 0, LONGEST_VISIBILITY, 30),
];

/// The most bytes of a message with its attributes, and of a batch.
pub(super) const LARGEST_MESSAGE: u32 = 256 << 10;
/// Twelve hours.
pub(super) const LONGEST_VISIBILITY: u32 = 43_200;

/// Kept and shown, and of no effect here.
const ONLY_KEPT: [&str; 5] =
    ["Policy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled", "RedriveAllowPolicy"];

/// Where messages go that were received too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Redrive {
    /// The name of the dead-letter queue.
    pub(super) target: String,
    pub(super) most_receives: u32,
}

/// The settings of a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Settings {
    /// Only what was set.
    pub(super) set: Map,
}

impl Settings {
    /// These settings with `changes` made; an empty policy is none.
    pub(super) fn with(&self, changes: &Map) -> Result<Self> {
        let mut set = self.set.clone();
        for (name, value) in changes {
            if value.is_empty() && name.ends_with("Policy") {
                set.remove(name);
                continue;
            }
            check(name, value)?;
            set.insert(name.clone(), value.clone());
        }
        Ok(Self { set })
    }

    /// Whether a queue with these settings is what somebody asks for who names `wanted`.
    pub(super) fn agree_with(&self, wanted: &Map) -> Option<String> {
        let shown = self.shown();
        let differs = wanted.iter().find(|(name, value)| shown.get(*name) != Some(*value));
        differs.map(|(name, _)| name.clone())
    }

    /// All settings, defaults too.
    pub(super) fn shown(&self) -> Map {
        let mut shown = self.set.clone();
        for (name, _, _, default) in NUMBERS {
            shown.entry(name.to_owned()).or_insert_with(|| default.to_string());
        }
        shown.entry("SqsManagedSseEnabled".to_owned()).or_insert_with(|| "false".to_owned());
        shown
    }

    /// One of the numbers.
    fn number(&self, name: &str) -> u32 {
        let set = self.set.get(name).and_then(|value| value.parse().ok());
        let default = || NUMBERS.iter().find(|(known, ..)| *known == name).map(|number| number.3);
        set.or_else(default).unwrap_or_default()
    }

    pub(super) fn delay_seconds(&self) -> u32 {
        self.number("DelaySeconds")
    }

    pub(super) fn largest_message(&self) -> u32 {
        self.number("MaximumMessageSize")
    }

    pub(super) fn retention_seconds(&self) -> u32 {
        self.number("MessageRetentionPeriod")
    }

    pub(super) fn wait_seconds(&self) -> u32 {
        self.number("ReceiveMessageWaitTimeSeconds")
    }

    pub(super) fn visibility_seconds(&self) -> u32 {
        self.number("VisibilityTimeout")
    }

    pub(super) fn redrive(&self) -> Option<Redrive> {
        self.set.get("RedrivePolicy").and_then(|policy| parse_redrive(policy))
    }
}

fn check(name: &str, value: &str) -> Result<()> {
    if let Some((_, least, most, _)) = NUMBERS.iter().find(|(known, ..)| *known == name) {
        return match value.parse::<u32>() {
            Ok(number) if (least..=most).contains(&&number) => Ok(()),
            _ => Err(Refusal::invalid_attribute_value(name)),
        };
    }
    match name {
        "RedrivePolicy" if parse_redrive(value).is_none() => Err(Refusal::invalid_attribute_value(name)),
        "RedrivePolicy" => Ok(()),
        "FifoQueue" if value == "true" => Err(Refusal::unsupported("Only standard queues are served here.")),
        _ if ONLY_KEPT.contains(&name) => Ok(()),
        _ => Err(Refusal::invalid_attribute_name(name)),
    }
}

/// `{"deadLetterTargetArn": …, "maxReceiveCount": 1 to 1000}`; clients send the number as a string, too.
fn parse_redrive(policy: &str) -> Option<Redrive> {
    let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
    let target = policy.get("deadLetterTargetArn")?.as_str()?;
    let most = policy.get("maxReceiveCount")?;
    let most = match most.as_str() {
        Some(text) => text.parse().ok()?,
        None => most.as_u64()?,
    };
    let most_receives = u32::try_from(most).ok().filter(|most| (1..=1000).contains(most))?;
    let target = target.strip_prefix("arn:aws:sqs:")?.rsplit(':').next()?;
    Some(Redrive { target: target.to_owned(), most_receives })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> Map {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn numbers_have_limits() {
        let with = |name, value| Settings::default().with(&map(&[(name, value)]));
        assert_eq!(with("VisibilityTimeout", "43200").unwrap().visibility_seconds(), 43_200);
        assert_eq!(with("VisibilityTimeout", "43201").unwrap_err().name, "InvalidAttributeValue");
        assert_eq!(with("VisibilityTimeout", "-1").unwrap_err().name, "InvalidAttributeValue");
        assert_eq!(with("Colour", "blue").unwrap_err().name, "InvalidAttributeName");
        assert_eq!(with("FifoQueue", "true").unwrap_err().name, "UnsupportedOperation");
    }

    #[test]
    fn redrive_policies() {
        let policy = |most: &str| {
            format!(r#"{{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":{most}}}"#)
        };
        let expected = Redrive { target: "dead".into(), most_receives: 3 };
        assert_eq!(parse_redrive(&policy("3")), Some(expected.clone()));
        assert_eq!(parse_redrive(&policy("\"3\"")), Some(expected));
        assert_eq!(parse_redrive(&policy("0")), None);
        assert_eq!(parse_redrive("{"), None);
        let set = Settings::default().with(&map(&[("RedrivePolicy", &policy("3"))])).unwrap();
        assert!(set.redrive().is_some());
        assert!(set.with(&map(&[("RedrivePolicy", "")])).unwrap().redrive().is_none());
    }

    #[test]
    fn agreement_counts_defaults() {
        let settings = Settings::default();
        assert_eq!(settings.agree_with(&map(&[("VisibilityTimeout", "30")])), None);
        let other = settings.agree_with(&map(&[("VisibilityTimeout", "31")]));
        assert_eq!(other.as_deref(), Some("VisibilityTimeout"));
    }
}
