//! The body of a grant's row: what is not searched for, as JSON with a version of its own. The book's page "Formats"
//! describes it.
//!
//! Equal terms have equal bodies: that is how a request that is repeated finds its grant.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use trent_domain::grant::{Constraints, GrantOperations, Pairs, Scope, Terms};
use trent_domain::identifier::AccountId;
use trent_protocol::GrantOperation;

use crate::error::DatabaseError;

/// The version written.
const VERSION: u32 = 1;

/// Version 1.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantBody<'a> {
    v: u32,
    issuer: AccountId,
    /// In the order of the model.
    operations: Vec<GrantOperation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    equals: Option<Cow<'a, Pairs>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subset: Option<Cow<'a, Pairs>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source_arn: Option<Cow<'a, str>>,
}

pub(crate) fn write(terms: &Terms) -> Result<String, DatabaseError> {
    let Terms { issuer, scope: Scope { operations, constraints }, .. } = terms;
    let body = GrantBody {
        v: VERSION,
        issuer: *issuer,
        operations: operations.iter().collect(),
        equals: constraints.equals.as_ref().map(Cow::Borrowed),
        subset: constraints.subset.as_ref().map(Cow::Borrowed),
        source_arn: constraints.source_arn.as_deref().map(Cow::Borrowed),
    };
    serde_json::to_string(&body).map_err(DatabaseError::engine)
}

pub(crate) fn read(text: &str) -> Option<(AccountId, Scope)> {
    let body: GrantBody<'_> = serde_json::from_str(text).ok()?;
    if body.v != VERSION {
        return None;
    }
    let constraints = Constraints {
        equals: body.equals.map(Cow::into_owned),
        subset: body.subset.map(Cow::into_owned),
        source_arn: body.source_arn.map(Cow::into_owned),
    };
    Some((body.issuer, Scope { operations: GrantOperations::parse(&body.operations).ok()?, constraints }))
}
