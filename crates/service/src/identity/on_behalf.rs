//! Services: calls that they make for themselves, and in the name of others.
//!
//! What a service says of its call counts because it signs it; the same headers from anybody else mean nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use trent_domain::identifier::{AccountId, Region};
use trent_domain::identity::{Caller, Principal, Source, Status, Via, root_arn};
use trent_policy::Standing;

use super::directory::{Directory, ServiceEntry, SigningIdentity};

/// What a request says of whom it is made for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spoken<'a> {
    /// The principal in whose name it is made.
    pub on_behalf_of: Option<&'a str>,
    /// The resource that it is made for.
    pub source_arn: Option<&'a str>,
    /// The account of that resource.
    pub source_account: Option<&'a str>,
}

impl Directory {
    /// Who calls when this service does, and what bears on them; nothing if it may not speak for whom it names.
    pub(crate) fn spoken_for(
        &self,
        identity: &SigningIdentity,
        service: &ServiceEntry,
        spoken: Spoken<'_>,
        region: Region,
    ) -> Option<(Arc<Caller>, Arc<Standing>)> {
        let account = match spoken.source_account {
            Some(text) => Some(text.parse::<AccountId>().ok()?),
            None => None,
        };
        let source = Source {
            arn: spoken.source_arn.map(Arc::from),
            account,
            organization: account.and_then(|account| self.organization(account)),
        };
        let Some(arn) = spoken.on_behalf_of else {
            let caller =
                Caller { principal: Principal::Service { source }, ..Caller::clone(&identity.caller) };
            return Some((Arc::new(caller), Arc::clone(&identity.standing)));
        };
        let (caller, standing) = self.named(arn, &identity.caller.access_key_id)?;
        let may = service.may_act_in.contains(&caller.account) && self.is_active(caller.account);
        let via = Via { service: in_region(&service.name, region).into(), source };
        let organization = self.organization(caller.account);
        may.then(|| (Arc::new(Caller { via: Some(via), organization, ..caller }), standing))
    }

    /// The root, user or session of a role with this ARN.
    pub(crate) fn named(&self, arn: &str, access_key_id: &str) -> Option<(Caller, Arc<Standing>)> {
        if let Some(id) = self.unique_id(arn)
            && let Some(entry) = self.user(id)
        {
            let caller = Caller::user(&entry.user, access_key_id);
            let caller = Caller { tags: Arc::new(entry.user.tags.clone()), ..caller };
            let active = entry.user.status == Status::Active;
            return active.then(|| (caller, Arc::clone(&entry.standing)));
        }
        let (account, resource) = arn.rsplit_once(':')?;
        let account: AccountId = account.rsplit(':').next()?.parse().ok()?;
        if arn == root_arn(account) {
            return Some((Caller::root(account, access_key_id), self.root_standing(account)?));
        }
        let (role, session) = resource.strip_prefix("assumed-role/")?.split_once('/')?;
        let mut roles = self.roles.values();
        let entry = roles.find(|entry| entry.role.account == account && entry.role.name == role)?;
        let own = &entry.role;
        let caller = Caller::role_session(account, &own.arn(), &own.unique_id, session, access_key_id);
        let tags: BTreeMap<_, _> = own.tags.clone();
        let caller = Caller { tags: Arc::new(tags), ..caller };
        (*caller.arn == *arn).then(|| (caller, Arc::clone(&entry.standing)))
    }
}

/// The name of a service in a Region: `s3.eu-central-1.amazonaws.com` of `s3.amazonaws.com`.
fn in_region(name: &str, region: Region) -> String {
    match name.strip_suffix(".amazonaws.com") {
        Some(stem) if !stem.contains('.') => format!("{stem}.{region}.amazonaws.com"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_of_aws_have_the_region_in_their_name() {
        let region = "eu-central-1".parse().unwrap();
        assert_eq!(in_region("s3.amazonaws.com", region), "s3.eu-central-1.amazonaws.com");
        assert_eq!(in_region("s3.us-east-1.amazonaws.com", region), "s3.us-east-1.amazonaws.com");
        assert_eq!(in_region("backup.trent.internal", region), "backup.trent.internal");
    }
}
