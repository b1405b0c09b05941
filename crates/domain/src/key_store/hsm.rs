//! What goes wrong when a key in HSMs is made, used or destroyed, and what the API says of it.

use trent_protocol::ErrorCode;

/// Why a key in HSMs was not made, used or destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HsmFailure {
    /// No HSM answers, or none that lets trent in.
    #[error("KMS cannot communicate with your CloudHSM cluster")]
    Unreachable,
    /// No HSM answers in time.
    #[error("KMS cannot communicate with your CloudHSM cluster: it did not respond in time")]
    TimedOut,
    /// No HSM that answers has the key, or has it so that it can be used.
    #[error("The key material of this KMS key cannot be used in your CloudHSM cluster.")]
    NoKey,
    /// More is asked of one key store than may be.
    #[error("too many requests for one key store")]
    OverQuota,
    /// The HSMs have too much to do.
    #[error("the HSMs have too much to do")]
    Busy,
}

impl HsmFailure {
    /// The code of an operation that uses the key: all that comes of the cluster is one, unless it passes by itself.
    pub const fn while_using(self) -> ErrorCode {
        match self {
            Self::Unreachable | Self::TimedOut | Self::NoKey => ErrorCode::KmsInvalidState,
            Self::OverQuota => ErrorCode::Throttling,
            Self::Busy => ErrorCode::KmsInternal,
        }
    }

    /// The code of CreateKey.
    pub const fn while_creating_a_key(self) -> ErrorCode {
        match self {
            Self::TimedOut => ErrorCode::DependencyTimeout,
            _ => ErrorCode::KmsInternal,
        }
    }
}
