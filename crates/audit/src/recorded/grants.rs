//! Grants. Their tokens are as good as the permission they stand for, and are not recorded.

use super::recorded;

recorded! {
    CreateGrantRequest {
        "keyId": key_id, "operations": operations, "constraints": constraints,
        "granteePrincipal": grantee_principal, "granteeServicePrincipal": grantee_service_principal,
        "retiringPrincipal": retiring_principal, "retiringServicePrincipal": retiring_service_principal,
        "name": name, "dryRun": dry_run,
    } answers { "grantId": grant_id };
    RetireGrantRequest { "keyId": key_id, "grantId": grant_id, "dryRun": dry_run };
    RevokeGrantRequest { "keyId": key_id, "grantId": grant_id, "dryRun": dry_run };
}
