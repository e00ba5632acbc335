//! Times as Koji's answers carry them: a string, and beside it the seconds since the epoch.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time that travels as `2026-11-21 00:00:16.986155+00:00`; the fraction is left out when it is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String")]
pub struct Time(pub DateTime<Utc>);

impl Time {
    /// Seconds since the epoch, for the `_ts` twin.
    pub fn ts(self) -> f64 {
        self.0.timestamp_micros() as f64 / 1e6
    }

    /// From seconds since the epoch; None when out of range.
    pub fn from_ts(ts: f64) -> Option<Self> {
        DateTime::from_timestamp_micros((ts * 1e6).round() as i64).map(Self)
    }
}

impl From<DateTime<Utc>> for Time {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time)
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.timestamp_subsec_micros() == 0 {
            write!(f, "{}", self.0.format("%Y-%m-%d %H:%M:%S+00:00"))
        } else {
            write!(f, "{}", self.0.format("%Y-%m-%d %H:%M:%S%.6f+00:00"))
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse::<DateTime<Utc>>()
            .map(Self)
            .map_err(|error| serde::de::Error::custom(format!("'{text}' is no time: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let time = Time::from_ts(1_795_219_216.986_155).unwrap();
        assert_eq!(time.to_string(), "2026-11-21 00:00:16.986155+00:00");
        let json = serde_json::to_string(&time).unwrap();
        assert_eq!(serde_json::from_str::<Time>(&json).unwrap(), time);
        assert_eq!(Time::from_ts(60.0).unwrap().to_string(), "1970-01-01 00:01:00+00:00");
        assert!((time.ts() - 1_795_219_216.986_155).abs() < 1e-6);
    }
}
