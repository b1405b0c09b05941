//! A second evaluator: slow, over the JSON as written, sharing nothing with the crate but the caller's names. It
//! says in the plainest way what is decided, so that it can be checked by reading.

use serde_json::Value;

use super::world::{ACCOUNT, Statements, World};
use super::{Held, Keys};
use crate::{Caller, CallerKind, Grantee};

/// The code of the tables without the way on which something is allowed.
pub(super) fn coarse(code: &str) -> &str {
    if ["identity", "key policy", "delegation", "grant"].contains(&code) { "allow" } else { code }
}

/// The code of a decision; `allow` for all that allow.
pub(super) fn judge(world: &World) -> &'static str {
    let (on_key, foreign) = (world.on == "key", is_foreign(world));
    if let Some(code) = explicit_deny(world, foreign).or_else(|| under_ceiling(world)) {
        return code;
    }
    match () {
        () if world.on == "missing" => "X",
        () if !on_key => lacks(world).unwrap_or("allow"),
        () if foreign => on_foreign_key(world),
        () => on_own_key(world),
    }
}

fn is_service(world: &World) -> bool {
    world.caller().kind == CallerKind::Service
}

fn is_foreign(world: &World) -> bool {
    let other = !is_service(world) && world.caller().account != Some(ACCOUNT);
    world.on == "missing" || (world.on == "key" && other)
}

fn says(effect: &str, documents: &[Statements], world: &World) -> bool {
    documents.iter().flatten().any(|statement| statement["Effect"] == effect && applies(statement, world))
}

fn key_side_denies(world: &World) -> [bool; 2] {
    let documents = [world.resource_control.as_slice(), std::slice::from_ref(&world.key)];
    documents.map(|documents| world.on == "key" && says("Deny", documents, world))
}

fn explicit_deny(world: &World, foreign: bool) -> Option<&'static str> {
    let denied = |documents: &[Statements]| says("Deny", documents, world);
    let levels = world.service_control.iter();
    let [by_resource_control, by_key] = key_side_denies(world);
    let in_order = [
        (!is_service(world) && levels.clone().any(|level| denied(level)), "CD"),
        (by_resource_control && !foreign, "CR"),
        (denied(world.endpoint.as_slice()), "VD"),
        (by_key && !foreign, "RD"),
        (denied(&world.identity), "ID"),
        (denied(world.boundary.as_slice()), "BD"),
        (denied(world.session.as_slice()), "SD"),
    ];
    in_order.into_iter().find(|(denies, _)| *denies).map(|(_, code)| code)
}

fn under_ceiling(world: &World) -> Option<&'static str> {
    let silent = |documents: &[Statements]| !says("Allow", documents, world);
    let mut levels = world.service_control.iter();
    match () {
        () if !is_service(world) && levels.any(|level| silent(level)) => Some("C1"),
        () if world.endpoint.is_some() && silent(world.endpoint.as_slice()) => Some("V1"),
        () => None,
    }
}

/// The boundary or session policy that does not allow.
fn narrowed(world: &World) -> Option<&'static str> {
    let silent =
        |document: &Option<Statements>| document.is_some() && !says("Allow", document.as_slice(), world);
    match () {
        () if silent(&world.boundary) => Some("B1"),
        () if silent(&world.session) => Some("S1"),
        () => None,
    }
}

/// What keeps the caller's own policies from allowing.
fn lacks(world: &World) -> Option<&'static str> {
    let allowed = world.caller().kind == CallerKind::Root || says("Allow", &world.identity, world);
    if allowed { narrowed(world) } else { Some("I1") }
}

/// The ways to the key, by what they need of the caller's own policies.
#[derive(Default)]
struct Ways {
    /// Nothing.
    free: bool,
    /// That neither boundary nor session policy is silent.
    narrowed: bool,
    /// That identity policies allow as well.
    delegated: bool,
    /// As `narrowed`, by a grant that the caller's own account has made.
    own_grant: bool,
}

fn ways(world: &World) -> Ways {
    let (caller, mut ways) = (world.caller(), Ways::default());
    let allows = world.key.iter().filter(|s| s["Effect"] == "Allow" && applies_but_for_principal(s, world));
    for Reach { direct, account } in allows.map(|statement| reach(statement, &caller)) {
        ways.free |= direct == Some(true);
        ways.narrowed |= direct == Some(false);
        ways.delegated |= account;
    }
    let operation = world.action.replace("kms:", "");
    for grant in world.grants.iter().filter(|grant| grant.operations.contains(&operation)) {
        let Some(grantee) = grant.names(&caller) else { continue };
        ways.free |= grantee == Grantee::Exact;
        ways.narrowed |= grantee == Grantee::Role;
        ways.delegated |= grantee == Grantee::Account;
        ways.own_grant |= grantee != Grantee::Account && caller.account == Some(&grant.issuer);
    }
    ways
}

fn on_own_key(world: &World) -> &'static str {
    let ways = ways(world);
    let open = ways.free
        || (ways.narrowed && narrowed(world).is_none())
        || (ways.delegated && lacks(world).is_none());
    match () {
        () if open => "allow",
        () if ways.narrowed => narrowed(world).unwrap_or("?"),
        () if ways.delegated => lacks(world).unwrap_or("?"),
        () => "R1",
    }
}

fn on_foreign_key(world: &World) -> &'static str {
    let ways = ways(world);
    let opened = ways.free || ways.narrowed || ways.delegated;
    if !opened || !world.cross_account || key_side_denies(world).contains(&true) {
        return "X";
    }
    let missing = if ways.own_grant { narrowed(world) } else { lacks(world) };
    missing.unwrap_or("allow")
}

fn list(json: &Value) -> Vec<&str> {
    match json {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().map(|one| one.as_str().unwrap()).collect(),
        _ => Vec::new(),
    }
}

/// Whether a statement is about the request, its principals included.
fn applies(statement: &Value, world: &World) -> bool {
    let caller = world.caller();
    let means = match statement.get("NotPrincipal") {
        Some(_) if statement["Effect"] == "Deny" => !is_spared(statement, &caller),
        _ => {
            let Reach { direct, account } = reach(statement, &caller);
            direct.is_some() || account
        }
    };
    means && applies_but_for_principal(statement, world)
}

fn applies_but_for_principal(statement: &Value, world: &World) -> bool {
    let action = world.action.to_lowercase();
    let in_actions = |patterns: &Value| list(patterns).iter().any(|p| glob(&p.to_lowercase(), &action));
    let actions = match statement.get("NotAction") {
        Some(not) => !in_actions(not),
        None => in_actions(&statement["Action"]),
    };
    let in_resources = |patterns: &Value| list(patterns).iter().any(|p| is_resource(p, world));
    let resources = match statement.get("NotResource") {
        Some(not) => !in_resources(not),
        None => in_resources(&statement["Resource"]),
    };
    let conditions = statement["Condition"].as_object().into_iter().flatten();
    let mut conditions = conditions.flat_map(|(operator, keys)| {
        keys.as_object().unwrap().iter().map(move |(key, wanted)| (operator, key, wanted))
    });
    actions
        && resources
        && conditions.all(|(operator, key, wanted)| is_met(operator, key, wanted, &world.keys))
}

fn is_resource(pattern: &str, world: &World) -> bool {
    if pattern == "*" {
        return true;
    }
    match world.resource() {
        Some(arn) => {
            let (own, other): (Vec<_>, Vec<_>) =
                (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
            own.len() == 6 && own.iter().zip(other).all(|(own, other)| glob(own, other))
        }
        None => {
            let region = values(&world.keys, "aws:requestedregion").unwrap_or_default();
            region.iter().any(|r| pattern == format!("arn:aws:kms:{r}:{}:*", world.caller().account.unwrap()))
        }
    }
}

/// How a statement reaches a caller.
struct Reach {
    /// The caller themselves: whether free of silent boundaries and session policies.
    direct: Option<bool>,
    account: bool,
}

/// Whom `Principal` means; a statement without is about whoever has the policy.
fn reach(statement: &Value, caller: &Caller<'_>) -> Reach {
    if let Some(not) = statement.get("NotPrincipal") {
        let listed = names(not).iter().any(|name| name == "*" || is_any_name_of(name, caller));
        return Reach { direct: (!listed).then_some(true), account: false };
    }
    let Some(principal) = statement.get("Principal") else {
        return Reach { direct: Some(true), account: false };
    };
    let mut reach = Reach { direct: None, account: false };
    for name in names(principal) {
        let is_account =
            caller.kind != CallerKind::Service && account_of(&name) == caller.account.map(str::to_owned);
        let is_account = is_account && account_of(&name).is_some();
        reach.account |= is_account;
        let free = match () {
            () if name == "*" => Some(true),
            () if Some(&*name) == caller.session_arn || Some(&*name) == caller.service => Some(true),
            () if is_account && caller.kind == CallerKind::Root => Some(true),
            () if name == caller.arn || Some(&*name) == caller.unique_id => {
                Some(caller.session_arn.is_none())
            }
            () => None,
        };
        reach.direct = reach.direct.max(free);
    }
    reach
}

/// Whether `NotPrincipal` of a deny lists all names of the caller.
fn is_spared(statement: &Value, caller: &Caller<'_>) -> bool {
    let names = names(&statement["NotPrincipal"]);
    if names.iter().any(|name| name == "*") {
        return true;
    }
    let listed = |is: &dyn Fn(&str) -> bool| names.iter().any(|name| is(name));
    let account = caller.kind == CallerKind::Service
        || caller.account.is_none_or(|own| listed(&|name| account_of(name).as_deref() == Some(own)));
    let itself = listed(&|name| {
        name == caller.arn
            || Some(name) == caller.unique_id
            || (caller.kind == CallerKind::Root && account_of(name).as_deref() == caller.account)
    });
    account && itself && caller.session_arn.is_none_or(|session| listed(&|name| name == session))
}

fn is_any_name_of(name: &str, caller: &Caller<'_>) -> bool {
    let in_account = caller.kind != CallerKind::Service && account_of(name).as_deref() == caller.account;
    let is_own = name == caller.arn || Some(name) == caller.session_arn || Some(name) == caller.unique_id;
    is_own || (in_account && account_of(name).is_some())
}

fn names(principal: &Value) -> Vec<String> {
    match principal {
        Value::String(all) => vec![all.clone()],
        kinds => {
            kinds.as_object().unwrap().values().flat_map(|names| list(names)).map(str::to_owned).collect()
        }
    }
}

fn account_of(name: &str) -> Option<String> {
    let id = name.strip_prefix("arn:aws:iam::").and_then(|rest| rest.strip_suffix(":root")).unwrap_or(name);
    (id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit())).then(|| id.to_owned())
}

fn values(keys: &Keys, key: &str) -> Option<Vec<String>> {
    let (_, held) = keys.0.iter().find(|(own, _)| own.to_lowercase() == key.to_lowercase())?;
    Some(match held {
        Held::One(one) => vec![one.clone()],
        Held::Many(many) => many.clone(),
    })
    .filter(|values| !values.is_empty())
}

fn is_met(operator: &str, key: &str, wanted: &Value, keys: &Keys) -> bool {
    let held = values(keys, key);
    let wanted = match wanted {
        Value::Number(number) => vec![number.to_string()],
        other => list(other).into_iter().map(str::to_owned).collect(),
    };
    if operator == "Null" {
        return wanted.iter().any(|wanted| (wanted == "true") == held.is_none());
    }
    let (quantifier, rest) = operator.split_once(':').unwrap_or(("", operator));
    let (base, if_exists) = match rest.strip_suffix("IfExists") {
        Some(base) => (base, true),
        None => (rest, false),
    };
    let negated = base.contains("Not");
    // A variable that stands for nothing: the statement is not about the request, whatever the operator.
    let mut wanted = wanted;
    for text in &mut wanted {
        let Some((before, rest)) = text.split_once("${") else { continue };
        let (variable, after) = rest.split_once('}').unwrap();
        let Some(value) = values(keys, variable) else { return false };
        *text = format!("{before}{}{after}", value[0]);
    }
    let Some(held) = held else {
        return if_exists || quantifier == "ForAllValues" || (quantifier.is_empty() && negated);
    };
    let matches =
        |value: &String| wanted.iter().any(|wanted| compare(&base.replace("Not", ""), value, wanted));
    match quantifier {
        "ForAllValues" => held.iter().all(|value| matches(value) != negated),
        "ForAnyValue" => held.iter().any(|value| matches(value) != negated),
        _ => held.iter().any(matches) != negated,
    }
}

fn compare(base: &str, value: &str, wanted: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().unwrap();
    match base {
        "StringEquals" => value == wanted,
        "StringEqualsIgnoreCase" | "Bool" => value.to_lowercase() == wanted.to_lowercase(),
        "StringLike" => glob(wanted, value),
        "ArnEquals" => value == wanted,
        "NumericLessThanEquals" => number(value) <= number(wanted),
        "NumericGreaterThanEquals" => number(value) >= number(wanted),
        "IpAddress" => panic!("addresses are not part of these tests: {value}"),
        other => panic!("the slow evaluator does not know {other}"),
    }
}

fn glob(pattern: &str, subject: &str) -> bool {
    match pattern.chars().next() {
        None => subject.is_empty(),
        Some('*') => {
            let mut rests = subject.char_indices().map(|(at, _)| &subject[at..]).chain([""]);
            rests.any(|rest| glob(&pattern[1..], rest))
        }
        Some(c) => subject.chars().next().is_some_and(|s| {
            (c == '?' || c == s) && glob(&pattern[c.len_utf8()..], &subject[s.len_utf8()..])
        }),
    }
}
