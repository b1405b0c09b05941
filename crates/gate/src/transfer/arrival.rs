//! Taking keys over.

use std::collections::BTreeSet;
use std::sync::Arc;

use trent_crypto::Key256;
use trent_database::{Bundle, DatabaseError, RingKey, Transaction};
use trent_domain::identifier::{AccountId, KeyArn};
use trent_domain::identity::{Account, Status};
use trent_domain::key::Key;
use trent_keystore::{Keyring, NewRingKey, RingName};
use trent_protocol::Origin;

use super::MoveError;
use crate::opening::Gate;

/// What came in, or would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// The keys; related keys of several Regions are there each.
    pub keys: Vec<KeyArn>,
    /// How many aliases.
    pub aliases: usize,
    /// How many grants.
    pub grants: usize,
    /// The accounts that were made for them.
    pub accounts: Vec<AccountId>,
    /// Whether there are keys for imported material whose ids are made with another key than from now on here.
    pub other_material_ids: bool,
}

/// What is to be written.
#[derive(Clone)]
struct Plan {
    bundle: Bundle,
    /// Domain keys that are not there yet.
    domains: Vec<RingKey>,
    /// The key that makes material ids where the keys come from.
    material_ids: Option<RingKey>,
    configured: BTreeSet<AccountId>,
    trial: bool,
}

/// Why a transaction is undone.
enum Undone {
    Failed(MoveError),
    Tried(Imported),
}

impl From<DatabaseError> for Undone {
    fn from(error: DatabaseError) -> Self {
        Self::Failed(error.into())
    }
}

impl Gate {
    /// Opens a file that was sealed for a recipient of this deployment, and adds all keys in it, or none.
    ///
    /// `configured` are the accounts that are there without being in the database. A trial changes nothing.
    ///
    /// # Errors
    /// See [`MoveError`]; nothing was changed.
    pub async fn import(
        self,
        file: &[u8],
        configured: BTreeSet<AccountId>,
        trial: bool,
    ) -> Result<Imported, MoveError> {
        let content = self.open_transfer(file).await?;
        let (under, document) =
            content.expose().split_first_chunk().ok_or(trent_crypto::transfer::TransferError::Damaged)?;
        let under = Key256::new(*under);
        let mut bundle = Bundle::from_json(document)?;
        if let Some(key) = bundle.keys.iter().find(|key| key.in_store.is_some()) {
            return Err(MoveError::Foreign(key.arn()));
        }
        let domains = self.domains_of(&bundle)?;
        for key in &mut bundle.keys {
            self.take_over(key, &under).await?;
        }
        let material_ids = self.material_ids_of(&bundle, &under)?;
        let plan = Plan { bundle, domains, material_ids, configured, trial };
        let written = trent_database::write(&*self.database, "import keys", move |transaction| {
            let imported = plan.write(transaction)?;
            if plan.trial { Err(Undone::Tried(imported)) } else { Ok(imported) }
        });
        match written.await? {
            Ok(imported) | Err(Undone::Tried(imported)) => Ok(imported),
            Err(Undone::Failed(error)) => Err(error),
        }
    }

    /// Makes the domain keys that are missing. They are in the ring before they are in the database, which is why this gate
    /// is not used any further.
    fn domains_of(&self, bundle: &Bundle) -> Result<Vec<RingKey>, MoveError> {
        let mut fresh = Vec::new();
        for Key { account, region, .. } in &bundle.keys {
            let name = RingName::Domain { account: *account, region: *region };
            if self.keyring.has(name) {
                continue;
            }
            let NewRingKey { sealed, .. } = self.keyring.create(name)?;
            self.keyring.admit(name, &sealed)?;
            fresh.push(RingKey { name: name.to_string(), sealed });
        }
        Ok(fresh)
    }

    /// Seals the material of a key as it is kept here, and tries whether it can be used.
    async fn take_over(&self, key: &mut Key, under: &Key256) -> Result<(), MoveError> {
        let mut materials = key.materials.clone();
        for material in materials.iter_mut().filter(|material| !material.sealed.is_empty()) {
            let useless = |error| MoveError::Material(key.arn(), error);
            material.sealed = self.store.take_over(key, material, under).map_err(useless)?;
            self.store.open(key, material).await.map_err(useless)?;
        }
        key.materials = materials;
        Ok(())
    }

    fn material_ids_of(&self, bundle: &Bundle, under: &Key256) -> Result<Option<RingKey>, MoveError> {
        let name = RingName::MaterialIds.to_string();
        let Some(theirs) = bundle.ring.iter().find(|key| key.name == name) else { return Ok(None) };
        let ring = Keyring::new(under, Arc::clone(&self.random));
        let sealed = ring.reseal(RingName::MaterialIds, &theirs.sealed, &self.keyring)?;
        Ok(Some(RingKey { name, sealed }))
    }
}

fn is_external(key: &Key) -> bool {
    key.origin == Origin::External
}

impl Plan {
    fn write(&self, transaction: &mut dyn Transaction) -> Result<Imported, Undone> {
        let conflicts = self.conflicts(transaction)?;
        if !conflicts.is_empty() {
            return Err(Undone::Failed(MoveError::Conflicts(conflicts)));
        }
        // Where there is no key, there is none whose material would have another id from now on.
        let adopted = self.material_ids.as_ref().filter(|_| !self.bundle.keys.is_empty());
        let adopted = if transaction.every_key(None, 1)?.is_empty() { adopted } else { None };
        if let Some(key) = adopted {
            transaction.replace_ring_key(key)?;
        }
        self.domains.iter().try_for_each(|key| transaction.insert_ring_key(key))?;
        let accounts = self.make_accounts(transaction)?;
        self.bundle.insert(transaction)?;
        Ok(Imported {
            keys: self.bundle.keys.iter().map(Key::arn).collect(),
            aliases: self.bundle.aliases.len(),
            grants: self.bundle.grants.len(),
            accounts,
            other_material_ids: adopted.is_none() && self.bundle.keys.iter().any(is_external),
        })
    }

    fn conflicts(&self, transaction: &dyn Transaction) -> Result<Vec<String>, DatabaseError> {
        let mut conflicts = Vec::new();
        for key in &self.bundle.keys {
            if let Some(there) = transaction.key(key.region, key.id)? {
                conflicts.push(format!("key {}", there.arn()));
            }
        }
        for alias in &self.bundle.aliases {
            if let Some(there) = transaction.alias(alias.account, alias.region, alias.name.as_str())? {
                conflicts.push(format!("alias {} of key {}", there.arn(), there.target));
            }
        }
        Ok(conflicts)
    }

    /// Makes the accounts that are not there: without anybody in them, their keys are out of reach until somebody is.
    fn make_accounts(&self, transaction: &mut dyn Transaction) -> Result<Vec<AccountId>, DatabaseError> {
        let mut known = self.configured.clone();
        known.extend(transaction.accounts()?.iter().map(|account| account.id));
        let mut made = Vec::new();
        for Key { account: id, .. } in &self.bundle.keys {
            if !known.insert(*id) {
                continue;
            }
            let named = self.bundle.accounts.iter().find(|account| account.id == *id).cloned();
            let unnamed = || Account { id: *id, name: "imported".to_owned(), status: Status::Active };
            transaction.put_account(&named.unwrap_or_else(unnamed))?;
            made.push(*id);
        }
        Ok(made)
    }
}
