//! ListKeyRotations: the completed rotations of a key, or all its materials, oldest first.

use trent_domain::key::Key;
use trent_domain::rotation::Material;
use trent_gate::{ListKeyRotations, MarkerScope};
use trent_protocol::{
    IncludeKeyMaterial, KeyMaterialState, ListKeyRotationsRequest, ListKeyRotationsResponse, Operation,
    RotationsListEntry,
};

use crate::context::Context;
use crate::error::KmsError;
use crate::operations::keys::epoch;
use crate::page::{LARGE, Page};
use crate::pipeline::Handle;

impl Handle for ListKeyRotationsRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<ListKeyRotationsResponse, KmsError> {
        let size = LARGE.asked(self.limit)?;
        let permit = ctx.authorize::<ListKeyRotations>(&self.key_id, None).await?;
        let key = permit.key();
        let include = self.include_key_material.unwrap_or(IncludeKeyMaterial::RotationsOnly);
        let filter = format!("{}/{include}", key.id);
        let scope = MarkerScope {
            operation: Operation::ListKeyRotations,
            account: key.account,
            region: key.region,
            filter: &filter,
        };
        let page = Page::parse(ctx.gate(), scope, size, self.marker.as_deref())?;
        let all = include == IncludeKeyMaterial::AllKeyMaterial;
        // Materials are only ever added, at the end: the number of those passed is a position that lasts.
        let passed = page.after.as_ref().and_then(|after| after.parse().ok()).unwrap_or(0);
        let listed =
            key.materials.iter().enumerate().filter(|(_, material)| all || material.rotation.is_some());
        let listed = listed.skip_while(|(index, _)| *index < passed).take(page.fetch()).collect();
        let cut = page.cut(ctx.gate(), listed, |(index, _)| (index + 1).to_string())?;
        Ok(ListKeyRotationsResponse {
            rotations: Some(cut.items.into_iter().map(|(_, material)| entry(key, material)).collect()),
            next_marker: cut.next_marker,
            truncated: cut.truncated,
        })
    }
}

fn entry(key: &Key, material: &Material) -> RotationsListEntry {
    let current = key.current_material().is_some_and(|current| current.id == material.id);
    RotationsListEntry {
        key_id: Some(key.arn().to_string()),
        key_material_id: Some(material.id.to_string()),
        key_material_state: Some(if current {
            KeyMaterialState::Current
        } else {
            KeyMaterialState::NonCurrent
        }),
        rotation_date: material.rotation.map(|rotation| epoch(rotation.at)),
        rotation_type: material.rotation.map(|rotation| rotation.kind),
        ..RotationsListEntry::default()
    }
}
