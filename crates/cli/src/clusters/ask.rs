//! What any HSM of a cluster can be asked, each as well as another.

use std::future::Future;

use trent_crypto::SecretBytes;
use trent_domain::identifier::HsmKeyId;
use trent_hsm::{Error, IvMode, Sealed, TokenError, Worker};

/// Something to ask one of several HSMs.
pub(super) trait Ask: Sync {
    /// What it answers.
    type Answer: Send + Sync;

    /// Asks the one with a token of this serial number.
    fn ask(&self, worker: &Worker, serial: &str) -> impl Future<Output = Result<Self::Answer, Error>> + Send;
}

/// For so many random bytes.
pub(super) struct Random(pub(super) u64);

impl Ask for Random {
    type Answer = SecretBytes;

    async fn ask(&self, worker: &Worker, serial: &str) -> Result<Self::Answer, Error> {
        Ok(SecretBytes::from(worker.random(serial, self.0).await?.to_vec()))
    }
}

/// To encrypt.
pub(super) struct Encrypt<'a> {
    pub(super) key: HsmKeyId,
    pub(super) mode: IvMode,
    pub(super) plaintext: &'a [u8],
    pub(super) aad: &'a [u8],
}

impl Ask for Encrypt<'_> {
    type Answer = Sealed;

    async fn ask(&self, worker: &Worker, serial: &str) -> Result<Sealed, Error> {
        worker.encrypt(serial, self.key.0, self.mode, self.plaintext, self.aad).await
    }
}

/// To decrypt.
pub(super) struct Decrypt<'a> {
    pub(super) key: HsmKeyId,
    pub(super) mode: IvMode,
    pub(super) sealed: Sealed,
    pub(super) aad: &'a [u8],
}

impl Ask for Decrypt<'_> {
    /// Nothing where the HSM says that the ciphertext is invalid: another one would say so too.
    type Answer = Option<SecretBytes>;

    async fn ask(&self, worker: &Worker, serial: &str) -> Result<Self::Answer, Error> {
        match worker.decrypt(serial, self.key.0, self.mode, self.sealed.clone(), self.aad).await {
            Ok(plaintext) => Ok(Some(SecretBytes::from(plaintext.to_vec()))),
            Err(Error::Token(TokenError::InvalidCiphertext)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
