//! Signs and verifies requests with AWS Signature Version 4, in the header form and the presigned (query) form.
//!
//! A server calls [`read`], which takes a [`Request`] apart, makes every check that needs no secret and gives
//! back a [`Claim`]: who says they sent this, and under which scope. The caller then finds the secret of the
//! access key, has a [`SigningKey`] derived or taken from [`SigningKeys`], and asks [`Claim::verify`]. A client
//! calls [`sign()`] or [`presign`].
//!
//! Not here: which access keys exist and whether session tokens are genuine (the caller decides, and answers
//! with the variants of [`SignatureError`] kept for that), reading bodies (the caller passes [`body_sha256`] of
//! what it received), the asymmetric variant SigV4A, chunked uploads and `UNSIGNED-PAYLOAD`, which only S3 has.
//! Pure: no clock, no input or output, no logging, no waiting.
//!
//! Invariants: a request is accepted only if its method, path, query, body and every signed header are what the
//! holder of the secret signed; what must be signed is signed ([`Rules`]); no text makes [`read`] panic, and its
//! work grows with the length of the request times at most [`SIGNED_HEADERS_MAX`]. Signatures are compared in
//! constant time. No error text repeats more of the `Authorization` header than the part that is wrong.
//!
//! Limits: [`SIGNED_HEADERS_MAX`] names in the list of signed headers, [`QUERY_BYTES_MAX`] bytes of query string,
//! [`ECHO_BYTES_MAX`] bytes of any one value of the client repeated in an error text. Number and size of headers,
//! the path and the body are for the server to bound.

mod authorization;
mod cache;
mod canonical;
mod error;
mod key;
mod query;
mod request;
mod rules;
mod scope;
mod sign;
#[cfg(test)]
mod tests;
mod timestamp;
mod verify;

pub use cache::{Lookup, SigningKeys, Vacancy};
pub use error::{
    ECHO_BYTES_MAX, Echo, MissingHeaderParts, MissingQueryParts, SignatureError, Window, WrongScope,
};
pub use key::SigningKey;
pub use query::QUERY_BYTES_MAX;
pub use request::{Headers, Request, body_sha256};
pub use rules::{REGION_BYTES_MAX, Rules, is_region_name};
pub use scope::Scope;
pub use sign::{Credentials, EXPIRES_SECONDS_MAX, SignError, SignedHeaders, presign, sign};
pub use timestamp::Timestamp;
pub use verify::{Claim, SIGNED_HEADERS_MAX, read};

/// The one algorithm spoken here, as it is written in headers, parameters and the string to sign.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The last part of every credential scope.
pub(crate) const TERMINATOR: &str = "aws4_request";
