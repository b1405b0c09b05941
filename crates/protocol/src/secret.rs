//! Sensitive members: bytes and texts that wipe themselves and never print.
//!
//! Deliberately without `Clone`, `PartialEq` and serde traits: a secret has one owner, is compared by code that
//! knows how, and is written only by the encoder of responses.

use std::fmt;

use zeroize::Zeroizing;

/// A sensitive blob (plaintext, message, shared secret): wiped on drop, redacted in `Debug`.
#[derive(Default)]
pub struct SecretBlob(Zeroizing<Vec<u8>>);

impl SecretBlob {
    /// Takes ownership of the bytes; copies made before are the caller's to wipe.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves.
    pub fn expose_secret(&self) -> &[u8] {
        &self.0
    }

    /// The bytes with their wiping container, for who keeps them longer than the request.
    pub fn into_zeroizing(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Zeroizing<Vec<u8>>> for SecretBlob {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for SecretBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBlob(redacted)")
    }
}

/// A sensitive text (password, secret access key): wiped on drop, redacted in `Debug`.
#[derive(Default)]
pub struct SecretString(Zeroizing<String>);

impl SecretString {
    /// Takes ownership of the text; copies made before are the caller's to wipe.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself.
    pub fn expose_secret(&self) -> &str {
        &self.0
    }

    /// The text with its wiping container, for who keeps it longer than the request.
    pub fn into_zeroizing(self) -> Zeroizing<String> {
        self.0
    }
}

impl From<Zeroizing<String>> for SecretString {
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretString(redacted)")
    }
}

/// Stands for a blob in `Debug` output: ciphertexts and signatures are long and tell a reader nothing.
pub(crate) struct ByteCount(pub(crate) usize);

impl fmt::Debug for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_print() {
        let printed =
            format!("{:?} {:?}", SecretBlob::new(vec![104; 3]), SecretString::new("hunter2".into()));
        assert_eq!(printed, "SecretBlob(redacted) SecretString(redacted)");
    }
}
