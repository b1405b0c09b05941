//! Key material that is made elsewhere and imported.

mod delete_imported_key_material;
mod encodings;
mod get_parameters_for_import;
mod import_key_material;

use serde_json::{Value, json};
use trent_protocol::Operation::ListKeyRotations;
use trent_testkit::TestKms;

/// The answer to an operation that is for keys of another origin.
pub(crate) fn wrong_origin(kms: &TestKms, key: &str, origin: &str) -> String {
    let arn = kms.arn(key);
    format!("UnsupportedOperationException: {arn} origin is {origin} which is not valid for this operation.")
}

/// The answer to an operation that needs the material of a key that has lost some.
pub(crate) fn pending_import(kms: &TestKms, key: &str) -> String {
    format!("KMSInvalidStateException: {} is pending import.", kms.arn(key))
}

/// All materials of a symmetric key.
pub(crate) async fn materials(kms: &TestKms, key: &str) -> Vec<Value> {
    let all = json!({"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"});
    kms.list_all(ListKeyRotations, &all, "Rotations").await
}

/// The states of all materials of a symmetric key.
pub(crate) async fn states(kms: &TestKms, key: &str) -> Vec<String> {
    let materials = materials(kms, key).await;
    materials.iter().map(|material| material["KeyMaterialState"].as_str().unwrap().to_owned()).collect()
}
