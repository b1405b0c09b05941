//! Why a call failed. What KMS makes of it, code and text, is [`ProxyFailure`]'s.

use trent_domain::key_store::ProxyFailure;
use trent_xks::ErrorName;

/// Why a call to a proxy failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The proxy answered with an error. Its message is for the log alone.
    Proxy(ErrorName, Option<String>),
    /// No connection: DNS or TCP, or one that was cut before TLS was there.
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
    /// As many calls as there may be in a second have been made.
    OverQuota,
}

impl Failure {
    /// The same, without what is for the log alone.
    #[must_use]
    pub const fn kind(&self) -> ProxyFailure {
        match self {
            Self::Proxy(name, _) => kind_of(*name),
            Self::Unreachable(_) => ProxyFailure::NotReachable,
            Self::Tls(_) => ProxyFailure::Tls,
            Self::Timeout => ProxyFailure::TimedOut,
            Self::Malformed(_) => ProxyFailure::Malformed,
            Self::Unhealthy => ProxyFailure::Unhealthy,
            // There is too much for the proxy to do, whoever says so.
            Self::Busy => ProxyFailure::Throttling,
            Self::OverQuota => ProxyFailure::OverQuota,
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
            Self::Timeout | Self::Unhealthy | Self::Busy | Self::OverQuota => "",
        }
    }
}

const fn kind_of(name: ErrorName) -> ProxyFailure {
    match name {
        ErrorName::ValidationException => ProxyFailure::Validation,
        ErrorName::InvalidStateException => ProxyFailure::InvalidState,
        ErrorName::InvalidCiphertextException => ProxyFailure::InvalidCiphertext,
        ErrorName::InvalidKeyUsageException => ProxyFailure::InvalidKeyUsage,
        ErrorName::AuthenticationFailedException => ProxyFailure::AuthenticationFailed,
        ErrorName::AccessDeniedException => ProxyFailure::AccessDenied,
        ErrorName::KeyNotFoundException => ProxyFailure::KeyNotFound,
        ErrorName::InvalidUriPathException => ProxyFailure::InvalidUriPath,
        ErrorName::ThrottlingException => ProxyFailure::Throttling,
        ErrorName::InternalException => ProxyFailure::Internal,
        ErrorName::UnsupportedOperationException => ProxyFailure::UnsupportedOperation,
        ErrorName::DependencyTimeoutException => ProxyFailure::DependencyTimeout,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_words_are_kept_by_name_and_its_message_for_the_log() {
        for name in ErrorName::ALL {
            let failure = Failure::Proxy(name, Some("secret detail".to_owned()));
            assert_eq!(failure.kind().name(), name.as_str());
            assert_eq!(failure.kind().is_retryable(), name.is_retryable(), "{name:?}");
            assert!(!failure.kind().message().contains("secret detail"));
            assert_eq!(failure.detail(), "secret detail");
        }
    }
}
