//! What the configuration says of clusters, checked as far as that is possible without touching an HSM.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Result;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use trent_crypto::certificate::is_signed_by;
use trent_crypto::digest::sha256;
use trent_domain::key_store::RegisteredCluster;

use super::PASSWORD;
use crate::config::{ClusterSection, HsmSection};
use crate::failure::misuse;

/// The clusters of the configuration.
pub(crate) fn registered(section: &HsmSection) -> Result<Vec<RegisteredCluster>> {
    let clusters = section.cluster.iter().map(register).collect::<Result<Vec<_>>>()?;
    let mut seen = BTreeSet::new();
    for cluster in &clusters {
        if !seen.insert(&cluster.id) {
            return Err(misuse(format!("cluster {} is registered twice", cluster.id)));
        }
    }
    Ok(clusters)
}

fn register(cluster: &ClusterSection) -> Result<RegisteredCluster> {
    let id = &cluster.cluster_id;
    let wrong = |what: &str| misuse(format!("cluster {id}: {what}"));
    if !is_cluster_id(id) {
        return Err(misuse(format!(
            "`{id}` is no id of a cluster: `cluster-` and 11 to 16 of 2-7, a-z, A-Z"
        )));
    }
    let format = &cluster.pin_format;
    if format.matches(PASSWORD).count() != 1 {
        return Err(wrong("pin_format must have {password} in it, once"));
    }
    let mut serials = BTreeSet::new();
    if !cluster.hsms.iter().all(|hsm| serials.insert(&hsm.token_serial)) {
        return Err(wrong("two HSMs have the same token"));
    }
    let trust_anchor = certificate(&cluster.trust_anchor_certificate)?;
    let own = certificate(&cluster.cluster_certificate)?;
    if !is_signed_by(&own, &trust_anchor) {
        return Err(wrong("its certificate was not signed by the trust anchor"));
    }
    Ok(RegisteredCluster {
        id: id.clone(),
        account: cluster.account_id,
        region: cluster.region,
        state: cluster.state,
        trust_anchor: trust_anchor.to_vec(),
        lineage: sha256(&[own.as_ref()]),
        security_group_ok: cluster.security_group_ok,
        subnets: cluster.subnets.clone(),
        hsms: cluster.hsms.clone(),
        failed_logins_max: cluster.failed_logins_max,
    })
}

fn certificate(path: &Path) -> Result<CertificateDer<'static>> {
    let text = fs::read(path).map_err(|error| misuse(format!("{}: {error}", path.display())))?;
    CertificateDer::from_pem_slice(&text)
        .map_err(|error| misuse(format!("{}: no certificate: {error:?}", path.display())))
}

/// The pattern of the API: `cluster-[2-7a-zA-Z]{11,16}`.
fn is_cluster_id(id: &str) -> bool {
    let is_digit = |byte: u8| (b'2'..=b'7').contains(&byte) || byte.is_ascii_alphabetic();
    id.strip_prefix("cluster-")
        .is_some_and(|rest| (11..=16).contains(&rest.len()) && rest.bytes().all(is_digit))
}
