//! Logging in to the HSMs of a cluster.

use std::collections::BTreeMap;

use trent_domain::key_store::ClusterFailure;
use trent_gate::TokenTarget;
use trent_hsm::{Error, Pin, TokenError, Worker};

use super::Reached;

/// An HSM that has let the user in, and the PIN that it did with.
pub(super) struct Member {
    pub(super) serial: String,
    pub(super) pin: Pin,
}

/// Logs in to all HSMs that let the user in. One whose module hangs or crashes takes the worker and all logins along, so
/// that the others are logged in to anew, without it.
pub(super) async fn to_all(
    reached: &Reached,
    tokens: &[TokenTarget],
) -> Result<(Worker, Vec<Member>), ClusterFailure> {
    let mut lost = BTreeMap::new();
    'anew: loop {
        let worker = reached.worker().map_err(|error| failure(&error))?;
        let mut members = Vec::new();
        let mut each: Vec<_> = lost.values().map(|failure| Err(*failure)).collect();
        for token in tokens.iter().filter(|token| !lost.contains_key(&token.serial)) {
            match to_one(reached, &worker, token).await {
                Ok(pin) => {
                    members.push(Member { serial: token.serial.clone(), pin });
                    each.push(Ok(()));
                }
                Err(error) => {
                    tracing::warn!(token = token.serial, %error, "an HSM does not let `kmsuser` in");
                    let failure = failure(&error);
                    if worker.deaths() > 0 {
                        lost.insert(token.serial.clone(), failure);
                        continue 'anew;
                    }
                    each.push(Err(failure));
                }
            }
        }
        return ClusterFailure::overall(&each).map(|()| (worker, members));
    }
}

async fn to_one(reached: &Reached, worker: &Worker, token: &TokenTarget) -> Result<Pin, Error> {
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
