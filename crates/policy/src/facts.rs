//! What is known about a request when a document is evaluated. All of it is borrowed.

use std::fmt;

/// One request for one action on one resource.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The action with its service, such as `kms:PutKeyPolicy`.
    pub action: &'a str,
    /// The resource's ARN; `None` for operations that have no resource.
    pub resource: Option<&'a str>,
    /// Who asks.
    pub caller: Caller<'a>,
    /// The request's condition keys.
    pub keys: &'a dyn ConditionKeys,
}

impl fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("action", &self.action)
            .field("resource", &self.resource)
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}

/// Who asks, by every name a policy may use for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller<'a> {
    /// What the caller is.
    pub kind: CallerKind,
    /// The ARN that policies name: of the user, or of the **role** for its sessions; for
    /// [`CallerKind::WebIdentity`] the provider's; for a service its name.
    pub arn: &'a str,
    /// The account, twelve digits; service principals have none.
    pub account: Option<&'a str>,
    /// The ARN of the session (`assumed-role/<role>/<session>`, `federated-user/<name>`), if it is one.
    pub session_arn: Option<&'a str>,
    /// The service principal's name, for services.
    pub service: Option<&'a str>,
    /// The unique ID (`AIDA…`, or the **role's** `AROA…` for its sessions).
    pub unique_id: Option<&'a str>,
}

/// The kinds of callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallerKind {
    /// An account's root user.
    Root,
    /// A user, with a long-term key or a session of their own.
    User,
    /// A session of a role.
    RoleSession,
    /// A federated user of an account.
    FederatedUser,
    /// A service calling for itself, not on behalf of a user.
    Service,
    /// The bearer of a provider's token who asks for a role: known only to trust policies.
    WebIdentity,
}

/// The condition keys of one request.
pub trait ConditionKeys {
    /// The values of a key, `None` when the request does not have it.
    ///
    /// Names of keys are case-insensitive. `key` comes with its ASCII letters in lower case, the part
    /// after `kms:EncryptionContext:` or `aws:ResourceTag/` included, so compare it with
    /// [`str::eq_ignore_ascii_case`] or with names in lower case.
    fn values(&self, key: &str) -> Option<Values<'_>>;
}

/// The values of one condition key.
#[derive(Clone, Copy)]
pub enum Values<'a> {
    /// The value of a single-valued key.
    One(&'a str),
    /// The values of a multi-valued key. None at all counts as an absent key.
    Many(&'a dyn ValueList),
}

impl<'a> Values<'a> {
    /// All values in order.
    pub(crate) fn iter(self) -> impl Iterator<Item = &'a str> {
        (0..).map_while(move |index| match self {
            Values::One(value) => (index == 0).then_some(value),
            Values::Many(list) => list.value(index),
        })
    }
}

impl fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Texts that can be visited by position; whatever holds them need not build a list.
pub trait ValueList {
    /// The value at a position, `None` past the end.
    fn value(&self, index: usize) -> Option<&str>;
}

impl<S: AsRef<str>> ValueList for Vec<S> {
    fn value(&self, index: usize) -> Option<&str> {
        self.get(index).map(AsRef::as_ref)
    }
}

impl<S: AsRef<str>> ValueList for &[S] {
    fn value(&self, index: usize) -> Option<&str> {
        self.get(index).map(AsRef::as_ref)
    }
}

impl<S: AsRef<str>, const N: usize> ValueList for [S; N] {
    fn value(&self, index: usize) -> Option<&str> {
        self.get(index).map(AsRef::as_ref)
    }
}
