//! Conditions that are never met, always met, or mean something else than they seem to.

use super::keys::{Has, find, is_ours};
use super::view::{Asked, View};
use super::{Finding, Surroundings};
use crate::document::Kind;
use crate::operator::{Family, Quantifier};

pub(super) fn check(view: &View<'_>, around: Surroundings<'_>, found: &mut Vec<Finding>) {
    for asked in &view.conditions {
        found.extend(unknown(view, asked));
        found.extend(never_met(view, asked, around));
        found.extend(empty(view, asked));
        found.extend(literal_wildcard(view, asked));
        found.extend(always_met(view, asked));
        found.extend(quantity(view, asked));
        found.extend(old_version(view, asked));
    }
}

fn unknown(view: &View<'_>, asked: &Asked<'_>) -> Option<Finding> {
    let strange = is_ours(asked.key) && find(asked.key).is_none();
    strange.then(|| {
        let meaning = if asked.needs_key() { "the statement never applies" } else { "the condition says nothing" };
        view.finding(
            "unknown-condition-key",
            format!("no request has the condition key `{}`: {meaning}", asked.key),
            "Look for a slip in its name; the condition keys that there are stand in the documentation of policies.",
        )
    })
}

fn never_met(view: &View<'_>, asked: &Asked<'_>, around: Surroundings<'_>) -> Option<Finding> {
    let key = find(asked.key).filter(|_| asked.needs_key() && view.kind != Kind::Trust)?;
    let key_policy = view.kind == Kind::Resource;
    let covered = || around.actions.iter().filter(|action| view.names(action.name));
    if covered().next().is_some() && !covered().any(|action| key.has.on(action, key_policy)) {
        let why = match key.has {
            Has::AboutKeysUnseen => "key policies do not see it",
            _ => "no request for the actions of the statement has it",
        };
        return Some(view.finding(
            "never-met",
            format!("the condition of `{}` is never met, so the statement never applies: {why}", asked.key),
            "Take the condition out, or put it into a statement for the actions that have this key.",
        ));
    }
    let named = view.texts("Action");
    let mut lacking = covered().filter(|action| !key.has.on(action, key_policy));
    let lacking = lacking.find(|action| named.iter().any(|name| name.eq_ignore_ascii_case(action.name)))?;
    Some(view.finding(
        "never-met-for-action",
        format!(
            "the condition of `{}` is never met by `{}`, so the statement never applies to it",
            asked.key, lacking.name
        ),
        "Put the action into a statement without this condition.",
    ))
}

fn empty(view: &View<'_>, asked: &Asked<'_>) -> Option<Finding> {
    asked.empty.then(|| {
        view.finding(
            "no-values",
            format!("`{}` compares `{}` with no value at all", asked.name, asked.key),
            "Give it values, or take the condition out.",
        )
    })
}

fn literal_wildcard(view: &View<'_>, asked: &Asked<'_>) -> Option<Finding> {
    if !matches!(asked.operator.family, Family::Text | Family::TextIgnoreCase) {
        return None;
    }
    let value = asked.values.iter().find(|value| value.contains(['*', '?']) && !value.contains("${"))?;
    Some(view.finding(
        "literal-wildcard",
        format!(
            "`{}` compares `{}` with `{value}` letter by letter: its wildcards are none",
            asked.name, asked.key
        ),
        "Use `StringLike`, or `ArnLike` for ARNs.",
    ))
}

// Without the key, `ForAllValues:` is true of everything.
fn always_met(view: &View<'_>, asked: &Asked<'_>) -> Option<Finding> {
    let open = asked.operator.quantifier == Quantifier::All && view.allows();
    let guarded =
        view.conditions.iter().any(|other| other.needs_key() && other.key.eq_ignore_ascii_case(asked.key));
    (open && !guarded).then(|| {
        view.finding(
            "for-all-values-allow",
            format!("`{}` is also met by requests that have no `{}` at all", asked.name, asked.key),
            "Add a condition `\"Null\": {…: \"false\"}` for the same key, if requests without it are not meant.",
        )
    })
}

fn quantity(view: &View<'_>, asked: &Asked<'_>) -> Option<Finding> {
    let (key, plain) = (find(asked.key)?, asked.operator.quantifier == Quantifier::Plain);
    let null = asked.operator.family == Family::Null;
    match (key.many, plain) {
        (true, true) if !null => Some(view.finding(
            "several-values",
            format!(
                "`{}` has several values, and `{}` does not say how many of them have to fit",
                asked.key, asked.name
            ),
            "Write `ForAnyValue:` or `ForAllValues:` before the operator.",
        )),
        (false, false) => Some(view.finding(
            "one-value",
            format!("`{}` has one value: `{}` is for keys with several", asked.key, asked.name),
            "Take `ForAnyValue:` or `ForAllValues:` away.",
        )),
        _ => None,
    }
}

fn old_version(view: &View<'_>, asked: &Asked<'_>) -> Option<Finding> {
    let value = asked.values.iter().find(|value| !view.variables && value.contains("${"))?;
    Some(view.finding(
        "variable-in-old-version",
        format!("`{value}` is no variable here, but these very letters"),
        "Write `\"Version\": \"2012-10-17\"` at the top of the document.",
    ))
}
