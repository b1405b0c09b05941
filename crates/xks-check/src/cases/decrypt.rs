//! Decrypt.

use serde_json::{Value, json};
use trent_xks::response::Encrypted;
use trent_xks::{AAD_BYTES_MAX, Api, ErrorName, TEXT_BYTES_MAX};

use super::{CIPHERTEXT, KEY_NOT_FOUND, VALIDATION, demand};
use crate::bench::{Bench, is_error};
use crate::body::{self, altered, encode, with};
use crate::report::{Found, Suite};

const TEXT: &[u8] = b"Hello World!";
const AAD: &[u8] = b"project=nile,department=marketing";

pub(crate) async fn run(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    suite.group("Decrypt");
    round_trips(bench, suite).await;
    match bench.encrypt(TEXT, Some(AAD)).await {
        Ok(encrypted) => {
            alterations(bench, suite, &encrypted).await;
            refusals(bench, suite, &encrypted).await;
        }
        Err(error) => suite.skip("altered ciphertexts", &format!("nothing could be encrypted: {error}")),
    }
    metadata(bench, suite).await;
}

async fn round_trips(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    let same = demand("Decrypt", "status 200 with the plaintext that was encrypted");
    let largest = (vec![0x5a; TEXT_BYTES_MAX], vec![0xa5; AAD_BYTES_MAX]);
    for (check, text, aad) in [
        ("without AAD", TEXT, None),
        ("with AAD", TEXT, Some(AAD)),
        ("with 4300 bytes, and AAD of 8192", &*largest.0, Some(&*largest.1)),
    ] {
        suite.must(format!("what was encrypted decrypts, {check}"), same, round_trip(bench, text, aad).await);
    }
    for operation in ["ReEncrypt", "FutureOperation"] {
        let found = async {
            let encrypted = bench.encrypt(TEXT, None).await?;
            let body = body::decrypt(&encrypted, None);
            let body = with(body, "/requestMetadata/kmsOperation", json!(operation));
            bench.decrypt(&with(body, "/futureMember", json!(1)), TEXT.len()).await.map(drop)
        };
        let found: Found = found.await;
        suite.must(format!("it answers, for {operation} and with an unknown member"), same, found);
    }
}

async fn round_trip(bench: &Bench<'_>, text: &[u8], aad: Option<&[u8]>) -> Found {
    let encrypted = bench.encrypt(text, aad).await?;
    match bench.decrypt(&body::decrypt(&encrypted, aad), text.len()).await? == text {
        true => Ok(()),
        false => Err("another plaintext came back".to_owned()),
    }
}

async fn alterations(bench: &Bench<'_>, suite: &mut Suite<'_>, encrypted: &Encrypted) {
    let good = || body::decrypt(encrypted, Some(AAD));
    for (check, path, value) in [
        ("without its AAD", "/additionalAuthenticatedData", Value::Null),
        ("with other AAD", "/additionalAuthenticatedData", json!(encode(b"project=blue,department=finance"))),
        ("altered", "/ciphertext", json!(encode(&altered(&encrypted.ciphertext)))),
        ("with an altered IV", "/initializationVector", json!(encode(&altered(&encrypted.iv)))),
        ("with an altered tag", "/authenticationTag", json!(encode(&altered(&encrypted.tag)))),
    ] {
        let reply = bench.ask(&bench.path(Api::Decrypt), &with(good(), path, value)).await;
        let found = is_error(reply, Api::Decrypt, ErrorName::InvalidCiphertextException);
        suite.must(format!("a ciphertext {check} is refused"), CIPHERTEXT, found);
    }
}

async fn refusals(bench: &Bench<'_>, suite: &mut Suite<'_>, encrypted: &Encrypted) {
    let good = || body::decrypt(encrypted, Some(AAD));
    for (check, path, value) in [
        ("without ciphertext", "/ciphertext", Value::Null),
        ("without IV", "/initializationVector", Value::Null),
        ("without tag", "/authenticationTag", Value::Null),
        ("with the algorithm AES_CBC", "/encryptionAlgorithm", json!("AES_CBC")),
        ("with bad Base64", "/ciphertext", json!("a*b=")),
        ("without kmsKeyArn", "/requestMetadata/kmsKeyArn", Value::Null),
    ] {
        let reply = bench.ask(&bench.path(Api::Decrypt), &with(good(), path, value)).await;
        let found = is_error(reply, Api::Decrypt, ErrorName::ValidationException);
        suite.must(format!("{check} it is refused"), VALIDATION, found);
    }
    let path = bench.path_of(&bench.plan.keys.absent, Api::Decrypt);
    let found = is_error(bench.ask(&path, &good()).await, Api::Decrypt, ErrorName::KeyNotFoundException);
    suite.must("a key that is not there is not found", KEY_NOT_FOUND, found);
}

/// What only can be checked of proxies that give metadata.
async fn metadata(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    const CHECKS: [&str; 3] = [
        "a ciphertext with altered metadata is refused",
        "a ciphertext without its metadata is refused",
        "metadata do not pass for AAD",
    ];
    let encrypted = match bench.encrypt(TEXT, None).await {
        Ok(encrypted) => encrypted,
        Err(error) => return CHECKS.iter().for_each(|check| suite.skip(*check, &error)),
    };
    let Some(metadata) = encrypted.metadata.clone().filter(|metadata| !metadata.is_empty()) else {
        return CHECKS.iter().for_each(|check| suite.skip(*check, "the proxy gives no ciphertextMetadata"));
    };
    let good = || body::decrypt(&encrypted, None);
    let without = || with(good(), "/ciphertextMetadata", Value::Null);
    let bodies = [
        with(good(), "/ciphertextMetadata", json!(encode(&altered(&metadata)))),
        without(),
        with(without(), "/additionalAuthenticatedData", json!(encode(&metadata))),
    ];
    for (check, body) in CHECKS.into_iter().zip(bodies) {
        let reply = bench.ask(&bench.path(Api::Decrypt), &body).await;
        suite.must(check, CIPHERTEXT, is_error(reply, Api::Decrypt, ErrorName::InvalidCiphertextException));
    }
}
