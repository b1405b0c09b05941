//! ScheduleKeyDeletion: the key is out of use at once, and gone after a waiting period of 7 to 30 days.
//! That of a multi-Region primary begins when its last replica is gone.

use trent_audit::backing_keys;
use trent_domain::lifecycle::PendingWindow;
use trent_gate::{Parameters, ScheduleKeyDeletion};
use trent_protocol::{ScheduleKeyDeletionRequest, ScheduleKeyDeletionResponse};

use super::metadata::deletion_date;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for ScheduleKeyDeletionRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<ScheduleKeyDeletionResponse, KmsError> {
        let window = PendingWindow::parse(self.pending_window_in_days)?;
        // Absent where it was not sent.
        let days = self.pending_window_in_days.map(|days| days.to_string());
        let asked = days.as_deref().map(|days| [("schedulekeydeletionpendingwindowindays", days)]);
        let parameters = Parameters::of(asked.as_slice().as_flattened());
        let permit = ctx.authorize_asking::<ScheduleKeyDeletion>(&self.key_id, None, parameters).await?;
        if let Some(id) = permit.key().hsm_key() {
            ctx.note_place(permit.key());
            permit.cluster_id().iter().for_each(|id| ctx.event.additional("clusterId", id));
            ctx.event.additional("backingKeys", &backing_keys(&id.to_string()));
        }
        let now = ctx.now;
        let lifecycle = permit
            .change("schedule key deletion", move |key, _| {
                let (lifecycle, has_replicas) = (key.lifecycle.clone(), key.led_regions().next().is_some());
                key.lifecycle = match has_replicas {
                    true => lifecycle.schedule_deletion_after_replicas(window)?,
                    false => lifecycle.schedule_deletion(now, window)?,
                };
                Ok::<_, KmsError>(key.lifecycle.clone())
            })
            .await?;
        Ok(ScheduleKeyDeletionResponse {
            key_id: Some(permit.arn().to_string()),
            deletion_date: deletion_date(&lifecycle),
            key_state: Some(lifecycle.state()),
            pending_window_in_days: i32::try_from(window.days()).ok(),
        })
    }
}
