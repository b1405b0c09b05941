//! Requests that are not signed: with an API token, or on a connection whose client has shown a certificate.
//!
//! A signature comes first: whoever signs is who has signed. Tokens and certificates are for the API alone, since what
//! STS gives for them would outlast them.

use http::header::AUTHORIZATION;
use http::request::Parts;
use trent_domain::identifier::Region;
use trent_domain::time::Timestamp;
use trent_service::{ClientCertificate, Service, SessionError};
use trent_sigv4::{SignatureError, WrongScope};

use crate::authenticate::{Authenticated, Signatures};
use crate::endpoint::Origin;

/// The header that names the Region, which the scope of a signature says elsewhere.
const REGION: &str = "x-trent-region";

/// What is shown in place of a signature.
pub(crate) enum Shown<'r> {
    Token(&'r str),
    Certificate(&'r ClientCertificate),
}

impl<'r> Shown<'r> {
    /// What a request shows; nothing if it is to be judged by its signature, or the lack of it.
    pub(crate) fn of(head: &'r Parts, origin: &'r Origin, signatures: &Signatures) -> Option<Self> {
        if head.uri.query().is_some_and(|query| query.contains("X-Amz-Algorithm=")) {
            return None;
        }
        let mut lines = head.headers.get_all(AUTHORIZATION).iter();
        match (lines.next(), lines.next()) {
            (None, _) => origin.client.as_deref().map(Self::Certificate),
            (Some(only), None) if signatures.api_tokens => bearer(only.to_str().ok()?).map(Self::Token),
            _ => None,
        }
    }

    /// Who it is, and for which Region.
    pub(crate) fn authenticate(
        self,
        head: &Parts,
        signatures: &Signatures,
        service: &Service,
        now: Timestamp,
    ) -> Result<Authenticated, SignatureError> {
        let shown = match self {
            Self::Token(token) => service.api_token(token),
            Self::Certificate(certificate) => service.certificate(certificate, now),
        };
        let (identity, own) = shown.map_err(|error| match error {
            SessionError::Invalid => SignatureError::UnknownAccessKey,
            SessionError::Expired => SignatureError::ExpiredToken,
        })?;
        Ok(Authenticated { identity, region: region(head, own, signatures)? })
    }
}

/// The token of `Bearer <token>`.
pub(crate) fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn region(head: &Parts, own: Region, signatures: &Signatures) -> Result<Region, SignatureError> {
    let wrong = |name: &str| {
        let scope = WrongScope { region: Some(name.to_owned()), service: None, terminator: None, date: None };
        SignatureError::WrongScope(Box::new(scope))
    };
    let region = match head.headers.get(REGION) {
        None => own,
        Some(value) => {
            let name = value.to_str().unwrap_or_default();
            name.parse().map_err(|_| wrong(name))?
        }
    };
    match &signatures.regions {
        Some(allowed) if !allowed.contains(&region) => Err(wrong(region.as_str())),
        _ => Ok(region),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_known_by_its_scheme() {
        assert_eq!(bearer("Bearer a.b"), Some("a.b"));
        assert_eq!(bearer("bearer  a.b "), Some("a.b"));
        for other in ["Bearer", "Basic a.b", "AWS4-HMAC-SHA256 Credential=x", ""] {
            assert_eq!(bearer(other), None, "{other}");
        }
    }
}
