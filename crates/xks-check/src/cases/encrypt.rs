//! Encrypt.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use trent_xks::{AAD_BYTES_MAX, Api, ErrorName, TEXT_BYTES_MAX};

use super::{KEY_NOT_FOUND, VALIDATION, demand};
use crate::bench::{Bench, is_error, sealed};
use crate::body::{self, with};
use crate::report::{Found, Latency, Suite};

pub(crate) async fn run(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    suite.group("Encrypt");
    refusals(bench, suite).await;
    answers(bench, suite).await;
    integrity(bench, suite).await;
    vectors(bench, suite).await;
    latency(bench, suite).await;
}

async fn refusals(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    let good = || body::encrypt(b"trent", None, false);
    for (check, path, value) in [
        ("without plaintext", "/plaintext", Value::Null),
        ("without encryptionAlgorithm", "/encryptionAlgorithm", Value::Null),
        ("with the algorithm AES_CBC", "/encryptionAlgorithm", json!("AES_CBC")),
        ("with bad Base64", "/plaintext", json!("a*b=")),
        ("with URL-safe Base64", "/plaintext", json!("-_-_")),
        ("with Base64 without padding", "/plaintext", json!("aGk")),
        ("with a plaintext that is no string", "/plaintext", json!(17)),
        ("with an unknown integrity algorithm", "/ciphertextDataIntegrityValueAlgorithm", json!("MD5")),
        ("without requestMetadata", "/requestMetadata", Value::Null),
        ("with empty requestMetadata", "/requestMetadata", json!({})),
        ("without kmsKeyArn", "/requestMetadata/kmsKeyArn", Value::Null),
    ] {
        let reply = bench.ask(&bench.path(Api::Encrypt), &with(good(), path, value)).await;
        let found = is_error(reply, Api::Encrypt, ErrorName::ValidationException);
        suite.must(format!("{check} it is refused"), VALIDATION, found);
    }
    let reply = bench.ask(&bench.path_of(&bench.plan.keys.absent, Api::Encrypt), &good()).await;
    let found = is_error(reply, Api::Encrypt, ErrorName::KeyNotFoundException);
    suite.must("a key that is not there is not found", KEY_NOT_FOUND, found);
}

async fn answers(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    let complete = demand(
        "Encrypt",
        "status 200 with a ciphertext as long as the plaintext, an initializationVector of 12 or 16 bytes, an \
         authenticationTag of 16, and ciphertextMetadata of at most 20",
    );
    for operation in
        ["Encrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "FutureOperation"]
    {
        let body =
            with(body::encrypt(b"trent", None, false), "/requestMetadata/kmsOperation", json!(operation));
        let found = ask(bench, &body, 5).await.map(drop);
        suite.must(format!("it answers, for {operation}"), complete, found);
    }
    let newer = with(body::encrypt(b"trent", None, false), "/futureMember", json!([{}]));
    let ignored = demand("API", "unknown members are passed over: KMS may add some");
    suite.must("unknown members are passed over", ignored, ask(bench, &newer, 5).await.map(drop));
    let largest = body::encrypt(&[0x5a; TEXT_BYTES_MAX], Some(&[0xa5; AAD_BYTES_MAX]), false);
    let sizes =
        demand("Encrypt", "plaintexts of 4300 bytes and additional authenticated data of 8192 are supported");
    suite.must(
        "4300 bytes with data of 8192 are encrypted",
        sizes,
        ask(bench, &largest, TEXT_BYTES_MAX).await.map(drop),
    );
    let found =
        bench.encrypt(&[0; 64], None).await.and_then(|encrypted| match encrypted.ciphertext == [0; 64] {
            true => Err("the ciphertext is the plaintext".to_owned()),
            false => Ok(()),
        });
    suite.must(
        "the ciphertext is not the plaintext",
        demand("Encrypt", "AES-GCM with the external key"),
        found,
    );
}

async fn ask(
    bench: &Bench<'_>,
    body: &Value,
    length: usize,
) -> Result<trent_xks::response::Encrypted, String> {
    sealed(&bench.ask(&bench.path(Api::Encrypt), body).await?, length)
}

async fn integrity(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    let value = demand(
        "Encrypt",
        "ciphertextDataIntegrityValue: Base64 of SHA-256 over AAD, ciphertextMetadata, IV, ciphertext and tag",
    );
    for (check, aad) in [("without AAD", None), ("with AAD", Some(b"project=nile".as_slice()))] {
        let answer = ask(bench, &body::encrypt(b"trent", aad, true), 5).await;
        let found = answer.and_then(|encrypted| match encrypted.integrity {
            Some(value) if value == encrypted.integrity_value(aad) => Ok(()),
            Some(_) => Err("the integrity value is another one".to_owned()),
            None => Err("there is no integrity value, though it was asked for".to_owned()),
        });
        suite.must(format!("the integrity value is right, {check}"), value, found);
    }
    let answer = bench.encrypt(b"trent", None).await;
    let found: Found = answer.and_then(|encrypted| match encrypted.integrity {
        None => Ok(()),
        Some(_) => Err("there is an integrity value".to_owned()),
    });
    let unasked = demand("Encrypt", "the integrity value is there if it was asked for");
    suite.should("there is no integrity value unless asked for", unasked, found);
}

async fn vectors(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    let count = bench.plan.iv_samples;
    let mut seen = HashSet::new();
    let mut found = Ok(());
    for number in 0..count {
        match bench.encrypt(b"the same each time", None).await {
            Ok(encrypted) => {
                if seen.insert(encrypted.iv) {
                    continue;
                }
                found = Err(format!("call {number} has the IV of one before"));
                break;
            }
            Err(error) => {
                found = Err(format!("call {number}: {error}"));
                break;
            }
        }
    }
    let fresh = demand("Encrypt", "a fresh initialization vector for each call");
    suite.must(format!("{count} calls have as many initialization vectors"), fresh, found);
}

async fn latency(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    let mut times: Vec<Duration> = Vec::new();
    let mut failed = None;
    for _ in 0..bench.plan.samples {
        match bench.timed_encrypt().await {
            (took, Ok(_)) => times.push(took),
            (_, Err(error)) => failed = Some(error),
        }
    }
    let budget_ms = bench.plan.budget.as_secs_f64() * 1000.0;
    let found = match (failed, Latency::of(times.clone())) {
        (Some(error), _) => Err(error),
        (None, Some(latency)) if latency.p99_ms >= budget_ms => {
            Err(format!("99 of 100 took up to {:.1} ms", latency.p99_ms))
        }
        (None, _) => Ok(()),
    };
    suite.measured(times);
    let budget =
        demand("Availability, Durability and Latency", "an answer within 250 ms, the network included");
    suite.must(
        format!("99 of 100 of {} calls take less than {budget_ms} ms", bench.plan.samples),
        budget,
        found,
    );
}
