//! One key pair written in several ways is one material.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use trent_protocol::Operation::{DeleteImportedKeyMaterial, ImportKeyMaterial};
use trent_testkit::{ImportParameters, TestKms};

/// Pairs with all encodings of them, by Python.
fn pairs() -> Vec<(String, Vec<Value>)> {
    let records = include_str!("../../../crates/crypto/testdata/formats/v1/key_record.json");
    let records: Value = serde_json::from_str(records).unwrap();
    let mut pairs = BTreeMap::<String, (String, Vec<Value>)>::new();
    for case in records["cases"].as_array().unwrap() {
        let (Some(imports), Some(public)) = (case["imports"].as_array(), case["spki"].as_str()) else {
            continue;
        };
        let spec = case["spec"].as_str().unwrap().to_owned();
        // Seed and expanded key of one pair are two cases.
        pairs.entry(public.to_owned()).or_insert((spec, Vec::new())).1.extend(imports.clone());
    }
    let swapped: Value = serde_json::from_str(include_str!("../../data/rsa_primes_swapped.json")).unwrap();
    let mut pairs: Vec<_> = pairs.into_values().collect();
    pairs.push(("RSA_2048".to_owned(), swapped["imports"].as_array().unwrap().clone()));
    pairs
}

fn document(import: &Value) -> Vec<u8> {
    let digits = import["pkcs8"].as_str().unwrap().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

#[tokio::test]
async fn a_pair_in_another_encoding_is_the_same_material() {
    let kms = TestKms::new().await;
    let pairs = pairs();
    assert_eq!(pairs.len(), 15);
    for (spec, imports) in pairs {
        let usage = if spec.starts_with("ML_KEM") { "ENCAPSULATE_DECAPSULATE" } else { "SIGN_VERIFY" };
        let key = kms.create_external_key(&spec, usage).await;
        let parameters = ImportParameters::of(&kms, &key, "RSA_AES_KEY_WRAP_SHA_256", "RSA_2048").await;
        assert!(imports.len() >= 2, "{spec}");
        let mut public = None;
        for import in &imports {
            kms.ok(ImportKeyMaterial, parameters.request(&document(import))).await;
            let own = kms.public_key(&key).await;
            assert_eq!(*public.get_or_insert(own.clone()), own, "{spec}, {}", import["name"]);
        }
        // Once the bytes are gone, too.
        for import in imports.iter().rev() {
            kms.ok(DeleteImportedKeyMaterial, json!({"KeyId": key})).await;
            kms.ok(ImportKeyMaterial, parameters.request(&document(import))).await;
        }
        assert_eq!(kms.metadata(&key).await["KeyState"], "Enabled");
    }
}
