//! AssumeRole, and what all ways to a session of a role share.

use std::collections::BTreeMap;
use std::sync::Arc;

use trent_domain::identity::{Principal, parse_role_arn, session_arn};
use trent_domain::limits::{
    CHAINED_SESSION_SECONDS_MAX, ROLE_SESSION_SECONDS_DEFAULT, ROLE_SESSION_SECONDS_MAX,
    SESSION_NAME_CHARACTERS_MAX, SESSION_NAME_CHARACTERS_MIN, SESSION_SECONDS_MIN,
};
use trent_gate::policy_caller;
use trent_policy::{ConditionKeys, KeyTarget, NoGrants, Standing, Target, decide};

use super::error::StsError;
use super::keys::Keys;
use super::mfa::Factor;
use super::query::{Constraints, TextRule};
use super::session_policy::Narrowing;
use super::{Answer, Request, Xml, put_packed};
use crate::identity::{Contents, Holder, RoleEntry, SigningIdentity, with};

/// The parameters that all ways to a session of a role have.
pub(super) struct RoleParameters<'f> {
    pub(super) role_arn: &'f str,
    pub(super) session: &'f str,
    pub(super) duration: Option<u32>,
    pub(super) narrowing: Narrowing,
}

impl<'a> Request<'a> {
    pub(super) fn role_parameters(&self, constraints: &mut Constraints) -> RoleParameters<'a> {
        let form = self.form;
        let names = TextRule::name(SESSION_NAME_CHARACTERS_MIN, SESSION_NAME_CHARACTERS_MAX);
        RoleParameters {
            role_arn: constraints.required(form, "RoleArn", TextRule::of_length(20, 2048)),
            session: constraints.required(form, "RoleSessionName", names),
            duration: constraints.duration(form, SESSION_SECONDS_MIN, ROLE_SESSION_SECONDS_MAX),
            narrowing: Narrowing::read(form, constraints),
        }
    }

    /// The role with this ARN, if there is one whose account may be used.
    pub(super) fn role(&self, arn: &str) -> Option<Arc<RoleEntry>> {
        let (account, ..) = parse_role_arn(arn)?;
        let directory = self.service.directory();
        let entry = directory.role(directory.unique_id(arn)?)?;
        directory.is_active(account).then(|| Arc::clone(entry))
    }

    pub(super) async fn assume_role(&self) -> Result<Answer, StsError> {
        let mut constraints = Constraints::default();
        let mut parameters = self.role_parameters(&mut constraints);
        let external_id = constraints.optional(self.form, "ExternalId", TextRule::of_length(2, 1224));
        let source_identity = constraints.optional(self.form, "SourceIdentity", TextRule::name(2, 64));
        let factor = Factor::read(self.form, &mut constraints);
        constraints.finish()?;
        let signer = self.signer()?;
        if signer.caller.principal == Principal::Root {
            return Err(StsError::denied("Roles may not be assumed by root accounts."));
        }
        let arn = parameters.role_arn;
        let denied = |action: &str| {
            let text =
                format!("User: {} is not authorized to perform: {action} on resource: {arn}", signer.caller);
            StsError::denied(text)
        };
        // What is wrong with the request is told before it is looked whether there is such a role, or after it is known that
        // the caller may assume it: nobody else learns which roles there are.
        let has_factor = self.second_factor(factor).await?.is_some();
        let entry = self.role(arn).ok_or_else(|| denied("sts:AssumeRole"))?;

        let inherited = inherited(signer);
        let mut keys = Keys::of_request(&self.call.connection, self.call.region, self.now);
        keys.add_caller(&signer.caller, self.now);
        if has_factor {
            // Of this request alone: as with AWS the session of a role does not tell it.
            keys.add_second_factor(0);
        }
        keys.put("sts:RoleSessionName", parameters.session);
        keys.put_some("sts:ExternalId", external_id);
        let source_identity =
            self.source_identity(signer, source_identity).ok_or_else(|| denied("sts:SetSourceIdentity"))?;
        keys.put_some("sts:SourceIdentity", source_identity.as_deref());
        add_tags(&mut keys, &parameters.narrowing);
        let is_set = source_identity.is_some() && self.form.get("SourceIdentity").is_some();
        for (action, asked) in [
            ("sts:AssumeRole", true),
            ("sts:TagSession", !parameters.narrowing.tags.is_empty() || !inherited.is_empty()),
            ("sts:SetSourceIdentity", is_set),
        ] {
            if asked && !self.may(signer, action, &entry, arn, &keys) {
                return Err(denied(action));
            }
        }
        parameters.narrowing.check(entry.role.account, self)?;
        let chained = matches!(signer.caller.principal, Principal::RoleSession { .. });
        let seconds = self.role_seconds(&parameters, &entry, chained)?;
        let narrowing = &mut parameters.narrowing;
        if narrowing.tags.keys().any(|key| inherited.keys().any(|own| own.eq_ignore_ascii_case(key))) {
            let text = "One of the specified transitive tag keys can't be set because it conflicts with a transitive \
                        tag key from the calling session.";
            return Err(StsError::validation(text));
        }
        narrowing.transitive.extend(inherited.keys().cloned());
        narrowing.tags = with(std::mem::take(&mut narrowing.tags), &inherited);
        let contents = self.role_session(&entry, &parameters, seconds);
        let begun = self.begin(&Contents { source_identity: source_identity.clone(), ..contents })?;
        let user = AssumedRole::of(&entry, parameters.session);
        self.note("assumedRoleUser", user.noted());
        let narrowing = parameters.narrowing;
        Ok(Box::new(move |xml| {
            begun.put(xml);
            user.put(xml);
            put_packed(&narrowing, xml);
            if let Some(source_identity) = &source_identity {
                xml.text("SourceIdentity", source_identity);
            }
        }))
    }

    /// The source identity of the new session: what the caller's session has, or what is asked for. It is set once.
    fn source_identity(&self, signer: &SigningIdentity, asked: Option<&str>) -> Option<Option<String>> {
        let own = signer.caller.session.as_ref().and_then(|session| session.source_identity.as_deref());
        match (own, asked) {
            (Some(own), Some(asked)) if own != asked => None,
            (own, asked) => Some(own.or(asked).map(str::to_owned)),
        }
    }

    /// The trust policy stands in the place of a key's policy.
    fn may(
        &self,
        signer: &SigningIdentity,
        action: &str,
        entry: &RoleEntry,
        arn: &str,
        keys: &dyn ConditionKeys,
    ) -> bool {
        let target = trust(entry, arn, keys);
        let request = trent_policy::Request {
            action,
            caller: policy_caller(&signer.caller),
            standing: &signer.standing,
            endpoint: self.call.connection.endpoint.and_then(|endpoint| endpoint.policy.as_ref()),
            keys,
            target,
        };
        decide(&request).is_allowed()
    }

    /// How long the session lasts.
    pub(super) fn role_seconds(
        &self,
        parameters: &RoleParameters<'_>,
        entry: &RoleEntry,
        chained: bool,
    ) -> Result<u32, StsError> {
        let seconds = parameters.duration.unwrap_or(ROLE_SESSION_SECONDS_DEFAULT);
        if chained && seconds > CHAINED_SESSION_SECONDS_MAX {
            let text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
            return Err(StsError::validation(text));
        }
        if seconds > entry.role.max_session_seconds {
            let text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
            return Err(StsError::validation(text));
        }
        Ok(seconds)
    }

    pub(super) fn role_session(
        &self,
        entry: &RoleEntry,
        parameters: &RoleParameters<'_>,
        seconds: u32,
    ) -> Contents {
        let narrowing = &parameters.narrowing;
        Contents {
            account: entry.role.account,
            holder: Holder::Role(entry.role.unique_id.clone(), parameters.session.to_owned()),
            issued: self.now,
            expires: self.now.plus_seconds(seconds),
            policy: narrowing.policy.clone(),
            policy_arns: narrowing.policy_arns.clone(),
            tags: narrowing.tags.clone(),
            transitive: narrowing.transitive.clone(),
            source_identity: None,
            provider: None,
            claims: BTreeMap::new(),
            mfa: None,
        }
    }
}

/// The role as what a request is about.
pub(super) fn trust<'a>(entry: &'a RoleEntry, arn: &'a str, keys: &'a dyn ConditionKeys) -> Target<'a> {
    Target::Key(KeyTarget {
        arn,
        account: entry.role.account.as_str(),
        policy: &entry.trust,
        keys,
        grants: &NoGrants,
        cross_account: true,
    })
}

/// What bears on somebody who has no account: nothing but what the role's account says of its resources.
pub(super) fn strangers(entry: &RoleEntry) -> Standing {
    Standing { resource_control: Arc::clone(&entry.standing.resource_control), ..Standing::default() }
}

/// The tags that the caller's session hands on.
fn inherited(signer: &SigningIdentity) -> BTreeMap<String, String> {
    let handed_on = |key: &String| signer.transitive.iter().any(|own| own.eq_ignore_ascii_case(key));
    let tags = signer.caller.tags.iter().filter(|(key, _)| handed_on(key));
    tags.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The keys about the tags that a session is to have.
pub(super) fn add_tags(keys: &mut Keys, narrowing: &Narrowing) {
    for (key, value) in &narrowing.tags {
        keys.put(&format!("aws:RequestTag/{key}"), value.as_str());
    }
    keys.put_many("aws:TagKeys", narrowing.tags.keys().cloned().collect());
    keys.put_many("sts:TransitiveTagKeys", narrowing.transitive.iter().cloned().collect());
}

/// Who the caller is in the new session.
pub(super) struct AssumedRole {
    arn: String,
    id: String,
}

impl AssumedRole {
    pub(super) fn of(entry: &RoleEntry, session: &str) -> Self {
        let role = &entry.role;
        let (arn, id) =
            (session_arn(role.account, &role.name, session), format!("{}:{session}", role.unique_id));
        Self { arn, id }
    }

    /// What is recorded of it.
    pub(super) fn noted(&self) -> serde_json::Value {
        serde_json::json!({"assumedRoleId": self.id, "arn": self.arn})
    }

    pub(super) fn put(&self, xml: &mut Xml) {
        xml.within("AssumedRoleUser", |xml| {
            xml.text("AssumedRoleId", &self.id).text("Arn", &self.arn);
        });
    }
}
