//! The cluster of HSMs behind a key store: what must hold before a record names one.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use trent_domain::identifier::AccountId;
use trent_domain::key_store::{Cluster, ClusterError, Connection, KeyStore, Passwords, RegisteredCluster};

use super::parameters::{NewCluster, taken};
use crate::context::Context;
use crate::error::KmsError;

/// The key store that an earlier try of the same request has made, if it is as it was then.
pub(super) fn made_before<'s>(
    stores: &'s [KeyStore],
    account: AccountId,
    name: &str,
    new: &NewCluster,
    ctx: &Context<'_>,
) -> Result<Option<&'s KeyStore>, KmsError> {
    let is_same = |store: &&KeyStore| {
        let cluster = store.cluster();
        store.account == account
            && store.name == name
            && store.connection == Connection::Disconnected
            && cluster.is_some_and(|it| it.id == new.id && it.trust_anchor == new.trust_anchor)
    };
    let Some(store) = stores.iter().find(is_same) else { return Ok(None) };
    Ok(ctx.gate().is_key_store_secret(store, &taken(&new.password))?.then_some(store))
}

/// The cluster that a new key store is to be made of, if that can be.
pub(super) fn new_cluster(
    stores: &[KeyStore],
    account: AccountId,
    new: &NewCluster,
    ctx: &Context<'_>,
) -> Result<Cluster, KmsError> {
    let registered = ctx.gate().find_cluster(&new.id, account, ctx.call.region)?;
    registered.check_active()?;
    let cluster = Cluster {
        id: registered.id.clone(),
        trust_anchor: new.trust_anchor.clone(),
        lineage: registered.lineage,
        passwords: Passwords::default(),
    };
    check_free(stores.iter().filter(|store| store.account == account), &cluster)?;
    if !is_trust_anchor(&new.trust_anchor, &registered) {
        return Err(ClusterError::IncorrectTrustAnchor(registered.id).into());
    }
    registered.check_new()?;
    Ok(cluster)
}

/// The cluster that a key store moves to, if that can be: its keys must be there.
pub(super) fn moved(store: &KeyStore, id: &str, ctx: &Context<'_>) -> Result<RegisteredCluster, KmsError> {
    let registered = ctx.gate().find_cluster(id, store.account, store.region)?;
    registered.check_active()?;
    if store.cluster().is_none_or(|cluster| cluster.lineage != registered.lineage) {
        return Err(ClusterError::NotRelated(registered.id).into());
    }
    registered.check_new()?;
    Ok(registered)
}

/// Whether no other key store of the account and Region has this cluster or a related one.
pub(super) fn check_free<'s>(
    mut others: impl Iterator<Item = &'s KeyStore>,
    cluster: &Cluster,
) -> Result<(), KmsError> {
    let takes = |other: &Cluster| other.id == cluster.id || other.lineage == cluster.lineage;
    if others.any(|other| other.cluster().is_some_and(takes)) {
        return Err(ClusterError::InUse(cluster.id.clone()).into());
    }
    Ok(())
}

/// Whether a PEM text is the certificate that signed that of a cluster, however its lines end.
pub(crate) fn is_trust_anchor(pem: &str, registered: &RegisteredCluster) -> bool {
    let lines: Vec<&str> = pem.lines().map(str::trim).collect();
    let certificate = CertificateDer::from_pem_slice(lines.join("\n").as_bytes());
    certificate.is_ok_and(|certificate| *certificate == *registered.trust_anchor)
}

impl From<ClusterError> for KmsError {
    fn from(error: ClusterError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
