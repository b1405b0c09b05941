//! GetKeyRotationStatus: whether a key rotates by itself, how often, and when next.

use trent_gate::GetKeyRotationStatus;
use trent_protocol::{GetKeyRotationStatusRequest, GetKeyRotationStatusResponse};

use crate::context::Context;
use crate::error::KmsError;
use crate::operations::keys::epoch;
use crate::pipeline::Handle;

impl Handle for GetKeyRotationStatusRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<GetKeyRotationStatusResponse, KmsError> {
        let permit = ctx.authorize::<GetKeyRotationStatus>(&self.key_id, None).await?;
        let key = permit.key();
        // A key that is to be deleted does not rotate; the schedule is there again once that is cancelled.
        let pending = key.lifecycle.is_pending_deletion();
        let schedule = key.schedule.filter(|_| !pending);
        Ok(GetKeyRotationStatusResponse {
            key_id: Some(permit.arn().to_string()),
            key_rotation_enabled: schedule.is_some(),
            rotation_period_in_days: schedule.and_then(|schedule| i32::try_from(schedule.period_days).ok()),
            next_rotation_date: schedule.map(|schedule| epoch(schedule.next)),
            // A rotation on demand is complete when it is answered.
            on_demand_rotation_start_date: None,
        })
    }
}
