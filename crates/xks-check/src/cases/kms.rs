//! The proxy as KMS sees it: its own client, with its time-outs, and what a caller of KMS would be told.

use std::sync::Arc;

use trent_crypto::SecretBytes;
use trent_xks::request::{Decrypt, Encrypt, RequestMetadata};
use trent_xks::{Credential, SecretAccessKey};
use trent_xks_client::{
    Client, ClientCertificate, Endpoint, Failure, Settings, Target, TlsOptions, Version, client_config,
};

use super::demand;
use crate::bench::Bench;
use crate::report::{Found, Suite};

const REQUEST_ID: &str = "4112f4d6-db54-4af4-ae30-c55a22a8dfae";

pub(crate) async fn run(bench: &Bench<'_>, suite: &mut Suite<'_>) {
    suite.group("as KMS");
    let within = demand("Availability, Durability and Latency", "what KMS accepts, in time");
    let client = match client(bench) {
        Ok(client) => client,
        Err(error) => return suite.must("KMS can connect", within, Err(error)),
    };
    let found = match client.health("ConnectCustomKeyStore", REQUEST_ID).await {
        Ok(_) => Ok(()),
        Err(failure) => Err(format!(
            "{}: {}",
            failure.kind().of_store().while_connecting().as_str(),
            failure.kind().of_store().message()
        )),
    };
    suite.must("a key store can be connected", within, found);
    let key = &bench.plan.keys.ordinary;
    let found = client.key_metadata(key, &who("CreateKey")).await.map(drop).map_err(|failure| told(&failure));
    suite.must("a key can be made", within, found);
    suite.must("a data key can be encrypted and decrypted", within, round_trip(&client, bench).await);
}

async fn round_trip(client: &Client, bench: &Bench<'_>) -> Found {
    let key = &bench.plan.keys.ordinary;
    let (plaintext, aad) = (vec![7; 32], Some(vec![9; 32]));
    let request = Encrypt {
        metadata: who("GenerateDataKey"),
        plaintext: SecretBytes::from(plaintext.clone()),
        aad: aad.clone(),
        with_integrity: true,
    };
    let encrypted = client.encrypt(key, &request).await.map_err(|failure| told(&failure))?;
    let request = Decrypt {
        metadata: who("Decrypt"),
        ciphertext: encrypted.ciphertext,
        iv: encrypted.iv,
        tag: encrypted.tag,
        aad,
        ciphertext_metadata: encrypted.metadata,
    };
    let decrypted = client.decrypt(key, &request).await.map_err(|failure| told(&failure))?;
    match *decrypted.expose() == plaintext {
        true => Ok(()),
        false => Err("another plaintext came back".to_owned()),
    }
}

fn told(failure: &Failure) -> String {
    let message = failure.kind().message();
    format!("{}: {message} ({})", failure.kind().name(), failure.detail().escape_debug())
}

fn who(operation: &str) -> RequestMetadata {
    RequestMetadata {
        aws_principal_arn: Some("arn:aws:iam::123456789012:user/Alice".to_owned()),
        kms_key_arn: Some("arn:aws:kms:us-east-1:123456789012:key/1234abcd".to_owned()),
        kms_operation: operation.to_owned(),
        kms_request_id: REQUEST_ID.to_owned(),
        ..RequestMetadata::default()
    }
}

fn client(bench: &Bench<'_>) -> Result<Client, String> {
    let plan = bench.plan;
    let certificate =
        plan.client.as_ref().map(|(chain, key)| ClientCertificate { chain: chain.clone(), key: key.clone() });
    let options = TlsOptions {
        roots: &plan.roots,
        versions: &[Version::Tls12, Version::Tls13],
        client: certificate,
        http2: true,
    };
    let tls = client_config(options).map_err(|error| error.to_string())?;
    let known = &plan.configuration.credential;
    let secret = SecretAccessKey::new(SecretBytes::from(known.secret.expose().to_vec()));
    let endpoint = Endpoint {
        uri_path: plan.configuration.uri_path.clone(),
        region: plan.region.clone(),
        credential: Credential {
            access_key_id: known.access_key_id.clone(),
            secret: secret.map_err(|error| error.to_string())?,
        },
    };
    let target = Target { host: plan.host.clone(), network: Arc::clone(&plan.network), tls };
    Ok(Client::new(
        endpoint,
        target,
        Settings { attempt: plan.budget, ..Settings::default() },
        Arc::clone(&plan.clock),
        None,
    ))
}
