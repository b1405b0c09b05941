//! What a decision is made from: who calls, and where.

use trent_domain::identifier::Region;
use trent_domain::identity::Caller;

/// The facts of one request.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Who calls, with a verified signature.
    pub caller: &'a Caller,
    /// The Region that the request was signed for.
    pub region: Region,
    /// The grant tokens of the request.
    pub grant_tokens: &'a [String],
}
