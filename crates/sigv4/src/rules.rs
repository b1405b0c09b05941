//! What a server demands of a signature beyond its being right.

use std::fmt;

/// Longest Region name accepted by [`is_region_name`], in bytes. Longest known today: 17.
pub const REGION_BYTES_MAX: usize = 64;

/// What a server demands of the signatures it accepts.
#[derive(Clone, Copy)]
pub struct Rules<'r> {
    /// The service that the scope must name, e.g. `kms`.
    pub service: &'r str,
    /// Which Regions the scope may name. [`is_region_name`] takes every well-formed one.
    pub regions: &'r (dyn Fn(&str) -> bool + Send + Sync),
    /// How far the date of a request may lie before or after now, in seconds.
    pub skew_seconds: u32,
    /// Lower-case names of headers, beyond the built-in ones, that must be signed when they are sent: those
    /// whose content the server acts upon.
    ///
    /// Built in are `host` (always), `content-type`, `x-amz-content-sha256`, `x-amz-security-token`,
    /// `x-amz-target`, every `x-trent-*`, and `x-amz-date` when it is the date used. An unsigned `x-amz-target`
    /// would let whoever sits in the middle turn an Encrypt into a ScheduleKeyDeletion.
    pub signed_when_sent: &'r [&'r str],
    /// Lower-case names of headers that need not be signed, although the built-in list has them: for services
    /// whose clients are known to leave them out.
    pub unsigned_allowed: &'r [&'r str],
    /// Whether a wrong signature is answered with the canonical request and the string to sign. Neither has a
    /// secret of the server, but the first repeats header values, session tokens among them.
    pub echo_canonical: bool,
}

impl<'r> Rules<'r> {
    /// Rules for one service in every well-formed Region, with five minutes of clock skew and nothing echoed.
    #[must_use]
    pub const fn new(service: &'r str) -> Self {
        Self {
            service,
            regions: &is_region_name,
            skew_seconds: 300,
            signed_when_sent: &[],
            unsigned_allowed: &[],
            echo_canonical: false,
        }
    }

    /// Whether a header must be signed when it is sent. `dated` says that `x-amz-date` is the date used.
    pub(crate) fn demands_signed(&self, name: &str, dated: bool) -> bool {
        const ALWAYS: [&str; 4] =
            ["content-type", "x-amz-content-sha256", "x-amz-security-token", "x-amz-target"];
        let is = |other: &&str| name.eq_ignore_ascii_case(other);
        (ALWAYS.iter().any(is) && !self.unsigned_allowed.iter().any(is))
            || (dated && is(&"x-amz-date"))
            || name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("x-trent-"))
            || self.signed_when_sent.iter().any(is)
    }
}

impl fmt::Debug for Rules<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("service", &self.service)
            .field("skew_seconds", &self.skew_seconds)
            .field("signed_when_sent", &self.signed_when_sent)
            .field("echo_canonical", &self.echo_canonical)
            .finish_non_exhaustive()
    }
}

/// Whether a text has the form of a Region name: two or three lower-case words and a number, joined by hyphens,
/// [`REGION_BYTES_MAX`] bytes at most (`us-east-1`, `us-gov-west-1`).
#[must_use]
pub fn is_region_name(name: &str) -> bool {
    let mut parts = name.as_bytes().rsplit(|byte| *byte == b'-');
    let number = parts.next().unwrap_or_default();
    let is_word = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_lowercase);
    let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    let mut words = 0;
    name.len() <= REGION_BYTES_MAX
        && is_number
        && parts.inspect(|_| words += 1).all(is_word)
        && (2..=3).contains(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_names_are_words_and_a_number() {
        for good in ["us-east-1", "us-gov-west-1", "eusc-de-east-1", "ap-southeast-12"] {
            assert!(is_region_name(good), "{good}");
        }
        let long = format!("us-{}-1", "e".repeat(REGION_BYTES_MAX));
        for bad in
            ["", "-", "us_east_1", "us-1", "a-b-c-d-1", "us-east-", "us--1", "US-EAST-1", "us-east-1 ", &long]
        {
            assert!(!is_region_name(bad), "{bad}");
        }
    }
}
