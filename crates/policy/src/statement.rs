//! One statement: from its JSON to a compiled form, and whether it applies to a request.

use crate::arn::{AccountScope, ArnPattern};
use crate::condition::{self, Condition};
use crate::document::Kind;
use crate::facts::{ConditionKeys, Facts, Values};
use crate::json::{Json, duplicate};
use crate::malformed::{At, Malformed, Problem, excerpt};
use crate::pattern::{Case, Meaning, Pattern};
use crate::principal::{Principals, Reach};

/// A compiled statement.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) sid: Option<Box<str>>,
    pub(crate) effect: Effect,
    /// None in identity policies.
    pub(crate) principals: Option<Principals>,
    actions: Chosen<Pattern>,
    /// None in trust policies.
    resources: Option<Chosen<Resource>>,
    conditions: Box<[Condition]>,
    /// The keys of all variables without a default. A request that lacks one of them is not what the
    /// statement is about, whatever else would match.
    required: Box<[Box<str>]>,
}

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Debug, Clone)]
struct Chosen<T> {
    negated: bool,
    listed: Box<[T]>,
}

#[derive(Debug, Clone)]
enum Resource {
    /// `*`: every resource, and none.
    All,
    Arn(ArnPattern),
    /// Accepted in key policies, but nothing is called so.
    Nothing,
}

/// Why a statement about the action does not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss<'a> {
    /// It means somebody else.
    Principal,
    /// It is about another resource.
    Resource,
    /// The request lacks the condition key of a variable.
    Variable(&'a str),
    /// A condition is not met.
    Condition {
        /// The operator and the key, as written.
        asked: (&'a str, &'a str),
        /// The values that the request has for the key; none if it has no such key.
        values: Vec<String>,
    },
}

impl Statement {
    /// Compiles a statement. `variables` says whether the document's version has them.
    pub(crate) fn compile(json: &Json, kind: Kind, variables: bool, at: At<'_>) -> Result<Self, Malformed> {
        let Json::Object(members) = json else {
            return Err(at.refuse(Problem::WrongType { expected: "an object", found: json.type_name() }));
        };
        let members = Members::new(members, at)?;
        let mut required = Vec::new();
        let statement = Statement {
            sid: members.sid.filter(|sid| !sid.is_empty()).map(Into::into),
            effect: members.effect()?,
            principals: members.principals(kind)?,
            actions: members.actions()?,
            resources: members.resources(kind, variables, &mut required)?,
            conditions: members.conditions(variables, &mut required)?,
            required: Box::default(),
        };
        required.sort_unstable();
        required.dedup();
        Ok(Statement { required: required.into(), ..statement })
    }

    /// Whether the request is one the statement is about, the caller left aside.
    pub(crate) fn covers(&self, facts: &Facts<'_>) -> bool {
        // The resource first: where policies have many statements it is what these differ in.
        self.resources.as_ref().is_none_or(|all| all.covers(|resource| resource.matches(facts)))
            && self.names_action(facts.action, facts.keys)
            && self.required.iter().all(|key| matches!(facts.keys.values(key), Some(Values::One(_))))
            && self.conditions.iter().all(|condition| condition.is_met(facts.keys))
    }

    /// Why the statement does not apply to a request for one of its actions; `None` if it is not about the action.
    /// `names` are the operators and keys of the conditions as written.
    pub(crate) fn misses<'a>(
        &'a self,
        facts: &Facts<'_>,
        names: Vec<(&'a str, &'a str)>,
    ) -> Option<Vec<Miss<'a>>> {
        self.names_action(facts.action, facts.keys).then_some(())?;
        let mut misses = Vec::new();
        let means_caller = match self.effect {
            Effect::Deny => self.denies(facts),
            Effect::Allow => {
                self.allow_reach(facts).is_none_or(|reach| reach.direct.is_some() || reach.account)
            }
        };
        if !means_caller {
            misses.push(Miss::Principal);
        }
        if self.resources.as_ref().is_some_and(|all| !all.covers(|resource| resource.matches(facts))) {
            misses.push(Miss::Resource);
        }
        let lacking =
            self.required.iter().find(|key| !matches!(facts.keys.values(key), Some(Values::One(_))));
        misses.extend(lacking.map(|key| Miss::Variable(key)));
        let conditions = self.conditions.iter().zip(names);
        misses.extend(conditions.filter(|(condition, _)| !condition.is_met(facts.keys)).map(
            |(condition, asked)| {
                let values = facts.keys.values(condition.key());
                let values = values.iter().flat_map(|values| values.iter()).map(str::to_owned).collect();
                Miss::Condition { asked, values }
            },
        ));
        Some(misses)
    }

    /// Whether an action is among those of the statement.
    pub(crate) fn names_action(&self, action: &str, keys: &dyn ConditionKeys) -> bool {
        self.actions.covers(|pattern| pattern.matches(action, Case::IgnoreAscii, keys))
    }

    /// Whether a condition is about this key, given in lower case.
    pub(crate) fn asks_for(&self, key: &str) -> bool {
        self.conditions.iter().any(|condition| condition.key() == key)
    }

    /// What an `Allow` says about the caller; without principals, whoever has the policy is meant.
    pub(crate) fn allow_reach(&self, facts: &Facts<'_>) -> Option<Reach> {
        self.principals.as_ref().map(|principals| principals.allow_reach(&facts.caller))
    }

    /// Whether a `Deny` means the caller.
    pub(crate) fn denies(&self, facts: &Facts<'_>) -> bool {
        self.principals.as_ref().is_none_or(|principals| principals.denies(&facts.caller))
    }
}

impl<T> Chosen<T> {
    fn covers(&self, matches: impl Fn(&T) -> bool) -> bool {
        self.listed.iter().any(matches) != self.negated
    }
}

impl Resource {
    fn matches(&self, facts: &Facts<'_>) -> bool {
        match (self, facts.resource) {
            (Resource::All, _) => true,
            (Resource::Nothing, _) => false,
            (Resource::Arn(pattern), Some(arn)) => pattern.matches(arn, facts.keys),
            (Resource::Arn(pattern), None) => pattern.reaches_account(account_scope(facts), facts.keys),
        }
    }
}

/// Where a request without a resource takes place, as far as its facts say.
fn account_scope<'a>(facts: &Facts<'a>) -> AccountScope<'a> {
    let region = match facts.keys.values("aws:requestedregion") {
        Some(Values::One(region)) => Some(region),
        Some(Values::Many(_)) | None => None,
    };
    AccountScope {
        partition: crate::arn::segments(facts.caller.arn).map(|[_, partition, ..]| partition),
        service: facts.action.split_once(':').map(|(service, _)| service),
        region,
        account: facts.caller.account,
    }
}

/// The members of a statement, found by name.
struct Members<'a> {
    sid: Option<&'a str>,
    at: At<'a>,
    found: [Option<&'a Json>; NAMES.len()],
}

const NAMES: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

impl<'a> Members<'a> {
    fn new(members: &'a [(String, Json)], at: At<'a>) -> Result<Members<'a>, Malformed> {
        // The Sid first, so that every other message can name it.
        let sid = match members.iter().find(|(name, _)| name == "Sid") {
            None => None,
            Some((_, Json::Text(sid))) => Some(sid.as_str()),
            Some((_, other)) => {
                let problem = Problem::WrongType { expected: "a string", found: other.type_name() };
                return Err(at.element("Sid").refuse(problem));
            }
        };
        let at = At { sid, ..at };
        if let Some(name) = duplicate(members) {
            return Err(at.refuse(Problem::DuplicateMember(excerpt(name))));
        }
        if let Some((name, _)) = members.iter().find(|(name, _)| !NAMES.contains(&name.as_str())) {
            return Err(at.refuse(Problem::UnknownElement(excerpt(name))));
        }
        let found = NAMES.map(|name| members.iter().find(|(own, _)| own == name).map(|(_, json)| json));
        Ok(Members { sid, at, found })
    }

    fn get(&self, name: &str) -> Option<&'a Json> {
        NAMES.iter().zip(self.found).find(|(own, _)| **own == name).and_then(|(_, json)| json)
    }

    /// An element or its negation, whichever is there, and whether it is the negation.
    fn either(
        &self,
        name: &'static str,
        negation: &'static str,
    ) -> Result<Option<(&'a Json, bool)>, Malformed> {
        match (self.get(name), self.get(negation)) {
            (Some(_), Some(_)) => Err(self.at.refuse(Problem::Both(name, negation))),
            (Some(json), None) => Ok(Some((json, false))),
            (None, Some(json)) => Ok(Some((json, true))),
            (None, None) => Ok(None),
        }
    }

    fn effect(&self) -> Result<Effect, Malformed> {
        let at = self.at.element("Effect");
        match self.get("Effect") {
            None => Err(self.at.refuse(Problem::Missing("`Effect`"))),
            Some(Json::Text(text)) if text == "Allow" => Ok(Effect::Allow),
            Some(Json::Text(text)) if text == "Deny" => Ok(Effect::Deny),
            Some(Json::Text(text)) => Err(at.refuse(Problem::UnknownEffect(excerpt(text)))),
            Some(other) => {
                Err(at.refuse(Problem::WrongType { expected: "a string", found: other.type_name() }))
            }
        }
    }

    fn principals(&self, kind: Kind) -> Result<Option<Principals>, Malformed> {
        let name = |negated| if negated { "NotPrincipal" } else { "Principal" };
        match (kind, self.either("Principal", "NotPrincipal")?) {
            (Kind::Identity, None) => Ok(None),
            (Kind::Identity, Some((_, negated))) => Err(self.at.refuse(Problem::Prohibited(name(negated)))),
            (_, None) => Err(self.at.refuse(Problem::Missing("`Principal` or `NotPrincipal`"))),
            (_, Some((json, negated))) => {
                Principals::compile(json, negated, self.at.element(name(negated))).map(Some)
            }
        }
    }

    fn actions(&self) -> Result<Chosen<Pattern>, Malformed> {
        let Some((json, negated)) = self.either("Action", "NotAction")? else {
            return Err(self.at.refuse(Problem::Missing("`Action` or `NotAction`")));
        };
        let at = self.at.element(if negated { "NotAction" } else { "Action" });
        let listed = texts(json, at)?.into_iter().map(|text| action(text, at)).collect::<Result<_, _>>()?;
        Ok(Chosen { negated, listed })
    }

    fn resources(
        &self,
        kind: Kind,
        variables: bool,
        required: &mut Vec<Box<str>>,
    ) -> Result<Option<Chosen<Resource>>, Malformed> {
        let name = |negated| if negated { "NotResource" } else { "Resource" };
        let (json, negated) = match (kind, self.either("Resource", "NotResource")?) {
            (Kind::Trust, None) => return Ok(None),
            (Kind::Trust, Some((_, negated))) => {
                return Err(self.at.refuse(Problem::Prohibited(name(negated))));
            }
            (_, None) => return Err(self.at.refuse(Problem::Missing("`Resource` or `NotResource`"))),
            (_, Some(found)) => found,
        };
        let at = self.at.element(name(negated));
        let mut listed = Vec::new();
        for text in texts(json, at)? {
            listed.push(resource(text, kind, variables, at, required)?);
        }
        Ok(Some(Chosen { negated, listed: listed.into() }))
    }

    fn conditions(
        &self,
        variables: bool,
        required: &mut Vec<Box<str>>,
    ) -> Result<Box<[Condition]>, Malformed> {
        match self.get("Condition") {
            None => Ok(Box::default()),
            Some(json) => condition::compile(json, variables, self.at.element("Condition"), required),
        }
    }
}

/// One text or several, but not none.
fn texts<'j>(json: &'j Json, at: At<'_>) -> Result<Vec<&'j str>, Malformed> {
    let items = json.as_list();
    if items.is_empty() {
        return Err(at.refuse(Problem::EmptyList));
    }
    let text = |item: &'j Json| match item {
        Json::Text(text) => Ok(text.as_str()),
        other => {
            let expected = "a string or a list of strings";
            Err(at.refuse(Problem::WrongType { expected, found: other.type_name() }))
        }
    };
    items.iter().map(text).collect()
}

/// Reads `*` or `service:pattern`; wildcards stand only after the service.
fn action(text: &str, at: At<'_>) -> Result<Pattern, Malformed> {
    let is_service = |service: &str| {
        let plain = service.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        service == "*" || (plain && !service.is_empty())
    };
    let in_form = match text.split_once(':') {
        Some((service, name)) => is_service(service) && !name.is_empty(),
        None => text == "*",
    };
    let meaning = Meaning { wildcards: true, variables: false };
    let pattern = Pattern::parse(text, meaning).ok().filter(|_| in_form);
    pattern.ok_or_else(|| at.refuse(Problem::InvalidAction(excerpt(text))))
}

fn resource(
    text: &str,
    kind: Kind,
    variables: bool,
    at: At<'_>,
    required: &mut Vec<Box<str>>,
) -> Result<Resource, Malformed> {
    if text == "*" {
        return Ok(Resource::All);
    }
    let variable_flaw = |flaw| at.refuse(Problem::InvalidVariable { text: excerpt(text), flaw });
    let meaning = Meaning { wildcards: true, variables };
    let pattern = Pattern::parse(text, meaning).map_err(variable_flaw)?;
    match ArnPattern::new(&pattern) {
        Some(arn) if arn.has_early_variable() => Err(variable_flaw("stands before the account part")),
        Some(arn) => {
            required.extend(pattern.required().map(Into::into));
            Ok(Resource::Arn(arn))
        }
        // A key policy can mean only its own key, so KMS does not look at what else is written there.
        None if kind == Kind::Resource => Ok(Resource::Nothing),
        None => Err(at.refuse(Problem::InvalidResource(excerpt(text)))),
    }
}
