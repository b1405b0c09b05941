//! Logging in to the HSMs of a cluster.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use trent_domain::key_store::ClusterFailure;
use trent_gate::TokenTarget;
use trent_hsm::{Error, Pin, TokenError, Worker};

use super::Reached;

/// An HSM that has let the user in, and the PIN that it did with.
pub(super) struct Member {
    pub(super) serial: String,
    pub(super) pin: Pin,
    /// Whether it has refused the PIN since.
    is_refused: AtomicBool,
}

impl Member {
    pub(super) const fn new(serial: String, pin: Pin) -> Self {
        Self { serial, pin, is_refused: AtomicBool::new(false) }
    }

    /// Logs in with the PIN that it has let the user in with. One that was refused once is not tried again: each try counts
    /// against the user.
    pub(super) async fn log_in(&self, worker: &Worker) -> Result<(), Error> {
        if self.is_refused.load(Ordering::Acquire) {
            return Err(Error::Token(TokenError::PinIncorrect));
        }
        let answer = worker.log_in(&self.serial, &self.pin).await;
        if answer.as_ref().is_err_and(is_refusal) {
            self.is_refused.store(true, Ordering::Release);
        }
        answer
    }

    /// Lets the PIN be tried again.
    pub(super) fn forgive(&self) {
        self.is_refused.store(false, Ordering::Release);
    }
}

/// What came of logging in to several HSMs.
pub(super) struct Attempt {
    pub(super) worker: Worker,
    pub(super) members: Vec<Member>,
    /// Those that know none of the passwords, by the serial numbers of their tokens.
    pub(super) refused: Vec<String>,
    /// What it means for a connection.
    pub(super) overall: Result<(), ClusterFailure>,
}

/// Logs in to all HSMs that let the user in. One whose module hangs or crashes takes the worker and all logins along, so
/// that the others are logged in to anew, without it.
pub(super) async fn to_all(reached: &Reached, tokens: &[TokenTarget]) -> Result<Attempt, ClusterFailure> {
    let (mut lost, mut refused) = (BTreeMap::new(), Vec::new());
    'anew: loop {
        let worker = reached.worker().map_err(|error| failure(&error))?;
        let mut members = Vec::new();
        for token in tokens {
            if lost.contains_key(&token.serial) {
                continue;
            }
            match to_one(reached, &worker, token).await {
                Ok(pin) => members.push(Member::new(token.serial.clone(), pin)),
                Err(error) => {
                    tracing::warn!(token = token.serial, %error, "an HSM does not let `kmsuser` in");
                    if is_refusal(&error) {
                        refused.push(token.serial.clone());
                    }
                    lost.insert(token.serial.clone(), failure(&error));
                    if worker.deaths() > 0 {
                        continue 'anew;
                    }
                }
            }
        }
        let failed = lost.values().map(|failure| Err(*failure));
        let each: Vec<_> = failed.chain(members.iter().map(|_| Ok(()))).collect();
        return Ok(Attempt { worker, members, refused, overall: ClusterFailure::overall(&each) });
    }
}

/// Whether trying again would count against the user.
pub(super) const fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Token(TokenError::PinIncorrect | TokenError::PinLocked))
}

pub(super) async fn to_one(reached: &Reached, worker: &Worker, token: &TokenTarget) -> Result<Pin, Error> {
    let mut refused = Error::Token(TokenError::PinIncorrect);
    for pin in token.passwords.iter().filter_map(|password| reached.pin(password)) {
        match worker.log_in(&token.serial, &pin).await {
            Ok(()) => return Ok(pin),
            Err(error @ Error::Token(TokenError::PinIncorrect)) => refused = error,
            Err(error) => return Err(error),
        }
    }
    Err(refused)
}

/// What an error means for a connection.
pub(super) fn failure(error: &Error) -> ClusterFailure {
    match error {
        Error::Token(error) => match error {
            TokenError::TokenNotPresent => ClusterFailure::NoHsm,
            TokenError::Module(_) | TokenError::Device(_) => ClusterFailure::Network,
            TokenError::PinNotInitialized => ClusterFailure::UserNotFound,
            TokenError::UserTypeBusy => ClusterFailure::UserLoggedIn,
            TokenError::PinLocked => ClusterFailure::UserLockedOut,
            TokenError::PinIncorrect => ClusterFailure::InvalidCredentials,
            _ => ClusterFailure::Internal,
        },
        Error::TimedOut | Error::Died | Error::NotStarted(_) => ClusterFailure::Network,
        Error::Busy | Error::TooLong => ClusterFailure::Internal,
    }
}
