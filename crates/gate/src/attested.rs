//! Requests with an attestation document, before it is verified, which takes longer than all else about most of them: what
//! no document could change is answered first.
//!
//! Must stay true: of keys of other accounts nothing is answered here, or a document that is not valid would tell which
//! of them exist.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::oneshot;
use trent_domain::identifier::AccountId;
use trent_keystore::StoreError;

use crate::actions::Action;
use crate::decision::on_account;
use crate::facts::{Attestation, Facts, Parameters};
use crate::find::Found;
use crate::opening::Gate;
use crate::refusal::Refusal;

impl Gate {
    /// Refuses what a permit for `A` will be refused for, whatever the caller's document says. The key is that of `name`,
    /// else the one that made `blob`.
    pub async fn foresee<A: Action>(
        &self,
        name: Option<&str>,
        blob: Option<&[u8]>,
        facts: &Facts<'_>,
    ) -> Result<(), Refusal> {
        let asked = AtomicBool::new(false);
        let facts = unverified(facts, &asked);
        match self.find_either::<A>(name, blob, &facts).await {
            Ok(mut found) if found.entry.key.account == facts.caller.account => {
                unless(&asked, self.allow::<A>(&mut found, &facts).await)
            }
            Ok(_) | Err(Refusal::Denied(_)) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    /// The same of a permit for `A` in the caller's account.
    pub fn foresee_in_account<A: Action>(&self, facts: &Facts<'_>) -> Result<(), Refusal> {
        let asked = AtomicBool::new(false);
        unless(&asked, on_account::<A>(&unverified(facts, &asked)))
    }

    /// Runs a computation of milliseconds where private-key operations run, in turn with what other accounts ask for.
    ///
    /// # Errors
    /// When too much of this account waits there.
    pub async fn compute<T: Send + 'static>(
        &self,
        account: AccountId,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let work = Box::new(move || {
            // Whoever asked may be gone.
            let _ = sender.send(work());
        });
        self.store.compute(account, work).await?;
        receiver.await.map_err(|_| StoreError::Stopped)
    }

    async fn find_either<A: Action>(
        &self,
        name: Option<&str>,
        blob: Option<&[u8]>,
        facts: &Facts<'_>,
    ) -> Result<Found, Refusal> {
        match (name, blob) {
            (Some(name), _) => self.find::<A>(name, facts).await,
            (None, blob) => {
                let found = self.find_by_ciphertext::<A>(None, blob.unwrap_or_default(), facts).await;
                found.map(|(found, _)| found)
            }
        }
    }
}

fn unverified<'a>(facts: &Facts<'a>, asked: &'a AtomicBool) -> Facts<'a> {
    let parameters = Parameters { attested: Attestation::Unverified(asked), ..facts.parameters };
    Facts { parameters, ..*facts }
}

/// A refusal, unless a policy asked on the way to it what the document says.
fn unless(asked: &AtomicBool, decided: Result<(), Refusal>) -> Result<(), Refusal> {
    match decided {
        Err(Refusal::Denied(_)) if asked.load(Relaxed) => Ok(()),
        decided => decided,
    }
}
