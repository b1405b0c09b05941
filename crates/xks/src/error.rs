//! Errors of the API: names, the statuses they go with, the body that carries them.

use serde::{Deserialize, Serialize};

use crate::json::{self, Malformed, Text};
use crate::route::Api;

/// The name of an error. KMS goes by it, not by the HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the specification, which explains them")]
pub enum ErrorName {
    ValidationException,
    InvalidStateException,
    InvalidCiphertextException,
    InvalidKeyUsageException,
    AuthenticationFailedException,
    AccessDeniedException,
    KeyNotFoundException,
    InvalidUriPathException,
    ThrottlingException,
    InternalException,
    UnsupportedOperationException,
    DependencyTimeoutException,
}

impl ErrorName {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::ValidationException,
        Self::InvalidStateException,
        Self::InvalidCiphertextException,
        Self::InvalidKeyUsageException,
        Self::AuthenticationFailedException,
        Self::AccessDeniedException,
        Self::KeyNotFoundException,
        Self::InvalidUriPathException,
        Self::ThrottlingException,
        Self::InternalException,
        Self::UnsupportedOperationException,
        Self::DependencyTimeoutException,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ValidationException => "ValidationException",
            Self::InvalidStateException => "InvalidStateException",
            Self::InvalidCiphertextException => "InvalidCiphertextException",
            Self::InvalidKeyUsageException => "InvalidKeyUsageException",
            Self::AuthenticationFailedException => "AuthenticationFailedException",
            Self::AccessDeniedException => "AccessDeniedException",
            Self::KeyNotFoundException => "KeyNotFoundException",
            Self::InvalidUriPathException => "InvalidUriPathException",
            Self::ThrottlingException => "ThrottlingException",
            Self::InternalException => "InternalException",
            Self::UnsupportedOperationException => "UnsupportedOperationException",
            Self::DependencyTimeoutException => "DependencyTimeoutException",
        }
    }

    /// The error with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|error| error.as_str() == name)
    }

    /// The HTTP status it is sent with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::ValidationException
            | Self::InvalidStateException
            | Self::InvalidCiphertextException
            | Self::InvalidKeyUsageException => 400,
            Self::AuthenticationFailedException => 401,
            Self::AccessDeniedException => 403,
            Self::KeyNotFoundException | Self::InvalidUriPathException => 404,
            Self::ThrottlingException => 429,
            Self::InternalException => 500,
            Self::UnsupportedOperationException => 501,
            Self::DependencyTimeoutException => 503,
        }
    }

    /// Whether the same request may well succeed later; what AWS calls a retryable error in its metrics.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::InternalException | Self::DependencyTimeoutException | Self::ThrottlingException)
    }

    /// Whether the error makes sense for a call. One that does not is malformed.
    #[must_use]
    pub const fn fits(self, api: Api) -> bool {
        match self {
            Self::InvalidCiphertextException => matches!(api, Api::Decrypt),
            Self::InvalidKeyUsageException => matches!(api, Api::Encrypt | Api::Decrypt),
            // For health the specification does not have it, but the test client of AWS demands it.
            Self::ValidationException => true,
            // Rules must not apply to health; where they do all the same, KMS has a word for it.
            Self::AccessDeniedException => true,
            Self::KeyNotFoundException => !matches!(api, Api::Health),
            _ => true,
        }
    }
}

/// The body of an answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorBody {
    /// What went wrong.
    pub name: ErrorName,
    /// Details for the log of whoever reads it.
    pub message: Option<String>,
}

impl ErrorBody {
    /// The message is shorter than this, in bytes.
    pub const MESSAGE_BYTES: usize = 512;

    /// Writes the body; the message is cut and cleaned to what the specification allows.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            error_name: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            error_message: Option<String>,
        }
        let clean = |message: &String| {
            let printable = message.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' });
            printable.take(Self::MESSAGE_BYTES - 1).collect()
        };
        json::write(&Body { error_name: self.name.as_str(), error_message: self.message.as_ref().map(clean) })
    }

    /// Reads the body of an answer to a call.
    ///
    /// # Errors
    /// It is not of the form, or its name is not known or makes no sense here.
    pub fn parse(body: &[u8], api: Api) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            #[serde(borrow)]
            error_name: Option<Text<'a>>,
            #[serde(borrow)]
            error_message: Option<Text<'a>>,
        }
        let body: Body<'_> = json::read(body)?;
        let name = json::required(body.error_name, "errorName")?;
        let name = ErrorName::from_name(&name.0).ok_or(Malformed::new("`errorName` is not a known one"))?;
        if !name.fits(api) {
            return Err(Malformed::new("`errorName` makes no sense for this call"));
        }
        Ok(Self { name, message: body.error_message.map(|text| text.0.into_owned()) })
    }
}
