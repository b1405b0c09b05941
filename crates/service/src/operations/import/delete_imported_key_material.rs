//! DeleteImportedKeyMaterial: the bytes of one material go; the key waits for their import, and keeps everything else.

use trent_domain::identifier::MaterialId;
use trent_domain::key::Key;
use trent_gate::DeleteImportedKeyMaterial;
use trent_protocol::{
    DeleteImportedKeyMaterialRequest, DeleteImportedKeyMaterialResponse, ErrorCode, KeySpec,
};

use super::check_tells_materials_apart;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for DeleteImportedKeyMaterialRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<DeleteImportedKeyMaterialResponse, KmsError> {
        let permit = ctx.authorize::<DeleteImportedKeyMaterial>(&self.key_id, None).await?;
        if self.key_material_id.is_some() {
            check_tells_materials_apart(permit.key(), "KeyMaterialId")?;
        }
        let asked = self.key_material_id;
        let deleted = permit
            .change("delete imported key material", move |key, _| {
                let id = named(key, asked.as_deref())?;
                if let Some(id) = &id {
                    key.delete_material(id);
                }
                Ok::<_, KmsError>(id)
            })
            .await?;
        // Of a key without material there is no id to tell; the API allows an empty one.
        let told = deleted.map(|id| id.to_string()).unwrap_or_default();
        Ok(DeleteImportedKeyMaterialResponse {
            key_id: Some(permit.arn_text().to_owned()),
            key_material_id: (permit.key().spec == KeySpec::SymmetricDefault).then_some(told),
        })
    }
}

/// The material that a request is about: the current one, unless it names another. None of a key that never had any.
fn named(key: &Key, asked: Option<&str>) -> Result<Option<MaterialId>, KmsError> {
    let Some(asked) = asked else { return Ok(key.current_material().map(|material| material.id)) };
    let found = key.materials.iter().find(|material| material.id.to_string() == asked);
    match found {
        Some(material) => Ok(Some(material.id)),
        None => Err(KmsError::new(
            ErrorCode::NotFound,
            format!("Key material '{asked}' does not exist in key '{}'", key.arn()),
        )),
    }
}
