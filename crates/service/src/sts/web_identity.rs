//! AssumeRoleWithWebIdentity: a provider's token instead of a signature.

use std::collections::BTreeMap;

use trent_domain::identity::{OidcProvider, parse_role_arn, provider_name};
use trent_jwt::{Claims, SessionTags, TOKEN_BYTES_MAX, TimeError, Token, TokenError};
use trent_policy::{Caller, CallerKind, decide};

use super::assume_role::{AssumedRole, RoleParameters, add_tags, strangers, trust};
use super::error::{StsCode, StsError};
use super::keys::Keys;
use super::query::{Constraints, TextRule};
use super::record::Bearer;
use super::{Answer, Request, put_packed};
use crate::identity::{Contents, RoleEntry};

const ASSUME: &str = "sts:AssumeRoleWithWebIdentity";
const TAG: &str = "sts:TagSession";
/// How far the clock of a provider may be off, in seconds.
const SKEW_SECONDS: u32 = 300;

impl Request<'_> {
    pub(super) async fn assume_role_with_web_identity(&self) -> Result<Answer, StsError> {
        let mut constraints = Constraints::default();
        let mut parameters = self.role_parameters(&mut constraints);
        let rule = TextRule::of_length(4, TOKEN_BYTES_MAX);
        let text = constraints.required(self.form, "WebIdentityToken", rule);
        constraints.finish()?;
        if self.form.get("ProviderId").is_some() {
            return Err(StsError::validation(
                "ProviderId is for OAuth 2.0 access tokens, which are not supported",
            ));
        }
        let denied = |action: &str| StsError::denied(format!("Not authorized to perform {action}"));
        let token = Token::read(text).map_err(|error| invalid(&error))?;
        let (account, ..) = parse_role_arn(parameters.role_arn).ok_or_else(|| denied(ASSUME))?;
        let directory = self.service.directory();
        let provider = directory.provider(account, token.claimed_issuer()).ok_or_else(|| {
            let issuer = token.claimed_issuer();
            let text = format!("No OpenIDConnect provider found in your account for {issuer}");
            StsError::new(StsCode::InvalidIdentityToken, text)
        })?;
        let keys =
            self.service.provider_keys.keys(provider, token.key_id(), self.now, self.service.fetch.get());
        let keys = keys.await.map_err(|_| {
            let text = "Couldn't retrieve verification key from your identity provider, please reference \
                        AssumeRoleWithWebIdentity documentation for requirements";
            StsError::new(StsCode::IdpCommunication, text)
        })?;
        let claims = token.verify(&keys).map_err(|error| invalid(&error))?;
        check(claims, provider, self.now.seconds())?;
        let audience = audience(claims, provider);
        self.notes.lock().bearer = Some(Bearer {
            provider: provider.arn(),
            audience: audience.clone(),
            subject: claims.subject.clone(),
        });
        // Tags come in the token; what the request says of them was signed by nobody.
        let SessionTags { principal, transitive } = claims.tags.clone();
        (parameters.narrowing.tags, parameters.narrowing.transitive) = (principal, transitive);
        self.notes.lock().tags = Some(claims.tags.clone());
        let entry = self.role(parameters.role_arn).ok_or_else(|| denied(ASSUME))?;
        for (action, asked) in [(ASSUME, true), (TAG, !parameters.narrowing.tags.is_empty())] {
            if asked && !self.trusts(action, &entry, &parameters, claims, provider) {
                return Err(denied(action));
            }
        }
        parameters.narrowing.check(account, self)?;
        let seconds = self.role_seconds(&parameters, &entry, false)?;
        let contents = Contents {
            provider: Some(provider.arn()),
            claims: conditions(claims, provider),
            ..self.role_session(&entry, &parameters, seconds)
        };
        let begun = self.begin(&contents)?;
        let user = AssumedRole::of(&entry, parameters.session);
        self.note("assumedRoleUser", user.noted());
        self.note("provider", claims.issuer.as_str().into());
        self.note("audience", audience.as_str().into());
        self.note("subjectFromWebIdentityToken", claims.subject.as_str().into());
        let (subject, issuer) = (claims.subject.clone(), claims.issuer.clone());
        let narrowing = parameters.narrowing;
        Ok(Box::new(move |xml| {
            begun.put(xml);
            xml.text("SubjectFromWebIdentityToken", &subject);
            user.put(xml);
            put_packed(&narrowing, xml);
            xml.text("Provider", &issuer).text("Audience", &audience);
        }))
    }

    fn trusts(
        &self,
        action: &str,
        entry: &RoleEntry,
        parameters: &RoleParameters<'_>,
        claims: &Claims,
        provider: &OidcProvider,
    ) -> bool {
        let mut keys = Keys::of_request(&self.call.connection, self.call.region, self.now);
        let provider_arn = provider.arn();
        keys.put("aws:FederatedProvider", provider_arn.as_str());
        keys.put("aws:PrincipalIsAWSService", "false");
        keys.put("sts:RoleSessionName", parameters.session);
        add_tags(&mut keys, &parameters.narrowing);
        for (key, value) in conditions(claims, provider) {
            keys.put(&key, value);
        }
        keys.put_many(&format!("{}:amr", provider_name(&provider.url)), claims.methods.clone());
        let caller = Caller {
            kind: CallerKind::WebIdentity,
            arn: &provider_arn,
            account: None,
            session_arn: None,
            service: None,
            unique_id: None,
        };
        let request = trent_policy::Request {
            action,
            caller,
            standing: &strangers(entry),
            endpoint: self.call.connection.endpoint.and_then(|endpoint| endpoint.policy.as_ref()),
            keys: &keys,
            target: trust(entry, parameters.role_arn, &keys),
        };
        decide(&request).is_allowed()
    }
}

fn invalid(error: &TokenError) -> StsError {
    StsError::new(StsCode::InvalidIdentityToken, error.to_string())
}

/// Whom the token is for, and when.
fn check(claims: &Claims, provider: &OidcProvider, now: i64) -> Result<(), StsError> {
    let mut parties = claims.audience.iter().chain(&claims.authorized_party);
    if !parties.any(|party| provider.client_ids.contains(party)) {
        return Err(StsError::new(StsCode::InvalidIdentityToken, "Incorrect token audience"));
    }
    claims.check_times(now, SKEW_SECONDS).map_err(|error| match error {
        TimeError::Expired => {
            StsError::new(StsCode::ExpiredToken, "Token expired: its time was over when it came")
        }
        TimeError::NotYet => StsError::new(StsCode::InvalidIdentityToken, error.to_string()),
    })
}

/// The one for whom the token is, of those that the provider is known for: the authorized party where one is named.
fn audience(claims: &Claims, provider: &OidcProvider) -> String {
    let mut parties = claims.authorized_party.iter().chain(&claims.audience);
    parties.find(|party| provider.client_ids.contains(*party)).cloned().unwrap_or_default()
}

/// The claims under the names that conditions have for them.
fn conditions(claims: &Claims, provider: &OidcProvider) -> BTreeMap<String, String> {
    let start = provider_name(&provider.url);
    // What is about the token rather than its bearer is left out.
    let about_bearer = |name: &str| !matches!(name, "iss" | "exp" | "nbf" | "iat" | "jti" | "aud" | "azp");
    let texts = claims.texts.iter().filter(|(name, _)| about_bearer(name));
    let mut conditions: BTreeMap<_, _> =
        texts.map(|(name, value)| (format!("{start}:{name}"), value.clone())).collect();
    conditions.insert(format!("{start}:aud"), audience(claims, provider));
    if claims.authorized_party.is_some()
        && let Some(own) = claims.audience.first()
    {
        conditions.insert(format!("{start}:oaud"), own.clone());
    }
    conditions
}
