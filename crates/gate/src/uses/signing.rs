//! Signing, and verifying signatures.

use trent_domain::algorithms;
use trent_keystore::Message;
use trent_protocol::{MessageType, SigningAlgorithm};

use super::{MaySign, MayVerify, UseError, opened_as};
use crate::actions::Action;
use crate::authorize::Authorized;

impl<A: MaySign> Authorized<'_, A> {
    /// Signs a message.
    pub async fn sign(&self, message: Message, algorithm: SigningAlgorithm) -> Result<Vec<u8>, UseError> {
        self.check_signing(message.kind, message.bytes.expose().len(), algorithm)?;
        let key = opened_as!(self.open_current().await?, Signing, self.entry.key.spec)?;
        Ok(key.sign(message, algorithm).await?)
    }
}

impl<A: MayVerify> Authorized<'_, A> {
    /// Verifies the signature of a message.
    pub async fn verify(
        &self,
        message: Message,
        signature: Vec<u8>,
        algorithm: SigningAlgorithm,
    ) -> Result<(), UseError> {
        self.check_signing(message.kind, message.bytes.expose().len(), algorithm)?;
        let key = opened_as!(self.open_current().await?, Signing, self.entry.key.spec)?;
        Ok(key.verify(message, signature, algorithm).await?)
    }
}

impl<A: Action> Authorized<'_, A> {
    /// Whether the key signs messages of this kind and length with this algorithm.
    pub fn check_signing(
        &self,
        kind: MessageType,
        message_bytes: usize,
        algorithm: SigningAlgorithm,
    ) -> Result<(), UseError> {
        let spec = self.entry.key.spec;
        if !algorithms::signing(spec).contains(&algorithm) {
            return Err(UseError::AlgorithmMismatch { asked: algorithm.as_str(), spec });
        }
        match (kind, algorithms::digest_bytes(algorithm, kind)) {
            (MessageType::Raw, _) if algorithms::signs_raw(algorithm) => Ok(()),
            (_, Some(bytes)) if bytes == message_bytes => Ok(()),
            (_, Some(_)) => Err(UseError::DigestLength(algorithm)),
            (kind, None) => Err(UseError::MessageType { algorithm, kind }),
        }
    }
}
