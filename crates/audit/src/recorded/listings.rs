//! Operations that read. What they read is not recorded, policies above all. Markers say nothing by themselves.

use super::recorded;

recorded! {
    DescribeKeyRequest { "keyId": key_id };
    GetKeyLastUsageRequest { "keyId": key_id };
    GetKeyPolicyRequest { "keyId": key_id, "policyName": policy_name };
    GetKeyRotationStatusRequest { "keyId": key_id };
    GetPublicKeyRequest { "keyId": key_id };
    ListAliasesRequest { "keyId": key_id, "limit": limit, "marker": marker };
    ListGrantsRequest {
        "keyId": key_id, "grantId": grant_id, "granteePrincipal": grantee_principal,
        "granteeServicePrincipal": grantee_service_principal, "limit": limit, "marker": marker,
    };
    ListKeyPoliciesRequest { "keyId": key_id, "limit": limit, "marker": marker };
    ListKeyRotationsRequest {
        "keyId": key_id, "includeKeyMaterial": include_key_material, "limit": limit, "marker": marker,
    };
    ListKeysRequest { "resourceOwners": resource_owners, "limit": limit, "marker": marker };
    ListResourceTagsRequest { "keyId": key_id, "limit": limit, "marker": marker };
    ListRetirableGrantsRequest {
        "retiringPrincipal": retiring_principal, "retiringServicePrincipal": retiring_service_principal,
        "limit": limit, "marker": marker,
    };
}
