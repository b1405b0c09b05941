//! Verification: everything that can be checked without a secret ([`read`]), then the signature
//! ([`Claim::verify`]).
//!
//! The steps are numbered as AWS orders them; the first that fails is what the client is told. Steps 14 to 16,
//! whether the access key exists and its session token is genuine, lie between the two and belong to the caller.

use std::{borrow::Cow, fmt};

use crate::{
    ALGORITHM,
    authorization::{DateFrom, Presented},
    canonical::{self, Hashing},
    error::{Echo, SignatureError, Window, shown},
    key::SigningKey,
    query::CanonicalQuery,
    request::{self, Headers, Request, first, split_at},
    rules::Rules,
    scope::{Credential, Scope},
    sign::EXPIRES_SECONDS_MAX,
    timestamp::Timestamp,
};

/// Most headers that may be listed as signed.
pub const SIGNED_HEADERS_MAX: usize = 100;

/// What a request claims about its sender: not to be believed before [`verify`](Self::verify) says so.
#[must_use]
pub struct Claim<'a> {
    credential: Credential<'a>,
    session_token: Option<Cow<'a, str>>,
    signature: Cow<'a, str>,
    stamp: Timestamp,
    presigned: bool,
    canonical_sha256: [u8; 32],
    /// `false` when no signature can be right: a signed header is absent, or `x-amz-content-sha256` is wrong.
    consistent: bool,
    /// The canonical request, if it is to be shown.
    canonical_request: Option<String>,
}

/// Takes a request apart and makes every check that needs no secret (steps 1 to 13).
///
/// `now_epoch_seconds` is the time by the clock of the server. The canonical request is hashed here, so that the
/// claim no longer depends on the request's method, path and body.
///
/// # Errors
/// The first check that fails, in the order of [`SignatureError`].
pub fn read<'a, H: Headers + ?Sized>(
    request: &Request<'a, H>,
    now_epoch_seconds: i64,
    rules: &Rules<'_>,
) -> Result<Claim<'a>, SignatureError> {
    canonical::check_path(request.path)?;
    let presented = Presented::read(request)?; // 1 to 5
    let presigned = presented.date_from == DateFrom::Parameter;
    let query = CanonicalQuery::parse(request.query, presigned)?; // 6
    let signed = signed_headers(&presented.signed_headers)?;
    check_signed_headers(request.headers, &signed, presented.date_from, rules)?; // 7, 8
    let stamp = read_date(&presented)?; // 9
    check_window(&presented, &stamp, now_epoch_seconds, rules)?; // 10, 11
    let credential = Credential::parse(presented.credential)?; // 12
    credential.check(rules, &stamp, first(request.headers, "host"))?; // 13

    let (canonical_sha256, canonical_request, complete) =
        hash_request(request, &query, &signed, rules.echo_canonical);
    Ok(Claim {
        credential,
        session_token: presented.session_token,
        signature: presented.signature,
        stamp,
        presigned,
        canonical_sha256,
        consistent: complete && content_hash_is_right(request),
        canonical_request,
    })
}

impl Claim<'_> {
    /// The access key that is said to have signed.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        self.scope().access_key_id
    }

    /// The day of the scope, as `YYYYMMDD`.
    #[must_use]
    pub fn date(&self) -> &str {
        self.scope().date
    }

    /// The Region of the scope, which is the Region of the request.
    #[must_use]
    pub fn region(&self) -> &str {
        self.scope().region
    }

    /// The service of the scope.
    #[must_use]
    pub fn service(&self) -> &str {
        self.scope().service
    }

    /// Access key, day, Region and service together: what the signing key depends on.
    #[must_use]
    pub fn scope(&self) -> Scope<'_> {
        self.credential.scope()
    }

    /// The session token: of the header in the header form, of the parameter in the query form.
    #[must_use]
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// When the request says it was made.
    #[must_use]
    pub const fn timestamp(&self) -> Timestamp {
        self.stamp
    }

    /// Whether the signature came in the query string.
    #[must_use]
    pub const fn is_presigned(&self) -> bool {
        self.presigned
    }

    /// Compares the signature with the one that `key` makes (step 17).
    ///
    /// # Errors
    /// [`SignatureError::Mismatch`], and no other: the key is not the one that signed, the request is not what
    /// was signed, a signed header is absent, or `x-amz-content-sha256` is not the hash of the body.
    pub fn verify(&self, key: &SigningKey) -> Result<(), SignatureError> {
        let string_to_sign =
            string_to_sign(&self.stamp, self.credential.scope_text(), &self.canonical_sha256);
        let accepted = key.accepts(&string_to_sign, self.signature.as_bytes());
        if accepted & self.consistent {
            return Ok(());
        }
        let echo = self.canonical_request.as_ref().map(|canonical_request| {
            Box::new(Echo {
                canonical_request: canonical_request.clone(),
                string_to_sign: String::from_utf8_lossy(&string_to_sign).into_owned(),
            })
        });
        Err(SignatureError::Mismatch(echo))
    }
}

impl fmt::Debug for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the session token nor the signature: both let others act as the sender.
        f.debug_struct("Claim")
            .field("scope", &self.scope())
            .field("stamp", &self.stamp)
            .finish_non_exhaustive()
    }
}

/// The names of the headers that are signed, in their order.
fn signed_headers(text: &str) -> Result<Vec<&str>, SignatureError> {
    let list: Vec<_> = split_at(text, b';').take(SIGNED_HEADERS_MAX + 1).collect();
    if list.len() > SIGNED_HEADERS_MAX { Err(SignatureError::TooManySignedHeaders) } else { Ok(list) }
}

/// Steps 7 and 8: the host is signed, and so is everything sent that the rules say must be.
fn check_signed_headers<H: Headers + ?Sized>(
    headers: &H,
    signed: &[&str],
    date_from: DateFrom,
    rules: &Rules<'_>,
) -> Result<(), SignatureError> {
    let signs = |name: &str| signed.iter().any(|signed| signed.eq_ignore_ascii_case(name));
    if !(signs("host") || signs(":authority")) {
        return Err(SignatureError::HostNotSigned);
    }
    let dated = date_from == DateFrom::AmzHeader;
    match headers.iter().find(|(name, _)| rules.demands_signed(name, dated) && !signs(name)) {
        Some((name, _)) => Err(SignatureError::HeaderNotSigned(shown(name.to_ascii_lowercase().as_bytes()))),
        None => Ok(()),
    }
}

/// Step 9.
fn read_date(presented: &Presented<'_>) -> Result<Timestamp, SignatureError> {
    let basic = Timestamp::parse_basic(&presented.date);
    let stamp = match presented.date_from {
        DateFrom::DateHeader => basic.or_else(|| Timestamp::parse_rfc1123(&presented.date)),
        DateFrom::AmzHeader | DateFrom::Parameter => basic,
    };
    stamp.ok_or_else(|| SignatureError::InvalidDate(shown(presented.date.as_bytes())))
}

/// Steps 10 and 11. A presigned request lives as long as it says, but begins no earlier than others.
fn check_window(
    presented: &Presented<'_>,
    stamp: &Timestamp,
    now_epoch_seconds: i64,
    rules: &Rules<'_>,
) -> Result<(), SignatureError> {
    let skew = i64::from(rules.skew_seconds);
    let life = match &presented.expires {
        Some(text) => i64::from(read_expires(text)?),
        None => skew,
    };
    let age = now_epoch_seconds.saturating_sub(stamp.epoch_seconds());
    let window = |offset_seconds| Window {
        requested: *stamp,
        now: Timestamp::from_epoch_seconds(now_epoch_seconds),
        offset_seconds,
    };
    if age > life {
        return Err(SignatureError::Expired(window(-life)));
    }
    if age < -skew {
        return Err(SignatureError::NotYetCurrent(window(skew)));
    }
    Ok(())
}

/// The number of seconds in `X-Amz-Expires`: digits only, from one second to a week.
fn read_expires(text: &str) -> Result<u32, SignatureError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|seconds| digits && (1..=EXPIRES_SECONDS_MAX).contains(seconds));
    seconds.ok_or_else(|| SignatureError::InvalidExpires(shown(text.as_bytes())))
}

/// The hash of the canonical request, its text if wanted, and whether all signed headers were there.
fn hash_request<H: Headers + ?Sized>(
    request: &Request<'_, H>,
    query: &CanonicalQuery,
    signed: &[&str],
    keep_text: bool,
) -> ([u8; 32], Option<String>, bool) {
    if keep_text {
        let mut text = Vec::new();
        let complete = canonical::put_request(request, query, signed, &mut text);
        let shown = String::from_utf8_lossy(&text).into_owned();
        return (request::body_sha256(&text), Some(shown), complete);
    }
    let mut hashing = Hashing::new();
    let complete = canonical::put_request(request, query, signed, &mut hashing);
    (hashing.finish(), None, complete)
}

/// Whether `x-amz-content-sha256`, if it was sent, is the hash of the body. `UNSIGNED-PAYLOAD` and its like never
/// are, and a header that is signed but wrong is wrong all the same.
fn content_hash_is_right<H: Headers + ?Sized>(request: &Request<'_, H>) -> bool {
    let expected = request::hex(&request.body_sha256);
    let mut values =
        request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("x-amz-content-sha256"));
    values.all(|(_, value)| value == expected)
}

/// `AWS4-HMAC-SHA256 \n time \n scope \n hash of the canonical request`.
pub(crate) fn string_to_sign(stamp: &Timestamp, scope: &str, canonical_sha256: &[u8; 32]) -> Vec<u8> {
    let lines =
        [ALGORITHM.as_bytes(), stamp.as_str().as_bytes(), scope.as_bytes(), &request::hex(canonical_sha256)];
    lines.join(&b'\n')
}
