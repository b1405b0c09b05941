//! The compiled documents that bear on a caller, whatever the request is about.
//!
//! Whoever knows the identities makes one [`Standing`] for each principal or session when they change, and hands
//! it to [`decide`](crate::decide()) with every request: nothing is looked up or compiled while a request waits.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::document::Document;

/// A document under the name that explanations call it by.
#[derive(Debug, Clone)]
pub struct Attached {
    /// The policy's ARN or, for one that has none, where it is kept (`alice/inline/extra`).
    pub name: Arc<str>,
    /// What it says.
    pub document: Arc<Document>,
}

/// What bears on one caller. The default is somebody without any policy, above whom nothing stands.
///
/// A root user needs no identity policies: that they allow everything is implied by who calls.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The identity policies: those of a user and its groups, or of the role of a session.
    pub identity: Vec<Attached>,
    /// The permissions boundary of the user or role.
    pub boundary: Option<Attached>,
    /// The session policies. `None` is a session without any, which they do not narrow; an empty list would
    /// leave it nothing.
    pub session: Option<Vec<Attached>>,
    /// The service control policies, a level of the organization each. Every level has to allow; a level that
    /// leaves everything to the others holds `aws:FullAWSAccess`. Services are not bound by them.
    pub service_control: Vec<Vec<Attached>>,
    /// The resource control policies of all accounts: those of the key's account bear on the request.
    pub resource_control: Arc<ResourceControl>,
}

impl Standing {
    /// Whether any condition is about the aliases of the key.
    pub fn asks_for_aliases(&self) -> bool {
        let own = self.identity.iter().chain(&self.boundary).chain(self.session.iter().flatten());
        let above = self.service_control.iter().flatten().chain(self.resource_control.0.values().flatten());
        own.chain(above).any(|attached| attached.document.asks_for_aliases())
    }
}

/// The resource control policies of accounts. They only deny: as in AWS, `RCPFullAWSAccess` is attached everywhere.
#[derive(Debug, Clone, Default)]
pub struct ResourceControl(BTreeMap<Box<str>, Vec<Attached>>);

impl ResourceControl {
    /// From the documents of each account, by its ID.
    pub fn new(accounts: impl IntoIterator<Item = (Box<str>, Vec<Attached>)>) -> Self {
        Self(accounts.into_iter().collect())
    }

    /// Those of an account.
    pub fn of(&self, account: &str) -> &[Attached] {
        self.0.get(account).map_or(&[], Vec::as_slice)
    }
}
