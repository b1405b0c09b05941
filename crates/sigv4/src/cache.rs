//! Signing keys that were derived before: saves four HMACs of the five that a verification would cost.
//!
//! Bounded, and shared between threads. A look-up that finds its key allocates nothing.
//!
//! Invariant: after [`SigningKeys::forget`] returns, no key derived from a secret read before it is found again,
//! however the two raced. That is why a key enters only through a [`Vacancy`] obtained before the secret was read.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{key::SigningKey, scope::Scope};

/// How many locks the keys are spread over.
const SHARDS: usize = 16;

/// A bounded set of signing keys, each under its [`Scope`].
pub struct SigningKeys {
    shards: [Mutex<Shard>; SHARDS],
    /// Entries per generation of a shard.
    half: usize,
    /// Keyed at random, so that no one can choose access keys that collide.
    hashing: RandomState,
    /// How often keys were forgotten.
    forgotten: AtomicU64,
}

/// What a look-up gives.
#[must_use]
pub enum Lookup<'c, 's> {
    /// The key.
    Found(Arc<SigningKey>),
    /// No key; the place for one.
    Absent(Vacancy<'c, 's>),
}

/// The place for a key that was not found.
#[must_use]
pub struct Vacancy<'c, 's> {
    keys: &'c SigningKeys,
    scope: Scope<'s>,
    hash: u64,
    forgotten: u64,
}

impl SigningKeys {
    /// Room for about `entries_max` keys, never more, but for 32 at least: two in each shard. What was not used for
    /// longest goes first, roughly.
    #[must_use]
    pub fn new(entries_max: usize) -> Self {
        let half = (entries_max / (2 * SHARDS)).max(1);
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            half,
            hashing: RandomState::new(),
            forgotten: AtomicU64::new(0),
        }
    }

    /// Looks for the key of a scope.
    ///
    /// Look first and read the secret after: a key made of a secret that was read earlier may be one that has been
    /// forgotten in between.
    pub fn look_up<'s>(&self, scope: Scope<'s>) -> Lookup<'_, 's> {
        let forgotten = self.forgotten.load(Ordering::SeqCst);
        let hash = self.hashing.hash_one(scope);
        match self.shard(hash).find(hash, &scope, self.half) {
            Some(key) => Lookup::Found(key),
            None => Lookup::Absent(Vacancy { keys: self, scope, hash, forgotten }),
        }
    }

    /// Drops every key of an access key. Call it after its secret has changed or it has gone.
    pub fn forget(&self, access_key_id: &str) {
        // The count goes up first: who read the old secret and stores a key now is either refused or swept below.
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        for shard in &self.shards {
            lock(shard).retain(|entry| &*entry.access_key_id != access_key_id);
        }
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        // Bits from the middle: the lowest choose the bucket within the shard, the highest tell entries of a bucket
        // apart.
        let [first, rest @ ..] = &self.shards;
        let place = usize::try_from((hash >> 32) % SHARDS as u64).unwrap_or(0);
        lock(place.checked_sub(1).and_then(|place| rest.get(place)).unwrap_or(first))
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys").field("entries", &self.len()).finish_non_exhaustive()
    }
}

impl Lookup<'_, '_> {
    /// The key that was found, or the one derived from the secret that `secret` reads now.
    ///
    /// # Errors
    /// Those of `secret`.
    pub fn or_derive<S: AsRef<[u8]>, E>(
        self,
        secret: impl FnOnce() -> Result<S, E>,
    ) -> Result<Arc<SigningKey>, E> {
        match self {
            Self::Found(key) => Ok(key),
            Self::Absent(vacancy) => Ok(vacancy.fill(secret()?.as_ref())),
        }
    }
}

impl Vacancy<'_, '_> {
    /// Derives the key from a secret access key and keeps it, unless keys were forgotten since the look-up.
    #[must_use]
    pub fn fill(self, secret: &[u8]) -> Arc<SigningKey> {
        let Scope { access_key_id, date, region, service } = self.scope;
        let key = Arc::new(SigningKey::derive(secret, date, region, service));
        let entry = Entry {
            access_key_id: access_key_id.into(),
            date: date.into(),
            region: region.into(),
            service: service.into(),
            key: Arc::clone(&key),
        };
        let mut shard = self.keys.shard(self.hash);
        // Read under the lock of the shard, which `forget` takes after it has counted.
        if self.keys.forgotten.load(Ordering::SeqCst) == self.forgotten {
            shard.put(self.hash, entry, self.keys.half);
        }
        key
    }
}

/// One key and what it is for.
struct Entry {
    access_key_id: Box<str>,
    date: Box<str>,
    region: Box<str>,
    service: Box<str>,
    key: Arc<SigningKey>,
}

impl Entry {
    fn is_for(&self, scope: &Scope<'_>) -> bool {
        *self.access_key_id == *scope.access_key_id
            && *self.date == *scope.date
            && *self.region == *scope.region
            && *self.service == *scope.service
    }
}

/// Keys by the hash of their scope. Two scopes with the same hash take turns.
type Entries = HashMap<u64, Entry, BuildHasherDefault<AsIs>>;

/// Two generations: what is used moves to the young one; when that is full it becomes the old one, and what was
/// in the old one goes.
#[derive(Default)]
struct Shard {
    young: Entries,
    old: Entries,
}

impl Shard {
    fn find(&mut self, hash: u64, scope: &Scope<'_>, half: usize) -> Option<Arc<SigningKey>> {
        if let Some(entry) = self.young.get(&hash) {
            return entry.is_for(scope).then(|| Arc::clone(&entry.key));
        }
        let entry = self.old.remove(&hash)?;
        let key = entry.is_for(scope).then(|| Arc::clone(&entry.key));
        self.put(hash, entry, half);
        key
    }

    fn put(&mut self, hash: u64, entry: Entry, half: usize) {
        if self.young.len() >= half && !self.young.contains_key(&hash) {
            mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.old.remove(&hash);
        self.young.insert(hash, entry);
    }

    fn retain(&mut self, keep: impl Fn(&Entry) -> bool) {
        self.young.retain(|_, entry| keep(entry));
        self.old.retain(|_, entry| keep(entry));
    }

    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

/// Locks a shard. One that a panic left behind is whole: no step in here can panic half-way.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes a hash on as it is.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
