//! What CreateKey and DescribeKey tell of a key.

use trent_domain::algorithms::{Algorithms, algorithms};
use trent_domain::key::Key;
use trent_domain::lifecycle::Lifecycle;
use trent_domain::time::Timestamp;
use trent_protocol::{
    EpochMillis, ExpirationModel, KeyMetadata, KeySpec, KeyState, MultiRegionConfiguration, MultiRegionKey,
    MultiRegionKeyType, Origin,
};

/// A moment as the wire has it.
pub(crate) fn epoch(at: Timestamp) -> EpochMillis {
    EpochMillis(at.millis())
}

pub(super) fn metadata(key: &Key) -> KeyMetadata {
    let arn = key.arn().to_string();
    let mut metadata = KeyMetadata {
        aws_account_id: Some(key.account.to_string()),
        key_id: key.id.to_string(),
        creation_date: Some(epoch(key.created)),
        enabled: key.state() == KeyState::Enabled,
        description: Some(key.description.clone()),
        key_usage: Some(key.usage),
        key_state: Some(key.state()),
        deletion_date: deletion_date(&key.lifecycle),
        origin: Some(key.origin),
        key_manager: Some(key.manager),
        // The deprecated twin of the spec.
        customer_master_key_spec: Some(key.spec),
        key_spec: Some(key.spec),
        multi_region: key.id.is_multi_region(),
        multi_region_configuration: key.id.is_multi_region().then(|| primary(key, &arn)),
        // Only symmetric encryption keys have materials that callers tell apart.
        current_key_material_id: (key.spec == KeySpec::SymmetricDefault)
            .then(|| key.current_material())
            .flatten()
            .map(|material| material.id.to_string()),
        arn: Some(arn),
        ..KeyMetadata::default()
    };
    if key.origin == Origin::External && key.is_complete() {
        metadata.expiration_model = Some(expiration_model(key.valid_to()));
        metadata.valid_to = key.valid_to().map(epoch);
    }
    match algorithms(key.spec, key.usage) {
        Algorithms::Encryption(list) => metadata.encryption_algorithms = Some(list.to_vec()),
        Algorithms::Signing(list) => metadata.signing_algorithms = Some(list.to_vec()),
        Algorithms::Mac(list) => metadata.mac_algorithms = Some(list.to_vec()),
        Algorithms::Agreement(list) => metadata.key_agreement_algorithms = Some(list.to_vec()),
        Algorithms::Encapsulation(list) => metadata.encapsulation_algorithms = Some(list.to_vec()),
    }
    metadata
}

/// What the API calls material that expires then, or never.
pub(crate) fn expiration_model(valid_to: Option<Timestamp>) -> ExpirationModel {
    match valid_to {
        Some(_) => ExpirationModel::KeyMaterialExpires,
        None => ExpirationModel::KeyMaterialDoesNotExpire,
    }
}

pub(super) fn deletion_date(lifecycle: &Lifecycle) -> Option<EpochMillis> {
    lifecycle.delete_at().map(epoch)
}

// Without ReplicateKey every multi-Region key is a primary that has no replicas.
fn primary(key: &Key, arn: &str) -> MultiRegionConfiguration {
    MultiRegionConfiguration {
        multi_region_key_type: Some(MultiRegionKeyType::Primary),
        primary_key: Some(MultiRegionKey { arn: Some(arn.to_owned()), region: Some(key.region.to_string()) }),
        replica_keys: Some(Vec::new()),
    }
}
