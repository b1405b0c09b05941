//! A grant as the two lists show it.

use trent_domain::grant::{Constraints, Grant};
use trent_domain::identity::root_arn;
use trent_protocol::{GrantConstraints, GrantListEntry};

use super::principals::shown;
use crate::identity::Directory;
use crate::operations::keys::epoch;

pub(super) fn entry(grant: &Grant, directory: &Directory) -> GrantListEntry {
    let Grant { id, key, created, terms } = grant;
    let (grantee_principal, grantee_service_principal) = shown(&terms.grantee, directory);
    let retiring = terms.retiring.as_ref().map(|retiring| shown(retiring, directory));
    let (retiring_principal, retiring_service_principal) = retiring.unwrap_or_default();
    GrantListEntry {
        key_id: Some(key.to_string()),
        grant_id: Some(id.to_string()),
        // The published examples have an empty name where there is none.
        name: Some(terms.name.clone().unwrap_or_default()),
        creation_date: Some(epoch(*created)),
        grantee_principal,
        retiring_principal,
        issuing_account: Some(root_arn(terms.issuer)),
        operations: Some(terms.scope.operations.iter().collect()),
        constraints: shown_constraints(&terms.scope.constraints),
        grantee_service_principal,
        retiring_service_principal,
    }
}

fn shown_constraints(constraints: &Constraints) -> Option<GrantConstraints> {
    let Constraints { equals, subset, source_arn } = constraints.clone();
    let none = equals.is_none() && subset.is_none() && source_arn.is_none();
    let shown =
        GrantConstraints { encryption_context_equals: equals, encryption_context_subset: subset, source_arn };
    (!none).then_some(shown)
}
