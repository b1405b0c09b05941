//! The whole service in this process, on a database of its own; requests go in as JSON, as the server takes them.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use trent_crypto::{Key256, Random, SecretBytes};
use trent_database::{Database, Embedded};
use trent_domain::identifier::{AccountId, Region};
use trent_domain::identity::Caller;
use trent_keystore::{Keyring, SoftwareStore};
use trent_protocol::Operation;
use trent_service::{Bootstrap, CacheBounds, Call, JobReport, KmsError, Options, Parts, Service};

use crate::clock::TestClock;
use crate::random::SeededRandom;

/// The account of the caller that a [`TestKms`] has at first.
pub const ACCOUNT: &str = "111122223333";
/// The Region of the requests that a [`TestKms`] makes at first.
pub const REGION: &str = "eu-central-1";

const ACCESS_KEY: &str = "AKIATESTTESTTESTTEST";

/// What an operation answers: its JSON body, or the code and text of its error.
pub type Answer = Result<Value, KmsError>;

/// A service in this process and a caller who uses it. Clones are the same service.
#[derive(Clone)]
pub struct TestKms {
    /// The service.
    pub service: Arc<Service>,
    /// Its clock.
    pub clock: Arc<TestClock>,
    caller: Arc<Caller>,
    region: Region,
    dir: Arc<TempDir>,
}

impl TestKms {
    /// A new service, with an administrator of [`ACCOUNT`] calling in [`REGION`].
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory for the database");
        Self::open(Arc::new(dir), Arc::new(TestClock::default()), Options::default()).await
    }

    /// A new service with other options.
    pub async fn with_options(options: Options) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the database");
        Self::open(Arc::new(dir), Arc::new(TestClock::default()), options).await
    }

    /// The service as it is after a restart of the process: nothing is left but the database and the root key.
    pub async fn restart(self) -> Self {
        let Self { service, clock, dir, .. } = self;
        let options = Options { ..Options::default() };
        drop(Arc::into_inner(service).expect("nobody else uses the service"));
        Self::open(dir, clock, options).await
    }

    async fn open(dir: Arc<TempDir>, clock: Arc<TestClock>, options: Options) -> Self {
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(1));
        let database: Arc<dyn Database> = Arc::new(Embedded::open(dir.path()).expect("the database opens"));
        let keyring = Arc::new(Keyring::new(&Key256::new([7; 32]), Arc::clone(&random)));
        let store = Arc::new(SoftwareStore::new(Arc::clone(&keyring)));
        let parts =
            Parts { database, keyring, store, random, clock: Arc::clone(&clock) as _, bounds: CacheBounds::default() };
        let (service, _) = Service::open(parts, options, || Some(bootstrap())).await.expect("the service opens");
        let signer = service.access_key(ACCESS_KEY).expect("the administrator's access key");
        let region = REGION.parse().expect("a Region");
        Self { service: Arc::new(service), clock, caller: Arc::clone(&signer.caller), region, dir }
    }

    /// The same service, called in another Region.
    pub fn in_region(&self, region: &str) -> Self {
        Self { region: region.parse().expect("a Region"), ..self.clone() }
    }

    /// The same service, called by somebody else.
    pub fn called_by(&self, caller: Caller) -> Self {
        Self { caller: Arc::new(caller), ..self.clone() }
    }

    /// The same service, called by the root of another account.
    pub fn in_account(&self, account: &str) -> Self {
        let account: AccountId = account.parse().expect("an account id");
        self.called_by(Caller::root(account, "AKIAOTHEROTHEROTHERO"))
    }

    /// Runs one operation on a JSON body, from decoding to the encoded answer.
    pub async fn call(&self, operation: Operation, body: Value) -> Answer {
        self.call_bytes(operation, body.to_string().as_bytes()).await
    }

    /// The same, on any body.
    pub async fn call_bytes(&self, operation: Operation, body: &[u8]) -> Answer {
        let call = Call {
            caller: Arc::clone(&self.caller),
            region: self.region,
            request_id: self.service.new_request_id(),
            source: None,
        };
        let answer = trent_server::dispatch(&self.service, operation, body, &call).await?;
        Ok(if answer.is_empty() { Value::Null } else { serde_json::from_slice(&answer).expect("the answer is JSON") })
    }

    /// Runs all jobs once.
    pub async fn run_jobs(&self) -> JobReport {
        self.service.run_jobs().await.expect("jobs run")
    }

    /// Creates a symmetric key and gives its id.
    pub async fn create_key(&self) -> String {
        let answer = self.call(Operation::CreateKey, json!({})).await.expect("a key");
        answer["KeyMetadata"]["KeyId"].as_str().expect("a key id").to_owned()
    }

    /// The ARN that a key of this caller's account and Region has.
    pub fn arn(&self, key_id: &str) -> String {
        format!("arn:aws:kms:{}:{}:key/{key_id}", self.region, self.caller.account)
    }
}

fn bootstrap() -> Bootstrap {
    Bootstrap {
        account: ACCOUNT.parse().expect("an account id"),
        user: "admin".to_owned(),
        access_key_id: ACCESS_KEY.to_owned(),
        secret: SecretBytes::from(b"a secret of a test, 40 characters long..".to_vec()),
    }
}
