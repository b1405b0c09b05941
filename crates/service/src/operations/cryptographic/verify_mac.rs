//! VerifyMac: whether an HMAC is that of this message. What is not valid is an error, never a `false`.

use trent_gate::{Parameters, UseError, VerifyMac};
use trent_protocol::{TrackedOperation, VerifyMacRequest, VerifyMacResponse};

use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for VerifyMacRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<VerifyMacResponse, KmsError> {
        let asked = [("macalgorithm", self.mac_algorithm.as_str())];
        let parameters = Parameters::of(&asked);
        let key =
            ctx.authorize_asking::<VerifyMac>(&self.key_id, self.grant_tokens.as_deref(), parameters).await?;
        if self.dry_run == Some(true) {
            key.check_mac(self.mac_algorithm)?;
            return Err(UseError::DryRun.into());
        }
        key.verify_mac(self.message.expose_secret(), &self.mac, self.mac_algorithm).await?;
        ctx.record_usage(&key, TrackedOperation::VerifyMac)?;
        Ok(VerifyMacResponse {
            key_id: Some(key.arn_text().to_owned()),
            mac_valid: true,
            mac_algorithm: Some(self.mac_algorithm),
        })
    }
}
