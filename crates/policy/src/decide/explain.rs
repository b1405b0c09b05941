//! A decision told in full: what each document and grant says, and which statements come close.
//!
//! For people who ask why, never for the requests themselves: it allocates, and tells what callers must not know.

use super::{KeySide, Own, Request, Target, decide};
use crate::decision::{By, Clause, Decision, Source};
use crate::document::{Document, Evaluation};
use crate::facts::Facts;
use crate::grants::Grant;
use crate::standing::Attached;
use crate::statement::{Effect, Miss};

/// A decision, and what led to it.
#[derive(Debug, Clone)]
pub struct Explanation<'a> {
    /// The decision.
    pub decision: Decision<'a>,
    /// All documents that bear on the request, in the order in which denials are reported.
    pub policies: Vec<Voice<'a>>,
    /// The grants that allow it.
    pub grants: Vec<Grant<'a>>,
    /// What opens the key: its policy, or a grant. `None` also where there is no key.
    pub opened: Option<By<'a>>,
    /// Whether the caller's own identity policies allow it, or need not.
    pub identity_allows: bool,
    /// The ceilings and narrowings that are there and do not allow it.
    pub silent: Vec<Source>,
}

/// What one document says about a request.
#[derive(Debug, Clone)]
pub struct Voice<'a> {
    /// The kind of policy.
    pub source: Source,
    /// The document's name; the key's ARN for a key policy.
    pub document: &'a str,
    /// The statement that denies.
    pub denies: Option<Clause<'a>>,
    /// The statement that allows; in a key policy, that allows this caller.
    pub allows: Option<Clause<'a>>,
    /// The statement that leaves it to the caller's account.
    pub delegates: Option<Clause<'a>>,
    /// The statements about this action that do not apply, and why.
    pub near: Vec<Near<'a>>,
}

/// A statement about the action that does not apply to the request.
#[derive(Debug, Clone)]
pub struct Near<'a> {
    /// The statement.
    pub clause: Clause<'a>,
    /// Whether it would allow; else it would deny.
    pub allows: bool,
    /// Everything for which it does not apply.
    pub misses: Vec<Miss<'a>>,
}

/// Decides a request, and tells how.
pub fn explain<'a>(request: &Request<'a>) -> Explanation<'a> {
    let (own, facts) = (Own::of(request), request.facts());
    let key = match request.target {
        Target::Key(key) => Some(key),
        Target::Account | Target::Alias(_) | Target::NoSuchKey(_) => None,
    };
    let side = key.as_ref().map(|key| KeySide::of(request, key));
    let mut grants = Vec::new();
    if let Some(key) = &key {
        key.grants.matching(&facts, &mut |grant| grants.push(grant));
    }
    let opened = side.as_ref().and_then(|side| {
        let policy =
            side.direct.map(|(clause, _)| By::KeyPolicy(clause)).or(side.delegated.map(By::Delegation));
        policy.or(grants.first().map(|grant| By::Grant(grant.id)))
    });
    let limits = [
        (Source::ServiceControl, own.service_control),
        (Source::Endpoint, own.endpoint),
        (Source::Boundary, own.boundary),
        (Source::Session, own.session),
    ];
    Explanation {
        decision: decide(request),
        policies: voices(request, &facts),
        grants,
        opened,
        identity_allows: own.identity_allows,
        silent: limits.iter().filter(|(_, limit)| limit.silent).map(|(source, _)| *source).collect(),
    }
}

fn voices<'a>(request: &Request<'a>, facts: &Facts<'a>) -> Vec<Voice<'a>> {
    let standing = request.standing;
    let mut all = Vec::new();
    let mut add = |source, documents: &'a [Attached]| {
        all.extend(documents.iter().map(|own| voice(source, &own.name, &own.document, facts)));
    };
    if !request.is_service() {
        standing.service_control.iter().for_each(|level| add(Source::ServiceControl, level));
    }
    if let Target::Key(key) = request.target {
        add(Source::ResourceControl, standing.resource_control.of(key.account));
    }
    add(Source::Endpoint, request.endpoint.map_or(&[], std::slice::from_ref));
    add(Source::Identity, &standing.identity);
    add(Source::Boundary, standing.boundary.as_slice());
    add(Source::Session, standing.session.as_deref().unwrap_or_default());
    if let Target::Key(key) = request.target {
        all.push(voice(Source::Resource, key.arn, key.policy, &Facts { keys: key.keys, ..*facts }));
    }
    all.sort_by_key(|voice| voice.source);
    all
}

fn voice<'a>(source: Source, name: &'a str, document: &'a Document, facts: &Facts<'a>) -> Voice<'a> {
    let clause = |statement| Clause { source, document: name, statement, sid: document.sid(statement) };
    let Evaluation { denied_by, allowed_by, delegated_by, .. } = document.evaluate(facts);
    let statements = document.statements().iter().enumerate();
    let near = statements.filter_map(|(index, statement)| {
        let misses = statement.misses(facts, document.condition_names(index))?;
        let allows = statement.effect == Effect::Allow;
        (!misses.is_empty()).then(|| Near { clause: clause(index), allows, misses })
    });
    Voice {
        source,
        document: name,
        denies: denied_by.map(clause),
        allows: allowed_by.map(clause),
        delegates: delegated_by.map(clause),
        near: near.collect(),
    }
}
