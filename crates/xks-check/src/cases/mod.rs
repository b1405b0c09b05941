//! The checks, a file for each group.

pub(crate) mod authentication;
pub(crate) mod decrypt;
pub(crate) mod encrypt;
pub(crate) mod health;
pub(crate) mod keys;
pub(crate) mod kms;
pub(crate) mod metadata;
pub(crate) mod transport;

use crate::report::Demand;

/// A demand of the specification.
pub(crate) const fn demand(section: &'static str, text: &'static str) -> Demand {
    Demand { text, section }
}

/// What all errors are held to.
pub(crate) const VALIDATION: Demand =
    demand("Errors", "status 400 with `ValidationException`, in a JSON body with `errorName`");
pub(crate) const AUTHENTICATION: Demand = demand(
    "Authentication",
    "status 401 with `AuthenticationFailedException`, in a JSON body with `errorName`",
);
pub(crate) const KEY_NOT_FOUND: Demand =
    demand("Errors", "status 404 with `KeyNotFoundException`, in a JSON body with `errorName`");
pub(crate) const URI_PATH: Demand =
    demand("Errors", "status 404 with `InvalidUriPathException`, in a JSON body with `errorName`");
pub(crate) const CIPHERTEXT: Demand =
    demand("Decrypt", "status 400 with `InvalidCiphertextException`, in a JSON body with `errorName`");
pub(crate) const USAGE: Demand =
    demand("Errors", "status 400 with `InvalidKeyUsageException`, in a JSON body with `errorName`");
pub(crate) const STATE: Demand =
    demand("Errors", "status 400 with `InvalidStateException`, in a JSON body with `errorName`");
