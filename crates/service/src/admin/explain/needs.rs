//! What is missing for an allow, everything at once: a denial names only the first of it.

use trent_domain::identity::{Caller, Principal};
use trent_gate::Answer;
use trent_policy::{By, Decision, Grantee, Reason, Source};
use trent_protocol::GrantOperation;

use super::place;

/// Sentences that say what to do, in the order in which decisions are made; none if it is allowed.
pub(super) fn needs(answer: &Answer<'_>, caller: &Caller, resource: &str) -> Vec<String> {
    let explanation = &answer.explanation;
    let Decision::Denied(denial) = &explanation.decision else { return Vec::new() };
    let action = answer.action;
    if denial.reason == Reason::OwnAccountOnly {
        return vec![format!(
            "Call as somebody of the key's own account: {action} works on no key of another."
        )];
    }
    let mut all: Vec<String> = explanation
        .policies
        .iter()
        .filter_map(|voice| Some((voice, voice.denies?)))
        .map(|(voice, clause)| {
            let kind = voice.source.name();
            format!(
                "Take away or narrow {} of the {kind} `{}`: it denies, and no allow helps.",
                place(clause),
                voice.document
            )
        })
        .collect();
    let is_silent = |source| explanation.silent.contains(&source);
    if is_silent(Source::ServiceControl) {
        all.push(format!("Allow {action} in service control policies on every level of the organization."));
    }
    if is_silent(Source::Endpoint) {
        all.push(format!("Allow {action} in the policy of the endpoint."));
    }
    all.extend(
        answer.key.map(|key| opening(answer, caller, key.account == caller.account)).unwrap_or_default(),
    );
    all.extend(own_side(answer, caller, resource));
    all
}

/// What the key's side lacks.
fn opening(answer: &Answer<'_>, caller: &Caller, own: bool) -> Option<String> {
    if answer.explanation.opened.is_some() {
        return None;
    }
    let (action, caller_arn, account) = (answer.action, caller.policy_arn(), caller.account);
    let grant = match action.strip_prefix("kms:").and_then(GrantOperation::parse) {
        Some(_) => format!(", or make a grant of it for {caller_arn}"),
        None => String::new(),
    };
    let account = match (caller.service_name(), own) {
        (Some(_), _) => String::new(),
        (None, true) => {
            format!(", or for the account, arn:aws:iam::{account}:root, so that identity policies decide")
        }
        (None, false) => format!(", or for its account, arn:aws:iam::{account}:root"),
    };
    Some(format!("Allow {action} in the key policy for {caller_arn}{account}{grant}."))
}

/// What the caller's side lacks.
fn own_side(answer: &Answer<'_>, caller: &Caller, resource: &str) -> Vec<String> {
    let explanation = &answer.explanation;
    let foreign =
        answer.key.is_some_and(|key| key.account != caller.account) && caller.service_name().is_none();
    let named_directly = match explanation.opened {
        Some(By::KeyPolicy(_)) => true,
        _ => explanation.grants.iter().any(|grant| grant.grantee != Grantee::Account),
    };
    let own_grant = explanation
        .grants
        .iter()
        .any(|grant| grant.grantee != Grantee::Account && grant.issuer == caller.account.as_str());
    let needs_identity = match answer.key {
        None => true,
        Some(_) if foreign => !own_grant,
        // Where the key is not opened yet, that is said already, and there is a way without.
        Some(_) => explanation.opened.is_some() && !named_directly,
    };
    let mut all = Vec::new();
    if needs_identity && !explanation.identity_allows {
        let whom = match &caller.principal {
            Principal::User { .. } => format!("{}, or a group that it is in,", caller.arn),
            _ => caller.policy_arn().to_owned(),
        };
        all.push(format!("Give {whom} an identity policy that allows {} on {resource}.", answer.action));
    }
    // A key policy that names a user is not narrowed by what is silent.
    let narrows = needs_identity || !matches!(caller.principal, Principal::User { .. });
    for (source, what) in [
        (Source::Boundary, "permissions boundary"),
        (Source::Session, "session policy: begin a session whose policies allow it"),
    ] {
        if narrows && explanation.silent.contains(&source) {
            all.push(format!("Allow {} in the {what}.", answer.action));
        }
    }
    all
}
