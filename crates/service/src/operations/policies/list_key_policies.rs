//! ListKeyPolicies: every key has one policy, `default`.

use trent_gate::{ListKeyPolicies, MarkerScope};
use trent_protocol::{ListKeyPoliciesRequest, ListKeyPoliciesResponse, Operation};

use super::checks::POLICY_NAME;
use crate::context::Context;
use crate::error::KmsError;
use crate::page::{LARGE, Page};
use crate::pipeline::Handle;

impl Handle for ListKeyPoliciesRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<ListKeyPoliciesResponse, KmsError> {
        let size = LARGE.asked(self.limit)?;
        let permit = ctx.authorize::<ListKeyPolicies>(&self.key_id, None).await?;
        let (account, region, id) = (permit.key().account, permit.key().region, permit.key().id.to_string());
        let scope = MarkerScope { operation: Operation::ListKeyPolicies, account, region, filter: &id };
        // The one name is on the first page, so no marker of this list exists; any other is refused here.
        let _page = Page::parse(ctx.gate(), scope, size, self.marker.as_deref())?;
        Ok(ListKeyPoliciesResponse {
            policy_names: Some(vec![POLICY_NAME.to_owned()]),
            next_marker: None,
            truncated: false,
        })
    }
}
