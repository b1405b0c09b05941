//! What the service does by itself: deletions, rotations and expiries that are due, and what follows from a call.

use crate::json::object;

/// An event of the service itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Internal {
    /// Its name, `DeleteKey` for one.
    pub name: &'static str,
    /// `AwsServiceEvent`, or `AwsApiCall` where AWS says so.
    pub kind: &'static str,
    /// The ARN of the key.
    pub key_arn: String,
    /// `serviceEventDetails`, an object or nothing.
    pub(crate) details: Vec<u8>,
    /// `additionalEventData`, an object or nothing.
    pub(crate) additional: Vec<u8>,
}

impl Internal {
    /// An event of its own, about a key.
    pub fn service(name: &'static str, key_arn: String, details: &[(&str, &str)]) -> Self {
        let mut json = Vec::new();
        let id = key_arn.rsplit('/').next().unwrap_or_default();
        object(&mut json, |members| {
            members.member("keyId", id);
            for (name, value) in details {
                members.member(name, *value);
            }
        });
        Self { name, kind: "AwsServiceEvent", key_arn, details: json, additional: Vec::new() }
    }

    /// An event that is part of a call.
    pub fn call(name: &'static str, key_arn: String) -> Self {
        Self { name, kind: "AwsApiCall", key_arn, details: Vec::new(), additional: Vec::new() }
    }

    /// A key was deleted after its waiting period.
    pub fn delete_key(key_arn: String) -> Self {
        Self::service("DeleteKey", key_arn, &[])
    }

    /// The same of a key in HSMs: those that have it no more, and those that it may be left in.
    pub fn delete_hsm_key(
        key_arn: String,
        place: &HsmKeyPlace<'_>,
        destroyed: bool,
        gone_from: Vec<String>,
        left_in: Vec<String>,
    ) -> Self {
        let HsmKeyPlace { key_store, cluster, backing_key } = *place;
        let status = if destroyed { "SUCCESS" } else { "FAILURE" };
        let statuses = format!(r#"[{{"backingKeyId":"{backing_key}","deletionStatus":"{status}"}}]"#);
        let mut additional = Vec::new();
        object(&mut additional, |members| {
            members.member("customKeyStoreId", key_store);
            members.member("clusterId", cluster);
            members.member("backingKeys", &*backing_keys(backing_key));
            members.member("backingKeysDeletionStatus", &*statuses);
            for (name, serials) in [("hsmSerials", gone_from), ("orphanedHsmSerials", left_in)] {
                if !serials.is_empty() {
                    members.member(name, &serials);
                }
            }
        });
        Self { additional, ..Self::delete_key(key_arn) }
    }

    /// Imported material was deleted at the end of its validity.
    pub fn delete_expired_key_material(key_arn: String) -> Self {
        Self::service("DeleteExpiredKeyMaterial", key_arn, &[])
    }

    /// A key got new material.
    pub fn rotate_key(key_arn: String, rotation: &Rotation<'_>) -> Self {
        let details = [
            ("rotationType", rotation.kind),
            ("keyOrigin", rotation.origin),
            ("previousKeyMaterialId", rotation.previous),
            ("currentKeyMaterialId", rotation.current),
        ];
        Self::service("RotateKey", key_arn, &details)
    }

    /// What related keys share was copied from their primary.
    pub fn synchronize(primary_arn: String) -> Self {
        Self::call("SynchronizeMultiRegionKey", primary_arn)
    }

    pub(crate) fn part_of_arn(&self, index: usize) -> &str {
        self.key_arn.split(':').nth(index).unwrap_or_default()
    }
}

/// Where a key in HSMs is, and what it is called there.
#[derive(Debug, Clone, Copy)]
pub struct HsmKeyPlace<'a> {
    /// The id of the key store.
    pub key_store: &'a str,
    /// The id of the cluster.
    pub cluster: &'a str,
    /// The key's name in the HSMs.
    pub backing_key: &'a str,
}

/// A rotation, as it is recorded.
#[derive(Debug, Clone, Copy)]
pub struct Rotation<'a> {
    /// `AUTOMATIC` or `ON_DEMAND`.
    pub kind: &'a str,
    /// Where the key's material comes from.
    pub origin: &'a str,
    /// The material before.
    pub previous: &'a str,
    /// The material since.
    pub current: &'a str,
}

/// The text of `backingKeys`: the key that a key is in HSMs.
pub fn backing_keys(id: &str) -> String {
    format!("[{}]", backing_key(id))
}

/// The text of `backingKey`.
pub fn backing_key(id: &str) -> String {
    format!(r#"{{"backingKeyId":"{id}"}}"#)
}
