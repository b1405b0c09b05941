//! Who may do what. For now: the root and the administrators of an account may do everything in it, every
//! other user nothing. Policies and grants come into this one file's functions.

use std::sync::Arc;

use trent_domain::identity::Principal;
use trent_domain::key::Key;
use trent_domain::operations::{Effect, rules};

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
    match facts.caller.principal {
        Principal::Root | Principal::Administrator => Ok(()),
        Principal::User => {
            Err(denied::<A>(facts, DenialResource::Identity { resource: resource(), action: A::NAME }))
        }
    }
}

pub(crate) fn denied<A: Action>(facts: &Facts<'_>, resource: DenialResource) -> Refusal {
    Refusal::Denied { caller: Arc::clone(&facts.caller.arn), action: A::NAME, resource }
}
