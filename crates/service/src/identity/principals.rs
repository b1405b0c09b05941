//! Principals by ARN and by what never changes of them.

use trent_domain::grant::PrincipalId;
use trent_domain::identifier::AccountId;
use trent_domain::identity::{is_session_name, root_arn};
use trent_policy::Directory as Names;

use super::Directory;

impl Directory {
    /// The principal with this ARN, if it exists. Sessions come and go: their role, or the account of a federated user,
    /// must be there.
    pub(crate) fn principal_id(&self, arn: &str) -> Option<PrincipalId> {
        let (service, rest) = arn.strip_prefix("arn:aws:")?.split_once("::")?;
        let (account, resource) = rest.split_once(':')?;
        let account: AccountId = account.parse().ok().filter(|_| self.knows_account(account))?;
        let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
        let id = || Names::unique_id(self, arn);
        match (service, kind) {
            ("iam", "root") if resource == "root" => Some(PrincipalId::Account(account)),
            ("iam", "user") => Some(PrincipalId::User { account, id: id()? }),
            ("iam", "role") => Some(PrincipalId::Role { account, id: id()? }),
            ("sts", "assumed-role") => {
                let id = id()?;
                let (role, name) = id.split_once(':').filter(|(_, name)| is_session_name(name))?;
                Some(PrincipalId::Session { account, role: role.to_owned(), name: name.to_owned() })
            }
            ("sts", "federated-user") if is_session_name(name) => {
                Some(PrincipalId::Federated { account, name: name.to_owned() })
            }
            _ => None,
        }
    }

    /// The service of this name, if it is known: those of AWS always are.
    pub(crate) fn service_id(&self, name: &str) -> Option<PrincipalId> {
        let known = name.ends_with(".amazonaws.com") || self.knows_service(name);
        known.then(|| PrincipalId::Service(name.to_owned()))
    }

    /// The ARN of a principal, if it still exists.
    pub(crate) fn principal_arn(&self, principal: &PrincipalId) -> Option<String> {
        match principal {
            PrincipalId::Account(account) => Some(root_arn(*account)),
            PrincipalId::User { id, .. } | PrincipalId::Role { id, .. } => self.arn(id),
            PrincipalId::Session { .. } => self.arn(&principal.unique_id()),
            PrincipalId::Federated { account, name } => {
                Some(format!("arn:aws:sts::{account}:federated-user/{name}"))
            }
            PrincipalId::Service(_) => None,
        }
    }
}
