//! Grants: permission for one principal to use one key, without a policy.

mod create_grant;
mod list_grants;
mod list_retirable_grants;
mod retire_grant;
mod revoke_grant;

mod entry;
mod principals;

use trent_domain::identifier::GrantId;
use trent_gate::GrantError;

use crate::error::KmsError;

/// The grant id in a request.
fn parse_id(text: &str) -> Result<GrantId, KmsError> {
    text.parse().map_err(|_| GrantError::InvalidId(text.to_owned()).into())
}
