//! Grants.

mod create_grant;
mod list_grants;
mod list_retirable_grants;
mod retire_grant;
mod revoke_grant;

mod many;

use serde_json::{Value, json};
use trent_domain::identifier::AccountId;
use trent_domain::identity::{Caller, Record, Role, User};
use trent_domain::time::Clock;
use trent_protocol::Operation::{CreateGrant, Encrypt, ListGrants};
use trent_service::Configured;
use trent_testkit::{ACCOUNT, TestKms, base64};

/// Who may assume the roles of these tests.
const TRUST: &str = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole",
    "Principal": {"AWS": "111122223333"}}}"#;
/// Another account.
const OTHER: &str = "444455556666";

/// A service with a key, and people in two accounts who have been given nothing.
pub(crate) struct World {
    /// Called by the administrator of the key's account.
    pub(crate) kms: TestKms,
    pub(crate) key: String,
}

impl World {
    async fn new() -> Self {
        let kms = TestKms::new().await;
        let key = kms.create_key().await;
        Self { kms, key }
    }

    /// A user of the key's account, made now.
    pub(crate) async fn user(&self, name: &str) -> TestKms {
        self.user_of(ACCOUNT, name).await
    }

    /// A user of an account, made now.
    async fn user_of(&self, account: &str, name: &str) -> TestKms {
        let account: AccountId = account.parse().expect("an account id");
        let unique_id = self.unique_id("AIDA");
        let user = User::new(account, name, &unique_id, self.kms.clock.now());
        self.add(Record::User(user.clone())).await;
        self.kms.called_by(Caller::user(&user, "AKIAUSERUSERUSERUSER"))
    }

    /// A role of the key's account, made now: gives its ARN and a way to begin sessions.
    pub(crate) async fn role(&self, name: &str) -> (String, impl Fn(&str) -> TestKms + use<>) {
        let account: AccountId = ACCOUNT.parse().expect("an account id");
        let role = Role::new(account, name, &self.unique_id("AROA"), TRUST, self.kms.clock.now());
        self.add(Record::Role(role.clone())).await;
        let kms = self.kms.clone();
        let session = move |name: &str| {
            let caller =
                Caller::role_session(account, &role.arn(), &role.unique_id, name, "ASIAROLEROLEROLEROLE");
            kms.called_by(caller)
        };
        (format!("arn:aws:iam::{ACCOUNT}:role/{name}"), session)
    }

    fn unique_id(&self, prefix: &str) -> String {
        let random = self.kms.service.new_request_id().simple().to_string().to_uppercase();
        format!("{prefix}{}", &random[..17])
    }

    async fn add(&self, record: Record) {
        let account = trent_domain::identity::Account {
            id: record.record_name().account,
            name: "test".to_owned(),
            status: trent_domain::identity::Status::Active,
        };
        trent_database::write(&*self.kms.database, "test", move |records| {
            records.put_account(&account)?;
            records.put_identity(&record)
        })
        .await
        .and_then(|written| written)
        .expect("written");
        self.kms.service.configure(Configured::default()).await.expect("the identities are read");
    }

    /// A request for a grant that lets `grantee` encrypt.
    fn request(&self, grantee: &TestKms) -> Value {
        json!({"KeyId": self.key, "GranteePrincipal": &*grantee.caller.arn, "Operations": ["Encrypt"]})
    }

    /// Makes a grant: `change` goes over a request that lets `grantee` encrypt. Gives its id and a token.
    async fn grant(&self, grantee: &TestKms, change: Value) -> (String, String) {
        let mut request = self.request(grantee);
        for (member, value) in change.as_object().expect("members") {
            request[member] = value.clone();
        }
        let answer = self.kms.ok(CreateGrant, request).await;
        let text = |member: &str| answer[member].as_str().expect("a text").to_owned();
        (text("GrantId"), text("GrantToken"))
    }

    /// The request that the grants of these tests are about.
    fn encrypt(&self) -> Value {
        json!({"KeyId": self.key, "Plaintext": base64(b"text")})
    }

    async fn may_encrypt(&self, caller: &TestKms) -> bool {
        match caller.call(Encrypt, self.encrypt()).await {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.code.to_string(), "AccessDeniedException", "{error}");
                false
            }
        }
    }

    /// The ids of the grants of the key.
    async fn ids(&self) -> Vec<String> {
        let grants = self.kms.list_all(ListGrants, &json!({"KeyId": self.key}), "Grants").await;
        grants.iter().map(|grant| grant["GrantId"].as_str().expect("an id").to_owned()).collect()
    }
}
