//! What a key policy must be before CreateKey or PutKeyPolicy stores it: small enough, well formed, naming
//! principals that exist, and not locking its own author out.

use trent_domain::identifier::KeyArn;
use trent_domain::identity::{Caller, Principal};
use trent_domain::limits::POLICY_BYTES_MAX;
use trent_gate::{Action, PutKeyPolicy};
use trent_policy::{CallerKind, ConditionKeys, Document, Facts, Kind, PrincipalError, Values};
use trent_protocol::ErrorCode;

use crate::context::Context;
use crate::error::KmsError;

/// The name of the one policy that a key has.
pub(super) const POLICY_NAME: &str = "default";

/// Checks a policy that the caller wants to put on the key `arn`.
pub(crate) fn check(text: &str, arn: &KeyArn, bypass: bool, ctx: &Context<'_>) -> Result<(), KmsError> {
    if text.len() > POLICY_BYTES_MAX {
        let text = format!("The key policy has {} bytes; the quota is {POLICY_BYTES_MAX}.", text.len());
        return Err(KmsError::new(ErrorCode::LimitExceeded, text));
    }
    let document = Document::parse(text, Kind::Resource)
        .map_err(|error| KmsError::new(ErrorCode::MalformedPolicyDocument, error.wire_text()))?;
    document.check_principals(&*ctx.service.directory()).map_err(|error| {
        let code = match error {
            PrincipalError::Unknown { .. } => ErrorCode::MalformedPolicyDocument,
            PrincipalError::InvalidArn { .. } => ErrorCode::InvalidArn,
        };
        KmsError::new(code, error.wire_text())
    })?;
    if bypass || lets_the_author_change_it(&document, arn, ctx) {
        return Ok(());
    }
    let text = "The new key policy will not allow you to update the key policy in the future.";
    Err(KmsError::new(ErrorCode::MalformedPolicyDocument, text))
}

// The lock-out check asks about the new policy alone: may this caller put another one later? A policy that only
// delegates to the account suffices where the caller's own rights allow the action.
fn lets_the_author_change_it(document: &Document, arn: &KeyArn, ctx: &Context<'_>) -> bool {
    let (caller, resource) = (&*ctx.call.caller, arn.to_string());
    let keys = RequestKeys {
        caller,
        arn,
        source: ctx.call.connection.source.map(|source| source.to_string()),
        seconds: ctx.now.seconds().to_string(),
    };
    let facts = Facts {
        action: PutKeyPolicy::NAME,
        resource: Some(&resource),
        caller: trent_policy::Caller {
            kind: if caller.principal == Principal::Root { CallerKind::Root } else { CallerKind::User },
            arn: &caller.arn,
            account: Some(caller.account.as_str()),
            session_arn: None,
            service: None,
            unique_id: Some(&caller.unique_id),
        },
        keys: &keys,
    };
    let evaluation = document.evaluate(&facts);
    let by_identity = caller.principal == Principal::Root || !ctx.call.standing.identity.is_empty();
    let allowed = evaluation.allowed_by.is_some() || (evaluation.delegated_by.is_some() && by_identity);
    allowed && evaluation.denied_by.is_none()
}

/// The condition keys of the PutKeyPolicy request that the check imagines: made from where, and when, this one is.
struct RequestKeys<'a> {
    caller: &'a Caller,
    arn: &'a KeyArn,
    source: Option<String>,
    seconds: String,
}

impl ConditionKeys for RequestKeys<'_> {
    fn values(&self, key: &str) -> Option<Values<'_>> {
        let Caller { account, arn, unique_id, principal, .. } = self.caller;
        let value = match key {
            "kms:policyname" => POLICY_NAME,
            "kms:calleraccount" | "aws:principalaccount" => account.as_str(),
            "aws:principalarn" => arn,
            "aws:userid" => unique_id,
            "aws:username" => arn.rsplit('/').next().filter(|_| *principal != Principal::Root)?,
            "aws:principaltype" if *principal == Principal::Root => "Account",
            "aws:principaltype" => "User",
            "aws:principalisawsservice" | "aws:viaawsservice" => "false",
            "aws:requestedregion" => self.arn.region.as_str(),
            "aws:resourceaccount" => self.arn.account.as_str(),
            "aws:sourceip" => self.source.as_deref()?,
            "aws:currenttime" | "aws:epochtime" => &self.seconds,
            _ => return None,
        };
        Some(Values::One(value))
    }
}
