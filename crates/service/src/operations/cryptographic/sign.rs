//! Sign: a signature of a message, or of its digest, under a private key.

use trent_crypto::SecretBytes;
use trent_gate::{Message, Parameters, Sign, UseError};
use trent_protocol::{MessageType, SignRequest, SignResponse, TrackedOperation};

use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for SignRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<SignResponse, KmsError> {
        let (algorithm, kind) = (self.signing_algorithm, self.message_type.unwrap_or(MessageType::Raw));
        let asked = [("signingalgorithm", algorithm.as_str()), ("messagetype", kind.as_str())];
        let parameters = Parameters::of(&asked);
        let key =
            ctx.authorize_asking::<Sign>(&self.key_id, self.grant_tokens.as_deref(), parameters).await?;
        let bytes = SecretBytes::from(self.message.expose_secret().to_vec());
        if self.dry_run == Some(true) {
            key.check_signing(kind, bytes.expose().len(), algorithm)?;
            return Err(UseError::DryRun.into());
        }
        let signature = key.sign(Message { kind, bytes }, algorithm).await?;
        ctx.record_usage(&key, TrackedOperation::Sign)?;
        Ok(SignResponse {
            key_id: Some(key.arn_text().to_owned()),
            signature: Some(signature),
            signing_algorithm: Some(algorithm),
        })
    }
}
