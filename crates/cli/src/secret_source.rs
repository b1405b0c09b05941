//! Where a passphrase or a PIN comes from: a descriptor, a file, or the environment.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use trent_crypto::SecretBytes;

use crate::failure::misuse;

// Longer is a mistake, such as naming a device.
const BYTES_MAX: usize = 4096;

/// The places a secret may come from; the first that is given counts.
#[derive(Clone, Default)]
pub(crate) struct SecretSource {
    /// What it is, as texts call it.
    pub(crate) what: &'static str,
    /// A descriptor that whoever started this process has opened.
    pub(crate) descriptor: Option<u32>,
    /// A file.
    pub(crate) file: Option<PathBuf>,
    /// The value of a variable. Shared, since it is not copied.
    pub(crate) variable: Option<Arc<SecretBytes>>,
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the value of the variable, which is the secret.
        f.debug_struct("SecretSource")
            .field("what", &self.what)
            .field("descriptor", &self.descriptor)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl SecretSource {
    /// The secret, if one is given anywhere.
    pub(crate) fn read(&self) -> Result<Option<SecretBytes>> {
        if let Some(descriptor) = self.descriptor {
            // Opened by name: taking a descriptor by number is not something safe code can do.
            let path = format!("/dev/fd/{descriptor}");
            return self.read_file(Path::new(&path), &format!("file descriptor {descriptor}")).map(Some);
        }
        if let Some(file) = &self.file {
            return self.read_file(file, &format!("the file {}", file.display())).map(Some);
        }
        let value = self.variable.as_ref().map(|value| self.trimmed(value.expose(), "the environment"));
        value.transpose()
    }

    fn read_file(&self, path: &Path, name: &str) -> Result<SecretBytes> {
        let what = self.what;
        let problem = |text: &str| misuse(format!("the {what} in {name} cannot be used: {text}"));
        let mut file = File::open(path).map_err(|error| problem(&error.to_string()))?;
        // All at once, so that no copy is left behind by a vector that grows.
        let mut length = 0;
        let whole = SecretBytes::try_fill(BYTES_MAX + 1, |bytes| {
            while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
                match file.read(rest)? {
                    0 => break,
                    read => length += read,
                }
            }
            Ok::<_, std::io::Error>(())
        })
        .map_err(|error| problem(&error.to_string()))?;
        match whole.expose().get(..length) {
            Some(bytes) if length <= BYTES_MAX => self.trimmed(bytes, name),
            _ => Err(problem("it is longer than 4096 bytes")),
        }
    }

    /// Without the end of line that editors and `echo` add; other white space belongs to it.
    fn trimmed(&self, bytes: &[u8], name: &str) -> Result<SecretBytes> {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if bytes.is_empty() {
            return Err(misuse(format!("the {} in {name} is empty", self.what)));
        }
        Ok(SecretBytes::from(bytes.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    fn of_file(content: &[u8]) -> Result<Vec<u8>, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passphrase");
        std::fs::write(&file, content).unwrap();
        let source = SecretSource { what: "PIN", file: Some(file), ..SecretSource::default() };
        source.read().map(|read| read.unwrap().expose().clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn one_end_of_line_is_left_out() {
        assert_eq!(of_file(b"correct horse").unwrap(), b"correct horse");
        assert_eq!(of_file(b" correct horse \r\n").unwrap(), b" correct horse ");
        assert_eq!(of_file(b"a\n\n").unwrap(), b"a\n");
    }

    #[test]
    fn empty_and_endless_passphrases_are_refused() {
        let refused = of_file(b"\n").unwrap_err();
        assert!(refused.starts_with("the PIN in") && refused.ends_with("is empty"), "{refused}");
        assert!(of_file(&[b'a'; 4096]).is_ok());
        assert!(of_file(&[b'a'; 4097]).unwrap_err().ends_with("longer than 4096 bytes"));
    }

    #[test]
    fn what_is_printed_has_no_secret() {
        let secret = Environment::of([("PIN", "hunter2")]).secret("PIN").unwrap();
        let source = SecretSource { variable: Some(secret), ..SecretSource::default() };
        assert!(!format!("{source:?}").contains("hunter2"));
    }

    #[test]
    fn no_source_is_no_passphrase() {
        assert!(SecretSource::default().read().unwrap().is_none());
    }
}
