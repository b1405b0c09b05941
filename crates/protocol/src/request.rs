//! From body to request: JSON first, then all constraints at once.

use std::fmt;

use serde::de::Deserialize;

use crate::encode::Response;
use crate::generated::operation::Operation;
use crate::raw::{Raw, Structure};
use crate::validate::{Path, Violations};
use crate::wire_enum::Offer;

/// A request of one operation; a value of this type satisfies all constraints of the model.
pub trait Request: Sized {
    /// The operation it is for.
    const OPERATION: Operation;

    /// What answers it.
    type Response: Response;

    /// Reads a body that may name what is `offered`. An empty one counts as `{}`.
    fn decode_with(body: &[u8], offered: Offer) -> Result<Self, DecodeError>;

    /// Reads a body that may name what all Regions have.
    fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_with(body, Offer::Everywhere)
    }
}

/// Why a body is no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Not JSON, or a member of the wrong JSON type, or bad base64. The caller is told nothing more.
    Serialization,
    /// Well-formed, but against constraints of the model: the text for the caller, all violations in one.
    Validation(String),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serialization => f.write_str("malformed request body"),
            Self::Validation(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for DecodeError {}

impl From<serde_json::Error> for DecodeError {
    fn from(_: serde_json::Error) -> Self {
        Self::Serialization
    }
}

pub(crate) fn decode<'de, R: Raw<'de>>(body: &'de [u8], offered: Offer) -> Result<R::Valid, DecodeError> {
    let raw = read::<R>(body)?;
    let mut found = Violations::against(offered);
    match raw.check(&Path::Root, &mut found) {
        Some(request) if found.is_empty() => Ok(request),
        _ => Err(DecodeError::Validation(found.into_message())),
    }
}

fn read<'de, R: Raw<'de>>(body: &'de [u8]) -> Result<R, DecodeError> {
    if body.is_empty() {
        return Ok(R::default());
    }
    // As a whole, since members that are skipped would not be looked at.
    let text = std::str::from_utf8(body).map_err(|_| DecodeError::Serialization)?;
    let mut json = serde_json::Deserializer::from_str(text);
    let raw = Structure::<R>::deserialize(&mut json)?;
    json.end()?;
    Ok(raw.0)
}
