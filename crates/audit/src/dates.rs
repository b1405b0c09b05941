//! The two ways in which records write times, both in UTC.

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_SECONDS: i64 = 86_400;
/// The last second of the year 9999: neither form goes further.
const SECONDS_MAX: i64 = 253_402_300_799;

/// `2022-08-10T22:38:27Z`, as of events.
pub(crate) fn iso(millis: i64, out: &mut Vec<u8>) {
    let Parts { year, month, day, hour, minute, second } = Parts::of(millis);
    digits(out, year, 4);
    for (before, number) in [(b'-', month), (b'-', day), (b'T', hour), (b':', minute), (b':', second)] {
        out.push(before);
        digits(out, number, 2);
    }
    out.push(b'Z');
}

/// `"Aug 10, 2022, 10:38:27 PM"` with its quotes, as within requests and answers.
pub(crate) fn long(millis: i64, out: &mut Vec<u8>) {
    let Parts { year, month, day, hour, minute, second } = Parts::of(millis);
    let month = usize::try_from(month - 1).ok().and_then(|month| MONTHS.get(month)).copied();
    let (half, hour) = (if hour < 12 { "AM" } else { "PM" }, (hour + 11) % 12 + 1);
    let text =
        format!("\"{} {day}, {year}, {hour}:{minute:02}:{second:02} {half}\"", month.unwrap_or_default());
    out.extend_from_slice(text.as_bytes());
}

struct Parts {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Parts {
    fn of(millis: i64) -> Self {
        let seconds = millis.div_euclid(1000).clamp(0, SECONDS_MAX);
        let of_day = seconds % DAY_SECONDS;
        // Howard Hinnant's `civil_from_days`, for days from 1970 on.
        let days = seconds / DAY_SECONDS + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: of_year - (153 * shifted + 2) / 5 + 1,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
        }
    }
}

fn digits(out: &mut Vec<u8>, number: i64, count: u32) {
    for place in (0..count).rev() {
        let digit = u8::try_from(number / 10_i64.pow(place) % 10).unwrap_or_default();
        out.push(b'0' + digit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(millis: i64) -> (String, String) {
        let (mut short, mut text) = (Vec::new(), Vec::new());
        iso(millis, &mut short);
        long(millis, &mut text);
        (String::from_utf8(short).unwrap(), String::from_utf8(text).unwrap())
    }

    #[test]
    fn times_are_written_in_both_forms() {
        for (millis, short, text) in [
            (0, "1970-01-01T00:00:00Z", "\"Jan 1, 1970, 12:00:00 AM\""),
            (1_660_171_107_999, "2022-08-10T22:38:27Z", "\"Aug 10, 2022, 10:38:27 PM\""),
            (1_709_208_000_000, "2024-02-29T12:00:00Z", "\"Feb 29, 2024, 12:00:00 PM\""),
            (i64::MAX, "9999-12-31T23:59:59Z", "\"Dec 31, 9999, 11:59:59 PM\""),
            (i64::MIN, "1970-01-01T00:00:00Z", "\"Jan 1, 1970, 12:00:00 AM\""),
        ] {
            assert_eq!(both(millis), (short.to_owned(), text.to_owned()));
        }
    }
}
