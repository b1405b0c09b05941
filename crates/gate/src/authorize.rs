//! The way to a permit: find the key, decide, then look at state and usage.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use trent_crypto::ciphertext;
use trent_domain::identifier::{KeyArn, MaterialId};
use trent_domain::key::Key;
use trent_domain::operations::{origin, rotates, rules};
use trent_domain::state;
use trent_protocol::{KeySpec, Operation};

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

    /// A permit for `A` on the key that made `blob`; where the request names a key, it must be that one.
    pub async fn authorize_ciphertext<A: Action>(
        &self,
        name: Option<&str>,
        blob: &[u8],
        facts: &Facts<'_>,
    ) -> Result<Authorized<'_, A>, Refusal> {
        let (mut found, header) = self.find_by_ciphertext::<A>(name, blob, facts).await?;
        self.allow::<A>(&mut found, facts).await?;
        self.admit_maker(found.entry, header)
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
            Some(header) => self.admit_maker(from.entry, header)?,
            None => self.admit(from.entry, None)?,
        };
        let mut to = Found { same_key: Some(same_key), ..to? };
        self.allow::<ReEncryptTo>(&mut to, to_facts).await?;
        Ok((from, self.admit(to.entry, None)?))
    }

    async fn find_by_ciphertext<A: Action>(
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
    fn admit_maker<A: Action>(
        &self,
        entry: Arc<Entry>,
        header: Option<ciphertext::Header>,
    ) -> Result<Authorized<'_, A>, Refusal> {
        match header {
            // Ciphertexts of key pairs have no header. Whether the algorithm fits the key is judged later.
            None if entry.key.spec != KeySpec::SymmetricDefault => self.admit(entry, None),
            None => Err(Refusal::InvalidCiphertext),
            Some(header) if maker(&header) != entry.key.id => Err(Refusal::IncorrectKey),
            Some(header) => self.admit(entry, Some(MaterialId(header.material_id))),
        }
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
}
