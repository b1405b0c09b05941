//! Making key pairs: at once where that is quick, from a small stock where it is not.
//!
//! An RSA pair of 4096 bits takes up to 2 s. Whoever asks for one is likely to ask for another, so with each that is
//! taken, another is made on the pool's threads of low priority and kept ready. Nothing is made before the first is
//! asked for.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use trent_crypto::Random;
use trent_crypto::asymmetric::{KeyPair, KeyPairSpec};

use super::pairs::is_slow_to_prepare;
use crate::pool::{Asker, Pool};
use crate::store::StoreError;

/// How many pairs of each RSA spec are kept ready.
const READY: usize = 2;

/// Pairs that nobody has yet.
pub(super) struct Stock {
    shelves: Arc<Mutex<HashMap<KeyPairSpec, Shelf>>>,
    random: Arc<dyn Random>,
    pool: Arc<Pool>,
}

/// The pairs of one spec.
#[derive(Default)]
struct Shelf {
    ready: Vec<KeyPair>,
    /// How many are being made, or wait to be: they must not fill the queue that callers wait in.
    coming: usize,
}

impl Stock {
    pub(super) fn new(random: Arc<dyn Random>, pool: Arc<Pool>) -> Self {
        Self { shelves: Arc::default(), random, pool }
    }

    /// A fresh pair.
    pub(super) async fn take(&self, asker: Asker, spec: KeyPairSpec) -> Result<KeyPair, StoreError> {
        if !is_slow(spec) {
            let random = Arc::clone(&self.random);
            let generate = move || KeyPair::generate(spec, &*random);
            // Not among those of low priority: nobody who waits for an RSA pair is to be waited for.
            return Ok(match is_slow_to_prepare(spec) {
                true => self.pool.run(asker, generate).await??,
                false => generate()?,
            });
        }
        let ready = self.shelves.lock().get_mut(&spec).and_then(|shelf| shelf.ready.pop());
        let pair = match ready {
            Some(pair) => pair,
            None => {
                let random = Arc::clone(&self.random);
                self.pool.make(asker, move || KeyPair::generate(spec, &*random)).await??
            }
        };
        self.refill(spec);
        Ok(pair)
    }

    /// Has the pairs that are missing made, without waiting for them.
    fn refill(&self, spec: KeyPairSpec) {
        while self.expect_another(spec) {
            let (shelves, random) = (Arc::clone(&self.shelves), Arc::clone(&self.random));
            let later = self.pool.make_later(move || {
                let made = KeyPair::generate(spec, &*random);
                put(&shelves, spec, made.ok());
            });
            if later.is_err() {
                // What is not made now is made when it is asked for.
                put(&self.shelves, spec, None);
                return;
            }
        }
    }

    /// Whether one more is to be made, which counts as coming from now on.
    fn expect_another(&self, spec: KeyPairSpec) -> bool {
        let mut shelves = self.shelves.lock();
        let shelf = shelves.entry(spec).or_default();
        let missing = shelf.ready.len() + shelf.coming < READY;
        shelf.coming += usize::from(missing);
        missing
    }
}

/// One that was coming has come, or will not.
fn put(shelves: &Mutex<HashMap<KeyPairSpec, Shelf>>, spec: KeyPairSpec, made: Option<KeyPair>) {
    let mut shelves = shelves.lock();
    let shelf = shelves.entry(spec).or_default();
    shelf.coming = shelf.coming.saturating_sub(1);
    shelf.ready.extend(made);
}

const fn is_slow(spec: KeyPairSpec) -> bool {
    matches!(spec, KeyPairSpec::Rsa2048 | KeyPairSpec::Rsa3072 | KeyPairSpec::Rsa4096)
}
