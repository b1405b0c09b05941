//! Whether anybody can still administer the key.

use super::view::{View, account_of};
use super::{Finding, Surroundings};
use crate::document::Kind;

/// Without it, a key policy stays as it is for good.
const PUT: &str = "kms:PutKeyPolicy";

pub(super) fn check(views: &[View<'_>], around: Surroundings<'_>, found: &mut Vec<Finding>) {
    if views.first().is_none_or(|view| view.kind != Kind::Resource) {
        return;
    }
    let lets_in = |view: &&View<'_>| {
        let names = view.principals("Principal", "AWS");
        let own =
            |name: &&str| *name == "*" || around.account.is_none_or(|own| account_of(name) == Some(own));
        view.allows() && view.names(PUT) && (view.has("NotPrincipal") || names.iter().any(own))
    };
    let ways: Vec<_> = views.iter().filter(lets_in).collect();
    let shut = |view: &&View<'_>| {
        let everyone = view.principals("Principal", "AWS").contains(&"*");
        !view.allows() && view.names(PUT) && everyone && view.is_unconditional()
    };
    let whole = |code, says: &str, advice| Finding {
        code,
        statement: None,
        sid: None,
        says: says.to_owned(),
        advice,
    };
    if let Some(view) = views.iter().find(shut) {
        found.push(view.finding(
            "nobody-administers",
            format!("denies `{PUT}` to everyone: the key policy could never be changed again"),
            "Except administrators with a condition of `aws:PrincipalArn`, or take the statement out.",
        ));
    } else if ways.is_empty() {
        found.push(whole(
            "nobody-administers",
            "no statement lets anybody of the key's account put another key policy",
            "Add a statement that allows `kms:*` to `arn:aws:iam::ACCOUNT:root`, so that identity policies decide, or one for \
             administrators.",
        ));
    } else if ways.iter().all(|view| !view.is_unconditional()) {
        found.push(whole(
            "administration-under-conditions",
            "the key policy can be changed only as long as somebody meets a condition",
            "Allow administration in a statement without conditions.",
        ));
    }
}
