//! Keys in HSMs: made in several at once, used in any, destroyed in all that should have them.

use std::sync::Arc;

use trent_crypto::SecretBytes;
use trent_domain::identifier::HsmKeyId;
use trent_domain::key_store::{HsmFailure, KeyStoreId};
use trent_domain::time::Clock;
use trent_gate::{FromHsm, HsmCiphertext};
use trent_hsm::{Error, Replication, Sealed, TokenError};

use super::HsmClusters;
use super::ask::{Decrypt, Encrypt};
use super::login::Member;
use super::open::Open;
use crate::clock::SystemClock;

impl HsmClusters {
    pub(super) fn logged_in(&self, store: &KeyStoreId) -> Result<Arc<Open>, HsmFailure> {
        self.open.lock().get(store).cloned().ok_or(HsmFailure::Unreachable)
    }

    /// The same, for one request to encrypt or decrypt.
    pub(super) fn within_quota(&self, store: &KeyStoreId) -> Result<Arc<Open>, HsmFailure> {
        let open = self.logged_in(store)?;
        match self.rate {
            Some(rate) if !open.quota.take(rate, SystemClock.now()) => Err(HsmFailure::OverQuota),
            _ => Ok(open),
        }
    }

    /// Makes a key. Whoever waits for it may go: the HSMs do not stop for that.
    pub(super) async fn generate(
        &self,
        store: &KeyStoreId,
        serials: Vec<String>,
        key: HsmKeyId,
        label: String,
    ) -> Result<(), HsmFailure> {
        let open = self.logged_in(store)?;
        // Written before the key is there: should this process end now, the log tells which key nobody has.
        tracing::info!(key_store = %store, hsm_key = %key, label, "making a key in HSMs");
        let made = tokio::spawn(async move { open.generate(&serials, key, &label).await });
        made.await.map_err(|_| HsmFailure::Unreachable)?
    }

    /// Destroys a key that was made for nothing, once whoever makes it has come to an end.
    pub(super) fn discard(&self, store: &KeyStoreId, key: HsmKeyId) {
        let orphaned = move |error: &dyn std::fmt::Display| {
            tracing::error!(hsm_key = %key, %error, "a key that was made for nothing may be left in HSMs");
        };
        let open = match self.logged_in(store) {
            Ok(open) => open,
            Err(error) => return orphaned(&error),
        };
        let discarded = async move {
            let serials = open.members().iter().map(|member| member.serial.clone()).collect();
            for (_, destroyed) in open.destroy(serials, key).await {
                if let Err(error) = destroyed {
                    orphaned(&error);
                }
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(discarded)),
            Err(error) => orphaned(&error),
        }
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

    async fn generate(&self, serials: &[String], key: HsmKeyId, label: &str) -> Result<(), HsmFailure> {
        let _alone = self.making.lock().await;
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
            let member = members.iter().find(|member| member.serial == serial);
            let destroyed = match member {
                Some(member) => self.destroy_in(member, key).await,
                // One that was away loses it with the others, if they share their keys.
                None if self.reached.replication == Replication::Shared && !members.is_empty() => Ok(()),
                None => Err(Error::Token(TokenError::TokenNotPresent)),
            };
            if let Err(error) = &destroyed {
                tracing::warn!(token = serial, hsm_key = %key, %error, "a key could not be destroyed in an HSM");
            }
            outcomes.push((serial, destroyed.map_err(|error| failure(&error))));
        }
        outcomes
    }

    async fn destroy_in(&self, member: &Member, key: HsmKeyId) -> Result<(), Error> {
        let worker = self.worker();
        let mut destroyed = worker.destroy(&member.serial, key.0).await;
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
