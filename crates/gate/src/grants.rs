//! Grants at the gate: which of them allow a request, as a decision asks; grant tokens; retiring.

mod cache;
mod retire;
mod scope_keys;

use std::collections::BTreeMap;

use trent_domain::grant::{Bucket, Grant, Pairs, PrincipalId, Use};
use trent_domain::identifier::{AccountId, GrantId, KeyArn};
use trent_domain::identity::{Caller, Principal};
use trent_policy::{Grantee, Grants};
use trent_protocol::GrantOperation;

pub(crate) use cache::GrantCache;
pub use retire::GrantName;
pub use scope_keys::ScopeKeys;

use crate::actions::Action;
use crate::facts::Facts;
use crate::opening::Gate;
use crate::refusal::Refusal;

/// What is wrong with a grant that a request names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// The key has no such grant.
    #[error("Grant ID {0} not found")]
    Unknown(GrantId),
    /// Not the id of a grant, or of none where one was to be listed.
    #[error("Grant ID {0} is invalid")]
    InvalidId(String),
}

/// The grants that allow one request: one of each kind and issuer that a decision tells apart is enough.
#[derive(Debug, Default)]
pub(crate) struct Matches(Vec<Match>);

#[derive(Debug)]
struct Match {
    id: String,
    grantee: Grantee,
    issuer: AccountId,
}

impl Matches {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, grant: &Grant) {
        let Grant { id, terms, .. } = grant;
        let grantee = match terms.grantee {
            PrincipalId::Account(_) => Grantee::Account,
            PrincipalId::Role { .. } => Grantee::Role,
            PrincipalId::User { .. }
            | PrincipalId::Session { .. }
            | PrincipalId::Federated { .. }
            | PrincipalId::Service(_) => Grantee::Exact,
        };
        self.0.push(Match { id: id.to_string(), grantee, issuer: terms.issuer });
    }
}

impl Grants for Matches {
    fn matching<'g>(
        &'g self,
        _facts: &trent_policy::Facts<'_>,
        found: &mut dyn FnMut(trent_policy::Grant<'g>),
    ) {
        for Match { id, grantee, issuer } in &self.0 {
            found(trent_policy::Grant { id, grantee: *grantee, issuer: issuer.as_str() });
        }
    }
}

impl Gate {
    /// The grants on `key` that allow the caller to perform `A` now.
    ///
    /// From memory, for a caller who has been asked about before; whoever has tens of thousands of grants on the key too.
    pub(crate) async fn matching_grants<A: Action>(
        &self,
        key: KeyArn,
        facts: &Facts<'_>,
    ) -> Result<Matches, Refusal> {
        self.matching_grants_for(A::NAME, key, facts).await
    }

    /// The same, for an action by its name.
    pub(crate) async fn matching_grants_for(
        &self,
        action: &str,
        key: KeyArn,
        facts: &Facts<'_>,
    ) -> Result<Matches, Refusal> {
        static NO_CONTEXT: Pairs = BTreeMap::new();
        let mut matches = Matches::default();
        let Some(operation) = operation(action) else { return Ok(matches) };
        let source = facts.caller.source().and_then(|source| source.arn.as_deref());
        let context = facts.parameters.encryption_context.map_or(&NO_CONTEXT, |context| context.pairs());
        let wanted = Use { operation, context, source_arn: source, child: facts.parameters.grant };
        let own = |grant: &Grant| grant.terms.issuer == facts.caller.account;
        for grantee in identities(facts.caller) {
            let place = (key.region, key.id, grantee);
            let found = match self.grants.find(&place, &wanted, own) {
                Some(found) => found,
                None => self.read_grants(place, &wanted, own).await?,
            };
            found.iter().for_each(|grant| matches.add(grant));
        }
        Ok(matches)
    }

    async fn read_grants(
        &self,
        place: cache::Place,
        wanted: &Use<'_>,
        preferred: impl Fn(&Grant) -> bool,
    ) -> Result<Option<std::sync::Arc<Grant>>, Refusal> {
        let _loading = self.grants.generations.load(&place).await;
        if let Some(found) = self.grants.find(&place, wanted, &preferred) {
            return Ok(found);
        }
        let generation = self.grants.generations.of(&place);
        let (region, key, grantee) = place.clone();
        let grants = trent_database::read(&*self.database, move |records| {
            records.grants(region, key, Some(&grantee), None, usize::MAX)
        })
        .await?;
        let bucket = Bucket::new(grants);
        let found = bucket.find(wanted, preferred);
        self.grants.insert(place, bucket, generation);
        Ok(found)
    }

    /// Whether all grant tokens of a request are ones that trent gave out.
    ///
    /// What they name need not be there any more, nor be for this caller or key: a token gives nothing, and takes nothing.
    /// Grants count as soon as they are made, with or without one.
    pub(crate) fn check_grant_tokens(&self, facts: &Facts<'_>) -> Result<(), Refusal> {
        facts.grant_tokens.iter().try_for_each(|token| self.open_grant_token(facts.region, token).map(|_| ()))
    }
}

/// What grants call an action; none where they cannot give it.
fn operation(action: &str) -> Option<GrantOperation> {
    action.strip_prefix("kms:").and_then(GrantOperation::parse)
}

/// All that a caller is to grants.
fn identities(caller: &Caller) -> Vec<PrincipalId> {
    let (account, id) = (caller.account, caller.unique_id.to_string());
    match &caller.principal {
        Principal::Root => vec![PrincipalId::Account(account)],
        Principal::User { .. } => vec![PrincipalId::User { account, id }, PrincipalId::Account(account)],
        Principal::RoleSession { name, .. } => vec![
            PrincipalId::Session { account, role: id.clone(), name: name.to_string() },
            PrincipalId::Role { account, id },
            PrincipalId::Account(account),
        ],
        Principal::FederatedUser { name, .. } => {
            vec![PrincipalId::Federated { account, name: name.to_string() }, PrincipalId::Account(account)]
        }
        Principal::Service { .. } => vec![PrincipalId::Service(caller.arn.to_string())],
    }
}
