//! The quota of requests of a CloudHSM key store.

use std::path::Path;
use std::time::Instant;

use serde_json::json;
use trent_softhsm::MODULE;

use crate::hsm::{PASSWORD, PATIENCE, World};
use crate::hsm_keys::{create_key, once};
use crate::hsm_three::done;
use crate::support::{Ask, exchange};

#[test]
fn what_is_over_the_quota_of_a_key_store_reaches_no_hsm_and_harms_nobody_else() {
    let world = World::new(&[Some(PASSWORD), Some(PASSWORD)]);
    let config = world.configure(Path::new(MODULE), "replication = 'oaep_transfer'\n");
    let text =
        std::fs::read_to_string(&config).unwrap().replace("[hsm]\n", "[hsm]\nrequests_per_second = 1\n");
    std::fs::write(&config, text).unwrap();
    let data = tempfile::tempdir().unwrap();
    let (server, store) = world.connected(data.path(), &config);
    let key =
        create_key(&server, &json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store}))["KeyId"].take();
    let encrypt = json!({"KeyId": key, "Plaintext": "c2VjcmV0"});
    // One in a second, and as many as fall into the time that this takes.
    let (until, mut answered) = (Instant::now() + PATIENCE, 0);
    let refused = loop {
        let (status, answer) = server.call("Encrypt", &encrypt);
        if status != 200 {
            break (status, answer);
        }
        answered += 1;
        assert!(Instant::now() < until, "{answered} were answered");
    };
    let throttled = json!({
        "__type": "ThrottlingException",
        "message": "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
    });
    assert_eq!(refused, (400, throttled));
    assert_eq!(done(&server, "encrypt").iter().sum::<u64>(), answered);
    let (_, metrics) = exchange(server.ops, "GET", "/metrics", &[("host", b"ops")], b"");
    let labels =
        format!("CustomKeyStoreId=\"{store}\",KmsOperation=\"Encrypt\",KeySpec=\"SYMMETRIC_DEFAULT\"");
    let line = format!("trent_CloudHSMKeyStoreThrottle_total{{{labels}}} 1");
    assert!(metrics.lines().any(|it| it == line), "{line}: {metrics}");
    // Other keys have nothing to do with it, and there is room again.
    server.encrypted_hello();
    once(&server, "Encrypt", &encrypt);
    server.stop();
}
