//! The second factor: one-time codes of the caller's own devices. Each code is good once, and who tries wrong ones waits.
//!
//! The last step of time that a code of a device was taken of is in the database, so that neither a restart nor two
//! requests at once make a code good twice. Wrong codes are counted in memory.

use std::collections::HashMap;

use parking_lot::Mutex;
use trent_database::DatabaseError;
use trent_domain::time::Timestamp;

use super::Request;
use super::error::StsError;
use super::query::{Constraints, Form, TextRule};

/// Wrong codes in a row after which a device waits.
const FREE_ATTEMPTS: u32 = 5;
/// How long it waits first; each wrong code after that doubles it.
const FIRST_WAIT_SECONDS: u32 = 60;
const WAIT_SECONDS_MAX: u32 = 3600;
/// How long after the end of a wait wrong codes are forgotten.
const FORGOTTEN_SECONDS: u32 = 24 * 60 * 60;

// Recorded of AWS, the spaces too.
const INVALID_CODE: &str = "MultiFactorAuthentication failed with invalid MFA one time pass code. ";
const INVALID_DEVICE: &str = "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA \
                              serial number is valid and associated with this user.";
const HALF: &str =
    "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.";
/// AWS does not tell how it bounds attempts.
const TOO_MANY: &str =
    "MultiFactorAuthentication failed, too many invalid MFA one time pass codes. Try again later.";

/// What a request shows as its second factor.
pub(super) struct Factor<'f> {
    serial_number: Option<&'f str>,
    code: Option<&'f str>,
}

impl<'f> Factor<'f> {
    pub(super) fn read(form: &'f Form, constraints: &mut Constraints) -> Self {
        let of_serial = |c: char| c.is_ascii_alphanumeric() || "_+=/:,.@-".contains(c);
        let serial = TextRule { min: 9, max: 256, characters: Some((of_serial, r"[\w+=/:,.@-]*")) };
        let digits = TextRule { min: 6, max: 6, characters: Some((|c| c.is_ascii_digit(), r"[\d]*")) };
        Self {
            serial_number: constraints.optional(form, "SerialNumber", serial),
            code: constraints.optional(form, "TokenCode", digits),
        }
    }
}

impl Request<'_> {
    /// When the caller has shown a second factor: now, or not at all.
    pub(super) async fn second_factor(&self, factor: Factor<'_>) -> Result<Option<Timestamp>, StsError> {
        let (serial_number, code) = match factor {
            Factor { serial_number: None, code: None } => return Ok(None),
            Factor { serial_number: Some(serial_number), code: Some(code) } => (serial_number, code),
            _ => return Err(StsError::denied(HALF)),
        };
        let directory = self.service.directory();
        let device = directory.mfa_device(serial_number);
        // Codes of somebody else's device are not tried, nor is it told that it is there.
        let caller = &self.signer()?.caller;
        let device =
            device.filter(|device| device.is_of(caller)).ok_or_else(|| StsError::denied(INVALID_DEVICE))?;
        let seconds = u64::try_from(self.now.seconds()).unwrap_or_default();
        let attempts = &self.service.mfa_attempts;
        let tried = attempts.attempt(serial_number, self.now, || device.key.step_of(code, seconds));
        let step = match tried {
            Attempt::Right(step) => step,
            Attempt::Wrong => return Err(StsError::denied(INVALID_CODE)),
            Attempt::Waits => return Err(StsError::denied(TOO_MANY)),
        };
        match self.take(serial_number, step).await {
            Ok(true) => {
                attempts.forget(serial_number);
                Ok(Some(self.now))
            }
            Ok(false) => Err(StsError::denied(INVALID_CODE)),
            Err(error) => Err(StsError::internal(&error)),
        }
    }

    /// Takes the code of a step, unless one of it or of a later one was taken.
    async fn take(&self, serial_number: &str, step: u64) -> Result<bool, DatabaseError> {
        let name = format!("mfa-step/{serial_number}");
        let taken =
            trent_database::write(&*self.service.database, "take one-time code", move |transaction| {
                let last = transaction.setting(&name)?;
                let last = last.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
                let is_new = last.is_none_or(|last| step > last);
                if is_new {
                    transaction.put_setting(&name, &step.to_be_bytes())?;
                }
                Ok::<_, DatabaseError>(is_new)
            });
        taken.await?
    }
}

/// Wrong codes by device. There are no more of them than devices that there were since the start.
#[derive(Debug, Default)]
pub(crate) struct MfaAttempts(Mutex<HashMap<String, Failures>>);

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    /// Nothing is tried before.
    until: Timestamp,
}

#[derive(Debug, PartialEq, Eq)]
enum Attempt {
    Right(u64),
    Wrong,
    Waits,
}

impl MfaAttempts {
    /// Tries a code, unless the device waits. Nobody else tries one of it meanwhile.
    fn attempt(&self, device: &str, now: Timestamp, step_of: impl FnOnce() -> Option<u64>) -> Attempt {
        let mut failures = self.0.lock();
        let known = failures.get(device).copied();
        // Who stole an access key must not keep its owner out for good.
        let known = known.filter(|known| now < known.until.plus_seconds(FORGOTTEN_SECONDS));
        if known.is_some_and(|known| now < known.until) {
            return Attempt::Waits;
        }
        if let Some(step) = step_of() {
            return Attempt::Right(step);
        }
        let count = known.map_or(0, |known| known.count).saturating_add(1);
        let until = now.plus_seconds(wait_seconds(count));
        failures.insert(device.to_owned(), Failures { count, until });
        if until > now {
            tracing::warn!(device, count, "wrong one-time codes; none of this device is tried for a while");
        }
        Attempt::Wrong
    }

    /// As if none had been wrong.
    pub(crate) fn forget(&self, device: &str) {
        self.0.lock().remove(device);
    }
}

fn wait_seconds(failures: u32) -> u32 {
    match failures.checked_sub(FREE_ATTEMPTS) {
        None => 0,
        Some(more) => FIRST_WAIT_SECONDS.checked_shl(more.min(16)).unwrap_or(u32::MAX).min(WAIT_SECONDS_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_tries_wrong_codes_waits_longer_each_time() {
        let attempts = MfaAttempts::default();
        let mut now = Timestamp::from_millis(0);
        for _ in 0..FREE_ATTEMPTS {
            assert_eq!(attempts.attempt("device", now, || None), Attempt::Wrong);
        }
        let mut waited = Vec::new();
        for _ in 0..9 {
            let mut seconds = 0;
            while attempts.attempt("device", now.plus_seconds(seconds), || Some(1)) == Attempt::Waits {
                seconds += 1;
            }
            now = now.plus_seconds(seconds);
            assert_eq!(attempts.attempt("device", now, || None), Attempt::Wrong);
            waited.push(seconds);
        }
        assert_eq!(waited, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        assert_eq!(attempts.attempt("another", now, || Some(7)), Attempt::Right(7));
        assert_eq!(attempts.attempt("device", now, || panic!("it waits")), Attempt::Waits);
        attempts.forget("device");
        assert_eq!(attempts.attempt("device", now, || None), Attempt::Wrong);
        assert_eq!(attempts.attempt("device", now, || Some(7)), Attempt::Right(7));
    }
}
