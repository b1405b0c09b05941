//! The condition keys of a request to STS, all written out: there are few such requests.

use std::collections::BTreeMap;

use trent_domain::identifier::Region;
use trent_domain::identity::{Caller, Principal};
use trent_domain::time::Timestamp;
use trent_gate::Connection;
use trent_policy::{ConditionKeys, Values};

/// Condition keys by their names in lower case.
#[derive(Debug, Default)]
pub(super) struct Keys {
    one: BTreeMap<String, String>,
    many: BTreeMap<String, Vec<String>>,
}

impl ConditionKeys for Keys {
    fn values(&self, key: &str) -> Option<Values<'_>> {
        let one = self.one.get(key).map(|value| Values::One(value));
        one.or_else(|| self.many.get(key).map(|values| Values::Many(values)))
    }
}

impl Keys {
    /// Those that tell where a request comes from, and when.
    pub(super) fn of_request(connection: &Connection<'_>, region: Region, now: Timestamp) -> Self {
        let mut keys = Self::default();
        keys.put("aws:CurrentTime", now.to_text());
        keys.put("aws:EpochTime", now.seconds().to_string());
        keys.put("aws:RequestedRegion", region.as_str());
        keys.put("aws:SecureTransport", if connection.tls { "true" } else { "false" });
        keys.put("aws:ViaAWSService", "false");
        keys.put_some("aws:UserAgent", connection.user_agent);
        keys.put_some("aws:referer", connection.referer);
        let source = connection.source.map(|source| source.to_string());
        match connection.endpoint {
            None => keys.put_some("aws:SourceIp", source),
            Some(endpoint) => {
                keys.put_some("aws:VpcSourceIp", source);
                keys.put("aws:SourceVpce", endpoint.id.as_str());
                keys.put("aws:SourceVpc", endpoint.network.as_str());
                keys.put_some("aws:VpceAccount", endpoint.account.as_deref());
                keys.put_some("aws:VpceOrgID", endpoint.organization.as_deref());
            }
        }
        keys
    }

    /// Adds those that tell who asks.
    pub(super) fn add_caller(&mut self, caller: &Caller, now: Timestamp) {
        let is_service = caller.service_name().is_some();
        self.put("aws:PrincipalArn", caller.policy_arn());
        self.put("aws:PrincipalIsAWSService", if is_service { "true" } else { "false" });
        self.put_some("aws:PrincipalServiceName", caller.service_name());
        if !is_service {
            self.put("aws:PrincipalAccount", caller.account.as_str());
        }
        self.put("aws:userid", super::user_id(caller));
        let kind = match &caller.principal {
            Principal::Root => "Account",
            Principal::User { name } => {
                self.put("aws:username", &**name);
                "User"
            }
            Principal::RoleSession { .. } => "AssumedRole",
            Principal::FederatedUser { .. } => "FederatedUser",
            Principal::Service { .. } => "AWSService",
        };
        self.put("aws:PrincipalType", kind);
        for (key, value) in &*caller.tags {
            self.put(&format!("aws:PrincipalTag/{key}"), value.as_str());
        }
        if let Some(organization) = &caller.organization {
            self.put("aws:PrincipalOrgID", organization.id.as_str());
            self.put_many("aws:PrincipalOrgPaths", organization.paths.clone());
        }
        if let Some(session) = &caller.session {
            self.put("aws:TokenIssueTime", session.issued.to_text());
            match session.mfa {
                Some(at) => self.add_second_factor(now.seconds().saturating_sub(at.seconds())),
                None => self.put("aws:MultiFactorAuthPresent", "false"),
            }
            self.put_some("aws:SourceIdentity", session.source_identity.as_deref());
            self.put_some("aws:FederatedProvider", session.provider.as_deref());
            for (key, value) in &session.claims {
                self.put(key, value.as_str());
            }
        }
    }

    /// Adds those that tell of a second factor, and how long ago it was shown.
    pub(super) fn add_second_factor(&mut self, seconds: i64) {
        self.put("aws:MultiFactorAuthPresent", "true");
        self.put("aws:MultiFactorAuthAge", seconds.to_string());
    }

    /// Adds a key.
    pub(super) fn put(&mut self, key: &str, value: impl Into<String>) {
        self.one.insert(key.to_ascii_lowercase(), value.into());
    }

    /// Adds a key if it has a value.
    pub(super) fn put_some(&mut self, key: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// Adds a key of several values, if it has any.
    pub(super) fn put_many(&mut self, key: &str, values: Vec<String>) {
        if !values.is_empty() {
            self.many.insert(key.to_ascii_lowercase(), values);
        }
    }
}
