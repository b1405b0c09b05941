//! PINs: never printed, and wiped.

use std::fmt;

use zeroize::Zeroizing;

/// What a user logs in to a token with.
#[derive(PartialEq, Eq)]
pub struct Pin(Zeroizing<String>);

impl Pin {
    /// Takes a PIN into custody.
    pub const fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// The PIN that these parts are, one after the other. No copy of them is left behind.
    pub fn of(parts: &[&str]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
        for part in parts {
            text.push_str(part);
        }
        Self(text)
    }

    /// The PIN itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn copy(&self) -> Self {
        Self(self.0.clone())
    }
}

impl From<&str> for Pin {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pin(..)")
    }
}
