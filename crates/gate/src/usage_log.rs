//! When keys were last used: kept in memory, written in batches by a job.

use std::collections::HashMap;

use parking_lot::Mutex;
use trent_domain::identifier::{KeyId, Region};
use trent_domain::usage::LastUsage;

use crate::authorize::Authorized;
use crate::opening::Gate;
use crate::refusal::Refusal;

const SHARDS: usize = 64;
/// How many usages are written in one transaction: other writes get their turn in between.
const BATCH: usize = 256;

type Place = (Region, KeyId);
type Shard = Mutex<HashMap<Place, LastUsage>>;

/// The last usages that are not in the database yet.
pub(crate) struct UsageLog {
    shards: Box<[Shard]>,
}

impl Default for UsageLog {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect() }
    }
}

impl UsageLog {
    fn record(&self, place: Place, usage: LastUsage) {
        if let Some(shard) = self.shard(&place) {
            shard.lock().insert(place, usage);
        }
    }

    fn pending(&self, place: &Place) -> Option<LastUsage> {
        self.shard(place).and_then(|shard| shard.lock().get(place).copied())
    }

    fn all(&self) -> Vec<(Place, LastUsage)> {
        let noted =
            |shard: &Shard| shard.lock().iter().map(|(place, usage)| (*place, *usage)).collect::<Vec<_>>();
        self.shards.iter().flat_map(noted).collect()
    }

    /// Drops what is in the database now, unless something newer has come.
    fn forget(&self, written: &[(Place, LastUsage)]) {
        for (place, usage) in written {
            let Some(shard) = self.shard(place) else { continue };
            let mut noted = shard.lock();
            if noted.get(place) == Some(usage) {
                noted.remove(place);
            }
            if noted.is_empty() {
                // What one busy moment needed is not kept for good.
                noted.shrink_to_fit();
            }
        }
    }

    fn shard(&self, (_, id): &Place) -> Option<&Shard> {
        // The end of an id is random in those that were made here.
        let [.., last] = id.uuid();
        self.shards.get(usize::from(last) % SHARDS)
    }
}

impl<A> Authorized<'_, A> {
    /// Notes that the key was used with success.
    pub fn record_usage(&self, usage: LastUsage) {
        self.gate.usage.record((self.entry.key.region, self.entry.key.id), usage);
    }

    /// When the key was last used, however long ago.
    pub async fn last_usage(&self) -> Result<Option<LastUsage>, Refusal> {
        self.gate.last_usage(self.entry.key.region, self.entry.key.id).await
    }
}

impl Gate {
    pub(crate) async fn last_usage(&self, region: Region, id: KeyId) -> Result<Option<LastUsage>, Refusal> {
        if let Some(pending) = self.usage.pending(&(region, id)) {
            return Ok(Some(pending));
        }
        Ok(trent_database::read(&*self.database, move |records| records.last_usage(region, id)).await?)
    }

    /// Writes the usages noted so far, a batch at a time; says how many.
    ///
    /// Each stays noted until it is on disk: a failure, or a caller who goes away, loses none, and whoever asks
    /// meanwhile is told of it. Two at once write the same, which does no harm.
    pub async fn flush_usage(&self) -> Result<usize, Refusal> {
        let noted = self.usage.all();
        for batch in noted.chunks(BATCH) {
            let usages = batch.to_vec();
            trent_database::write(&*self.database, "record last usage", move |transaction| {
                usages
                    .iter()
                    .try_for_each(|((region, id), usage)| transaction.record_usage(*region, *id, usage))?;
                Ok::<_, Refusal>(())
            })
            .await??;
            self.usage.forget(batch);
        }
        Ok(noted.len())
    }
}
