//! The AWS SDK for Rust against the binary, which `cargo build -p trent-cli` makes.

use aws_sdk_kms::Client;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::RequestId;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, KeyState};
use tempfile::TempDir;
use trent_testkit::{FIRST_ACCESS_KEY, FIRST_SECRET, REGION, Server, built_binary, serve};

/// A server and an SDK that uses it.
struct Sdk {
    client: Client,
    _server: Server,
    _data: TempDir,
}

async fn sdk() -> Sdk {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(&mut serve(&built_binary(), data.path()));
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(format!("http://{}", server.kms))
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new(FIRST_ACCESS_KEY, FIRST_SECRET, None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .build();
    Sdk { client: Client::from_conf(config), _server: server, _data: data }
}

async fn create_key(client: &Client) -> String {
    let created = client.create_key().description("of Rust").send().await.unwrap();
    created.key_metadata.unwrap().arn.unwrap()
}

fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    error.code().unwrap()
}

#[tokio::test]
async fn what_was_encrypted_is_decrypted() {
    let sdk = sdk().await;
    let key = create_key(&sdk.client).await;
    let sealed = sdk.client.encrypt().key_id(&key).plaintext(Blob::new("hello")).encryption_context("a", "1");
    let sealed = sealed.send().await.unwrap();
    assert_eq!(sealed.key_id(), Some(key.as_str()));
    let blob = sealed.ciphertext_blob.unwrap();
    let opened =
        sdk.client.decrypt().ciphertext_blob(blob.clone()).encryption_context("a", "1").send().await.unwrap();
    assert_eq!(opened.plaintext.unwrap().as_ref(), b"hello");
    let refused = sdk.client.decrypt().ciphertext_blob(blob).send().await.unwrap_err();
    assert!(refused.as_service_error().unwrap().is_invalid_ciphertext_exception());
}

#[tokio::test]
async fn a_data_key_comes_clear_and_sealed() {
    let sdk = sdk().await;
    let key = create_key(&sdk.client).await;
    let made =
        sdk.client.generate_data_key().key_id(&key).key_spec(DataKeySpec::Aes256).send().await.unwrap();
    let opened = sdk.client.decrypt().ciphertext_blob(made.ciphertext_blob.unwrap()).send().await.unwrap();
    assert_eq!(opened.plaintext, made.plaintext);
}

#[tokio::test]
async fn errors_have_codes_texts_and_request_ids() {
    let sdk = sdk().await;
    let key = create_key(&sdk.client).await;
    sdk.client.disable_key().key_id(&key).send().await.unwrap();
    let described = sdk.client.describe_key().key_id(&key).send().await.unwrap();
    assert_eq!(described.key_metadata.unwrap().key_state, Some(KeyState::Disabled));
    let refused = sdk.client.encrypt().key_id(&key).plaintext(Blob::new("x")).send().await.unwrap_err();
    assert_eq!(code(&refused), "DisabledException");
    assert_eq!(refused.message(), Some(format!("{key} is disabled.").as_str()));
    assert_eq!(refused.request_id().unwrap().len(), 36);
}

#[tokio::test]
async fn keys_are_listed_page_by_page() {
    let sdk = sdk().await;
    let mut created = Vec::new();
    for _ in 0..5 {
        created.push(create_key(&sdk.client).await);
    }
    let listed = sdk.client.list_keys().into_paginator().page_size(2).items().send();
    let mut listed: Vec<_> = listed
        .collect::<Result<Vec<_>, _>>()
        .await
        .unwrap()
        .into_iter()
        .filter_map(|key| key.key_arn)
        .collect();
    created.sort();
    listed.sort();
    assert_eq!(listed, created);
}
