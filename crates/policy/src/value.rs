//! The values that condition operators compare: numbers, points in time, networks, base64.

use std::net::IpAddr;

/// A decimal number. Exponents are accepted, infinities and the like are not.
pub(crate) fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    text.parse().ok().filter(|n: &f64| plain && n.is_finite())
}

/// `true` or `false`, in any case.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A point in time in microseconds since the epoch, written as ISO 8601 or as epoch seconds.
///
/// Plain digits are always epoch seconds: a year alone is not accepted as a date.
pub(crate) fn timestamp(text: &str) -> Option<i64> {
    if let Some(seconds) = number(text) {
        // Beyond this a double no longer holds microseconds; it is the year 250,000.
        return (seconds.abs() < 8e12).then(|| (seconds * 1e6).round() as i64);
    }
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time_of_day(time)?),
        None => (text, 0),
    };
    Some(days(date)? * 86_400_000_000 + time)
}

/// Days since the epoch of `YYYY-MM` or `YYYY-MM-DD`.
fn days(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = digits(parts.next()?, 2)?;
    let day = parts.next().map_or(Some(1), |day| digits(day, 2))?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if parts.next().is_some() || !(1..=length).contains(&day) {
        return None;
    }
    // Years counted from March put the leap day last, so that months have a formula.
    let shifted = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = shifted.div_euclid(4) - shifted.div_euclid(100) + shifted.div_euclid(400);
    Some(shifted * 365 + leap_days + day_of_year - 719_468)
}

/// Microseconds of `hh:mm[:ss[.fraction]]` and a zone, `Z` or `±hh:mm`. The zone is required: a time
/// without one is a different moment for every reader.
fn time_of_day(text: &str) -> Option<i64> {
    let (clock, zone_minutes) = match text.strip_suffix('Z') {
        Some(clock) => (clock, 0),
        None => {
            let (clock, zone) = text.split_at_checked(text.rfind(['+', '-'])?)?;
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            (clock, sign * (below(hours, 24)? * 60 + below(minutes, 60)?))
        }
    };
    let mut parts = clock.splitn(3, ':');
    let minutes = below(parts.next()?, 24)? * 60 + below(parts.next()?, 60)?;
    let (seconds, fraction) = match parts.next() {
        None => ("00", "0"),
        Some(text) => text.split_once('.').unwrap_or((text, "0")),
    };
    let micros = below(seconds, 60)? * 1_000_000 + micros(fraction)?;
    Some((minutes - zone_minutes) * 60_000_000 + micros)
}

/// The first six digits of a fraction; what is finer is cut off.
fn micros(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let padded = fraction.bytes().chain(std::iter::repeat(b'0')).take(6);
    Some(padded.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
}

fn below(text: &str, limit: i64) -> Option<i64> {
    digits(text, 2).filter(|n| *n < limit)
}

fn digits(text: &str, length: usize) -> Option<i64> {
    (text.len() == length && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// A range of addresses. IPv4 is kept in its IPv6-mapped form, so both spellings of it are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    bits: u128,
    mask: u128,
}

impl Network {
    /// Reads `address` or `address/length`; bits past the length do not matter.
    #[must_use]
    pub fn parse(text: &str) -> Option<Network> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let (width, before) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let length = match length {
            None => width,
            Some(text) => prefix_length(text).filter(|length| *length <= width)?,
        };
        let mask = u128::MAX.checked_shl(128 - before - length).unwrap_or(0);
        Some(Network { bits: mapped(address) & mask, mask })
    }

    /// Whether the address lies inside; what is not an address never does.
    pub(crate) fn contains_text(&self, address: &str) -> bool {
        address.parse().is_ok_and(|address| self.contains(address))
    }

    /// Whether the address lies inside.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = mapped(address);
        // `::/0` means all of IPv6, not IPv4 as well.
        is_v4(bits) == is_v4(self.bits) && bits & self.mask == self.bits
    }
}

fn prefix_length(text: &str) -> Option<u32> {
    let plain = text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn is_v4(bits: u128) -> bool {
    bits >> 32 == 0xffff
}

/// Whether a text is base64 in its one canonical spelling: padded, unused bits zero. Between two such
/// texts equal bytes are equal characters, so nothing need be decoded to compare.
pub(crate) fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    let values_end_clean = match (padding, body.bytes().last().and_then(sextet)) {
        (1, Some(last)) => last & 0b11 == 0,
        (2, Some(last)) => last & 0b1111 == 0,
        (0, _) => true,
        _ => false,
    };
    text.len().is_multiple_of(4) && values_end_clean && body.bytes().all(|b| sextet(b).is_some())
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_both_kinds_meet() {
        let second = 1_546_257_599_000_000;
        for text in [
            "1546257599",
            "1546257599.0",
            "1.546257599E9",
            "2018-12-31T11:59:59Z",
            "2018-12-31T13:59:59+02:00",
            "2018-12-31T09:29:59.000-02:30",
        ] {
            assert_eq!(timestamp(text), Some(second), "{text}");
        }
        assert_eq!(timestamp("1970-01-01"), Some(0));
        assert_eq!(timestamp("1970-02"), Some(31 * 86_400_000_000));
        assert_eq!(timestamp("2000-02-29T00:00Z"), Some(951_782_400_000_000));
        assert_eq!(timestamp("1970-01-01T00:00:00.1234567Z"), Some(123_456));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "soon",
            "2001-02-29",
            "1900-02-29",
            "2001-13-01",
            "2001-00-01",
            "2001-1-1",
            "2001-01-01T",
            "2001-01-01T00:00:00",
            "2001-01-01T24:00Z",
            "2001-01-01T00:60Z",
            "2001-01-01T00:00:60Z",
            "2001-01-01T00:00:00.xZ",
            "2001-01-01T00:00:00.Z",
            "2001-01-01-01",
            "2001-01-01T00:00:00+2:00",
            "1e300",
            "inf",
            "NaN",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_decimal() {
        assert_eq!(number("-1.50"), Some(-1.5));
        assert_eq!(number("1e3"), Some(1000.0));
        for text in ["", "x", "0x10", "inf", "NaN", "1e999", "1,5", " 1"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn networks_hold_their_own_family() {
        let holds = |network: &str, address: &str| Network::parse(network).unwrap().contains_text(address);
        assert!(holds("10.0.0.0/8", "10.255.255.255"));
        assert!(holds("10.1.2.3/8", "10.0.0.0"));
        assert!(!holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("192.0.2.7", "192.0.2.7"));
        assert!(holds("10.0.0.0/8", "::ffff:10.0.0.1"));
        assert!(holds("::ffff:10.0.0.0/104", "10.0.0.1"));
        assert!(holds("0.0.0.0/0", "1.2.3.4"));
        assert!(!holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("::/0", "2001:db8::1"));
        assert!(!holds("::/0", "1.2.3.4"));
        assert!(holds("2001:db8::/33", "2001:db8:7fff::1"));
        assert!(!holds("2001:db8::/33", "2001:db8:8000::1"));
        for text in ["10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/+8", "10.0.0.0/", "010.0.0.1", "x"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn base64_has_one_spelling() {
        for text in ["", "QUI=", "QQ==", "QUJD", "+/+/"] {
            assert!(is_base64(text), "{text}");
        }
        for text in ["QUJ=", "QR==", "QUI", "=", "====", "Q===", "QU=I", "QUJ-", "QUI=\n"] {
            assert!(!is_base64(text), "{text}");
        }
    }
}
