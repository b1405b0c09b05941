//! Keys that may not do everything.

use trent_xks::response::Encrypted;
use trent_xks::{Api, ErrorName, ExternalKeyId};

use super::{STATE, USAGE, demand};
use crate::bench::{Bench, is_error, sealed};
use crate::body;
use crate::report::Suite;

pub(crate) async fn run(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    suite.group("restricted keys");
    let keys = &bench.plan.keys;
    match &keys.encrypt_only {
        Some(key) => encrypt_only(bench, suite, key).await,
        None => suite.skip("a key that only encrypts", "--encrypt-only-key names one"),
    }
    match &keys.decrypt_only {
        Some(key) => decrypt_only(bench, suite, key).await,
        None => suite.skip("a key that only decrypts", "--decrypt-only-key names one"),
    }
    match &keys.neither {
        Some(key) => {
            metadata(bench, suite, key, ("the key that does neither", false, false)).await;
            cannot(bench, suite, key, ("the key that does neither", Api::Encrypt)).await;
            cannot(bench, suite, key, ("the key that does neither", Api::Decrypt)).await;
        }
        None => suite.skip("a key that does neither", "--impotent-key names one"),
    }
    match &keys.disabled {
        Some(key) => disabled(bench, suite, key).await,
        None => suite.skip("a key that is disabled", "--disabled-key names one"),
    }
}

async fn encrypt_only(bench: &Bench<'_>, suite: &mut Suite<'_>, key: &ExternalKeyId) {
    const NAME: &str = "the key that only encrypts";
    metadata(bench, suite, key, (NAME, true, false)).await;
    let path = bench.path_of(key, Api::Encrypt);
    let reply = bench.ask(&path, &body::encrypt(b"trent", None, false)).await;
    let found = reply.and_then(|reply| sealed(&reply, 5)).map(drop);
    suite.must(format!("{NAME} encrypts"), demand("Encrypt", "status 200"), found);
    cannot(bench, suite, key, (NAME, Api::Decrypt)).await;
    let reply = bench.ask(&path, &body::encrypt(b"trent", None, true)).await;
    let found = is_error(reply, Api::Encrypt, ErrorName::InvalidKeyUsageException);
    let trial = demand(
        "Encrypt",
        "status 400 with `InvalidKeyUsageException`: with an integrity value the proxy decrypts what it has encrypted \
         before it answers, which this key cannot",
    );
    suite.must(format!("{NAME} gives no integrity value"), trial, found);
}

async fn decrypt_only(bench: &Bench<'_>, suite: &mut Suite<'_>, key: &ExternalKeyId) {
    const NAME: &str = "the key that only decrypts";
    metadata(bench, suite, key, (NAME, false, true)).await;
    cannot(bench, suite, key, (NAME, Api::Encrypt)).await;
    let reply = bench.ask(&bench.path_of(key, Api::Decrypt), &body::decrypt(&nothing(), None)).await;
    let found = is_error(reply, Api::Decrypt, ErrorName::InvalidCiphertextException);
    suite.must(format!("{NAME} tries to decrypt"), super::CIPHERTEXT, found);
}

async fn disabled(bench: &Bench<'_>, suite: &mut Suite<'_>, key: &ExternalKeyId) {
    const NAME: &str = "the key that is disabled";
    let told = super::metadata::metadata(bench, key, &body::key_metadata("CreateKey")).await;
    let found = told.and_then(|told| match told.is_enabled() {
        false => Ok(()),
        true => Err("keyStatus is ENABLED".to_owned()),
    });
    suite.must(format!("{NAME} says so"), demand("GetKeyMetadata", "keyStatus DISABLED"), found);
    for api in [Api::Encrypt, Api::Decrypt] {
        let reply = bench.ask(&bench.path_of(key, api), &attempt(api)).await;
        let found = is_error(reply, api, ErrorName::InvalidStateException);
        suite.must(format!("{NAME} is refused to {}", api.name()), STATE, found);
    }
}

async fn metadata(
    bench: &Bench<'_>,
    suite: &mut Suite<'_>,
    key: &ExternalKeyId,
    (name, encrypts, decrypts): (&str, bool, bool),
) {
    let told = super::metadata::metadata(bench, key, &body::key_metadata("CreateKey")).await;
    let found = told.and_then(|told| {
        let has = |usage: &str| told.key_usage.iter().any(|other| other == usage);
        match (has("ENCRYPT"), has("DECRYPT")) == (encrypts, decrypts) {
            true => Ok(()),
            false => Err(format!("keyUsage is {}", told.key_usage.join(", ").escape_debug())),
        }
    });
    let demand = demand("GetKeyMetadata", "keyUsage has ENCRYPT and DECRYPT as far as the key may");
    suite.must(format!("{name} says so"), demand, found);
}

async fn cannot(bench: &Bench<'_>, suite: &mut Suite<'_>, key: &ExternalKeyId, (name, api): (&str, Api)) {
    let reply = bench.ask(&bench.path_of(key, api), &attempt(api)).await;
    let found = is_error(reply, api, ErrorName::InvalidKeyUsageException);
    suite.must(format!("{name} is refused to {}", api.name()), USAGE, found);
}

fn attempt(api: Api) -> serde_json::Value {
    match api {
        Api::Decrypt => body::decrypt(&nothing(), None),
        _ => body::encrypt(b"trent", None, false),
    }
}

/// What no key has made.
fn nothing() -> Encrypted {
    Encrypted { ciphertext: vec![0; 5], iv: vec![0; 12], tag: [0; 16], metadata: None, integrity: None }
}
