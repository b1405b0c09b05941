//! Accounts.

use trent_domain::identifier::AccountId;
use trent_domain::identity::{Account, Status};

use super::{AccountLine, Managed, Outcome, Refused, Reply, managed, unknown_account};
use crate::open::Service;

impl Service {
    pub(super) async fn list_accounts(&self) -> Outcome {
        let stored = trent_database::read(&*self.database, |records| records.accounts()).await?;
        let configured = self.configured.lock().await;
        let line = |Account { id, name, status }: &Account, managed| AccountLine {
            id: *id,
            name: name.clone(),
            status: *status,
            managed,
        };
        let filed = configured.accounts.iter().map(|entry| &entry.account);
        // What the file says of an account that is in the database too is what counts.
        let stored = stored.iter().filter(|account| !configured.has_account(account.id));
        let stored = stored.map(|account| line(account, Managed::Database));
        let accounts = stored.chain(filed.map(|account| line(account, Managed::File)));
        Ok(Reply::Accounts { accounts: accounts.collect() })
    }

    pub(super) async fn add_account(&self, id: AccountId, name: String) -> Outcome {
        if name.trim().is_empty() {
            return Err(Refused::new("an account needs a name; give one with --name"));
        }
        let account = Account { id, name, status: Status::Active };
        self.change_identities("add account", move |transaction, configured| {
            if configured.has_account(id) {
                return Err(managed(format!("account {id}")));
            }
            if transaction.accounts()?.iter().any(|known| known.id == id) {
                return Err(Refused::new(format!("account {id} exists already")));
            }
            Ok(transaction.put_account(&account)?)
        })
        .await
    }

    pub(super) async fn set_account(&self, id: AccountId, status: Status) -> Outcome {
        self.change_identities("set account", move |transaction, configured| {
            if configured.has_account(id) {
                return Err(managed(format!("account {id}")));
            }
            let known = transaction.accounts()?.into_iter().find(|account| account.id == id);
            let account = known.ok_or_else(|| unknown_account(id))?;
            Ok(transaction.put_account(&Account { status, ..account })?)
        })
        .await
    }
}
