//! What is recorded of a request to STS: what was asked, without proofs of identity, and what was answered, without what
//! requests are signed with.

use serde_json::{Map, Value, json};
use trent_audit::{Client, Recorder, StsIdentity, StsRecord};
use trent_domain::identity::parse_role_arn;

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

/// What an operation leaves for its record.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// What is told of the answer.
    pub(super) elements: Map<String, Value>,
    /// Whom a provider's token is believed to be of.
    pub(super) bearer: Option<Bearer>,
}

/// The bearer of a token.
#[derive(Debug)]
pub(super) struct Bearer {
    pub(super) provider: String,
    pub(super) audience: String,
    pub(super) subject: String,
}

/// What was asked.
fn parameters(form: &Form) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, recorded) in TEXTS {
        if let Some(value) = form.get(name) {
            out.insert(recorded.to_owned(), value.into());
        }
    }
    if let Some(seconds) = form.get("DurationSeconds") {
        let number = seconds.parse::<u32>().map_or_else(|_| Value::from(seconds), Value::from);
        out.insert("durationSeconds".to_owned(), number);
    }
    let arns: Vec<Value> =
        form.list("PolicyArns", "arn").into_iter().map(|arn| json!({"arn": arn})).collect();
    let tags: Map<String, Value> =
        form.pairs("Tags").into_iter().map(|(key, value)| (key, Value::from(value))).collect();
    let transitive = form.list("TransitiveTagKeys", "");
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
        let parameters = Value::Object(parameters(form)).to_string();
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
        let written = recorder.sts(&record, || self.new_event_id());
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
    fn what_proves_an_identity_is_not_recorded() {
        let form = b"Action=AssumeRoleWithWebIdentity&RoleArn=arn&WebIdentityToken=secret&TokenCode=123456&\
                     DurationSeconds=900&Tags.member.1.Key=team&Tags.member.1.Value=core&\
                     TransitiveTagKeys.member.1=team&PolicyArns.member.1.arn=arn:p";
        let recorded = Value::Object(parameters(&Form::parse(form).unwrap()));
        let expected = json!({"roleArn": "arn", "durationSeconds": 900, "principalTags": {"team": "core"},
            "transitiveTagKeys": ["team"], "policyArns": [{"arn": "arn:p"}]});
        assert_eq!(recorded, expected);
    }
}
