//! ReEncrypt: decrypts under one key and encrypts under another, without the plaintext leaving.

use trent_domain::encryption_context::EncryptionContext;
use trent_gate::{Facts, Parameters, UseError};
use trent_protocol::{EncryptionAlgorithm, ReEncryptRequest, ReEncryptResponse, TrackedOperation};

use super::decrypt::{Source, check_named, named};
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for ReEncryptRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<ReEncryptResponse, KmsError> {
        let source_context = EncryptionContext::parse(self.source_encryption_context)?;
        let destination_context = EncryptionContext::parse(self.destination_encryption_context)?;
        let from = self.source_encryption_algorithm.unwrap_or(EncryptionAlgorithm::SymmetricDefault);
        let to = self.destination_encryption_algorithm.unwrap_or(EncryptionAlgorithm::SymmetricDefault);
        let (name, tokens) = (self.source_key_id.as_deref(), self.grant_tokens.as_deref());
        let blob =
            Source::of(self.ciphertext_blob.as_deref(), self.dry_run, self.dry_run_modifiers.as_deref())?;
        check_named(from, name)?;
        let maker = match blob {
            Source::Blob(blob) if from == EncryptionAlgorithm::SymmetricDefault => Some(blob),
            Source::Blob(_) | Source::NoBlob => {
                named(name, "sourceKeyId")?;
                None
            }
        };
        let [asked_from, asked_to] =
            [from, to].map(|algorithm| [("encryptionalgorithm", algorithm.as_str())]);
        let facts = Facts { grant_tokens: tokens.unwrap_or_default(), ..ctx.facts() };
        let from_facts = Facts { parameters: Parameters::encryption(&asked_from, &source_context), ..facts };
        let to_facts = Facts { parameters: Parameters::encryption(&asked_to, &destination_context), ..facts };
        let (source, destination) = ctx
            .gate()
            .authorize_re_encryption((name, maker, &from_facts), (&self.destination_key_id, &to_facts))
            .await
            .map_err(|refusal| ctx.refused(refusal))?;
        ctx.event.resource(source.arn_text());
        ctx.event.resource(destination.arn_text());
        ctx.note_places(source.key(), destination.key());
        ctx.count(|quotas| {
            quotas.key_found(ctx.operation, source.key(), ctx.call, ctx.now)?;
            match source.arn_text() == destination.arn_text() {
                true => Ok(()),
                false => quotas.key_used(destination.key(), ctx.call, ctx.now),
            }
        })?;
        // Both algorithms are judged before the ciphertext is.
        source.check_algorithm(from, &source_context)?;
        destination.check_algorithm(to, &destination_context)?;
        let Source::Blob(blob) = blob else { return Err(UseError::DryRun.into()) };
        let [from_behalf, to_behalf] = [source.key(), destination.key()].map(|key| ctx.behalf_with(key));
        if self.dry_run == Some(true) {
            let bytes = source.try_decrypt(blob, from, &source_context, from_behalf).await?;
            destination.check_encrypt(bytes, to, &destination_context)?;
            return Err(UseError::DryRun.into());
        }
        let opened = ctx.decrypted(source.decrypt(blob, from, &source_context, from_behalf).await)?;
        let sealed =
            destination.encrypt(opened.plaintext.expose(), to, &destination_context, to_behalf).await?;
        ctx.note_hsm("destinationHsmSerial", sealed.hsm.as_deref());
        ctx.record_usage(&source, TrackedOperation::ReEncrypt)?;
        ctx.record_usage(&destination, TrackedOperation::ReEncrypt)?;
        Ok(ReEncryptResponse {
            ciphertext_blob: Some(sealed.blob),
            source_key_id: Some(source.arn_text().to_owned()),
            key_id: Some(destination.arn_text().to_owned()),
            source_encryption_algorithm: Some(from),
            destination_encryption_algorithm: Some(to),
            source_key_material_id: opened.material.map(|id| id.to_string()),
            destination_key_material_id: sealed.material.map(|id| id.to_string()),
        })
    }
}
