//! A cluster of two HSMs that is in good order until a test changes it, and key stores on it.

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::{Value, json};
use trent_domain::key_store::{ClusterState, Hsm, HsmState, RegisteredCluster, Subnet};
use trent_protocol::Operation;
use trent_service::Registry;

use crate::kms::{ACCOUNT, REGION, TestKms};

/// The id of the cluster.
pub const CLUSTER: &str = "cluster-234abcdefABC";
/// The password of `kmsuser` before anybody has connected.
pub const HSM_PASSWORD: &str = "kmsPswd1";
/// The serial numbers of the tokens of its HSMs.
pub const SERIALS: [&str; 2] = ["f9d13346100831c2", "80fc1e06e7bef617"];

/// A certificate that could be a trust anchor, as PEM and as DER.
pub fn trust_anchor() -> (String, Vec<u8>) {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let made = params.self_signed(&KeyPair::generate().expect("a key pair")).expect("a certificate");
    (made.pem(), made.der().to_vec())
}

/// A cluster in good order, and what its trust anchor is.
pub struct HsmWorld {
    /// The cluster.
    pub cluster: RegisteredCluster,
    /// The trust anchor, as requests have it.
    pub pem: String,
}

impl Default for HsmWorld {
    fn default() -> Self {
        Self::new()
    }
}

impl HsmWorld {
    /// Makes it; nobody knows it yet.
    pub fn new() -> Self {
        let (pem, trust_anchor) = trust_anchor();
        let zone = |index: usize| format!("us-east-1{}", ["a", "b"][index]);
        let subnet = |index: usize| Subnet {
            id: format!("subnet-{index}"),
            availability_zone: zone(index),
            free_addresses: 1,
            deleted: false,
        };
        let hsm = |index: usize| Hsm {
            id: format!("hsm-{index}"),
            availability_zone: zone(index),
            token_serial: SERIALS[index].to_owned(),
            state: HsmState::Active,
        };
        let cluster = RegisteredCluster {
            id: CLUSTER.to_owned(),
            account: ACCOUNT.parse().expect("an account"),
            region: REGION.parse().expect("a Region"),
            state: ClusterState::Active,
            trust_anchor,
            lineage: [7; 32],
            security_group_ok: true,
            subnets: vec![subnet(0), subnet(1)],
            hsms: vec![hsm(0), hsm(1)],
            failed_logins_max: 5,
        };
        Self { cluster, pem }
    }

    /// A service that knows it, and whose HSMs are there.
    pub async fn kms(&self) -> TestKms {
        let kms = TestKms::new().await;
        self.join(&kms);
        kms
    }

    /// Has a service know it, and puts its HSMs there.
    pub fn join(&self, kms: &TestKms) {
        self.register(kms);
        for serial in SERIALS {
            kms.clusters.set_password(serial, HSM_PASSWORD);
        }
    }

    /// Has a service know it, and no other.
    pub fn register(&self, kms: &TestKms) {
        Self::register_all(kms, vec![self.cluster.clone()]);
    }

    /// Registers the cluster with something changed.
    pub fn change(&self, kms: &TestKms, change: impl FnOnce(&mut RegisteredCluster)) {
        let mut cluster = self.cluster.clone();
        change(&mut cluster);
        Self::register_all(kms, vec![cluster]);
    }

    /// Has a service know these clusters, and no other.
    pub fn register_all(kms: &TestKms, clusters: Vec<RegisteredCluster>) {
        kms.service.register(Registry { clusters, ..Registry::default() });
    }

    /// The request for a key store on it.
    pub fn request(&self) -> Value {
        json!({
            "CustomKeyStoreName": "hsm",
            "CloudHsmClusterId": CLUSTER,
            "TrustAnchorCertificate": self.pem,
            "KeyStorePassword": HSM_PASSWORD,
        })
    }

    /// A key store on it.
    pub async fn create(&self, kms: &TestKms) -> String {
        let created = kms.ok(Operation::CreateCustomKeyStore, self.request()).await;
        created["CustomKeyStoreId"].as_str().expect("an id").to_owned()
    }

    /// A key store on it that is connected.
    pub async fn connected(&self, kms: &TestKms) -> String {
        let id = self.create(kms).await;
        kms.connect_store(&id).await;
        let mut shown = kms.ok(Operation::DescribeCustomKeyStores, json!({"CustomKeyStoreId": id})).await;
        assert_eq!(shown["CustomKeyStores"][0]["ConnectionState"].take(), "CONNECTED");
        id
    }
}
