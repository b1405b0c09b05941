//! The certificate of the configuration: does it load, and is it valid now?

use trent_domain::time::Clock;

use super::Finding;
use crate::certificate::{SECONDS_PER_DAY, Validity, validity};
use crate::clock::SystemClock;
use crate::commands::serve;
use crate::config::HttpSection;

/// Days before the end at which a certificate should have been renewed.
const DAYS_LEFT_MIN: i64 = 14;

pub(super) fn check(http: &HttpSection) -> Option<Finding> {
    let loaded = match serve::tls(http) {
        Ok(tls) => tls.is_some(),
        Err(error) => return Some(Finding::wrong(format!("certificate: {error:#}"))),
    };
    let path = http.tls_certificate.as_deref().filter(|_| loaded)?;
    let shown = path.display();
    Some(match validity(path) {
        Some(validity) => judge(&shown.to_string(), &validity, SystemClock.now().seconds()),
        None => Finding::warning(format!("certificate: the dates of {shown} could not be read")),
    })
}

fn judge(shown: &str, validity: &Validity, now: i64) -> Finding {
    let days = |seconds: i64| seconds.div_euclid(SECONDS_PER_DAY);
    if now < validity.from {
        let days = days(validity.from - now);
        return Finding::wrong(format!(
            "certificate: {shown} becomes valid in {days} days; check the clock, or replace it"
        ));
    }
    match days(validity.until - now) {
        left if left < 0 => Finding::wrong(format!(
            "certificate: {shown} ran out {} days ago; replace it and send SIGHUP to the server",
            -left
        )),
        left if left < DAYS_LEFT_MIN => Finding::warning(format!(
            "certificate: {shown} runs out in {left} days; renew it and send SIGHUP"
        )),
        left => Finding::fine(format!("certificate: {shown} is valid for {left} more days")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_judged_by_the_time_that_is_left() {
        let validity = Validity { from: 0, until: 100 * SECONDS_PER_DAY };
        for (now, expected) in [
            (-1, super::super::Grade::Wrong),
            (0, super::super::Grade::Fine),
            (90 * SECONDS_PER_DAY, super::super::Grade::Warning),
            (101 * SECONDS_PER_DAY, super::super::Grade::Wrong),
        ] {
            assert_eq!(judge("chain.pem", &validity, now).grade, expected, "{now}");
        }
    }
}
