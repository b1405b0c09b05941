//! The way to a permit: resolve the name, load the key, decide, then look at state and usage.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use trent_crypto::ciphertext;
use trent_domain::alias::AliasName;
use trent_domain::identifier::{AccountId, AliasArn, KeyArn, KeyId, KeyName, MaterialId, Region};
use trent_domain::key::Key;
use trent_domain::operations::{Names, origin, rotates, rules};
use trent_domain::state;
use trent_protocol::{KeySpec, Operation};

use crate::actions::Action;
use crate::cache::Entry;
use crate::decision::{by_identity, denied, on_key};
use crate::facts::Facts;
use crate::opening::Gate;
use crate::refusal::{DenialResource, Refusal};

/// Proof that this caller may perform `A` on this key, now.
///
/// Only [`Gate`] makes one, and it cannot be copied or kept past the request.
#[must_use]
pub struct Authorized<'gate, A> {
    pub(crate) gate: &'gate Gate,
    pub(crate) entry: Arc<Entry>,
    /// The material that made the ciphertext at hand, where the request carries one.
    pub(crate) made_by: Option<MaterialId>,
    action: PhantomData<fn() -> A>,
}

impl<A> Authorized<'_, A> {
    /// The key as it was when the permit was given.
    pub fn key(&self) -> &Key {
        &self.entry.key
    }

    /// The key's full name.
    pub fn arn(&self) -> KeyArn {
        self.entry.key.arn()
    }

    /// The key's full name, written out.
    pub fn arn_text(&self) -> &str {
        &self.entry.arn
    }
}

impl<A: Action> fmt::Debug for Authorized<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorized({} on {})", A::NAME, self.arn())
    }
}

impl Gate {
    /// A permit for `A` on the key that `name` names.
    pub async fn authorize<A: Action>(
        &self,
        name: &str,
        facts: &Facts<'_>,
    ) -> Result<Authorized<'_, A>, Refusal> {
        let entry = self.find_allowed::<A>(name, facts).await?;
        self.admit(entry, None)
    }

    /// A permit for `A` on the key that an alias of the caller's account stands for.
    pub async fn authorize_target<A: Action>(
        &self,
        alias: &AliasName,
        facts: &Facts<'_>,
    ) -> Result<Authorized<'_, A>, Refusal> {
        let (account, region) = (facts.caller.account, facts.region);
        let unknown = || Refusal::UnknownAlias(AliasArn { region, account, name: alias.clone() });
        let id = self.alias_target(account, region, alias).await?.ok_or_else(unknown)?;
        let entry = self.entry(region, id).await?.ok_or_else(unknown)?;
        on_key::<A>(&entry.key, facts)?;
        self.admit(entry, None)
    }

    /// A permit for `A` on the key that made `blob`; where the request names a key, it must be that one.
    pub async fn authorize_ciphertext<A: Action>(
        &self,
        name: Option<&str>,
        blob: &[u8],
        facts: &Facts<'_>,
    ) -> Result<Authorized<'_, A>, Refusal> {
        let header = ciphertext::read_header(blob).map_err(|_| Refusal::InvalidCiphertext);
        let entry = match name {
            Some(name) => self.find_allowed::<A>(name, facts).await?,
            None => {
                self.find_maker::<A>(maker(header.as_ref().map_err(|_| Refusal::InvalidCiphertext)?), facts)
                    .await?
            }
        };
        // An unreadable blob is told of only now: whoever may not use the key they name learns nothing else.
        let header = match header {
            // Ciphertexts of key pairs have no header. Whether the algorithm fits the key is judged later.
            Err(_) if entry.key.spec != KeySpec::SymmetricDefault => return self.admit(entry, None),
            header => header?,
        };
        if maker(&header) != entry.key.id {
            return Err(Refusal::IncorrectKey);
        }
        self.admit(entry, Some(MaterialId(header.material_id)))
    }

    /// May the caller perform `A` on this alias of its own account? The key behind it is asked about apart.
    pub fn authorize_alias<A: Action>(&self, name: &AliasName, facts: &Facts<'_>) -> Result<(), Refusal> {
        let arn = AliasArn { region: facts.region, account: facts.caller.account, name: name.clone() };
        by_identity::<A>(facts, || arn.to_string())
    }

    // State comes after permission: a stranger must not learn that a key is disabled.
    pub(crate) fn admit<A: Action>(
        &self,
        entry: Arc<Entry>,
        made_by: Option<MaterialId>,
    ) -> Result<Authorized<'_, A>, Refusal> {
        let (rules, entry) = (rules(A::OPERATION), self.without_expired(entry));
        if origin(A::OPERATION).is_some_and(|origin| origin != entry.key.origin) {
            return Err(Refusal::Origin { arn: entry.key.arn(), origin: entry.key.origin });
        }
        let stays = rotates(A::OPERATION) && entry.key.spec != KeySpec::SymmetricDefault;
        // Recorded: a disabled RSA key that is to rotate on demand is told to be disabled. With the other operations
        // the kind of the key comes first, as its origin does.
        if stays && A::OPERATION != Operation::RotateKeyOnDemand {
            return Err(Refusal::NotRotatable(entry.key.arn()));
        }
        rules.states.check(&entry.key)?;
        if stays {
            return Err(Refusal::NotRotatable(entry.key.arn()));
        }
        state::check_leads(A::OPERATION, &entry.key)?;
        if rules.usage.is_some_and(|usage| usage != entry.key.usage) {
            let (arn, usage) = (entry.key.arn(), entry.key.usage);
            return Err(Refusal::Usage { arn, usage, operation: A::OPERATION });
        }
        Ok(Authorized { gate: self, entry, made_by, action: PhantomData })
    }

    // Material that has expired counts no longer, even before the job has deleted it.
    fn without_expired(&self, entry: Arc<Entry>) -> Arc<Entry> {
        match entry.key.next_expiry().map(|at| (at, self.clock.now())) {
            Some((at, now)) if at <= now => Arc::new(entry.without_expired(now)),
            _ => entry,
        }
    }

    pub(crate) async fn find_allowed<A: Action>(
        &self,
        name: &str,
        facts: &Facts<'_>,
    ) -> Result<Arc<Entry>, Refusal> {
        let entry = self.find::<A>(name, facts).await?;
        check_grant_tokens(facts)?;
        on_key::<A>(&entry.key, facts)?;
        Ok(entry)
    }

    /// The key that a ciphertext names. Of one that is unknown or another account's the caller learns nothing.
    async fn find_maker<A: Action>(&self, maker: KeyId, facts: &Facts<'_>) -> Result<Arc<Entry>, Refusal> {
        let entry = self.entry(facts.region, maker).await?;
        let own = entry.filter(|entry| entry.key.account == facts.caller.account);
        let entry = own.ok_or_else(|| denied::<A>(facts, DenialResource::HiddenByCiphertext))?;
        check_grant_tokens(facts)?;
        on_key::<A>(&entry.key, facts)?;
        Ok(entry)
    }

    async fn find<A: Action>(&self, name: &str, facts: &Facts<'_>) -> Result<Arc<Entry>, Refusal> {
        let account = facts.caller.account;
        let id = match self.read_name::<A>(name, facts)? {
            KeyName::Id(id) => id,
            KeyName::Arn(arn) => arn.id,
            KeyName::Alias(alias) | KeyName::AliasArn(AliasArn { name: alias, .. }) => {
                self.resolve::<A>(alias, facts).await?
            }
        };
        let entry = self.entry(facts.region, id).await?.filter(|entry| entry.key.account == account);
        entry.ok_or(Refusal::UnknownKey(KeyArn { region: facts.region, account, id }))
    }

    fn read_name<A: Action>(&self, name: &str, facts: &Facts<'_>) -> Result<KeyName, Refusal> {
        let name = match rules(A::OPERATION).names {
            Names::Any => KeyName::parse(name, facts.region)?,
            Names::IdOrArn | Names::None => KeyName::parse_id_or_arn(name, facts.region)?,
        };
        let owner = match &name {
            KeyName::Arn(arn) => arn.account,
            KeyName::AliasArn(arn) => arn.account,
            KeyName::Id(_) | KeyName::Alias(_) => facts.caller.account,
        };
        // Of another account's keys a caller learns nothing, not even whether they exist.
        if owner == facts.caller.account { Ok(name) } else { Err(denied::<A>(facts, DenialResource::Hidden)) }
    }

    async fn resolve<A: Action>(&self, name: AliasName, facts: &Facts<'_>) -> Result<KeyId, Refusal> {
        let (account, region) = (facts.caller.account, facts.region);
        if let Some(id) = self.alias_target(account, region, &name).await? {
            return Ok(id);
        }
        match name.service() {
            Some(service) => {
                // Whoever could not use the key does not make it by naming it.
                self.authorize_alias::<A>(&name, facts)?;
                self.create_aws_managed(account, region, service).await
            }
            None => Err(Refusal::UnknownAlias(AliasArn { region, account, name })),
        }
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
        Ok(key.map(|key| self.cache.insert_key(key, generation)))
    }
}

fn maker(header: &ciphertext::Header) -> KeyId {
    KeyId::from_parts(header.key_id.uuid, header.key_id.multi_region)
}

// No grant has been given out, so no token of one is genuine.
fn check_grant_tokens(facts: &Facts<'_>) -> Result<(), Refusal> {
    if facts.grant_tokens.is_empty() { Ok(()) } else { Err(Refusal::GrantToken) }
}
