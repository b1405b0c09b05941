//! EnableKeyRotation: new material every 90 to 2560 days. On a key that has it enabled, a new period, counted
//! from this call.

use trent_domain::limits::ROTATION_PERIOD_DAYS_DEFAULT;
use trent_domain::rotation::Schedule;
use trent_gate::{EnableKeyRotation, Parameters};
use trent_protocol::{EnableKeyRotationRequest, NoOutput};

use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for EnableKeyRotationRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<NoOutput, KmsError> {
        let period_days = self.rotation_period_in_days.and_then(|days| u32::try_from(days).ok());
        let days = period_days.unwrap_or(ROTATION_PERIOD_DAYS_DEFAULT).to_string();
        let asked = [("rotationperiodindays", days.as_str())];
        let parameters = Parameters::of(&asked);
        let permit = ctx.authorize_asking::<EnableKeyRotation>(&self.key_id, None, parameters).await?;
        let now = ctx.now;
        permit
            .change("enable key rotation", move |key, _| {
                key.schedule = Some(Schedule::starting(now, period_days));
                Ok::<_, KmsError>(())
            })
            .await?;
        Ok(NoOutput)
    }
}
