//! Why a call failed, and what KMS makes of it: the exception, the connection error code, and the text.

use trent_protocol::{ConnectionErrorCode, ErrorCode};
use trent_xks::ErrorName;

/// Why a call to a proxy failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The proxy answered with an error. Its message is for the log alone.
    Proxy(ErrorName, Option<String>),
    /// No connection: DNS or TCP.
    Unreachable(String),
    /// No TLS.
    Tls(String),
    /// A connection, but no answer in time.
    Timeout,
    /// An answer that is none.
    Malformed(String),
    /// An answer by which nobody serves: all instances of the key manager are unavailable.
    Unhealthy,
    /// Too many calls to this proxy are under way.
    Busy,
}

/// On whose behalf the proxy was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asked {
    /// Of CreateCustomKeyStore or UpdateCustomKeyStore.
    OfStore,
    /// Of CreateKey.
    OfNewKey,
    /// Of a cryptographic operation.
    OfUse,
}

impl Failure {
    /// The text where the proxy decrypted and the result does not open in KMS; the exception is
    /// `KMSInvalidStateException` too.
    pub const INNER_LAYER: &str = "The ciphertext that the external key store proxy submitted for decryption, or the \
                                   encryption context, is corrupted, missing, or otherwise invalid.";

    /// The exception that a caller of KMS gets.
    #[must_use]
    pub const fn code(&self, asked: Asked) -> ErrorCode {
        match asked {
            Asked::OfUse => ErrorCode::KmsInvalidState,
            Asked::OfNewKey => self.code_of_new_key(),
            Asked::OfStore => self.code_of_store(),
        }
    }

    const fn code_of_new_key(&self) -> ErrorCode {
        use ErrorName as Name;
        match self {
            Self::Proxy(Name::InvalidStateException | Name::InvalidKeyUsageException, _) => {
                ErrorCode::XksKeyInvalidConfiguration
            }
            Self::Proxy(Name::KeyNotFoundException, _) => ErrorCode::XksKeyNotFound,
            Self::Proxy(Name::UnsupportedOperationException, _) => ErrorCode::UnsupportedOperation,
            _ => ErrorCode::CustomKeyStoreInvalidState,
        }
    }

    const fn code_of_store(&self) -> ErrorCode {
        use ErrorName as Name;
        match self {
            Self::Proxy(Name::AuthenticationFailedException, _) => {
                ErrorCode::XksProxyIncorrectAuthenticationCredential
            }
            Self::Proxy(Name::AccessDeniedException | Name::InvalidUriPathException, _) => {
                ErrorCode::XksProxyInvalidConfiguration
            }
            Self::Proxy(
                Name::InvalidStateException | Name::DependencyTimeoutException | Name::ThrottlingException,
                _,
            )
            | Self::Unreachable(_)
            | Self::Tls(_)
            | Self::Timeout
            | Self::Unhealthy
            | Self::Busy => ErrorCode::XksProxyUriUnreachable,
            Self::Proxy(..) | Self::Malformed(_) => ErrorCode::XksProxyInvalidResponse,
        }
    }

    /// The connection error code of a store that could not be connected.
    #[must_use]
    pub const fn connection_error_code(&self) -> ConnectionErrorCode {
        use ErrorName as Name;
        match self {
            Self::Proxy(Name::AuthenticationFailedException, _) => ConnectionErrorCode::InvalidCredentials,
            Self::Proxy(Name::AccessDeniedException, _) => ConnectionErrorCode::XksProxyAccessDenied,
            Self::Proxy(Name::InvalidUriPathException, _) => {
                ConnectionErrorCode::XksProxyInvalidConfiguration
            }
            Self::Proxy(Name::DependencyTimeoutException, _) | Self::Timeout => {
                ConnectionErrorCode::XksProxyTimedOut
            }
            Self::Proxy(Name::InvalidStateException | Name::ThrottlingException, _)
            | Self::Unreachable(_)
            | Self::Unhealthy
            | Self::Busy => ConnectionErrorCode::XksProxyNotReachable,
            Self::Tls(_) => ConnectionErrorCode::XksProxyInvalidTlsConfiguration,
            Self::Proxy(..) | Self::Malformed(_) => ConnectionErrorCode::XksProxyInvalidResponse,
        }
    }

    /// The text for a caller of KMS. Clients match on parts of some of them; they are the specification's.
    #[must_use]
    pub const fn message(&self, asked: Asked) -> &'static str {
        match self {
            // Of a store, not of a key: it is the whole that is not well.
            Self::Proxy(ErrorName::InvalidStateException, _) if matches!(asked, Asked::OfStore) => UNHEALTHY,
            Self::Proxy(name, _) => message_of(*name),
            Self::Unreachable(_) => {
                "AWS KMS cannot communicate with the external key store proxy. This might be a transient network issue. \
                 If you see this error repeatedly, verify that your external key store proxy is active and is connected \
                 to the network, and that its endpoint URI is correct in your external key store."
            }
            Self::Tls(_) => {
                "AWS KMS cannot establish a TLS connection to the external key store proxy. Verify the TLS configuration, \
                 including its certificate."
            }
            Self::Timeout => {
                "AWS KMS rejected the request because the external key store proxy did not respond in time. Retry the \
                 request. If you see this error repeatedly, report it to your external key store proxy administrator."
            }
            Self::Malformed(_) => MALFORMED,
            Self::Unhealthy => UNHEALTHY,
            Self::Busy => message_of(ErrorName::ThrottlingException),
        }
    }

    /// The name in metrics: the proxy's, or one for all by which it could not be reached.
    #[must_use]
    pub const fn metric_name(&self) -> &'static str {
        match self {
            Self::Proxy(name, _) => name.as_str(),
            Self::Malformed(_) => "XksProxyInvalidResponseException",
            Self::Unreachable(_) | Self::Tls(_) | Self::Timeout | Self::Unhealthy | Self::Busy => {
                "XksProxyUnreachableException"
            }
        }
    }

    /// Whether AWS counts it among the retryable errors.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Proxy(name, _) => name.is_retryable(),
            Self::Malformed(_) => false,
            _ => true,
        }
    }

    /// Whether there was no proxy to be talked to.
    pub(crate) const fn is_of_transport(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Tls(_) | Self::Timeout)
    }

    /// What is to be logged of it, beside its kind.
    #[must_use]
    pub fn detail(&self) -> &str {
        match self {
            Self::Proxy(_, message) => message.as_deref().unwrap_or_default(),
            Self::Unreachable(why) | Self::Tls(why) | Self::Malformed(why) => why,
            Self::Timeout | Self::Unhealthy | Self::Busy => "",
        }
    }
}

const MALFORMED: &str = "AWS KMS cannot interpret the response from the external key store proxy. If you see this error repeatedly, report it \
     to your external key store proxy administrator.";
const UNHEALTHY: &str = "The external key store proxy is in an unhealthy state. If you see this message repeatedly, notify your external key \
     store proxy administrator.";

const fn message_of(name: ErrorName) -> &'static str {
    match name {
        ErrorName::ValidationException => MALFORMED,
        ErrorName::InvalidStateException => {
            "The external key associated with this KMS key in an external key store is not enabled in the external key \
             manager. Enable the external key in the external key manager and retry the request."
        }
        ErrorName::InvalidCiphertextException => {
            "The external key store proxy rejected the request because the specified ciphertext or encryption context is \
             corrupted, missing, or otherwise invalid."
        }
        ErrorName::InvalidKeyUsageException => {
            "The external key associated with this KMS key in an external key store does not support the requested \
             operation. Enable the operation on the key in your external key manager, and try the request again."
        }
        ErrorName::AuthenticationFailedException => {
            "The external key store proxy rejected the request because it could not authenticate AWS KMS. Verify the XKS \
             proxy authentication credentials for your external key store and update if necessary."
        }
        ErrorName::AccessDeniedException => {
            "The external key store proxy denied access to the operation. Verify that the user and the external key are \
             both authorized for this operation, and try the request again."
        }
        ErrorName::KeyNotFoundException => {
            "The external key associated with this KMS key in an external key store was not found in its external key \
             manager. If the external key ID associated with this KMS key is incorrect, create a new KMS key with the \
             correct external key ID."
        }
        ErrorName::InvalidUriPathException => {
            "The external key store proxy rejected the request because of an invalid URI path. Verify the URI path for \
             your external key store and update if necessary."
        }
        ErrorName::UnsupportedOperationException => {
            "The external key store proxy rejected the request because it does not support the requested operation. If \
             you see this error repeatedly, report it to your external key store proxy administrator."
        }
        ErrorName::DependencyTimeoutException => {
            "The external key store proxy did not respond to the request in the time allotted. Retry the request. If you \
             see this error repeatedly, report it to your external key store proxy administrator."
        }
        ErrorName::ThrottlingException => {
            "The external key store proxy rejected the request due to a very high request rate. Reduce the frequency of \
             your calls using KMS keys in this external key store."
        }
        ErrorName::InternalException => {
            "The external key store proxy rejected the request because it cannot communicate with the external key \
             manager. Verify that the external key store proxy configuration is correct and that the external key \
             manager is available."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(name: ErrorName) -> Failure {
        Failure::Proxy(name, Some("secret detail".to_owned()))
    }

    #[test]
    fn every_failure_is_what_the_specification_makes_of_it() {
        use ErrorCode::{
            CustomKeyStoreInvalidState as State, UnsupportedOperation, XksKeyInvalidConfiguration as Key,
            XksKeyNotFound, XksProxyIncorrectAuthenticationCredential as Credential,
            XksProxyInvalidConfiguration as Configuration, XksProxyInvalidResponse as Response,
            XksProxyUriUnreachable as Unreachable,
        };
        use ErrorName as Name;
        for (failure, of_store, of_new_key, connection) in [
            (proxy(Name::ValidationException), Response, State, "XKS_PROXY_INVALID_RESPONSE"),
            (proxy(Name::InvalidStateException), Unreachable, Key, "XKS_PROXY_NOT_REACHABLE"),
            (proxy(Name::AuthenticationFailedException), Credential, State, "INVALID_CREDENTIALS"),
            (proxy(Name::AccessDeniedException), Configuration, State, "XKS_PROXY_ACCESS_DENIED"),
            (proxy(Name::InvalidUriPathException), Configuration, State, "XKS_PROXY_INVALID_CONFIGURATION"),
            (
                proxy(Name::UnsupportedOperationException),
                Response,
                UnsupportedOperation,
                "XKS_PROXY_INVALID_RESPONSE",
            ),
            (proxy(Name::DependencyTimeoutException), Unreachable, State, "XKS_PROXY_TIMED_OUT"),
            (proxy(Name::ThrottlingException), Unreachable, State, "XKS_PROXY_NOT_REACHABLE"),
            (proxy(Name::InternalException), Response, State, "XKS_PROXY_INVALID_RESPONSE"),
            (Failure::Unreachable(String::new()), Unreachable, State, "XKS_PROXY_NOT_REACHABLE"),
            (Failure::Tls(String::new()), Unreachable, State, "XKS_PROXY_INVALID_TLS_CONFIGURATION"),
            (Failure::Timeout, Unreachable, State, "XKS_PROXY_TIMED_OUT"),
            (Failure::Malformed(String::new()), Response, State, "XKS_PROXY_INVALID_RESPONSE"),
            (Failure::Unhealthy, Unreachable, State, "XKS_PROXY_NOT_REACHABLE"),
        ] {
            assert_eq!(failure.code(Asked::OfStore), of_store, "{failure:?}");
            assert_eq!(failure.code(Asked::OfNewKey), of_new_key, "{failure:?}");
            assert_eq!(failure.code(Asked::OfUse), ErrorCode::KmsInvalidState);
            assert_eq!(failure.connection_error_code().as_str(), connection, "{failure:?}");
            assert!(!failure.message(Asked::OfUse).contains("secret detail"));
        }
        assert_eq!(proxy(Name::KeyNotFoundException).code(Asked::OfNewKey), XksKeyNotFound);
        assert_eq!(proxy(Name::InvalidKeyUsageException).code(Asked::OfNewKey), Key);
    }

    #[test]
    fn a_store_that_is_not_well_is_told_apart_from_a_key() {
        let failure = proxy(ErrorName::InvalidStateException);
        assert!(failure.message(Asked::OfStore).contains("unhealthy state"));
        assert!(failure.message(Asked::OfUse).contains("is not enabled"));
    }

    #[test]
    fn texts_that_clients_match_on_are_exact() {
        let unreachable = Failure::Unreachable(String::new()).message(Asked::OfUse);
        assert!(unreachable.starts_with(
            "AWS KMS cannot communicate with the external key store proxy. This might be a transient network issue. If"
        ));
        assert!(
            Failure::Timeout
                .message(Asked::OfUse)
                .contains("the external key store proxy did not respond in time. Retry the request. If you")
        );
    }
}
