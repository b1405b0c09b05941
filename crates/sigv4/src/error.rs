//! Why a request was not taken for signed: one variant for each failure, with the codes and texts of AWS.
//!
//! The texts are wire texts: clients read some of them (SDKs correct their clock on `Signature expired`), so they
//! stand here word for word, trailing spaces included. None of them repeats more of the `Authorization` header than
//! the part that is wrong, because answers end up in logs that headers are kept out of.

use std::fmt;

use crate::timestamp::Timestamp;

/// Longest value of a client that an error text repeats, in bytes; the rest is cut.
pub const ECHO_BYTES_MAX: usize = 256;

/// Why a request was not taken for signed. [`code`](Self::code) and [`message`](Self::message) are what the
/// client is told. The variants stand in the order of the checks; the first that fails is reported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The path is not absolute, has broken percent escapes or climbs above the root. AWS answers with a bare
    /// status 400, without a body.
    #[error("The path of the request is malformed.")]
    MalformedPath,
    /// There is both an `Authorization` header and an `X-Amz-Algorithm` parameter.
    #[error("Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.")]
    SignedTwice,
    /// There is neither, or the header belongs to another scheme.
    #[error("Missing Authentication Token")]
    NotSigned,
    /// The algorithm is not `AWS4-HMAC-SHA256`.
    #[error("Unsupported AWS 'algorithm': '{0}' (only AWS4-HMAC-SHA256 for now). ")]
    UnsupportedAlgorithm(String),
    /// A part of the header has no equals sign.
    #[error("'{0}' not a valid key=value pair (missing equal-sign) in Authorization header: '***'.")]
    NotKeyValue(String),
    /// The header form lacks something.
    #[error("{0}")]
    MissingHeaderParts(MissingHeaderParts),
    /// The query form lacks something.
    #[error("{0}")]
    MissingQueryParts(MissingQueryParts),
    /// The query string is longer than [`QUERY_BYTES_MAX`](crate::QUERY_BYTES_MAX). The text is ours.
    #[error("The query string must not be longer than {max} bytes", max = crate::QUERY_BYTES_MAX)]
    QueryTooLong,
    /// A name or value of the query ends within a percent escape.
    #[error("Incomplete trailing escape % sequence")]
    IncompleteEscape,
    /// A percent escape of the query has other than hexadecimal digits; these are its two characters.
    #[error("Illegal hex character in escape % pattern: %{0}")]
    IllegalEscape(String),
    /// More than [`SIGNED_HEADERS_MAX`](crate::SIGNED_HEADERS_MAX) names are listed. The text is ours.
    #[error("SignedHeaders must not list more than {max} headers", max = crate::SIGNED_HEADERS_MAX)]
    TooManySignedHeaders,
    /// Neither `host` nor `:authority` is signed.
    #[error("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")]
    HostNotSigned,
    /// A header that was sent and must be signed ([`Rules`](crate::Rules)) is not; this is its lower-case name.
    #[error("'{0}' must be a 'SignedHeader' in the AWS Authorization.")]
    HeaderNotSigned(String),
    /// The date cannot be read.
    #[error("Date must be in ISO-8601 'basic format'. Got '{0}'. See http://en.wikipedia.org/wiki/ISO_8601")]
    InvalidDate(String),
    /// `X-Amz-Expires` is not a number of seconds from 1 to a week. The text is ours.
    #[error("X-Amz-Expires must be an integer from 1 to 604800. Got '{0}'.")]
    InvalidExpires(String),
    /// The request is too old, or its time has run out.
    #[error("Signature expired: {requested} is now earlier than {limit} ({now} - {window})",
        requested = .0.requested, limit = .0.limit(), now = .0.now, window = .0.length())]
    Expired(Window),
    /// The request is of the future.
    #[error("Signature not yet current: {requested} is still later than {limit} ({now} + {window})",
        requested = .0.requested, limit = .0.limit(), now = .0.now, window = .0.length())]
    NotYetCurrent(Window),
    /// The credential has not five parts.
    #[error(
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{0}'"
    )]
    InvalidCredential(String),
    /// Parts of the credential scope are wrong.
    #[error("{0}")]
    WrongScope(Box<WrongScope>),
    /// The access key is unknown or inactive, or is a temporary one without a token. Found by the caller.
    #[error("The security token included in the request is invalid.")]
    UnknownAccessKey,
    /// The session token is not genuine or belongs to another access key. Found by the caller.
    // AWS leaves out the full stop here.
    #[error("The security token included in the request is invalid")]
    InvalidToken,
    /// The session token is genuine but its time is over. Found by the caller.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// The signature is not that of this request and key.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
         Access Key and signing method. Consult the service documentation for details.{}",
        Shown(.0)
    )]
    Mismatch(Option<Box<Echo>>),
}

impl SignatureError {
    /// The code of the JSON protocols. Empty for [`MalformedPath`](Self::MalformedPath), which has no body.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MalformedPath => "",
            Self::NotSigned => "MissingAuthenticationTokenException",
            Self::UnsupportedAlgorithm(_)
            | Self::NotKeyValue(_)
            | Self::MissingHeaderParts(_)
            | Self::MissingQueryParts(_)
            | Self::TooManySignedHeaders
            | Self::InvalidDate(_)
            | Self::InvalidExpires(_)
            | Self::InvalidCredential(_) => "IncompleteSignatureException",
            Self::QueryTooLong | Self::IncompleteEscape | Self::IllegalEscape(_) => "MalformedQueryString",
            Self::SignedTwice
            | Self::HostNotSigned
            | Self::HeaderNotSigned(_)
            | Self::Expired(_)
            | Self::NotYetCurrent(_)
            | Self::WrongScope(_)
            | Self::Mismatch(_) => "InvalidSignatureException",
            Self::UnknownAccessKey | Self::InvalidToken => "UnrecognizedClientException",
            Self::ExpiredToken => "ExpiredTokenException",
        }
    }

    /// The code of the Query protocol, which STS speaks.
    #[must_use]
    pub fn query_code(&self) -> &'static str {
        match self.code() {
            "MissingAuthenticationTokenException" => "MissingAuthenticationToken",
            "IncompleteSignatureException" => "IncompleteSignature",
            "InvalidSignatureException" => "SignatureDoesNotMatch",
            "UnrecognizedClientException" => "InvalidClientTokenId",
            "ExpiredTokenException" => "ExpiredToken",
            other => other,
        }
    }

    /// The text for the client.
    #[must_use]
    pub fn message(&self) -> String {
        self.to_string()
    }
}

/// What the header form lacks; `true` is missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MissingHeaderParts {
    /// No `Credential` in the header.
    pub credential: bool,
    /// No `Signature` in the header.
    pub signature: bool,
    /// No `SignedHeaders` in the header.
    pub signed_headers: bool,
    /// Neither an `X-Amz-Date` nor a `Date` header.
    pub date: bool,
}

impl fmt::Display for MissingHeaderParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("Credential", self.credential),
            ("Signature", self.signature),
            ("SignedHeaders", self.signed_headers),
        ];
        for (name, _) in parts.iter().filter(|(_, missing)| *missing) {
            write!(f, "Authorization header requires '{name}' parameter. ")?;
        }
        if self.date {
            f.write_str(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
            )?;
        }
        f.write_str("Authorization=***")
    }
}

/// What the query form lacks; `true` is missing. `X-Amz-Algorithm` is not here: without it there is no query form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MissingQueryParts {
    /// No `X-Amz-Credential`.
    pub credential: bool,
    /// No `X-Amz-Signature`.
    pub signature: bool,
    /// No `X-Amz-SignedHeaders`.
    pub signed_headers: bool,
    /// No `X-Amz-Date`.
    pub date: bool,
}

impl fmt::Display for MissingQueryParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("Credential", self.credential),
            ("Signature", self.signature),
            ("SignedHeaders", self.signed_headers),
            ("Date", self.date),
        ];
        for (name, _) in parts.iter().filter(|(_, missing)| *missing) {
            write!(f, "AWS query-string parameters must include 'X-Amz-{name}'. ")?;
        }
        f.write_str("Re-examine the query-string parameters.")
    }
}

/// A date outside the time in which a request is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When the request says it was made.
    pub requested: Timestamp,
    /// When it was read.
    pub now: Timestamp,
    /// The end of what is allowed, as a distance from `now` in seconds; negative before it.
    pub offset_seconds: i64,
}

impl Window {
    /// The last second that would have been allowed.
    #[must_use]
    pub fn limit(&self) -> Timestamp {
        Timestamp::from_epoch_seconds(self.now.epoch_seconds().saturating_add(self.offset_seconds))
    }

    /// The length of the window in words. AWS has whole minutes only; anything else is said in seconds.
    fn length(&self) -> String {
        let seconds = self.offset_seconds.unsigned_abs();
        if seconds.is_multiple_of(60) { format!("{} min.", seconds / 60) } else { format!("{seconds} sec.") }
    }
}

/// Which parts of a credential scope are wrong. All of them are reported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrongScope {
    /// The Region, if it is not one this server answers for.
    pub region: Option<String>,
    /// The service that would have been right.
    pub service: Option<String>,
    /// The terminator, if it is not `aws4_request`.
    pub terminator: Option<String>,
    /// The date of the scope and the date of the request, if they are different days.
    pub date: Option<(String, Timestamp)>,
}

impl fmt::Display for WrongScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(region) = &self.region {
            write!(f, "Credential should be scoped to a valid region, not '{region}'. ")?;
        }
        if let Some(service) = &self.service {
            write!(f, "Credential should be scoped to correct service: '{service}'. ")?;
        }
        if let Some(terminator) = &self.terminator {
            write!(
                f,
                "Credential should be scoped with a valid terminator: 'aws4_request', not '{terminator}'. "
            )?;
        }
        let Some((date, stamp)) = &self.date else { return Ok(()) };
        write!(
            f,
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
             '{date}' != '{}', from '{stamp}'. ",
            stamp.date()
        )
    }
}

/// What the server hashed and signed, for people who write clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echo {
    /// The canonical request.
    pub canonical_request: String,
    /// The string to sign.
    pub string_to_sign: String,
}

/// An echo as the end of a message: nothing, or both texts in the words of AWS.
struct Shown<'a>(&'a Option<Box<Echo>>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(echo) = self.0 else { return Ok(()) };
        write!(
            f,
            "\n\nThe Canonical String for this request should have been\n'{}'\n\nThe String-to-Sign should have \
             been\n'{}'\n",
            echo.canonical_request, echo.string_to_sign
        )
    }
}

/// A value of the client as a text repeats it: cut at [`ECHO_BYTES_MAX`], with what is not UTF-8 replaced.
pub(crate) fn shown(value: &[u8]) -> String {
    let start = value.get(..ECHO_BYTES_MAX).unwrap_or(value);
    let mut text = String::from_utf8_lossy(start).into_owned();
    if start.len() < value.len() {
        text.push('…');
    }
    text
}
