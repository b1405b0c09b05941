//! The one place where inner errors become errors of the API: a code and a message.
//!
//! What went wrong inside is logged with its cause and never told to the caller.

use std::error::Error;
use std::fmt;

use trent_database::DatabaseError;
use trent_domain::alias::AliasNameError;
use trent_domain::encryption_context::ContextTooLarge;
use trent_domain::identifier::NameError;
use trent_domain::import::{ExpirationError, ImportError, NothingPending};
use trent_domain::key_store::HsmFailure;
use trent_domain::lifecycle::{TransitionError, WindowOutOfRange};
use trent_domain::state::StateError;
use trent_domain::tags::TagError;
use trent_gate::{ChangeError, GrantError, InvalidMarker, Refusal, StoreError, UseError};
use trent_protocol::{ErrorCode, KeySpec};

/// The text of failures whose cause is not the caller's business.
const INTERNAL: &str = "The service had an internal error. Try again.";

/// An answer that is an error: its code and, for most codes, a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KmsError {
    /// The code of the API.
    pub code: ErrorCode,
    /// The text; some codes have none.
    pub message: Option<String>,
}

impl KmsError {
    /// An error with a text.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()) }
    }

    /// An error whose body carries the code alone.
    pub const fn bare(code: ErrorCode) -> Self {
        Self { code, message: None }
    }

    /// A `ValidationException` of a rule that the model cannot say.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Validation, message)
    }

    /// The one constraint of the model that is `violated` by the member at `path`.
    pub fn constraint(value: &str, path: &str, violated: &str) -> Self {
        Self::validation(format!(
            "1 validation error detected: Value {value} at '{path}' failed to satisfy constraint: {violated}"
        ))
    }

    /// A failure inside, logged with its causes; the caller is told only that there was one.
    pub fn internal(cause: &dyn Error) -> Self {
        let mut causes = cause.to_string();
        let mut next = cause.source();
        while let Some(cause) = next {
            causes = format!("{causes}: {cause}");
            next = cause.source();
        }
        tracing::error!(%causes, "internal error");
        Self::new(ErrorCode::KmsInternal, INTERNAL)
    }

    /// What was done, or would be, cannot be recorded, and so is not answered. The trail itself has logged why.
    pub(crate) fn unrecordable() -> Self {
        Self::new(ErrorCode::KmsInternal, INTERNAL)
    }

    /// Keys of a spec that AWS has and this build has not.
    pub(crate) fn unsupported_spec(spec: KeySpec) -> Self {
        let text = format!("KeySpec {spec} is not supported by this build of trent.");
        Self::new(ErrorCode::UnsupportedOperation, text)
    }

    /// There were too many requests.
    pub(crate) fn throttled() -> Self {
        let text =
            "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.";
        Self::new(ErrorCode::Throttling, text)
    }
}

impl fmt::Display for KmsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => write!(f, "{}: {message}", self.code),
            None => write!(f, "{}", self.code),
        }
    }
}

impl Error for KmsError {}

impl From<Refusal> for KmsError {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::Name(error) => return error.into(),
            Refusal::State(error) => return error.into(),
            Refusal::Database(error) => return error.into(),
            Refusal::Store(error) => return UseError::from(error).into(),
            Refusal::Policy(error) => return Self::internal(&error),
            Refusal::NotRotatable(_) => return Self::bare(ErrorCode::UnsupportedOperation),
            Refusal::InvalidCiphertext => return Self::bare(ErrorCode::InvalidCiphertext),
            Refusal::Origin { .. } => ErrorCode::UnsupportedOperation,
            Refusal::UnknownKey(_) | Refusal::UnknownAlias(_) => ErrorCode::NotFound,
            Refusal::Denied(_) => ErrorCode::AccessDenied,
            Refusal::Grant(error) => return error.into(),
            Refusal::GrantToken => ErrorCode::InvalidGrantToken,
            Refusal::IncorrectKey => ErrorCode::IncorrectKey,
            Refusal::Usage { .. } => ErrorCode::InvalidKeyUsage,
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<UseError> for KmsError {
    fn from(error: UseError) -> Self {
        match &error {
            UseError::Database(error) => error.clone().into(),
            UseError::AlgorithmMismatch { .. } => Self::new(ErrorCode::InvalidKeyUsage, error.to_string()),
            UseError::PlaintextTooLong { .. }
            | UseError::ContextNotSupported(_)
            | UseError::DigestLength(_)
            | UseError::MessageType { .. } => Self::validation(error.to_string()),
            UseError::DryRun => Self::new(ErrorCode::DryRunOperation, error.to_string()),
            UseError::InvalidCiphertext | UseError::RefusedByHsm(_) => {
                Self::bare(ErrorCode::InvalidCiphertext)
            }
            UseError::InvalidSignature => Self::bare(ErrorCode::KmsInvalidSignature),
            UseError::InvalidMac => Self::bare(ErrorCode::KmsInvalidMac),
            UseError::InvalidPublicKey => Self::bare(ErrorCode::Validation),
            UseError::Wrapping(_) => Self::new(ErrorCode::UnsupportedOperation, error.to_string()),
            UseError::InvalidImportToken => Self::bare(ErrorCode::InvalidImportToken),
            UseError::ExpiredImportToken => Self::bare(ErrorCode::ExpiredImportToken),
            UseError::IncorrectMaterial => Self::bare(ErrorCode::IncorrectKeyMaterial),
            UseError::NoPublicKey(_) => Self::bare(ErrorCode::UnsupportedOperation),
            UseError::Proxy(failure) => Self::new(failure.while_using(), error.to_string()),
            UseError::Hsm(HsmFailure::OverQuota) => Self::throttled(),
            UseError::Hsm(HsmFailure::Busy) => Self::internal(&error),
            UseError::Hsm(failure) => Self::new(failure.while_using(), error.to_string()),
            UseError::Cluster(error) => error.clone().into(),
            UseError::Store(StoreError::Busy) => Self::throttled(),
            UseError::Store(StoreError::Unsupported(spec)) => Self::unsupported_spec(*spec),
            UseError::NoMaterial(_) | UseError::Store(_) => Self::internal(&error),
        }
    }
}

impl From<ChangeError> for KmsError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Gone(_) => Self::new(ErrorCode::NotFound, error.to_string()),
            ChangeError::State(error) => error.into(),
            ChangeError::Store(error) => Self::internal(&error),
            ChangeError::Database(error) => error.into(),
        }
    }
}

impl From<DatabaseError> for KmsError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Busy => Self::throttled(),
            error => Self::internal(&error),
        }
    }
}

impl From<StateError> for KmsError {
    fn from(error: StateError) -> Self {
        let code = match error {
            StateError::Disabled(_) => ErrorCode::Disabled,
            StateError::Invalid { .. } | StateError::NotConnected(_) => ErrorCode::KmsInvalidState,
            StateError::NotPrimary(_) => ErrorCode::UnsupportedOperation,
        };
        Self::new(code, error.to_string())
    }
}

impl From<NameError> for KmsError {
    fn from(error: NameError) -> Self {
        let code = match error {
            NameError::NotAKeyId(_) | NameError::OtherRegion(_) => ErrorCode::NotFound,
            NameError::NotAKeyArn(_) | NameError::AliasArnNotSupported => ErrorCode::InvalidArn,
        };
        Self::new(code, error.to_string())
    }
}

impl From<AliasNameError> for KmsError {
    fn from(error: AliasNameError) -> Self {
        match error {
            AliasNameError::NoPrefix | AliasNameError::InvalidCharacters(_) => {
                Self::validation(error.to_string())
            }
            AliasNameError::Empty(_) => Self::new(ErrorCode::InvalidAliasName, error.to_string()),
            AliasNameError::Reserved => Self::bare(ErrorCode::NotAuthorized),
        }
    }
}

impl From<TagError> for KmsError {
    fn from(error: TagError) -> Self {
        Self::new(ErrorCode::Tag, error.to_string())
    }
}

impl From<WindowOutOfRange> for KmsError {
    fn from(error: WindowOutOfRange) -> Self {
        Self::validation(error.to_string())
    }
}

impl From<ContextTooLarge> for KmsError {
    fn from(error: ContextTooLarge) -> Self {
        Self::validation(error.to_string())
    }
}

impl From<ExpirationError> for KmsError {
    fn from(error: ExpirationError) -> Self {
        Self::validation(error.to_string())
    }
}

impl From<ImportError> for KmsError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::NotPrimary(_) => Self::new(ErrorCode::UnsupportedOperation, error.to_string()),
            ImportError::Incorrect => Self::bare(ErrorCode::IncorrectKeyMaterial),
            ImportError::AnotherPending { .. } => Self::new(ErrorCode::KmsInvalidState, error.to_string()),
        }
    }
}

impl From<NothingPending> for KmsError {
    fn from(error: NothingPending) -> Self {
        Self::new(ErrorCode::KmsInvalidState, error.to_string())
    }
}

impl From<GrantError> for KmsError {
    fn from(error: GrantError) -> Self {
        let code = match error {
            GrantError::Unknown(_) => ErrorCode::NotFound,
            GrantError::InvalidId(_) => ErrorCode::InvalidGrantId,
        };
        Self::new(code, error.to_string())
    }
}

impl From<InvalidMarker> for KmsError {
    fn from(_: InvalidMarker) -> Self {
        Self::bare(ErrorCode::InvalidMarker)
    }
}

impl From<TransitionError> for KmsError {
    // The operation table was asked before: to get here, table and life cycle disagree.
    fn from(error: TransitionError) -> Self {
        Self::internal(&error)
    }
}
