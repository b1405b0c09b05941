//! What is recorded of a request to STS: what was asked, without proofs of identity, and what was answered, without what
//! requests are signed with.

use serde_json::{Map, Value, json};
use trent_audit::{Client, Recorder, StsIdentity, StsRecord};
use trent_domain::identity::parse_role_arn;
use trent_jwt::SessionTags;

use super::{Form, StsAction, StsCall, StsCode, StsError};
use crate::open::Service;

/// Parameters that are recorded as they are, with the names that records have for them.
const TEXTS: [(&str, &str); 8] = [
    ("RoleArn", "roleArn"),
    ("RoleSessionName", "roleSessionName"),
    ("ExternalId", "externalId"),
    ("SourceIdentity", "sourceIdentity"),
    ("Policy", "policy"),
    ("Name", "name"),
    ("ProviderId", "providerId"),
    ("SerialNumber", "serialNumber"),
];

/// As long as a session policy may be, which may be the longest.
const TEXT_CHARACTERS_MAX: usize = 2048;
/// As many tags as there may be.
const LISTED_MAX: usize = 50;

/// What an operation leaves for its record.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// What is told of the answer.
    pub(super) elements: Map<String, Value>,
    /// Whom a provider's token is believed to be of.
    pub(super) bearer: Option<Bearer>,
    /// The tags in a token that is believed, in place of what the request says.
    pub(super) tags: Option<SessionTags>,
}

/// The bearer of a token.
#[derive(Debug)]
pub(super) struct Bearer {
    pub(super) provider: String,
    pub(super) audience: String,
    pub(super) subject: String,
}

/// As much of a text as can be of a request that is answered: what comes from strangers must not fill the disk.
fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(TEXT_CHARACTERS_MAX).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or_default()
}

/// What was asked.
fn parameters(form: &Form, tags: Option<&SessionTags>) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, recorded) in TEXTS {
        if let Some(value) = form.get(name) {
            out.insert(recorded.to_owned(), cut(value).into());
        }
    }
    if let Some(seconds) = form.get("DurationSeconds") {
        let number = seconds.parse::<u32>().map_or_else(|_| Value::from(cut(seconds)), Value::from);
        out.insert("durationSeconds".to_owned(), number);
    }
    let arns: Vec<Value> =
        form.list("PolicyArns", "arn").iter().take(LISTED_MAX).map(|arn| json!({"arn": cut(arn)})).collect();
    let (tags, transitive) = match tags.cloned() {
        Some(SessionTags { principal, transitive }) => {
            (principal.into_iter().collect(), transitive.into_iter().collect())
        }
        None => (form.pairs("Tags"), form.list("TransitiveTagKeys", "")),
    };
    let tags = tags.into_iter().take(LISTED_MAX);
    let tags: Map<String, Value> =
        tags.map(|(key, value)| (cut(&key).to_owned(), Value::from(cut(&value)))).collect();
    let transitive: Vec<Value> = transitive.iter().take(LISTED_MAX).map(|key| cut(key).into()).collect();
    for (name, value, is_there) in [
        ("policyArns", Value::from(arns.clone()), !arns.is_empty()),
        ("principalTags", Value::from(tags.clone()), !tags.is_empty()),
        ("transitiveTagKeys", Value::from(transitive.clone()), !transitive.is_empty()),
    ] {
        if is_there {
            out.insert(name.to_owned(), value);
        }
    }
    out
}

impl Service {
    /// Records a request to STS and how it ended. When this is done, it may be answered.
    ///
    /// # Errors
    /// The record could not be written: there is no answer but this error.
    pub(super) async fn record_sts(
        &self,
        (recorder, client): (&Recorder, Client<'_>),
        (action, form, call): (StsAction, &Form, &StsCall<'_>),
        notes: &Notes,
        error: Option<&StsError>,
    ) -> Result<(), StsError> {
        let (provider, audience, subject) = match &notes.bearer {
            Some(bearer) => (&*bearer.provider, &*bearer.audience, &*bearer.subject),
            None => ("", "", ""),
        };
        let identity = match &call.signer {
            Some(signer) => StsIdentity::Caller(&signer.caller),
            None => StsIdentity::Web { provider, audience, subject },
        };
        let parameters = Value::Object(parameters(form, notes.tags.as_ref())).to_string();
        let elements = Value::Object(notes.elements.clone()).to_string();
        let role = form.get("RoleArn").and_then(|arn| Some((parse_role_arn(arn)?.0, arn)));
        let record = StsRecord {
            name: action.name(),
            identity,
            region: call.region,
            request_id: call.request_id,
            at: self.now(),
            client,
            error: error.map(|error| (error.code.as_str(), &*error.message)),
            parameters: parameters.as_bytes(),
            elements: elements.as_bytes(),
            role,
        };
        let is_strangers = call.signer.is_none() && notes.bearer.is_none();
        let new_id = || self.new_event_id();
        let written =
            if is_strangers { recorder.sts_refused(&record, new_id) } else { recorder.sts(&record, new_id) };
        written.await.map_err(|_| unrecordable())
    }
}

/// What was done, or would be, cannot be recorded, and so is not answered.
pub(super) fn unrecordable() -> StsError {
    StsError::new(StsCode::Internal, "The service had an internal error. Try again.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_for_an_answer_is_cut() {
        let many: String = (1..=60).map(|number| format!("&TransitiveTagKeys.member.{number}=k")).collect();
        let form = format!("Action=AssumeRoleWithWebIdentity&Policy={}{many}", "%01".repeat(5_000));
        let recorded = parameters(&Form::parse(form.as_bytes()).unwrap(), None);
        assert_eq!(recorded["policy"].as_str().unwrap().chars().count(), TEXT_CHARACTERS_MAX);
        assert_eq!(recorded["transitiveTagKeys"].as_array().unwrap().len(), LISTED_MAX);
    }

    #[test]
    fn what_proves_an_identity_is_not_recorded() {
        let form = b"Action=AssumeRoleWithWebIdentity&RoleArn=arn&WebIdentityToken=secret&TokenCode=123456&\
                     DurationSeconds=900&Tags.member.1.Key=team&Tags.member.1.Value=core&\
                     TransitiveTagKeys.member.1=team&PolicyArns.member.1.arn=arn:p";
        let recorded = Value::Object(parameters(&Form::parse(form).unwrap(), None));
        let expected = json!({"roleArn": "arn", "durationSeconds": 900, "principalTags": {"team": "core"},
            "transitiveTagKeys": ["team"], "policyArns": [{"arn": "arn:p"}]});
        assert_eq!(recorded, expected);
    }
}
