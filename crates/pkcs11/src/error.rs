//! What goes wrong with a token, in as few words as make a difference.

use std::borrow::Cow;

use cryptoki::context::Function;
use cryptoki::error::{Error as Cause, RvError};

/// Why a token did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The library cannot be loaded, or does not start.
    #[error("the module cannot be used: {0}")]
    Module(String),
    /// There is no token with this serial number, or it has gone.
    #[error("the token is not present")]
    TokenNotPresent,
    /// The device, or the way to it, is out of order.
    #[error("the device failed: {0}")]
    Device(String),
    /// The user's PIN is not this one.
    #[error("the PIN is wrong")]
    PinIncorrect,
    /// Too many wrong PINs have been tried.
    #[error("the PIN is locked")]
    PinLocked,
    /// There is no user, or none with a PIN.
    #[error("the user has no PIN")]
    PinNotInitialized,
    /// The token does not take this as a new PIN.
    #[error("the token does not accept the new PIN")]
    PinUnacceptable,
    /// Somebody else is logged in.
    #[error("another user is logged in")]
    UserTypeBusy,
    /// Nobody is logged in.
    #[error("nobody is logged in")]
    NotLoggedIn,
    /// The token has no such key.
    #[error("the token has no such key")]
    KeyNotFound,
    /// The token has several keys with an identifier that was made to be unique.
    #[error("the token has several keys with this identifier")]
    KeyAmbiguous,
    /// The key's attributes forbid this use.
    #[error("the key may not be used for this")]
    KeyNotPermitted,
    /// The token made a key that is not as it was asked for. It has been destroyed, if the token let it be.
    #[error("the token made a key that is not as it was asked for: {0}")]
    KeyUnfit(Cow<'static, str>),
    /// The ciphertext, its IV, its tag or its additional data is not what it was.
    #[error("the ciphertext is not authentic")]
    InvalidCiphertext,
    /// The module did with the IV something else than its mode says. What it made may not be used.
    #[error("the module does not treat the IV as configured: {0}")]
    IvMode(Cow<'static, str>),
    /// No session is free.
    #[error("no session is free")]
    Busy,
    /// A session or an object that has gone: the call is repeated with a new one, once.
    #[error("a stale handle")]
    Stale,
    /// The token forbids it.
    #[error("the token does not allow it: {0}")]
    Refused(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Pkcs11(code, function) => of_code(code, function),
            Cause::LibraryLoading(_) | Cause::MissingSymbol(_) => Self::Module(cause.to_string()),
            other => Self::Other(other.to_string()),
        }
    }
}

fn of_code(code: RvError, function: Function) -> Error {
    let text = || format!("{function:?}: {code:?}");
    match code {
        RvError::TokenNotPresent
        | RvError::TokenNotRecognized
        | RvError::SlotIdInvalid
        | RvError::DeviceRemoved => Error::TokenNotPresent,
        RvError::PinLocked => Error::PinLocked,
        RvError::UserPinNotInitialized => Error::PinNotInitialized,
        RvError::PinInvalid | RvError::PinLenRange | RvError::PinTooWeak
            if matches!(function, Function::SetPIN) =>
        {
            Error::PinUnacceptable
        }
        RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange | RvError::PinExpired => {
            Error::PinIncorrect
        }
        RvError::UserAlreadyLoggedIn
        | RvError::UserAnotherAlreadyLoggedIn
        | RvError::UserTooManyTypes
        | RvError::SessionReadOnlyExists => Error::UserTypeBusy,
        RvError::UserNotLoggedIn => Error::NotLoggedIn,
        RvError::SessionHandleInvalid
        | RvError::SessionClosed
        | RvError::KeyHandleInvalid
        | RvError::ObjectHandleInvalid => Error::Stale,
        RvError::SessionCount => Error::Busy,
        RvError::KeyFunctionNotPermitted => Error::KeyNotPermitted,
        RvError::EncryptedDataInvalid | RvError::EncryptedDataLenRange => Error::InvalidCiphertext,
        RvError::GeneralError
        | RvError::FunctionFailed
        | RvError::DeviceError
        | RvError::DeviceMemory
        | RvError::CryptokiNotInitialized
        | RvError::FipsSelfTestFailed => Error::Device(text()),
        RvError::ActionProhibited
        | RvError::AttributeReadOnly
        | RvError::AttributeTypeInvalid
        | RvError::AttributeValueInvalid
        | RvError::FunctionNotSupported
        | RvError::FunctionRejected
        | RvError::MechanismInvalid
        | RvError::MechanismParamInvalid
        | RvError::SessionReadOnly
        | RvError::TemplateInconsistent
        | RvError::TokenWriteProtected => Error::Refused(text()),
        _ => Error::Other(text()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_code_means_depends_on_the_call() {
        let of = |code, function| Error::from(Cause::Pkcs11(code, function));
        assert_eq!(of(RvError::PinLenRange, Function::Login), Error::PinIncorrect);
        assert_eq!(of(RvError::PinLenRange, Function::SetPIN), Error::PinUnacceptable);
        assert_eq!(of(RvError::PinIncorrect, Function::SetPIN), Error::PinIncorrect);
        assert_eq!(of(RvError::UserAlreadyLoggedIn, Function::Login), Error::UserTypeBusy);
        let device = of(RvError::GeneralError, Function::Encrypt);
        assert_eq!(device, Error::Device("Encrypt: GeneralError".to_owned()));
    }
}
