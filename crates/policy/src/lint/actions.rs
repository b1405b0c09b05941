//! What is allowed: actions that there are not, or that have no effect where they stand, and resources that miss.

use super::view::{NoKeys, View};
use super::{Finding, KnownAction, Surroundings};
use crate::document::Kind;
use crate::pattern::{Case, Meaning, Pattern};

pub(super) fn check(view: &View<'_>, around: Surroundings<'_>, found: &mut Vec<Finding>) {
    if view.kind == Kind::Trust {
        return;
    }
    for action in ["Action", "NotAction"].iter().flat_map(|element| view.texts(element)) {
        found.extend(unknown(view, action, around.actions));
        if view.kind == Kind::Resource && view.allows() {
            found.extend(without_effect(view, action, around.actions));
        }
    }
    if view.allows() && view.has("NotAction") {
        found.push(view.finding(
            "allow-not-action",
            "allows all actions but those listed, also those that there will be".to_owned(),
            "List in `Action` what is to be allowed.",
        ));
    }
    match view.kind {
        Kind::Resource => found.extend(key_policy_resources(view)),
        Kind::Identity => found.extend(identity_resources(view, around.actions)),
        Kind::Trust => {}
    }
}

fn unknown(view: &View<'_>, action: &str, actions: &[KnownAction]) -> Option<Finding> {
    let lower = action.to_ascii_lowercase();
    let Some(name) = lower.strip_prefix("kms:") else {
        let other = view.kind == Kind::Resource && action != "*" && !lower.starts_with("*:");
        return other.then(|| {
            view.finding(
                "other-service",
                format!("`{action}` is no action on a key"),
                "Take it out: key policies are asked about actions of `kms:` alone.",
            )
        });
    };
    if actions.iter().any(|known| covers(&lower, known.name)) {
        return None;
    }
    let advice = match name {
        "reencrypt" => "Write `kms:ReEncrypt*`, for `kms:ReEncryptFrom` and `kms:ReEncryptTo`.",
        _ => "Look for a slip in its name; the operations of the API are the actions.",
    };
    Some(view.finding("unknown-action", format!("`{action}` is no action that there is"), advice))
}

fn without_effect(view: &View<'_>, action: &str, actions: &[KnownAction]) -> Option<Finding> {
    let known = actions.iter().find(|known| known.name.eq_ignore_ascii_case(action))?;
    (!known.in_key_policies).then(|| {
        view.finding(
            "no-effect-in-key-policy",
            format!("`{}` cannot be allowed by a key policy", known.name),
            "Allow it in an identity policy, with `\"Resource\": \"*\"`.",
        )
    })
}

fn key_policy_resources(view: &View<'_>) -> Option<Finding> {
    let other = view.texts("Resource").into_iter().find(|resource| *resource != "*")?;
    let (says, advice) = match other.contains(":alias/") {
        true => (
            format!("`{other}` is an alias: the statement never applies through it"),
            "Write `\"Resource\": \"*\"`, which in a key policy means its key; ask for aliases with `kms:RequestAlias`.",
        ),
        false => (
            format!("applies only if `{other}` is this very key, in this Region"),
            "Write `\"Resource\": \"*\"`, which in a key policy means its key.",
        ),
    };
    Some(view.finding("resource-of-key-policy", says, advice))
}

fn identity_resources(view: &View<'_>, actions: &[KnownAction]) -> Vec<Finding> {
    let (resources, listed) = (view.texts("Resource"), view.texts("Action"));
    let (mut found, any) = (Vec::new(), resources.contains(&"*"));
    let named = |action: &&str| actions.iter().find(|known| known.name.eq_ignore_ascii_case(action));
    if !any
        && !resources.is_empty()
        && !resources.iter().any(|resource| resource.contains("kms:*") || resource.ends_with(":*"))
    {
        let account_wide = listed.iter().filter_map(&named);
        if let Some(known) = account_wide.clone().find(|known| !known.about_key && !known.in_key_policies) {
            found.push(view.finding(
                "needs-every-resource",
                format!("never applies to `{}`, which is about no key", known.name),
                "Put it into a statement of its own with `\"Resource\": \"*\"`.",
            ));
        }
    }
    let aliases = !resources.is_empty() && resources.iter().all(|resource| resource.contains(":alias/"));
    if aliases
        && let Some(action) = listed
            .iter()
            .find(|action| !action.to_ascii_lowercase().ends_with("alias") && named(action).is_some())
    {
        found.push(view.finding(
            "alias-is-no-key",
            format!("never applies to `{action}`: a policy about an alias is not about the key behind it"),
            "Name the key's ARN; or use `\"Resource\": \"*\"` with a condition of `kms:RequestAlias` or `kms:ResourceAliases`.",
        ));
    }
    if view.allows() && any && view.is_unconditional() && view.names("kms:Decrypt") && !listed.contains(&"*")
    {
        found.push(view.finding(
            "every-key",
            "allows decryption with every key that lets the account in, those of other accounts too".to_owned(),
            "Name the keys in `Resource`, or add a condition such as `kms:CallerAccount` or `aws:ResourceTag/…`.",
        ));
    }
    found
}

/// Whether an action that may have wildcards covers one that there is.
fn covers(pattern: &str, action: &str) -> bool {
    let pattern = Pattern::parse(pattern, Meaning { wildcards: true, variables: false });
    pattern.is_ok_and(|pattern| pattern.matches(action, Case::IgnoreAscii, &NoKeys))
}
