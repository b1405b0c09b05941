//! From the name in a request, or from a ciphertext, to the key: from memory, a cold one from the database.

use std::sync::Arc;

use trent_crypto::ciphertext;
use trent_domain::alias::AliasName;
use trent_domain::identifier::{AccountId, AliasArn, KeyArn, KeyId, KeyName, Region};
use trent_domain::operations::{Names, rules};
use trent_policy::NoGrants;
use trent_protocol::Operation;

use crate::actions::Action;
use crate::cache::Entry;
use crate::condition_keys::Subject;
use crate::decision::{on_key, on_nothing, on_unknown_maker};
use crate::facts::Facts;
use crate::opening::Gate;
use crate::refusal::Refusal;

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// A key that a request names, and what decisions may ask of it.
pub(crate) struct Found {
    pub(crate) entry: Arc<Entry>,
    pub(crate) by: FoundBy,
    /// The alias that the request named it by.
    pub(crate) alias: Option<AliasName>,
    /// Whether ReEncrypt stays on one key.
    pub(crate) same_key: Option<bool>,
    pub(crate) aliases: Option<Arc<[String]>>,
    pub(crate) idle_days: Option<i64>,
}

/// How a key was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FoundBy {
    /// The request names it.
    Name,
    /// It made the ciphertext in the request.
    Ciphertext,
}

impl Found {
    pub(crate) fn new(entry: Arc<Entry>, by: FoundBy) -> Self {
        Self { entry, by, alias: None, same_key: None, aliases: None, idle_days: None }
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            key: &self.entry.key,
            request_alias: self.alias.as_ref().map(AliasName::as_str),
            aliases: self.aliases.as_deref(),
            idle_days: self.idle_days,
            same_key: self.same_key,
        }
    }
}

impl Gate {
    /// Whether the caller may perform `A` on a key; first reads what its policies ask about the key.
    pub(crate) async fn allow<A: Action>(&self, found: &mut Found, facts: &Facts<'_>) -> Result<(), Refusal> {
        self.check_grant_tokens(facts)?;
        if facts.standing.asks_for_aliases() {
            found.aliases = Some(self.aliases_of(&found.entry).await?);
        }
        if matches!(A::OPERATION, Operation::DisableKey | Operation::ScheduleKeyDeletion) {
            found.idle_days = Some(self.idle_days(&found.entry, facts).await?);
        }
        let Err(refusal) = on_key::<A>(found, &NoGrants, facts) else { return Ok(()) };
        // Grants are looked for only where policies do not suffice. An explicit deny goes before them all the same.
        let grants = self.matching_grants::<A>(found.entry.key.arn(), facts).await?;
        if grants.is_empty() { Err(refusal) } else { on_key::<A>(found, &grants, facts) }
    }

    pub(crate) async fn find_allowed<A: Action>(
        &self,
        name: &str,
        facts: &Facts<'_>,
    ) -> Result<Arc<Entry>, Refusal> {
        let mut found = self.find::<A>(name, facts).await?;
        self.allow::<A>(&mut found, facts).await?;
        Ok(found.entry)
    }

    /// The key that a name names. Of another account's the caller learns nothing before the decision.
    pub(crate) async fn find<A: Action>(&self, name: &str, facts: &Facts<'_>) -> Result<Found, Refusal> {
        let name = match rules(A::OPERATION).names {
            Names::Any => KeyName::parse(name, facts.region)?,
            Names::IdOrArn | Names::None => KeyName::parse_id_or_arn(name, facts.region)?,
        };
        let (account, id, alias) = match name {
            KeyName::Id(id) => (facts.caller.account, id, None),
            KeyName::Arn(arn) => (arn.account, arn.id, None),
            KeyName::Alias(name) => self.resolve::<A>(facts.caller.account, name, facts).await?,
            KeyName::AliasArn(AliasArn { account, name, .. }) => {
                self.resolve::<A>(account, name, facts).await?
            }
        };
        let entry = self.entry(facts.region, id).await?.filter(|entry| entry.key.account == account);
        match entry {
            Some(entry) => Ok(Found { alias, ..Found::new(entry, FoundBy::Name) }),
            None => {
                let arn = KeyArn { region: facts.region, account, id };
                let own = account == facts.caller.account;
                Err(if own { Refusal::UnknownKey(arn) } else { on_nothing::<A>(&arn.to_string(), facts) })
            }
        }
    }

    /// The key that made a ciphertext.
    pub(crate) async fn find_maker<A: Action>(
        &self,
        maker: KeyId,
        facts: &Facts<'_>,
    ) -> Result<Found, Refusal> {
        match self.entry(facts.region, maker).await? {
            Some(entry) => Ok(Found::new(entry, FoundBy::Ciphertext)),
            None => Err(on_unknown_maker::<A>(facts)),
        }
    }

    async fn resolve<A: Action>(
        &self,
        account: AccountId,
        name: AliasName,
        facts: &Facts<'_>,
    ) -> Result<(AccountId, KeyId, Option<AliasName>), Refusal> {
        let (region, own) = (facts.region, account == facts.caller.account);
        let id = match (self.alias_target(account, region, &name).await?, name.service()) {
            (Some(id), _) => id,
            (None, Some(service)) if own => self.create_aws_managed::<A>(&name, service, facts).await?,
            (None, _) => {
                let arn = AliasArn { region, account, name };
                return Err(if own {
                    Refusal::UnknownAlias(arn)
                } else {
                    on_nothing::<A>(&arn.to_string(), facts)
                });
            }
        };
        Ok((account, id, Some(name)))
    }

    /// The key that an alias stands for.
    pub(crate) async fn alias_target(
        &self,
        account: AccountId,
        region: Region,
        name: &AliasName,
    ) -> Result<Option<KeyId>, Refusal> {
        let place = (account, region, name.clone());
        if let Some(id) = self.cache.alias(&place) {
            return Ok(Some(id));
        }
        let generation = self.cache.generation(&place);
        let alias = name.as_str().to_owned();
        let found =
            trent_database::read(&*self.database, move |records| records.alias(account, region, &alias))
                .await?;
        let Some(found) = found else { return Ok(None) };
        self.cache.insert_alias(place, found.target, generation);
        Ok(Some(found.target))
    }

    /// The key of this Region with this id, whoever owns it: from memory, else from the database.
    pub(crate) async fn entry(&self, region: Region, id: KeyId) -> Result<Option<Arc<Entry>>, Refusal> {
        let place = (region, id);
        if let Some(entry) = self.cache.key(&place) {
            return Ok(Some(entry));
        }
        let _loading = self.cache.load(&place).await;
        if let Some(entry) = self.cache.key(&place) {
            return Ok(Some(entry));
        }
        let generation = self.cache.generation(&place);
        let key = trent_database::read(&*self.database, move |records| records.key(region, id)).await?;
        let Some(key) = key else { return Ok(None) };
        let policy = self.policies.of(&key)?;
        Ok(Some(self.cache.insert_key(key, policy, generation)))
    }

    /// The aliases of a key, one more than it may have at most. Kept with the key until some alias changes.
    async fn aliases_of(&self, entry: &Entry) -> Result<Arc<[String]>, Refusal> {
        let count = self.cache.alias_changes();
        if let Some(aliases) = entry.aliases_at(count) {
            return Ok(aliases);
        }
        let aliases = self.read_aliases(entry.key.region, entry.key.id).await?;
        entry.keep_aliases(count, &aliases);
        Ok(aliases)
    }

    pub(crate) async fn read_aliases(&self, region: Region, id: KeyId) -> Result<Arc<[String]>, Refusal> {
        let limit = usize::try_from(trent_domain::limits::ALIASES_PER_KEY_MAX).unwrap_or_default() + 1;
        let aliases =
            trent_database::read(&*self.database, move |records| records.aliases_of(region, id, None, limit))
                .await?;
        Ok(aliases.iter().map(|alias| alias.name.to_string()).collect())
    }

    /// Whole days since the key was last used; since it was created, if it never was.
    pub(crate) async fn idle_days(&self, entry: &Entry, facts: &Facts<'_>) -> Result<i64, Refusal> {
        let usage = self.last_usage(entry.key.region, entry.key.id).await?;
        let since = usage.map_or(entry.key.created, |usage| usage.at);
        Ok(facts.now.seconds().saturating_sub(since.seconds()).max(0) / SECONDS_PER_DAY)
    }
}

/// The key that a header names.
pub(crate) fn maker(header: &ciphertext::Header) -> KeyId {
    KeyId::from_parts(header.key_id.uuid, header.key_id.multi_region)
}
