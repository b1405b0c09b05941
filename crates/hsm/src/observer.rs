//! Who did what, for whoever counts or records it. Neither texts nor secrets are told.

use std::time::Duration;

use trent_pkcs11::Error as TokenError;

use crate::message::Ask;
use crate::worker::Error;

/// Hears of every call about a token, once it has its answer.
pub trait Observer: Send + Sync {
    /// A call has its answer.
    fn called(&self, call: &Called<'_>);
}

/// A call that has its answer.
#[derive(Debug, Clone, Copy)]
pub struct Called<'c> {
    /// The serial number of the token.
    pub serial: &'c str,
    /// What was asked.
    pub operation: Operation,
    /// How long it took, with the way there and back.
    pub took: Duration,
    /// What went wrong.
    pub error: Option<&'c Error>,
}

/// What a token is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// What it says of itself, or of a key.
    Look,
    /// To let a user in or out.
    Login,
    /// To take a new PIN.
    ChangePin,
    /// To make a key, or to take part in making it.
    MakeKey,
    /// To give or take a copy of a key that moves.
    CopyKey,
    /// To destroy a key.
    DestroyKey,
    /// To encrypt.
    Encrypt,
    /// To decrypt.
    Decrypt,
    /// For random bytes.
    Random,
}

impl Operation {
    pub(crate) const fn of(ask: &Ask) -> Self {
        match ask {
            Ask::Facts | Ask::Mechanisms | Ask::Find(_) | Ask::List { .. } => Self::Look,
            Ask::LogIn(_) | Ask::LogOut => Self::Login,
            Ask::ChangePin { .. } => Self::ChangePin,
            Ask::Generate { .. } | Ask::GenerateMovable { .. } | Ask::Settle(_) => Self::MakeKey,
            Ask::Destroy(_) => Self::DestroyKey,
            Ask::Encrypt { .. } => Self::Encrypt,
            Ask::Decrypt { .. } => Self::Decrypt,
            Ask::Random(_) => Self::Random,
        }
    }

    /// Its name, as it is counted under.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Login => "login",
            Self::ChangePin => "change_pin",
            Self::MakeKey => "make_key",
            Self::CopyKey => "copy_key",
            Self::DestroyKey => "destroy_key",
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
            Self::Random => "random",
        }
    }

    /// Whether it changes who may do what, or which keys there are.
    pub const fn is_change(self) -> bool {
        matches!(self, Self::Login | Self::ChangePin | Self::MakeKey | Self::CopyKey | Self::DestroyKey)
    }
}

impl Error {
    /// Its name, as it is counted under.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TimedOut => "timed_out",
            Self::Died => "died",
            Self::NotStarted(_) => "not_started",
            Self::Busy => "busy",
            Self::TooLong => "too_long",
            Self::Token(error) => match error {
                TokenError::Module(_) => "module",
                TokenError::TokenNotPresent => "not_present",
                TokenError::Device(_) => "device",
                TokenError::PinIncorrect => "pin_incorrect",
                TokenError::PinLocked => "pin_locked",
                TokenError::PinNotInitialized => "pin_not_initialized",
                TokenError::PinUnacceptable => "pin_unacceptable",
                TokenError::UserTypeBusy => "user_busy",
                TokenError::NotLoggedIn => "not_logged_in",
                TokenError::KeyNotFound => "key_not_found",
                TokenError::KeyAmbiguous => "key_ambiguous",
                TokenError::KeyNotPermitted => "key_not_permitted",
                TokenError::KeyUnfit(_) => "key_unfit",
                TokenError::InvalidCiphertext => "invalid_ciphertext",
                TokenError::IvMode(_) => "iv_mode",
                TokenError::Busy => "token_busy",
                TokenError::Stale => "stale",
                TokenError::Refused(_) => "refused",
                TokenError::Other(_) => "other",
            },
        }
    }

    /// Whether the token, or the way to it, is out of order. Otherwise it has answered.
    pub const fn is_outage(&self) -> bool {
        match self {
            Self::TimedOut | Self::Died | Self::NotStarted(_) => true,
            Self::Busy | Self::TooLong => false,
            Self::Token(error) => {
                matches!(error, TokenError::Module(_) | TokenError::TokenNotPresent | TokenError::Device(_))
            }
        }
    }
}
