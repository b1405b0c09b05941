//! The decision: may this caller perform this action on this key, given every policy and grant that bears on it?
//!
//! One call is one check of one action on one resource; operations on several resources make several calls, each
//! with its own facts. All documents are asked once and nothing is allocated. In this order:
//!
//! 1. an explicit deny in any document ends it;
//! 2. ceilings (service control, endpoint) have to allow;
//! 3. the key is opened by its policy naming the caller, by its policy naming the caller's account together with
//!    an identity policy, or by a grant; where there is no key, identity policies decide alone;
//! 4. for a key of another account, the caller's own side has to allow too;
//! 5. a silent permissions boundary or session policy blocks the ways on which it counts.
//!
//! Another account is told nothing about the key's side: neither what its policy says nor whether it exists. Where it
//! is closed to them, even what their own policies deny would tell, if these ask for properties of the key; so whoever
//! answers them says what is said of a key that is not there, [`Told::AsOfNoKey`].

pub(crate) mod explain;

use crate::decision::{Allowance, By, Clause, Decision, Denial, Reason, Source, Told};
use crate::document::{Document, Evaluation};
use crate::facts::{Caller, CallerKind, ConditionKeys, Facts};
use crate::grants::{Grant, Grantee, Grants};
use crate::principal::Named;
use crate::standing::{Attached, Standing};

/// One check.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The action with its service.
    pub action: &'a str,
    /// Who asks.
    pub caller: Caller<'a>,
    /// The documents that bear on them.
    pub standing: &'a Standing,
    /// The policy of the endpoint that the request came through, if it has one.
    pub endpoint: Option<&'a Attached>,
    /// The condition keys, as every document sees them but the key policy.
    pub keys: &'a dyn ConditionKeys,
    /// What the action is to be done on.
    pub target: Target<'a>,
}

/// What an action is to be done on.
#[derive(Clone, Copy)]
pub enum Target<'a> {
    /// The account in a Region as a whole. Policies have to say `*`.
    Account,
    /// An alias, which has no policy of its own.
    Alias(&'a str),
    /// A key.
    Key(KeyTarget<'a>),
    /// A key of another account that does not exist: denied as one that may not be used.
    NoSuchKey(&'a str),
}

/// A key, and what bears on it.
#[derive(Clone, Copy)]
pub struct KeyTarget<'a> {
    /// Its ARN.
    pub arn: &'a str,
    /// The account that owns it, twelve digits.
    pub account: &'a str,
    /// Its policy.
    pub policy: &'a Document,
    /// The condition keys as its policy sees them: without `kms:ResourceAliases`.
    pub keys: &'a dyn ConditionKeys,
    /// The live grants on it.
    pub grants: &'a dyn Grants,
    /// Whether the operation may be used on keys of other accounts.
    pub cross_account: bool,
}

/// May the caller do this? Allocates nothing.
pub fn decide<'a>(request: &Request<'a>) -> Decision<'a> {
    let own = Own::of(request);
    match &request.target {
        Target::Account | Target::Alias(_) => own.without_key(),
        Target::Key(key) if request.is_foreign(key) => own.on_foreign_key(request, key),
        Target::Key(key) => own.on_key(request, key),
        Target::NoSuchKey(_) => own.denied_beforehand().unwrap_or_else(|| hidden(Reason::NoSuchKey, None)),
    }
}

impl<'a> Request<'a> {
    fn facts(&self) -> Facts<'a> {
        let resource = match self.target {
            Target::Account => None,
            Target::Alias(arn) | Target::NoSuchKey(arn) => Some(arn),
            Target::Key(key) => Some(key.arn),
        };
        Facts { action: self.action, resource, caller: self.caller, keys: self.keys }
    }

    // Services belong to no account; a key policy lets them in or nobody does.
    fn is_foreign(&self, key: &KeyTarget<'_>) -> bool {
        self.caller.account.is_some_and(|account| account != key.account) && !self.is_service()
    }

    fn is_service(&self) -> bool {
        self.caller.kind == CallerKind::Service
    }
}

/// What a set of documents that allow together says.
#[derive(Debug, Clone, Copy, Default)]
struct Opinion<'a> {
    denied: Option<Clause<'a>>,
    allowed: Option<Clause<'a>>,
}

impl<'a> Opinion<'a> {
    fn of(source: Source, documents: &'a [Attached], facts: &Facts<'_>) -> Self {
        let mut opinion = Self::default();
        for attached in documents {
            let Evaluation { denied_by, allowed_by, delegated_by, .. } = attached.document.evaluate(facts);
            let clause = |statement| Clause::of(source, attached, statement);
            opinion.denied = opinion.denied.or(denied_by.map(clause));
            // In a ceiling an account stands for everyone in it.
            opinion.allowed = opinion.allowed.or(allowed_by.or(delegated_by).map(clause));
        }
        opinion
    }
}

/// A ceiling or narrowing that may not be there.
#[derive(Debug, Clone, Copy)]
struct Limit<'a> {
    denied: Option<Clause<'a>>,
    /// Whether it is there and does not allow.
    silent: bool,
}

impl<'a> Limit<'a> {
    const NONE: Self = Self { denied: None, silent: false };

    fn of(source: Source, documents: Option<&'a [Attached]>, facts: &Facts<'_>) -> Self {
        documents.map_or(Self::NONE, |documents| {
            let Opinion { denied, allowed } = Opinion::of(source, documents, facts);
            Self { denied, silent: allowed.is_none() }
        })
    }

    fn and(self, other: Self) -> Self {
        Self { denied: self.denied.or(other.denied), silent: self.silent || other.silent }
    }
}

/// What the documents on the caller's side say.
struct Own<'a> {
    service_control: Limit<'a>,
    endpoint: Limit<'a>,
    identity: Opinion<'a>,
    /// Whether identity policies allow, or need not: a root user's rights come with the account.
    identity_allows: bool,
    boundary: Limit<'a>,
    session: Limit<'a>,
}

impl<'a> Own<'a> {
    fn of(request: &Request<'a>) -> Self {
        let (standing, facts) = (request.standing, request.facts());
        let limit = |source, documents| Limit::of(source, documents, &facts);
        let levels = if request.is_service() { &[] } else { standing.service_control.as_slice() };
        let identity = Opinion::of(Source::Identity, &standing.identity, &facts);
        Self {
            service_control: levels.iter().fold(Limit::NONE, |above, level| {
                above.and(limit(Source::ServiceControl, Some(level.as_slice())))
            }),
            endpoint: limit(Source::Endpoint, request.endpoint.map(std::slice::from_ref)),
            identity,
            identity_allows: identity.allowed.is_some() || request.caller.kind == CallerKind::Root,
            boundary: limit(Source::Boundary, standing.boundary.as_ref().map(std::slice::from_ref)),
            session: limit(Source::Session, standing.session.as_deref()),
        }
    }

    /// The first explicit deny, with those of the key's side in their place.
    fn explicit_deny(
        &self,
        resource_control: Option<Clause<'a>>,
        resource: Option<Clause<'a>>,
    ) -> Option<Clause<'a>> {
        let in_order = self.service_control.denied.or(resource_control).or(self.endpoint.denied).or(resource);
        in_order.or(self.identity.denied).or(self.boundary.denied).or(self.session.denied)
    }

    /// A ceiling that does not allow.
    fn under_ceiling(&self) -> Option<Decision<'a>> {
        let silent = [(self.service_control, Source::ServiceControl), (self.endpoint, Source::Endpoint)];
        silent.into_iter().find(|(limit, _)| limit.silent).map(|(_, source)| not_allowed(source))
    }

    /// What ends it whatever the key's side says.
    fn denied_beforehand(&self) -> Option<Decision<'a>> {
        self.explicit_deny(None, None).map(denied_by).or_else(|| self.under_ceiling())
    }

    /// The narrowing that is silent.
    fn narrowed(&self) -> Option<Source> {
        match () {
            () if self.boundary.silent => Some(Source::Boundary),
            () if self.session.silent => Some(Source::Session),
            () => None,
        }
    }

    /// What is missing for the caller's own policies to allow it.
    fn lacks(&self) -> Option<Source> {
        if self.identity_allows { self.narrowed() } else { Some(Source::Identity) }
    }

    fn without_key(&self) -> Decision<'a> {
        self.denied_beforehand().unwrap_or_else(|| match self.lacks() {
            Some(source) => not_allowed(source),
            None => allowed(By::Identity, self.identity.allowed),
        })
    }

    fn on_key(&self, request: &Request<'a>, key: &KeyTarget<'a>) -> Decision<'a> {
        let side = KeySide::of(request, key);
        if let Some(clause) = self.explicit_deny(side.resource_control, side.denied) {
            return denied_by(clause);
        }
        if let Some(denied) = self.under_ceiling() {
            return denied;
        }
        self.on_ways(&[
            side.direct.map(|(clause, named)| {
                let blocked = if narrows(named) { self.narrowed() } else { None };
                Way { by: By::KeyPolicy(clause), identity: None, blocked }
            }),
            side.grants.exact.map(|id| Way { by: By::Grant(id), identity: None, blocked: None }),
            side.grants.role.map(|id| Way { by: By::Grant(id), identity: None, blocked: self.narrowed() }),
            side.delegated.map(|clause| self.own_way(By::Delegation(clause))),
            side.grants.account.map(|id| self.own_way(By::Grant(id))),
        ])
    }

    fn on_foreign_key(&self, request: &Request<'a>, key: &KeyTarget<'a>) -> Decision<'a> {
        let side = KeySide::of(request, key);
        let opened = match side.resource_control.or(side.denied) {
            _ if !key.cross_account => Err((Reason::OwnAccountOnly, None)),
            Some(clause) => Err((Reason::ExplicitDeny(clause.source), Some(clause))),
            None => side.opened().ok_or((Reason::NotAllowed(Source::Resource), None)),
        };
        match (self.denied_beforehand(), opened) {
            (Some(denied), Ok(_)) => denied,
            (Some(denied), Err(_)) => told_as_of_no_key(denied),
            (None, Err((reason, clause))) => hidden(reason, clause),
            (None, Ok(opened)) => self.on_ways(&[
                // Whoever made the grant gave away what their own account had been given.
                side.grants.own.map(|id| Way { by: By::Grant(id), identity: None, blocked: self.narrowed() }),
                Some(self.own_way(opened)),
            ]),
        }
    }

    /// A way on which the caller's own policies have to allow as well.
    fn own_way(&self, by: By<'a>) -> Way<'a> {
        Way { by, identity: self.identity.allowed, blocked: self.lacks() }
    }

    /// Takes the first way that is open; what blocks the first of them is the reason if none is.
    fn on_ways(&self, ways: &[Option<Way<'a>>]) -> Decision<'a> {
        let mut ways = ways.iter().flatten();
        if let Some(open) = ways.clone().find(|way| way.blocked.is_none()) {
            return allowed(open.by, open.identity);
        }
        not_allowed(ways.find_map(|way| way.blocked).unwrap_or(Source::Resource))
    }
}

/// A way to a key, and what blocks it.
#[derive(Debug, Clone, Copy)]
struct Way<'a> {
    by: By<'a>,
    identity: Option<Clause<'a>>,
    blocked: Option<Source>,
}

/// What the documents on the key's side say, and its grants.
struct KeySide<'a> {
    resource_control: Option<Clause<'a>>,
    denied: Option<Clause<'a>>,
    direct: Option<(Clause<'a>, Named)>,
    delegated: Option<Clause<'a>>,
    grants: Granted<'a>,
}

impl<'a> KeySide<'a> {
    fn of(request: &Request<'a>, key: &KeyTarget<'a>) -> Self {
        let facts = request.facts();
        let above = request.standing.resource_control.of(key.account);
        let evaluation = key.policy.evaluate(&Facts { keys: key.keys, ..facts });
        let clause = |statement| Clause {
            source: Source::Resource,
            document: key.arn,
            statement,
            sid: key.policy.sid(statement),
        };
        Self {
            resource_control: Opinion::of(Source::ResourceControl, above, &facts).denied,
            denied: evaluation.denied_by.map(clause),
            direct: evaluation.allowed_by.map(clause).zip(evaluation.allowed_as),
            delegated: evaluation.delegated_by.map(clause),
            grants: Granted::of(request, key, &facts),
        }
    }
}

impl<'a> KeySide<'a> {
    /// What opens the key to somebody of another account.
    fn opened(&self) -> Option<By<'a>> {
        let Granted { exact, role, account, .. } = self.grants;
        let named =
            self.direct.map(|(clause, _)| By::KeyPolicy(clause)).or(self.delegated.map(By::Delegation));
        named.or(exact.or(role).or(account).map(By::Grant))
    }
}

/// The grants that allow a request, one of each kind.
#[derive(Debug, Clone, Copy, Default)]
struct Granted<'a> {
    exact: Option<&'a str>,
    role: Option<&'a str>,
    account: Option<&'a str>,
    /// Made by the caller's own account, and not for that account as a whole.
    own: Option<&'a str>,
}

impl<'a> Granted<'a> {
    fn of(request: &Request<'a>, key: &KeyTarget<'a>, facts: &Facts<'_>) -> Self {
        let mut granted = Self::default();
        key.grants.matching(facts, &mut |Grant { id, grantee, issuer }| {
            let place = match grantee {
                Grantee::Exact => &mut granted.exact,
                Grantee::Role => &mut granted.role,
                Grantee::Account => &mut granted.account,
            };
            place.get_or_insert(id);
            if grantee != Grantee::Account && request.caller.account == Some(issuer) {
                granted.own.get_or_insert(id);
            }
        });
        granted
    }
}

/// Whether a silent boundary or session policy counts against a key policy that names the caller so.
///
/// AWS documents it for users, roles and exact sessions. That `*` reaches a session as its own ARN does is a choice.
const fn narrows(named: Named) -> bool {
    match named {
        Named::Role | Named::Federating => true,
        Named::Anyone | Named::Root | Named::User | Named::Session | Named::Service | Named::Provider => {
            false
        }
    }
}

const fn allowed<'a>(by: By<'a>, identity: Option<Clause<'a>>) -> Decision<'a> {
    Decision::Allowed(Allowance { by, identity })
}

const fn denied_by(clause: Clause<'_>) -> Decision<'_> {
    let reason = Reason::ExplicitDeny(clause.source);
    Decision::Denied(Denial { reason, told: Told::Reason, clause: Some(clause) })
}

const fn not_allowed<'a>(source: Source) -> Decision<'a> {
    Decision::Denied(Denial { reason: Reason::NotAllowed(source), told: Told::Reason, clause: None })
}

const fn hidden(reason: Reason, clause: Option<Clause<'_>>) -> Decision<'_> {
    Decision::Denied(Denial { reason, told: Told::Nothing, clause })
}

const fn told_as_of_no_key(decision: Decision<'_>) -> Decision<'_> {
    match decision {
        Decision::Denied(denial) => Decision::Denied(Denial { told: Told::AsOfNoKey, ..denial }),
        allowed => allowed,
    }
}
