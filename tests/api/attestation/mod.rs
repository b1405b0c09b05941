//! Attested callers (`Recipient`): what they get, what policies can ask of them, what is recorded, and which documents
//! are refused. Documents are made by the testkit, answers are opened by OpenSSL.

mod answers;
mod documents;
mod order;

use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};
use trent_crypto::{KeyPair, KeyPairSpec, SystemRandom};
use trent_service::{Options, Roots};
use trent_testkit::attestation::{DocumentMaker, TestDocument};
use trent_testkit::{TestKms, base64, bytes};

/// Who is attested: a maker of documents whose root is trusted as `test`, and the key of an enclave.
struct World {
    kms: TestKms,
    maker: DocumentMaker,
}

impl World {
    async fn new() -> Self {
        Self::of(DocumentMaker::default()).await
    }

    async fn of(maker: DocumentMaker) -> Self {
        let roots = Roots::aws().with("test", &maker.root.der).expect("a root");
        let options = Options { attestation_roots: roots, ..Options::default() };
        Self { kms: TestKms::with_options(options).await, maker }
    }

    /// The document of an enclave of this image.
    fn enclave(&self, image: u8) -> TestDocument {
        self.maker.enclave(image, enclave_key().public().spki(), self.kms.service.now())
    }

    /// The `Recipient` that a document makes.
    fn recipient(&self, document: &TestDocument) -> Value {
        recipient(&document.signed_by(&self.maker.signer))
    }
}

fn recipient(document: &[u8]) -> Value {
    json!({"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": base64(document)})
}

/// The same, signed with the signature of nobody.
fn forged(mut recipient: Value) -> Value {
    let mut document = bytes(&recipient["AttestationDocument"]);
    *document.last_mut().expect("a signature ends it") ^= 1;
    recipient["AttestationDocument"] = base64(&document).into();
    recipient
}

/// The request with another member.
fn and(mut request: Value, name: &str, value: Value) -> Value {
    request[name] = value;
    request
}

/// The key that enclaves have here. It takes a while to make.
fn enclave_key() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::generate(KeyPairSpec::Rsa2048, &SystemRandom::new()).expect("a key"))
}

/// What OpenSSL finds in `CiphertextForRecipient`.
fn opened(answer: &Value) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let (key, envelope) = (folder.path().join("key.der"), folder.path().join("envelope.der"));
    std::fs::write(&key, enclave_key().to_pkcs8().expose()).expect("written");
    std::fs::write(&envelope, bytes(&answer["CiphertextForRecipient"])).expect("written");
    let arguments = ["cms", "-decrypt", "-binary", "-inform", "DER", "-in", "envelope.der"];
    let done = Command::new("openssl")
        .args(arguments)
        .args(["-inkey", "key.der", "-keyform", "DER"])
        .current_dir(folder.path())
        .output()
        .expect("openssl");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}
