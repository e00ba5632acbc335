//! Times as Koji's answers carry them: a string, and beside it the seconds since the epoch.

use chrono::{DateTime, Datelike, Timelike, Utc};
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
        let Ok(year @ 0..=9999) = u32::try_from(self.0.year()) else {
            return write!(f, "{}", self.0.format("%Y-%m-%d %H:%M:%S%.6f+00:00"));
        };
        // digit by digit: lists hold thousands of times, and chrono reads its pattern anew for each
        let mut text = *b"0000-00-00 00:00:00.000000+00:00";
        put(&mut text[0..4], year);
        put(&mut text[5..7], self.0.month());
        put(&mut text[8..10], self.0.day());
        put(&mut text[11..13], self.0.hour());
        put(&mut text[14..16], self.0.minute());
        put(&mut text[17..19], self.0.second());
        let micros = self.0.timestamp_subsec_micros();
        put(&mut text[20..26], micros);
        if micros == 0 {
            text.copy_within(26.., 19);
        }
        let length = if micros == 0 { text.len() - ".000000".len() } else { text.len() };
        f.write_str(std::str::from_utf8(&text[..length]).map_err(|_| std::fmt::Error)?)
    }
}

/// Writes a number into places for digits.
fn put(places: &mut [u8], mut number: u32) {
    for place in places.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
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
        assert_eq!(Time::from_ts(-1.5).unwrap().to_string(), "1969-12-31 23:59:58.500000+00:00");
        let far = Time::from_ts(253_402_300_800.5).unwrap();
        assert_eq!(far.to_string(), "+10000-01-01 00:00:00.500000+00:00");
        assert!((time.ts() - 1_795_219_216.986_155).abs() < 1e-6);
    }
}
