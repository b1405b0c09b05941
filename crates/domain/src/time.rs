//! Time as trent counts it: milliseconds since the Unix epoch, read from a [`Clock`] that is passed in.

use serde::{Deserialize, Serialize};

const MILLISECONDS_PER_MINUTE: i64 = 60 * 1000;
const MILLISECONDS_PER_HOUR: i64 = 60 * 60 * 1000;
const MILLISECONDS_PER_DAY: i64 = 24 * 60 * 60 * 1000;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// From the text that RFC 3339 has for it.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|time| Self(time.as_millisecond()))
    }

    /// The text that RFC 3339 has for it, to the second: `2026-01-01T00:00:00Z`.
    pub fn to_text(self) -> String {
        // Times that jiff does not know are before year -9999 or after 9999.
        jiff::Timestamp::from_second(self.seconds()).map(|time| time.to_string()).unwrap_or_default()
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment and `seconds`; stays at the end of time rather than overflow.
    #[must_use]
    pub const fn plus_seconds(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(1000 * seconds as i64))
    }

    /// This moment and `minutes`; stays at the end of time rather than overflow.
    #[must_use]
    pub const fn plus_minutes(self, minutes: u32) -> Self {
        Self(self.0.saturating_add(MILLISECONDS_PER_MINUTE.saturating_mul(minutes as i64)))
    }

    /// This moment and `hours`; stays at the end of time rather than overflow.
    #[must_use]
    pub const fn plus_hours(self, hours: u32) -> Self {
        Self(self.0.saturating_add(MILLISECONDS_PER_HOUR.saturating_mul(hours as i64)))
    }

    /// This moment and `days` times 24 hours; stays at the end of time rather than overflow.
    #[must_use]
    pub const fn plus_days(self, days: u32) -> Self {
        Self(self.0.saturating_add(MILLISECONDS_PER_DAY.saturating_mul(days as i64)))
    }
}

/// Where the time comes from: the system's clock in the binary, a hand-set one in tests and `trent dev`.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written_as_rfc_3339() {
        let time = Timestamp::parse("2026-01-01T01:00:00+01:00").unwrap();
        assert_eq!(time.seconds(), 1_767_225_600);
        assert_eq!(time.to_text(), "2026-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_millis(1_767_225_600_999).to_text(), "2026-01-01T00:00:00Z");
        for other in ["", "2026", "2026-01-01", "2026-13-01T00:00:00Z"] {
            assert_eq!(Timestamp::parse(other), None, "{other}");
        }
    }
}
