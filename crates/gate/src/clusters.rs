//! Clusters of HSMs behind key stores: `kmsuser`'s passwords, logging in, and changing the password. No key is used here.

use trent_crypto::SecretBytes;
use trent_domain::identifier::{AccountId, Region};
use trent_domain::key_store::{
    Cluster, ClusterError, ClusterFailure, Hsm, KeyStore, KeyStoreId, RegisteredCluster, find_cluster,
};
use trent_keystore::{ClusterTarget, FromHsm, StoreError, TokenTarget};

use crate::account::AuthorizedAccount;
use crate::actions::GenerateRandom;
use crate::key_stores::KeyStoreCredential;
use crate::opening::Gate;
use crate::refusal::Refusal;

/// Characters of a password that trent makes.
const PASSWORD_CHARACTERS: usize = 32;
/// Of which each is one: what the tools of clusters accept.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl AuthorizedAccount<'_, GenerateRandom> {
    /// Random bytes of an HSM behind a key store.
    pub async fn random_bytes_of(
        &self,
        store: &KeyStore,
        length: usize,
    ) -> Result<FromHsm<SecretBytes>, ClusterFailure> {
        self.gate.clusters.random(&store.id, length).await
    }
}

impl Gate {
    /// The cluster with an id that the operator has registered for an account and Region.
    pub fn find_cluster(
        &self,
        id: &str,
        account: AccountId,
        region: Region,
    ) -> Result<RegisteredCluster, ClusterError> {
        find_cluster(&self.registry.load().clusters, id, account, region).cloned()
    }

    /// Whether this is the secret in the record of a key store.
    pub fn is_key_store_secret(
        &self,
        store: &KeyStore,
        credential: &KeyStoreCredential,
    ) -> Result<bool, Refusal> {
        Ok(self.open_key_store_secret(store)? == *credential)
    }

    /// A password for `kmsuser` that nobody else knows, sealed for the record of a key store.
    pub async fn new_cluster_password(&self, store: &KeyStore) -> Result<Vec<u8>, Refusal> {
        let mut password = Vec::with_capacity(PASSWORD_CHARACTERS);
        while password.len() < PASSWORD_CHARACTERS {
            let mut byte = [0];
            self.random.fill(&mut byte).map_err(StoreError::from)?;
            // Each character is as likely as any other: what is left of 256 after four times 62 is drawn again.
            let [drawn] = byte.map(usize::from);
            if drawn < 4 * ALPHABET.len() {
                password.extend(ALPHABET.get(drawn % ALPHABET.len()));
            }
        }
        self.seal_key_store_secret(store, &KeyStoreCredential::new(password.into())).await
    }

    /// Logs in to the HSMs behind a key store, with whichever password each of them has.
    pub async fn log_in_to_cluster(
        &self,
        store: &KeyStore,
        registered: &RegisteredCluster,
    ) -> Result<(), ClusterFailure> {
        let tokens = self.tokens(store, registered)?;
        self.clusters.log_in(target(store, registered, tokens)).await
    }

    /// Logs in to those HSMs behind a connected key store that it is not logged in to, and answers which have let it in.
    /// Where all passwords were wrong before, none is tried.
    pub async fn rejoin_cluster(
        &self,
        store: &KeyStore,
        registered: &RegisteredCluster,
    ) -> Result<Vec<String>, ClusterFailure> {
        let mut tokens = self.tokens(store, registered)?;
        let refusing = store.cluster().map(|cluster| &cluster.passwords.refusing);
        for token in &mut tokens {
            if refusing.is_some_and(|refusing| refusing.contains(&token.serial)) {
                token.passwords.clear();
            }
        }
        self.clusters.rejoin(target(store, registered, tokens)).await
    }

    /// Those of the HSMs behind a key store that know none of the passwords.
    pub fn refusing_hsms(&self, store: &KeyStoreId) -> Option<Vec<String>> {
        self.clusters.refusing(store)
    }

    /// Tells that there is no way to the HSMs behind a key store, so that nobody waits for it.
    pub async fn no_way_to_cluster(&self, store: &KeyStoreId) {
        // What goes wrong with that is of no consequence.
        let _ = self.clusters.unreachable(store).await;
    }

    /// Lets passwords be tried again in HSMs where all were wrong.
    pub fn forgive_hsms(&self, store: &KeyStoreId) {
        self.clusters.forgive(store);
    }

    /// Gives `kmsuser` the sealed password in all HSMs that have let it in, and tells which have it now.
    pub async fn change_cluster_password(
        &self,
        store: &KeyStore,
        sealed: &[u8],
    ) -> Result<Vec<String>, ClusterFailure> {
        let KeyStoreCredential(new) = self.open_password(store, sealed)?;
        self.clusters.change_password(&store.id, new).await
    }

    /// Whether it is time to look for HSMs that a connected key store is not logged in to.
    pub fn wants_cluster_login(&self, store: &KeyStoreId) -> bool {
        self.clusters.wants_login(store)
    }

    /// Logs out of the HSMs behind a key store. What goes wrong with that is of no consequence.
    pub async fn log_out_of_cluster(&self, store: &KeyStoreId) {
        let _ = self.clusters.log_out(store).await;
    }

    fn tokens(
        &self,
        store: &KeyStore,
        registered: &RegisteredCluster,
    ) -> Result<Vec<TokenTarget>, ClusterFailure> {
        let Some(cluster) = store.cluster() else { return Err(ClusterFailure::Internal) };
        registered.active_hsms().map(|hsm| self.token(store, cluster, hsm)).collect()
    }

    fn token(&self, store: &KeyStore, cluster: &Cluster, hsm: &Hsm) -> Result<TokenTarget, ClusterFailure> {
        let passwords = &cluster.passwords;
        let behind = passwords.behind.get(&hsm.token_serial);
        let sealed = [Some(&store.sealed_secret), passwords.pending.as_ref(), behind];
        let opened = sealed.into_iter().flatten().map(|sealed| Ok(self.open_password(store, sealed)?.0));
        Ok(TokenTarget { serial: hsm.token_serial.clone(), passwords: opened.collect::<Result<_, _>>()? })
    }

    fn open_password(&self, store: &KeyStore, sealed: &[u8]) -> Result<KeyStoreCredential, ClusterFailure> {
        self.open_sealed_secret(store, sealed).map_err(|_| ClusterFailure::Internal)
    }
}

fn target(store: &KeyStore, registered: &RegisteredCluster, tokens: Vec<TokenTarget>) -> ClusterTarget {
    ClusterTarget { store: store.id.clone(), cluster: registered.id.clone(), tokens }
}
