//! Decrypt: finds the key by the ciphertext; where the request names a key too, it must be that one.

use trent_domain::encryption_context::EncryptionContext;
use trent_gate::{Decrypt, Parameters, UseError};
use trent_protocol::{
    DecryptRequest, DecryptResponse, DryRunModifier, EncryptionAlgorithm, TrackedOperation,
};

use super::recipient::Claim;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for DecryptRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<DecryptResponse, KmsError> {
        let claim = Claim::of(self.recipient.as_ref(), ctx)?;
        let context = EncryptionContext::parse(self.encryption_context)?;
        let algorithm = self.encryption_algorithm.unwrap_or(EncryptionAlgorithm::SymmetricDefault);
        let (name, tokens) = (self.key_id.as_deref(), self.grant_tokens.as_deref());
        let source =
            Source::of(self.ciphertext_blob.as_deref(), self.dry_run, self.dry_run_modifiers.as_deref())?;
        check_named(algorithm, name)?;
        if source.blob().is_none() {
            named(name, "keyId")?;
        }
        let asked = [("encryptionalgorithm", algorithm.as_str())];
        let parameters = Parameters::encryption(&asked, &context);
        let recipient = claim.verify::<Decrypt>((name, source.blob()), tokens, parameters, ctx).await?;
        let parameters = parameters.of_attested(recipient.condition_keys());
        let Source::Blob(blob) = source else {
            let key = ctx.authorize_asking::<Decrypt>(named(name, "keyId")?, tokens, parameters).await?;
            key.check_algorithm(algorithm, &context)?;
            return Err(UseError::DryRun.into());
        };
        let key = match algorithm {
            EncryptionAlgorithm::SymmetricDefault => {
                ctx.authorize_ciphertext::<Decrypt>(name, blob, tokens, parameters).await?
            }
            _ => ctx.authorize_asking::<Decrypt>(named(name, "keyId")?, tokens, parameters).await?,
        };
        if self.dry_run == Some(true) {
            key.try_decrypt(blob, algorithm, &context, ctx.behalf_with(key.key())).await?;
            return Err(UseError::DryRun.into());
        }
        let opened =
            ctx.decrypted(key.decrypt(blob, algorithm, &context, ctx.behalf_with(key.key())).await)?;
        ctx.record_usage(&key, TrackedOperation::Decrypt)?;
        let answer = recipient.answer(&opened.plaintext, ctx)?;
        Ok(DecryptResponse {
            key_id: Some(key.arn_text().to_owned()),
            plaintext: answer.plaintext,
            encryption_algorithm: Some(algorithm),
            ciphertext_for_recipient: answer.for_recipient,
            key_material_id: recipient.answered_id(opened.material, ctx),
        })
    }
}

/// What a request to decrypt works on.
pub(super) enum Source<'a> {
    /// A ciphertext.
    Blob(&'a [u8]),
    /// Nothing: a dry run that asks only about permission (`IGNORE_CIPHERTEXT`).
    NoBlob,
}

impl<'a> Source<'a> {
    fn blob(&self) -> Option<&'a [u8]> {
        match self {
            Self::Blob(blob) => Some(blob),
            Self::NoBlob => None,
        }
    }

    /// The model no longer requires a ciphertext, for the sake of dry runs; everyone else must send one.
    pub(super) fn of(
        blob: Option<&'a [u8]>,
        dry_run: Option<bool>,
        modifiers: Option<&[DryRunModifier]>,
    ) -> Result<Self, KmsError> {
        let ignored =
            modifiers.is_some_and(|modifiers| modifiers.contains(&DryRunModifier::IgnoreCiphertext));
        match blob {
            _ if ignored && dry_run == Some(true) => Ok(Self::NoBlob),
            Some(blob) => Ok(Self::Blob(blob)),
            None => Err(KmsError::constraint("null", "ciphertextBlob", "Member must not be null")),
        }
    }
}

/// The key that a request must name because there is no ciphertext to find it by.
pub(super) fn named<'a>(name: Option<&'a str>, path: &str) -> Result<&'a str, KmsError> {
    name.ok_or_else(|| KmsError::constraint("null", path, "Member must not be null"))
}

/// Only symmetric ciphertexts tell their key.
pub(super) fn check_named(algorithm: EncryptionAlgorithm, name: Option<&str>) -> Result<(), KmsError> {
    if name.is_none() && algorithm != EncryptionAlgorithm::SymmetricDefault {
        return Err(KmsError::validation(format!(
            "A key must be specified to decrypt with algorithm {algorithm}."
        )));
    }
    Ok(())
}
