//! What a key policy must be before CreateKey, ReplicateKey or PutKeyPolicy stores it: small enough, well formed,
//! naming principals that exist, and not locking its own author out.

use std::sync::Arc;

use trent_domain::key::Key;
use trent_gate::{Facts, Parameters};
use trent_policy::{Directory, Document, Kind, PrincipalError};
use trent_protocol::ErrorCode;

use crate::context::Context;
use crate::error::KmsError;

/// The name of the one policy that a key has.
pub(super) const POLICY_NAME: &str = "default";

/// What a caller is told who could not change the policy later.
pub(crate) const LOCKED_OUT: &str =
    "The new key policy will not allow you to update the key policy in the future.";

/// Checks a policy that the caller wants to put on `key`, which need not exist yet, and gives the text to store:
/// with users and roles by unique id.
pub(crate) async fn accept(
    text: &str,
    key: &Key,
    bypass: Option<bool>,
    ctx: &Context<'_>,
) -> Result<Arc<str>, KmsError> {
    let directory = ctx.service.directory();
    let document = read(text, ctx.service.options.policy_bytes_max, &*directory)?;
    let stored = document.render_with_unique_ids(&*directory);
    if bypass == Some(true) || lets_its_author_change_it(&parse(&stored)?, key, bypass, ctx).await? {
        return Ok(stored.into());
    }
    Err(KmsError::new(ErrorCode::MalformedPolicyDocument, LOCKED_OUT))
}

/// Reads a policy that is to be put on a key, as far as that can be judged without knowing who puts it.
pub(crate) fn read(text: &str, bytes_max: usize, directory: &dyn Directory) -> Result<Document, KmsError> {
    if text.len() > bytes_max {
        let text = format!("The key policy has {} bytes; the quota is {bytes_max}.", text.len());
        return Err(KmsError::new(ErrorCode::LimitExceeded, text));
    }
    let document = parse(text)?;
    document.check_principals(directory).map_err(|error| {
        let code = match error {
            PrincipalError::Unknown { .. } => ErrorCode::MalformedPolicyDocument,
            PrincipalError::InvalidArn { .. } => ErrorCode::InvalidArn,
        };
        KmsError::new(code, error.wire_text())
    })?;
    Ok(document)
}

fn parse(text: &str) -> Result<Document, KmsError> {
    Document::parse(text, Kind::Resource)
        .map_err(|error| KmsError::new(ErrorCode::MalformedPolicyDocument, error.wire_text()))
}

// The lock-out check asks about the new policy alone: may this caller put another one later? A policy that only
// delegates to the account suffices where the caller's own policies allow the action.
async fn lets_its_author_change_it(
    document: &Document,
    key: &Key,
    bypass: Option<bool>,
    ctx: &Context<'_>,
) -> Result<bool, KmsError> {
    let asked = parameters(bypass);
    let facts = Facts { parameters: Parameters::of(&asked), region: key.region, ..ctx.facts() };
    Ok(ctx.gate().keeps_access(key, document, &facts).await?)
}

/// What a request to put a policy asks, as far as policies may set conditions on it.
pub(super) fn parameters(bypass: Option<bool>) -> Vec<(&'static str, &'static str)> {
    bypass.map(bypass_parameter).into_iter().chain([("policyname", POLICY_NAME)]).collect()
}

/// The parameter that skips the check, which is there only if it was sent.
pub(crate) const fn bypass_parameter(bypass: bool) -> (&'static str, &'static str) {
    ("bypasspolicylockoutsafetycheck", if bypass { "true" } else { "false" })
}
