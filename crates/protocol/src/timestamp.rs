//! Timestamps of the wire: seconds since the epoch, as a JSON number.
//!
//! Incoming ones may carry any fraction, outgoing ones are milliseconds. Whole seconds go out without a fraction;
//! every SDK reads both forms.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A timestamp of a request: seconds since the epoch with fraction; always finite.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct EpochSeconds(f64);

impl EpochSeconds {
    /// The timestamp of that many seconds, unless they are infinite or not a number.
    pub fn new(seconds: f64) -> Option<Self> {
        seconds.is_finite().then_some(Self(seconds))
    }

    /// Seconds since the epoch.
    pub fn seconds(self) -> f64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded; times beyond the range of `i64` become its ends.
    pub fn to_millis(self) -> EpochMillis {
        // A float-to-integer cast saturates, which is what is wanted here.
        EpochMillis((self.0 * 1000.0).round() as i64)
    }
}

impl<'de> Deserialize<'de> for EpochSeconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_f64(SecondsVisitor)
    }
}

struct SecondsVisitor;

impl Visitor<'_> for SecondsVisitor {
    type Value = EpochSeconds;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds since the epoch")
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<EpochSeconds, E> {
        EpochSeconds::new(seconds).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<EpochSeconds, E> {
        self.visit_f64(seconds as f64)
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<EpochSeconds, E> {
        self.visit_f64(seconds as f64)
    }
}

/// A timestamp of a response: milliseconds since the epoch. Displays as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochMillis(pub i64);

impl fmt::Display for EpochMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (seconds, millis) = (self.0.unsigned_abs() / 1000, self.0.unsigned_abs() % 1000);
        match millis {
            0 => write!(f, "{sign}{seconds}"),
            _ => write!(f, "{sign}{seconds}.{millis:03}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_print_as_seconds_with_fraction() {
        for (millis, text) in [
            (1_521_097_200_123, "1521097200.123"),
            (1_521_097_200_000, "1521097200"),
            (1_521_097_200_007, "1521097200.007"),
            (0, "0"),
            (-1, "-0.001"),
            (i64::MIN, "-9223372036854775.808"),
        ] {
            assert_eq!(EpochMillis(millis).to_string(), text);
        }
    }

    #[test]
    fn only_finite_numbers_are_times() {
        for (json, seconds) in
            [("1.5", Some(1.5)), ("-2", Some(-2.0)), ("7", Some(7.0)), ("\"7\"", None), ("1e999", None)]
        {
            let parsed: Option<EpochSeconds> = serde_json::from_str(json).ok();
            assert_eq!(parsed.map(EpochSeconds::seconds), seconds, "{json}");
        }
        assert_eq!(EpochSeconds::new(f64::NAN), None);
    }

    #[test]
    fn seconds_become_milliseconds() {
        assert_eq!(EpochSeconds::new(1.2345).unwrap().to_millis(), EpochMillis(1235));
        assert_eq!(EpochSeconds::new(1e300).unwrap().to_millis(), EpochMillis(i64::MAX));
    }
}
