//! A caller whose document was verified.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use trent_crypto::cms::{EnvelopError, envelop};
use trent_crypto::{PublicKey, Random};

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Nitro Enclave.
    Enclave,
    /// A machine with NitroTPM.
    Tpm,
}

impl Kind {
    /// The member of a document that has the measurements.
    pub(crate) const fn member(self) -> &'static str {
        match self {
            Self::Enclave => "pcrs",
            Self::Tpm => "nitrotpm_pcrs",
        }
    }

    /// How the names of its registers begin in condition keys, in lower case.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Enclave => "pcr",
            Self::Tpm => "nitrotpmpcr",
        }
    }
}

/// What a verified document says. Only [`crate::Unverified::verify`] makes one.
#[derive(Debug)]
pub struct Attested {
    pub(crate) root: Arc<str>,
    pub(crate) kind: Kind,
    pub(crate) module_id: String,
    pub(crate) registers: BTreeMap<u8, Vec<u8>>,
    pub(crate) key: PublicKey,
}

impl Attested {
    /// What was measured.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The id of the enclave or machine.
    #[must_use]
    pub fn module_id(&self) -> &str {
        &self.module_id
    }

    /// The label of the root that it is trusted by.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// A platform configuration register.
    #[must_use]
    pub fn register(&self, index: u8) -> Option<&[u8]> {
        self.registers.get(&index).map(Vec::as_slice)
    }

    /// The condition keys of this caller and their values, the keys in lower case.
    #[must_use]
    pub fn condition_keys(&self) -> Vec<(String, String)> {
        let mut keys = vec![("trent:attestationroot".to_owned(), self.root.as_ref().to_owned())];
        let image = self.register(0).filter(|_| self.kind == Kind::Enclave);
        keys.extend(image.map(|image| ("kms:recipientattestation:imagesha384".to_owned(), hex(image))));
        let prefix = self.kind.prefix();
        let name = |index| format!("kms:recipientattestation:{prefix}{index}");
        keys.extend(self.registers.iter().map(|(index, value)| (name(index), hex(value))));
        keys
    }

    /// Seals a plaintext so that nobody but this caller opens it: `CiphertextForRecipient`.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub fn seal(&self, plaintext: &[u8], random: &dyn Random) -> Result<Vec<u8>, EnvelopError> {
        envelop(&self.key, plaintext, random)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
