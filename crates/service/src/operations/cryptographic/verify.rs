//! Verify: whether a signature is one of this message under this key. What is not valid is an error, never a `false`.

use trent_crypto::SecretBytes;
use trent_gate::{Message, Parameters, UseError, Verify};
use trent_protocol::{MessageType, TrackedOperation, VerifyRequest, VerifyResponse};

use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for VerifyRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<VerifyResponse, KmsError> {
        let (algorithm, kind) = (self.signing_algorithm, self.message_type.unwrap_or(MessageType::Raw));
        let asked = [("signingalgorithm", algorithm.as_str()), ("messagetype", kind.as_str())];
        let parameters = Parameters::of(&asked);
        let key =
            ctx.authorize_asking::<Verify>(&self.key_id, self.grant_tokens.as_deref(), parameters).await?;
        let bytes = SecretBytes::from(self.message.expose_secret().to_vec());
        if self.dry_run == Some(true) {
            key.check_signing(kind, bytes.expose().len(), algorithm)?;
            return Err(UseError::DryRun.into());
        }
        key.verify(Message { kind, bytes }, self.signature, algorithm).await?;
        ctx.record_usage(&key, TrackedOperation::Verify)?;
        Ok(VerifyResponse {
            key_id: Some(key.arn_text().to_owned()),
            signature_valid: true,
            signing_algorithm: Some(algorithm),
        })
    }
}
