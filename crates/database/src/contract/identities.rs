//! Accounts, users and access keys.

use trent_domain::identity::{AccessKey, Account, Owner, Status, User};
use trent_domain::time::Timestamp;

use super::{Subject, account};

fn user(name: &str) -> User {
    User {
        account: account("111122223333"),
        name: name.to_owned(),
        path: "/team/".to_owned(),
        unique_id: format!("AIDA{name}"),
        administrator: true,
        status: Status::Active,
        created: Timestamp::from_millis(4),
    }
}

fn access_key(id: &str, owner: Owner) -> AccessKey {
    AccessKey {
        id: id.to_owned(),
        account: account("111122223333"),
        owner,
        status: Status::Active,
        created: Timestamp::from_millis(5),
        sealed_secret: vec![0, 1, 255],
    }
}

pub(crate) async fn are_kept_and_replaced(subject: Subject) {
    let mut accounts = ["111122223333", "444455556666"].map(|id| Account {
        id: account(id),
        name: "old".to_owned(),
        status: Status::Active,
    });
    let mut users = ["alice", "bob"].map(user);
    let mut keys = [access_key("AKIA1", Owner::Root), access_key("AKIA2", Owner::User("alice".to_owned()))];
    for _ in 0..2 {
        let written = (accounts.clone(), users.clone(), keys.clone());
        subject
            .write(move |records| {
                written.0.iter().try_for_each(|account| records.put_account(account))?;
                written.1.iter().try_for_each(|user| records.put_user(user))?;
                written.2.iter().try_for_each(|key| records.put_access_key(key))
            })
            .await;
        assert_eq!(subject.read(|records| records.accounts()).await, accounts);
        assert_eq!(subject.read(|records| records.users()).await, users);
        assert_eq!(subject.read(|records| records.access_keys()).await, keys);
        accounts[0].name = "new".to_owned();
        accounts[1].status = Status::Inactive;
        users[1].administrator = false;
        users[0].status = Status::Inactive;
        keys[1].status = Status::Inactive;
    }
}

pub(crate) async fn need_their_account(subject: Subject) {
    subject.try_write(|records| records.put_user(&user("alice"))).await.expect_err("there is no account");
    let key = access_key("AKIA1", Owner::Root);
    subject.try_write(move |records| records.put_access_key(&key)).await.expect_err("there is no account");
}
