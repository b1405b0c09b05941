//! Bodies nobody thought of: decoding ends in a request or an error, never in a panic.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use trent_protocol::Operation;

/// Names that occur in requests, so that values reach the code behind them.
const MEMBERS: [&str; 24] = [
    "KeyId",
    "Plaintext",
    "CiphertextBlob",
    "EncryptionContext",
    "GrantTokens",
    "EncryptionAlgorithm",
    "DryRun",
    "Recipient",
    "AttestationDocument",
    "NumberOfBytes",
    "Tags",
    "TagKey",
    "TagValue",
    "Policy",
    "Operations",
    "Constraints",
    "SourceArn",
    "Limit",
    "Marker",
    "ValidTo",
    "KeyStorePassword",
    "XksProxyAuthenticationCredential",
    "XksProxyUriPath",
    "Message",
];

fn any_operation() -> impl Strategy<Value = Operation> {
    proptest::sample::select(Operation::ALL.to_vec())
}

fn any_text() -> impl Strategy<Value = String> {
    let characters = proptest::collection::vec(any::<char>(), 0..20);
    prop_oneof![characters.prop_map(|text| text.into_iter().collect()), Just("aGVsbG8=".to_owned())]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let name =
            prop_oneof![proptest::sample::select(MEMBERS.to_vec()).prop_map(str::to_owned), any_text()];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::vec((name, inner), 0..8).prop_map(|pairs| Map::from_iter(pairs).into()),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(operation in any_operation(), body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = operation.check_body(&body);
    }

    #[test]
    fn arbitrary_json_never_panics(operation in any_operation(), body in any_json()) {
        let _ = operation.check_body(body.to_string().as_bytes());
    }

    #[test]
    fn damaged_json_never_panics(operation in any_operation(), body in any_json(), at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let mut body = body.to_string().into_bytes();
        let at = at.index(body.len());
        if let Some(damaged) = body.get_mut(at) {
            *damaged = byte;
        }
        let _ = operation.check_body(&body);
    }

    #[test]
    fn every_plaintext_survives(bytes in proptest::collection::vec(any::<u8>(), 1..300), escape in any::<bool>()) {
        use base64::Engine;
        use trent_protocol::{EncryptRequest, Request};
        let base64 = base64::engine::general_purpose::STANDARD.encode(&bytes);
        let base64 = if escape { base64.replace('/', "\\/") } else { base64 };
        let body = format!(r#"{{"KeyId":"k","Plaintext":"{base64}"}}"#);
        let request = EncryptRequest::decode(body.as_bytes());
        prop_assert_eq!(request.map(|request| request.plaintext.expose_secret().to_vec()), Ok(bytes));
    }
}
