//! Dates of requests: ISO 8601 basic format and, in the `Date` header, that of RFC 1123.

use std::fmt;

/// A second in time, as requests name it: `20150830T123600Z`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    epoch_seconds: i64,
    text: [u8; 16],
}

/// The last second of the year 9999, the last one the format can say.
const EPOCH_SECONDS_MAX: i64 = 253_402_300_799;
const DAY_SECONDS: i64 = 86_400;

impl Timestamp {
    /// The timestamp of a number of seconds since 1970. What lies before 1970 or after 9999 becomes the nearest
    /// second within.
    #[must_use]
    pub fn from_epoch_seconds(seconds: i64) -> Self {
        let epoch_seconds = seconds.clamp(0, EPOCH_SECONDS_MAX);
        let (year, month, day) = civil_from_days(epoch_seconds / DAY_SECONDS);
        let of_day = epoch_seconds % DAY_SECONDS;
        let mut text = *b"00000000T000000Z";
        put(&mut text, 0..4, year);
        put(&mut text, 4..6, month);
        put(&mut text, 6..8, day);
        put(&mut text, 9..11, of_day / 3600);
        put(&mut text, 11..13, of_day / 60 % 60);
        put(&mut text, 13..15, of_day % 60);
        Self { epoch_seconds, text }
    }

    /// Reads `YYYYMMDDTHHMMSSZ`.
    #[must_use]
    pub fn parse_basic(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 16 || bytes.get(8) != Some(&b'T') || bytes.get(15) != Some(&b'Z') {
            return None;
        }
        let number = |range| digits(bytes.get(range)?);
        Self::checked([
            number(0..4)?,
            number(4..6)?,
            number(6..8)?,
            number(9..11)?,
            number(11..13)?,
            number(13..15)?,
        ])
    }

    /// Reads the form of the `Date` header: `Sun, 30 Aug 2015 12:36:00 GMT`, also with the zone in figures, as Python
    /// writes it (`-0000`). The day of the week is not checked.
    #[must_use]
    pub fn parse_rfc1123(text: &str) -> Option<Self> {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        const ZONES: [&str; 3] = [" GMT", " +0000", " -0000"];
        let (_, date) = text.split_once(", ")?;
        let date = ZONES.iter().find_map(|zone| date.strip_suffix(zone))?;
        let bytes = date.as_bytes();
        let punctuation = [(2, b' '), (6, b' '), (11, b' '), (14, b':'), (17, b':')];
        let shaped = punctuation.iter().all(|(at, byte)| bytes.get(*at) == Some(byte));
        if bytes.len() != 20 || !shaped {
            return None;
        }
        let number = |range| digits(bytes.get(range)?);
        let month = (1..).zip(MONTHS).find(|(_, name)| bytes.get(3..6) == Some(name.as_bytes()))?.0;
        Self::checked([
            number(7..11)?,
            month,
            number(0..2)?,
            number(12..14)?,
            number(15..17)?,
            number(18..20)?,
        ])
    }

    /// Seconds since 1970.
    #[must_use]
    pub const fn epoch_seconds(&self) -> i64 {
        self.epoch_seconds
    }

    /// `YYYYMMDDTHHMMSSZ`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Digits, `T` and `Z` only, so this never falls back.
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// `YYYYMMDD`.
    #[must_use]
    pub fn date(&self) -> &str {
        self.as_str().get(..8).unwrap_or_default()
    }

    /// The timestamp of year, month, day, hour, minute and second, if there is such a second.
    fn checked([year, month, day, hour, minute, second]: [i64; 6]) -> Option<Self> {
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let days = days_from_civil(year, month, day);
        let stamp = Self::from_epoch_seconds(days * DAY_SECONDS + hour * 3600 + minute * 60 + second);
        // Days that do not exist come back as others, and years before 1970 as 1970.
        (civil_from_days(stamp.epoch_seconds / DAY_SECONDS) == (year, month, day)).then_some(stamp)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Writes the last decimal digits of a number into a range.
fn put(text: &mut [u8; 16], range: std::ops::Range<usize>, number: i64) {
    let mut rest = number;
    for byte in text.get_mut(range).into_iter().flatten().rev() {
        *byte = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or(0));
        rest /= 10;
    }
}

/// The number that decimal digits, and nothing else, stand for.
fn digits(bytes: &[u8]) -> Option<i64> {
    bytes
        .iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

/// Days since 1970 of a date in the Gregorian calendar, counted from March so that the leap day comes last
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The reverse of [`days_from_civil`]: year, month, day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_seconds_are_written_and_read() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_827_696, "20000229T123456Z"),
            (1_440_938_160, "20150830T123600Z"),
            (1_709_210_096, "20240229T123456Z"),
            (4_107_542_400, "21000301T000000Z"),
            (EPOCH_SECONDS_MAX, "99991231T235959Z"),
        ] {
            assert_eq!(Timestamp::from_epoch_seconds(seconds).as_str(), text);
            assert_eq!(Timestamp::parse_basic(text).map(|stamp| stamp.epoch_seconds()), Some(seconds));
        }
    }

    #[test]
    fn every_day_of_two_centuries_survives_the_round_trip() {
        for day in 0..80_000 {
            let stamp = Timestamp::from_epoch_seconds(day * DAY_SECONDS + 86_399);
            assert_eq!(Timestamp::parse_basic(stamp.as_str()), Some(stamp));
        }
    }

    #[test]
    fn seconds_that_do_not_exist_are_refused() {
        for text in [
            "",
            "20150830",
            "20150830T123600",
            "20150830t123600Z",
            "2015-08-30T12:36Z",
            "20150230T123600Z",
            "21000229T000000Z",
            "20151330T123600Z",
            "20150030T123600Z",
            "20150800T123600Z",
            "20150830T243600Z",
            "20150830T126000Z",
            "20150830T123660Z",
            "19691231T235959Z",
            "+0150830T123600Z",
            "20150830T1236é0",
        ] {
            assert_eq!(Timestamp::parse_basic(text), None, "{text}");
        }
    }

    #[test]
    fn the_date_header_is_read() {
        for zone in ["GMT", "+0000", "-0000"] {
            let stamp = Timestamp::parse_rfc1123(&format!("Sun, 30 Aug 2015 12:36:00 {zone}")).unwrap();
            assert_eq!(stamp.as_str(), "20150830T123600Z");
        }
        for text in [
            "30 Aug 2015 12:36:00 GMT",
            "Sun, 30 Aug 2015 12:36:00",
            "Sun, 30 Aug 2015 12:36:00 +0200",
            "Sun, 30 Aug 2015 12:36:00 UTC",
            "Sun, 30 Xxx 2015 12:36:00 GMT",
            "Sun, 3 Aug 2015 12:36:00 GMT",
        ] {
            assert_eq!(Timestamp::parse_rfc1123(text), None, "{text}");
        }
    }
}
