//! Faults on request, for tests: answers that go wrong as those of AWS do, late answers, connections that are reset.
//!
//! A server has them only if its settings say so, and `trent serve` never does. They come after the signature was
//! checked: strangers are answered as ever. Each fault draws from its own seeded sequence, so that of the requests
//! which concern it, the same ones are struck every time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use trent_domain::identifier::KeyId;
use trent_protocol::{ErrorCode, Operation};
use trent_service::{Call, KmsError, Service};

use crate::respond::Refusal;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// `ThrottlingException`.
    Throttling,
    /// `KMSInternalException`.
    InternalError,
    /// `KeyUnavailableException`.
    KeyUnavailable,
    /// `DependencyTimeoutException`.
    DependencyTimeout,
    /// The answer comes late; how much is drawn from between the two.
    Latency(Duration, Duration),
    /// The connection is reset without an answer.
    Reset,
}

impl FaultKind {
    /// The answer, for kinds that are one.
    fn error(self) -> Option<KmsError> {
        let (code, text) = match self {
            Self::Throttling => (
                ErrorCode::Throttling,
                "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
            ),
            Self::InternalError => (ErrorCode::KmsInternal, "The service had an internal error. Try again."),
            Self::KeyUnavailable => (
                ErrorCode::KeyUnavailable,
                "The request was rejected because the specified KMS key was not available. You can retry the request.",
            ),
            Self::DependencyTimeout => (
                ErrorCode::DependencyTimeout,
                "The system timed out while trying to fulfill the request. You can retry the request.",
            ),
            Self::Latency(..) | Self::Reset => return None,
        };
        Some(KmsError::new(code, text))
    }

    /// Whether AWS ever answers the operation so: throttling is no error of the model's operations, but of all.
    fn can_strike(self, operation: Operation) -> bool {
        let code = self.error().map(|error| error.code).filter(|code| *code != ErrorCode::Throttling);
        code.is_none_or(|code| operation.errors().contains(&code))
    }
}

/// A fault: what goes wrong, and for whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// The operations that it strikes; none is all that the kind is an answer of.
    pub operations: Vec<Operation>,
    /// The key that a request must name to be struck.
    pub key: Option<KeyId>,
    /// The share of these requests that is struck, from 0 to 1.
    pub rate: f64,
    /// How many are struck at most.
    pub count: Option<u64>,
    /// Where the sequence begins that says which.
    pub seed: u64,
}

/// A fault that is in force, and what it has done.
#[derive(Debug, Clone, PartialEq)]
pub struct StandingFault {
    /// Its number.
    pub id: u64,
    /// The fault.
    pub fault: Fault,
    /// How many requests it has struck.
    pub struck: u64,
}

/// Why a fault cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoFault {
    /// Rates are from 0 to 1.
    Rate,
    /// The longer latency comes second.
    Latency,
    /// The operation never answers so.
    Impossible(Operation),
}

/// The faults of a server; they can be changed while it runs.
#[derive(Default)]
pub struct Faults {
    standing: ArcSwap<Vec<Arc<Standing>>>,
    last_id: AtomicU64,
}

struct Standing {
    id: u64,
    fault: Fault,
    state: Mutex<State>,
}

struct State {
    dice: Dice,
    struck: u64,
}

impl Faults {
    /// Adds a fault, and gives its number.
    ///
    /// # Errors
    /// It can never strike.
    pub fn add(&self, fault: Fault) -> Result<u64, NoFault> {
        check(&fault)?;
        let id = self.last_id.fetch_add(1, Relaxed) + 1;
        let state = Mutex::new(State { dice: Dice(fault.seed), struck: 0 });
        let standing = Arc::new(Standing { id, fault, state });
        self.change(|all| all.push(Arc::clone(&standing)));
        Ok(id)
    }

    /// All faults, in the order in which they were added and strike.
    #[must_use]
    pub fn list(&self) -> Vec<StandingFault> {
        let line = |standing: &Arc<Standing>| StandingFault {
            id: standing.id,
            fault: standing.fault.clone(),
            struck: standing.state.lock().struck,
        };
        self.standing.load().iter().map(line).collect()
    }

    /// Removes a fault; says whether it was there.
    pub fn remove(&self, id: u64) -> bool {
        let there = self.standing.load().iter().any(|standing| standing.id == id);
        self.change(|all| all.retain(|standing| standing.id != id));
        there
    }

    /// Removes all.
    pub fn clear(&self) {
        self.standing.store(Arc::default());
    }

    fn change(&self, change: impl Fn(&mut Vec<Arc<Standing>>)) {
        self.standing.rcu(|all| {
            let mut all = Vec::clone(all);
            change(&mut all);
            all
        });
    }

    /// Lets the faults strike that concern a request: each in its turn, until one is its answer.
    pub(crate) async fn meet(
        &self,
        operation: Operation,
        body: &[u8],
        call: &Call<'_>,
        service: &Service,
    ) -> Result<(), Refusal> {
        let all = self.standing.load_full();
        let mut named = None;
        for standing in all.iter().filter(|standing| standing.fault.concerns(operation)) {
            if let Some(key) = standing.fault.key {
                let keys = match named.take() {
                    Some(keys) => keys,
                    None => keys_named(body, call, service).await,
                };
                if !named.insert(keys).contains(&key) {
                    continue;
                }
            }
            standing.strike().await?;
        }
        Ok(())
    }
}

fn check(fault: &Fault) -> Result<(), NoFault> {
    if !(0.0..=1.0).contains(&fault.rate) {
        return Err(NoFault::Rate);
    }
    if let FaultKind::Latency(least, most) = fault.kind
        && least > most
    {
        return Err(NoFault::Latency);
    }
    match fault.operations.iter().find(|operation| !fault.kind.can_strike(**operation)) {
        Some(operation) => Err(NoFault::Impossible(*operation)),
        None => Ok(()),
    }
}

impl Fault {
    fn concerns(&self, operation: Operation) -> bool {
        let named = self.operations.is_empty() || self.operations.contains(&operation);
        named && self.kind.can_strike(operation)
    }
}

impl Standing {
    async fn strike(&self) -> Result<(), Refusal> {
        let Some(luck) = self.state.lock().next(&self.fault) else { return Ok(()) };
        match self.fault.kind {
            FaultKind::Latency(least, most) => {
                tokio::time::sleep(least + most.saturating_sub(least).mul_f64(luck)).await;
                Ok(())
            }
            FaultKind::Reset => Err(Refusal::Reset),
            kind => kind.error().map_or(Ok(()), |error| Err(Refusal::Operation(error))),
        }
    }
}

impl State {
    /// A number from 0 to 1, excluded, if the next request is struck.
    fn next(&mut self, fault: &Fault) -> Option<f64> {
        if fault.count.is_some_and(|count| self.struck >= count) {
            return None;
        }
        let strikes = self.dice.next() < fault.rate;
        self.struck += u64::from(strikes);
        strikes.then(|| self.dice.next())
    }
}

/// Numbers that are the same for the same seed: SplitMix64 (Steele, Lea, Flood 2014). Nothing secret is drawn here.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // The 53 bits that a float has room for.
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }
}

async fn keys_named(body: &[u8], call: &Call<'_>, service: &Service) -> Vec<KeyId> {
    const MEMBERS: [&str; 4] = ["KeyId", "SourceKeyId", "DestinationKeyId", "TargetKeyId"];
    // What is no JSON is told so by its operation.
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |member: &str| body.get(member).and_then(serde_json::Value::as_str);
    let names: Vec<_> = MEMBERS.into_iter().filter_map(text).collect();
    let blob = text("CiphertextBlob").and_then(|blob| STANDARD.decode(blob).ok());
    service.keys_named(&names, blob.as_deref(), call).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: FaultKind) -> Fault {
        Fault { kind, operations: Vec::new(), key: None, rate: 1.0, count: None, seed: 0 }
    }

    #[test]
    fn the_same_seed_strikes_the_same_requests() {
        let pattern = |seed| {
            let fault = Fault { rate: 0.3, seed, ..fault(FaultKind::Throttling) };
            let mut state = State { dice: Dice(seed), struck: 0 };
            (0..1000).map(|_| state.next(&fault).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(pattern(7), pattern(7));
        assert_ne!(pattern(7), pattern(8));
        let struck = pattern(7).into_iter().filter(|struck| *struck).count();
        assert!((250..350).contains(&struck), "{struck}");
    }

    #[test]
    fn the_generator_is_splitmix64() {
        // The first output for the seed 1234567, as published with the reference implementation.
        let mut dice = Dice(1_234_567);
        assert_eq!((dice.next() * (1_u64 << 53) as f64) as u64, 6_457_827_717_110_365_317 >> 11);
    }

    #[test]
    fn an_operation_is_struck_only_by_what_it_answers_in_the_model() {
        let unavailable = fault(FaultKind::KeyUnavailable);
        assert!(unavailable.concerns(Operation::Decrypt) && !unavailable.concerns(Operation::ListKeys));
        assert!(fault(FaultKind::Throttling).concerns(Operation::ListKeys));
        let impossible = Fault { operations: vec![Operation::ListKeys], ..unavailable };
        assert_eq!(Faults::default().add(impossible), Err(NoFault::Impossible(Operation::ListKeys)));
        let often = Fault { rate: 1.1, ..fault(FaultKind::Reset) };
        assert_eq!(Faults::default().add(often), Err(NoFault::Rate));
    }

    #[test]
    fn faults_are_listed_and_removed_by_number() {
        let faults = Faults::default();
        let (first, second) = (faults.add(fault(FaultKind::Reset)), faults.add(fault(FaultKind::Throttling)));
        assert_eq!((first, second), (Ok(1), Ok(2)));
        assert!(faults.remove(1) && !faults.remove(1));
        assert_eq!(faults.list().iter().map(|standing| standing.id).collect::<Vec<_>>(), [2]);
        faults.clear();
        assert!(faults.list().is_empty());
    }
}
