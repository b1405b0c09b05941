//! The `aws:` keys: who calls, how the request came, whom a service calls for, what the resource is.

use trent_domain::identifier::AccountId;
use trent_domain::identity::{Caller, Organization, Principal, Session};
use trent_policy::Values;

use super::text::Text;
use super::{RequestKeys, named, truth};

impl RequestKeys<'_> {
    /// The values of `aws:<key>`.
    pub(super) fn global(&self, key: &str) -> Option<Values<'_>> {
        if let Some((family, name)) = key.split_once('/') {
            return self.tag(family, name);
        }
        let text = match key.strip_prefix("principal") {
            Some(rest) => return self.principal(rest),
            None => self.of_caller(key).or_else(|| self.of_request(key)).or_else(|| self.of_source(key)),
        };
        text.map(Values::One).or_else(|| self.list_of(key))
    }

    fn tag(&self, family: &str, name: &str) -> Option<Values<'_>> {
        match family {
            "principaltag" => named(&self.facts.caller.tags, name),
            "requesttag" => named(self.facts.parameters.tags?, name),
            "resourcetag" => named(&self.subject?.key.tags, name),
            _ => None,
        }
    }

    /// The values of `aws:Principal<key>`.
    fn principal(&self, key: &str) -> Option<Values<'_>> {
        let Caller { organization, .. } = self.facts.caller;
        let service = self.facts.caller.service_name();
        let text = match key {
            "arn" => Some(self.facts.caller.policy_arn()),
            "account" => self.account(),
            "type" => Some(kind(&self.facts.caller.principal)),
            "orgid" => organization.as_ref().map(|organization| organization.id.as_str()),
            "orgpaths" => return organization.as_deref().map(paths),
            "isawsservice" => Some(truth(service.is_some())),
            "servicename" => service,
            "servicenameslist" => {
                return self.service.as_ref().filter(|_| service.is_some()).map(|list| Values::Many(list));
            }
            _ => None,
        };
        text.map(Values::One)
    }

    fn of_caller(&self, key: &str) -> Option<&str> {
        let caller = self.facts.caller;
        match key {
            "userid" => caller.service_name().is_none().then_some(&*caller.user_id),
            "username" => match &caller.principal {
                Principal::User { name } => Some(name),
                _ => None,
            },
            _ => self.of_session(key, caller.session.as_deref()?),
        }
    }

    fn of_session(&self, key: &str, session: &Session) -> Option<&str> {
        let texts = &self.texts;
        match key {
            "tokenissuetime" => Some(texts.issued.get_or_init(|| Text::moment(session.issued)).as_str()),
            "multifactorauthpresent" => Some(truth(session.mfa.is_some())),
            "multifactorauthage" => {
                let age = self.facts.now.seconds().saturating_sub(session.mfa?.seconds());
                Some(texts.mfa_age.get_or_init(|| Text::of(age)).as_str())
            }
            "sourceidentity" => self.facts.caller.session.as_ref()?.source_identity.as_deref(),
            "federatedprovider" => self.facts.caller.session.as_ref()?.provider.as_deref(),
            _ => None,
        }
    }

    fn of_request(&self, key: &str) -> Option<&str> {
        let (now, texts) = (self.facts.now, &self.texts);
        let connection = self.facts.connection;
        match key {
            "requestedregion" => Some(self.facts.region.as_str()),
            "securetransport" => Some(truth(connection.tls)),
            "currenttime" => Some(texts.now.get_or_init(|| Text::moment(now)).as_str()),
            "epochtime" => Some(texts.now_seconds.get_or_init(|| Text::of(now.seconds())).as_str()),
            "useragent" => connection.user_agent,
            "referer" => connection.referer,
            // Where a service calls from says nothing about the caller, and inside a private network addresses are
            // its own.
            "sourceip" => self.address(connection.endpoint.is_none() && self.service.is_none()),
            "vpcsourceip" => self.address(connection.endpoint.is_some()),
            "sourcevpc" => Some(&connection.endpoint?.network),
            "sourcevpce" => Some(&connection.endpoint?.id),
            "vpceaccount" => connection.endpoint?.account.as_deref(),
            "vpceorgid" => connection.endpoint?.organization.as_deref(),
            _ => None,
        }
    }

    fn address(&self, applies: bool) -> Option<&str> {
        let source = self.facts.connection.source.filter(|_| applies)?;
        Some(self.texts.source_ip.get_or_init(|| Text::of(source)).as_str())
    }

    /// Whom a service calls for, and what the resource is.
    fn of_source(&self, key: &str) -> Option<&str> {
        let caller = self.facts.caller;
        match key {
            "viaawsservice" => Some(truth(caller.via.is_some())),
            "calledviafirst" | "calledvialast" => self.via(),
            "sourcearn" => caller.source()?.arn.as_deref(),
            "sourceaccount" => caller.source()?.account.as_ref().map(AccountId::as_str),
            "sourceorgid" => caller.source()?.organization.as_ref().map(|organization| &*organization.id),
            "resourceaccount" => Some(self.subject.as_ref()?.key.account.as_str()),
            // Of other accounts' organizations nothing is known here.
            "resourceorgid" if self.is_own() => caller.organization.as_ref().map(|own| &*own.id),
            _ => None,
        }
    }

    fn list_of(&self, key: &str) -> Option<Values<'_>> {
        let (caller, parameters) = (self.facts.caller, &self.facts.parameters);
        match key {
            "calledvia" => {
                self.service.as_ref().filter(|_| caller.via.is_some()).map(|list| Values::Many(list))
            }
            "sourceorgpaths" => caller.source()?.organization.as_deref().map(paths),
            "resourceorgpaths" if self.is_own() => caller.organization.as_deref().map(paths),
            "tagkeys" if !parameters.tag_keys.is_empty() => Some(Values::Many(&parameters.tag_keys)),
            "tagkeys" => self.tag_names.values(),
            _ => None,
        }
    }

    fn is_own(&self) -> bool {
        self.subject.is_some_and(|subject| subject.key.account == self.facts.caller.account)
    }
}

fn paths(organization: &Organization) -> Values<'_> {
    Values::Many(&organization.paths)
}

const fn kind(principal: &Principal) -> &'static str {
    match principal {
        Principal::Root => "Account",
        Principal::User { .. } => "User",
        Principal::RoleSession { .. } => "AssumedRole",
        Principal::FederatedUser { .. } => "FederatedUser",
        Principal::Service { .. } => "AWSService",
    }
}
