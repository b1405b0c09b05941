//! What the configuration says of all clusters, as it is in force.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use trent_domain::key_store::RegisteredCluster;
use trent_domain::quota::Rate;
use trent_hsm::Limits;

use super::Reached;
use crate::config::{ClusterSection, HsmSection};
use crate::hsm_metrics::HsmMetrics;

/// See the top of the file.
pub(super) struct Configured {
    /// By the ids of the clusters.
    pub(super) reached: BTreeMap<String, Reached>,
    /// What may be encrypted and decrypted in the HSMs behind one key store.
    pub(super) rate: Option<Rate>,
    /// As long as a worker may take to start, and to answer.
    pub(super) patience: Duration,
}

/// All that was told of a cluster. While that is the same, its HSMs stay logged in to.
#[derive(PartialEq)]
pub(super) struct Told {
    pub(super) section: ClusterSection,
    /// What stands in the files that the section names.
    registered: Option<RegisteredCluster>,
    limits: Limits,
}

impl Configured {
    pub(super) fn new(section: &HsmSection, clusters: &[RegisteredCluster], metrics: &HsmMetrics) -> Self {
        let hsms = |cluster: &ClusterSection| cluster.hsms.iter().map(|hsm| hsm.id.clone()).collect();
        let clusters_hsms = section.cluster.iter().map(|cluster| (cluster.cluster_id.clone(), hsms(cluster)));
        metrics.know(clusters_hsms.collect());
        let reached = section.cluster.iter().map(|cluster| {
            let registered = clusters.iter().find(|known| known.id == cluster.cluster_id).cloned();
            let reached = Reached::new(section, cluster);
            let told = Told { section: cluster.clone(), registered, limits: reached.limits };
            // All that its HSMs are asked is counted and logged.
            let names = cluster.hsms.iter().map(|hsm| (hsm.token_serial.clone(), hsm.id.clone()));
            let observer = Some(metrics.of(&cluster.cluster_id, names.collect()));
            (cluster.cluster_id.clone(), Reached { observer, told: Some(Arc::new(told)), ..reached })
        });
        Self {
            reached: reached.collect(),
            rate: Rate::per_second(f64::from(section.requests_per_second.as_u32())),
            patience: section.start_seconds.seconds() + section.call_seconds.seconds(),
        }
    }

    /// What is told of a cluster.
    pub(super) fn told(&self, cluster: &str) -> Option<&Told> {
        self.reached.get(cluster).and_then(|reached| reached.told.as_deref())
    }
}

impl Told {
    /// Whether these are the tokens of its HSMs that are active.
    pub(super) fn has<'a>(&self, serials: impl Iterator<Item = &'a str>) -> bool {
        let active = self.registered.iter().flat_map(RegisteredCluster::active_hsms);
        active.map(|hsm| hsm.token_serial.as_str()).eq(serials)
    }
}
