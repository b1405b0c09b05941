//! What goes wrong between trent and an external key store proxy, and what callers are told of it.
//!
//! A caller never sees the proxy's own words. Which code stands for a failure depends on what was being done; the text
//! is the same everywhere. Sources: the AWS KMS External Key Store Proxy API Specification, "Errors", and the AWS KMS
//! developer guide, "Troubleshooting external key stores".

use trent_protocol::{ConnectionErrorCode, ErrorCode};

/// Why a request to a proxy gave no answer that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyFailure {
    /// The proxy found a parameter wrong.
    Validation,
    /// The external key, or all of the proxy, is disabled.
    InvalidState,
    /// The proxy could not decrypt what it had encrypted, or had not.
    InvalidCiphertext,
    /// The proxy decrypted to something that trent has not encrypted.
    InnerCiphertext,
    /// The external key may not be used for this.
    InvalidKeyUsage,
    /// The proxy did not accept the signature.
    AuthenticationFailed,
    /// The proxy's own rules forbid the request.
    AccessDenied,
    /// There is no such external key.
    KeyNotFound,
    /// The proxy does not know the path.
    InvalidUriPath,
    /// The proxy does not do this.
    UnsupportedOperation,
    /// The proxy waited in vain for what is behind it.
    DependencyTimeout,
    /// The proxy has too much to do.
    Throttling,
    /// The proxy, or what is behind it, failed.
    Internal,
    /// An answer that breaks the rules of the API.
    Malformed,
    /// All that is behind the proxy is out of service.
    Unhealthy,
    /// No connection: the name does not resolve, nobody listens there, or it was cut before TLS was there.
    NotReachable,
    /// No trusted TLS connection.
    Tls,
    /// A connection, but no answer in time.
    TimedOut,
    /// The proxy was not asked: it has been, as often as it may be in a second.
    OverQuota,
}

impl ProxyFailure {
    /// The text that callers are told. Clients in the field look for parts of these.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Validation | Self::Malformed => {
                "AWS KMS cannot interpret the response from the external key store proxy. If you see this error \
                 repeatedly, report it to your external key store proxy administrator."
            }
            Self::InvalidState => {
                "The external key associated with this KMS key in an external key store is not enabled in the external \
                 key manager. Enable the external key in the external key manager and retry the request."
            }
            Self::InvalidCiphertext => {
                "The external key store proxy rejected the request because the specified ciphertext or encryption \
                 context is corrupted, missing, or otherwise invalid."
            }
            Self::InnerCiphertext => {
                "The ciphertext that the external key store proxy submitted for decryption, or the encryption context, \
                 is corrupted, missing, or otherwise invalid."
            }
            Self::InvalidKeyUsage => {
                "The external key associated with this KMS key in an external key store does not support the requested \
                 operation. Enable the operation on the key in your external key manager, and try the request again."
            }
            Self::AuthenticationFailed => {
                "The external key store proxy rejected the request because it could not authenticate AWS KMS. Verify \
                 the XKS proxy authentication credentials for your external key store and update if necessary."
            }
            Self::AccessDenied => {
                "The external key store proxy denied access to the operation. Verify that the user and the external key \
                 are both authorized for this operation, and try the request again."
            }
            Self::KeyNotFound => {
                "The external key associated with this KMS key in an external key store was not found in its external \
                 key manager. If the external key ID associated with this KMS key is incorrect, create a new KMS key \
                 with the correct external key ID."
            }
            Self::InvalidUriPath => {
                "The external key store proxy rejected the request because of an invalid URI path. Verify the URI path \
                 for your external key store and update if necessary."
            }
            Self::UnsupportedOperation => {
                "The external key store proxy rejected the request because it does not support the requested operation. \
                 If you see this error repeatedly, report it to your external key store proxy administrator."
            }
            Self::DependencyTimeout => {
                "The external key store proxy did not respond to the request in the time allotted. Retry the request. If \
                 you see this error repeatedly, report it to your external key store proxy administrator."
            }
            Self::Throttling => {
                "The external key store proxy rejected the request due to a very high request rate. Reduce the frequency \
                 of your calls using KMS keys in this external key store."
            }
            Self::Internal => {
                "The external key store proxy rejected the request because it cannot communicate with the external key \
                 manager. Verify that the external key store proxy configuration is correct and that the external key \
                 manager is available."
            }
            Self::Unhealthy => {
                "The external key store proxy is in an unhealthy state. If you see this message repeatedly, notify your \
                 external key store proxy administrator."
            }
            Self::NotReachable => {
                "AWS KMS cannot communicate with the external key store proxy. This might be a transient network issue. \
                 If you see this error repeatedly, verify that your external key store proxy is active and is connected \
                 to the network, and that its endpoint URI is correct in your external key store."
            }
            Self::Tls => {
                "AWS KMS cannot establish a TLS connection to the external key store proxy. Verify the TLS \
                 configuration, including its certificate."
            }
            Self::TimedOut => {
                "AWS KMS rejected the request because the external key store proxy did not respond in time. Retry the \
                 request. If you see this error repeatedly, report it to your external key store proxy administrator."
            }
            Self::OverQuota => {
                "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."
            }
        }
    }

    /// The same, of a request about the proxy as a whole: it is that which is not well, and words about keys make no sense.
    #[must_use]
    pub const fn of_store(self) -> Self {
        match self {
            Self::InvalidState => Self::Unhealthy,
            Self::KeyNotFound | Self::InvalidKeyUsage | Self::InvalidCiphertext | Self::InnerCiphertext => {
                Self::Malformed
            }
            other => other,
        }
    }

    /// The code that CreateCustomKeyStore and UpdateCustomKeyStore answer when the proxy's health cannot be had.
    pub const fn while_configuring(self) -> ErrorCode {
        match self {
            Self::AuthenticationFailed => ErrorCode::XksProxyIncorrectAuthenticationCredential,
            Self::AccessDenied | Self::InvalidUriPath => ErrorCode::XksProxyInvalidConfiguration,
            Self::InvalidState
            | Self::DependencyTimeout
            | Self::Throttling
            | Self::OverQuota
            | Self::Unhealthy
            | Self::NotReachable
            | Self::Tls
            | Self::TimedOut => ErrorCode::XksProxyUriUnreachable,
            Self::Validation
            | Self::InvalidCiphertext
            | Self::InnerCiphertext
            | Self::InvalidKeyUsage
            | Self::KeyNotFound
            | Self::UnsupportedOperation
            | Self::Internal
            | Self::Malformed => ErrorCode::XksProxyInvalidResponse,
        }
    }

    /// The code that operations on keys answer.
    pub const fn while_using(self) -> ErrorCode {
        match self {
            Self::OverQuota => ErrorCode::Throttling,
            _ => ErrorCode::KmsInvalidState,
        }
    }

    /// The code that CreateKey answers when nothing can be learned about the external key.
    pub const fn while_creating_a_key(self) -> ErrorCode {
        match self {
            Self::InvalidState | Self::InvalidKeyUsage => ErrorCode::XksKeyInvalidConfiguration,
            Self::KeyNotFound => ErrorCode::XksKeyNotFound,
            Self::UnsupportedOperation => ErrorCode::UnsupportedOperation,
            _ => ErrorCode::CustomKeyStoreInvalidState,
        }
    }

    /// Why an attempt to connect failed.
    pub const fn while_connecting(self) -> ConnectionErrorCode {
        match self {
            Self::AuthenticationFailed => ConnectionErrorCode::InvalidCredentials,
            Self::AccessDenied => ConnectionErrorCode::XksProxyAccessDenied,
            Self::InvalidUriPath => ConnectionErrorCode::XksProxyInvalidConfiguration,
            Self::InvalidState
            | Self::Throttling
            | Self::OverQuota
            | Self::Unhealthy
            | Self::NotReachable => ConnectionErrorCode::XksProxyNotReachable,
            Self::DependencyTimeout | Self::TimedOut => ConnectionErrorCode::XksProxyTimedOut,
            Self::Tls => ConnectionErrorCode::XksProxyInvalidTlsConfiguration,
            Self::Validation
            | Self::InvalidCiphertext
            | Self::InnerCiphertext
            | Self::InvalidKeyUsage
            | Self::KeyNotFound
            | Self::UnsupportedOperation
            | Self::Internal
            | Self::Malformed => ConnectionErrorCode::XksProxyInvalidResponse,
        }
    }

    /// Whether the same request may succeed a little later.
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Internal
                | Self::DependencyTimeout
                | Self::Throttling
                | Self::OverQuota
                | Self::NotReachable
                | Self::Tls
                | Self::TimedOut
                | Self::Unhealthy
        )
    }

    /// What the metric of failures calls it: the proxy's word, or one for all ways of not being reached.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Validation => "ValidationException",
            Self::InvalidState => "InvalidStateException",
            Self::InvalidCiphertext | Self::InnerCiphertext => "InvalidCiphertextException",
            Self::InvalidKeyUsage => "InvalidKeyUsageException",
            Self::AuthenticationFailed => "AuthenticationFailedException",
            Self::AccessDenied => "AccessDeniedException",
            Self::KeyNotFound => "KeyNotFoundException",
            Self::InvalidUriPath => "InvalidUriPathException",
            Self::UnsupportedOperation => "UnsupportedOperationException",
            Self::DependencyTimeout => "DependencyTimeoutException",
            Self::Throttling | Self::OverQuota => "ThrottlingException",
            Self::Internal => "InternalException",
            Self::Malformed => "XksProxyInvalidResponseException",
            Self::Unhealthy | Self::NotReachable | Self::Tls | Self::TimedOut => {
                "XksProxyUnreachableException"
            }
        }
    }
}
