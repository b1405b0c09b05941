//! What CreateKey and DescribeKey tell of a key.

use trent_domain::algorithms::{Algorithms, algorithms};
use trent_domain::identifier::Region;
use trent_domain::key::Key;
use trent_domain::key_store::InStore;
use trent_domain::lifecycle::Lifecycle;
use trent_domain::multi_region::MultiRegion;
use trent_domain::time::Timestamp;
use trent_protocol::{
    EpochMillis, ExpirationModel, KeyMetadata, KeySpec, KeyState, MultiRegionConfiguration, MultiRegionKey,
    MultiRegionKeyType, Origin, XksKeyConfiguration,
};

/// A moment as the wire has it.
pub(crate) fn epoch(at: Timestamp) -> EpochMillis {
    EpochMillis(at.millis())
}

/// What is told of a key, whose state is shown as `state`, and which is in the HSMs of `cluster` if in any.
pub(crate) fn metadata(key: &Key, state: KeyState, cluster: Option<&str>) -> KeyMetadata {
    let arn = key.arn().to_string();
    let mut metadata = KeyMetadata {
        aws_account_id: Some(key.account.to_string()),
        key_id: key.id.to_string(),
        creation_date: Some(epoch(key.created)),
        enabled: state == KeyState::Enabled,
        description: Some(key.description.clone()),
        key_usage: Some(key.usage),
        key_state: Some(state),
        deletion_date: deletion_date(&key.lifecycle),
        pending_deletion_window_in_days: window_after_replicas(&key.lifecycle),
        origin: Some(key.origin),
        key_manager: Some(key.manager),
        // The deprecated twin of the spec.
        customer_master_key_spec: Some(key.spec),
        key_spec: Some(key.spec),
        multi_region: key.id.is_multi_region(),
        multi_region_configuration: key.multi_region.as_ref().map(|related| configuration(key, related)),
        cloud_hsm_cluster_id: cluster.map(str::to_owned),
        custom_key_store_id: key.in_store.as_ref().map(|place| place.store.to_string()),
        xks_key_configuration: key.in_store.as_ref().and_then(external_key),
        // Only symmetric encryption keys have materials that callers tell apart, and not in custom key stores; recorded: not
        // while being created.
        current_key_material_id: (key.spec == KeySpec::SymmetricDefault
            && key.in_store.is_none()
            && state != KeyState::Creating)
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

fn external_key(place: &InStore) -> Option<XksKeyConfiguration> {
    let id = place.external_key()?.to_owned();
    Some(XksKeyConfiguration { id: Some(id) })
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

// Only a primary that waits for its replicas has a window without a date.
fn window_after_replicas(lifecycle: &Lifecycle) -> Option<i32> {
    lifecycle.window_after_replicas().and_then(|days| i32::try_from(days).ok())
}

fn configuration(key: &Key, related: &MultiRegion) -> MultiRegionConfiguration {
    let named = |region: Region| MultiRegionKey {
        arn: Some(key.arn_in(region).to_string()),
        region: Some(region.to_string()),
    };
    let is_primary = related.primary == key.region;
    MultiRegionConfiguration {
        multi_region_key_type: Some(match is_primary {
            true => MultiRegionKeyType::Primary,
            false => MultiRegionKeyType::Replica,
        }),
        primary_key: Some(named(related.primary)),
        replica_keys: Some(related.replicas.iter().copied().map(named).collect()),
    }
}
