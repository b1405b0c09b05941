//! Imported key material: what may be wrapped how, when it expires, and what becomes of a key whose material is
//! imported or goes.
//!
//! A key of origin EXTERNAL has as many materials as were imported for it, oldest first. Those that have been current
//! once belong to the key for good, even when their bytes are gone; one that waits for its rotation does not.

use serde::{Deserialize, Serialize};
use trent_protocol::{
    ExpirationModel, ImportType, KeyMaterialState, KeySpec, WrappingAlgorithm, WrappingKeySpec,
};

use crate::identifier::{KeyArn, MaterialId};
use crate::key::Key;
use crate::limits::IMPORTED_MATERIAL_DAYS_MAX;
use crate::rotation::{Material, Rotation};
use crate::time::Timestamp;

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
}

/// A pair of members that a wrapping cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrappingError {
    /// AWS has not offered it since October 2023.
    #[error("Wrapping algorithm {0} is no longer supported.")]
    Withdrawn(WrappingAlgorithm),
    /// The encoded private key is longer than what the algorithm takes, or may be.
    #[error("Wrapping algorithm {algorithm} is not supported for key spec {spec}.")]
    Algorithm {
        /// The algorithm.
        algorithm: WrappingAlgorithm,
        /// The spec of the key that material is imported for.
        spec: KeySpec,
    },
    /// The encoded private key is longer than what a wrapping key of this size takes.
    #[error(
        "Wrapping algorithm {algorithm} with wrapping key spec {wrapping} is not supported for key spec {spec}."
    )]
    Size {
        /// The algorithm.
        algorithm: WrappingAlgorithm,
        /// The spec of the wrapping key.
        wrapping: WrappingKeySpec,
        /// The spec of the key that material is imported for.
        spec: KeySpec,
    },
}

/// Whether material of a key of `spec` can be wrapped with `algorithm` under a key of `wrapping`.
///
/// Source: the table of wrapping algorithms in the AWS KMS developer guide. It says nothing of Ed25519, ML-DSA and
/// ML-KEM: Ed25519 is treated like the other curves, the others like RSA.
pub fn check_wrapping(
    algorithm: WrappingAlgorithm,
    wrapping: WrappingKeySpec,
    spec: KeySpec,
) -> Result<(), WrappingError> {
    use WrappingAlgorithm as Wrap;
    match algorithm {
        Wrap::RsaesPkcs1V15 => Err(WrappingError::Withdrawn(algorithm)),
        // Offered in Regions of the partition `aws-cn` alone, and not built yet.
        Wrap::Sm2pke => Err(WrappingError::Algorithm { algorithm, spec }),
        Wrap::RsaAesKeyWrapSha1 | Wrap::RsaAesKeyWrapSha256 => Ok(()),
        Wrap::RsaesOaepSha1 | Wrap::RsaesOaepSha256 if is_long(spec) => {
            Err(WrappingError::Algorithm { algorithm, spec })
        }
        Wrap::RsaesOaepSha1 | Wrap::RsaesOaepSha256
            if spec == KeySpec::EccNistP521 && wrapping == WrappingKeySpec::Rsa2048 =>
        {
            Err(WrappingError::Size { algorithm, wrapping, spec })
        }
        Wrap::RsaesOaepSha1 | Wrap::RsaesOaepSha256 => Ok(()),
    }
}

/// Whether the private key of a spec is longer than RSA alone can encrypt, in one of its encodings at least.
const fn is_long(spec: KeySpec) -> bool {
    matches!(
        spec,
        KeySpec::Rsa2048
            | KeySpec::Rsa3072
            | KeySpec::Rsa4096
            | KeySpec::MlDsa44
            | KeySpec::MlDsa65
            | KeySpec::MlDsa87
            | KeySpec::MlKem512
            | KeySpec::MlKem768
            | KeySpec::MlKem1024
    )
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

/// The key has no material that waits for its rotation.
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
        self.imported.as_ref().is_some_and(|imported| imported.standing == Standing::PendingRotation)
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

    /// Whether the key has material, and none that belongs to it is missing.
    pub fn is_complete(&self) -> bool {
        let mut own = self.materials.iter().filter(|material| !material.is_pending()).peekable();
        own.peek().is_some() && own.all(Material::is_present)
    }

    /// What one of its materials is to the key.
    pub fn material_state(&self, material: &Material) -> KeyMaterialState {
        match self.current_material() {
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
    /// that waited for its rotation is forgotten. Says whether there was anything to delete.
    pub fn delete_material(&mut self, id: &MaterialId) -> bool {
        let Some(material) = self.materials.iter_mut().find(|material| material.id == *id) else {
            return false;
        };
        if material.is_pending() {
            self.materials.retain(|material| material.id != *id);
            return true;
        }
        if !material.is_present() {
            return false;
        }
        material.sealed.clear();
        self.lifecycle = self.lifecycle.clone().lose_material();
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
        let pending = self.materials.iter_mut().find(|material| material.is_pending());
        let pending = pending.ok_or(NothingPending(arn))?;
        pending.rotation = Some(rotation);
        if let Some(imported) = &mut pending.imported {
            imported.standing = Standing::Associated;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use trent_protocol::{KeyManager, KeyState, KeyUsage, Origin, RotationType};

    use super::*;
    use crate::lifecycle::{Lifecycle, PendingWindow};

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn key() -> Key {
        Key {
            id: "0198c5a4-7a3e-7000-8000-000000000001".parse().unwrap(),
            account: "111122223333".parse().unwrap(),
            region: "eu-central-1".parse().unwrap(),
            spec: KeySpec::SymmetricDefault,
            usage: KeyUsage::EncryptDecrypt,
            origin: Origin::External,
            manager: KeyManager::Customer,
            description: String::new(),
            created: NOW,
            lifecycle: Lifecycle::PendingImport,
            policy: None,
            tags: BTreeMap::new(),
            schedule: None,
            materials: Vec::new(),
            in_store: None,
            multi_region: None,
            version: 1,
        }
    }

    fn material(number: u8, valid_to: Option<Timestamp>) -> Material {
        let imported = Imported { valid_to, description: None, standing: Standing::Associated };
        let id = MaterialId([number; 32]);
        Material {
            id,
            created: NOW,
            rotation: None,
            public: None,
            imported: Some(imported),
            sealed: vec![number; 3],
        }
    }

    fn rotation() -> Rotation {
        Rotation { at: NOW, kind: RotationType::OnDemand }
    }

    /// A key whose material 2 is current and 1 was.
    fn rotated() -> Key {
        let mut key = key();
        key.import(material(1, None), None).unwrap();
        key.import(material(2, None), Some(ImportType::NewKeyMaterial)).unwrap();
        key.rotate_to_pending(rotation()).unwrap();
        key
    }

    fn states(key: &Key) -> Vec<KeyMaterialState> {
        key.materials.iter().map(|material| key.material_state(material)).collect()
    }

    #[test]
    fn the_first_material_enables_the_key_and_the_next_one_waits() {
        let mut key = key();
        key.import(material(1, None), None).unwrap();
        assert_eq!((key.state(), states(&key)), (KeyState::Enabled, vec![KeyMaterialState::Current]));
        key.import(material(2, None), Some(ImportType::NewKeyMaterial)).unwrap();
        assert_eq!(states(&key), [KeyMaterialState::Current, KeyMaterialState::PendingRotation]);
        assert_eq!(key.current_material().unwrap().id, MaterialId([1; 32]));
        key.rotate_to_pending(rotation()).unwrap();
        assert_eq!(states(&key), [KeyMaterialState::NonCurrent, KeyMaterialState::Current]);
        assert_eq!(key.rotate_to_pending(rotation()), Err(NothingPending(key.arn())));
        assert_eq!(key.on_demand_rotations(), 1);
    }

    #[test]
    fn new_material_must_be_new_and_existing_material_must_be_known() {
        let mut key = key();
        let existing = Some(ImportType::ExistingKeyMaterial);
        assert_eq!(key.import(material(1, None), existing), Err(ImportError::Incorrect));
        key.import(material(1, None), Some(ImportType::NewKeyMaterial)).unwrap();
        assert_eq!(
            key.import(material(1, None), Some(ImportType::NewKeyMaterial)),
            Err(ImportError::Incorrect)
        );
        assert_eq!(key.import(material(2, None), None), Err(ImportError::Incorrect));
        key.import(material(1, Some(NOW)), existing).unwrap();
        assert_eq!(key.valid_to(), Some(NOW));
        key.import(material(2, None), Some(ImportType::NewKeyMaterial)).unwrap();
        let (new, pending) = (MaterialId([3; 32]), MaterialId([2; 32]));
        let refused = key.import(material(3, None), Some(ImportType::NewKeyMaterial));
        assert_eq!(refused, Err(ImportError::AnotherPending { arn: key.arn(), new, pending }));
    }

    #[test]
    fn a_key_that_misses_any_of_its_materials_waits_for_all_of_them() {
        let mut key = rotated();
        for number in [1, 2] {
            assert!(key.delete_material(&MaterialId([number; 32])));
            assert!(!key.delete_material(&MaterialId([number; 32])));
            assert_eq!(key.state(), KeyState::PendingImport);
        }
        assert_eq!(key.current_material().unwrap().id, MaterialId([2; 32]));
        key.import(material(1, None), None).unwrap();
        assert_eq!((key.state(), key.is_complete()), (KeyState::PendingImport, false));
        key.import(material(2, None), None).unwrap();
        assert_eq!((key.state(), key.is_complete()), (KeyState::Enabled, true));
    }

    #[test]
    fn material_that_waits_may_go_and_leaves_the_key_as_it_is() {
        let mut key = rotated();
        let before = key.clone();
        key.import(material(3, Some(NOW)), Some(ImportType::NewKeyMaterial)).unwrap();
        assert_eq!((key.valid_to(), key.next_expiry(), key.due_at()), (None, Some(NOW), Some(NOW)));
        assert!(key.expire_material(NOW));
        assert_eq!(key, before);
        assert!(!key.expire_material(NOW));
    }

    #[test]
    fn a_key_that_is_to_be_deleted_stays_so_without_material() {
        let mut key = key();
        key.import(material(1, Some(NOW.plus_days(1))), None).unwrap();
        let window = PendingWindow::parse(Some(7)).unwrap();
        key.lifecycle = key.lifecycle.clone().schedule_deletion(NOW, window).unwrap();
        assert_eq!(key.due_at(), Some(NOW.plus_days(1)));
        assert!(!key.expire_material(NOW) && key.expire_material(NOW.plus_days(1)));
        assert_eq!((key.state(), key.due_at()), (KeyState::PendingDeletion, Some(NOW.plus_days(7))));
        let cancelled = key.lifecycle.clone().cancel_deletion(key.is_complete());
        assert_eq!(cancelled, Ok(Lifecycle::PendingImport));
        // It does not begin to be usable while it is to be deleted, nor when it was disabled.
        key.import(material(1, None), None).unwrap();
        assert_eq!(key.state(), KeyState::PendingDeletion);
        key.lifecycle = Lifecycle::Disabled;
        key.import(material(1, None), None).unwrap();
        assert_eq!(key.state(), KeyState::Disabled);
    }

    #[test]
    fn a_description_stays_until_there_is_another() {
        let mut key = key();
        let described = |text: Option<&str>| {
            let mut material = material(1, None);
            material.imported.as_mut().unwrap().description = text.map(str::to_owned);
            material
        };
        let description = |key: &Key| key.materials[0].imported.clone().unwrap().description;
        key.import(described(Some("first")), None).unwrap();
        key.import(described(None), None).unwrap();
        assert_eq!(description(&key).unwrap(), "first");
        key.import(described(Some("second")), None).unwrap();
        assert_eq!(description(&key).unwrap(), "second");
    }

    #[test]
    fn material_expires_within_a_year_unless_it_does_not_expire() {
        let (expires, stays) =
            (Some(ExpirationModel::KeyMaterialExpires), Some(ExpirationModel::KeyMaterialDoesNotExpire));
        let day = NOW.plus_days(1);
        for model in [None, expires] {
            assert_eq!(parse_expiration(model, None, NOW), Err(ExpirationError::NoDate));
            assert_eq!(parse_expiration(model, Some(NOW), NOW), Err(ExpirationError::Past));
            assert_eq!(parse_expiration(model, Some(day), NOW), Ok(Some(day)));
            let last = NOW.plus_days(365);
            assert_eq!(parse_expiration(model, Some(last), NOW), Ok(Some(last)));
            let late = Timestamp::from_millis(last.millis() + 1);
            assert_eq!(parse_expiration(model, Some(late), NOW), Err(ExpirationError::TooLate));
        }
        assert_eq!(parse_expiration(stays, None, NOW), Ok(None));
        assert_eq!(parse_expiration(stays, Some(day), NOW), Err(ExpirationError::NeedlessDate));
    }

    #[test]
    fn private_keys_that_rsa_alone_cannot_encrypt_are_wrapped_in_two_steps() {
        use WrappingAlgorithm as Wrap;
        for wrapping in [WrappingKeySpec::Rsa2048, WrappingKeySpec::Rsa3072, WrappingKeySpec::Rsa4096] {
            for spec in KeySpec::ALL {
                let of = |algorithm| check_wrapping(algorithm, wrapping, spec);
                assert_eq!(of(Wrap::RsaAesKeyWrapSha1), Ok(()));
                assert_eq!(of(Wrap::RsaAesKeyWrapSha256), Ok(()));
                assert!(of(Wrap::RsaesPkcs1V15).is_err());
                let name = spec.as_str();
                let long = ["RSA", "ML_"].iter().any(|prefix| name.starts_with(prefix));
                let tight = name == "ECC_NIST_P521" && wrapping == WrappingKeySpec::Rsa2048;
                for oaep in [Wrap::RsaesOaepSha1, Wrap::RsaesOaepSha256] {
                    assert_eq!(of(oaep).is_ok(), !long && !tight, "{oaep} {wrapping} {spec}");
                }
            }
        }
    }
}
