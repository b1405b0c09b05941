//! Changes of accounts, users and access keys: in force as soon as they are answered, however many there are at once.

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use trent_service::Configured;
use trent_service::admin::{Command, Reply};
use trent_testkit::TestKms;

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
