//! From the facts of a request to a decision of `trent_policy`, and from that to an answer.

use std::sync::Arc;

use trent_domain::alias::AliasName;
use trent_domain::identifier::AliasArn;
use trent_domain::identity::{Caller, Principal};
use trent_domain::key::Key;
use trent_domain::operations::{Accounts, rules};
use trent_policy::{
    CallerKind, Clause, ConditionKeys, Decision, Denial, Document, Grants, KeyTarget, Kind, NoGrants, Reason,
    Request, Source, Target, Told, decide,
};
use trent_protocol::Operation;

use crate::actions::{Action, RetireGrant};
use crate::condition_keys::{ForKeyPolicy, RequestKeys, Subject};
use crate::facts::Facts;
use crate::find::{Found, FoundBy};
use crate::refusal::{AccessDenied, DeniedOn, Refusal, Statement};

/// May the caller perform `A` on this key?
pub(crate) fn on_key<A: Action>(
    found: &Found,
    grants: &dyn Grants,
    facts: &Facts<'_>,
) -> Result<(), Refusal> {
    on_key_under::<A>(&found.entry.policy, found, grants, facts)
}

/// May the caller retire a grant of this key, if `grants` is what gives this permission?
pub(crate) fn on_retirement(found: &Found, grants: &dyn Grants, facts: &Facts<'_>) -> Result<(), Refusal> {
    // The key's policy can deny it and cannot allow it.
    match on_key::<RetireGrant>(found, &NoGrants, facts) {
        Err(Refusal::Denied(denied)) if matches!(denied.reason, Reason::ExplicitDeny(_)) => {
            Err(Refusal::Denied(denied))
        }
        Ok(()) | Err(_) => {
            let policy = Document::parse(ALLOWS_NOBODY, Kind::Resource)?;
            on_key_under::<RetireGrant>(&policy, found, grants, facts)
        }
    }
}

const ALLOWS_NOBODY: &str =
    r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "none:*", "Resource": "*"}}"#;

fn on_key_under<A: Action>(
    policy: &Document,
    found: &Found,
    grants: &dyn Grants,
    facts: &Facts<'_>,
) -> Result<(), Refusal> {
    let keys = RequestKeys::new(facts, A::OPERATION, Some(found.subject()));
    let key_policy_keys = ForKeyPolicy(&keys);
    let key = &found.entry.key;
    let target = KeyTarget {
        arn: &found.entry.arn,
        account: key.account.as_str(),
        policy,
        keys: &key_policy_keys,
        grants,
        cross_account: rules(A::OPERATION).accounts == Accounts::Any,
    };
    let on = || match found.by {
        FoundBy::Ciphertext if key.account != facts.caller.account => DeniedOn::KeyOfCiphertext,
        FoundBy::Name | FoundBy::Ciphertext => DeniedOn::Resource(found.entry.arn.to_string()),
    };
    let decision = decide(&request(A::NAME, facts, &keys, Target::Key(target)));
    if keys.asked_for_too_many_aliases() {
        let denial =
            Denial { reason: Reason::NotAllowed(Source::Identity), told: Told::Reason, clause: None };
        return Err(refused(A::NAME, facts, &denial, on));
    }
    match decision {
        Decision::Denied(denial) if denial.told != Told::Reason => {
            Err(as_if_not_there::<A>(found, &denial, facts))
        }
        decision => answer(A::NAME, facts, decision, on),
    }
}

/// The answer about a key of another account that is closed to the caller: to the letter that about one that is not there,
/// by the name that the request has for it. What was behind it is for the records.
fn as_if_not_there<A: Action>(found: &Found, denial: &Denial<'_>, facts: &Facts<'_>) -> Refusal {
    let key = &found.entry.key;
    let refusal = match (found.by, &found.alias) {
        (FoundBy::Ciphertext, _) => on_unknown_maker::<A>(facts),
        (FoundBy::Name, None) => on_nothing::<A>(&found.entry.arn, facts),
        (FoundBy::Name, Some(name)) => {
            let arn = AliasArn { region: key.region, account: key.account, name: name.clone() };
            on_nothing::<A>(&arn.to_string(), facts)
        }
    };
    match refusal {
        Refusal::Denied(told) => Refusal::Denied(Box::new(AccessDenied {
            reason: denial.reason,
            statement: denial.clause.map(statement),
            ..*told
        })),
        other => other,
    }
}

/// May the caller perform `A` in its account and this Region as a whole?
pub(crate) fn on_account<A: Action>(facts: &Facts<'_>) -> Result<(), Refusal> {
    let keys = RequestKeys::new(facts, A::OPERATION, None);
    let decision = decide(&request(A::NAME, facts, &keys, Target::Account));
    answer(A::NAME, facts, decision, || DeniedOn::Resource("*".to_owned()))
}

/// May the caller perform `A` on this alias of its own account? The key behind it is asked about apart.
pub(crate) fn on_alias<A: Action>(name: &AliasName, facts: &Facts<'_>) -> Result<(), Refusal> {
    let arn =
        AliasArn { region: facts.region, account: facts.caller.account, name: name.clone() }.to_string();
    let keys = RequestKeys::of_alias(facts, A::OPERATION);
    let decision = decide(&request(A::NAME, facts, &keys, Target::Alias(&arn)));
    answer(A::NAME, facts, decision, || DeniedOn::Resource(arn.clone()))
}

/// The answer about a key or alias of another account that does not exist: that of one that may not be used.
pub(crate) fn on_nothing<A: Action>(arn: &str, facts: &Facts<'_>) -> Refusal {
    refused_on_nothing::<A>(arn, facts, || DeniedOn::Resource(arn.to_owned()))
}

/// The answer about a ciphertext whose key is not here. Policies see no name for it.
pub(crate) fn on_unknown_maker<A: Action>(facts: &Facts<'_>) -> Refusal {
    refused_on_nothing::<A>("", facts, || DeniedOn::KeyOfCiphertext)
}

fn refused_on_nothing<A: Action>(arn: &str, facts: &Facts<'_>, on: impl FnOnce() -> DeniedOn) -> Refusal {
    let keys = RequestKeys::new(facts, A::OPERATION, None);
    let denial = match decide(&request(A::NAME, facts, &keys, Target::NoSuchKey(arn))) {
        Decision::Denied(denial) => denial,
        Decision::Allowed(_) => no_such_key(),
    };
    refused(A::NAME, facts, &denial, on)
}

/// Could the caller put another policy on this key, if it had `policy`?
pub(crate) fn could_put_policy(
    key: &Key,
    policy: &Document,
    aliases: Option<&[String]>,
    facts: &Facts<'_>,
) -> bool {
    const ACTION: &str = <crate::actions::PutKeyPolicy as Action>::NAME;
    let (arn, subject) = (key.arn().to_string(), Subject { aliases, ..Subject::new(key) });
    let keys = RequestKeys::new(facts, Operation::PutKeyPolicy, Some(subject));
    let key_policy_keys = ForKeyPolicy(&keys);
    let target = KeyTarget {
        arn: &arn,
        account: key.account.as_str(),
        policy,
        keys: &key_policy_keys,
        // Grants cannot allow it.
        grants: &NoGrants,
        cross_account: false,
    };
    decide(&request(ACTION, facts, &keys, Target::Key(target))).is_allowed()
}

pub(crate) fn request<'a>(
    action: &'a str,
    facts: &Facts<'a>,
    keys: &'a dyn ConditionKeys,
    target: Target<'a>,
) -> Request<'a> {
    Request {
        action,
        caller: policy_caller(facts.caller),
        standing: facts.standing,
        endpoint: facts.connection.endpoint.and_then(|endpoint| endpoint.policy.as_ref()),
        keys,
        target,
    }
}

/// The caller by the names that policies have for it.
pub fn policy_caller(caller: &Caller) -> trent_policy::Caller<'_> {
    let kind = match caller.principal {
        Principal::Root => CallerKind::Root,
        Principal::User { .. } => CallerKind::User,
        Principal::RoleSession { .. } => CallerKind::RoleSession,
        Principal::FederatedUser { .. } => CallerKind::FederatedUser,
        Principal::Service { .. } => CallerKind::Service,
    };
    trent_policy::Caller {
        kind,
        arn: caller.policy_arn(),
        account: (kind != CallerKind::Service).then(|| caller.account.as_str()),
        session_arn: caller.session_arn(),
        service: caller.service_name(),
        unique_id: Some(&caller.unique_id),
    }
}

fn answer(
    action: &'static str,
    facts: &Facts<'_>,
    decision: Decision<'_>,
    on: impl FnOnce() -> DeniedOn,
) -> Result<(), Refusal> {
    match decision {
        Decision::Allowed(_) => Ok(()),
        Decision::Denied(denial) => Err(refused(action, facts, &denial, on)),
    }
}

pub(crate) fn refused(
    action: &'static str,
    facts: &Facts<'_>,
    denial: &Denial<'_>,
    on: impl FnOnce() -> DeniedOn,
) -> Refusal {
    let on = match (on(), denial.told) {
        (DeniedOn::Resource(_), Told::Nothing) => DeniedOn::ThisResource,
        (on, _) => on,
    };
    Refusal::Denied(Box::new(AccessDenied {
        caller: Arc::clone(&facts.caller.arn),
        action,
        on,
        why: denial.explain(action).to_string(),
        reason: denial.reason,
        statement: denial.clause.map(statement),
    }))
}

fn statement(clause: Clause<'_>) -> Statement {
    Statement {
        policy: clause.document.to_owned(),
        index: clause.statement,
        sid: clause.sid.map(str::to_owned),
    }
}

const fn no_such_key() -> Denial<'static> {
    Denial { reason: Reason::NoSuchKey, told: Told::Nothing, clause: None }
}
