//! What becomes of a key whose material is imported or goes.

use std::collections::BTreeMap;

use trent_protocol::{KeyManager, KeySpec, KeyState, KeyUsage, Origin, RotationType};

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
    assert_eq!(key.import(material(1, None), Some(ImportType::NewKeyMaterial)), Err(ImportError::Incorrect));
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
