//! UpdatePrimaryRegion: a replica becomes the primary, and the primary a replica. All ARNs stay.

use trent_audit::Internal;
use trent_gate::{Facts, Parameters};
use trent_protocol::{NoOutput, UpdatePrimaryRegionRequest};

use super::region;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for UpdatePrimaryRegionRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<NoOutput, KmsError> {
        let region = region(&self.primary_region)?;
        ctx.count(|quotas| quotas.elsewhere(ctx.operation, 1, region, ctx.call, ctx.now))?;
        let asked = [("primaryregion", region.as_str())];
        let facts = Facts { parameters: Parameters::of(&asked), ..ctx.facts() };
        let permit = ctx.noted(ctx.gate().authorize_promotion(&self.key_id, region, &facts).await)?;
        if permit.key().region == region {
            // Neither code nor text is known.
            return Err(KmsError::validation(format!("{} is the primary key already.", permit.arn())));
        }
        permit.promote::<KmsError>(region, ctx.now, ctx.settled_at()).await?;
        // One event in each of the two Regions.
        let replica = permit.key().arn_in(region).to_string();
        ctx.event.follow(Internal::call("UpdatePrimaryRegion", replica));
        Ok(NoOutput)
    }
}
