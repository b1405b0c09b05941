//! RetireGrant: gives a grant back, by permission that comes from the grant itself.

use trent_gate::{GrantError, GrantName, UseError};
use trent_protocol::{NoOutput, RetireGrantRequest};

use super::parse_id;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for RetireGrantRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<NoOutput, KmsError> {
        let permit = ctx.gate().authorize_retirement(name(&self)?, &ctx.facts()).await;
        let (permit, id) = permit.map_err(|refusal| ctx.refused(refusal))?;
        ctx.event.resource(permit.arn_text());
        if self.dry_run == Some(true) {
            return Err(UseError::DryRun.into());
        }
        permit
            .change("retire grant", move |key, transaction| {
                let there = transaction.delete_grant(key.region, key.id, id)?;
                if there { Ok(()) } else { Err(KmsError::from(GrantError::Unknown(id))) }
            })
            .await?;
        Ok(NoOutput)
    }
}

fn name(request: &RetireGrantRequest) -> Result<GrantName<'_>, KmsError> {
    match (&request.grant_token, &request.key_id, &request.grant_id) {
        (Some(token), None, None) => Ok(GrantName::Token(token)),
        (None, Some(key), Some(id)) => Ok(GrantName::Id { key, id: parse_id(id)? }),
        _ => Err(KmsError::validation("Either GrantToken, or KeyId and GrantId, must be given.")),
    }
}
