//! Who may retire a grant: that comes from the grant itself, from its issuer's account and from the key's.
//!
//! A policy of the key gives nobody this permission, though it can take it away.

use trent_domain::grant::{Grant, Retirement};
use trent_domain::identifier::GrantId;
use trent_policy::{Grantee, NoGrants};

use super::{GrantError, Match, Matches, ScopeKeys, identities};
use crate::actions::RetireGrant;
use crate::authorize::Authorized;
use crate::decision::on_retirement;
use crate::facts::{Facts, Parameters};
use crate::find::{Found, FoundBy};
use crate::opening::Gate;
use crate::refusal::Refusal;

/// How a request names the grant that it retires.
#[derive(Debug, Clone, Copy)]
pub enum GrantName<'a> {
    /// By a token of it.
    Token(&'a str),
    /// By its key and its id.
    Id {
        /// The key, by id or ARN.
        key: &'a str,
        /// The grant.
        id: GrantId,
    },
}

impl Gate {
    /// A permit to retire the grant that a request names.
    pub async fn authorize_retirement(
        &self,
        name: GrantName<'_>,
        facts: &Facts<'_>,
    ) -> Result<(Authorized<'_, RetireGrant>, GrantId), Refusal> {
        let (found, id) = match name {
            GrantName::Token(token) => {
                let (key, id) = self.open_grant_token(facts.region, token)?;
                let entry = self.entry(facts.region, key).await?.ok_or(GrantError::Unknown(id))?;
                (Found::new(entry, FoundBy::Name), id)
            }
            GrantName::Id { key, id } => (self.find::<RetireGrant>(key, facts).await?, id),
        };
        let (region, key) = (found.entry.key.region, found.entry.key.id);
        let grant =
            trent_database::read(&*self.database, move |records| records.grant(region, key, id)).await?;
        let Some(grant) = grant else {
            // Whoever has a token knows that there was a grant. Strangers who guess are told nothing.
            let knows =
                matches!(name, GrantName::Token(_)) || found.entry.key.account == facts.caller.account;
            let hidden = || on_retirement(&found, &NoGrants, facts).err();
            let unknown = || GrantError::Unknown(id).into();
            return Err(if knows { unknown() } else { hidden().unwrap_or_else(unknown) });
        };
        let keys = ScopeKeys::of(&grant.terms.scope);
        let lists = [keys.constraint_types()];
        let parameters =
            Parameters { lists: &lists, encryption_context: keys.context(), ..Parameters::default() };
        let facts = Facts { parameters, ..*facts };
        on_retirement(&found, &Matches::to_retire(&grant, &facts), &facts)?;
        Ok((self.admit(found.entry, None).await?, id))
    }
}

impl Matches {
    /// The right to retire a grant, put as a grant of the caller's own account: nothing but an explicit deny goes before
    /// it where the grant itself gives it, and policies of the caller's account must where that passes it on.
    fn to_retire(grant: &Grant, facts: &Facts<'_>) -> Self {
        let grantee = match grant.retirement(&identities(facts.caller)) {
            Retirement::Own => Grantee::Exact,
            Retirement::Delegated => Grantee::Account,
            Retirement::No => return Self::default(),
        };
        Self(vec![Match { id: grant.id.to_string(), grantee, issuer: facts.caller.account }])
    }
}
