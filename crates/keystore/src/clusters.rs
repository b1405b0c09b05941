//! Clusters of HSMs: what is asked of them on behalf of a key store.
//!
//! This crate says what it needs; which module reaches which HSM, and in which process, is the business of whoever
//! implements [`Clusters`]. Nothing here waits.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use trent_crypto::SecretBytes;
use trent_domain::identifier::HsmKeyId;
use trent_domain::key_store::{ClusterFailure, HsmFailure, KeyStoreId};

/// What a cluster answers, once it does.
pub type ClusterAnswer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ClusterFailure>> + Send + 'a>>;

/// What HSMs answer when a key in them is made, used or destroyed.
pub type HsmAnswer<'a, T> = Pin<Box<dyn Future<Output = Result<T, HsmFailure>> + Send + 'a>>;

/// What has become of a key in each of several HSMs, by the serial numbers of their tokens.
pub type HsmOutcomes<'a> = Pin<Box<dyn Future<Output = Vec<(String, Result<(), HsmFailure>)>> + Send + 'a>>;

/// What one of several HSMs has answered, and which.
#[derive(Debug)]
pub struct FromHsm<T> {
    /// The answer.
    pub answer: T,
    /// The serial number of its token.
    pub serial: String,
}

/// That what was begun with keys has come to its end.
pub type Settled<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// What an HSM makes of a plaintext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HsmCiphertext {
    /// The IV.
    pub iv: [u8; 12],
    /// As long as the plaintext, and a tag of 16 bytes behind it.
    pub ciphertext: Vec<u8>,
}

/// A key that an HSM has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInHsm {
    /// What it is called there.
    pub id: HsmKeyId,
    /// Its label.
    pub label: String,
}

/// A cluster, with all that logging in to it needs.
#[derive(Debug)]
pub struct ClusterTarget {
    /// The key store that it is behind.
    pub store: KeyStoreId,
    /// Its id.
    pub cluster: String,
    /// Its HSMs that take part.
    pub tokens: Vec<TokenTarget>,
}

/// An HSM, and how `kmsuser` may get in.
#[derive(Debug)]
pub struct TokenTarget {
    /// The serial number of its token.
    pub serial: String,
    /// The passwords that it may have, the likeliest first. Each wrong one counts against the user. None where all of them
    /// were wrong before: nothing is tried there.
    pub passwords: Vec<SecretBytes>,
}

/// What reaches the HSMs of clusters.
pub trait Clusters: Send + Sync {
    /// Logs in as `kmsuser`, anew, and stays so. One HSM that lets it in is enough.
    fn log_in(&self, target: ClusterTarget) -> ClusterAnswer<'_, ()>;

    /// Logs in to those HSMs that a key store is not logged in to, as far as they are there by now, and leaves the others
    /// alone. Answers the serial numbers of those that have let it in.
    fn rejoin(&self, target: ClusterTarget) -> ClusterAnswer<'_, Vec<String>>;

    /// Those of the HSMs that know none of the passwords that they may have, by the serial numbers of their tokens; `None`
    /// while none of them was looked for.
    fn refusing(&self, store: &KeyStoreId) -> Option<Vec<String>>;

    /// There is no way to the HSMs for now: nobody need wait until they were looked for.
    fn unreachable<'a>(&'a self, store: &'a KeyStoreId) -> ClusterAnswer<'a, ()>;

    /// Lets passwords be tried again where all were wrong.
    fn forgive(&self, store: &KeyStoreId);

    /// Gives `kmsuser` another password in all HSMs that have let it in and have not got it. Answers the serial numbers of those that have it
    /// now, which is at least one.
    fn change_password<'a>(
        &'a self,
        store: &'a KeyStoreId,
        new: SecretBytes,
    ) -> ClusterAnswer<'a, Vec<String>>;

    /// Random bytes of one of the HSMs that a key store is logged in to.
    fn random<'a>(&'a self, store: &'a KeyStoreId, length: usize) -> ClusterAnswer<'a, FromHsm<SecretBytes>>;

    /// Which of the HSMs that a key store is logged in to answer now, by the serial numbers of their tokens.
    fn answering<'a>(&'a self, store: &'a KeyStoreId) -> HsmAnswer<'a, Vec<String>>;

    /// Makes an AES-256 key in these HSMs that none of them ever gives away, and answers once all of them have it. Where
    /// that fails none of them has it, unless the log says so. Goes on to its end when nobody waits for it any more.
    fn generate_key<'a>(
        &'a self,
        store: &'a KeyStoreId,
        serials: Vec<String>,
        key: HsmKeyId,
        label: String,
    ) -> HsmAnswer<'a, ()>;

    /// Encrypts in any of the HSMs.
    fn encrypt<'a>(
        &'a self,
        store: &'a KeyStoreId,
        key: HsmKeyId,
        plaintext: &'a [u8],
        additional_data: &'a [u8],
    ) -> HsmAnswer<'a, FromHsm<HsmCiphertext>>;

    /// Decrypts in any of the HSMs. Nothing comes of a ciphertext that it says is not what it was, or is bound to something
    /// else.
    fn decrypt<'a>(
        &'a self,
        store: &'a KeyStoreId,
        key: HsmKeyId,
        ciphertext: HsmCiphertext,
        additional_data: &'a [u8],
    ) -> HsmAnswer<'a, FromHsm<Option<SecretBytes>>>;

    /// Takes note that a request of this operation was [over the quota](HsmFailure::OverQuota) of a key store.
    fn throttled(&self, _store: &KeyStoreId, _operation: &'static str) {}

    /// Destroys a key in these HSMs, as far as that is possible. Success means that this one has it no more.
    fn destroy_key<'a>(
        &'a self,
        store: &'a KeyStoreId,
        serials: Vec<String>,
        key: HsmKeyId,
    ) -> HsmOutcomes<'a>;

    /// The same where nobody waits for it: of a key that was made for nothing, in whatever HSMs it is.
    fn discard_key(&self, store: &KeyStoreId, key: HsmKeyId);

    /// Takes note that a record has a key that was made. Until then, or until it is discarded, it is unsettled.
    fn keep_key(&self, key: HsmKeyId);

    /// The keys that are being made or destroyed: what an HSM says of them may not be so for long.
    fn unsettled_keys(&self) -> BTreeSet<HsmKeyId>;

    /// Waits until there are none.
    fn settled(&self) -> Settled<'_>;

    /// The keys in one of the HSMs that a key store is logged in to, as far as they are called as trent calls them.
    fn keys_in<'a>(&'a self, store: &'a KeyStoreId, serial: &'a str) -> HsmAnswer<'a, Vec<KeyInHsm>>;

    /// Whether it is time to look for HSMs that a key store is not logged in to.
    fn wants_login(&self, store: &KeyStoreId) -> bool;

    /// Logs out, as far as that is possible, and closes the connections of a key store.
    fn log_out<'a>(&'a self, store: &'a KeyStoreId) -> ClusterAnswer<'a, ()>;
}

/// Reaches no cluster: for deployments, and tests, without any.
#[derive(Debug, Clone, Copy)]
pub struct NoClusters;

fn not_found<'a, T: Send + 'a>() -> ClusterAnswer<'a, T> {
    Box::pin(std::future::ready(Err(ClusterFailure::NotFound)))
}

fn unreachable<'a, T: Send + 'a>() -> HsmAnswer<'a, T> {
    Box::pin(std::future::ready(Err(HsmFailure::Unreachable)))
}

impl Clusters for NoClusters {
    fn log_in(&self, _: ClusterTarget) -> ClusterAnswer<'_, ()> {
        not_found()
    }

    fn rejoin(&self, _: ClusterTarget) -> ClusterAnswer<'_, Vec<String>> {
        not_found()
    }

    fn refusing(&self, _: &KeyStoreId) -> Option<Vec<String>> {
        None
    }

    fn unreachable<'a>(&'a self, _: &'a KeyStoreId) -> ClusterAnswer<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn forgive(&self, _: &KeyStoreId) {}

    fn change_password<'a>(&'a self, _: &'a KeyStoreId, _: SecretBytes) -> ClusterAnswer<'a, Vec<String>> {
        not_found()
    }

    fn random<'a>(&'a self, _: &'a KeyStoreId, _: usize) -> ClusterAnswer<'a, FromHsm<SecretBytes>> {
        not_found()
    }

    fn answering<'a>(&'a self, _: &'a KeyStoreId) -> HsmAnswer<'a, Vec<String>> {
        unreachable()
    }

    fn generate_key<'a>(
        &'a self,
        _: &'a KeyStoreId,
        _: Vec<String>,
        _: HsmKeyId,
        _: String,
    ) -> HsmAnswer<'a, ()> {
        unreachable()
    }

    fn encrypt<'a>(
        &'a self,
        _: &'a KeyStoreId,
        _: HsmKeyId,
        _: &'a [u8],
        _: &'a [u8],
    ) -> HsmAnswer<'a, FromHsm<HsmCiphertext>> {
        unreachable()
    }

    fn decrypt<'a>(
        &'a self,
        _: &'a KeyStoreId,
        _: HsmKeyId,
        _: HsmCiphertext,
        _: &'a [u8],
    ) -> HsmAnswer<'a, FromHsm<Option<SecretBytes>>> {
        unreachable()
    }

    fn destroy_key<'a>(&'a self, _: &'a KeyStoreId, serials: Vec<String>, _: HsmKeyId) -> HsmOutcomes<'a> {
        let outcomes = serials.into_iter().map(|serial| (serial, Err(HsmFailure::Unreachable)));
        Box::pin(std::future::ready(outcomes.collect()))
    }

    fn discard_key(&self, _: &KeyStoreId, _: HsmKeyId) {}

    fn keep_key(&self, _: HsmKeyId) {}

    fn unsettled_keys(&self) -> BTreeSet<HsmKeyId> {
        BTreeSet::new()
    }

    fn settled(&self) -> Settled<'_> {
        Box::pin(std::future::ready(()))
    }

    fn keys_in<'a>(&'a self, _: &'a KeyStoreId, _: &'a str) -> HsmAnswer<'a, Vec<KeyInHsm>> {
        unreachable()
    }

    fn wants_login(&self, _: &KeyStoreId) -> bool {
        false
    }

    fn log_out<'a>(&'a self, _: &'a KeyStoreId) -> ClusterAnswer<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}
