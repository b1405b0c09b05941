//! Permits for what is done in an account as a whole, without a key.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use trent_crypto::SecretBytes;
use trent_domain::identifier::{AccountId, KeyId, MaterialId, Region};
use trent_domain::import::{Imported, Standing};
use trent_domain::key::Key;
use trent_domain::rotation::{Material, Rotation};
use trent_domain::time::Timestamp;
use trent_keystore::{NewMaterial, Owner, StoreError};
use trent_protocol::KeySpec;

use crate::actions::{Action, CreateKey, GenerateRandom, ListAliases};
use crate::decision::{on_account, on_nothing};
use crate::facts::Facts;
use crate::opening::{Gate, OpenError};
use crate::refusal::Refusal;

/// Proof that this caller may perform `A` in its account and this Region, now.
#[must_use]
pub struct AuthorizedAccount<'gate, A> {
    pub(crate) gate: &'gate Gate,
    account: AccountId,
    region: Region,
    action: PhantomData<fn() -> A>,
}

impl<A: Action> fmt::Debug for AuthorizedAccount<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthorizedAccount({} in {}/{})", A::NAME, self.account, self.region)
    }
}

impl<A> AuthorizedAccount<'_, A> {
    /// The account that the permit is for.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The Region that the permit is for.
    pub fn region(&self) -> Region {
        self.region
    }
}

impl Gate {
    /// A permit for `A` in the caller's account.
    pub fn authorize_account<A: Action>(
        &self,
        facts: &Facts<'_>,
    ) -> Result<AuthorizedAccount<'_, A>, Refusal> {
        on_account::<A>(facts)?;
        let (account, region) = (facts.caller.account, facts.region);
        Ok(AuthorizedAccount { gate: self, account, region, action: PhantomData })
    }
}

impl AuthorizedAccount<'_, CreateKey> {
    /// Makes the material of a key that is about to be created.
    pub async fn make_material(&self, key: KeyId, spec: KeySpec) -> Result<NewKeyMaterial, Refusal> {
        self.gate.make_material(Owner { account: self.account, region: self.region, key }, spec).await
    }
}

impl AuthorizedAccount<'_, ListAliases> {
    /// The key of the account that the list is narrowed to. Its policy has no say.
    pub async fn narrow_to(&self, name: &str, facts: &Facts<'_>) -> Result<KeyId, Refusal> {
        let found = self.gate.find::<ListAliases>(name, facts).await?;
        let Key { id, account, .. } = found.entry.key;
        if account == self.account { Ok(id) } else { Err(on_nothing::<ListAliases>(&found.entry.arn, facts)) }
    }
}

impl AuthorizedAccount<'_, GenerateRandom> {
    /// Random bytes for the caller.
    pub fn random_bytes(&self, count: usize) -> Result<SecretBytes, Refusal> {
        Ok(SecretBytes::generate(count, &*self.gate.random).map_err(StoreError::from)?)
    }
}

impl Gate {
    /// Makes material for a key, and first the domain key that seals it where there is none yet.
    pub(crate) async fn make_material(&self, owner: Owner, spec: KeySpec) -> Result<NewKeyMaterial, Refusal> {
        self.domain_key(owner.account, owner.region).await?;
        Ok(NewKeyMaterial::from(self.store.generate(owner, spec).await?))
    }

    /// Makes the domain key of an account and Region where there is none yet.
    pub(crate) async fn domain_key(&self, account: AccountId, region: Region) -> Result<(), Refusal> {
        self.ensure_domain_key(account, region).await.map_err(|error| match error {
            OpenError::Database(error) => Refusal::Database(error),
            OpenError::Store(error) => Refusal::Store(error),
            // The root key was compared when the gate was opened; rows that it does not open are damaged.
            OpenError::WrongRootKey | OpenError::Identities(_) => {
                Refusal::Store(StoreError::Unsealable { what: "domain key".to_owned() })
            }
        })
    }
}

/// Material that was made for one key and waits to be taken up by its record. It cannot be used before.
#[derive(Debug)]
#[must_use]
pub struct NewKeyMaterial {
    id: MaterialId,
    public: Option<Arc<[u8]>>,
    sealed: Vec<u8>,
}

impl From<NewMaterial> for NewKeyMaterial {
    fn from(NewMaterial { id, public, sealed }: NewMaterial) -> Self {
        Self { id, public, sealed }
    }
}

impl NewKeyMaterial {
    /// The record entry: the key's first material, or one that a rotation made.
    pub fn into_material(self, created: Timestamp, rotation: Option<Rotation>) -> Material {
        let Self { id, public, sealed } = self;
        Material { id, created, rotation, public, imported: None, sealed }
    }

    /// The record entry of material that was imported. What becomes of it is for the key to say.
    pub fn into_imported(
        self,
        created: Timestamp,
        valid_to: Option<Timestamp>,
        description: Option<String>,
    ) -> Material {
        let imported = Imported { valid_to, description, standing: Standing::Associated };
        Material { imported: Some(imported), ..self.into_material(created, None) }
    }
}
