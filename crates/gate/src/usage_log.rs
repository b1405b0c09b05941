//! When keys were last used: kept in memory, written in batches by a job.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use parking_lot::Mutex;
use trent_domain::identifier::{KeyId, Region};
use trent_domain::usage::LastUsage;

use crate::authorize::Authorized;
use crate::opening::Gate;
use crate::refusal::Refusal;

const SHARDS: usize = 64;

type Shard = Mutex<HashMap<(Region, KeyId), LastUsage>>;

/// The last usages that are not in the database yet.
pub(crate) struct UsageLog {
    shards: Box<[Shard]>,
    hasher: RandomState,
}

impl Default for UsageLog {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), hasher: RandomState::new() }
    }
}

impl UsageLog {
    fn record(&self, place: (Region, KeyId), usage: LastUsage) {
        if let Some(shard) = self.shard(&place) {
            shard.lock().insert(place, usage);
        }
    }

    fn pending(&self, place: &(Region, KeyId)) -> Option<LastUsage> {
        self.shard(place).and_then(|shard| shard.lock().get(place).copied())
    }

    fn take(&self) -> Vec<((Region, KeyId), LastUsage)> {
        self.shards.iter().flat_map(|shard| std::mem::take(&mut *shard.lock())).collect()
    }

    // Puts back what could not be written, unless something newer has come.
    fn put_back(&self, taken: Vec<((Region, KeyId), LastUsage)>) {
        for (place, usage) in taken {
            if let Some(shard) = self.shard(&place) {
                shard.lock().entry(place).or_insert(usage);
            }
        }
    }

    fn shard(&self, place: &(Region, KeyId)) -> Option<&Shard> {
        let index = usize::try_from(self.hasher.hash_one(place)).unwrap_or_default() % SHARDS;
        self.shards.get(index)
    }
}

impl<A> Authorized<'_, A> {
    /// Notes that the key was used with success.
    pub fn record_usage(&self, usage: LastUsage) {
        self.gate.usage.record((self.entry.key.region, self.entry.key.id), usage);
    }

    /// When the key was last used, however long ago.
    pub async fn last_usage(&self) -> Result<Option<LastUsage>, Refusal> {
        let (region, id) = (self.entry.key.region, self.entry.key.id);
        if let Some(pending) = self.gate.usage.pending(&(region, id)) {
            return Ok(Some(pending));
        }
        Ok(trent_database::read(&*self.gate.database, move |records| records.last_usage(region, id)).await?)
    }
}

impl Gate {
    /// Writes the usages noted since the last time; says how many.
    pub async fn flush_usage(&self) -> Result<usize, Refusal> {
        let taken = self.usage.take();
        if taken.is_empty() {
            return Ok(0);
        }
        let batch = taken.clone();
        let written = trent_database::write(&*self.database, "record last usage", move |transaction| {
            batch
                .iter()
                .try_for_each(|((region, id), usage)| transaction.record_usage(*region, *id, usage))?;
            Ok::<_, Refusal>(())
        })
        .await;
        let count = taken.len();
        match written.map_err(Refusal::from).and_then(|result| result) {
            Ok(()) => Ok(count),
            Err(error) => {
                self.usage.put_back(taken);
                Err(error)
            }
        }
    }
}
