//! Who did it: `userIdentity`.

use trent_domain::identity::{Caller, Principal};
use trent_protocol::Encode;

use crate::dates;
use crate::json::{object, raw, text};

/// The caller, in full.
pub(crate) fn caller(caller: &Caller, out: &mut Vec<u8>) {
    match &caller.principal {
        Principal::Service { .. } => {
            begin("AWSService", out);
            text(out, "invokedBy", &caller.arn);
            return out.push(b'}');
        }
        Principal::Root => named("Root", caller, &caller.unique_id, out),
        Principal::User { name } => {
            named("IAMUser", caller, &caller.unique_id, out);
            text(out, "userName", name);
        }
        Principal::RoleSession { name, .. } => {
            named("AssumedRole", caller, &format!("{}:{name}", caller.unique_id), out);
        }
        Principal::FederatedUser { name, .. } => {
            named("FederatedUser", caller, &format!("{}:{name}", caller.account.as_str()), out);
        }
    }
    let issuer = issuer(caller);
    if issuer.is_some() || caller.session.is_some() {
        raw(out, "sessionContext", &session_context(caller, issuer));
    }
    if let Some(via) = &caller.via {
        text(out, "invokedBy", &via.service);
    }
    out.push(b'}');
}

fn named(kind: &str, caller: &Caller, principal_id: &str, out: &mut Vec<u8>) {
    begin(kind, out);
    text(out, "principalId", principal_id);
    text(out, "arn", &caller.arn);
    text(out, "accountId", caller.account.as_str());
    text(out, "accessKeyId", &caller.access_key_id);
}

/// Who gave a session what it may do: kind and ARN.
fn issuer(caller: &Caller) -> Option<(&'static str, &str)> {
    match &caller.principal {
        Principal::RoleSession { role_arn, .. } => Some(("Role", role_arn)),
        Principal::FederatedUser { user_arn, .. } => Some(("IAMUser", user_arn)),
        Principal::Root | Principal::User { .. } | Principal::Service { .. } => None,
    }
}

fn session_context(caller: &Caller, issuer: Option<(&str, &str)>) -> Vec<u8> {
    // Members with a comma before each; the first comma becomes the brace.
    let mut out = Vec::with_capacity(512);
    if let Some((kind, arn)) = issuer {
        let mut issuer = Vec::with_capacity(256);
        begin(kind, &mut issuer);
        text(&mut issuer, "principalId", &caller.unique_id);
        text(&mut issuer, "arn", arn);
        text(&mut issuer, "accountId", caller.account.as_str());
        text(&mut issuer, "userName", arn.rsplit('/').next().unwrap_or_default());
        issuer.push(b'}');
        raw(&mut out, "sessionIssuer", &issuer);
    }
    if let Some(session) = &caller.session {
        if let Some(provider) = &session.provider {
            let mut federation = Vec::new();
            object(&mut federation, |members| {
                members.member("federatedProvider", &**provider);
                members.member("attributes", &session.claims);
            });
            raw(&mut out, "webIdFederationData", &federation);
        }
        let mut attributes = b"{\"creationDate\":\"".to_vec();
        dates::iso(session.issued.millis(), &mut attributes);
        attributes.push(b'"');
        text(&mut attributes, "mfaAuthenticated", if session.mfa.is_some() { "true" } else { "false" });
        attributes.push(b'}');
        raw(&mut out, "attributes", &attributes);
        if let Some(source) = &session.source_identity {
            text(&mut out, "sourceIdentity", source);
        }
    }
    if let Some(first) = out.first_mut() {
        *first = b'{';
    }
    out.push(b'}');
    out
}

/// The caller, as the owner of a key of another account is told.
pub(crate) fn stranger(caller: &Caller, out: &mut Vec<u8>) {
    begin("AWSAccount", out);
    text(out, "principalId", &caller.unique_id);
    text(out, "accountId", caller.account.as_str());
    out.push(b'}');
}

/// Somebody who says to have this access key, and could not show it.
pub(crate) fn unknown(access_key_id: Option<&str>, out: &mut Vec<u8>) {
    begin("Unknown", out);
    if let Some(id) = access_key_id {
        text(out, "accessKeyId", id);
    }
    out.push(b'}');
}

/// The bearer of a provider's token.
pub(crate) fn web_identity(provider: &str, audience: &str, subject: &str, out: &mut Vec<u8>) {
    begin("WebIdentityUser", out);
    if !provider.is_empty() {
        text(out, "principalId", &format!("{provider}:{audience}:{subject}"));
        text(out, "userName", subject);
        text(out, "identityProvider", provider);
    }
    out.push(b'}');
}

/// An operator on the admin socket.
pub(crate) fn operator(out: &mut Vec<u8>) {
    begin("Operator", out);
    text(out, "invokedBy", "trent admin");
    out.push(b'}');
}

/// The service itself, for an account or for nobody's.
pub(crate) fn internal(account: Option<&str>, out: &mut Vec<u8>) {
    out.push(b'{');
    if let Some(account) = account {
        out.extend_from_slice(b"\"accountId\":");
        account.encode_into(&mut crate::json::Camel(out));
        out.push(b',');
    }
    out.extend_from_slice(b"\"invokedBy\":\"AWS Internal\"}");
}

fn begin(kind: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use serde_json::{Value, json};
    use trent_domain::identity::{Session, Source, Via};
    use trent_domain::time::Timestamp;

    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/eng/app";

    fn written(of: &Caller) -> Value {
        let mut out = Vec::new();
        caller(of, &mut out);
        serde_json::from_slice(&out).unwrap()
    }

    fn session_of_role() -> Caller {
        Caller::role_session("111122223333".parse().unwrap(), ROLE, "AROAX", "s1", "ASIAX")
    }

    #[test]
    fn a_root_user_is_its_account() {
        let root = Caller::root("111122223333".parse().unwrap(), "AKIAX");
        let expected = json!({"type": "Root", "principalId": "111122223333", "accountId": "111122223333",
            "arn": "arn:aws:iam::111122223333:root", "accessKeyId": "AKIAX"});
        assert_eq!(written(&root), expected);
    }

    #[test]
    fn a_session_of_a_role_names_its_issuer_and_its_token() {
        let session = Session {
            issued: Timestamp::from_millis(0),
            mfa: None,
            source_identity: Some("bob".into()),
            provider: Some("arn:aws:iam::111122223333:oidc-provider/issuer.test".into()),
            claims: BTreeMap::from([("issuer.test:sub".to_owned(), "job".to_owned())]),
        };
        let via = Some(Via { service: "s3.amazonaws.com".into(), source: Source::default() });
        let caller = Caller { session: Some(Arc::new(session)), via, ..session_of_role() };
        let expected = json!({"type": "AssumedRole", "principalId": "AROAX:s1", "accountId": "111122223333",
            "arn": "arn:aws:sts::111122223333:assumed-role/app/s1", "accessKeyId": "ASIAX",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "principalId": "AROAX", "arn": ROLE,
                    "accountId": "111122223333", "userName": "app"},
                "webIdFederationData": {
                    "federatedProvider": "arn:aws:iam::111122223333:oidc-provider/issuer.test",
                    "attributes": {"issuer.test:sub": "job"}},
                "attributes": {"creationDate": "1970-01-01T00:00:00Z", "mfaAuthenticated": "false"},
                "sourceIdentity": "bob"},
            "invokedBy": "s3.amazonaws.com"});
        assert_eq!(written(&caller), expected);
    }

    #[test]
    fn a_service_is_its_name() {
        let service =
            Caller::service("111122223333".parse().unwrap(), "s3.amazonaws.com", Source::default(), "AKIAX");
        assert_eq!(written(&service), json!({"type": "AWSService", "invokedBy": "s3.amazonaws.com"}));
    }
}
