//! Keys in HSMs: made in several at once, used in any, destroyed in all that should have them.

use std::sync::Arc;

use tokio::time::timeout_at;
use trent_crypto::SecretBytes;
use trent_domain::identifier::HsmKeyId;
use trent_domain::key_store::{HsmFailure, KeyStoreId};
use trent_domain::time::Clock;
use trent_gate::{FromHsm, HsmCiphertext, KeyInHsm};
use trent_hsm::{Error, KeyId, Replication, Sealed, TokenError};

use super::HsmClusters;
use super::ask::{Decrypt, Encrypt};
use super::login::Member;
use super::open::Open;
use crate::clock::SystemClock;
use crate::root_key::crash_point;

impl HsmClusters {
    /// The HSMs behind a key store. After a start whoever comes first waits until they were looked for.
    pub(super) async fn logged_in(&self, store: &KeyStoreId) -> Result<Arc<Open>, HsmFailure> {
        let known = || self.open.lock().get(store).cloned();
        if let Some(open) = known() {
            return Ok(open);
        }
        let mut looked_for = self.looked_for.subscribe();
        let was_looked_for = looked_for.wait_for(|stores| stores.contains(store));
        // What takes longer goes on without those who wait.
        let until = *self.wait_until.lock();
        let _ = timeout_at(until.into(), was_looked_for).await;
        known().ok_or(HsmFailure::Unreachable)
    }

    /// The same, for one request to encrypt or decrypt.
    pub(super) async fn within_quota(&self, store: &KeyStoreId) -> Result<Arc<Open>, HsmFailure> {
        let open = self.logged_in(store).await?;
        match self.configured.load().rate {
            Some(rate) if !open.quota.take(rate, SystemClock.now()) => Err(HsmFailure::OverQuota),
            _ => Ok(open),
        }
    }

    /// The HSMs behind a key store, for something that is begun with a key of it: nobody logs out before that is settled.
    fn begin(&self, store: &KeyStoreId, key: HsmKeyId) -> Result<Arc<Open>, HsmFailure> {
        let all = self.open.lock();
        let open = all.get(store).cloned().ok_or(HsmFailure::Unreachable)?;
        // While nobody closes it: who does looks for what is unsettled afterwards.
        self.unsettled.begin(store, key);
        Ok(open)
    }

    /// Makes a key. Whoever waits for it may go: the HSMs do not stop for that.
    pub(super) async fn generate(
        &self,
        store: &KeyStoreId,
        serials: Vec<String>,
        key: HsmKeyId,
        label: String,
    ) -> Result<(), HsmFailure> {
        // What has become of them since they were chosen for it, as after a start.
        self.logged_in(store).await?;
        let open = self.begin(store, key)?;
        // Had before anybody could go: what discards the key comes after this.
        let alone = Arc::clone(&open.making).lock_owned().await;
        // Written before the key is there: should this process end now, the log tells which key nobody has.
        tracing::info!(key_store = %store, hsm_key = %key, label, "making a key in HSMs");
        let making = async move {
            let made = open.generate(&serials, key, &label).await;
            crash_point("key-made-in-hsms");
            drop(alone);
            made
        };
        self.runtime.spawn(making).await.map_err(|_| HsmFailure::Unreachable)?
    }

    /// Destroys a key in these HSMs, as far as that is possible. Whoever waits for it may go.
    pub(super) async fn destroy(
        &self,
        store: &KeyStoreId,
        serials: Vec<String>,
        key: HsmKeyId,
    ) -> Vec<(String, Result<(), HsmFailure>)> {
        let failed = |failure| serials.iter().map(|serial| (serial.clone(), Err(failure))).collect();
        let begun = self.logged_in(store).await.and_then(|_| self.begin(store, key));
        let open = match begun {
            Ok(open) => open,
            Err(failure) => return failed(failure),
        };
        let (ending, serials) = (self.unsettled.ending(key), serials.clone());
        let destroying = async move {
            let outcomes = open.destroy(serials, key).await;
            drop(ending);
            outcomes
        };
        self.runtime.spawn(destroying).await.unwrap_or_else(|_| failed(HsmFailure::Unreachable))
    }

    /// Destroys a key that was made for nothing, once whoever makes it has come to an end.
    pub(super) fn discard(&self, store: &KeyStoreId, key: HsmKeyId) {
        let orphaned = move |error: &dyn std::fmt::Display| {
            tracing::error!(hsm_key = %key, %error, "a key that was made for nothing may be left in HSMs");
        };
        self.unsettled.begin(store, key);
        let ending = self.unsettled.ending(key);
        let Some(open) = self.open_or_closing(store) else { return orphaned(&HsmFailure::Unreachable) };
        self.runtime.spawn(async move {
            for (_, destroyed) in open.destroy(open.rotation.serials(), key).await {
                if let Err(error) = destroyed {
                    orphaned(&error);
                }
            }
            drop(ending);
        });
    }

    /// The keys in an HSM. A worker of its own looks for them: that takes as long as there are many.
    pub(super) async fn list(&self, store: &KeyStoreId, serial: &str) -> Result<Vec<KeyInHsm>, HsmFailure> {
        let listed = self.logged_in(store).await?.list(serial).await;
        let listed = listed.map_err(|error| failure(&error))?;
        Ok(listed.into_iter().map(|(id, label)| KeyInHsm { id: HsmKeyId(id), label }).collect())
    }
}

impl Open {
    /// The HSMs that answer now.
    pub(super) async fn answering(&self) -> Vec<String> {
        let (worker, mut answering) = (self.worker(), Vec::new());
        for member in self.members() {
            match worker.facts(&member.serial).await {
                Ok(_) => answering.push(member.serial.clone()),
                Err(error) => self.note(&member, &error),
            }
        }
        answering
    }

    async fn list(&self, serial: &str) -> Result<Vec<(KeyId, String)>, Error> {
        let worker = self.reached.patient_worker()?;
        let let_in = {
            let _alone = self.login_of(serial).await;
            // Now, and not before: the PIN may have become another one meanwhile.
            let member = self.rotation.member(serial).ok_or(Error::Token(TokenError::TokenNotPresent))?;
            member.log_in(&worker).await
        };
        match let_in {
            Ok(()) => worker.keys(serial).await,
            // Some let nobody in twice.
            Err(Error::Token(TokenError::UserTypeBusy)) => self.worker().keys(serial).await,
            Err(error) => Err(error),
        }
    }

    /// Makes a key, while nobody else makes or destroys one.
    async fn generate(&self, serials: &[String], key: HsmKeyId, label: &str) -> Result<(), HsmFailure> {
        let worker = self.worker();
        // A worker that has died since has nobody logged in.
        for member in self.members().iter().filter(|member| serials.contains(&member.serial)) {
            self.log_in(&worker, member).await.map_err(|error| failure(&error))?;
        }
        let serials: Vec<_> = serials.iter().map(String::as_str).collect();
        let made = worker.generate_in_all(&serials, self.reached.replication, key.0, label).await;
        made.map_err(|error| {
            tracing::error!(hsm_key = %key, label, %error, "no key could be made in HSMs");
            match error {
                // They do not share it in time.
                Error::Token(TokenError::KeyNotFound) => HsmFailure::TimedOut,
                error => failure(&error),
            }
        })
    }

    /// Encrypts in one of the HSMs.
    pub(super) async fn encrypt(
        &self,
        key: HsmKeyId,
        plaintext: &[u8],
        aad: &[u8],
    ) -> Result<FromHsm<HsmCiphertext>, HsmFailure> {
        let what = Encrypt { key, mode: self.reached.iv_mode, plaintext, aad };
        let FromHsm { answer: Sealed { iv, ciphertext }, serial } =
            self.in_any(&what).await.map_err(|error| failure(&error))?;
        Ok(FromHsm { answer: HsmCiphertext { iv, ciphertext }, serial })
    }

    /// Decrypts in one of the HSMs.
    pub(super) async fn decrypt(
        &self,
        key: HsmKeyId,
        ciphertext: HsmCiphertext,
        aad: &[u8],
    ) -> Result<FromHsm<Option<SecretBytes>>, HsmFailure> {
        let HsmCiphertext { iv, ciphertext } = ciphertext;
        let what = Decrypt { key, mode: self.reached.iv_mode, sealed: Sealed { iv, ciphertext }, aad };
        self.in_any(&what).await.map_err(|error| failure(&error))
    }

    /// Destroys a key in these HSMs, after whoever makes it has come to an end.
    pub(super) async fn destroy(
        &self,
        serials: Vec<String>,
        key: HsmKeyId,
    ) -> Vec<(String, Result<(), HsmFailure>)> {
        let _alone = self.making.lock().await;
        let members = self.members();
        let mut outcomes = Vec::new();
        for serial in serials {
            let destroyed = match members.iter().find(|member| member.serial == serial) {
                Some(member) => self.destroy_in(member, key).await,
                None => Err(Error::Token(TokenError::TokenNotPresent)),
            };
            outcomes.push((serial, destroyed));
        }
        // Who shares keys loses them with the others, though it be away.
        let is_gone = self.reached.replication == Replication::Shared
            && outcomes.iter().any(|(_, destroyed)| destroyed.is_ok());
        let told = outcomes.into_iter().map(|(serial, destroyed)| match destroyed {
            Err(_) if is_gone && !members.iter().any(|member| member.serial == serial) => (serial, Ok(())),
            Err(error) => {
                tracing::warn!(token = serial, hsm_key = %key, %error, "a key could not be destroyed in an HSM");
                (serial, Err(failure(&error)))
            }
            Ok(()) => (serial, Ok(())),
        });
        told.collect()
    }

    async fn destroy_in(&self, member: &Member, key: HsmKeyId) -> Result<(), Error> {
        let worker = self.worker();
        let mut destroyed = worker.destroy(&member.serial, key.0).await;
        // Once more, where another call has taken the worker along: nobody else tries again.
        if matches!(destroyed, Err(Error::Died)) {
            destroyed = worker.destroy(&member.serial, key.0).await;
        }
        if self.lets_in_again(&worker, member, &destroyed).await {
            destroyed = worker.destroy(&member.serial, key.0).await;
        }
        match destroyed {
            Err(Error::Token(TokenError::KeyNotFound)) => Ok(()),
            Err(error) => {
                self.note(member, &error);
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }
}

/// What an error means for a key.
fn failure(error: &Error) -> HsmFailure {
    match error {
        Error::Token(error) => match error {
            TokenError::KeyNotFound
            | TokenError::KeyAmbiguous
            | TokenError::KeyNotPermitted
            | TokenError::KeyUnfit(_) => HsmFailure::NoKey,
            TokenError::Busy => HsmFailure::Busy,
            _ => HsmFailure::Unreachable,
        },
        Error::TimedOut => HsmFailure::TimedOut,
        Error::Busy => HsmFailure::Busy,
        Error::Died | Error::NotStarted(_) | Error::TooLong => HsmFailure::Unreachable,
    }
}
