//! Key material that is made elsewhere and imported.

mod delete_imported_key_material;
mod get_parameters_for_import;
mod import_key_material;

use trent_domain::key::Key;
use trent_protocol::KeySpec;

use crate::error::KmsError;

/// Only symmetric encryption keys have materials that callers tell apart: with other keys, `member` has no meaning.
fn check_tells_materials_apart(key: &Key, member: &str) -> Result<(), KmsError> {
    match key.spec {
        KeySpec::SymmetricDefault => Ok(()),
        spec => Err(KmsError::validation(format!("{member} is not supported for key spec {spec}."))),
    }
}
