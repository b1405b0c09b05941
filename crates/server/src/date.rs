//! The `Date` header: the server's clock, in the form of RFC 9110, written once a second.
//!
//! Not the one that hyper would send: clients correct their clock by this header, so it must be the clock that
//! their signatures are judged by.

use std::sync::{Mutex, PoisonError};

use http::HeaderValue;
use trent_domain::time::Timestamp;

/// The header of the current second.
pub(crate) struct Dates(Mutex<(i64, HeaderValue)>);

impl Dates {
    pub(crate) fn new() -> Self {
        Self(Mutex::new((0, value(0))))
    }

    pub(crate) fn at(&self, now: Timestamp) -> HeaderValue {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.0 != now.seconds() {
            *cached = (now.seconds(), value(now.seconds()));
        }
        cached.1.clone()
    }
}

fn value(seconds: i64) -> HeaderValue {
    HeaderValue::try_from(text(seconds)).unwrap_or(HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"))
}

fn text(seconds: i64) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let name = |names: &[&'static str], index: i64| {
        usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or_default()
    };
    let (weekday, month) = (name(&WEEKDAYS, days.rem_euclid(7)), name(&MONTHS, month - 1));
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Year, month (1 to 12) and day of a day since 1970-01-01, in the Gregorian calendar.
///
/// Years are counted from March, so that the day which comes and goes is the last; 400 years have 146,097 days.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (4_102_444_800, "Fri, 01 Jan 2100 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            assert_eq!(text(seconds), expected);
        }
    }

    #[test]
    fn the_header_follows_the_clock_in_both_directions() {
        let dates = Dates::new();
        let at = |seconds: i64| dates.at(Timestamp::from_millis(seconds * 1000));
        assert_eq!(at(60), "Thu, 01 Jan 1970 00:01:00 GMT");
        assert_eq!(at(1), "Thu, 01 Jan 1970 00:00:01 GMT");
    }
}
