//! Changes of accounts, users and access keys: in force as soon as they are answered, however many there are at once.

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use trent_audit::Client;
use trent_domain::identity::{Kind, RecordName};
use trent_service::admin::{Command, Reply};
use trent_service::{Configured, Connection, Form, SessionError, StsAction, StsCall, StsError};
use trent_testkit::{ACCOUNT, TestKms};

/// An access key of the account's root: its id.
async fn access_key(kms: &TestKms) -> String {
    let command = Command::AddAccessKey { account: kms.caller.account, user: None };
    let Reply::NewAccessKey { id, .. } = kms.service.administer(command).await else {
        panic!("a new access key")
    };
    id
}

#[tokio::test]
async fn an_access_key_stays_disabled_when_the_configuration_is_read_at_the_same_time() {
    let kms = TestKms::new().await;
    let id = access_key(&kms).await;
    // The identities are read, as they are before the change; what was read is not in force yet.
    let reload = loop {
        let mut reload = Box::pin(kms.service.configure(Configured::default()));
        if poll_fn(|cx| Poll::Ready(reload.as_mut().poll(cx).is_pending())).await {
            break reload;
        }
    };
    std::thread::sleep(Duration::from_millis(100));
    let mut disable = Box::pin(kms.service.administer(Command::DisableAccessKey { id: id.clone() }));
    let early = tokio::time::timeout(Duration::from_secs(1), &mut disable).await;
    reload.await.expect("reloaded");
    let reply = match early {
        Ok(reply) => reply,
        Err(_) => disable.await,
    };
    assert_eq!(reply, Reply::Done);
    assert!(kms.service.access_key(&id).is_none());
}

#[tokio::test]
async fn an_access_key_whose_secret_is_broken_is_named() {
    let kms = TestKms::new().await;
    let id = access_key(&kms).await;
    let broken = id.clone();
    trent_database::write(&*kms.database, "break", move |transaction| {
        let keys = transaction.access_keys()?;
        let mut key = keys.into_iter().find(|key| key.id == broken).expect("the access key");
        key.sealed_secret.truncate(20);
        transaction.put_access_key(&key)
    })
    .await
    .expect("the database")
    .expect("written");
    let refused = kms.service.configure(Configured::default()).await.expect_err("one is broken");
    let refused = refused.to_string();
    assert!(refused.starts_with(&format!("access key `{id}`: its secret cannot be opened: ")), "{refused}");
}

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},
    "Action":"sts:AssumeRole"}]}"#;

/// Access key id, secret and token of an answer of STS.
fn credentials(xml: &str) -> [String; 3] {
    ["AccessKeyId", "SecretAccessKey", "SessionToken"].map(|name| {
        let (_, rest) = xml.split_once(&format!("<{name}>")).expect("the element");
        rest.split_once('<').expect("its end").0.to_owned()
    })
}

async fn assume(kms: &TestKms, form: &str) -> Result<String, StsError> {
    let text = format!("Action=AssumeRole&Version=2011-06-15&RoleSessionName=test&{form}");
    let form = Form::parse(text.as_bytes()).expect("a form");
    let keys = kms.service.administer(Command::ListAccessKeys {}).await;
    let Reply::AccessKeys { access_keys } = keys else { panic!("access keys") };
    let signer = kms.service.access_key(&access_keys[0].id);
    let (region, request_id) = (kms.region, kms.service.new_request_id());
    let call = StsCall { signer, region, request_id, connection: Connection::default() };
    let recorder = kms.service.trail().recorder();
    kms.service.sts(StsAction::of(&form)?, &form, &call, (&recorder, Client::default())).await
}

fn role(name: &str) -> Command {
    Command::AddRole {
        account: ACCOUNT.parse().expect("an account"),
        name: name.to_owned(),
        path: "/".to_owned(),
        trust: TRUST.to_owned(),
        max_session_seconds: 3600,
    }
}

const ARN: &str = "RoleArn=arn:aws:iam::111122223333:role/app";

#[tokio::test]
async fn a_session_ends_to_the_millisecond() {
    let kms = TestKms::new().await;
    assert_eq!(kms.service.administer(role("app")).await, Reply::Done);
    let [id, secret, token] =
        credentials(&assume(&kms, &format!("{ARN}&DurationSeconds=900")).await.unwrap());
    let session = |kms: &TestKms| kms.service.session(&id, &token).map(|session| session.secret().to_vec());
    assert_eq!(session(&kms), Ok(secret.into_bytes()));
    kms.clock.advance_millis(899_999);
    assert!(session(&kms).is_ok());
    kms.clock.advance_millis(1);
    assert_eq!(session(&kms), Err(SessionError::Expired));
}

#[tokio::test]
async fn a_role_that_is_made_again_does_not_take_up_the_sessions_of_the_old_one() {
    let kms = TestKms::new().await;
    assert_eq!(kms.service.administer(role("app")).await, Reply::Done);
    let [id, _, token] = credentials(&assume(&kms, ARN).await.unwrap());
    assert!(kms.service.session(&id, &token).is_ok());
    let account = ACCOUNT.parse().expect("an account");
    let name = RecordName { account, kind: Kind::Role, name: "app".to_owned() };
    assert_eq!(kms.service.administer(Command::DeleteRecord { name }).await, Reply::Done);
    assert_eq!(kms.service.session(&id, &token).err(), Some(SessionError::Invalid));
    assert_eq!(kms.service.administer(role("app")).await, Reply::Done);
    assert_eq!(kms.service.session(&id, &token).err(), Some(SessionError::Invalid));
}

#[tokio::test]
async fn a_token_opens_for_its_own_access_key_and_only_whole() {
    let kms = TestKms::new().await;
    assert_eq!(kms.service.administer(role("app")).await, Reply::Done);
    let [id, _, token] = credentials(&assume(&kms, ARN).await.unwrap());
    let invalid = |id: &str, token: &str| kms.service.session(id, token).err();
    assert_eq!(invalid("ASIAOTHEROTHEROTHERO", &token), Some(SessionError::Invalid));
    for broken in
        ["", "AQ==", &token[..token.len() - 4], &format!("{token}AAAA"), &token.replacen('A', "B", 1)]
    {
        assert_eq!(invalid(&id, broken), Some(SessionError::Invalid), "{broken}");
    }
    assert_eq!(invalid(&id, &"A".repeat(20_000)), Some(SessionError::Invalid));
}

/// The number of the key that sealed a token.
fn sealed_with(token: &str) -> u32 {
    let bytes = trent_testkit::bytes(&serde_json::json!(token));
    u32::from_be_bytes(bytes[1..5].try_into().expect("four bytes"))
}

/// The keys of session tokens that are stored.
async fn session_keys(kms: &TestKms) -> Vec<String> {
    let rows = trent_database::read(&*kms.database, |records| records.ring_keys()).await.expect("the ring");
    rows.into_iter().map(|row| row.name).filter(|name| name.starts_with("sessions/")).collect()
}

#[tokio::test]
async fn sessions_outlast_the_key_that_sealed_them_for_as_long_as_any_may_last() {
    let kms = TestKms::new().await;
    assert_eq!(kms.service.administer(role("app")).await, Reply::Done);
    let [old_id, _, old] = credentials(&assume(&kms, ARN).await.unwrap());
    assert_eq!(kms.service.administer(Command::RotateSessionKey {}).await, Reply::Done);
    let [new_id, _, new] = credentials(&assume(&kms, ARN).await.unwrap());
    assert_eq!((sealed_with(&old), sealed_with(&new)), (1, 2));
    let kms = kms.restart().await;
    assert!(kms.service.session(&old_id, &old).is_ok());
    assert!(kms.service.session(&new_id, &new).is_ok());
    kms.clock.advance_millis(129_599_999);
    kms.run_jobs().await;
    assert_eq!(session_keys(&kms).await, ["sessions/1", "sessions/2"]);
    kms.clock.advance_millis(1);
    kms.run_jobs().await;
    assert_eq!(session_keys(&kms).await, ["sessions/2"]);
    let kms = kms.restart().await;
    assert_eq!(kms.service.session(&old_id, &old).err(), Some(SessionError::Invalid));
    let [id, _, token] = credentials(&assume(&kms, ARN).await.unwrap());
    assert_eq!(sealed_with(&token), 2);
    assert!(kms.service.session(&id, &token).is_ok());
}

#[tokio::test]
async fn another_key_seals_sessions_each_month() {
    let kms = TestKms::new().await;
    kms.run_jobs().await;
    kms.clock.advance_days(29);
    kms.run_jobs().await;
    assert_eq!(session_keys(&kms).await, ["sessions/1"]);
    kms.clock.advance_days(1);
    kms.run_jobs().await;
    assert_eq!(session_keys(&kms).await, ["sessions/1", "sessions/2"]);
    kms.clock.advance_days(30);
    kms.run_jobs().await;
    // The second has sealed until now.
    assert_eq!(session_keys(&kms).await, ["sessions/2", "sessions/3"]);
}
