//! Signing, for requests that trent sends itself (external key stores) and for tests.

use crate::{
    ALGORITHM, TERMINATOR,
    canonical::{self, Hashing, put_encoded},
    error::SignatureError,
    key::SigningKey,
    query::{CanonicalQuery, QUERY_BYTES_MAX, SIGNATURE, parameter},
    request::{Headers, Request, first},
    timestamp::Timestamp,
    verify::{SIGNED_HEADERS_MAX, string_to_sign},
};

/// Longest life of a presigned request: a week, in seconds.
pub const EXPIRES_SECONDS_MAX: u32 = 604_800;

/// Headers that are never signed: proxies change them, or the client sends them without asking.
const UNSIGNED: [&str; 8] = [
    "authorization",
    "connection",
    "content-length",
    "expect",
    "transfer-encoding",
    "user-agent",
    "x-amzn-trace-id",
    "amz-sdk-request",
];

/// Who signs, and for which Region and service. Has no `Debug`.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The access key.
    pub access_key_id: &'a str,
    /// Its secret.
    pub secret_access_key: &'a [u8],
    /// The token that belongs to a temporary access key.
    pub session_token: Option<&'a str>,
    /// The Region of the scope.
    pub region: &'a str,
    /// The service of the scope.
    pub service: &'a str,
}

/// Headers to add to a request to make it a signed one.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedHeaders {
    /// `Authorization`.
    pub authorization: String,
    /// `X-Amz-Date`.
    pub x_amz_date: String,
    /// `X-Amz-Security-Token`, if the credentials have one.
    pub x_amz_security_token: Option<String>,
}

/// Why a request cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// There is no `host` header.
    #[error("there is no `host` header")]
    MissingHost,
    /// There are more headers to sign than [`SIGNED_HEADERS_MAX`].
    #[error("more than {SIGNED_HEADERS_MAX} headers to sign")]
    TooManyHeaders,
    /// The life of a presigned request is not from 1 second to [`EXPIRES_SECONDS_MAX`].
    #[error("{0} seconds is no life for a presigned request")]
    InvalidExpires(u32),
    /// The query string already has a parameter of a signature.
    #[error("the query string has `{0}` already")]
    AlreadySigned(&'static str),
    /// The path or the query string is malformed.
    #[error("malformed request: {0}")]
    Malformed(#[source] SignatureError),
}

/// Signs a request in the header form.
///
/// All its headers are signed but those that proxies change (`user-agent`, `expect` and the like). `x-amz-date` and
/// `x-amz-security-token` that it has already are passed over: the ones given back replace them.
///
/// # Errors
/// When the request cannot be signed; see [`SignError`].
pub fn sign<H: Headers + ?Sized>(
    request: &Request<'_, H>,
    credentials: &Credentials<'_>,
    now_epoch_seconds: i64,
) -> Result<SignedHeaders, SignError> {
    if parameter(request.query, "X-Amz-Algorithm").is_some() {
        // The server would be right to ask which of the two signatures is meant.
        return Err(SignError::AlreadySigned("X-Amz-Algorithm"));
    }
    let stamp = Timestamp::from_epoch_seconds(now_epoch_seconds);
    let mut added = vec![("x-amz-date", stamp.as_str().as_bytes())];
    added.extend(credentials.session_token.map(|token| ("x-amz-security-token", token.as_bytes())));
    let headers = Together { inner: request.headers, added };
    let list = signed_headers(&headers)?;
    let query = CanonicalQuery::parse(request.query, false).map_err(SignError::Malformed)?;
    let signature = signature(request, &headers, &query, &list, credentials, &stamp)?;
    let credential = credential(credentials, &stamp);
    Ok(SignedHeaders {
        authorization: format!(
            "{ALGORITHM} Credential={credential}, SignedHeaders={list}, Signature={signature}"
        ),
        x_amz_date: stamp.as_str().to_owned(),
        x_amz_security_token: credentials.session_token.map(str::to_owned),
    })
}

/// Signs a request in the query form and gives its whole new query string.
///
/// `expires_seconds` is how long it may be used; without it, as long as the clock of the server allows. All headers
/// of the request are signed, so it must be sent with exactly these, `user-agent` and the like aside.
///
/// # Errors
/// When the request cannot be signed; see [`SignError`].
pub fn presign<H: Headers + ?Sized>(
    request: &Request<'_, H>,
    credentials: &Credentials<'_>,
    now_epoch_seconds: i64,
    expires_seconds: Option<u32>,
) -> Result<String, SignError> {
    if let Some(seconds) = expires_seconds.filter(|seconds| !(1..=EXPIRES_SECONDS_MAX).contains(seconds)) {
        return Err(SignError::InvalidExpires(seconds));
    }
    let stamp = Timestamp::from_epoch_seconds(now_epoch_seconds);
    let headers = Together { inner: request.headers, added: Vec::new() };
    let list = signed_headers(&headers)?;
    let mut text = request.query.to_owned();
    append(&mut text, "X-Amz-Algorithm", ALGORITHM)?;
    append(&mut text, "X-Amz-Credential", &credential(credentials, &stamp))?;
    append(&mut text, "X-Amz-Date", stamp.as_str())?;
    if let Some(seconds) = expires_seconds {
        append(&mut text, "X-Amz-Expires", &seconds.to_string())?;
    }
    append(&mut text, "X-Amz-SignedHeaders", &list)?;
    if let Some(token) = credentials.session_token {
        append(&mut text, "X-Amz-Security-Token", token)?;
    }
    let query = CanonicalQuery::parse(&text, true).map_err(SignError::Malformed)?;
    let signature = signature(request, &headers, &query, &list, credentials, &stamp)?;
    append(&mut text, SIGNATURE, &signature)?;
    if text.len() > QUERY_BYTES_MAX {
        return Err(SignError::Malformed(SignatureError::QueryTooLong));
    }
    Ok(text)
}

/// Appends a parameter that must not be there yet.
fn append(query: &mut String, name: &'static str, value: &str) -> Result<(), SignError> {
    if parameter(query, name).is_some() {
        return Err(SignError::AlreadySigned(name));
    }
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str(name);
    query.push('=');
    put_encoded(query, value.as_bytes());
    Ok(())
}

/// The list of signed headers: lower case, sorted, each once.
fn signed_headers<H: Headers + ?Sized>(headers: &H) -> Result<String, SignError> {
    if first(headers, "host").is_none() {
        return Err(SignError::MissingHost);
    }
    let mut names: Vec<String> = headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.retain(|name| !UNSIGNED.contains(&name.as_str()));
    names.sort_unstable();
    names.dedup();
    if names.len() > SIGNED_HEADERS_MAX { Err(SignError::TooManyHeaders) } else { Ok(names.join(";")) }
}

/// `access key/date/Region/service/aws4_request`.
fn credential(credentials: &Credentials<'_>, stamp: &Timestamp) -> String {
    format!("{}/{}", credentials.access_key_id, scope(credentials, stamp))
}

/// `date/Region/service/aws4_request`.
fn scope(credentials: &Credentials<'_>, stamp: &Timestamp) -> String {
    [stamp.date(), credentials.region, credentials.service, TERMINATOR].join("/")
}

/// The signature of a request with these headers and this query.
fn signature<H: Headers + ?Sized, A: Headers + ?Sized>(
    request: &Request<'_, H>,
    headers: &A,
    query: &CanonicalQuery,
    list: &str,
    credentials: &Credentials<'_>,
    stamp: &Timestamp,
) -> Result<String, SignError> {
    canonical::check_path(request.path).map_err(SignError::Malformed)?;
    let Request { method, path, query: text, body_sha256, .. } = *request;
    let mut hashing = Hashing::new();
    canonical::put_request(
        &Request { method, path, query: text, headers, body_sha256 },
        query,
        &list.split(';').collect::<Vec<_>>(),
        &mut hashing,
    );
    let string_to_sign = string_to_sign(stamp, &scope(credentials, stamp), &hashing.finish());
    let key = SigningKey::derive(
        credentials.secret_access_key,
        stamp.date(),
        credentials.region,
        credentials.service,
    );
    Ok(String::from_utf8_lossy(&key.sign(&string_to_sign)).into_owned())
}

/// Headers of a request and those that signing adds; the latter win.
struct Together<'h, H: Headers + ?Sized> {
    inner: &'h H,
    added: Vec<(&'h str, &'h [u8])>,
}

impl<H: Headers + ?Sized> Headers for Together<'_, H> {
    fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let replaced = |name: &str| {
            self.added.iter().any(|(added, _)| added.eq_ignore_ascii_case(name))
                || (!self.added.is_empty() && name.eq_ignore_ascii_case("x-amz-security-token"))
        };
        self.inner.iter().filter(move |(name, _)| !replaced(name)).chain(self.added.iter().copied())
    }
}
