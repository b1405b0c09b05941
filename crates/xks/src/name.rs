//! Names in paths: the path of a key store, the id of an external key.

use std::fmt;
use std::str::FromStr;

/// A text that is no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(&'static str);

impl InvalidName {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self(text)
    }
}

/// The path of a key store at its proxy: `/kms/xks/v1`, or a prefix before that.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UriPath(Box<str>);

impl UriPath {
    /// How every path ends in the one version there is.
    pub const END: &'static str = "/kms/xks/v1";
    /// Bounds of its length.
    const BYTES: std::ops::RangeInclusive<usize> = 10..=128;

    /// The path itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UriPath {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        const FORM: InvalidName =
            InvalidName("a path is `/kms/xks/v1`, or a prefix of A-Z a-z 0-9 / - _ and then that");
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_".contains(&byte);
        let prefix = text.strip_suffix(Self::END).ok_or(FORM)?;
        let good = prefix.is_empty()
            || (prefix.starts_with('/') && prefix.len() > 1 && prefix.bytes().all(is_plain));
        if !good {
            return Err(FORM);
        }
        if !Self::BYTES.contains(&text.len()) {
            return Err(InvalidName("a path is at most 128 characters long"));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for UriPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of an external key at its proxy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExternalKeyId(Box<str>);

impl ExternalKeyId {
    const BYTES_MAX: usize = 128;

    /// The id itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ExternalKeyId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        // The dots alone match the pattern, but whoever normalises paths would take them for folders.
        let good = (1..=Self::BYTES_MAX).contains(&text.len())
            && text.bytes().all(is_plain)
            && !matches!(text, "." | "..");
        match good {
            true => Ok(Self(text.into())),
            false => Err(InvalidName("an external key id is 1 to 128 of A-Z a-z 0-9 - . _")),
        }
    }
}

impl fmt::Display for ExternalKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
