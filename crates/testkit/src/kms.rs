//! The whole service in this process, on a database of its own; requests go in as JSON, as the server takes them.

use std::future::Future;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use trent_audit::{Client, Recorder};
use trent_crypto::{Key256, Random, SecretBytes};
use trent_database::{Database, Embedded};
use trent_domain::grant::{Constraints, Grant, GrantOperations, PrincipalId, Scope, Terms};
use trent_domain::identifier::{AccountId, GrantId, KeyArn, Region};
use trent_domain::identity::{Caller, User};
use trent_domain::time::Clock;
use trent_keystore::{Keyring, SoftwareStore};
use trent_policy::{Attached, Document, Kind};
use trent_protocol::{GrantOperation, Operation};
use trent_service::admin::{Command, Reply};
use trent_service::{
    Bootstrap, CacheBounds, Call, Connection, Exchange, JobReport, KmsError, Options, Parts, Service,
    Standing,
};
use uuid::Uuid;

use crate::clock::TestClock;
use crate::clusters::TestClusters;
use crate::faults::FaultyDatabase;
use crate::proxies::TestProxies;
use crate::random::SeededRandom;

/// The account of the caller that a [`TestKms`] has at first.
pub const ACCOUNT: &str = "111122223333";
/// The Region of the requests that a [`TestKms`] makes at first.
pub const REGION: &str = "eu-central-1";

const ACCESS_KEY: &str = "AKIATESTTESTTESTTEST";

/// An identity policy of these statements.
pub fn attached(statements: &Value) -> Attached {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let document = Document::parse(&text, Kind::Identity).expect("a policy");
    Attached { name: "test".into(), document: Arc::new(document) }
}

/// What an operation answers: its JSON body, or the code and text of its error.
pub type Answer = Result<Value, KmsError>;

/// A service in this process and a caller who uses it. Clones are the same service.
#[derive(Clone)]
pub struct TestKms {
    /// The service.
    pub service: Arc<Service>,
    /// Its records, past the service and its caches.
    pub database: Arc<dyn Database>,
    /// Its clock.
    pub clock: Arc<TestClock>,
    /// Who calls.
    pub caller: Arc<Caller>,
    /// The policies that bear on the caller.
    pub standing: Arc<Standing>,
    /// The Region that the caller calls.
    pub region: Region,
    recorder: Recorder,
    /// The proxies of external key stores.
    pub proxies: Arc<TestProxies>,
    /// The HSMs of clusters.
    pub clusters: Arc<TestClusters>,
    options: Options,
    // Outlives a restart: the same randomness twice would give two keys one id.
    random: Arc<SeededRandom>,
    dir: Arc<TempDir>,
}

impl TestKms {
    /// A new service, with an administrator of [`ACCOUNT`] calling in [`REGION`].
    pub async fn new() -> Self {
        Self::with_options(Options::default()).await
    }

    /// A new service that records what it does, until the first restart.
    pub async fn audited() -> Self {
        Self::new().await.with_trail().await
    }

    /// The same service, which from now on records what it does.
    pub async fn with_trail(self) -> Self {
        let service = Arc::into_inner(self.service).expect("nobody else uses the service");
        let settings = trent_audit::Settings::in_dir(self.dir.path().join("audit"));
        let service = service.open_trail(settings).await.expect("the trail opens");
        let recorder = service.trail().recorder();
        Self { service: Arc::new(service), recorder, ..self }
    }

    /// Where an audited service records what it does.
    pub fn audit_dir(&self) -> PathBuf {
        self.dir.path().join("audit")
    }

    /// What an audited service has recorded.
    pub fn records(&self) -> Vec<Value> {
        let files = trent_audit::list(&self.audit_dir()).expect("the trail is listed");
        let texts = files.iter().map(|file| std::fs::read_to_string(&file.path).expect("the trail is read"));
        let read = |line: &str| serde_json::from_str(line).expect("a record is JSON");
        texts.flat_map(|text| text.lines().map(read).collect::<Vec<_>>()).collect()
    }

    /// A new service with other options.
    pub async fn with_options(options: Options) -> Self {
        Self::on_database(options, |database| database).await
    }

    /// A new service that knows other accounts too.
    pub async fn with_accounts(ids: &[&str]) -> Self {
        let kms = Self::new().await;
        for id in ids {
            let id = id.parse().expect("an account id");
            let reply = kms.service.administer(Command::AddAccount { id, name: "other".to_owned() }).await;
            assert_eq!(reply, Reply::Done);
        }
        kms
    }

    /// A new service on a database that fails when it is told to, until the first restart.
    pub async fn with_faults() -> (Self, Arc<FaultyDatabase>) {
        let mut faulty = None;
        let kms = Self::on_database(Options::default(), |database| {
            Arc::clone(faulty.insert(Arc::new(FaultyDatabase::new(database)))) as _
        });
        let kms = kms.await;
        (kms, faulty.expect("the database was opened"))
    }

    async fn on_database(
        options: Options,
        wrap: impl FnOnce(Arc<dyn Database>) -> Arc<dyn Database>,
    ) -> Self {
        let dir = Arc::new(tempfile::tempdir().expect("a directory for the database"));
        let (clock, random) = (Arc::new(TestClock::default()), Arc::new(SeededRandom::new(1)));
        let database = wrap(open_database(&dir));
        let (proxies, clusters) = (Arc::new(TestProxies::default()), Arc::new(TestClusters::default()));
        let behind = (&proxies, &clusters);
        let service = open(&database, &clock, &random, behind, options.clone()).await;
        let signer = service.access_key(ACCESS_KEY).expect("the administrator's access key");
        let (caller, standing) = (Arc::clone(&signer.caller), Arc::clone(&signer.standing));
        let region = REGION.parse().expect("a Region");
        let recorder = service.trail().recorder();
        Self {
            service: Arc::new(service),
            database,
            clock,
            caller,
            standing,
            region,
            recorder,
            proxies,
            clusters,
            options,
            random,
            dir,
        }
    }

    /// The service as it is after a restart of the process: nothing is left but the database and the root key.
    pub async fn restart(self) -> Self {
        let Self {
            service,
            database,
            clock,
            caller,
            standing,
            region,
            recorder: _,
            proxies,
            clusters,
            options,
            random,
            dir,
        } = self;
        drop(Arc::into_inner(service).expect("nobody else uses the service"));
        drop(database);
        let database = open_database(&dir);
        clusters.lose_connections();
        let behind = (&proxies, &clusters);
        let service = open(&database, &clock, &random, behind, options.clone()).await;
        let recorder = service.trail().recorder();
        Self {
            service: Arc::new(service),
            database,
            clock,
            caller,
            standing,
            region,
            recorder,
            proxies,
            clusters,
            options,
            random,
            dir,
        }
    }

    /// The same service, called in another Region.
    pub fn in_region(&self, region: &str) -> Self {
        Self { region: region.parse().expect("a Region"), ..self.clone() }
    }

    /// The same service, called by somebody else, on whom no policy bears.
    pub fn called_by(&self, caller: Caller) -> Self {
        Self { caller: Arc::new(caller), standing: Arc::default(), ..self.clone() }
    }

    /// The same service and caller, with other policies that bear on the caller.
    pub fn under(&self, standing: Standing) -> Self {
        Self { standing: Arc::new(standing), ..self.clone() }
    }

    /// The same service, called by the root of another account.
    pub fn in_account(&self, account: &str) -> Self {
        let account: AccountId = account.parse().expect("an account id");
        self.called_by(Caller::root(account, "AKIAOTHEROTHEROTHERO"))
    }

    /// The same service, called by a user of this account who has been given no rights.
    pub fn as_user(&self, name: &str) -> Self {
        let user = User::new(self.caller.account, name, "AIDATESTTESTTESTTESTT", self.clock.now());
        self.called_by(Caller::user(&user, "AKIAUSERUSERUSERUSER"))
    }

    /// The same service and caller, with one identity policy of these statements.
    pub fn with_identity_policy(&self, statements: &Value) -> Self {
        self.under(Standing { identity: vec![attached(statements)], ..Standing::default() })
    }

    /// The same service, called by a session of the role `app` of this account.
    pub fn as_role_session(&self, name: &str) -> Self {
        let account = self.caller.account;
        let role = format!("arn:aws:iam::{account}:role/eng/app");
        self.called_by(Caller::role_session(
            account,
            &role,
            "AROATESTTESTTESTTESTT",
            name,
            "ASIASESSIONSESSIONSE",
        ))
    }

    /// Puts a policy of these statements on a key, whomever it locks out.
    pub async fn put_policy(&self, key: &str, statements: &Value) {
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let request = json!({"KeyId": key, "Policy": policy, "BypassPolicyLockoutSafetyCheck": true});
        self.ok(Operation::PutKeyPolicy, request).await;
    }

    /// Runs one operation on a JSON body, from decoding to the encoded answer.
    pub async fn call(&self, operation: Operation, body: Value) -> Answer {
        self.call_bytes(operation, body.to_string().as_bytes()).await
    }

    /// The same, on any body.
    pub async fn call_bytes(&self, operation: Operation, body: &[u8]) -> Answer {
        self.call_with_request_id(operation, body, self.service.new_request_id()).await
    }

    /// The same, with the id that the request is to have.
    pub async fn call_with_request_id(&self, operation: Operation, body: &[u8], request_id: Uuid) -> Answer {
        let (caller, standing) = (Arc::clone(&self.caller), Arc::clone(&self.standing));
        let call =
            Call { caller, standing, region: self.region, request_id, connection: Connection::default() };
        let client = Client { user_agent: Some("testkit"), ..Client::default() };
        let exchange = Exchange::begin(&self.service, &self.recorder, operation, &call, client)?;
        let outcome = match exchange.admit() {
            Ok(()) => trent_server::dispatch(&self.service, operation, body, &call, exchange.event()).await,
            throttled => throttled.map(|()| Vec::new()),
        };
        let error = outcome.as_ref().err().map(|error| (error.code.name(), error.message.as_deref()));
        exchange.finish(error).await?;
        let answer = outcome?;
        Ok(if answer.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&answer).expect("the answer is JSON")
        })
    }

    /// Runs all jobs once.
    pub async fn run_jobs(&self) -> JobReport {
        self.service.run_jobs().await.expect("jobs run")
    }

    /// Goes on with connecting and disconnecting key stores. Answers how many have come to an end with it.
    pub async fn settle_key_stores(&self) -> usize {
        self.service.settle_key_stores().await.expect("key stores are settled")
    }

    /// The answer of an operation that succeeds; what went wrong otherwise.
    #[track_caller]
    pub fn ok(&self, operation: Operation, body: Value) -> impl Future<Output = Value> + Send + '_ {
        let here = Location::caller();
        async move {
            let asked = body.to_string();
            match self.call(operation, body).await {
                Ok(answer) => answer,
                Err(error) => panic!("{here}: {operation} {asked}: {}", told(&error)),
            }
        }
    }

    /// The answer of an operation that is refused: `Code: text`, or the code alone where there is no text.
    #[track_caller]
    pub fn refused(&self, operation: Operation, body: Value) -> impl Future<Output = String> + Send + '_ {
        let here = Location::caller();
        async move {
            let asked = body.to_string();
            match self.call(operation, body).await {
                Ok(answer) => panic!("{here}: {operation} {asked} succeeded: {answer}"),
                Err(error) => told(&error),
            }
        }
    }

    /// Creates a symmetric key and gives its id.
    pub async fn create_key(&self) -> String {
        self.create_key_with(json!({})).await
    }

    /// Creates a key as the request says and gives its id.
    pub async fn create_key_with(&self, request: Value) -> String {
        text(&self.ok(Operation::CreateKey, request).await["KeyMetadata"]["KeyId"])
    }

    /// Creates a key of this spec and usage and gives its id.
    pub async fn create_key_of(&self, spec: &str, usage: &str) -> String {
        self.create_key_with(json!({"KeySpec": spec, "KeyUsage": usage})).await
    }

    /// The public key of a key pair.
    pub async fn public_key(&self, key: &str) -> Vec<u8> {
        bytes(&self.ok(Operation::GetPublicKey, json!({"KeyId": key})).await["PublicKey"])
    }

    /// Gives a key another name.
    pub async fn create_alias(&self, name: &str, key: &str) {
        self.ok(Operation::CreateAlias, json!({"AliasName": name, "TargetKeyId": key})).await;
    }

    /// Puts a grant for a user who does not exist beside a key, which may be in a state in which none is made; gives its id.
    pub async fn insert_grant(&self, key: &str) -> String {
        let (account, region) = (self.caller.account, self.region);
        let mut id = [0; 32];
        self.random.fill(&mut id).expect("randomness");
        let operations = GrantOperations::parse(&[GrantOperation::DescribeKey]).expect("an operation");
        let grant = Grant {
            id: GrantId(id),
            key: KeyArn { region, account, id: key.parse().expect("a key id") },
            created: self.clock.now(),
            terms: Terms {
                name: None,
                grantee: PrincipalId::User { account, id: "AIDANOBODYNOBODYNOBOD".to_owned() },
                retiring: None,
                issuer: account,
                scope: Scope { operations, constraints: Constraints::default() },
            },
        };
        let insert =
            trent_database::write(&*self.database, "test", move |records| records.insert_grant(&grant));
        insert.await.and_then(|inserted| inserted).expect("the grant is inserted");
        GrantId(id).to_string()
    }

    /// Encrypts and gives the ciphertext blob in base64.
    pub async fn encrypt(&self, key: &str, plaintext: &[u8]) -> String {
        let request = json!({"KeyId": key, "Plaintext": base64(plaintext)});
        text(&self.ok(Operation::Encrypt, request).await["CiphertextBlob"])
    }

    /// Decrypts a ciphertext blob.
    pub async fn decrypt(&self, blob: &str) -> Vec<u8> {
        bytes(&self.ok(Operation::Decrypt, json!({"CiphertextBlob": blob})).await["Plaintext"])
    }

    /// Disables a key.
    pub async fn disable(&self, key: &str) {
        self.ok(Operation::DisableKey, json!({"KeyId": key})).await;
    }

    /// Enables a key.
    pub async fn enable(&self, key: &str) {
        self.ok(Operation::EnableKey, json!({"KeyId": key})).await;
    }

    /// Schedules the deletion of a key in seven days.
    pub async fn schedule_deletion(&self, key: &str) {
        self.ok(Operation::ScheduleKeyDeletion, json!({"KeyId": key, "PendingWindowInDays": 7})).await;
    }

    /// The metadata of a key.
    pub async fn metadata(&self, key: &str) -> Value {
        self.ok(Operation::DescribeKey, json!({"KeyId": key})).await["KeyMetadata"].take()
    }

    /// All items of a list: `member` of every page, each page asked for with the marker of the one before.
    pub async fn list_all(&self, operation: Operation, request: &Value, member: &str) -> Vec<Value> {
        let (mut items, mut request) = (Vec::new(), request.clone());
        loop {
            let mut page = self.ok(operation, request.clone()).await;
            items.append(page[member].as_array_mut().expect("a list"));
            let marker = page["NextMarker"].take();
            assert_eq!(page["Truncated"], !marker.is_null(), "a marker, and only then more pages: {page}");
            if marker.is_null() {
                return items;
            }
            request["Marker"] = marker;
        }
    }

    /// The ARN that a key of this caller's account and Region has.
    pub fn arn(&self, key_id: &str) -> String {
        format!("arn:aws:kms:{}:{}:key/{key_id}", self.region, self.caller.account)
    }

    /// The ARN that an alias of this caller's account and Region has.
    pub fn alias_arn(&self, name: &str) -> String {
        format!("arn:aws:kms:{}:{}:{name}", self.region, self.caller.account)
    }
}

/// An error as tests compare it: `Code: text`, or the code alone where there is no text.
pub fn told(error: &KmsError) -> String {
    match &error.message {
        Some(message) => format!("{}: {message}", error.code),
        None => error.code.to_string(),
    }
}

/// Bytes as requests carry them.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of a blob in an answer.
pub fn bytes(blob: &Value) -> Vec<u8> {
    STANDARD.decode(blob.as_str().expect("a blob")).expect("base64")
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

fn open_database(dir: &TempDir) -> Arc<dyn Database> {
    Arc::new(Embedded::open(dir.path()).expect("the database opens"))
}

async fn open(
    database: &Arc<dyn Database>,
    clock: &Arc<TestClock>,
    random: &Arc<SeededRandom>,
    (proxies, clusters): (&Arc<TestProxies>, &Arc<TestClusters>),
    options: Options,
) -> Service {
    let (clock, random): (Arc<dyn Clock>, Arc<dyn Random>) =
        (Arc::clone(clock) as _, Arc::clone(random) as _);
    let keyring = Arc::new(Keyring::new(&Key256::new([7; 32]), Arc::clone(&random)));
    let store = Arc::new(SoftwareStore::new(Arc::clone(&keyring)).expect("threads"));
    let bounds = CacheBounds::default();
    let (proxies, clusters) = (Arc::clone(proxies) as _, Arc::clone(clusters) as _);
    let database = Arc::clone(database);
    let parts = Parts { database, keyring, store, proxies, clusters, random, clock, bounds };
    let (service, _) = Service::open(parts, options, || Some(bootstrap())).await.expect("the service opens");
    service
}

fn bootstrap() -> Bootstrap {
    Bootstrap {
        account: ACCOUNT.parse().expect("an account id"),
        user: "admin".to_owned(),
        access_key_id: ACCESS_KEY.to_owned(),
        secret: SecretBytes::from(b"a secret of a test, 40 characters long..".to_vec()),
    }
}
