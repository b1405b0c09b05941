//! The one place where an outcome becomes HTTP: status, headers, body.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, header};
use http_body_util::Full;
use trent_protocol::{DecodeError, ErrorCode, error_body};
use trent_service::KmsError;
use trent_sigv4::SignatureError;
use uuid::Uuid;

use crate::body::BodyError;
use crate::endpoint::Answer;
use crate::guard::Failure;
use crate::metrics::Ended;

/// Why a request is answered with an error.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The path is not the one of the API.
    Path,
    /// The method is not `POST`.
    Method,
    /// There are too many header lines.
    Headers,
    /// There is no such operation, or the request is not of this protocol.
    UnknownOperation,
    /// The body was not read to its end.
    Body(BodyError),
    /// The body did not come in time.
    SlowBody,
    /// Who sent it is not established.
    Signature(SignatureError),
    /// The operation failed, or says no.
    Operation(KmsError),
    /// The operation took too long, or panicked.
    Failure(Failure),
    /// The connection is to be reset: a fault that was asked for.
    Reset,
}

/// Marks an answer that is not sent: the connection is reset instead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reset;

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is reset on request")
    }
}

impl std::error::Error for Reset {}

impl From<SignatureError> for Refusal {
    fn from(error: SignatureError) -> Self {
        Self::Signature(error)
    }
}

impl From<KmsError> for Refusal {
    fn from(error: KmsError) -> Self {
        Self::Operation(error)
    }
}

/// The error of a body that is no request.
pub(crate) fn undecodable(error: DecodeError) -> KmsError {
    match error {
        DecodeError::Serialization => KmsError::bare(ErrorCode::Serialization),
        DecodeError::Validation(message) => KmsError::validation(message),
    }
}

impl Refusal {
    /// Status, code and text. Without a code there is no body.
    fn parts(&self) -> (u16, Option<ErrorCode>, Option<String>) {
        const TIMED_OUT: &str =
            "The system timed out while trying to fulfill the request. You can retry the request.";
        const INTERNAL: &str = "The service had an internal error. Try again.";
        const THROTTLED: &str =
            "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.";
        let with =
            |code: ErrorCode, text: Option<&str>| (code.http_status(), Some(code), text.map(str::to_owned));
        match self {
            Self::Path => (404, Some(ErrorCode::UnknownOperation), None),
            Self::Method => (405, Some(ErrorCode::UnknownOperation), None),
            Self::Headers => (431, None, None),
            Self::UnknownOperation => with(ErrorCode::UnknownOperation, None),
            Self::Body(BodyError::TooLarge) => with(ErrorCode::RequestEntityTooLarge, None),
            Self::Body(BodyError::Busy) => with(ErrorCode::Throttling, Some(THROTTLED)),
            Self::Body(BodyError::Broken) => (400, None, None),
            Self::SlowBody => (408, None, None),
            Self::Reset => (500, None, None),
            Self::Signature(error) => match code_of(error) {
                Some(code) => (code.http_status(), Some(code), Some(error.message())),
                None => (400, None, None),
            },
            Self::Operation(error) => (error.code.http_status(), Some(error.code), error.message.clone()),
            Self::Failure(Failure::Deadline) => with(ErrorCode::DependencyTimeout, Some(TIMED_OUT)),
            Self::Failure(Failure::Panic) => with(ErrorCode::KmsInternal, Some(INTERNAL)),
        }
    }

    /// Code and text as they are answered; nothing where there is no code.
    pub(crate) fn told(&self) -> Option<(&'static str, Option<String>)> {
        let (_, code, text) = self.parts();
        code.map(|code| (code.name(), text))
    }

    /// How the request is counted.
    pub(crate) fn ended(&self) -> Ended {
        let code = match self {
            Self::Operation(error) => Some(error.code),
            other => other.parts().1,
        };
        code.map_or(Ended::WithoutCode, Ended::Code)
    }

    /// Whether part of the request may be unread, so that nothing more can be on this connection.
    fn leaves_unread(&self) -> bool {
        matches!(self, Self::Path | Self::Method | Self::Headers | Self::Body(_) | Self::SlowBody)
    }
}

/// The code of a signature error; the malformed path alone has none.
fn code_of(error: &SignatureError) -> Option<ErrorCode> {
    ErrorCode::ALL.into_iter().find(|code| code.name() == error.code())
}

/// What the head of every answer says.
pub(crate) struct Stamp {
    pub(crate) request_id: Uuid,
    pub(crate) date: HeaderValue,
    pub(crate) version: Version,
}

/// The answer to a request.
pub(crate) fn respond(outcome: Result<Vec<u8>, Refusal>, stamp: Stamp) -> Answer {
    let version = stamp.version;
    let (status, body, refusal) = match outcome {
        Ok(body) => (200, body, None),
        Err(refusal) => {
            let (status, code, text) = refusal.parts();
            let body = code.map(|code| error_body(code, text.as_deref())).unwrap_or_default();
            (status, body, Some(refusal))
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers(stamp, JSON);
    if let Some(refusal) = refusal {
        add_for_refusal(&refusal, version, response.headers_mut());
        if matches!(refusal, Refusal::Reset) {
            response.extensions_mut().insert(Reset);
        }
    }
    response
}

const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");

pub(crate) fn headers(stamp: Stamp, content_type: HeaderValue) -> HeaderMap {
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
    const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache, no-store, must-revalidate, private");
    // `Content-Length` is hyper's: it knows the size of a body that is there.
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(REQUEST_ID, request_id(stamp.request_id));
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CACHE_CONTROL, NO_CACHE);
    headers.insert(header::DATE, stamp.date);
    headers
}

fn request_id(id: Uuid) -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    let text = id.as_hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

fn add_for_refusal(refusal: &Refusal, version: Version, headers: &mut HeaderMap) {
    if matches!(refusal, Refusal::Method) {
        headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    // HTTP/2 ends the stream instead, and has no such header.
    if refusal.leaves_unread() && version != Version::HTTP_2 {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp() -> Stamp {
        Stamp { request_id: Uuid::nil(), date: HeaderValue::from_static("now"), version: Version::HTTP_11 }
    }

    #[test]
    fn every_signature_error_has_a_code_of_the_api_but_the_malformed_path() {
        assert_eq!(code_of(&SignatureError::NotSigned), Some(ErrorCode::MissingAuthenticationToken));
        assert_eq!(code_of(&SignatureError::QueryTooLong), Some(ErrorCode::MalformedQueryString));
        assert_eq!(code_of(&SignatureError::ExpiredToken), Some(ErrorCode::ExpiredToken));
        assert_eq!(code_of(&SignatureError::InvalidToken), Some(ErrorCode::UnrecognizedClient));
        assert_eq!(code_of(&SignatureError::Mismatch(None)), Some(ErrorCode::InvalidSignature));
        assert_eq!(code_of(&SignatureError::IncompleteEscape), Some(ErrorCode::MalformedQueryString));
        assert_eq!(
            code_of(&SignatureError::InvalidDate(String::new())),
            Some(ErrorCode::IncompleteSignature)
        );
        assert_eq!(code_of(&SignatureError::MalformedPath), None);
    }

    #[test]
    fn answers_carry_the_headers_of_the_api() {
        let answer = respond(Ok(b"{}".to_vec()), stamp());
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["x-amzn-requestid"], "00000000-0000-0000-0000-000000000000");
        assert_eq!(answer.headers()["content-type"], "application/x-amz-json-1.1");
        assert_eq!(answer.headers()["date"], "now");
    }

    #[test]
    fn a_refusal_before_the_body_is_read_closes_the_connection() {
        let closes = |refusal| respond(Err(refusal), stamp()).headers().contains_key("connection");
        assert!(closes(Refusal::Body(BodyError::TooLarge)));
        assert!(closes(Refusal::Path));
        assert!(!closes(Refusal::UnknownOperation));
        assert!(!closes(Refusal::Signature(SignatureError::NotSigned)));
    }
}
