//! Looks for the HSMs that a key store is not logged in to, while the others go on.
//!
//! A worker of its own goes first: an HSM that hangs takes the worker along, and modules there are that see a token which
//! has come back only in a process that is new. What it has found in good order is logged in to where the calls go; where
//! that does not see it, the new worker takes over.

use std::sync::atomic::Ordering;
use std::time::Instant;

use trent_domain::key_store::{ClusterFailure, KeyStoreId};
use trent_gate::{ClusterTarget, TokenTarget};
use trent_hsm::{Error, TokenError, Worker};

use super::login::{self, Attempt, Member, failure};
use super::open::Open;
use super::{HsmClusters, Reached};

impl HsmClusters {
    /// Logs in to those HSMs of a key store that it is not logged in to, as far as they are there and their time has come.
    /// Answers the serial numbers of those that have let the user in.
    pub(super) async fn find_again(&self, mut target: ClusterTarget) -> Result<Vec<String>, ClusterFailure> {
        let refusing = self.close_outdated(&target.store).await;
        for token in target.tokens.iter_mut().filter(|token| refusing.contains(&token.serial)) {
            // What has just been refused is not tried again: the HSM counts.
            token.passwords.clear();
        }
        let known = self.open.lock().get(&target.store).cloned();
        match known {
            Some(open) => {
                let due = open.rotation.due(Instant::now());
                let due = target.tokens.iter().filter(|token| due.contains(&token.serial)).collect();
                open.look_for(due).await.map_err(|error| failure(&error))
            }
            // After a start of this process: nobody else is there whom one that hangs could harm.
            None => {
                let (store, reached) = (target.store.clone(), self.reached(&target.cluster)?);
                let attempt = login::to_all(&reached, &target.tokens).await?;
                let overall = attempt.overall;
                let let_in: Vec<_> = attempt.members.iter().map(|member| member.serial.clone()).collect();
                self.put(&store, reached, &target, attempt);
                if let_in.is_empty() { overall.map(|()| let_in) } else { Ok(let_in) }
            }
        }
    }

    /// Takes what came of logging in to all HSMs for the connection of a key store.
    pub(super) fn put(
        &self,
        store: &KeyStoreId,
        mut reached: Reached,
        target: &ClusterTarget,
        attempt: Attempt,
    ) {
        // The HSMs may be those of an older configuration than the way to them; then it is looked for once more.
        reached.told =
            reached.told.filter(|told| told.has(target.tokens.iter().map(|token| token.serial.as_str())));
        let Attempt { worker, members, refused, .. } = attempt;
        let open = Open::new(reached, worker, target.tokens.iter().map(|token| token.serial.clone()));
        for token in &target.tokens {
            open.rotation.is_still_away(&token.serial, Instant::now());
        }
        for member in members {
            open.rotation.joined(member);
        }
        for serial in refused {
            open.rotation.refused(&serial);
        }
        self.open.lock().insert(store.clone(), open.into());
    }
}

impl Open {
    async fn look_for(&self, tokens: Vec<&TokenTarget>) -> Result<Vec<String>, Error> {
        let mut scout = self.reached.worker()?;
        let (mut let_in, mut unseen) = (Vec::new(), Vec::new());
        for token in tokens {
            if scout.deaths() > 0 {
                scout = self.reached.worker()?;
            }
            match self.look_for_one(&scout, token).await {
                Looked::LetIn(serial) => let_in.push(serial),
                Looked::Unseen(member) => unseen.push(member),
                Looked::Away => {}
            }
        }
        if !unseen.is_empty() {
            let serials: Vec<_> = unseen.iter().map(|member| member.serial.clone()).collect();
            if self.take_over(scout, unseen).await {
                let_in.extend(serials);
            }
        }
        for serial in &let_in {
            tracing::info!(token = serial, "an HSM is back");
        }
        Ok(let_in)
    }

    /// Looks for one while nobody else logs in there.
    async fn look_for_one(&self, scout: &Worker, token: &TokenTarget) -> Looked {
        let serial = &token.serial;
        let _alone = self.login_of(serial).await;
        // A call may have found out meanwhile that it knows none of the passwords, or somebody has logged out.
        if self.is_closed.load(Ordering::SeqCst) || !self.rotation.due(Instant::now()).contains(serial) {
            return Looked::Away;
        }
        match self.is_let_in(scout, token).await {
            Ok((member, true)) => {
                self.rotation.joined(member);
                Looked::LetIn(serial.clone())
            }
            Ok((member, false)) => Looked::Unseen(member),
            Err(error) => {
                self.is_still_away(token, &error);
                Looked::Away
            }
        }
    }

    /// One that lets the user in, and whether it does so where calls go.
    async fn is_let_in(&self, scout: &Worker, token: &TokenTarget) -> Result<(Member, bool), Error> {
        let member = |pin| Member::new(token.serial.clone(), pin);
        let pin = match login::to_one(&self.reached, scout, token).await {
            Ok(pin) => pin,
            // It is there, and the user is in already: some let nobody in twice.
            Err(Error::Token(TokenError::UserTypeBusy)) => {
                let pin = login::to_one(&self.reached, &self.worker(), token).await?;
                return Ok((member(pin), true));
            }
            Err(error) => return Err(error),
        };
        match self.worker().log_in(&token.serial, &pin).await {
            Ok(()) => Ok((member(pin), true)),
            Err(Error::Token(TokenError::TokenNotPresent | TokenError::Device(_))) => {
                Ok((member(pin), false))
            }
            Err(error) => Err(error),
        }
    }

    /// Has calls go to a worker that has let the user in to HSMs that the old one does not see, if it does so everywhere.
    async fn take_over(&self, worker: Worker, unseen: Vec<Member>) -> bool {
        for member in self.members().iter().map(AsRef::as_ref).chain(&unseen) {
            // Who is logged in already stays so.
            let _alone = self.login_of(&member.serial).await;
            if let Err(error) = member.log_in(&worker).await {
                tracing::warn!(token = member.serial, %error, "a new worker is not let in");
                for member in &unseen {
                    self.rotation.is_still_away(&member.serial, Instant::now());
                }
                return false;
            }
        }
        self.put_worker(worker);
        unseen.into_iter().for_each(|member| self.rotation.joined(member));
        true
    }

    fn is_still_away(&self, token: &TokenTarget, error: &Error) {
        if login::is_refusal(error) {
            tracing::error!(token = token.serial, %error, "an HSM does not let `kmsuser` in, and is left alone");
            self.rotation.refused(&token.serial);
        } else {
            tracing::debug!(token = token.serial, %error, "an HSM is still away");
            self.rotation.is_still_away(&token.serial, Instant::now());
        }
    }
}

/// What came of looking for an HSM.
enum Looked {
    /// It has let the user in where calls go.
    LetIn(String),
    /// The worker that calls go to does not see it.
    Unseen(Member),
    /// It is not there yet, or not to be looked for any more.
    Away,
}
