//! GenerateMac: an HMAC of up to 4096 bytes.

use trent_gate::{GenerateMac, Parameters, UseError};
use trent_protocol::{GenerateMacRequest, GenerateMacResponse, TrackedOperation};

use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for GenerateMacRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<GenerateMacResponse, KmsError> {
        let asked = [("macalgorithm", self.mac_algorithm.as_str())];
        let parameters = Parameters::of(&asked);
        let key = ctx
            .authorize_asking::<GenerateMac>(&self.key_id, self.grant_tokens.as_deref(), parameters)
            .await?;
        if self.dry_run == Some(true) {
            key.check_mac(self.mac_algorithm)?;
            return Err(UseError::DryRun.into());
        }
        let mac = key.generate_mac(self.message.expose_secret(), self.mac_algorithm).await?;
        ctx.record_usage(&key, TrackedOperation::GenerateMac)?;
        Ok(GenerateMacResponse {
            mac: Some(mac),
            mac_algorithm: Some(self.mac_algorithm),
            key_id: Some(key.arn_text().to_owned()),
        })
    }
}
