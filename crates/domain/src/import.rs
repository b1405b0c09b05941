//! Imported key material: what may be wrapped how, when it expires, and what becomes of a key whose material is
//! imported or goes.
//!
//! A key of origin EXTERNAL has as many materials as were imported for it, oldest first. Those that have been current
//! once belong to the key for good, even when their bytes are gone; one that waits for its rotation does not.

mod wrapping;

use serde::{Deserialize, Serialize};
use trent_protocol::{ExpirationModel, ImportType, KeyMaterialState};

use crate::identifier::{KeyArn, MaterialId};
use crate::key::Key;
use crate::limits::IMPORTED_MATERIAL_DAYS_MAX;
use crate::rotation::{Material, Rotation};
use crate::time::Timestamp;

pub use wrapping::{WrappingError, check_wrapping};

/// What imported material has beyond other material.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// When its bytes are deleted; absent when they do not expire.
    pub valid_to: Option<Timestamp>,
    /// The importer's own words.
    pub description: Option<String>,
    /// Whether it belongs to the key for good.
    pub standing: Standing,
}

/// Whether imported material belongs to its key for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It is the current material of the key, or was.
    Associated,
    /// It waits for the rotation that makes it current. Until then it may be deleted and replaced.
    PendingRotation,
    /// The same, and until then it has to be imported in other Regions that hold a replica of the key.
    PendingImportAndRotation,
}

/// What is wrong with the members of a request that say when material expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExpirationError {
    /// Material that expires, without a date. Recorded, without a full stop.
    #[error("A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")]
    NoDate,
    /// A date for material that does not expire.
    #[error("A validTo date cannot be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE")]
    NeedlessDate,
    /// The date has passed.
    #[error("The validTo date must be in the future")]
    Past,
    /// The date is too far away.
    #[error("The validTo date must be within {IMPORTED_MATERIAL_DAYS_MAX} days from now")]
    TooLate,
}

/// When material expires, as a request says it. Material expires unless the request says that it does not.
pub fn parse_expiration(
    model: Option<ExpirationModel>,
    valid_to: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, ExpirationError> {
    match (model.unwrap_or(ExpirationModel::KeyMaterialExpires), valid_to) {
        (ExpirationModel::KeyMaterialExpires, None) => Err(ExpirationError::NoDate),
        (ExpirationModel::KeyMaterialExpires, Some(at)) if at <= now => Err(ExpirationError::Past),
        (ExpirationModel::KeyMaterialExpires, Some(at)) if at > now.plus_days(IMPORTED_MATERIAL_DAYS_MAX) => {
            Err(ExpirationError::TooLate)
        }
        (ExpirationModel::KeyMaterialExpires, at) => Ok(at),
        (ExpirationModel::KeyMaterialDoesNotExpire, None) => Ok(None),
        (ExpirationModel::KeyMaterialDoesNotExpire, Some(_)) => Err(ExpirationError::NeedlessDate),
    }
}

/// Why material that was unwrapped is not taken up by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// New material comes to a multi-Region key by its primary.
    #[error("{0} is not a multi-region primary key.")]
    NotPrimary(KeyArn),
    /// It is to be material that the key has and is not, or the other way round.
    #[error("the material is not the one that can be imported into the key")]
    Incorrect,
    /// One material waits for its rotation; a second one cannot.
    #[error(
        "New key material (id: {new}) cannot be imported into KMS key {arn}, because another key material (id: \
         {pending}) is pending rotation."
    )]
    AnotherPending {
        /// The key.
        arn: KeyArn,
        /// The material of the request.
        new: MaterialId,
        /// The one that waits.
        pending: MaterialId,
    },
}

/// The key has no material that waits for its rotation alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("No available key material pending rotation for the key: {0}.")]
pub struct NothingPending(pub KeyArn);

impl Material {
    /// Whether its bytes are there. Those of imported material can be deleted, and can expire.
    pub fn is_present(&self) -> bool {
        !self.sealed.is_empty()
    }

    /// Whether it waits for the rotation that makes it current.
    pub fn is_pending(&self) -> bool {
        self.standing().is_some_and(|standing| standing != Standing::Associated)
    }

    /// What it is to its key, of imported material.
    fn standing(&self) -> Option<Standing> {
        self.imported.as_ref().map(|imported| imported.standing)
    }

    /// When its bytes are to be deleted.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.imported.as_ref().filter(|_| self.is_present())?.valid_to
    }
}

impl Key {
    /// The material that waits for its rotation.
    pub fn pending_material(&self) -> Option<&Material> {
        self.materials.iter().find(|material| material.is_pending())
    }

    /// Whether the key has material, and none that belongs to it is missing. That of a key in HSMs is there alone.
    pub fn is_complete(&self) -> bool {
        if self.hsm_key().is_some() {
            return true;
        }
        let mut own = self.materials.iter().filter(|material| !material.is_pending()).peekable();
        own.peek().is_some() && own.all(Material::is_present)
    }

    /// What one of its materials is to the key.
    pub fn material_state(&self, material: &Material) -> KeyMaterialState {
        match self.current_material() {
            _ if material.standing() == Some(Standing::PendingImportAndRotation) => {
                KeyMaterialState::PendingMultiRegionImportAndRotation
            }
            _ if material.is_pending() => KeyMaterialState::PendingRotation,
            Some(current) if current.id == material.id => KeyMaterialState::Current,
            _ => KeyMaterialState::NonCurrent,
        }
    }

    /// The earliest expiry of the materials that belong to the key.
    pub fn valid_to(&self) -> Option<Timestamp> {
        self.materials.iter().filter(|material| !material.is_pending()).filter_map(Material::expires_at).min()
    }

    /// The earliest expiry of all materials, those that wait for their rotation included.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.materials.iter().filter_map(Material::expires_at).min()
    }

    /// ImportKeyMaterial: takes up material that was unwrapped for this key. Of what the key knows already, the bytes,
    /// the expiry and, where there is a new one, the description are replaced.
    pub fn import(&mut self, material: Material, kind: Option<ImportType>) -> Result<(), ImportError> {
        if self.is_replica() && kind == Some(ImportType::NewKeyMaterial) {
            return Err(ImportError::NotPrimary(self.arn()));
        }
        let known = self.material(&material.id).is_some();
        let first = self.materials.is_empty();
        let kind =
            kind.unwrap_or(if first { ImportType::NewKeyMaterial } else { ImportType::ExistingKeyMaterial });
        match (kind, known) {
            (ImportType::NewKeyMaterial, true) | (ImportType::ExistingKeyMaterial, false) => {
                return Err(ImportError::Incorrect);
            }
            (ImportType::ExistingKeyMaterial, true) => self.replace(material),
            (ImportType::NewKeyMaterial, false) => self.add(material, first)?,
        }
        if self.is_complete() {
            self.lifecycle = self.lifecycle.clone().complete();
        }
        Ok(())
    }

    fn add(&mut self, mut material: Material, first: bool) -> Result<(), ImportError> {
        if let Some(pending) = self.pending_material() {
            return Err(ImportError::AnotherPending {
                arn: self.arn(),
                new: material.id,
                pending: pending.id,
            });
        }
        if let Some(imported) = &mut material.imported {
            imported.standing = if first { Standing::Associated } else { Standing::PendingRotation };
        }
        self.materials.push(material);
        Ok(())
    }

    fn replace(&mut self, material: Material) {
        let Some(old) = self.materials.iter_mut().find(|old| old.id == material.id) else { return };
        old.public = material.public;
        old.sealed = material.sealed;
        if let (Some(old), Some(new)) = (&mut old.imported, material.imported) {
            old.valid_to = new.valid_to;
            old.description = new.description.or(old.description.take());
        }
    }

    /// DeleteImportedKeyMaterial: the bytes of one material go. A key that it belonged to waits for its import; one
    /// that waited for its rotation is forgotten, unless it is the primary in another Region that says what there is.
    /// Says whether there was anything to delete.
    pub fn delete_material(&mut self, id: &MaterialId) -> bool {
        let is_replica = self.is_replica();
        let Some(material) = self.materials.iter_mut().find(|material| material.id == *id) else {
            return false;
        };
        let is_pending = material.is_pending();
        if is_pending && !is_replica {
            self.materials.retain(|material| material.id != *id);
            return true;
        }
        if !material.is_present() {
            return false;
        }
        material.sealed.clear();
        if !is_pending {
            self.lifecycle = self.lifecycle.clone().lose_material();
        }
        true
    }

    /// Deletes all material that has expired; says whether there was any.
    pub fn expire_material(&mut self, now: Timestamp) -> bool {
        let expired =
            self.materials.iter().filter(|material| material.expires_at().is_some_and(|at| at <= now));
        let expired: Vec<MaterialId> = expired.map(|material| material.id).collect();
        expired.iter().for_each(|id| {
            self.delete_material(id);
        });
        !expired.is_empty()
    }

    /// RotateKeyOnDemand of imported material: what waits becomes current.
    pub fn rotate_to_pending(&mut self, rotation: Rotation) -> Result<(), NothingPending> {
        let arn = self.arn();
        let is_ready = |material: &&mut Material| material.standing() == Some(Standing::PendingRotation);
        let pending = self.materials.iter_mut().find(is_ready).ok_or(NothingPending(arn))?;
        pending.rotation = Some(rotation);
        if let Some(imported) = &mut pending.imported {
            imported.standing = Standing::Associated;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
