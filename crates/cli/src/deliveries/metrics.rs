//! What is counted of receivers, asked for when somebody looks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use trent_server::Metrics;
use trent_server::prometheus_client::collector::Collector;
use trent_server::prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use trent_server::prometheus_client::metrics::MetricType;
use trent_server::prometheus_client::metrics::counter::ConstCounter;
use trent_server::prometheus_client::metrics::gauge::ConstGauge;

use super::Counts;

#[derive(Debug)]
struct Receivers(Vec<Arc<Counts>>);

type Count = fn(&Counts) -> u64;

/// Registers them.
pub(super) fn register(counts: Vec<Arc<Counts>>, metrics: &Metrics) {
    if !counts.is_empty() {
        metrics.register(|registry| registry.register_collector(Box::new(Receivers(counts))));
    }
}

impl Collector for Receivers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counters: [(&str, &str, Count); 3] = [
            ("delivery_sent", "Records or notifications that a receiver took", |counts| {
                counts.sent.load(Relaxed)
            }),
            ("delivery_failures", "Times that a receiver did not take what it was sent", |counts| {
                counts.failures.load(Relaxed)
            }),
            ("delivery_gone", "Records that were removed before they were sent", |counts| {
                counts.gone.load(Relaxed)
            }),
        ];
        for (name, help, count) in counters {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for counts in &self.0 {
                let labels = [("receiver", counts.kind.label())];
                ConstCounter::new(count(counts)).encode(metric.encode_family(&labels)?)?;
            }
        }
        let help = "Records on disk that a receiver has not confirmed";
        let mut metric = encoder.encode_descriptor("delivery_lag_records", help, None, MetricType::Gauge)?;
        for counts in &self.0 {
            let lag = counts.trail.durable().saturating_sub(counts.next.load(Relaxed));
            let labels = [("receiver", counts.kind.label())];
            ConstGauge::new(lag as f64).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
