//! STS over HTTP: the Query protocol in, XML out, on the listener and the path of the API.
//!
//! What tells them apart is how the operation is named: a header for the API, the parameter `Action` for STS, in a
//! query string or in a form.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use trent_service::{Form, KmsError, StsAction, StsCall, StsCode, StsError, Xml};
use trent_sigv4::SignatureError;

use crate::authenticate::{DEFAULT_REGION, SignedFor};
use crate::body::BodyError;
use crate::endpoint::{Answer, Origin};
use crate::guard::guarded;
use crate::http::{Kms, Progress, client, connection};
use crate::respond::{Stamp, headers};

/// Whether a request is for STS.
pub(crate) fn is_meant_by<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    if headers.contains_key("x-amz-target") {
        return false;
    }
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_form = kind.get(..FORM.len()).is_some_and(|start| start.eq_ignore_ascii_case(FORM));
    let mut parameters = request.uri().query().unwrap_or_default().split('&');
    let names_action = parameters.any(|parameter| parameter.starts_with("Action="));
    match *request.method() {
        Method::POST => is_form || names_action,
        Method::GET => names_action,
        _ => false,
    }
}

const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// Why a request to STS is answered with an error.
enum Refused {
    /// The path is not the one of the API.
    Path,
    /// The body was not read.
    Body(Option<BodyError>),
    /// It is no form.
    Malformed,
    /// Who sent it is not established.
    Signature(SignatureError),
    /// It came through an endpoint that is no more.
    Endpoint(KmsError),
    /// The operation says no.
    Operation(StsError),
    /// The operation took too long, or panicked.
    Failure,
}

impl From<StsError> for Refused {
    fn from(error: StsError) -> Self {
        Self::Operation(error)
    }
}

impl Kms {
    /// Answers a request to STS.
    pub(crate) async fn answer_sts(
        &self,
        request: Request<Incoming>,
        origin: &Origin,
        progress: &mut Progress,
        stamp: Stamp,
    ) -> Answer {
        let outcome = self.sts(request, origin, progress).await;
        let code = outcome.as_ref().err().map_or("OK", |refused| refused.parts().1);
        self.api.metrics.count_sts(progress.sts.unwrap_or("none"), code);
        let (status, body, unread) = match outcome {
            Ok(body) => (200, body, false),
            Err(refused) => {
                let unread = matches!(refused, Refused::Path | Refused::Body(_));
                let (status, code, message) = refused.parts();
                tracing::debug!(code, request_id = %progress.request_id, "a request to STS was refused");
                (status, error_body(status, code, &message, progress), unread)
            }
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let version = stamp.version;
        *response.headers_mut() = headers(stamp, HeaderValue::from_static("text/xml"));
        if unread && version != http::Version::HTTP_2 {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn sts(
        &self,
        request: Request<Incoming>,
        origin: &Origin,
        progress: &mut Progress,
    ) -> Result<String, Refused> {
        let (head, body) = request.into_parts();
        let path = head.uri.path().strip_prefix(&*self.api.path_prefix).ok_or(Refused::Path)?;
        if !matches!(path, "" | "/") || head.headers.len() > self.api.limits.headers_max {
            return Err(Refused::Path);
        }
        let deadline = progress.started + self.api.limits.request;
        let body = match guarded(deadline, self.api.bodies.read(body)).await {
            Ok(body) => body.map_err(|error| Refused::Body(Some(error)))?,
            Err(_) => return Err(Refused::Body(None)),
        };
        let form = form(&head, &body.bytes).ok_or(Refused::Malformed)?;
        let action = StsAction::of(&form)?;
        progress.sts = Some(action.name());
        let (signer, region) = if action.is_signed() {
            let service = &*self.api.service;
            let signed = self.authenticator.authenticate(
                &head,
                &body.bytes,
                origin,
                progress.now,
                service,
                SignedFor::Sts,
            );
            let signed = signed
                .inspect_err(|error| self.record_refused(&head, origin, progress, error.query_code()))
                .map_err(Refused::Signature)?;
            (Some(signed.identity), signed.region)
        } else {
            (None, DEFAULT_REGION.parse().map_err(|_| Refused::Failure)?)
        };
        let through = self.api.service.endpoint(origin.endpoint.as_deref()).map_err(Refused::Endpoint)?;
        let connection = connection(&head, (origin, progress.source), through.as_deref());
        let call = StsCall { signer, region, request_id: progress.request_id, connection };
        // Boxed, so that it is no part of every connection.
        let to = (&self.recorder, client(&head, origin, progress.source));
        let answering = Box::pin(self.api.service.sts(action, &form, &call, to));
        Ok(guarded(deadline, answering).await.map_err(|_| Refused::Failure)??)
    }
}

/// The parameters: those of the query string where it names the operation, else those of the form.
fn form(head: &Parts, body: &[u8]) -> Option<Form> {
    let query = Form::parse(head.uri.query().unwrap_or_default().as_bytes())?;
    if query.get("Action").is_some() { Some(query) } else { Form::parse(body) }
}

impl Refused {
    /// Status, code and text.
    fn parts(&self) -> (u16, &'static str, String) {
        match self {
            Self::Path => (404, "InvalidAction", "There is nothing at this path.".to_owned()),
            Self::Body(Some(BodyError::TooLarge)) => (413, "RequestEntityTooLarge", String::new()),
            Self::Body(Some(BodyError::Busy)) => (400, "Throttling", "Rate exceeded".to_owned()),
            Self::Body(_) => (400, "IncompleteBody", "The body did not come in time.".to_owned()),
            Self::Malformed => (400, "MalformedInput", "Broken query string or form.".to_owned()),
            Self::Signature(error) => (status_of_signature(error), error.query_code(), error.message()),
            Self::Endpoint(error) => (403, "AccessDenied", error.message.clone().unwrap_or_default()),
            Self::Operation(error) => (status(error.code), error.code.as_str(), error.message.clone()),
            Self::Failure => {
                (500, "InternalFailure", "The service had an internal error. Try again.".to_owned())
            }
        }
    }
}

fn status_of_signature(error: &SignatureError) -> u16 {
    match error.query_code() {
        "IncompleteSignature" | "MalformedQueryString" | "" => 400,
        _ => 403,
    }
}

fn status(code: StsCode) -> u16 {
    match code {
        StsCode::AccessDenied => 403,
        StsCode::Internal => 500,
        StsCode::ValidationError
        | StsCode::InvalidIdentityToken
        | StsCode::ExpiredToken
        | StsCode::IdpCommunication
        | StsCode::MalformedPolicyDocument
        | StsCode::PackedPolicyTooLarge
        | StsCode::InvalidAction
        | StsCode::MissingAction => 400,
    }
}

fn error_body(status: u16, code: &str, message: &str, progress: &Progress) -> String {
    Xml::document("ErrorResponse", |xml| {
        xml.within("Error", |xml| {
            let kind = if status < 500 { "Sender" } else { "Receiver" };
            xml.text("Type", kind).text("Code", code).text("Message", message);
        })
        .text("RequestId", &progress.request_id.to_string());
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let builder = Request::builder().method(method).uri(uri);
        headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value)).body(()).unwrap()
    }

    #[test]
    fn forms_and_actions_are_for_sts_and_targets_for_the_api() {
        const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        let target = ("x-amz-target", "TrentService.ListKeys");
        assert!(is_meant_by(&request("POST", "/", &[FORM])));
        assert!(is_meant_by(&request("GET", "/?Action=GetCallerIdentity", &[])));
        assert!(is_meant_by(&request("POST", "/?a=b&Action=x", &[])));
        assert!(!is_meant_by(&request("POST", "/", &[FORM, target])));
        assert!(!is_meant_by(&request("POST", "/", &[("content-type", "application/x-amz-json-1.1")])));
        assert!(!is_meant_by(&request("GET", "/?XAction=", &[])));
        assert!(!is_meant_by(&request("PUT", "/?Action=", &[])));
    }
}
