//! GetKeyPolicy: the key policy, written out as AWS writes it.

use trent_domain::key::Key;
use trent_gate::{GetKeyPolicy, Parameters, unput_text};
use trent_policy::{Document, Kind};
use trent_protocol::{ErrorCode, GetKeyPolicyRequest, GetKeyPolicyResponse};

use super::checks::POLICY_NAME;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for GetKeyPolicyRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<GetKeyPolicyResponse, KmsError> {
        let asked = [("policyname", self.policy_name.as_deref().unwrap_or(POLICY_NAME))];
        let permit = ctx.authorize_asking::<GetKeyPolicy>(&self.key_id, None, Parameters::of(&asked)).await?;
        if self.policy_name.as_deref().is_some_and(|name| name != POLICY_NAME) {
            return Err(KmsError::new(ErrorCode::NotFound, "No such policy exists"));
        }
        let key = permit.key();
        Ok(GetKeyPolicyResponse {
            policy: Some(policy_text(key, ctx)?),
            policy_name: Some(POLICY_NAME.to_owned()),
        })
    }
}

/// The policy of a key as answers carry it.
pub(crate) fn policy_text(key: &Key, ctx: &Context<'_>) -> Result<String, KmsError> {
    match &key.policy {
        None => Ok(unput_text(key)),
        // It was accepted once; that it no longer reads is a fault of this service.
        Some(stored) => {
            let document =
                Document::parse(stored, Kind::Resource).map_err(|error| KmsError::internal(&error))?;
            Ok(document.render_with_arns(&*ctx.service.directory()))
        }
    }
}
