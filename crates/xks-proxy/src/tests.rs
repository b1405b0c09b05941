//! A proxy in one process: what is checked, in which order, and what the operator's commands do.

mod tokens;

use std::sync::Arc;

use parking_lot::Mutex;
use trent_crypto::{Key256, SecretBytes, SystemRandom};
use trent_database::Embedded;
use trent_domain::time::{Clock, Timestamp};
use trent_keystore::Keyring;
use trent_sigv4::{Credentials, Request as Signed, body_sha256, sign};
use trent_xks::request::{Decrypt, Encrypt, Plain, RequestMetadata};
use trent_xks::response::{Decrypted, Encrypted, Health, Instance, KeyMetadata};
use trent_xks::{Api, ErrorBody, ErrorName, ExternalKeyId, SERVICE};

use crate::{
    Answering, Command, ExternalKey, Facts, KeyManager, ManagerError, NoTokens, OpenError, Parts, Proxy,
    Reply, Request, Rules, Tokens,
};

const NOW: i64 = 1_764_000_000;

struct SetClock(Mutex<i64>);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(*self.0.lock())
    }
}

struct Bench {
    dir: tempfile::TempDir,
    proxy: Proxy,
    clock: Arc<SetClock>,
    id: String,
    secret: String,
}

async fn open(dir: &std::path::Path, root: u8, clock: &Arc<SetClock>) -> Result<Proxy, OpenError> {
    open_with(dir, root, clock, Arc::new(NoTokens)).await
}

async fn open_with(
    dir: &std::path::Path,
    root: u8,
    clock: &Arc<SetClock>,
    tokens: Arc<dyn Tokens>,
) -> Result<Proxy, OpenError> {
    let random = Arc::new(SystemRandom::new());
    Proxy::open(Parts {
        database: Arc::new(Embedded::open(dir).unwrap()),
        keyring: Arc::new(Keyring::new(&Key256::new([root; 32]), Arc::clone(&random) as _)),
        random,
        tokens,
        clock: Arc::clone(clock) as _,
        model: "trent xks-proxy".to_owned(),
    })
    .await
}

impl Bench {
    async fn new() -> Self {
        Self::with(Arc::new(NoTokens)).await
    }

    async fn with(tokens: Arc<dyn Tokens>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(SetClock(Mutex::new(NOW * 1000)));
        let proxy = open_with(dir.path(), 1, &clock, tokens).await.unwrap();
        let (id, secret) = add_store(&proxy, "one", "/kms/xks/v1").await;
        let bench = Self { dir, proxy, clock, id, secret };
        bench.done(add_key("one", "key", &["ENCRYPT", "DECRYPT"])).await;
        bench
    }

    async fn done(&self, command: Command) -> Reply {
        let reply = self.proxy.administer(command).await;
        assert!(!matches!(reply, Reply::Refused { .. }), "{reply:?}");
        reply
    }

    async fn refused(&self, command: Command) -> String {
        match self.proxy.administer(command).await {
            Reply::Refused { problem } => problem,
            other => panic!("{other:?}"),
        }
    }

    async fn call_as(&self, credential: (&str, &str), path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let host = [("host", b"proxy.test".as_slice())];
        let request =
            Signed { method: "POST", path, query: "", headers: &host[..], body_sha256: body_sha256(body) };
        let credentials = Credentials {
            access_key_id: credential.0,
            secret_access_key: credential.1.as_bytes(),
            session_token: None,
            region: "us-east-1",
            service: SERVICE,
        };
        let signed = sign(&request, &credentials, NOW).unwrap();
        let headers = [
            ("host", b"proxy.test".as_slice()),
            ("content-type", b"application/json"),
            ("authorization", signed.authorization.as_bytes()),
            ("x-amz-date", signed.x_amz_date.as_bytes()),
        ];
        let request = Request { method: "POST", path, query: "", headers: &headers[..], body: Some(body) };
        let answer = self.proxy.answer(request).await;
        (answer.status, answer.body)
    }

    async fn call(&self, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        self.call_as((&self.id, &self.secret), path, body).await
    }

    async fn encrypt(&self, request: &Encrypt) -> Encrypted {
        let (status, body) = self.call("/kms/xks/v1/keys/key/encrypt", &request.to_json()).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        Encrypted::parse(&body, request).unwrap()
    }

    async fn decrypt(&self, request: &Decrypt) -> Result<Vec<u8>, ErrorName> {
        let (status, body) = self.call("/kms/xks/v1/keys/key/decrypt", &request.to_json()).await;
        match status {
            200 => Ok(Decrypted::parse(&body, request.ciphertext.len()).unwrap().plaintext.expose().clone()),
            _ => Err(error((status, body), Api::Decrypt)),
        }
    }
}

fn error((status, body): (u16, Vec<u8>), api: Api) -> ErrorName {
    let error = ErrorBody::parse(&body, api).unwrap();
    assert_eq!(status, error.name.status());
    error.name
}

async fn add_store(proxy: &Proxy, name: &str, path: &str) -> (String, String) {
    let command =
        Command::AddStore { name: name.to_owned(), path: path.to_owned(), quota: 0, rules: Rules::default() };
    match proxy.administer(command).await {
        Reply::NewCredential { access_key_id, secret, .. } => (access_key_id, secret.into()),
        other => panic!("{other:?}"),
    }
}

fn add_key(store: &str, id: &str, usage: &[&str]) -> Command {
    Command::AddKey {
        store: store.to_owned(),
        id: Some(id.to_owned()),
        usage: usage.iter().map(|&usage| usage.to_owned()).collect(),
        rules: Rules::default(),
        material: None,
        token: None,
    }
}

fn metadata() -> RequestMetadata {
    RequestMetadata {
        aws_principal_arn: Some("arn:aws:iam::123456789012:user/Alice".to_owned()),
        kms_key_arn: Some("arn:aws:kms:us-east-2:123456789012:/key/1234".to_owned()),
        kms_operation: "Encrypt".to_owned(),
        kms_request_id: "4112f4d6".to_owned(),
        ..RequestMetadata::default()
    }
}

fn to_encrypt(plaintext: &[u8], aad: Option<&[u8]>, with_integrity: bool) -> Encrypt {
    Encrypt {
        metadata: metadata(),
        plaintext: plaintext.to_vec().into(),
        aad: aad.map(<[u8]>::to_vec),
        with_integrity,
    }
}

fn to_decrypt(encrypted: &Encrypted, aad: Option<&[u8]>) -> Decrypt {
    Decrypt {
        metadata: metadata(),
        ciphertext: encrypted.ciphertext.clone(),
        iv: encrypted.iv.clone(),
        tag: encrypted.tag,
        aad: aad.map(<[u8]>::to_vec),
        ciphertext_metadata: encrypted.metadata.clone(),
    }
}

#[tokio::test]
async fn what_is_encrypted_decrypts_with_all_that_belongs_to_it_and_no_otherwise() {
    let bench = Bench::new().await;
    let request = to_encrypt(&[7; 4300], Some(&[1; 8192]), true);
    let encrypted = bench.encrypt(&request).await;
    let good = to_decrypt(&encrypted, Some(&[1; 8192]));
    assert_eq!(bench.decrypt(&good).await, Ok(vec![7; 4300]));
    let flip = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[0] ^= 1;
        bytes
    };
    let mut tag = good.tag;
    tag[15] ^= 1;
    for bad in [
        Decrypt { aad: None, ..good.clone() },
        Decrypt { aad: Some(vec![2; 8192]), ..good.clone() },
        Decrypt { ciphertext: flip(&good.ciphertext), ..good.clone() },
        Decrypt { iv: flip(&good.iv), ..good.clone() },
        Decrypt { iv: vec![0; 16], ..good.clone() },
        Decrypt { tag, ..good.clone() },
        Decrypt { ciphertext_metadata: None, ..good.clone() },
        Decrypt { ciphertext_metadata: good.ciphertext_metadata.as_deref().map(flip), ..good.clone() },
        Decrypt { ciphertext_metadata: Some(vec![1; 20]), ..good.clone() },
    ] {
        assert_eq!(bench.decrypt(&bad).await, Err(ErrorName::InvalidCiphertextException));
    }
    // What came as metadata cannot come back as data of the caller's.
    let encrypted = bench.encrypt(&to_encrypt(b"text", None, false)).await;
    assert_eq!(encrypted.integrity, None);
    let replayed =
        Decrypt { ciphertext_metadata: None, ..to_decrypt(&encrypted, encrypted.metadata.as_deref()) };
    assert_eq!(bench.decrypt(&replayed).await, Err(ErrorName::InvalidCiphertextException));
}

#[tokio::test]
async fn checks_are_made_in_their_order() {
    let bench = Bench::new().await;
    let body = to_encrypt(b"text", None, false).to_json();
    let path = "/kms/xks/v1/keys/key/encrypt";
    let name = |answer| error(answer, Api::Encrypt);
    assert_eq!(
        name(bench.call("/other/kms/xks/v1/keys/key/encrypt", &body).await),
        ErrorName::InvalidUriPathException
    );
    assert_eq!(
        name(bench.call("/kms/xks/v1/keys/../encrypt", &body).await),
        ErrorName::InvalidUriPathException
    );
    let wrong = |id: &str, secret: &str| (id.to_owned(), secret.to_owned());
    for (id, secret) in [
        wrong(&bench.id, "x"),
        wrong("AAAAAAAAAAAAAAAAAAAA", &bench.secret),
        wrong("AAAAAAAAAAAAAAAAAAAA", ""),
    ] {
        let answer = bench.call_as((&id, &secret), path, b"no JSON").await;
        assert_eq!(name(answer), ErrorName::AuthenticationFailedException);
    }
    assert_eq!(name(bench.call(path, b"no JSON").await), ErrorName::ValidationException);
    assert_eq!(
        name(bench.call("/kms/xks/v1/keys/none/encrypt", &body).await),
        ErrorName::KeyNotFoundException
    );
    let large = to_encrypt(&[0; 4301], None, false).to_json();
    assert_eq!(name(bench.call(path, &large).await), ErrorName::UnsupportedOperationException);
    let large = to_encrypt(b"", Some(&[0; 8193]), false).to_json();
    assert_eq!(name(bench.call(path, &large).await), ErrorName::UnsupportedOperationException);
    let headers = [("host", b"a".as_slice())];
    let get = Request { method: "GET", path, query: "", headers: &headers[..], body: Some(b"") };
    let too_large = Request { method: "POST", path, query: "", headers: &headers[..], body: None };
    let answer = bench.proxy.answer(get).await;
    assert_eq!((answer.status, answer.body.len()), (405, 0));
    assert_eq!(bench.proxy.answer(too_large).await.status, 501);
}

#[tokio::test]
async fn a_key_does_what_its_usage_and_status_let_it() {
    let bench = Bench::new().await;
    let store = || "one".to_owned();
    bench.done(add_key("one", "in", &["ENCRYPT"])).await;
    bench.done(add_key("one", "out", &["decrypt"])).await;
    let plain = to_encrypt(b"text", None, false).to_json();
    let with_integrity = to_encrypt(b"text", None, true).to_json();
    let (status, body) = bench.call("/kms/xks/v1/keys/in/encrypt", &plain).await;
    assert_eq!(status, 200);
    let sealed = Encrypted::read(&body).unwrap();
    let name = |answer| error(answer, Api::Encrypt);
    assert_eq!(
        name(bench.call("/kms/xks/v1/keys/in/encrypt", &with_integrity).await),
        ErrorName::InvalidKeyUsageException
    );
    let decrypt = to_decrypt(&sealed, None).to_json();
    assert_eq!(
        error(bench.call("/kms/xks/v1/keys/in/decrypt", &decrypt).await, Api::Decrypt),
        ErrorName::InvalidKeyUsageException
    );
    assert_eq!(
        name(bench.call("/kms/xks/v1/keys/out/encrypt", &plain).await),
        ErrorName::InvalidKeyUsageException
    );

    bench.done(Command::DisableKey { store: store(), id: "key".to_owned() }).await;
    assert_eq!(
        name(bench.call("/kms/xks/v1/keys/key/encrypt", &plain).await),
        ErrorName::InvalidStateException
    );
    let about = Plain { request_metadata: &metadata() }.to_json();
    let (_, body) = bench.call("/kms/xks/v1/keys/key/metadata", &about).await;
    let told = KeyMetadata::parse(&body).unwrap();
    assert!(told.is_aes_256() && told.encrypts_and_decrypts() && told.key_status == "DISABLED");
    bench.done(Command::EnableKey { store: store(), id: "key".to_owned() }).await;
    bench.encrypt(&to_encrypt(b"text", None, true)).await;
}

#[tokio::test]
async fn an_older_version_of_a_key_still_decrypts_also_after_a_restart() {
    let bench = Bench::new().await;
    let old = bench.encrypt(&to_encrypt(b"old", None, true)).await;
    let (store, id) = ("one".to_owned(), "key".to_owned());
    bench.done(Command::RotateKey { store, id, material: None, token: None }).await;
    let new = bench.encrypt(&to_encrypt(b"new", None, true)).await;
    assert_eq!((old.metadata.as_ref().unwrap()[3], new.metadata.as_ref().unwrap()[3]), (1, 2));
    let Bench { dir, proxy, clock, id, secret } = bench;
    drop(proxy);
    assert!(matches!(open(dir.path(), 2, &clock).await, Err(OpenError::WrongRootKey)));
    let proxy = open(dir.path(), 1, &clock).await.unwrap();
    let bench = Bench { dir, proxy, clock, id, secret };
    assert_eq!(bench.decrypt(&to_decrypt(&old, None)).await, Ok(b"old".to_vec()));
    assert_eq!(bench.decrypt(&to_decrypt(&new, None)).await, Ok(b"new".to_vec()));
}

#[tokio::test]
async fn two_credentials_are_valid_at_once_and_each_for_its_store_alone() {
    let bench = Bench::new().await;
    let about = Plain { request_metadata: &metadata() }.to_json();
    let health = "/kms/xks/v1/health";
    let other = add_store(&bench.proxy, "two", "/two/kms/xks/v1").await;
    assert_eq!(bench.call_as((&other.0, &other.1), health, &about).await.0, 401);
    assert_eq!(bench.call_as((&other.0, &other.1), "/two/kms/xks/v1/health", &about).await.0, 200);
    let added = bench.done(Command::AddCredential { store: "one".to_owned() }).await;
    let Reply::NewCredential { access_key_id, secret, .. } = added else { panic!("{added:?}") };
    let secret = secret.expose();
    assert!(
        bench.refused(Command::AddCredential { store: "one".to_owned() }).await.contains("two credentials")
    );
    assert_eq!(bench.call(health, &about).await.0, 200);
    assert_eq!(bench.call_as((&access_key_id, secret), health, &about).await.0, 200);
    bench.done(Command::DeleteCredential { store: "one".to_owned(), id: bench.id.clone() }).await;
    assert_eq!(bench.call(health, &about).await.0, 401);
    let (status, body) = bench.call_as((&access_key_id, secret), health, &about).await;
    assert!(status == 200 && Health::parse(&body).unwrap().is_serving());
    let file = bench.done(Command::Configuration { store: "one".to_owned() }).await;
    let Reply::Configuration { file } = file else { panic!("{file:?}") };
    let file = trent_xks::ProxyConfiguration::parse(file.expose().as_bytes()).unwrap();
    assert_eq!(file.credential.secret.expose(), secret.as_bytes());
    // The last one stays.
    bench.refused(Command::DeleteCredential { store: "one".to_owned(), id: access_key_id }).await;
}

#[tokio::test]
async fn rules_of_store_and_key_keep_callers_out_but_not_the_health_check() {
    let bench = Bench::new().await;
    let rules = |principal: &str| Rules { principals: vec![principal.to_owned()], ..Rules::default() };
    let store = |rules| Command::SetStore { name: "one".to_owned(), quota: None, rules: Some(rules) };
    let encrypt = to_encrypt(b"text", None, false).to_json();
    let path = "/kms/xks/v1/keys/key/encrypt";
    bench.done(store(rules("arn:aws:iam::999999999999:*"))).await;
    assert_eq!(error(bench.call(path, &encrypt).await, Api::Encrypt), ErrorName::AccessDeniedException);
    assert_eq!(bench.call("/kms/xks/v1/health", &encrypt).await.0, 200);
    bench.done(store(rules("arn:aws:iam::123456789012:*"))).await;
    assert_eq!(bench.call(path, &encrypt).await.0, 200);
    let (name, id) = ("one".to_owned(), "key".to_owned());
    bench.done(Command::SetKeyRules { store: name, id, rules: rules("*:user/Bob") }).await;
    assert_eq!(error(bench.call(path, &encrypt).await, Api::Encrypt), ErrorName::AccessDeniedException);
}

#[tokio::test]
async fn a_store_over_its_quota_is_throttled_and_no_other() {
    let bench = Bench::new().await;
    let other = add_store(&bench.proxy, "two", "/two/kms/xks/v1").await;
    bench.done(Command::SetStore { name: "one".to_owned(), quota: Some(2), rules: None }).await;
    let encrypt = to_encrypt(b"text", None, false).to_json();
    let path = "/kms/xks/v1/keys/key/encrypt";
    assert_eq!(bench.call(path, &encrypt).await.0, 200);
    // A stranger takes nothing of it.
    assert_eq!(bench.call_as((&bench.id, "wrong"), path, &encrypt).await.0, 401);
    assert_eq!(bench.call(path, &encrypt).await.0, 200);
    assert_eq!(error(bench.call(path, &encrypt).await, Api::Encrypt), ErrorName::ThrottlingException);
    assert_eq!(bench.call("/kms/xks/v1/health", &encrypt).await.0, 200);
    let (status, _) = bench.call_as((&other.0, &other.1), "/two/kms/xks/v1/keys/key/encrypt", &encrypt).await;
    assert_eq!(status, 404, "a key of another store");
}

#[tokio::test]
async fn a_key_is_deleted_after_its_waiting_period_unless_that_is_cancelled() {
    let bench = Bench::new().await;
    let (store, id) = (|| "one".to_owned(), || "key".to_owned());
    let delete = |window_days| Command::DeleteKey { store: store(), id: id(), window_days };
    for days in [0, 6, 31] {
        assert!(bench.refused(delete(days)).await.contains("7 to 30"));
    }
    bench.done(delete(7)).await;
    let encrypt = to_encrypt(b"text", None, false).to_json();
    let path = "/kms/xks/v1/keys/key/encrypt";
    assert_eq!(error(bench.call(path, &encrypt).await, Api::Encrypt), ErrorName::InvalidStateException);
    bench.refused(Command::EnableKey { store: store(), id: id() }).await;
    bench.done(Command::CancelKeyDeletion { store: store(), id: id() }).await;
    bench.done(Command::EnableKey { store: store(), id: id() }).await;
    assert_eq!(bench.call(path, &encrypt).await.0, 200);
    bench.done(delete(7)).await;
    assert_eq!(bench.proxy.delete_due_keys().await, Ok(0));
    *bench.clock.0.lock() += 7 * 24 * 60 * 60 * 1000;
    bench.refused(Command::DeleteStore { name: store() }).await;
    assert_eq!(bench.proxy.delete_due_keys().await, Ok(1));
    bench.done(Command::DeleteStore { name: store() }).await;
}

#[tokio::test]
async fn imported_material_must_have_256_bits_and_is_shown_nowhere() {
    let bench = Bench::new().await;
    let import = |text: &str| {
        let Command::AddKey { store, usage, rules, .. } = add_key("one", "in", &["ENCRYPT"]) else {
            panic!()
        };
        Command::AddKey { store, id: None, usage, rules, material: Some(text.to_owned().into()), token: None }
    };
    for bad in ["", "AAAA", "no"] {
        assert!(bench.refused(import(bad)).await.contains("32 bytes"));
    }
    let command = import("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
    assert!(!format!("{command:?}").contains("BwcH"));
    let reply = bench.done(command).await;
    assert!(
        matches!(&reply, Reply::Keys { keys } if keys[0].imported && keys[0].id.len() == 36),
        "{reply:?}"
    );
}

/// A key manager that is down: its keys are known, and cannot be used.
struct Down(Arc<dyn KeyManager>, fn() -> ManagerError);

struct DownKey(Arc<dyn ExternalKey>, fn() -> ManagerError);

impl KeyManager for Down {
    fn vendor(&self) -> &str {
        self.0.vendor()
    }

    fn find(&self, store: &str, key: &ExternalKeyId) -> Option<Arc<dyn ExternalKey>> {
        self.0.find(store, key).map(|key| Arc::new(DownKey(key, self.1)) as _)
    }

    fn health<'a>(&'a self, _: &'a str) -> Answering<'a, Vec<Instance>> {
        Box::pin(async { Err(self.1()) })
    }
}

impl ExternalKey for DownKey {
    fn facts(&self) -> Facts {
        self.0.facts()
    }

    fn look(&self) -> Answering<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn encrypt<'a>(&'a self, _: &'a SecretBytes, _: &'a [u8]) -> Answering<'a, Encrypted> {
        Box::pin(async { Err(self.1()) })
    }

    fn decrypt<'a>(&'a self, _: &'a Decrypt) -> Answering<'a, SecretBytes> {
        Box::pin(async { Err(self.1()) })
    }
}

#[tokio::test]
async fn a_key_manager_that_is_down_is_told_apart_from_one_that_is_slow() {
    let mut bench = Bench::new().await;
    let request = to_encrypt(b"text", None, false);
    let sealed = to_decrypt(&bench.encrypt(&request).await, None);
    let about = Plain { request_metadata: &metadata() }.to_json();
    // trent's own is down when its database is.
    bench.proxy.database.close();
    let (status, body) = bench.call("/kms/xks/v1/health", &about).await;
    assert!(
        status == 200 && !Health::parse(&body).unwrap().is_serving(),
        "{}",
        String::from_utf8_lossy(&body)
    );
    let failed: fn() -> ManagerError = || ManagerError::Failed("it is down".to_owned());
    for (why, name) in [
        (failed, ErrorName::InternalException),
        (|| ManagerError::Timeout, ErrorName::DependencyTimeoutException),
    ] {
        bench.proxy.manager = Arc::new(Down(Arc::clone(&bench.proxy.manager), why));
        let encrypted = bench.call("/kms/xks/v1/keys/key/encrypt", &request.to_json()).await;
        assert_eq!(error(encrypted, Api::Encrypt), name);
        assert_eq!(bench.decrypt(&sealed).await, Err(name));
        let health = bench.call("/kms/xks/v1/health", &about).await;
        assert_eq!(error(health, Api::Health), name);
    }
}
