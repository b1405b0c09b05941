//! RevokeGrant: takes a grant back, by permission on the key.

use trent_gate::{GrantError, RevokeGrant, UseError};
use trent_protocol::{NoOutput, RevokeGrantRequest};

use super::parse_id;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for RevokeGrantRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<NoOutput, KmsError> {
        let id = parse_id(&self.grant_id)?;
        let permit = ctx.authorize::<RevokeGrant>(&self.key_id, None).await?;
        if self.dry_run == Some(true) {
            let key = permit.arn();
            trent_database::read(ctx.database(), move |records| records.grant(key.region, key.id, id))
                .await?
                .ok_or(GrantError::Unknown(id))?;
            return Err(UseError::DryRun.into());
        }
        permit
            .change("revoke grant", move |key, transaction| {
                let there = transaction.delete_grant(key.region, key.id, id)?;
                if there { Ok(()) } else { Err(KmsError::from(GrantError::Unknown(id))) }
            })
            .await?;
        Ok(NoOutput)
    }
}
