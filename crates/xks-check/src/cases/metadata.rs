//! GetKeyMetadata.

use serde_json::{Value, json};
use trent_xks::response::KeyMetadata;
use trent_xks::{Api, ErrorName, ExternalKeyId};

use super::{KEY_NOT_FOUND, VALIDATION, demand};
use crate::bench::{Bench, is_error, is_one_of, success};
use crate::body::{self, with};
use crate::report::{Demand, Suite};

pub(crate) async fn run(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    suite.group("GetKeyMetadata");
    answers(bench, suite).await;
    refusals(bench, suite).await;
    names(bench, suite).await;
}

async fn answers(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    let key = &bench.plan.keys.ordinary;
    let told = metadata(bench, key, &body::key_metadata("CreateKey")).await;
    let complete: Demand =
        demand("GetKeyMetadata", "status 200 with keySpec, keyUsage of at most 10 entries, and keyStatus");
    suite.must("it answers, for CreateKey", complete, told.clone().map(drop));
    if let Ok(told) = told {
        let usable = told.is_aes_256() && told.is_enabled() && told.encrypts_and_decrypts();
        let found = || {
            let usage = told.key_usage.join(", ");
            format!("{}, {}, {}", told.key_spec, told.key_status, usage).escape_debug().to_string()
        };
        let fit =
            demand("GetKeyMetadata", "AES_256, ENABLED, ENCRYPT and DECRYPT: KMS makes no key on another");
        suite.must("the ordinary key is one that KMS takes", fit, if usable { Ok(()) } else { Err(found()) });
    }
    let passed = demand(
        "API",
        "status 200: unknown operations and members are passed over, ARNs may have 2048 characters",
    );
    let long = format!("arn:aws:sts::123456789012:assumed-role/{}", "x".repeat(2009));
    for (check, path, value) in [
        ("for DescribeKey", "/requestMetadata/kmsOperation", json!("DescribeKey")),
        ("for an unknown operation", "/requestMetadata/kmsOperation", json!("FutureOperation")),
        ("with kmsKeyArn", "/requestMetadata/kmsKeyArn", json!("arn:aws:kms:us-east-1:123456789012:/key/1")),
        ("with kmsViaService", "/requestMetadata/kmsViaService", json!("ebs.amazonaws.com")),
        ("with VPC and VPC endpoint", "/requestMetadata/awsSourceVpce", json!("vpce-1a2b3c4d5678e9f01")),
        ("for a service", "/requestMetadata/awsPrincipalArn", json!("ec2.amazonaws.com")),
        ("for a principal of 2048 characters", "/requestMetadata/awsPrincipalArn", json!(long)),
        ("with an unknown member in requestMetadata", "/requestMetadata/futureMember", json!({"a": [1]})),
        ("with an unknown member", "/futureMember", json!(null_free())),
    ] {
        let found = metadata(bench, key, &with(body::key_metadata("CreateKey"), path, value)).await.map(drop);
        suite.must(format!("it answers {check}"), passed, found);
    }
}

/// Any value but null, which would take the member away.
fn null_free() -> Value {
    json!([true, 1.5, "text"])
}

async fn refusals(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    let path = bench.path(Api::Metadata);
    for (check, body) in [
        ("without requestMetadata", json!({})),
        ("with empty requestMetadata", json!({"requestMetadata": {}})),
        (
            "without a principal",
            with(body::key_metadata("CreateKey"), "/requestMetadata/awsPrincipalArn", Value::Null),
        ),
    ] {
        let found = is_error(bench.ask(&path, &body).await, Api::Metadata, ErrorName::ValidationException);
        suite.must(format!("{check} it is refused"), VALIDATION, found);
    }
    absent(bench, suite, "a key that is not there is not found", &bench.plan.keys.absent).await;
    match &bench.plan.keys.of_other_store {
        Some(key) => absent(bench, suite, "a key of another store is not found", key).await,
        None => suite.skip("a key of another store is not found", "--other-store-key names one"),
    }
}

async fn absent(bench: &Bench<'_>, suite: &mut Suite<'_>, check: &str, key: &ExternalKeyId) {
    let path = bench.path_of(key, Api::Metadata);
    let reply = bench.ask(&path, &body::key_metadata("CreateKey")).await;
    suite.must(check, KEY_NOT_FOUND, is_error(reply, Api::Metadata, ErrorName::KeyNotFoundException));
}

async fn names(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    let base = &bench.plan.configuration.uri_path;
    for (check, name) in
        [("of . - and _", "a.b-c_d.trent-check-absent".to_owned()), ("of 128 characters", "x".repeat(128))]
    {
        let reply =
            bench.ask(&format!("{base}/keys/{name}/metadata"), &body::key_metadata("CreateKey")).await;
        let found = is_error(reply, Api::Metadata, ErrorName::KeyNotFoundException);
        suite.must(format!("a key id {check} is routed, and not found"), KEY_NOT_FOUND, found);
    }
    let reply = bench.ask(&format!("{base}/keys/../metadata"), &body::key_metadata("CreateKey")).await;
    let names = [
        ErrorName::InvalidUriPathException,
        ErrorName::KeyNotFoundException,
        ErrorName::ValidationException,
        ErrorName::AuthenticationFailedException,
    ];
    let demand = demand("API", "an error: `..` never leads out of `/keys/`");
    suite.must("a key id `..` leads nowhere", demand, is_one_of(reply, Api::Metadata, &names));
}

pub(crate) async fn metadata(
    bench: &Bench<'_>,
    key: &ExternalKeyId,
    body: &Value,
) -> Result<KeyMetadata, String> {
    let reply = bench.ask(&bench.path_of(key, Api::Metadata), body).await?;
    KeyMetadata::parse(success(&reply)?).map_err(|error| error.to_string())
}
