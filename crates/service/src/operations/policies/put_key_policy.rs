//! PutKeyPolicy: replaces the key policy, in every state of the key.

use std::sync::Arc;

use trent_gate::{Parameters, PutKeyPolicy};
use trent_protocol::{ErrorCode, NoOutput, PutKeyPolicyRequest};

use super::checks::{self, POLICY_NAME, parameters};
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for PutKeyPolicyRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<NoOutput, KmsError> {
        check_name(self.policy_name.as_deref())?;
        let asked = parameters(self.bypass_policy_lockout_safety_check);
        let permit = ctx.authorize_asking::<PutKeyPolicy>(&self.key_id, None, Parameters::of(&asked)).await?;
        let bypass = self.bypass_policy_lockout_safety_check;
        let policy = checks::accept(&self.policy, permit.key(), bypass, ctx).await?;
        permit
            .change("put key policy", move |key, _| {
                key.policy = Some(Arc::clone(&policy));
                Ok::<_, KmsError>(())
            })
            .await?;
        Ok(NoOutput)
    }
}

fn check_name(name: Option<&str>) -> Result<(), KmsError> {
    match name {
        None | Some(POLICY_NAME) => Ok(()),
        Some("AWS_RAM") => {
            Err(KmsError::validation("The AWS_RAM policy can only be managed by the RAM service."))
        }
        Some(name) => Err(KmsError::new(
            ErrorCode::UnsupportedOperation,
            format!("The only key policy that can be set is named {POLICY_NAME}, not {name}."),
        )),
    }
}
