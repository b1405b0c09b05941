//! Handing keys over.

use std::sync::Arc;

use trent_crypto::transfer::RecipientKey;
use trent_crypto::{Key256, SecretBytes};
use trent_database::{Bundle, DatabaseError, Records, RingKey};
use trent_domain::identifier::KeyId;
use trent_domain::identifier::{KeyArn, KeyName, Region};
use trent_domain::key::Key;
use trent_keystore::{Keyring, RingName};

use super::MoveError;
use crate::opening::Gate;

/// How many rows are read at a time.
const PAGE: usize = 1000;

/// Which keys leave. A multi-Region key leaves with those related to it.
#[derive(Debug, Clone)]
pub enum Selection {
    /// All, and with them the key that makes material ids.
    All,
    /// These, by id or ARN.
    Keys(Vec<KeyName>),
}

/// Keys that were sealed for a recipient.
#[derive(Debug)]
pub struct Exported {
    /// The file.
    pub file: Vec<u8>,
    /// The keys that are in it; related keys of several Regions are there each.
    pub keys: Vec<KeyArn>,
    /// The keys that are not, since a custom key store has their material.
    pub left_out: Vec<KeyArn>,
}

/// What was found in the database.
#[derive(Default)]
struct Found {
    bundle: Bundle,
    left_out: Vec<KeyArn>,
    unknown: Vec<KeyName>,
}

impl Gate {
    /// Seals keys with all that belongs to them for a recipient. Nothing is changed here.
    ///
    /// # Errors
    /// See [`MoveError`].
    pub async fn export(self, selection: Selection, to: &RecipientKey) -> Result<Exported, MoveError> {
        let by_name = matches!(selection, Selection::Keys(_));
        let found = trent_database::read(&*self.database, move |records| find(records, &selection)).await?;
        let Found { mut bundle, left_out, unknown } = found;
        if !unknown.is_empty() {
            return Err(MoveError::UnknownKeys(unknown));
        }
        if by_name && !left_out.is_empty() {
            return Err(MoveError::InStore(left_out));
        }
        let under = Key256::generate(&*self.random)?;
        bundle.keys.iter_mut().try_for_each(|key| self.hand_over(key, &under))?;
        let ring = Keyring::new(&under, Arc::clone(&self.random));
        for RingKey { name, sealed } in &mut bundle.ring {
            *sealed = self.keyring.reseal(name.parse()?, sealed, &ring)?;
        }
        let content = SecretBytes::from([under.expose().as_slice(), &bundle.to_json()?].concat());
        let file = to.seal(content.expose(), &*self.random)?;
        Ok(Exported { file, keys: bundle.keys.iter().map(Key::arn).collect(), left_out })
    }

    fn hand_over(&self, key: &mut Key, under: &Key256) -> Result<(), MoveError> {
        let mut materials = key.materials.clone();
        // Imported material that was deleted has nothing to seal.
        for material in materials.iter_mut().filter(|material| !material.sealed.is_empty()) {
            let sealed = self.store.hand_over(key, material, under);
            material.sealed = sealed.map_err(|error| MoveError::Material(key.arn(), error))?;
        }
        key.materials = materials;
        Ok(())
    }
}

fn find(records: &dyn Records, selection: &Selection) -> Result<Found, DatabaseError> {
    let mut found = Found::default();
    for (region, id) in every_key(records)? {
        if !may_be_named(selection, id) {
            continue;
        }
        let Some(key) = records.key(region, id)? else { continue };
        if !is_named(selection, &key) {
            continue;
        }
        if key.in_store.is_some() {
            found.left_out.push(key.arn());
            continue;
        }
        found.bundle.aliases.extend(records.aliases_of(region, id, None, usize::MAX)?);
        found.bundle.grants.extend(records.grants(region, id, None, None, usize::MAX)?);
        found.bundle.keys.push(key);
    }
    let owns = |account| found.bundle.keys.iter().any(|key| key.account == account);
    found.bundle.accounts = records.accounts()?.into_iter().filter(|account| owns(account.id)).collect();
    match selection {
        Selection::All => {
            found.bundle.ring.extend(records.ring_key(&RingName::MaterialIds.to_string())?);
        }
        Selection::Keys(names) => {
            let arns: Vec<KeyArn> =
                found.bundle.keys.iter().map(Key::arn).chain(found.left_out.iter().copied()).collect();
            let is_unknown = |name: &&KeyName| !arns.iter().any(|arn| names_exactly(name, arn));
            found.unknown = names.iter().filter(is_unknown).cloned().collect();
        }
    }
    Ok(found)
}

fn every_key(records: &dyn Records) -> Result<Vec<(Region, KeyId)>, DatabaseError> {
    let mut all = Vec::new();
    loop {
        let page = records.every_key(all.last().copied(), PAGE)?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

fn may_be_named(selection: &Selection, id: KeyId) -> bool {
    match selection {
        Selection::All => true,
        Selection::Keys(names) => names.iter().any(|name| id_of(name) == Some(id)),
    }
}

/// Whether a key is one of those named, or related to one.
fn is_named(selection: &Selection, key: &Key) -> bool {
    let named = |name: &KeyName| {
        let related = key.id.is_multi_region() && id_of(name) == Some(key.id);
        related || names_exactly(name, &key.arn())
    };
    match selection {
        Selection::All => true,
        Selection::Keys(names) => names.iter().any(named),
    }
}

fn names_exactly(name: &KeyName, arn: &KeyArn) -> bool {
    match name {
        KeyName::Id(id) => *id == arn.id,
        KeyName::Arn(named) => named == arn,
        KeyName::Alias(_) | KeyName::AliasArn(_) => false,
    }
}

fn id_of(name: &KeyName) -> Option<KeyId> {
    match name {
        KeyName::Id(id) => Some(*id),
        KeyName::Arn(arn) => Some(arn.id),
        KeyName::Alias(_) | KeyName::AliasArn(_) => None,
    }
}
