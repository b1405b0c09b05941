//! What a request presents as its signature, from either form: steps 1 to 5 of the checks.

use std::borrow::Cow;

use crate::{
    ALGORITHM,
    error::{MissingHeaderParts, MissingQueryParts, SignatureError, shown},
    query,
    request::{Headers, Request, first},
};

/// The parts of a signature, as sent.
pub(crate) struct Presented<'a> {
    pub(crate) credential: Cow<'a, str>,
    pub(crate) signed_headers: Cow<'a, str>,
    pub(crate) signature: Cow<'a, str>,
    pub(crate) date: Cow<'a, str>,
    pub(crate) date_from: DateFrom,
    pub(crate) expires: Option<Cow<'a, str>>,
    pub(crate) session_token: Option<Cow<'a, str>>,
}

/// Where the date of a request stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DateFrom {
    /// The `X-Amz-Date` header.
    AmzHeader,
    /// The `Date` header, whose RFC 1123 form is allowed too.
    DateHeader,
    /// The `X-Amz-Date` parameter: the request is presigned.
    Parameter,
}

impl<'a> Presented<'a> {
    /// Finds out which form a request has and takes it apart.
    pub(crate) fn read<H: Headers + ?Sized>(request: &Request<'a, H>) -> Result<Self, SignatureError> {
        let header = first(request.headers, "authorization");
        let algorithm = query::parameter(request.query, "X-Amz-Algorithm");
        match (header, algorithm) {
            (Some(_), Some(_)) => Err(SignatureError::SignedTwice),
            (Some(header), None) => Self::from_header(header, request.headers),
            (None, Some(algorithm)) => Self::from_query(&algorithm, request.query),
            (None, None) => Err(SignatureError::NotSigned),
        }
    }

    fn from_header<H: Headers + ?Sized>(header: &'a [u8], headers: &'a H) -> Result<Self, SignatureError> {
        if !header.starts_with(b"AWS4-") {
            return Err(SignatureError::NotSigned);
        }
        let blank = header.iter().position(u8::is_ascii_whitespace).unwrap_or(header.len());
        let (algorithm, parts) = header.split_at(blank);
        check_algorithm(algorithm).map_err(|_| unsupported_in_header(algorithm))?;
        let parts = Parts::read(parts)?;
        let date = match first(headers, "x-amz-date") {
            Some(date) => Some((date, DateFrom::AmzHeader)),
            None => first(headers, "date").map(|date| (date, DateFrom::DateHeader)),
        };
        match (parts, date) {
            (
                Parts {
                    credential: Some(credential),
                    signature: Some(signature),
                    signed_headers: Some(signed_headers),
                },
                Some((date, date_from)),
            ) => Ok(Self {
                credential: Cow::Borrowed(credential),
                signed_headers: Cow::Borrowed(signed_headers),
                signature: Cow::Borrowed(signature),
                date: String::from_utf8_lossy(date),
                date_from,
                expires: None,
                session_token: first(headers, "x-amz-security-token").map(String::from_utf8_lossy),
            }),
            (parts, date) => Err(SignatureError::MissingHeaderParts(MissingHeaderParts {
                credential: parts.credential.is_none(),
                signature: parts.signature.is_none(),
                signed_headers: parts.signed_headers.is_none(),
                date: date.is_none(),
            })),
        }
    }

    fn from_query(algorithm: &str, text: &'a str) -> Result<Self, SignatureError> {
        check_algorithm(algorithm.as_bytes())?;
        let parameter = |name| query::parameter(text, name);
        let credential = parameter("X-Amz-Credential");
        let signature = parameter(query::SIGNATURE);
        let signed_headers = parameter("X-Amz-SignedHeaders");
        let date = parameter("X-Amz-Date");
        match (credential, signature, signed_headers, date) {
            (Some(credential), Some(signature), Some(signed_headers), Some(date)) => Ok(Self {
                credential,
                signed_headers,
                signature,
                date,
                date_from: DateFrom::Parameter,
                expires: parameter("X-Amz-Expires"),
                session_token: parameter("X-Amz-Security-Token"),
            }),
            (credential, signature, signed_headers, date) => {
                Err(SignatureError::MissingQueryParts(MissingQueryParts {
                    credential: credential.is_none(),
                    signature: signature.is_none(),
                    signed_headers: signed_headers.is_none(),
                    date: date.is_none(),
                }))
            }
        }
    }
}

fn check_algorithm(algorithm: &[u8]) -> Result<(), SignatureError> {
    if algorithm == ALGORITHM.as_bytes() {
        Ok(())
    } else {
        Err(SignatureError::UnsupportedAlgorithm(shown(algorithm)))
    }
}

/// The error of an algorithm that stands in the header. Repeats only what can be the name of one: where the blank
/// after it is missing, the signature follows.
fn unsupported_in_header(algorithm: &[u8]) -> SignatureError {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let end = algorithm.iter().position(|byte| !is_of_name(byte)).unwrap_or(algorithm.len());
    SignatureError::UnsupportedAlgorithm(shown(algorithm.get(..end).unwrap_or_default()))
}

/// The three parts of an `Authorization` header. What is not UTF-8 counts as missing.
#[derive(Default)]
struct Parts<'a> {
    credential: Option<&'a str>,
    signature: Option<&'a str>,
    signed_headers: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Reads `key=value, key=value`. The last of several equal keys wins, unknown ones and empty parts are ignored.
    fn read(text: &'a [u8]) -> Result<Self, SignatureError> {
        let mut parts = Self::default();
        let pieces = text.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        for piece in pieces.filter(|piece| !piece.is_empty()) {
            let Some(equals) = piece.iter().position(|byte| *byte == b'=') else {
                return Err(SignatureError::NotKeyValue(shown(piece)));
            };
            let value = piece.get(equals + 1..).and_then(|value| std::str::from_utf8(value).ok());
            match piece.get(..equals) {
                Some(b"Credential") => parts.credential = value,
                Some(b"Signature") => parts.signature = value,
                Some(b"SignedHeaders") => parts.signed_headers = value,
                _ => {}
            }
        }
        Ok(parts)
    }
}
