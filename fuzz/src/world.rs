//! A deployment of trent in this process, for what is read inside it.

use std::future::Future;
use std::sync::{Arc, LazyLock};

use tokio::runtime::{Builder, Runtime};
use trent_audit::Client;
use trent_service::identity_file::{NoSources, parse};
use trent_service::{Connection, Form, SigningIdentity, StsAction, StsCall, StsError};
use trent_testkit::TestKms;

/// Two roles: the account `111122223333` may assume `open`, and nobody `closed`. Alice may assume both.
const IDENTITIES: &str = r#"
[[account]]
id = "444455556666"
name = "fuzz"

[[account.user]]
name = "alice"
inline = [{name = "all", document = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'}]
access_key = [{id = "AKIAFUZZFUZZFUZZFUZZ", secret = "of-a-test"}]

[[account.role]]
name = "open"
trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}'

[[account.role]]
name = "closed"
trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sts:*"}]}'
"#;
/// Alice's access key.
const ALICE: &str = "AKIAFUZZFUZZFUZZFUZZ";

/// The deployment, and what runs it.
pub struct World {
    /// The deployment.
    pub kms: TestKms,
    runtime: Runtime,
}

/// The deployment of a target.
pub static WORLD: LazyLock<World> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let kms = runtime.block_on(async {
        let kms = TestKms::new().await;
        let identities = parse(IDENTITIES, &NoSources).expect("an identity file");
        kms.service.configure(identities).await.expect("identities that fit together");
        kms
    });
    World { kms, runtime }
});

impl World {
    /// Waits.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// What STS answers Alice.
    ///
    /// # Errors
    /// It refuses.
    pub fn sts(&self, form: &Form) -> Result<String, StsError> {
        let action = StsAction::of(form)?;
        let service = &self.kms.service;
        let signer: Option<Arc<SigningIdentity>> =
            action.is_signed().then(|| service.access_key(ALICE)).flatten();
        let (region, request_id) = (self.kms.region, service.new_request_id());
        let call = StsCall { signer, region, request_id, connection: Connection::default() };
        let recorder = service.trail().recorder();
        self.run(service.sts(action, form, &call, (&recorder, Client::default())))
    }
}

/// The text of an element of an answer.
#[must_use]
pub fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0)
}
