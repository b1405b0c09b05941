//! Operations on the records of keys: their life, aliases, policies, tags, rotation, imports, replicas.

use trent_protocol::{EpochMillis, EpochSeconds, ImportKeyMaterialRequest, ImportKeyMaterialResponse};

use super::{Member, Recorded, recorded};
use crate::json::Members;

recorded! {
    CreateKeyRequest {
        "description": description, "origin": origin, "keySpec": key_spec,
        "customerMasterKeySpec": customer_master_key_spec, "keyUsage": key_usage, "policy": policy,
        "bypassPolicyLockoutSafetyCheck": bypass_policy_lockout_safety_check, "multiRegion": multi_region,
        "tags": tags, "customKeyStoreId": custom_key_store_id, "xksKeyId": xks_key_id,
    } answers { "keyMetadata": key_metadata };
    ReplicateKeyRequest {
        "keyId": key_id, "replicaRegion": replica_region, "policy": policy,
        "bypassPolicyLockoutSafetyCheck": bypass_policy_lockout_safety_check, "description": description,
        "tags": tags,
    } answers {
        "replicaKeyMetadata": replica_key_metadata, "replicaPolicy": replica_policy, "replicaTags": replica_tags,
    };
    UpdatePrimaryRegionRequest { "keyId": key_id, "primaryRegion": primary_region } answers {};
    ScheduleKeyDeletionRequest { "keyId": key_id, "pendingWindowInDays": pending_window_in_days } answers {
        "keyId": key_id, "keyState": key_state, "deletionDate": deletion_date,
        "pendingWindowInDays": pending_window_in_days,
    };
    CancelKeyDeletionRequest { "keyId": key_id };
    EnableKeyRequest { "keyId": key_id };
    DisableKeyRequest { "keyId": key_id };
    UpdateKeyDescriptionRequest { "keyId": key_id, "description": description };
    EnableKeyRotationRequest { "keyId": key_id, "rotationPeriodInDays": rotation_period_in_days };
    DisableKeyRotationRequest { "keyId": key_id };
    RotateKeyOnDemandRequest { "keyId": key_id };
    PutKeyPolicyRequest {
        "keyId": key_id, "policyName": policy_name, "policy": policy,
        "bypassPolicyLockoutSafetyCheck": bypass_policy_lockout_safety_check,
    };
    TagResourceRequest { "keyId": key_id, "tags": tags };
    UntagResourceRequest { "keyId": key_id, "tagKeys": tag_keys };
    CreateAliasRequest { "aliasName": alias_name, "targetKeyId": target_key_id } answers {};
    UpdateAliasRequest { "aliasName": alias_name, "targetKeyId": target_key_id } answers {};
    DeleteAliasRequest { "aliasName": alias_name } answers {};
    GetParametersForImportRequest {
        "keyId": key_id, "wrappingAlgorithm": wrapping_algorithm, "wrappingKeySpec": wrapping_key_spec,
    };
    DeleteImportedKeyMaterialRequest { "keyId": key_id, "keyMaterialId": key_material_id };
}

impl Recorded for ImportKeyMaterialRequest {
    fn parameters(&self, out: &mut Members<'_, '_>) {
        self.key_id.put("keyId", out);
        self.valid_to.map(millis).put("validTo", out);
        self.expiration_model.put("expirationModel", out);
        self.import_type.put("importType", out);
        self.key_material_description.put("keyMaterialDescription", out);
        self.key_material_id.put("keyMaterialId", out);
    }

    fn elements(answer: &ImportKeyMaterialResponse, _: Option<&str>, out: &mut Members<'_, '_>) {
        answer.key_id.put("keyId", out);
        answer.key_material_id.put("keyMaterialId", out);
    }
}

fn millis(at: EpochSeconds) -> EpochMillis {
    at.to_millis()
}
