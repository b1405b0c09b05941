//! ImportKeyMaterial: unwraps material, checks that it is one for this key, and takes it up. A failed import changes
//! nothing, and its token can be used again.

use trent_domain::import::parse_expiration;
use trent_domain::key::Key;
use trent_domain::time::Timestamp;
use trent_gate::{ImportKeyMaterial, Parameters, Wrapped};
use trent_protocol::{ErrorCode, ImportKeyMaterialRequest, ImportKeyMaterialResponse, ImportType, KeySpec};

use super::check_tells_materials_apart;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for ImportKeyMaterialRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<ImportKeyMaterialResponse, KmsError> {
        let valid_to = self.valid_to.map(|at| Timestamp::from_millis(at.to_millis().0));
        let valid_to = parse_expiration(self.expiration_model, valid_to, ctx.now)?;
        if self.import_type == Some(ImportType::NewKeyMaterial) && self.key_material_id.is_some() {
            return Err(KmsError::validation(
                "KeyMaterialId cannot be specified when the ImportType is NEW_KEY_MATERIAL",
            ));
        }
        let until = self.valid_to.map(|at| epoch_seconds(at.to_millis().0));
        let model = self.expiration_model.map(|model| ("expirationmodel", model.as_str()));
        let until = until.as_deref().map(|until| ("validto", until));
        let asked: Vec<_> = model.into_iter().chain(until).collect();
        let parameters = Parameters::of(&asked);
        let permit = ctx.authorize_asking::<ImportKeyMaterial>(&self.key_id, None, parameters).await?;
        check_members(&self, permit.key())?;

        let wrapped = Wrapped { token: self.import_token, material: self.encrypted_key_material };
        let material = permit.unwrap_material(wrapped, ctx.now).await?;
        let material = material.into_imported(ctx.now, valid_to, self.key_material_description);
        let id = material.id.to_string();
        if self.key_material_id.is_some_and(|expected| expected != id) {
            return Err(KmsError::bare(ErrorCode::IncorrectKeyMaterial));
        }
        let kind = self.import_type;
        permit
            .change("import key material", move |key, _| {
                Ok::<_, KmsError>(key.import(material.clone(), kind)?)
            })
            .await?;
        Ok(ImportKeyMaterialResponse {
            key_id: Some(permit.arn_text().to_owned()),
            key_material_id: (permit.key().spec == KeySpec::SymmetricDefault).then_some(id),
        })
    }
}

/// Seconds with a fraction, as conditions on dates read them.
fn epoch_seconds(millis: i64) -> String {
    format!("{}.{:03}", millis.div_euclid(1_000), millis.rem_euclid(1_000))
}

fn check_members(request: &ImportKeyMaterialRequest, key: &Key) -> Result<(), KmsError> {
    let given = [
        ("ImportType", request.import_type.is_some()),
        ("KeyMaterialDescription", request.key_material_description.is_some()),
        ("KeyMaterialId", request.key_material_id.is_some()),
    ];
    let mut given = given.into_iter().filter(|(_, is_given)| *is_given);
    given.try_for_each(|(member, _)| check_tells_materials_apart(key, member))
}
