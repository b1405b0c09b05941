//! GetKeyPolicy: the key policy, written out as AWS writes it.

use trent_domain::key::Key;
use trent_gate::GetKeyPolicy;
use trent_policy::{Document, Kind, default_key_policy};
use trent_protocol::{ErrorCode, GetKeyPolicyRequest, GetKeyPolicyResponse};

use super::checks::POLICY_NAME;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for GetKeyPolicyRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<GetKeyPolicyResponse, KmsError> {
        let permit = ctx.authorize::<GetKeyPolicy>(&self.key_id, None).await?;
        if self.policy_name.as_deref().is_some_and(|name| name != POLICY_NAME) {
            return Err(KmsError::new(ErrorCode::NotFound, "No such policy exists"));
        }
        let key = permit.key();
        Ok(GetKeyPolicyResponse {
            policy: Some(policy_text(key)?),
            policy_name: Some(POLICY_NAME.to_owned()),
        })
    }
}

/// The policy of a key as answers carry it.
pub(crate) fn policy_text(key: &Key) -> Result<String, KmsError> {
    match &key.policy {
        None => Ok(default_key_policy(key.region.partition(), key.account.as_str())),
        // It was accepted once; that it no longer reads is a fault of this service.
        Some(stored) => {
            Ok(Document::parse(stored, Kind::Resource).map_err(|error| KmsError::internal(&error))?.render())
        }
    }
}
