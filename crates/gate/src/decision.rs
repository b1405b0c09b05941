//! From the facts of a request to a decision of `trent_policy`, and from that to a permit or a denial.

use std::sync::Arc;

use trent_domain::identity::Principal;
use trent_domain::key::Key;
use trent_domain::operations::{Effect, rules};
use trent_policy::{CallerKind, ConditionKeys, Decision, Request, Target, Values, decide};

use crate::actions::Action;
use crate::facts::Facts;
use crate::refusal::{DenialResource, Refusal};

/// May the caller perform `A` on this key?
pub(crate) fn on_key<A: Action>(key: &Key, facts: &Facts<'_>) -> Result<(), Refusal> {
    if key.account != facts.caller.account {
        return Err(denied::<A>(facts, DenialResource::Hidden));
    }
    // The policy of a key that trent manages for a service lets nobody change the key.
    if key.is_aws_managed() && rules(A::OPERATION).effect == Effect::Changes {
        let resource = key.arn().to_string();
        return Err(denied::<A>(facts, DenialResource::Resource { resource, action: A::NAME }));
    }
    by_identity::<A>(facts, || key.arn().to_string())
}

/// May the caller perform `A` on what `resource` names, in the caller's own account?
pub(crate) fn by_identity<A: Action>(
    facts: &Facts<'_>,
    resource: impl FnOnce() -> String,
) -> Result<(), Refusal> {
    let request = Request {
        action: A::NAME,
        caller: caller(facts),
        standing: facts.standing,
        endpoint: facts.connection.endpoint.and_then(|endpoint| endpoint.policy.as_ref()),
        keys: &NoKeys,
        target: Target::Account,
    };
    match decide(&request) {
        Decision::Allowed(_) => Ok(()),
        Decision::Denied(_) => {
            Err(denied::<A>(facts, DenialResource::Identity { resource: resource(), action: A::NAME }))
        }
    }
}

/// The caller by the names that policies have for it.
fn caller<'a>(facts: &Facts<'a>) -> trent_policy::Caller<'a> {
    let caller = facts.caller;
    let (kind, account) = match caller.principal {
        Principal::Root => (CallerKind::Root, Some(caller.account.as_str())),
        Principal::User { .. } => (CallerKind::User, Some(caller.account.as_str())),
        Principal::RoleSession { .. } => (CallerKind::RoleSession, Some(caller.account.as_str())),
        Principal::FederatedUser { .. } => (CallerKind::FederatedUser, Some(caller.account.as_str())),
        Principal::Service { .. } => (CallerKind::Service, None),
    };
    trent_policy::Caller {
        kind,
        arn: caller.policy_arn(),
        account,
        session_arn: caller.session_arn(),
        service: caller.service_name(),
        unique_id: Some(&caller.unique_id),
    }
}

struct NoKeys;

impl ConditionKeys for NoKeys {
    fn values(&self, _key: &str) -> Option<Values<'_>> {
        None
    }
}

pub(crate) fn denied<A: Action>(facts: &Facts<'_>, resource: DenialResource) -> Refusal {
    Refusal::Denied { caller: Arc::clone(&facts.caller.arn), action: A::NAME, resource }
}
