//! The errors of STS, with the codes and texts of AWS.

use std::fmt;

/// Why a request of STS is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsError {
    /// Its code.
    pub code: StsCode,
    /// The text for the client.
    pub message: String,
}

/// The codes of STS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StsCode {
    /// The caller may not do it.
    AccessDenied,
    /// A parameter is wrong.
    ValidationError,
    /// Something about a token is wrong.
    InvalidIdentityToken,
    /// A token's time is over.
    ExpiredToken,
    /// A provider cannot be asked.
    IdpCommunication,
    /// A session policy is no policy.
    MalformedPolicyDocument,
    /// Session policies and tags are too long together.
    PackedPolicyTooLarge,
    /// There is no such operation.
    InvalidAction,
    /// No operation is named.
    MissingAction,
    /// The service failed.
    Internal,
}

impl StsCode {
    /// The code on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDenied",
            Self::ValidationError => "ValidationError",
            Self::InvalidIdentityToken => "InvalidIdentityToken",
            Self::ExpiredToken => "ExpiredTokenException",
            Self::IdpCommunication => "IDPCommunicationError",
            Self::MalformedPolicyDocument => "MalformedPolicyDocument",
            Self::PackedPolicyTooLarge => "PackedPolicyTooLarge",
            Self::InvalidAction => "InvalidAction",
            Self::MissingAction => "MissingAction",
            Self::Internal => "InternalFailure",
        }
    }
}

impl StsError {
    pub(super) fn new(code: StsCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new(StsCode::ValidationError, message)
    }

    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::new(StsCode::AccessDenied, message)
    }

    /// What went wrong inside is for the log.
    pub(super) fn internal(error: &dyn fmt::Display) -> Self {
        tracing::error!(%error, "a request of STS failed");
        Self::new(StsCode::Internal, "The request processing has failed because of an unknown error.")
    }
}
