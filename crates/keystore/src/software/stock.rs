//! Making key pairs: at once where that is quick, from a small stock where it is not.
//!
//! An RSA pair of 4096 bits takes up to 2 s. Whoever asks for one is likely to ask for another, so with each that is
//! taken, another is made on the pool's threads of low priority and kept ready. Nothing is made before the first is
//! asked for.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use trent_crypto::asymmetric::{KeyPair, KeyPairSpec};
use trent_crypto::{Random, RandomError};

use crate::pool::Pool;
use crate::store::StoreError;

/// How many pairs of each RSA spec are kept ready.
const READY: usize = 2;

/// Pairs that nobody has yet.
pub(super) struct Stock {
    ready: Arc<Mutex<HashMap<KeyPairSpec, Vec<KeyPair>>>>,
    random: Arc<dyn Random>,
    pool: Arc<Pool>,
}

impl Stock {
    pub(super) fn new(random: Arc<dyn Random>, pool: Arc<Pool>) -> Self {
        Self { ready: Arc::default(), random, pool }
    }

    /// A fresh pair.
    pub(super) async fn take(&self, spec: KeyPairSpec) -> Result<KeyPair, StoreError> {
        if !is_slow(spec) {
            return Ok(KeyPair::generate(spec, &*self.random)?);
        }
        let ready = self.ready.lock().get_mut(&spec).and_then(Vec::pop);
        let pair = match ready {
            Some(pair) => pair,
            None => {
                let random = Arc::clone(&self.random);
                self.pool.make(move || KeyPair::generate(spec, &*random)).await??
            }
        };
        self.refill(spec);
        Ok(pair)
    }

    /// Has the pairs that are missing made, without waiting for them.
    fn refill(&self, spec: KeyPairSpec) {
        let missing = READY.saturating_sub(self.ready.lock().get(&spec).map_or(0, Vec::len));
        for _ in 0..missing {
            let (ready, random) = (Arc::clone(&self.ready), Arc::clone(&self.random));
            self.pool.make_later(move || {
                let has_room = |ready: &HashMap<_, Vec<_>>| ready.get(&spec).map_or(0, Vec::len) < READY;
                // Others may have been made since.
                if !has_room(&ready.lock()) {
                    return;
                }
                let made: Result<KeyPair, RandomError> = KeyPair::generate(spec, &*random);
                let mut ready = ready.lock();
                if let Ok(pair) = made
                    && has_room(&ready)
                {
                    ready.entry(spec).or_default().push(pair);
                }
            });
        }
    }
}

const fn is_slow(spec: KeyPairSpec) -> bool {
    matches!(spec, KeyPairSpec::Rsa2048 | KeyPairSpec::Rsa3072 | KeyPairSpec::Rsa4096)
}
