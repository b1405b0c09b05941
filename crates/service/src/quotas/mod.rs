//! Request quotas: how many requests a second a caller's account may make in a Region, and what an operator allows for
//! one caller and for one key.
//!
//! Off unless configured, and then one relaxed load for each request. What is counted is of this process alone.

mod buckets;
mod table;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use trent_domain::identifier::{AccountId, Region};
use trent_domain::key::Key;
use trent_domain::quota::Rate;
use trent_domain::time::Timestamp;
use trent_protocol::{DataKeyPairSpec, Operation};

pub use buckets::Bucket;

use crate::context::Call;
use crate::error::KmsError;
use buckets::{Counts, Family};
use table::Table;

/// What requests are limited to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QuotaRules {
    /// Whether the figures of AWS hold where none is given.
    pub as_aws: bool,
    /// Requests a second for each account and Region, or for one account; 0 is no limit.
    pub requests: HashMap<(Option<AccountId>, Bucket), f64>,
    /// Requests a second that use or name one key; 0 is no limit.
    pub per_key: f64,
    /// Requests a second of one user or role in all Regions; 0 is no limit.
    pub per_caller: f64,
}

impl QuotaRules {
    fn limits_anything(&self) -> bool {
        self.as_aws
            || self.per_key > 0.0
            || self.per_caller > 0.0
            || self.requests.values().any(|rate| *rate > 0.0)
    }
}

/// Requests that were refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttled {
    /// Whose they were.
    pub account: AccountId,
    /// The bucket, `key` or `caller`.
    pub limit: String,
    /// How many.
    pub count: u64,
}

/// The quotas that are in force, and what came of them.
#[derive(Default)]
pub(crate) struct Desk {
    on: AtomicBool,
    current: ArcSwapOption<Quotas>,
    // Taken for requests that are refused alone.
    throttled: Arc<Mutex<BTreeMap<(AccountId, Limit), u64>>>,
}

impl Desk {
    /// Brings other rules into force. Everybody may make as many requests as if there had been none before.
    pub(crate) fn put(&self, rules: QuotaRules) {
        let on = rules.limits_anything();
        let throttled = Arc::clone(&self.throttled);
        self.current.store(on.then(|| Arc::new(Quotas::new(rules, throttled))));
        self.on.store(on, Relaxed);
    }

    /// Those in force, if there are any.
    pub(crate) fn current(&self) -> Option<Arc<Quotas>> {
        if self.on.load(Relaxed) { self.current.load_full() } else { None }
    }

    /// What was refused since the start.
    pub(crate) fn throttled(&self) -> Vec<Throttled> {
        let counts = self.throttled.lock();
        let told = |((account, limit), count): (&(AccountId, Limit), &u64)| Throttled {
            account: *account,
            limit: limit.name(),
            count: *count,
        };
        counts.iter().map(told).collect()
    }
}

/// A limit that refuses requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Limit {
    Requests(Bucket),
    Key,
    Caller,
}

impl Limit {
    fn name(self) -> String {
        match self {
            Self::Requests(bucket) => bucket.to_string(),
            Self::Key => "key".to_owned(),
            Self::Caller => "caller".to_owned(),
        }
    }
}

/// Rules and what has been used up under them.
pub(crate) struct Quotas {
    rules: QuotaRules,
    per_key: Option<Rate>,
    per_caller: Option<Rate>,
    requests: Table,
    keys: Table,
    callers: Table,
    throttled: Arc<Mutex<BTreeMap<(AccountId, Limit), u64>>>,
}

impl Quotas {
    fn new(rules: QuotaRules, throttled: Arc<Mutex<BTreeMap<(AccountId, Limit), u64>>>) -> Self {
        Self {
            per_key: Rate::per_second(rules.per_key),
            per_caller: Rate::per_second(rules.per_caller),
            rules,
            requests: Table::new(),
            keys: Table::new(),
            callers: Table::new(),
            throttled,
        }
    }

    /// Counts a request of which nothing is known but its caller and its operation.
    pub(crate) fn admit(
        &self,
        operation: Operation,
        call: &Call<'_>,
        now: Timestamp,
    ) -> Result<(), KmsError> {
        let caller = &call.caller;
        if let Some(rate) = self.per_caller
            && !self.callers.take((caller.account, caller.policy_arn()), rate, now)
        {
            return Err(self.refuse(caller.account, Limit::Caller));
        }
        match Counts::of(operation) {
            Counts::In(bucket) => self.take(bucket, call, call.region, now),
            Counts::ByKey(_) | Counts::ByPair => Ok(()),
        }
    }

    /// Counts a request whose key was found: for the key, and in the bucket if that depends on it.
    pub(crate) fn key_found(
        &self,
        operation: Operation,
        key: &Key,
        call: &Call<'_>,
        now: Timestamp,
    ) -> Result<(), KmsError> {
        self.key_used(key, call, now)?;
        match Counts::of(operation) {
            Counts::ByKey(_) => self.take(Bucket::Uses(Family::of(key.spec)), call, call.region, now),
            Counts::In(_) | Counts::ByPair => Ok(()),
        }
    }

    /// Counts a request for its key alone.
    pub(crate) fn key_used(&self, key: &Key, call: &Call<'_>, now: Timestamp) -> Result<(), KmsError> {
        match self.per_key {
            Some(rate) if !self.keys.take((key.region, key.id), rate, now) => {
                Err(self.refuse(call.caller.account, Limit::Key))
            }
            _ => Ok(()),
        }
    }

    /// Counts a request that is refused before it was known in which bucket it counts.
    pub(crate) fn key_not_found(
        &self,
        operation: Operation,
        call: &Call<'_>,
        now: Timestamp,
    ) -> Result<(), KmsError> {
        match Counts::of(operation) {
            Counts::ByKey(family) => self.take(Bucket::Uses(family), call, call.region, now),
            Counts::In(_) | Counts::ByPair => Ok(()),
        }
    }

    /// Counts a request for a data key pair.
    pub(crate) fn pair(
        &self,
        spec: DataKeyPairSpec,
        call: &Call<'_>,
        now: Timestamp,
    ) -> Result<(), KmsError> {
        self.take(Bucket::Pairs(spec), call, call.region, now)
    }

    /// Counts what a request does in another Region, as so many requests for an operation there.
    pub(crate) fn elsewhere(
        &self,
        operation: Operation,
        times: usize,
        region: Region,
        call: &Call<'_>,
        now: Timestamp,
    ) -> Result<(), KmsError> {
        (0..times).try_for_each(|_| self.take(Bucket::Operation(operation), call, region, now))
    }

    fn take(&self, bucket: Bucket, call: &Call<'_>, region: Region, now: Timestamp) -> Result<(), KmsError> {
        let account = call.caller.account;
        match self.rate(bucket, account, region) {
            Some(rate) if !self.requests.take((account, region, bucket), rate, now) => {
                Err(self.refuse(account, Limit::Requests(bucket)))
            }
            _ => Ok(()),
        }
    }

    fn rate(&self, bucket: Bucket, account: AccountId, region: Region) -> Option<Rate> {
        let set = |account| self.rules.requests.get(&(account, bucket)).copied();
        let of_aws = || self.rules.as_aws.then(|| bucket.of_aws(region));
        Rate::per_second(set(Some(account)).or_else(|| set(None)).or_else(of_aws)?)
    }

    fn refuse(&self, account: AccountId, limit: Limit) -> KmsError {
        *self.throttled.lock().entry((account, limit)).or_default() += 1;
        KmsError::throttled()
    }
}
