//! What is counted of HSMs and of the key stores that they are behind, and the line of the log for what each HSM did.
//!
//! Labels are names of the configuration, so that there are never more than HSMs in it; and the ids of key stores, for as long
//! as they are connected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use trent_domain::key_store::KeyStoreId;
use trent_hsm::{Called, Observer};
use trent_protocol::Operation;
use trent_server::Metrics;
use trent_server::prometheus_client::metrics::counter::Counter;
use trent_server::prometheus_client::metrics::family::Family;
use trent_server::prometheus_client::metrics::gauge::Gauge;
use trent_server::prometheus_client::metrics::histogram::Histogram;

/// Upper bounds of the latency buckets, in seconds: from a card in this machine to a cluster that is hardly there.
const BUCKETS: [f64; 12] = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0];

/// The numbers of all HSMs. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct HsmMetrics {
    requests: Family<[(&'static str, String); 4], Counter>,
    took: Family<[(&'static str, String); 3], Histogram>,
    up: Family<[(&'static str, String); 2], Gauge>,
    throttled: Family<[(&'static str, String); 3], Counter>,
    /// The HSMs of the configuration, by cluster. Only of these it is said whether they are up.
    known: Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>,
}

impl Default for HsmMetrics {
    fn default() -> Self {
        let took = Family::new_with_constructor(histogram as fn() -> Histogram);
        Self {
            requests: Family::default(),
            took,
            up: Family::default(),
            throttled: Family::default(),
            known: Arc::default(),
        }
    }
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

impl HsmMetrics {
    /// Registers them.
    pub(crate) fn register(&self, metrics: &Metrics) {
        metrics.register(|registry| {
            registry.register(
                "hsm_requests",
                "Requests to HSMs by operation and result",
                self.requests.clone(),
            );
            registry.register("hsm_request_seconds", "Seconds until HSMs answered", self.took.clone());
            registry.register("hsm_up", "Whether an HSM answered when it was last asked", self.up.clone());
        });
    }

    /// Registers them, and those of key stores, which have CloudWatch's names and dimensions.
    pub(crate) fn register_with_key_stores(&self, metrics: &Metrics) {
        self.register(metrics);
        metrics.register(|registry| {
            registry.register(
                "CloudHSMKeyStoreThrottle",
                "Requests refused since the key store had more than it may have",
                self.throttled.clone(),
            );
        });
    }

    /// A request of an operation was over the quota of a key store.
    pub(crate) fn throttled(&self, store: &KeyStoreId, operation: &'static str) {
        self.throttled.get_or_create(&throttle_labels(store, operation)).inc();
    }

    /// Forgets the numbers of a key store.
    pub(crate) fn forget(&self, store: &KeyStoreId) {
        for operation in Operation::ALL {
            self.throttled.remove(&throttle_labels(store, operation.name()));
        }
    }

    /// Takes the names of all HSMs, by cluster, as the configuration has them from now on. Of others it is not said any more
    /// whether they are up, even if they are still asked something; what was counted of them stays, as counters do.
    pub(crate) fn know(&self, all: BTreeMap<String, BTreeSet<String>>) {
        let mut known = self.known.lock();
        for (cluster, hsms) in &*known {
            let stays = |hsm: &String| all.get(cluster).is_some_and(|hsms| hsms.contains(hsm));
            for hsm in hsms.iter().filter(|hsm| !stays(hsm)) {
                self.up.remove(&up_labels(cluster, hsm));
            }
        }
        *known = all;
    }

    fn is_up(&self, cluster: &str, hsm: &str, is_up: bool) {
        // Under the lock: what is forgotten meanwhile must not come back.
        let known = self.known.lock();
        if known.get(cluster).is_some_and(|hsms| hsms.contains(hsm)) {
            self.up.get_or_create(&up_labels(cluster, hsm)).set(i64::from(is_up));
        }
    }

    /// Whoever counts the calls of a worker: of a cluster whose HSMs have these names, by the serial numbers of their tokens.
    pub(crate) fn of(&self, cluster: &str, names: BTreeMap<String, String>) -> Arc<dyn Observer> {
        Arc::new(Counting { metrics: self.clone(), cluster: cluster.to_owned(), names })
    }
}

// The one spec that keys in HSMs have.
fn throttle_labels(store: &KeyStoreId, operation: &str) -> [(&'static str, String); 3] {
    [
        ("CustomKeyStoreId", store.to_string()),
        ("KmsOperation", operation.to_owned()),
        ("KeySpec", "SYMMETRIC_DEFAULT".to_owned()),
    ]
}

fn up_labels(cluster: &str, hsm: &str) -> [(&'static str, String); 2] {
    [("cluster", cluster.to_owned()), ("hsm", hsm.to_owned())]
}

struct Counting {
    metrics: HsmMetrics,
    cluster: String,
    names: BTreeMap<String, String>,
}

impl Observer for Counting {
    fn called(&self, call: &Called<'_>) {
        let Called { serial, operation, took, error } = *call;
        let Some(name) = self.names.get(serial) else { return };
        let result = error.map_or("OK", |error| error.name());
        let own = |text: &str| text.to_owned();
        let (cluster, hsm) = (("cluster", self.cluster.clone()), ("hsm", name.clone()));
        let kind = ("operation", own(operation.name()));
        let labels = [cluster.clone(), hsm.clone(), kind.clone(), ("result", own(result))];
        self.metrics.requests.get_or_create(&labels).inc();
        self.metrics.took.get_or_create(&[cluster, hsm, kind]).observe(took.as_secs_f64());
        let is_up = !error.is_some_and(trent_hsm::Error::is_outage);
        self.metrics.is_up(&self.cluster, name, is_up);
        log(&self.cluster, name, call, result);
    }
}

/// A line for each call; by default for those alone that change something or fail.
fn log(cluster: &str, hsm: &str, call: &Called<'_>, result: &str) {
    let (token, operation) = (call.serial, call.operation.name());
    let took_us = u64::try_from(call.took.as_micros()).unwrap_or(u64::MAX);
    if call.operation.is_change() || call.error.is_some() {
        tracing::info!(target: "trent_hsm::audit", cluster, hsm, token, operation, result, took_us, "call");
    } else {
        tracing::debug!(target: "trent_hsm::audit", cluster, hsm, token, operation, result, took_us, "call");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use trent_hsm::{Error, Operation, TokenError};

    use super::*;

    #[test]
    fn calls_are_counted_by_hsm_and_an_outage_is_told_apart_from_an_answer() {
        let (metrics, all) = (HsmMetrics::default(), Metrics::new());
        metrics.register(&all);
        let configured = |hsms: &[&str]| {
            let hsms = hsms.iter().map(|&hsm| hsm.to_owned()).collect();
            metrics.know([("cluster-1".to_owned(), hsms)].into());
        };
        configured(&["hsm-a", "hsm-b"]);
        let names =
            BTreeMap::from([("s1".to_owned(), "hsm-a".to_owned()), ("s2".to_owned(), "hsm-b".to_owned())]);
        let observer = metrics.of("cluster-1", names);
        let call = |serial, error: Option<Error>| {
            let (operation, took) = (Operation::Encrypt, Duration::from_millis(3));
            observer.called(&Called { serial, operation, took, error: error.as_ref() });
        };
        let shows = |line: &str| {
            let text = all.encode().unwrap();
            assert!(text.lines().any(|it| it == line), "{line}: {text}");
        };
        call("s1", None);
        call("s1", Some(Error::Token(TokenError::InvalidCiphertext)));
        call("s2", Some(Error::TimedOut));
        call("somebody's", None);
        let hsm = |name: &str| format!("cluster=\"cluster-1\",hsm=\"{name}\"");
        let (a, b) = (hsm("hsm-a"), hsm("hsm-b"));
        shows(&format!("trent_hsm_requests_total{{{a},operation=\"encrypt\",result=\"OK\"}} 1"));
        shows(&format!(
            "trent_hsm_requests_total{{{a},operation=\"encrypt\",result=\"invalid_ciphertext\"}} 1"
        ));
        shows(&format!("trent_hsm_requests_total{{{b},operation=\"encrypt\",result=\"timed_out\"}} 1"));
        shows(&format!("trent_hsm_up{{{a}}} 1"));
        shows(&format!("trent_hsm_up{{{b}}} 0"));
        shows(&format!("trent_hsm_request_seconds_bucket{{le=\"0.005\",{a},operation=\"encrypt\"}} 2"));
        call("s2", None);
        shows(&format!("trent_hsm_up{{{b}}} 1"));
        assert!(!all.encode().unwrap().contains("somebody"));
        // One is taken out of the configuration, and still asked something.
        configured(&["hsm-a"]);
        call("s2", Some(Error::TimedOut));
        let text = all.encode().unwrap();
        assert!(!text.contains(&format!("trent_hsm_up{{{b}}}")), "{text}");
        shows(&format!("trent_hsm_up{{{a}}} 1"));
        shows(&format!("trent_hsm_requests_total{{{b},operation=\"encrypt\",result=\"timed_out\"}} 2"));
        // It is back.
        configured(&["hsm-a", "hsm-b"]);
        call("s2", None);
        shows(&format!("trent_hsm_up{{{b}}} 1"));
    }

    #[test]
    fn what_was_throttled_is_counted_by_store_and_operation_until_the_store_is_forgotten() {
        let (metrics, all) = (HsmMetrics::default(), Metrics::new());
        metrics.register_with_key_stores(&all);
        let [one, other] =
            ["cks-0000000000000000a", "cks-0000000000000000b"].map(|id| id.parse::<KeyStoreId>().unwrap());
        for (store, operation) in
            [(&one, "Encrypt"), (&one, "Encrypt"), (&one, "Decrypt"), (&other, "Encrypt")]
        {
            metrics.throttled(store, operation);
        }
        let line = |store: &KeyStoreId, operation: &str| {
            let text = all.encode().unwrap();
            let labels = format!(
                "CustomKeyStoreId=\"{store}\",KmsOperation=\"{operation}\",KeySpec=\"SYMMETRIC_DEFAULT\""
            );
            let line = format!("trent_CloudHSMKeyStoreThrottle_total{{{labels}}} ");
            text.lines().find_map(|it| it.strip_prefix(&line).map(str::to_owned))
        };
        assert_eq!([line(&one, "Encrypt"), line(&one, "Decrypt")], [Some("2".into()), Some("1".into())]);
        metrics.forget(&one);
        assert_eq!([line(&one, "Encrypt"), line(&one, "Decrypt")], [None, None]);
        assert_eq!(line(&other, "Encrypt"), Some("1".into()));
    }
}
