//! The seed files of `trent dev`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::dev_clock::ok;
use crate::support::{Ask, Server, misused, trent};

const AES: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const MRK: &str = "mrk-1234abcd12ab34cd56ef1234567890ab";

/// The account and the Region of the tests' clients.
fn file(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("keys.yaml");
    fs::write(&path, text).unwrap();
    path
}

fn dev(data: &Path, seed: &Path) -> Command {
    let mut command =
        trent(&["dev", "--listen", "127.0.0.1:0", "--seed-region", trent_testkit::REGION, "--data-dir"]);
    command.arg(data).arg("--seed-file").arg(seed);
    command
}

fn keys() -> String {
    format!(
        "keys:\n- id: {AES}\n  description: fixed\n  tags: {{team: a}}\n  aliases: [alias/fixed]\n  rotation_days: 90\n  \
         materials:\n  - hex: {}\n  - hex: {}\n- id: {MRK}\n  replicas: [eu-north-1]\n  state: Disabled\n\
         - id: 22222222-2222-4222-8222-222222222222\n  origin: EXTERNAL\n  account: '444455556666'\n",
        "01".repeat(32),
        "02".repeat(32)
    )
}

fn metadata(server: &Server, key: &str) -> Value {
    ok(server, "DescribeKey", &json!({"KeyId": key}))["KeyMetadata"].clone()
}

#[test]
fn keys_are_as_the_file_says_and_the_file_may_be_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let (data, seed) = (dir.path().join("data"), file(dir.path(), &keys()));
    let server = Server::start(&mut dev(&data, &seed));
    let fixed = metadata(&server, "alias/fixed");
    assert_eq!((fixed["KeyId"].as_str(), fixed["Description"].as_str()), (Some(AES), Some("fixed")));
    assert_eq!(
        ok(&server, "ListKeyRotations", &json!({"KeyId": AES}))["Rotations"].as_array().unwrap().len(),
        1
    );
    assert_eq!(ok(&server, "GetKeyRotationStatus", &json!({"KeyId": AES}))["RotationPeriodInDays"], 90);
    let related = metadata(&server, MRK);
    assert_eq!(related["KeyState"], "Disabled");
    assert_eq!(related["MultiRegionConfiguration"]["ReplicaKeys"][0]["Region"], "eu-north-1");
    let blob = ok(&server, "Encrypt", &json!({"KeyId": AES, "Plaintext": "aGk="}))["CiphertextBlob"].clone();
    ok(&server, "UpdateKeyDescription", &json!({"KeyId": AES, "Description": "changed"}));
    assert_eq!(server.stop(), 0);
    // On the same data the key stays as it has become; on other data it decrypts what it made here.
    let again = Server::start(&mut dev(&data, &seed));
    assert_eq!(metadata(&again, AES)["Description"], "changed");
    let other = Server::start(&mut dev(&dir.path().join("other"), &seed));
    assert_eq!(ok(&other, "Decrypt", &json!({"CiphertextBlob": blob}))["Plaintext"], "aGk=");
}

#[test]
fn what_is_wrong_is_told_with_line_and_column_and_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    for (text, expected) in [
        (format!("keys:\n- id: {AES}\n  spec: RSA_2048\n"), ":3:9: a key of spec RSA_2048 needs a usage: "),
        (
            format!("keys:\n- id: {AES}\n  material: {{hex: 00}}\n"),
            ":3:13: no material of a SYMMETRIC_DEFAULT key, which is 32 bytes",
        ),
        (format!("keys:\n- id: {AES}\n- id: {AES}\n"), ":3:7: key `1234abcd-"),
        (format!("keys:\n- id: {AES}\n  aliases:\n  - fixed\n"), ":4:5: Alias must start with"),
        (format!("keys:\n- id: {AES}\n  replicas: [eu-north-1]\n"), ":3:14: only multi-Region keys"),
        (format!("keys:\n- id: {AES}\n  policy: '{{}}'\n"), ":3:11: no key policy: "),
        (format!("keys:\n- id: {AES}\n  rotation_days: 1\n"), ":3:18: a rotation period has 90 to 2560 days"),
    ] {
        let told = misused(&mut dev(&data, &file(dir.path(), &text)));
        assert!(told.contains(&format!("keys.yaml{expected}")), "{told}");
    }
    let server = Server::start(&mut dev(&data, &file(dir.path(), &format!("keys:\n- id: {AES}\n"))));
    assert_eq!(server.call_as("test", "test", "ListKeys", &json!({})).1["Keys"].as_array().unwrap().len(), 1);
    assert_eq!(server.stop(), 0);
    let other = format!("keys:\n- id: {AES}\n  material: {{hex: {}}}\n", "01".repeat(32));
    let told = misused(&mut dev(&data, &file(dir.path(), &other)));
    assert!(told.contains(":3:13: ") && told.contains("is there with other material"), "{told}");
}
