//! Bad input for every operation, against the tables in `data/bad_input/`: each case is answered word for word and
//! changes nothing.
//!
//! A table is a list of cases: what is wrong, the request and the answer. The request is a `body`, or `raw` text
//! where JSON could not say it. An answer is `Code: text`, or the code alone where AWS gives no text; one that ends in
//! `…` leaves the words to trent, since those of AWS are not known. The words come from recordings of AWS and its
//! documentation, not from this implementation.
//!
//! Names in braces stand for what [`World`] has, such as `{key}`; `{x*12}` for twelve times `x`, and `{base64*12}`
//! for twelve zero bytes in base64.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use trent_domain::operations::origin;
use trent_protocol::Operation::{self, *};
use trent_protocol::Origin;
use trent_testkit::{ImportParameters, TestKms, base64, bytes, file_name, told};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    case: String,
    body: Option<Value>,
    raw: Option<String>,
    answer: String,
}

fn table(operation: Operation) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/bad_input");
    let path = folder.join(file_name(operation) + ".json");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What requests can be about: keys in every state, in other Regions and of other accounts, and what belongs to them.
struct World {
    kms: TestKms,
    places: [TestKms; 3],
    names: Vec<(&'static str, String)>,
}

impl World {
    /// An RSA key takes a while to make: there is one for tables that speak of it.
    async fn new(with_rsa: bool, with_imports: bool) -> Self {
        let kms = TestKms::new().await;
        let (far, foreign) = (kms.in_region("us-west-2"), kms.in_account("444455556666"));
        let mut names = vec![
            ("unknown", "12345678-90ab-cdef-1234-567890abcdef".to_owned()),
            ("alias", "alias/bad-input".to_owned()),
            ("alias_arn", kms.alias_arn("alias/bad-input")),
            ("caller", kms.caller.arn.to_string()),
        ];
        let tags = json!([{"TagKey": "team", "TagValue": "blue"}]);
        let key = kms.create_key_with(json!({"Description": "mine", "Tags": tags})).await;
        kms.create_alias("alias/bad-input", &key).await;
        kms.ok(EnableKeyRotation, json!({"KeyId": key})).await;
        let (disabled, dying) = (kms.create_key().await, kms.create_key().await);
        kms.disable(&disabled).await;
        kms.schedule_deletion(&dying).await;
        let managed = kms.metadata("alias/aws/s3").await["KeyId"].as_str().expect("an id").to_owned();
        let (far_key, foreign_key) = (far.create_key().await, foreign.create_key().await);
        foreign.create_alias("alias/theirs", &foreign_key).await;

        if with_rsa {
            names.extend(rsa(&kms).await);
        }
        if with_imports {
            names.extend(imports(&kms).await);
        }
        names.extend(of_other_kinds(&kms).await);

        let blob = bytes(&json!(kms.encrypt(&key, b"text").await));
        let (last, rest) = blob.split_last().expect("a ciphertext");
        names.extend([
            ("blob", base64(&blob)),
            ("blob_with_a_byte_more", base64(&[&blob[..], b"\0"].concat())),
            ("blob_with_a_byte_less", base64(rest)),
            ("altered_blob", base64(&[rest, &[last ^ 1]].concat())),
            ("far_blob", far.encrypt(&far_key, b"text").await),
            ("foreign_blob", foreign.encrypt(&foreign_key, b"text").await),
            ("arn", kms.arn(&key)),
            ("disabled_arn", kms.arn(&disabled)),
            ("dying_arn", kms.arn(&dying)),
            ("managed_arn", kms.arn(&managed)),
            ("unknown_arn", kms.arn("12345678-90ab-cdef-1234-567890abcdef")),
            ("far_arn", far.arn(&far_key)),
            ("foreign_arn", foreign.arn(&foreign_key)),
            ("key", key),
            ("other", kms.create_key().await),
            ("disabled", disabled),
            ("dying", dying),
            ("managed", managed),
            ("far", far_key),
            ("foreign", foreign_key),
        ]);
        names.extend(related_keys(&kms, &far).await);
        Self { places: [kms.clone(), far, foreign], kms, names }
    }

    /// Everything that can be read in all places.
    async fn state(&self) -> Vec<Value> {
        let mut state = Vec::new();
        for kms in &self.places {
            let keys = kms.list_all(ListKeys, &json!({}), "Keys").await;
            state.push(kms.ok(ListAliases, json!({})).await);
            for key in keys {
                for read in [
                    DescribeKey,
                    GetKeyLastUsage,
                    GetKeyPolicy,
                    GetKeyRotationStatus,
                    ListGrants,
                    ListKeyRotations,
                    ListResourceTags,
                ] {
                    // Keys that do not rotate have no rotations to list.
                    let answer = kms.call(read, json!({"KeyId": key["KeyId"]})).await;
                    state.push(answer.unwrap_or_else(|error| json!(told(&error))));
                }
            }
        }
        state
    }

    /// What a text of a table stands for.
    fn fill(&self, text: &str) -> String {
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let inside = after.split_once('}').filter(|(inside, _)| !inside.contains('{'));
            match inside.and_then(|(inside, after)| Some((self.meaning(inside)?, after))) {
                Some((meaning, after)) => {
                    filled.push_str(&meaning);
                    rest = after;
                }
                None => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled + rest
    }

    fn meaning(&self, inside: &str) -> Option<String> {
        if let Some((_, meaning)) = self.names.iter().find(|(name, _)| *name == inside) {
            return Some(meaning.clone());
        }
        let (what, count) = inside.rsplit_once('*')?;
        let count = count.parse().ok()?;
        Some(if what == "base64" { base64(&vec![0; count]) } else { what.repeat(count) })
    }

    /// Says what is wrong with the answer to a case, if something is.
    async fn judge(&self, operation: Operation, case: &Case) -> Result<(), String> {
        let body = match (&case.body, &case.raw) {
            (Some(body), None) => self.fill(&body.to_string()),
            (None, Some(raw)) => self.fill(raw),
            _ => return Err("it has neither or both of `body` and `raw`".to_owned()),
        };
        let expected = self.fill(&case.answer);
        let answered = match self.kms.call_bytes(operation, body.as_bytes()).await {
            Ok(answer) => return Err(format!("succeeded: {answer}")),
            Err(error) => told(&error),
        };
        let fits = match expected.strip_suffix('…') {
            Some(code) => answered.len() > code.len() && answered.starts_with(code),
            None => answered == expected,
        };
        if fits { Ok(()) } else { Err(format!("expected {expected:.600}\n    answered {answered:.600}")) }
    }
}

/// An RSA key, and a ciphertext that it made.
async fn rsa(kms: &TestKms) -> Vec<(&'static str, String)> {
    let key = kms.create_key_of("RSA_2048", "ENCRYPT_DECRYPT").await;
    let text = base64(b"text");
    let request = json!({"KeyId": key, "Plaintext": text, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"});
    let blob = made(kms, Encrypt, request, "CiphertextBlob").await;
    vec![("rsa_blob", blob), ("rsa", key)]
}

/// Keys for what symmetric keys do not do, and what they made.
/// Keys with imported material and without, and what an import of both would need.
async fn imports(kms: &TestKms) -> Vec<(&'static str, String)> {
    let waiting = kms.create_external_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let parameters = ImportParameters::of(kms, &waiting, "RSAES_OAEP_SHA_256", "RSA_2048").await;
    let imported = kms.create_external_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let of_imported = ImportParameters::of(kms, &imported, "RSAES_OAEP_SHA_256", "RSA_2048").await;
    kms.ok(ImportKeyMaterial, of_imported.request(&[1; 32])).await;
    let dying = kms.create_external_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    kms.schedule_deletion(&dying).await;
    let rsa = kms.create_external_key("RSA_2048", "SIGN_VERIFY").await;
    let p521 = kms.create_external_key("ECC_NIST_P521", "SIGN_VERIFY").await;
    let mac = kms.create_imported_key("HMAC_256", "GENERATE_VERIFY_MAC").await;
    vec![
        ("token", parameters.token.clone()),
        ("wrapped", base64(&parameters.wrap(&[1; 32]))),
        ("wrapped_31", base64(&parameters.wrap(&[1; 31]))),
        ("token_of_imported", of_imported.token.clone()),
        ("wrapped_for_imported", base64(&of_imported.wrap(&[1; 32]))),
        ("other_for_imported", base64(&of_imported.wrap(&[2; 32]))),
        ("waiting_arn", kms.arn(&waiting)),
        ("dying_external_arn", kms.arn(&dying)),
        ("waiting", waiting),
        ("imported", imported),
        ("dying_external", dying),
        ("external_rsa", rsa),
        ("external_p521", p521),
        ("external_mac", mac),
    ]
}

async fn of_other_kinds(kms: &TestKms) -> Vec<(&'static str, String)> {
    let signer = kms.create_key_of("ECC_NIST_P256", "SIGN_VERIFY").await;
    let edwards = kms.create_key_of("ECC_NIST_EDWARDS25519", "SIGN_VERIFY").await;
    let mac = kms.create_key_of("HMAC_256", "GENERATE_VERIFY_MAC").await;
    let text = base64(b"text");
    let to_sign = json!({"KeyId": signer, "Message": text, "SigningAlgorithm": "ECDSA_SHA_256"});
    let to_mac = json!({"KeyId": mac, "Message": text, "MacAlgorithm": "HMAC_SHA_256"});
    vec![
        ("signature", made(kms, Sign, to_sign, "Signature").await),
        ("mac_of_text", made(kms, GenerateMac, to_mac, "Mac").await),
        ("edwards_public", base64(&kms.public_key(&edwards).await)),
        ("other_signer", kms.create_key_of("ECC_NIST_P256", "SIGN_VERIFY").await),
        ("agreer", kms.create_key_of("ECC_NIST_P256", "KEY_AGREEMENT").await),
        ("kem", kms.create_key_of("ML_KEM_512", "ENCAPSULATE_DECAPSULATE").await),
        ("signer", signer),
        ("edwards", edwards),
        ("mac", mac),
    ]
}

async fn made(kms: &TestKms, operation: Operation, request: Value, member: &str) -> String {
    kms.ok(operation, request).await[member].as_str().expect("a blob").to_owned()
}

/// Multi-Region keys: a primary with a replica in the other Region, a replica of a primary there, one that is alone.
async fn related_keys(kms: &TestKms, far: &TestKms) -> Vec<(&'static str, String)> {
    let mut keys = Vec::new();
    for home in [kms, far, kms] {
        keys.push(home.create_key_with(json!({"MultiRegion": true})).await);
    }
    let [primary, replica, alone] = keys.try_into().expect("three keys");
    kms.ok(ReplicateKey, json!({"KeyId": primary, "ReplicaRegion": "us-west-2"})).await;
    far.ok(ReplicateKey, json!({"KeyId": replica, "ReplicaRegion": "eu-central-1"})).await;
    vec![
        ("primary_arn", kms.arn(&primary)),
        ("far_primary_arn", far.arn(&primary)),
        ("replica_arn", kms.arn(&replica)),
        ("alone_arn", kms.arn(&alone)),
        ("primary", primary),
        ("replica", replica),
        ("alone", alone),
    ]
}

#[tokio::test]
async fn every_case_is_answered_as_its_table_says_and_changes_nothing() {
    let mut wrong = Vec::new();
    for operation in Operation::ALL {
        let table = table(operation);
        let speaks_of_rsa =
            |case: &Case| case.body.as_ref().is_some_and(|body| body.to_string().contains("{rsa"));
        let imports = origin(operation) == Some(Origin::External);
        let world = World::new(table.iter().any(speaks_of_rsa), imports).await;
        let before = world.state().await;
        for case in table {
            if let Err(problem) = world.judge(operation, &case).await {
                wrong.push(format!("{operation}, {}: {problem}", case.case));
            }
            if world.state().await != before {
                wrong.push(format!("{operation}, {}: something has changed", case.case));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_case_of_a_table_is_another_one() {
    for operation in Operation::ALL {
        let mut cases: Vec<_> = table(operation).into_iter().map(|case| case.case).collect();
        let count = cases.len();
        cases.sort();
        cases.dedup();
        assert_eq!(cases.len(), count, "{operation}");
    }
}
