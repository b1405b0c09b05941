//! Grants in use, in memory: a bucket for each key and grantee that somebody has asked about, the empty ones too.
//!
//! A bucket is changed with the database, not read again: a service may have tens of thousands of grants on one key,
//! and make more all the time.

use std::sync::Arc;

use moka::sync::Cache;
use parking_lot::RwLock;
use trent_database::{Change, Observer};
use trent_domain::grant::{Bucket, Grant, PrincipalId, Use};
use trent_domain::identifier::{KeyId, Region};

use crate::generations::Generations;

const ENTRY_BYTES: usize = 400;

/// A key and whom its grants are for.
pub(super) type Place = (Region, KeyId, PrincipalId);

struct Entry(RwLock<State>);

struct State {
    bucket: Bucket,
    generation: u64,
}

/// The cache of grants.
pub(crate) struct GrantCache {
    entries: Cache<Place, Arc<Entry>>,
    pub(super) generations: Generations,
}

impl GrantCache {
    pub(crate) fn new(bytes: u64) -> Self {
        let entries = Cache::builder().max_capacity(bytes).weigher(|_, entry: &Arc<Entry>| {
            u32::try_from(ENTRY_BYTES + entry.0.read().bucket.bytes()).unwrap_or(u32::MAX)
        });
        Self { entries: entries.build(), generations: Generations::new() }
    }

    /// The grant that is found in memory; `None` when what is at `place` has to be read first.
    pub(super) fn find(
        &self,
        place: &Place,
        wanted: &Use<'_>,
        preferred: impl Fn(&Grant) -> bool,
    ) -> Option<Option<Arc<Grant>>> {
        let entry = self.entries.get(place)?;
        let state = entry.0.read();
        // The lock is taken first: a change that is being published is either in the bucket or not yet answered.
        (state.generation == self.generations.of(place)).then(|| state.bucket.find(wanted, preferred))
    }

    /// Keeps the grants that were read after `generation` was taken.
    pub(super) fn insert(&self, place: Place, bucket: Bucket, generation: u64) {
        let state = State { bucket, generation };
        // If they have changed meanwhile, the entry does not count.
        self.entries.insert(place, Arc::new(Entry(RwLock::new(state))));
    }

    fn change(&self, grant: &Grant, change: impl FnOnce(&mut Bucket)) {
        let place = (grant.key.region, grant.key.id, grant.terms.grantee.clone());
        let generation = self.generations.count_up(&place);
        let Some(entry) = self.entries.get(&place) else { return };
        {
            let mut state = entry.0.write();
            if state.generation + 1 != generation {
                // Older than that, or read anew just now, with the change.
                return;
            }
            change(&mut state.bucket);
            state.generation = generation;
        }
        // To be weighed again.
        self.entries.insert(place, entry);
    }
}

impl Observer for GrantCache {
    fn publish(&self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::GrantCreated(grant) => {
                    self.change(grant, |bucket| bucket.insert(Arc::clone(grant)));
                }
                Change::GrantDeleted(grant) => self.change(grant, |bucket| bucket.remove(grant.id)),
                // The grants of a key that is gone are never asked for again: no other key gets its id.
                Change::Key(..)
                | Change::Alias(..)
                | Change::Identities
                | Change::KeyStore(_)
                | Change::Ring(_) => {}
            }
        }
    }
}
