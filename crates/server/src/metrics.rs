//! What the server counts, and the registry that it shares with other crates.
//!
//! Requests are counted in plain atomics, one set for each core, and added up when somebody asks; what happens
//! once for a connection or less is in shared counters. No label ever names a caller or a key.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, EncodeMetric, NoLabelSet, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use trent_protocol::{ErrorCode, Operation};

use crate::activity::Doing;

/// The metrics of a process: those of the server, and whatever others register.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    pub(crate) requests: Requests,
    pub(crate) connections: Arc<ConnectionMetrics>,
    sts: Family<[(&'static str, &'static str); 2], Counter>,
}

impl Metrics {
    /// The metrics of a server that has not started yet.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("trent");
        let connections = Arc::new(ConnectionMetrics::default());
        connections.register(&mut registry);
        let requests = Requests::default();
        registry.register_collector(Box::new(requests.clone()));
        let sts = Family::default();
        registry.register("sts_requests", "Requests to STS by operation and error code", sts.clone());
        Self { registry: Arc::new(Mutex::new(registry)), requests, connections, sts }
    }

    /// Counts a request to STS.
    pub(crate) fn count_sts(&self, operation: &'static str, code: &'static str) {
        self.sts.get_or_create(&[("operation", operation), ("code", code)]).inc();
    }

    /// Adds metrics. Names are given the prefix `trent_`, and counters the suffix `_total`.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All metrics in the text format of OpenMetrics.
    ///
    /// # Errors
    /// A collector could not tell its metrics.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(out)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// What happens to connections.
#[derive(Debug, Default)]
pub(crate) struct ConnectionMetrics {
    pub(crate) open: Gauge,
    pub(crate) accepted: Counter,
    pub(crate) refused: Counter,
    pub(crate) handshakes: Family<HandshakeLabel, Counter>,
    pub(crate) timeouts: Family<TimeoutLabel, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct HandshakeLabel {
    pub(crate) result: HandshakeResult,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum HandshakeResult {
    Success,
    Failure,
    Timeout,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct TimeoutLabel {
    pub(crate) doing: DoingLabel,
}

/// What took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum DoingLabel {
    Idle,
    Head,
    Body,
    Request,
    Closing,
}

impl From<Doing> for DoingLabel {
    fn from(doing: Doing) -> Self {
        match doing {
            Doing::Idle => Self::Idle,
            Doing::Head => Self::Head,
            Doing::Answering => Self::Request,
            Doing::Closing => Self::Closing,
        }
    }
}

impl ConnectionMetrics {
    pub(crate) fn timed_out(&self, doing: DoingLabel) {
        self.timeouts.get_or_create(&TimeoutLabel { doing }).inc();
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("connections_open", "Connections that are open", self.open.clone());
        registry.register("connections_accepted", "Connections that were let in", self.accepted.clone());
        registry.register(
            "connections_refused",
            "Connections that were turned away, there being too many",
            self.refused.clone(),
        );
        registry.register("tls_handshakes", "TLS handshakes", self.handshakes.clone());
        registry.register("timeouts", "What took too long and was cut", self.timeouts.clone());
    }
}

/// Columns: success, each error code, and answers without a code.
const OUTCOMES: usize = ErrorCode::ALL.len() + 2;
/// Rows: each operation, and requests for none.
const OPERATIONS: usize = Operation::ALL.len() + 1;

/// Upper bounds of the latency buckets, in microseconds; one more bucket has no bound.
const BUCKETS_MICROS: [u64; 15] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    10_000_000,
];

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Success,
    Code(ErrorCode),
    WithoutCode,
}

impl Ended {
    fn column(self) -> usize {
        match self {
            Self::Success => 0,
            Self::Code(code) => 1 + code as usize,
            Self::WithoutCode => OUTCOMES - 1,
        }
    }

    fn name(column: usize) -> &'static str {
        match column.checked_sub(1) {
            None => "OK",
            Some(code) => ErrorCode::ALL.get(code).map_or("none", |code| code.name()),
        }
    }
}

/// The requests of all cores.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requests {
    shards: Arc<Mutex<Vec<Arc<Shard>>>>,
}

impl Requests {
    /// A set of counters for one more core.
    pub(crate) fn shard(&self) -> Arc<Shard> {
        let shard = Arc::new(Shard::default());
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&shard));
        shard
    }

    fn sum(&self, value: impl Fn(&Shard) -> u64) -> u64 {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|shard| value(shard)).sum()
    }
}

/// The requests of one core.
#[derive(Debug)]
pub(crate) struct Shard {
    rows: [Row; OPERATIONS],
}

#[derive(Debug)]
struct Row {
    outcomes: [AtomicU64; OUTCOMES],
    buckets: [AtomicU64; BUCKETS_MICROS.len() + 1],
    nanos: AtomicU64,
}

impl Default for Shard {
    fn default() -> Self {
        let zeros = || std::array::from_fn(|_| AtomicU64::new(0));
        let row = |_| Row {
            outcomes: std::array::from_fn(|_| AtomicU64::new(0)),
            buckets: zeros(),
            nanos: AtomicU64::new(0),
        };
        Self { rows: std::array::from_fn(row) }
    }
}

impl Shard {
    /// Counts one request.
    pub(crate) fn record(&self, operation: Option<Operation>, ended: Ended, took: Duration) {
        let row = operation.map_or(OPERATIONS - 1, |operation| operation as usize);
        let Some(row) = self.rows.get(row) else { return };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_MICROS.iter().take_while(|bound| **bound < micros).count();
        if let Some(bucket) = row.buckets.get(bucket) {
            bucket.fetch_add(1, Relaxed);
        }
        if let Some(outcome) = row.outcomes.get(ended.column()) {
            outcome.fetch_add(1, Relaxed);
        }
        row.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    fn outcome(&self, row: usize, column: usize) -> u64 {
        self.rows.get(row).and_then(|row| row.outcomes.get(column)).map_or(0, |count| count.load(Relaxed))
    }

    fn bucket(&self, row: usize, bucket: usize) -> u64 {
        self.rows.get(row).and_then(|row| row.buckets.get(bucket)).map_or(0, |count| count.load(Relaxed))
    }

    fn nanos(&self, row: usize) -> u64 {
        self.rows.get(row).map_or(0, |row| row.nanos.load(Relaxed))
    }
}

fn operation_name(row: usize) -> &'static str {
    Operation::ALL.get(row).map_or("none", |operation| operation.name())
}

impl Collector for Requests {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.encode_outcomes(&mut encoder)?;
        self.encode_latencies(&mut encoder)?;
        self.encode_sums(&mut encoder)
    }
}

impl Requests {
    fn encode_outcomes(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let help = "Requests by operation and error code";
        let mut metric = encoder.encode_descriptor("requests", help, None, MetricType::Counter)?;
        for row in 0..OPERATIONS {
            for column in 0..OUTCOMES {
                let count = self.sum(|shard| shard.outcome(row, column));
                if count > 0 {
                    let labels = [("operation", operation_name(row)), ("code", Ended::name(column))];
                    ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }

    fn encode_latencies(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let help = "Seconds from the head of a request to its answer";
        let mut metric = encoder.encode_descriptor("request_seconds", help, None, MetricType::Histogram)?;
        for row in 0..OPERATIONS {
            let bounds = BUCKETS_MICROS.iter().map(|micros| seconds(*micros * 1_000)).chain([f64::INFINITY]);
            let counts = (0..=BUCKETS_MICROS.len()).map(|bucket| self.sum(|shard| shard.bucket(row, bucket)));
            let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
            let count = buckets.iter().map(|(_, count)| count).sum();
            if count > 0 {
                let labels = [("operation", operation_name(row))];
                let sum = seconds(self.sum(|shard| shard.nanos(row)));
                metric.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
            }
        }
        Ok(())
    }

    /// Sums that people put alarms on, over all operations.
    fn encode_sums(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        for (name, help, code) in [
            ("throttled", "Requests refused since there were too many", ErrorCode::Throttling),
            (
                "bodies_too_large",
                "Requests refused for the size of their body",
                ErrorCode::RequestEntityTooLarge,
            ),
        ] {
            let column = Ended::Code(code).column();
            let count = (0..OPERATIONS).map(|row| self.sum(|shard| shard.outcome(row, column))).sum::<u64>();
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(count).encode(metric)?;
        }
        Ok(())
    }
}

fn seconds(nanos: u64) -> f64 {
    Duration::from_nanos(nanos).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_all_cores_are_added_up() {
        let metrics = Metrics::new();
        let (one, other) = (metrics.requests.shard(), metrics.requests.shard());
        one.record(Some(Operation::Encrypt), Ended::Success, Duration::from_micros(60));
        other.record(Some(Operation::Encrypt), Ended::Success, Duration::from_secs(20));
        other.record(None, Ended::Code(ErrorCode::Throttling), Duration::ZERO);
        let text = metrics.encode().unwrap();
        for line in [
            r#"trent_requests_total{operation="Encrypt",code="OK"} 2"#,
            r#"trent_requests_total{operation="none",code="ThrottlingException"} 1"#,
            r#"trent_request_seconds_bucket{le="0.00005",operation="Encrypt"} 0"#,
            r#"trent_request_seconds_bucket{le="0.0001",operation="Encrypt"} 1"#,
            r#"trent_request_seconds_bucket{le="+Inf",operation="Encrypt"} 2"#,
            r#"trent_request_seconds_count{operation="Encrypt"} 2"#,
            "trent_throttled_total 1",
            "trent_bodies_too_large_total 0",
            "trent_connections_open 0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\nis not in\n{text}");
        }
    }

    #[test]
    fn codes_and_operations_are_numbered_as_they_are_listed() {
        assert!(ErrorCode::ALL.iter().enumerate().all(|(number, code)| *code as usize == number));
        assert!(Operation::ALL.iter().enumerate().all(|(number, operation)| *operation as usize == number));
    }
}
