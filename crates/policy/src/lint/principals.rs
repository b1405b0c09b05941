//! Who is let in: everyone, whole other accounts, services that call for whomever.

use super::view::{View, account_of};
use super::{Finding, Surroundings};
use crate::document::Kind;

/// Conditions that say who calls, or from where; those that end in `/` stand for all that begin so.
const WHO: [&str; 20] = [
    "aws:PrincipalArn",
    "aws:PrincipalAccount",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:PrincipalServiceName",
    "aws:PrincipalServiceNamesList",
    "aws:PrincipalTag/",
    "aws:PrincipalType",
    "aws:userid",
    "aws:username",
    "aws:SourceIp",
    "aws:VpcSourceIp",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "aws:VpceAccount",
    "aws:SourceArn",
    "aws:SourceAccount",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
    "kms:CallerAccount",
];
/// Conditions that say for what a service calls.
const FOR_WHAT: [&str; 5] =
    ["aws:SourceArn", "aws:SourceAccount", "aws:SourceOrgID", "aws:SourceOrgPaths", "kms:EncryptionContext:"];

pub(super) fn check(view: &View<'_>, around: Surroundings<'_>, found: &mut Vec<Finding>) {
    if view.kind == Kind::Identity {
        return;
    }
    if view.has("NotPrincipal") {
        found.extend(everyone_but(view));
        return;
    }
    if !view.allows() {
        return;
    }
    found.extend(everyone(view));
    if view.kind == Kind::Resource {
        found.extend(other_accounts(view, around));
    }
    found.extend(services(view));
}

fn everyone_but(view: &View<'_>) -> Option<Finding> {
    if view.allows() {
        let says = "allows everyone but those listed, of every account".to_owned();
        return Some(view.finding(
            "not-principal-allow",
            says,
            "List whom it is for in `Principal`, or allow `*` under a condition of `aws:PrincipalArn`.",
        ));
    }
    let lists_account = view
        .principals("NotPrincipal", "AWS")
        .iter()
        .any(|name| account_of(name) == Some(*name) || name.ends_with(":root"));
    (!lists_account).then(|| {
        let says = "denies everyone but those listed, and of those listed all whose account is not listed too".to_owned();
        view.finding(
            "not-principal-deny",
            says,
            "Deny `*` under a condition of `aws:PrincipalArn` with `ArnNotLike`; or list the account, the role and each \
             session.",
        )
    })
}

fn everyone(view: &View<'_>) -> Option<Finding> {
    if !view.principals("Principal", "AWS").contains(&"*") || view.asks_for_any(&WHO) {
        return None;
    }
    let says = match view.is_unconditional() {
        true => "allows everyone, of every account, whatever they call from",
        false => "allows everyone, of every account: no condition of the statement is about who calls",
    };
    Some(view.finding(
        "open-to-everyone",
        says.to_owned(),
        "Name whom it is for in `Principal`, or add a condition of `kms:CallerAccount`, `aws:PrincipalOrgID` or \
         `aws:PrincipalArn`.",
    ))
}

fn other_accounts(view: &View<'_>, around: Surroundings<'_>) -> Option<Finding> {
    let own = around.account?;
    let names = view.principals("Principal", "AWS");
    let other = names.iter().find(|name| account_of(name).is_some_and(|account| account != own))?;
    let (whole, grants) =
        (view.names("kms:Decrypt") && view.names("kms:ListGrants"), view.names("kms:CreateGrant"));
    let limited = view.asks_for_any(&["kms:GrantIsForAWSResource", "kms:GranteePrincipal", "kms:ViaService"]);
    match (whole, grants && !limited) {
        (true, true) => Some(view.finding(
            "everything-to-other-account",
            format!("gives `{other}`, of another account, everything that other accounts can be given"),
            "List the actions that the other account needs.",
        )),
        (false, true) => Some(view.finding(
            "grants-by-other-account",
            format!("lets `{other}`, of another account, make grants for whomever they like"),
            "Add the condition `\"Bool\": {\"kms:GrantIsForAWSResource\": \"true\"}`, or one of `kms:GranteePrincipal`.",
        )),
        _ => None,
    }
}

fn services(view: &View<'_>) -> Option<Finding> {
    let names = view.principals("Principal", "Service");
    let service = names.first()?;
    (!view.asks_for_any(&FOR_WHAT)).then(|| {
        view.finding(
            "service-for-anyone",
            format!("lets `{service}` in for whatever it calls for, of whichever account"),
            "Add a condition of `aws:SourceArn` or `aws:SourceAccount`.",
        )
    })
}
