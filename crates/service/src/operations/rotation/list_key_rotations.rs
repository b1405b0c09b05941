//! ListKeyRotations: the completed rotations of a key, or all its materials, oldest first.

use trent_domain::key::Key;
use trent_domain::rotation::Material;
use trent_gate::{ListKeyRotations, MarkerScope};
use trent_protocol::{
    ImportState, IncludeKeyMaterial, ListKeyRotationsRequest, ListKeyRotationsResponse, Operation,
    RotationsListEntry,
};

use crate::context::Context;
use crate::error::KmsError;
use crate::operations::keys::{epoch, expiration_model};
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
        // Materials are added at the end, and only one there can go, which waits for its rotation: the number of those
        // passed is a position that lasts.
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
    let mut entry = RotationsListEntry {
        key_id: Some(key.arn().to_string()),
        key_material_id: Some(material.id.to_string()),
        key_material_state: Some(key.material_state(material)),
        rotation_date: material.rotation.map(|rotation| epoch(rotation.at)),
        rotation_type: material.rotation.map(|rotation| rotation.kind),
        ..RotationsListEntry::default()
    };
    if let Some(imported) = &material.imported {
        entry.key_material_description.clone_from(&imported.description);
        entry.import_state = Some(match material.is_present() {
            true => ImportState::Imported,
            false => ImportState::PendingImport,
        });
        // What is gone expires no more.
        entry.expiration_model = material.is_present().then(|| expiration_model(imported.valid_to));
        entry.valid_to = material.expires_at().map(epoch);
    }
    entry
}
