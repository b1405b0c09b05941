//! Grants as a decision sees them: who keeps them, and what they say, is not known here.

use crate::facts::Facts;

/// The live grants on one key.
///
/// The one seam between decisions and grants: an implementation matches operation, grantee and constraints of its
/// records against the request, honours grant tokens, and calls `found` for each grant that allows it. Which of them
/// suffices, given boundaries, session policies and accounts, is decided in [`decide`](crate::decide()).
pub trait Grants {
    /// Calls `found` with every grant that allows the request.
    fn matching<'g>(&'g self, facts: &Facts<'_>, found: &mut dyn FnMut(Grant<'g>));
}

/// A grant that allows a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant<'a> {
    /// Its id.
    pub id: &'a str,
    /// How it names the caller.
    pub grantee: Grantee,
    /// The account of whoever made it, twelve digits.
    pub issuer: &'a str,
}

/// How a grant names the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grantee {
    /// The user, exactly this session, or the service: silent boundaries and session policies do not matter.
    Exact,
    /// The role of the session.
    Role,
    /// The account: the caller's identity policies must allow the action too.
    Account,
}

/// No grants.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoGrants;

impl Grants for NoGrants {
    fn matching<'g>(&'g self, _facts: &Facts<'_>, _found: &mut dyn FnMut(Grant<'g>)) {}
}
