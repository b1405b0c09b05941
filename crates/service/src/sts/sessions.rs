//! GetSessionToken and GetFederationToken: sessions of users.

use std::collections::BTreeMap;

use serde_json::json;
use trent_domain::identity::Principal;
use trent_domain::limits::{
    ROOT_SESSION_SECONDS_MAX, SESSION_SECONDS_MIN, USER_SESSION_SECONDS_DEFAULT, USER_SESSION_SECONDS_MAX,
};
use trent_gate::policy_caller;
use trent_policy::{Target, decide};

use super::assume_role::add_tags;
use super::error::StsError;
use super::keys::Keys;
use super::mfa::Factor;
use super::query::{Constraints, TextRule};
use super::session_policy::Narrowing;
use super::{Answer, Request, put_packed};
use crate::identity::{Contents, Holder, SigningIdentity};

impl Request<'_> {
    pub(super) async fn session_token(&self) -> Result<Answer, StsError> {
        let mut constraints = Constraints::default();
        let duration = constraints.duration(self.form, SESSION_SECONDS_MIN, USER_SESSION_SECONDS_MAX);
        let factor = Factor::read(self.form, &mut constraints);
        constraints.finish()?;
        let signer = self.signer()?;
        let holder = match &signer.caller.principal {
            Principal::Root if signer.caller.session.is_none() => Holder::Root,
            Principal::User { .. } if signer.caller.session.is_none() => {
                Holder::User(signer.caller.unique_id.to_string())
            }
            _ => return Err(StsError::denied("Cannot call GetSessionToken with session credentials")),
        };
        let mfa = self.second_factor(factor).await?;
        let contents = self.user_session(signer, holder, duration, &Narrowing::default());
        let begun = self.begin(&Contents { mfa, ..contents })?;
        Ok(Box::new(move |xml| begun.put(xml)))
    }

    pub(super) fn federation_token(&self) -> Result<Answer, StsError> {
        let mut constraints = Constraints::default();
        let name = constraints.required(self.form, "Name", TextRule::name(2, 32)).to_owned();
        let duration = constraints.duration(self.form, SESSION_SECONDS_MIN, USER_SESSION_SECONDS_MAX);
        let mut narrowing = Narrowing::read(self.form, &mut constraints);
        constraints.finish()?;
        let signer = self.signer()?;
        let Principal::User { .. } = &signer.caller.principal else {
            return Err(StsError::denied("Cannot call GetFederationToken with session credentials"));
        };
        if signer.caller.session.is_some() {
            return Err(StsError::denied("Cannot call GetFederationToken with session credentials"));
        }
        narrowing.check(signer.caller.account, self)?;
        let account = signer.caller.account;
        let arn = format!("arn:aws:sts::{account}:federated-user/{name}");
        let mut actions = vec!["sts:GetFederationToken"];
        actions.extend((!narrowing.tags.is_empty()).then_some("sts:TagSession"));
        if let Some(action) =
            actions.into_iter().find(|action| !self.may_federate(signer, action, &arn, &narrowing))
        {
            let text =
                format!("User: {} is not authorized to perform: {action} on resource: {arn}", signer.caller);
            return Err(StsError::denied(text));
        }
        let holder = Holder::Federated(signer.caller.unique_id.to_string(), name.clone());
        let begun = self.begin(&self.user_session(signer, holder, duration, &narrowing))?;
        let user_id = format!("{account}:{name}");
        self.note("federatedUser", json!({"federatedUserId": user_id, "arn": arn}));
        Ok(Box::new(move |xml| {
            begun.put(xml);
            xml.within("FederatedUser", |xml| {
                xml.text("FederatedUserId", &user_id).text("Arn", &arn);
            });
            put_packed(&narrowing, xml);
        }))
    }

    /// Identity policies alone decide: there is nothing that has a policy of its own.
    fn may_federate(&self, signer: &SigningIdentity, action: &str, arn: &str, narrowing: &Narrowing) -> bool {
        let mut keys = Keys::of_request(&self.call.connection, self.call.region, self.now);
        keys.add_caller(&signer.caller, self.now);
        add_tags(&mut keys, narrowing);
        let request = trent_policy::Request {
            action,
            caller: policy_caller(&signer.caller),
            standing: &signer.standing,
            endpoint: self.call.connection.endpoint.and_then(|endpoint| endpoint.policy.as_ref()),
            keys: &keys,
            target: Target::Alias(arn),
        };
        decide(&request).is_allowed()
    }

    fn user_session(
        &self,
        signer: &SigningIdentity,
        holder: Holder,
        duration: Option<u32>,
        narrowing: &Narrowing,
    ) -> Contents {
        let seconds = duration.unwrap_or(USER_SESSION_SECONDS_DEFAULT);
        // AWS shortens what the root asks for, too.
        let seconds = if holder == Holder::Root { seconds.min(ROOT_SESSION_SECONDS_MAX) } else { seconds };
        Contents {
            account: signer.caller.account,
            holder,
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
