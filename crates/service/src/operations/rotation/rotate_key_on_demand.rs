//! RotateKeyOnDemand: new material now, which trent makes or which was imported for it; the automatic schedule stays as
//! it is.

use trent_domain::identifier::MaterialId;
use trent_domain::key::Key;
use trent_domain::limits::ROTATION_CONFLICT_MINUTES;
use trent_domain::rotation::Rotation;
use trent_domain::time::Timestamp;
use trent_gate::{RotateKeyOnDemand, Rotated};
use trent_protocol::{ErrorCode, Origin, RotateKeyOnDemandRequest, RotateKeyOnDemandResponse, RotationType};

use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;
use crate::trail;

impl Handle for RotateKeyOnDemandRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<RotateKeyOnDemandResponse, KmsError> {
        let permit = ctx.authorize::<RotateKeyOnDemand>(&self.key_id, None).await?;
        let (now, max) = (ctx.now, ctx.service.options.on_demand_rotations_max);
        check(permit.key(), max, now)?;
        let rotation = Rotation { at: now, kind: RotationType::OnDemand };
        if permit.key().origin == Origin::External {
            let current = permit
                .change("rotate key to imported material", move |key, _| {
                    check(key, max, now)?;
                    key.rotate_to_pending(rotation)?;
                    Ok::<_, KmsError>(key.current_material().map(|material| material.id))
                })
                .await?;
            follow(permit.key(), current, ctx);
            return Ok(RotateKeyOnDemandResponse { key_id: Some(permit.arn().to_string()) });
        }
        let material = permit.make_material().await?.into_material(now, Some(rotation));
        let current = Some(material.id);
        permit
            .change("rotate key on demand", move |key, _| {
                check(key, max, now)?;
                key.materials.push(material.clone());
                Ok::<_, KmsError>(())
            })
            .await?;
        follow(permit.key(), current, ctx);
        Ok(RotateKeyOnDemandResponse { key_id: Some(permit.arn().to_string()) })
    }
}

/// The rotation is an event of its own, as it is when the schedule asks for it.
fn follow(before: &Key, current: Option<MaterialId>, ctx: &Context<'_>) {
    let Some(current) = current else { return };
    let rotated = Rotated {
        arn: before.arn(),
        origin: before.origin,
        previous: before.current_material().map(|material| material.id),
        current,
        replicated: before.related_regions().next().is_some(),
    };
    trail::rotation("ON_DEMAND", &rotated).into_iter().for_each(|event| ctx.event.follow(event));
}

fn check(key: &Key, max: usize, now: Timestamp) -> Result<(), KmsError> {
    let arn = key.arn();
    if key.on_demand_rotations() >= max {
        return Err(KmsError::new(
            ErrorCode::LimitExceeded,
            format!(
                "The on-demand rotations limit has been reached for the given keyId. \
                 No more on-demand rotations can be performed for this key: {arn}"
            ),
        ));
    }
    let soon = now.plus_minutes(ROTATION_CONFLICT_MINUTES);
    if key.schedule.is_some_and(|schedule| schedule.next <= soon) {
        let text =
            format!("An automatic rotation of {arn} is due within {ROTATION_CONFLICT_MINUTES} minutes.");
        return Err(KmsError::new(ErrorCode::Conflict, text));
    }
    Ok(())
}
