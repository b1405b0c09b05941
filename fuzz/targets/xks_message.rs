//! Messages of the external key store proxy API: reading never panics, what is read is within its limits and is
//! written so that it reads the same, and no error repeats a value of the body.
//!
//! The first byte chooses the message, the rest is its body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trent_xks::request::{Decrypt, Encrypt, Plain};
use trent_xks::response::{Decrypted, Encrypted, Health, KeyMetadata};
use trent_xks::{Api, ErrorBody, METADATA_BYTES_MAX, ProxyConfiguration, Route};

/// A value that bodies are given in the corpus, and errors must not tell.
const MARK: &str = "mArKmArKmArK";

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else { return };
    let told = match first % 9 {
        0 => Plain::parse(body, Api::Health)
            .map(|metadata| plain(&metadata, Api::Health))
            .map_err(|e| e.to_string()),
        1 => Plain::parse(body, Api::Metadata)
            .map(|metadata| plain(&metadata, Api::Metadata))
            .map_err(|e| e.to_string()),
        2 => Encrypt::parse(body).map(|request| encrypt(&request)).map_err(|e| e.to_string()),
        3 => Decrypt::parse(body).map(|request| decrypt(&request)).map_err(|e| e.to_string()),
        4 => Health::parse(body)
            .map(|health| assert_eq!(Health::parse(&health.to_json()), Ok(health)))
            .map_err(|e| e.to_string()),
        5 => KeyMetadata::parse(body)
            .map(|metadata| assert_eq!(KeyMetadata::parse(&metadata.to_json()), Ok(metadata)))
            .map_err(|e| e.to_string()),
        6 => Encrypted::read(body).map(|encrypted| sealed(&encrypted)).map_err(|e| e.to_string()),
        7 => ProxyConfiguration::parse(body).map(|file| configuration(&file)).map_err(|e| e.to_string()),
        _ => rest(body),
    };
    assert!(told.err().is_none_or(|error| !error.contains(MARK)), "an error repeats a value");
});

fn plain(metadata: &trent_xks::request::RequestMetadata, api: Api) {
    let written = Plain { request_metadata: metadata }.to_json();
    assert_eq!(Plain::parse(&written, api).as_ref(), Ok(metadata));
}

fn encrypt(request: &Encrypt) {
    let again = Encrypt::parse(&request.to_json()).expect("what is written is read");
    assert_eq!(again.metadata, request.metadata);
    assert_eq!(again.plaintext.expose(), request.plaintext.expose());
    assert_eq!((&again.aad, again.with_integrity), (&request.aad, request.with_integrity));
}

fn decrypt(request: &Decrypt) {
    assert!(matches!(request.iv.len(), 12 | 16));
    assert!(request.ciphertext_metadata.as_ref().is_none_or(|metadata| metadata.len() <= METADATA_BYTES_MAX));
    assert_eq!(Decrypt::parse(&request.to_json()).as_ref(), Ok(request));
}

fn sealed(encrypted: &Encrypted) {
    assert!(matches!(encrypted.iv.len(), 12 | 16));
    assert_eq!(Encrypted::read(&encrypted.to_json()).as_ref(), Ok(encrypted));
    let _ = encrypted.integrity_value(None);
}

fn configuration(file: &ProxyConfiguration) {
    let again = ProxyConfiguration::parse(file.to_json().expose()).expect("what is written is read");
    assert_eq!(again.uri_path, file.uri_path);
    assert_eq!(again.credential.access_key_id, file.credential.access_key_id);
    assert_eq!(again.credential.secret.expose(), file.credential.secret.expose());
}

fn rest(body: &[u8]) -> Result<(), String> {
    if let Some(route) = str::from_utf8(body).ok().and_then(Route::parse) {
        assert!(route.key.as_ref().is_none_or(|key| !key.as_str().contains('/') && key.as_str() != ".."));
    }
    let error = ErrorBody::parse(body, Api::Decrypt).map_err(|e| e.to_string())?;
    assert_eq!(ErrorBody::parse(&error.to_json(), Api::Decrypt).map(|again| again.name), Ok(error.name));
    Decrypted::parse(body, 3).map(drop).map_err(|e| e.to_string())
}
