//! Multi-Region keys.

mod deletion;
mod imported;
mod replicate_key;
mod rotation;
mod shared;
mod three_regions;
mod update_primary_region;

use serde_json::{Value, json};
use trent_protocol::Operation::{ReplicateKey, UpdatePrimaryRegion};
use trent_testkit::TestKms;

/// The Region of the replica that [`replicated`] makes.
const THERE: &str = "us-west-2";
/// Where tests with two replicas have the other one.
const REGION_OF_THIRD: &str = "ap-south-1";

/// A multi-Region primary in the Region of `kms`.
async fn primary(kms: &TestKms) -> String {
    kms.create_key_with(json!({"MultiRegion": true})).await
}

/// Replicates a key, and gives the answer.
async fn replicate(kms: &TestKms, key: &str, region: &str) -> Value {
    kms.ok(ReplicateKey, json!({"KeyId": key, "ReplicaRegion": region})).await
}

async fn promote(kms: &TestKms, key: &str, region: &str) {
    kms.ok(UpdatePrimaryRegion, json!({"KeyId": key, "PrimaryRegion": region})).await;
}

/// A new service as seen from the Region of a primary and from that of its replica, and the id of both keys.
async fn replicated() -> (TestKms, TestKms, String) {
    let kms = TestKms::new().await;
    let there = kms.in_region(THERE);
    let key = primary(&kms).await;
    replicate(&kms, &key, THERE).await;
    (kms, there, key)
}

/// What DescribeKey says of where the related keys are.
async fn configuration(kms: &TestKms, key: &str) -> Value {
    kms.metadata(key).await["MultiRegionConfiguration"].take()
}

/// A configuration as it should be.
fn related(kms: &TestKms, key: &str, kind: &str, primary: &str, replicas: &[&str]) -> Value {
    let named = |region: &str| json!({"Arn": kms.in_region(region).arn(key), "Region": region});
    let replicas: Vec<_> = replicas.iter().map(|region| named(region)).collect();
    json!({"MultiRegionKeyType": kind, "PrimaryKey": named(primary), "ReplicaKeys": replicas})
}

fn not_primary(kms: &TestKms, key: &str) -> String {
    format!("UnsupportedOperationException: {} is not a multi-region primary key.", kms.arn(key))
}
