//! What is counted of the proxies of external key stores, named and labelled as CloudWatch has it.
//!
//! A key store has numbers for as long as its client is kept: they go when it is disconnected, so that there are never
//! more than there are stores. No label comes from a caller; a proxy gives one, the name in its certificate.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use trent_crypto::certificate::Certificate;
use trent_domain::key_store::KeyStoreId;
use trent_domain::time::{Clock, Timestamp};
use trent_server::Metrics;
use trent_server::prometheus_client::collector::Collector;
use trent_server::prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use trent_server::prometheus_client::metrics::MetricType;
use trent_server::prometheus_client::metrics::counter::ConstCounter;
use trent_server::prometheus_client::metrics::gauge::ConstGauge;
use trent_xks::Api;
use trent_xks::response::{Health, HealthStatus};
use trent_xks_client::{CallOutcome, Failure, Observer};

use crate::clock::SystemClock;

/// Upper bounds of the latency buckets, in milliseconds: 35 is what AWS recommends, 200 what it alarms on, 250 an
/// attempt that got no answer, 500 two of them.
const BUCKETS_MS: [u64; 12] = [1, 2, 5, 10, 20, 35, 50, 100, 200, 250, 500, 1000];
/// Letters of a common name that are shown (X.520, `ub-common-name`).
const NAME_MAX: usize = 64;
const STATES: [(HealthStatus, &str); 3] = [
    (HealthStatus::Active, "Active"),
    (HealthStatus::Degraded, "Degraded"),
    (HealthStatus::Unavailable, "Unavailable"),
];
// The one spec that keys in external key stores have.
const SPEC: (&str, &str) = ("KeySpec", "SYMMETRIC_DEFAULT");

/// The numbers of all key stores. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyStoreMetrics(Arc<Mutex<BTreeMap<KeyStoreId, Arc<StoreMetrics>>>>);

/// The numbers of one.
#[derive(Debug, Default)]
pub(super) struct StoreMetrics(Mutex<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    credential_set: Option<Timestamp>,
    calls: BTreeMap<Call, Calls>,
    errors: BTreeMap<(Call, &'static str, bool), u64>,
    throttled: BTreeMap<String, u64>,
    certificate: Option<(String, i64)>,
    /// How many instances of the key manager are in each of [`STATES`]; unknown while the proxy does not tell.
    instances: Option<[u64; STATES.len()]>,
}

/// What was asked of a proxy, and what for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    kms_operation: String,
    xks_operation: &'static str,
}

#[derive(Debug, Default)]
struct Calls {
    count: u64,
    buckets: [u64; BUCKETS_MS.len() + 1],
    took: Duration,
}

impl KeyStoreMetrics {
    /// Registers them.
    pub(crate) fn register(&self, metrics: &Metrics) {
        metrics.register(|registry| registry.register_collector(Box::new(self.clone())));
    }

    /// The numbers of a key store, whose credential is of this age.
    pub(super) fn of(&self, store: &KeyStoreId, credential_set: Timestamp) -> Arc<StoreMetrics> {
        let found = Arc::clone(self.0.lock().entry(store.clone()).or_default());
        found.0.lock().credential_set = Some(credential_set);
        found
    }

    /// Forgets the numbers of a key store.
    pub(super) fn forget(&self, store: &KeyStoreId) {
        self.0.lock().remove(store);
    }
}

impl Observer for StoreMetrics {
    fn called(&self, outcome: &CallOutcome<'_>) {
        let call =
            Call { kms_operation: outcome.kms_operation.to_owned(), xks_operation: outcome.api.name() };
        let mut numbers = self.0.lock();
        if let Some(failure) = outcome.failure {
            let kind = failure.kind();
            let error = (call.clone(), kind.name(), kind.is_retryable());
            *numbers.errors.entry(error).or_default() += 1;
            if outcome.api == Api::Health && !matches!(failure, Failure::Unhealthy) {
                numbers.instances = None;
            }
        }
        let calls = numbers.calls.entry(call).or_default();
        calls.count += 1;
        if let Some(took) = outcome.took {
            calls.took += took;
            let bucket = BUCKETS_MS.iter().take_while(|bound| Duration::from_millis(**bound) < took).count();
            if let Some(bucket) = calls.buckets.get_mut(bucket) {
                *bucket += 1;
            }
        }
    }

    fn throttled(&self, kms_operation: &str) {
        *self.0.lock().throttled.entry(kms_operation.to_owned()).or_default() += 1;
    }

    fn certified(&self, certificate: &Certificate) {
        let name = certificate.common_name.iter().flat_map(|name| name.chars()).take(NAME_MAX).collect();
        self.0.lock().certificate = Some((name, certificate.validity.until));
    }

    fn told(&self, health: &Health) {
        let count = |state| {
            let details = health.ekm_fleet_details.iter();
            details.filter(|instance| instance.health_status == state).count() as u64
        };
        self.0.lock().instances = Some(STATES.map(|(state, _)| count(state)));
    }
}

impl Collector for KeyStoreMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stores: Vec<_> =
            self.0.lock().iter().map(|(id, numbers)| (id.clone(), Arc::clone(numbers))).collect();
        let now = SystemClock.now().seconds();
        encode_requests(&stores, &mut encoder)?;
        encode_errors(&stores, &mut encoder)?;
        encode_throttled(&stores, &mut encoder)?;
        encode_latency(&stores, &mut encoder)?;
        encode_credentials(&stores, now, &mut encoder)?;
        encode_certificates(&stores, now, &mut encoder)?;
        encode_instances(&stores, &mut encoder)
    }
}

type Stores = [(KeyStoreId, Arc<StoreMetrics>)];

fn encode_requests(stores: &Stores, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Requests to proxies, with those that were not sent since the proxy did not answer before";
    let mut metric = encoder.encode_descriptor("XksProxyRequests", help, None, MetricType::Counter)?;
    for (id, numbers) in stores {
        for (call, calls) in &numbers.0.lock().calls {
            ConstCounter::new(calls.count).encode(metric.encode_family(&call.labels(id))?)?;
        }
    }
    Ok(())
}

fn encode_errors(stores: &Stores, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Requests to proxies that failed";
    let mut metric = encoder.encode_descriptor("XksProxyErrors", help, None, MetricType::Counter)?;
    for (id, numbers) in stores {
        for ((call, name, retryable), count) in &numbers.0.lock().errors {
            let [store, operation, api, spec] = call.labels(id);
            let kind = if *retryable { "Retryable errors" } else { "Non-retryable errors" };
            let labels = [store, operation, api, spec, ("ErrorType", kind), ("ExceptionName", name)];
            ConstCounter::new(*count).encode(metric.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn encode_throttled(stores: &Stores, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Requests refused since a key store had too many; proxies were not asked";
    let mut metric =
        encoder.encode_descriptor("ExternalKeyStoreThrottle", help, None, MetricType::Counter)?;
    for (id, numbers) in stores {
        for (operation, count) in &numbers.0.lock().throttled {
            let labels = [("CustomKeyStoreId", id.as_str()), ("KmsOperation", operation), SPEC];
            ConstCounter::new(*count).encode(metric.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn encode_latency(stores: &Stores, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Milliseconds until proxies answered, or were not waited for any longer";
    let mut metric = encoder.encode_descriptor("XksProxyLatency", help, None, MetricType::Histogram)?;
    for (id, numbers) in stores {
        for (call, calls) in &numbers.0.lock().calls {
            let bounds = BUCKETS_MS.iter().map(|bound| *bound as f64).chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(calls.buckets).collect();
            let (sum, count) = (calls.took.as_secs_f64() * 1e3, calls.buckets.iter().sum());
            metric
                .encode_family(&call.labels(id))?
                .encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
    }
    Ok(())
}

fn encode_credentials(stores: &Stores, now: i64, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Days since the credential of a proxy was set";
    let mut metric = encoder.encode_descriptor("XksProxyCredentialAge", help, None, MetricType::Gauge)?;
    for (id, numbers) in stores {
        if let Some(set) = numbers.0.lock().credential_set {
            let labels = [("CustomKeyStoreId", id.as_str())];
            // A clock that was set back makes nothing younger than new.
            let age = days(now - set.seconds()).max(0.0);
            ConstGauge::new(age).encode(metric.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn encode_certificates(stores: &Stores, now: i64, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let (name, help) = ("XksProxyCertificateDaysToExpire", "Days until the certificate of a proxy ends");
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (id, numbers) in stores {
        if let Some((name, until)) = &numbers.0.lock().certificate {
            let labels = [("CustomKeyStoreId", id.as_str()), ("CertificateName", name)];
            ConstGauge::new(days(until - now)).encode(metric.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

fn encode_instances(stores: &Stores, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let (name, help) =
        ("XksExternalKeyManagerStates", "Instances of the key manager behind a proxy, by state");
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (id, numbers) in stores {
        let counts = numbers.0.lock().instances;
        for ((_, state), count) in STATES.iter().zip(counts.iter().flatten()) {
            let labels = [("CustomKeyStoreId", id.as_str()), ("XksExternalKeyManagerState", *state)];
            ConstGauge::new(*count).encode(metric.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

impl Call {
    fn labels<'a>(&'a self, store: &'a KeyStoreId) -> [(&'static str, &'a str); 4] {
        [
            ("CustomKeyStoreId", store.as_str()),
            ("KmsOperation", &self.kms_operation),
            ("XksOperation", self.xks_operation),
            SPEC,
        ]
    }
}

fn days(seconds: i64) -> f64 {
    seconds as f64 / 86_400.0
}

#[cfg(test)]
mod tests {
    use trent_crypto::certificate::Validity;
    use trent_xks::ErrorName;
    use trent_xks::response::Instance;

    use super::*;

    const ID: &str = "cks-1234567890abcdef0";

    fn lines(metrics: &Metrics) -> Vec<String> {
        let text = metrics.encode().unwrap();
        text.lines().filter(|line| line.contains(ID)).map(str::to_owned).collect()
    }

    fn call(store: &StoreMetrics, api: Api, took: Option<u64>, failure: Option<&Failure>) {
        let took = took.map(Duration::from_millis);
        store.called(&CallOutcome { api, kms_operation: "Decrypt", took, failure });
    }

    fn health(states: &[HealthStatus]) -> Health {
        let instance = |state: &HealthStatus| Instance {
            id: String::new(),
            model: String::new(),
            health_status: *state,
        };
        Health {
            xks_proxy_fleet_size: 1,
            xks_proxy_vendor: String::new(),
            xks_proxy_model: String::new(),
            ekm_vendor: String::new(),
            ekm_fleet_details: states.iter().map(instance).collect(),
        }
    }

    #[test]
    fn calls_are_counted_timed_and_told_apart_by_what_went_wrong() {
        let (metrics, stores) = (Metrics::new(), KeyStoreMetrics::default());
        stores.register(&metrics);
        let store = stores.of(&ID.parse().unwrap(), SystemClock.now());
        call(&store, Api::Decrypt, Some(4), None);
        call(&store, Api::Decrypt, Some(250), Some(&Failure::Timeout));
        call(&store, Api::Decrypt, None, Some(&Failure::Timeout));
        let denied = Failure::Proxy(ErrorName::AccessDeniedException, Some("secret detail".to_owned()));
        call(&store, Api::Decrypt, Some(6), Some(&denied));
        store.throttled("Decrypt");
        let lines = lines(&metrics);
        let of = format!(
            r#"CustomKeyStoreId="{ID}",KmsOperation="Decrypt",XksOperation="Decrypt",KeySpec="SYMMETRIC_DEFAULT""#
        );
        let unreached = r#"ErrorType="Retryable errors",ExceptionName="XksProxyUnreachableException""#;
        let refused = r#"ErrorType="Non-retryable errors",ExceptionName="AccessDeniedException""#;
        for line in [
            format!("trent_XksProxyRequests_total{{{of}}} 4"),
            format!(
                r#"trent_ExternalKeyStoreThrottle_total{{CustomKeyStoreId="{ID}",KmsOperation="Decrypt",KeySpec="SYMMETRIC_DEFAULT"}} 1"#
            ),
            format!("trent_XksProxyErrors_total{{{of},{unreached}}} 2"),
            format!("trent_XksProxyErrors_total{{{of},{refused}}} 1"),
            format!("trent_XksProxyLatency_count{{{of}}} 3"),
            format!("trent_XksProxyLatency_sum{{{of}}} 260.0"),
            format!(r#"trent_XksProxyLatency_bucket{{le="5.0",{of}}} 1"#),
            format!(r#"trent_XksProxyLatency_bucket{{le="200.0",{of}}} 2"#),
            format!(r#"trent_XksProxyLatency_bucket{{le="250.0",{of}}} 3"#),
        ] {
            assert!(lines.contains(&line), "{line}\nis not in\n{lines:#?}");
        }
    }

    #[test]
    fn credentials_certificates_and_key_managers_are_shown_until_the_store_is_forgotten() {
        let (metrics, stores) = (Metrics::new(), KeyStoreMetrics::default());
        stores.register(&metrics);
        let (id, now) = (ID.parse().unwrap(), SystemClock.now());
        let store = stores.of(&id, Timestamp::from_millis(now.millis() - 36 * 3_600_000));
        let until = now.seconds() + 9 * 86_400;
        let name = "a\"\n".to_owned() + &"b".repeat(100);
        store.certified(&Certificate {
            validity: Validity { from: 0, until },
            common_name: Some(name),
            subject: String::new(),
            names: Vec::new(),
            key_usage: None,
        });
        use HealthStatus::{Active, Degraded, Unavailable};
        store.told(&health(&[Active, Degraded, Active, Unavailable]));
        let value = |start: &str| {
            let lines = lines(&metrics);
            let line = lines.iter().find(|line| line.starts_with(&format!("trent_{start}")));
            line.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
        };
        let near = |value: Option<f64>, days: f64| value.is_some_and(|value| (value - days).abs() < 0.01);
        assert!(near(value("XksProxyCredentialAge{"), 1.5));
        let certificate = format!(
            r#"XksProxyCertificateDaysToExpire{{CustomKeyStoreId="{ID}",CertificateName="a\"\n{}"}}"#,
            "b".repeat(NAME_MAX - 3)
        );
        assert!(near(value(&certificate), 9.0), "{:#?}", lines(&metrics));
        let state = |state: &str| {
            let labels = format!(r#"CustomKeyStoreId="{ID}",XksExternalKeyManagerState="{state}""#);
            value(&format!("XksExternalKeyManagerStates{{{labels}}}"))
        };
        let states = || ["Active", "Degraded", "Unavailable"].map(state);
        assert_eq!(states(), [Some(2.0), Some(1.0), Some(1.0)]);
        store.told(&health(&[Unavailable]));
        call(&store, Api::Health, Some(1), Some(&Failure::Unhealthy));
        assert_eq!(states(), [Some(0.0), Some(0.0), Some(1.0)]);
        call(&store, Api::Health, Some(250), Some(&Failure::Timeout));
        assert_eq!(states(), [None; 3], "nobody knows how it is");
        stores.forget(&id);
        call(&store, Api::Health, Some(1), None);
        assert_eq!(lines(&metrics), [""; 0], "a late answer brings nothing back");
    }
}
