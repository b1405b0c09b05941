//! Lengths and points of time as people write them: `8d`, `1h30m`, `2027-01-01T00:00:00Z`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use trent_domain::time::Timestamp;

/// A length of time: numbers with units, as in `8d`, `1h30m` or `250ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Span(Duration);

/// Longest first, as they are written out.
const UNITS: [(&str, u64); 6] =
    [("w", 7 * 86_400_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl Span {
    pub(crate) const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    pub(crate) const fn duration(self) -> Duration {
        self.0
    }

    fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "`{text}` is no length of time; write numbers with the units w d h m s ms, such as 8d or 1h30m"
            )
        };
        let mut rest = text;
        let mut millis: u64 = 0;
        while !rest.is_empty() {
            let digits = rest.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(refused)?;
            let (number, after) = rest.split_at(digits);
            let letters = after.find(|letter: char| letter.is_ascii_digit()).unwrap_or(after.len());
            let (unit, after) = after.split_at(letters);
            let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(refused)?;
            let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*unit));
            millis = part.and_then(|part| millis.checked_add(part)).ok_or_else(refused)?;
            rest = after;
        }
        if text.is_empty() { Err(refused()) } else { Ok(Self::from_millis(millis)) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.millis();
        if left == 0 {
            return f.write_str("0s");
        }
        // Weeks are taken, and days shown.
        for (name, unit) in UNITS.into_iter().skip(1) {
            if left >= unit {
                write!(f, "{}{name}", left / unit)?;
                left %= unit;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

/// A point in time, as RFC 3339 writes it, or in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Moment(pub(crate) Timestamp);

impl Moment {
    /// The last that RFC 3339 can write.
    pub(crate) const LAST: Timestamp = Timestamp::from_millis(253_402_207_199_999);
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = text.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1000));
        let written = || text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond);
        let millis = seconds.or_else(written).filter(|millis| *millis <= Self::LAST.millis());
        millis.map(|millis| Self(Timestamp::from_millis(millis))).ok_or_else(|| {
            format!("`{text}` is no time; write it as 2027-01-01T00:00:00Z, or as seconds since 1970")
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0.millis()) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{}", self.0.seconds()),
        }
    }
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_and_written() {
        for (text, millis, written) in [
            ("8d", 8 * 86_400_000, "8d"),
            ("1h30m", 5_400_000, "1h30m"),
            ("250ms", 250, "250ms"),
            ("2w1s", 1_209_601_000, "14d1s"),
            ("90m", 5_400_000, "1h30m"),
            ("0s", 0, "0s"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.millis(), span.to_string().as_str()), (millis, written));
        }
        for text in
            ["", "8", "d", "8 d", "-1d", "1y", "99999999999999999999d", "18446744073709551615w", "1d2"]
        {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_read_and_written() {
        let moment = |text: &str| text.parse::<Moment>().map(|moment| moment.0.millis());
        assert_eq!(moment("2027-01-01T00:00:00Z"), Ok(1_798_761_600_000));
        assert_eq!(moment("2027-01-01T01:00:00.5+01:00"), Ok(1_798_761_600_500));
        assert_eq!(moment("1798761600"), Ok(1_798_761_600_000));
        assert_eq!(Moment(Timestamp::from_millis(1_798_761_600_500)).to_string(), "2027-01-01T00:00:00.5Z");
        let last = Moment(Moment::LAST);
        assert_eq!(last.to_string().parse(), Ok(last));
        for text in ["", "tomorrow", "2027-01-01", "9999999999999999", "253402300800"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }
}
