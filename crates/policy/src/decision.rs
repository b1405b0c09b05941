//! What comes out of a decision: who allowed or denied, by which statement, and what of it the caller may know.

use std::fmt;

use crate::standing::Attached;

/// The kinds of policies, in the order in which an explicit deny is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A service control policy of the caller's organization.
    ServiceControl,
    /// A resource control policy of the organization of the key's account.
    ResourceControl,
    /// The policy of the endpoint that the request came through.
    Endpoint,
    /// The key policy.
    Resource,
    /// A policy of the user, its groups or the role.
    Identity,
    /// The permissions boundary of the user or role.
    Boundary,
    /// A policy that the session was begun with.
    Session,
}

impl Source {
    /// The name of the kind, without an article.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServiceControl => "service control policy",
            Self::ResourceControl => "resource control policy",
            Self::Endpoint => "VPC endpoint policy",
            Self::Resource => "resource-based policy",
            Self::Identity => "identity-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
        }
    }
}

/// One statement of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clause<'a> {
    /// The kind of policy.
    pub source: Source,
    /// The document's name; the key's ARN for a key policy.
    pub document: &'a str,
    /// The statement's index, from zero.
    pub statement: usize,
    /// Its `Sid`, if it has one.
    pub sid: Option<&'a str>,
}

impl<'a> Clause<'a> {
    pub(crate) fn of(source: Source, attached: &'a Attached, statement: usize) -> Self {
        Self { source, document: &attached.name, statement, sid: attached.document.sid(statement) }
    }
}

/// The outcome of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Decision<'a> {
    /// Go on.
    Allowed(Allowance<'a>),
    /// Refuse.
    Denied(Denial<'a>),
}

impl Decision<'_> {
    /// Whether the request may go on.
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

/// Why a request is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance<'a> {
    /// What opens the key, or that there is none to open.
    pub by: By<'a>,
    /// The statement of an identity policy that was needed too; `None` where none was, as for a root user.
    pub identity: Option<Clause<'a>>,
}

/// What opens a key to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By<'a> {
    /// There is no key; identity policies decide alone.
    Identity,
    /// The key policy names the caller.
    KeyPolicy(Clause<'a>),
    /// The key policy leaves the decision to the caller's account.
    Delegation(Clause<'a>),
    /// The grant with this id.
    Grant(&'a str),
}

/// Why a request is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denial<'a> {
    /// The reason.
    pub reason: Reason,
    /// Whether the caller may know it. What another account's policies say is not told, nor whether there is a key.
    pub told: Told,
    /// The statement that denies, where one does.
    pub clause: Option<Clause<'a>>,
}

/// The reason of a denial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A statement denies.
    ExplicitDeny(Source),
    /// No statement of this kind allows.
    NotAllowed(Source),
    /// The key is another account's, and the operation is for keys of the own account alone.
    OwnAccountOnly,
    /// The key is another account's, and there is none of this name.
    NoSuchKey,
}

/// What a caller is told of a denial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told {
    /// The reason.
    Reason,
    /// That the key does not exist or may not be used, whichever it is.
    Nothing,
    /// What would be told if there were no such key: the caller's own policies deny, and the key is closed to it anyway.
    AsOfNoKey,
}

/// What a caller is told who may not know more.
const NOTHING: &str = "because the resource does not exist in this Region, no resource-based policies allow access, \
                       or a resource-based policy explicitly denies access";

impl Denial<'_> {
    /// The end of the message that the caller gets, from `because` or `with` on.
    pub fn explain(&self, action: &str) -> impl fmt::Display {
        Explained { reason: self.reason, told: self.told, action }
    }
}

struct Explained<'a> {
    reason: Reason,
    told: Told,
    action: &'a str,
}

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.told, self.reason) {
            (Told::Reason | Told::AsOfNoKey, Reason::ExplicitDeny(source)) => {
                let article = if source == Source::Identity { "an" } else { "a" };
                write!(f, "with an explicit deny in {article} {}", source.name())
            }
            (Told::Reason | Told::AsOfNoKey, Reason::NotAllowed(source)) => {
                write!(f, "because no {} allows the {} action", source.name(), self.action)
            }
            (Told::Nothing, _) | (_, Reason::OwnAccountOnly | Reason::NoSuchKey) => f.write_str(NOTHING),
        }
    }
}
