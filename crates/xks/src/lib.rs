//! The external key store proxy API, version 1: what KMS and a proxy say to each other, and its rules.
//!
//! Here: paths and names ([`UriPath`], [`ExternalKeyId`], [`Route`]), requests and responses of the four calls
//! ([`request`], [`response`]), errors ([`ErrorName`]), the integrity value and the associated data ([`integrity`]),
//! credentials and the file that carries them ([`ProxyConfiguration`]). Both ends use the same types: trent as KMS,
//! trent as a proxy, and the tester of other people's proxies.
//!
//! Not here: HTTP, signatures (`sigv4`, with the service name [`SERVICE`]), keys. Pure: no clock, no input or output.
//!
//! Invariants: what parses is within the limits of the specification; no error text repeats a value of a body;
//! members that are not known are passed over, as the specification promises to add some.

mod base64;
mod configuration;
mod credential;
mod error;
pub mod integrity;
mod json;
mod name;
pub mod request;
pub mod response;
mod route;
#[cfg(test)]
mod tests;

pub use configuration::{CONFIGURATION_BYTES_MAX, ConfigurationError, ProxyConfiguration};
pub use credential::{AccessKeyId, Credential, SecretAccessKey};
pub use error::{ErrorBody, ErrorName};
pub use json::Malformed;
pub use name::{ExternalKeyId, InvalidName, UriPath};
pub use route::{Api, Route};

/// The service in the scope of a signature.
pub const SERVICE: &str = "kms-xks-proxy";

/// The largest plaintext or ciphertext that a proxy must take, in bytes.
pub const TEXT_BYTES_MAX: usize = 4300;
/// The largest additional authenticated data that a proxy must take, in bytes.
pub const AAD_BYTES_MAX: usize = 8192;
/// The largest ciphertext metadata, in bytes.
pub const METADATA_BYTES_MAX: usize = 20;
/// The length of an authentication tag, in bytes.
pub const TAG_BYTES: usize = 16;
/// Lengths that an initialization vector may have, in bytes.
pub const IV_BYTES: [usize; 2] = [12, 16];
/// The largest body either side sends, in bytes: four times what the limits above come to in Base64.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// The longest path of a request, in bytes; with scheme and host it is 256 at most.
pub const URI_BYTES_MAX: usize = 256;
/// The longest name of a principal or key that must be taken, in bytes.
pub const ARN_BYTES_MAX: usize = 2048;

/// The encryption algorithm there is.
pub const ENCRYPTION_ALGORITHM: &str = "AES_GCM";
/// The algorithm of the integrity value.
pub const INTEGRITY_ALGORITHM: &str = "SHA_256";
/// The key spec that an external key must have.
pub const KEY_SPEC: &str = "AES_256";
