//! What the process counts about itself: its version and start, its jobs, its certificate, memory that is not locked.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use trent_audit::Trail;
use trent_domain::time::Clock;
use trent_server::Metrics;
use trent_server::prometheus_client::collector::Collector;
use trent_server::prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use trent_server::prometheus_client::metrics::MetricType;
use trent_server::prometheus_client::metrics::counter::{ConstCounter, Counter};
use trent_server::prometheus_client::metrics::family::Family;
use trent_server::prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use trent_server::prometheus_client::metrics::info::Info;
use trent_service::{KmsError, Service};

use crate::certificate::validity;
use crate::clock::SystemClock;

/// The metrics of the process. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct ProcessMetrics {
    job_runs: Family<[(&'static str, &'static str); 1], Counter>,
    jobs_succeeded: Gauge,
    certificate_expires: Gauge,
    unlocked: Gauge,
}

impl ProcessMetrics {
    /// Registers them.
    pub(crate) fn register(&self, metrics: &Metrics) {
        let started = <Gauge>::default();
        started.set(now());
        for result in ["Success", "Failure"] {
            // There from the start, so that the first failure is seen as a rise.
            drop(self.job_runs.get_or_create(&[("result", result)]));
        }
        metrics.register(|registry| {
            registry.register("build", "Version", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
            registry.register("start_time_seconds", "When the process started", started);
            registry.register("job_runs", "Runs of all jobs", self.job_runs.clone());
            registry.register(
                "job_last_success_seconds",
                "When all jobs last ran without an error",
                self.jobs_succeeded.clone(),
            );
            registry.register(
                "certificate_expires_seconds",
                "When the certificate that is served ends; 0 without one",
                self.certificate_expires.clone(),
            );
            registry.register(
                "unlocked_key_bytes",
                "Bytes of keys in memory that the system would not lock",
                self.unlocked.clone(),
            );
        });
    }

    /// Notes a run of the jobs, and what has changed with it.
    pub(crate) fn jobs_have_run<T>(&self, outcome: &Result<T, KmsError>, service: &Service) {
        let result = if outcome.is_ok() { "Success" } else { "Failure" };
        self.job_runs.get_or_create(&[("result", result)]).inc();
        if outcome.is_ok() {
            self.jobs_succeeded.set(now());
        }
        self.look_at_memory(service);
    }

    /// Notes how much key material is not in locked memory.
    pub(crate) fn look_at_memory(&self, service: &Service) {
        self.unlocked.set(i64::try_from(service.unlocked_bytes()).unwrap_or(i64::MAX));
    }

    /// Notes the certificate that is served from now on.
    pub(crate) fn look_at_certificate(&self, chain: Option<&Path>) {
        if let Some(validity) = chain.and_then(validity) {
            self.certificate_expires.set(validity.until);
        }
    }
}

/// What the audit trail counts, asked for when somebody looks.
#[derive(Debug)]
pub(crate) struct AuditMetrics(Trail);

impl AuditMetrics {
    /// Registers them.
    pub(crate) fn register(trail: &Trail, metrics: &Metrics) {
        metrics.register(|registry| registry.register_collector(Box::new(Self(trail.clone()))));
    }
}

impl Collector for AuditMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stats = self.0.stats();
        for (name, help, count) in [
            ("audit_records", "Audit records on disk", stats.records),
            ("audit_bytes", "Bytes of audit records on disk", stats.bytes),
            ("audit_syncs", "Times that the audit trail was synced", stats.syncs),
            ("audit_failures", "Times that the audit trail could not be written", stats.failures),
            ("audit_unrecorded", "Failed authentications beyond those that are recorded", stats.unrecorded),
            ("audit_undelivered", "Batches of records that standard output did not take", stats.undelivered),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(count).encode(metric)?;
        }
        for (name, help, value) in [
            ("audit_queued_bytes", "Bytes of records that are not on disk yet", stats.queued_bytes as f64),
            ("audit_lag_seconds", "How long the last batch of records took", stats.lag_micros as f64 / 1e6),
            (
                "audit_failing",
                "1 while requests are refused for the audit trail",
                f64::from(u8::from(stats.failing)),
            ),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(metric)?;
        }
        Ok(())
    }
}

/// What quotas have refused, asked for when somebody looks.
pub(crate) struct QuotaMetrics(Arc<Service>);

impl QuotaMetrics {
    /// Registers them.
    pub(crate) fn register(service: &Arc<Service>, metrics: &Metrics) {
        metrics.register(|registry| registry.register_collector(Box::new(Self(Arc::clone(service)))));
    }
}

impl fmt::Debug for QuotaMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuotaMetrics").finish_non_exhaustive()
    }
}

impl Collector for QuotaMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Requests refused by a quota";
        let mut metric = encoder.encode_descriptor("quota_throttled", help, None, MetricType::Counter)?;
        for throttled in self.0.throttled() {
            let labels = [("account", throttled.account.as_str()), ("limit", &throttled.limit)];
            ConstCounter::new(throttled.count).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn now() -> i64 {
    SystemClock.now().seconds()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hsm_metrics::HsmMetrics;
    use crate::proxies::KeyStoreMetrics;

    fn called() -> trent_hsm::Called<'static> {
        let (operation, took) = (trent_hsm::Operation::Look, std::time::Duration::ZERO);
        trent_hsm::Called { serial: "serial", operation, took, error: None }
    }

    #[test]
    fn the_book_explains_every_metric() {
        let metrics = Metrics::new();
        let process = ProcessMetrics::default();
        process.register(&metrics);
        AuditMetrics::register(&Trail::default(), &metrics);
        KeyStoreMetrics::default().register(&metrics);
        // Families without members are not shown.
        let hsms = HsmMetrics::default();
        hsms.register(&metrics);
        hsms.know([("one".to_owned(), ["hsm".to_owned()].into())].into());
        hsms.of("one", [("serial".to_owned(), "hsm".to_owned())].into()).called(&called());
        let text = metrics.encode().unwrap();
        let book = include_str!("../../../docs/book/metrics.md");
        let mut names = 0;
        for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let (name, kind) = line.split_once(' ').unwrap();
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            assert!(book.contains(&format!("`{name}{suffix}")), "{name}{suffix} is not in the book");
            names += 1;
        }
        assert!(names > 10, "{text}");
    }
}
