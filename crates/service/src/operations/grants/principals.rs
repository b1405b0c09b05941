//! Principals as requests name them and as answers show them: by ARN, services by name.
//!
//! Grants hold unique ids, so that a principal that is made anew under an old name has nothing of the old one's.

use trent_domain::grant::PrincipalId;
use trent_domain::identifier::AccountId;
use trent_protocol::ErrorCode;

use crate::context::Context;
use crate::error::KmsError;
use crate::identity::Directory;

/// A principal that a request names.
pub(super) enum Named<'a> {
    /// Of an account, by ARN.
    Principal(&'a str),
    /// A service, by name.
    Service(&'a str),
}

impl<'a> Named<'a> {
    /// The principal that one of two members of a request names; `role` says what it is there for.
    pub(super) fn parse(
        principal: Option<&'a str>,
        service: Option<&'a str>,
        role: &str,
    ) -> Result<Option<Self>, KmsError> {
        match (principal, service) {
            (Some(_), Some(_)) => Err(KmsError::validation(format!(
                "{role}Principal and {role}ServicePrincipal must not be given together."
            ))),
            (Some(arn), None) if account(arn).is_none() => Err(invalid()),
            (Some(arn), None) => Ok(Some(Self::Principal(arn))),
            (None, service) => Ok(service.map(Self::Service)),
        }
    }

    /// The account that its ARN names.
    pub(super) fn account(&self) -> Option<AccountId> {
        match self {
            Self::Principal(arn) => account(arn),
            Self::Service(_) => None,
        }
    }

    /// Who this is now. Asked only for callers with permission: it tells who there is.
    pub(super) fn resolve(&self, ctx: &Context<'_>) -> Result<PrincipalId, KmsError> {
        let directory = ctx.service.directory();
        match self {
            Self::Principal(arn) => directory.principal_id(arn),
            Self::Service(name) => directory.service_id(name),
        }
        .ok_or_else(invalid)
    }
}

/// What is shown for a principal: its ARN while it exists, else its unique id; or the name of a service.
pub(super) fn shown(principal: &PrincipalId, directory: &Directory) -> (Option<String>, Option<String>) {
    match principal {
        PrincipalId::Service(name) => (None, Some(name.clone())),
        other => {
            (Some(directory.principal_arn(other).unwrap_or_else(|| other.unique_id().into_owned())), None)
        }
    }
}

/// The account in the ARN of a principal of a kind that calls.
fn account(arn: &str) -> Option<AccountId> {
    let (prefix, rest) = (arn.strip_prefix("arn:")?.split_once(':')?.1).split_once("::")?;
    let (account, resource) = rest.split_once(':')?;
    let kind = resource.split_once('/').map_or(resource, |(kind, _)| kind);
    let kinds: &[&str] = match prefix {
        "iam" => &["root", "user", "role"],
        "sts" => &["assumed-role", "federated-user"],
        _ => return None,
    };
    kinds.contains(&kind).then(|| account.parse().ok()).flatten()
}

fn invalid() -> KmsError {
    KmsError::new(ErrorCode::InvalidArn, "ARN does not refer to a valid principal")
}
