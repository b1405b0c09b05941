//! GetKeyLastUsage: the last successful cryptographic operation on a key.

use trent_domain::usage::LastUsage;
use trent_gate::GetKeyLastUsage;
use trent_protocol::{GetKeyLastUsageRequest, GetKeyLastUsageResponse, KeyLastUsageData};

use super::metadata::epoch;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for GetKeyLastUsageRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<GetKeyLastUsageResponse, KmsError> {
        let permit = ctx.authorize::<GetKeyLastUsage>(&self.key_id, None).await?;
        let usage = permit.last_usage().await?;
        let created = epoch(permit.key().created);
        Ok(GetKeyLastUsageResponse {
            key_id: Some(permit.arn().to_string()),
            // Present and empty while the key has not been used.
            key_last_usage: Some(usage.map(data).unwrap_or_default()),
            // Usage has been tracked since trent exists, so for each key since it was created.
            tracking_start_date: Some(created),
            key_creation_date: Some(created),
        })
    }
}

fn data(usage: LastUsage) -> KeyLastUsageData {
    KeyLastUsageData {
        operation: Some(usage.operation),
        timestamp: Some(epoch(usage.at)),
        cloud_trail_event_id: Some(usage.event_id.to_string()),
        kms_request_id: Some(usage.request_id.to_string()),
    }
}
