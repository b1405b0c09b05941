//! The way to a permit: find the key, decide, then look at state and usage.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use trent_crypto::ciphertext::{self, MadeBy};
use trent_domain::identifier::{KeyArn, MaterialId};
use trent_domain::key::Key;
use trent_domain::key_store::{Cluster, KeyStore};
use trent_domain::operations::{origin, rotates, rules, takes_stored};
use trent_domain::state;
use trent_protocol::{KeySpec, KeyState, Operation};

use crate::actions::{Action, ReEncryptFrom, ReEncryptTo};
use crate::cache::Entry;
use crate::facts::Facts;
use crate::find::{Found, maker};
use crate::opening::Gate;
use crate::refusal::Refusal;

/// Proof that this caller may perform `A` on this key, now.
///
/// Only [`Gate`] makes one, and it cannot be copied or kept past the request.
#[must_use]
pub struct Authorized<'gate, A> {
    pub(crate) gate: &'gate Gate,
    pub(crate) entry: Arc<Entry>,
    /// The material that made the ciphertext at hand, where the request carries one.
    pub(crate) made_by: Option<MaterialId>,
    /// The custom key store that holds the key, if one does.
    pub(crate) store: Option<Arc<KeyStore>>,
    action: PhantomData<fn() -> A>,
}

impl<A> Authorized<'_, A> {
    /// The key as it was when the permit was given.
    pub fn key(&self) -> &Key {
        &self.entry.key
    }

    /// The state of the key as it is shown.
    pub fn state(&self) -> KeyState {
        self.entry.key.shown_state(is_connected(&self.entry.key, self.store.as_deref()))
    }

    /// The cluster of HSMs that the key is in, if it is in one.
    pub fn cluster_id(&self) -> Option<&str> {
        self.store.as_ref().and_then(|store| store.cluster()).map(|Cluster { id, .. }| id.as_str())
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
        self.admit(entry, None).await
    }

    /// A permit for `A` on the key that made `blob`; where the request names a key, it must be that one.
    pub async fn authorize_ciphertext<A: Action>(
        &self,
        name: Option<&str>,
        blob: &[u8],
        facts: &Facts<'_>,
    ) -> Result<Authorized<'_, A>, Refusal> {
        let (mut found, header) = self.find_by_ciphertext::<A>(name, blob, facts).await?;
        self.allow::<A>(&mut found, facts).await?;
        self.admit_maker(found.entry, header).await
    }

    /// Permits to decrypt under one key and encrypt under another, each with facts of its own. `blob` is left out
    /// where it does not tell its key.
    pub async fn authorize_re_encryption(
        &self,
        source: (Option<&str>, Option<&[u8]>, &Facts<'_>),
        destination: (&str, &Facts<'_>),
    ) -> Result<(Authorized<'_, ReEncryptFrom>, Authorized<'_, ReEncryptTo>), Refusal> {
        let (name, blob, from_facts) = source;
        let (mut from, header) = match (name, blob) {
            (name, Some(blob)) => {
                let (found, header) =
                    self.find_by_ciphertext::<ReEncryptFrom>(name, blob, from_facts).await?;
                (found, Some(header))
            }
            (Some(name), None) => (self.find::<ReEncryptFrom>(name, from_facts).await?, None),
            (None, None) => return Err(Refusal::InvalidCiphertext),
        };
        let (name, to_facts) = destination;
        // Policies may ask whether both are one key. What else there is to say of the destination comes after all that is
        // to be said of the source.
        let to = self.find::<ReEncryptTo>(name, to_facts).await;
        let same_key = to.as_ref().is_ok_and(|to| to.entry.key.arn() == from.entry.key.arn());
        from.same_key = Some(same_key);
        self.allow::<ReEncryptFrom>(&mut from, from_facts).await?;
        let from = match header {
            Some(header) => self.admit_maker(from.entry, header).await?,
            None => self.admit(from.entry, None).await?,
        };
        let mut to = Found { same_key: Some(same_key), ..to? };
        self.allow::<ReEncryptTo>(&mut to, to_facts).await?;
        Ok((from, self.admit(to.entry, None).await?))
    }

    pub(crate) async fn find_by_ciphertext<A: Action>(
        &self,
        name: Option<&str>,
        blob: &[u8],
        facts: &Facts<'_>,
    ) -> Result<(Found, Option<ciphertext::Header>), Refusal> {
        let header = ciphertext::read_header(blob).ok();
        let found = match (name, &header) {
            (Some(name), _) => self.find::<A>(name, facts).await?,
            (None, Some(header)) => self.find_maker::<A>(maker(header), facts).await?,
            (None, None) => return Err(Refusal::InvalidCiphertext),
        };
        Ok((found, header))
    }

    // An unreadable blob is told of only now: whoever may not use the key they name learns nothing else.
    async fn admit_maker<A: Action>(
        &self,
        entry: Arc<Entry>,
        header: Option<ciphertext::Header>,
    ) -> Result<Authorized<'_, A>, Refusal> {
        match header {
            // Ciphertexts of key pairs have no header. Whether the algorithm fits the key is judged later.
            None if entry.key.spec != KeySpec::SymmetricDefault => self.admit(entry, None).await,
            None => Err(Refusal::InvalidCiphertext),
            Some(header) if maker(&header) != entry.key.id => Err(Refusal::IncorrectKey),
            Some(header) => self.admit(entry, material(header.made_by)).await,
        }
    }

    // State comes after permission: a stranger must not learn that a key is disabled.
    pub(crate) async fn admit<A: Action>(
        &self,
        entry: Arc<Entry>,
        made_by: Option<MaterialId>,
    ) -> Result<Authorized<'_, A>, Refusal> {
        let (rules, entry) = (rules(A::OPERATION), self.without_expired(entry));
        let is_of_origin = origin(A::OPERATION).is_none_or(|origin| origin == entry.key.origin);
        if !is_of_origin || (entry.key.in_store.is_some() && !takes_stored(A::OPERATION)) {
            return Err(Refusal::Origin { arn: entry.key.arn(), origin: entry.key.origin });
        }
        let stays = rotates(A::OPERATION) && entry.key.spec != KeySpec::SymmetricDefault;
        // Recorded: a disabled RSA key that is to rotate on demand is told to be disabled. With the other operations
        // the kind of the key comes first, as its origin does.
        if stays && A::OPERATION != Operation::RotateKeyOnDemand {
            return Err(Refusal::NotRotatable(entry.key.arn()));
        }
        let store = self.store_of(&entry.key).await?;
        state::check_connected(A::OPERATION, &entry.key, is_connected(&entry.key, store.as_deref()))?;
        rules.states.check(&entry.key)?;
        if stays {
            return Err(Refusal::NotRotatable(entry.key.arn()));
        }
        state::check_leads(A::OPERATION, &entry.key)?;
        if rules.usage.is_some_and(|usage| usage != entry.key.usage) {
            let (arn, usage) = (entry.key.arn(), entry.key.usage);
            return Err(Refusal::Usage { arn, usage, operation: A::OPERATION });
        }
        Ok(Authorized { gate: self, entry, made_by, store, action: PhantomData })
    }

    /// The custom key store that holds a key: from memory, else from the database.
    async fn store_of(&self, key: &Key) -> Result<Option<Arc<KeyStore>>, Refusal> {
        match &key.in_store {
            Some(place) => Ok(self.key_store(&place.store).await?),
            None => Ok(None),
        }
    }

    // Material that has expired counts no longer, even before the job has deleted it.
    fn without_expired(&self, entry: Arc<Entry>) -> Arc<Entry> {
        match entry.key.next_expiry().map(|at| (at, self.clock.now())) {
            Some((at, now)) if at <= now => Arc::new(entry.without_expired(now)),
            _ => entry,
        }
    }
}

/// The material that made a ciphertext. Of a key in HSMs there is none here.
fn material(made_by: MadeBy) -> Option<MaterialId> {
    match made_by {
        MadeBy::Material(id) | MadeBy::MaterialAndExternalKey(id) => Some(MaterialId(id)),
        MadeBy::HsmKey(_) => None,
    }
}

/// Whether what holds a key can be asked. trent itself always can.
fn is_connected(key: &Key, store: Option<&KeyStore>) -> bool {
    key.in_store.is_none() || store.is_some_and(KeyStore::is_connected)
}
