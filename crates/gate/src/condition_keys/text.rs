//! Short texts that are written in place, without a heap.

use std::fmt::{self, Write};

use trent_domain::time::Timestamp;

/// The longest are addresses of IP version 6.
const BYTES: usize = 48;

/// A number, an address or a point in time, written out.
pub(super) struct Text {
    bytes: [u8; BYTES],
    length: usize,
}

impl Text {
    /// What a value is written as; what does not fit is cut off.
    pub(super) fn of(value: impl fmt::Display) -> Self {
        let mut text = Self { bytes: [0; BYTES], length: 0 };
        // It fails only when there is no more room.
        let _ = write!(text, "{value}");
        text
    }

    /// A point in time as ISO 8601 has it, in whole seconds.
    pub(super) fn moment(at: Timestamp) -> Self {
        let seconds = at.seconds();
        let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = date(day);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        Self::of(format_args!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
    }

    pub(super) fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.length..self.length + text.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

/// Year, month and day of the Gregorian calendar, from days since 1970-01-01. Years counted from March put the leap
/// day last, so that months have a formula.
const fn date(days: i64) -> (i64, i64, i64) {
    let since = days + 719_468;
    let (era, day) = (since.div_euclid(146_097), since.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, carried) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carried, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_are_written_as_iso_8601_has_them() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_225_600, "2026-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(Text::moment(Timestamp::from_millis(seconds * 1_000)).as_str(), text);
        }
    }

    #[test]
    fn every_address_fits() {
        let longest: std::net::IpAddr = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255".parse().unwrap();
        assert_eq!(Text::of(longest).as_str(), longest.to_string());
        assert_eq!(Text::of(i64::MIN).as_str(), i64::MIN.to_string());
    }
}
