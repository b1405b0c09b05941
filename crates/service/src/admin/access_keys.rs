//! Access keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use trent_crypto::SecretBytes;
use trent_database::Transaction;
use trent_domain::identifier::AccountId;
use trent_domain::identity::{AccessKey, Kind, Owner, RecordName, Status};
use trent_domain::limits::ACCESS_KEYS_PER_USER_MAX;

use super::records::find;
use super::{AccessKeyLine, Managed, Outcome, Refused, Reply, check_account, managed};
use crate::error::KmsError;
use crate::identity::Configured;
use crate::open::Service;

impl Service {
    pub(super) async fn list_access_keys(&self) -> Outcome {
        let stored = trent_database::read(&*self.database, |records| records.access_keys()).await?;
        let stored = stored.into_iter().map(|AccessKey { id, account, owner, status, .. }| AccessKeyLine {
            id,
            account,
            owner,
            status,
            managed: Managed::Database,
        });
        let configured = self.configured.lock().await;
        let filed = configured.access_keys.iter().map(|(account, owner, key)| AccessKeyLine {
            id: key.id.clone(),
            account: *account,
            owner: owner.clone(),
            status: key.status,
            managed: Managed::File,
        });
        Ok(Reply::AccessKeys { access_keys: stored.chain(filed).collect() })
    }

    pub(super) async fn add_access_key(&self, account: AccountId, user: Option<String>) -> Outcome {
        let id = self.new_access_key_id("AKIA")?;
        let secret = self.new_access_key_secret()?;
        let sealed_secret = self.gate.seal_access_key_secret(&id, secret.expose())?;
        let owner = user.map_or(Owner::Root, Owner::User);
        let (status, created) = (Status::Active, self.now());
        let key = AccessKey { id: id.clone(), account, owner, status, created, sealed_secret };
        self.change_identities("add access key", move |transaction, configured| {
            check_user(transaction, configured, account, &key.owner)?;
            check_count(transaction, &key)?;
            Ok(transaction.put_access_key(&key)?)
        })
        .await?;
        Ok(Reply::NewAccessKey { id, secret: secret.expose().as_slice().into() })
    }

    pub(super) async fn set_access_key(&self, id: String, status: Status) -> Outcome {
        self.change_identities("set access key", move |transaction, configured| {
            let key = known(transaction, configured, &id)?;
            Ok(transaction.put_access_key(&AccessKey { status, ..key })?)
        })
        .await
    }

    pub(super) async fn delete_access_key(&self, id: String) -> Outcome {
        self.change_identities("delete access key", move |transaction, configured| {
            known(transaction, configured, &id)?;
            Ok(transaction.delete_access_key(&id)?)
        })
        .await
    }

    /// An access key id of this kind: 20 characters.
    pub(crate) fn new_access_key_id(&self, prefix: &str) -> Result<String, trent_gate::OpenError> {
        Ok(self.unique_id(prefix)?.chars().take(20).collect())
    }

    /// A secret as AWS makes them: 30 random bytes, 40 characters.
    fn new_access_key_secret(&self) -> Result<SecretBytes, KmsError> {
        let bytes = self.random_array::<30>()?;
        Ok(SecretBytes::from(STANDARD_NO_PAD.encode(bytes).into_bytes()))
    }
}

fn known(transaction: &dyn Transaction, configured: &Configured, id: &str) -> Result<AccessKey, Refused> {
    if configured.access_keys.iter().any(|(.., key)| key.id == id) {
        return Err(managed(format!("access key `{id}`")));
    }
    let key = transaction.access_keys()?.into_iter().find(|key| key.id == id);
    key.ok_or_else(|| {
        Refused::new(format!("no access key `{id}`; `trent admin access-key list` shows those there are"))
    })
}

/// Whether an account and its user are in the database, and so may be given something there.
pub(super) fn check_user(
    transaction: &dyn Transaction,
    configured: &Configured,
    account: AccountId,
    owner: &Owner,
) -> Result<(), Refused> {
    let Owner::User(name) = owner else { return check_account(transaction, account) };
    let record = RecordName { account, kind: Kind::User, name: name.clone() };
    if configured.has_record(&record) {
        return Err(managed(record));
    }
    check_account(transaction, account)?;
    find(transaction, &record)?.map(drop).ok_or_else(|| {
        Refused::new(format!("account {account} has no user `{name}`; add it with `trent admin user add`"))
    })
}

fn check_count(transaction: &dyn Transaction, key: &AccessKey) -> Result<(), Refused> {
    let keys = transaction.access_keys()?;
    let has = keys.iter().filter(|known| known.account == key.account && known.owner == key.owner).count();
    if has >= ACCESS_KEYS_PER_USER_MAX {
        return Err(Refused::new(format!(
            "{has} access keys are there already; a user may have {ACCESS_KEYS_PER_USER_MAX}"
        )));
    }
    Ok(())
}
