//! The root key: opened from its file or passphrase, made at the first start, told apart by fingerprint.
//!
//! Whether a root key is the right one is known before anything is opened with it or written: the database has
//! the fingerprint of the one it was sealed with.

mod passphrase;
mod rekey;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use trent_crypto::root::{self, PassphraseError, PassphraseParams, PassphraseRecord};
use trent_crypto::{Key256, Random, SecretBytes};

pub(crate) use passphrase::PassphraseSource;
pub(crate) use rekey::{Pending, complete, crash_point, is_file_pending, is_pending, leftovers};

use crate::config::{Provider, RootKeySection};
use crate::data_dir::{mode, write_durably};
use crate::failure::misuse;

/// Tells root keys apart.
pub(crate) type Fingerprint = [u8; 16];

/// Where root keys lie.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The root key file.
    pub(crate) file: PathBuf,
    /// The passphrase record.
    pub(crate) record: PathBuf,
}

impl Places {
    pub(crate) fn of(section: &RootKeySection, data_dir: &Path) -> Self {
        let file = section.file.clone().unwrap_or_else(|| data_dir.join("root.key"));
        Self { file, record: data_dir.join("root.passphrase") }
    }
}

/// A root key's source, known but not opened yet.
pub(crate) enum Source {
    /// The root key file.
    File,
    /// The passphrase record and this passphrase.
    Passphrase(SecretBytes),
}

impl Source {
    /// Decides between the two and reads the passphrase, before anything is opened or made.
    pub(crate) fn choose(provider: Provider, places: &Places, given: &PassphraseSource) -> Result<Self> {
        let passphrase = match provider {
            Provider::File => return Ok(Self::File),
            Provider::Auto | Provider::Passphrase => given.read()?,
        };
        match passphrase {
            Some(passphrase) => Ok(Self::Passphrase(passphrase)),
            // A move to a file that was interrupted leaves the record in its place until the next start.
            None if provider == Provider::Auto && (!places.record.exists() || is_file_pending(places)) => {
                Ok(Self::File)
            }
            None => Err(misuse(
                "the root key needs a passphrase; give it with --passphrase-file, --passphrase-fd or \
                 TRENT_ROOT_PASSPHRASE",
            )),
        }
    }

    /// The root key, which is made if nothing is sealed yet. Else it is the one with this fingerprint.
    pub(crate) fn open(
        &self,
        places: &Places,
        sealed_with: Option<Fingerprint>,
        random: &dyn Random,
    ) -> Result<Opened> {
        let opened = match self {
            Self::File => open_file(places, sealed_with.is_some(), random)?,
            Self::Passphrase(passphrase) => open_record(places, passphrase, sealed_with.is_some(), random)?,
        };
        match sealed_with {
            Some(expected) if expected != root::fingerprint(&opened.root) => Err(misuse(format!(
                "the root key in {} is not the one that this database was sealed with (it is {}, the database's is \
                 {}); put the right one in place; nothing was changed",
                self.place(places).display(),
                hex(&root::fingerprint(&opened.root)),
                hex(&expected)
            ))),
            _ => Ok(opened),
        }
    }

    /// The file that this source reads.
    pub(crate) fn place<'p>(&self, places: &'p Places) -> &'p Path {
        match self {
            Self::File => &places.file,
            Self::Passphrase(_) => &places.record,
        }
    }
}

/// A root key that was opened.
pub(crate) struct Opened {
    /// The key.
    pub(crate) root: Key256,
    /// Whether it was made just now.
    pub(crate) made: bool,
}

fn open_file(places: &Places, sealed: bool, random: &dyn Random) -> Result<Opened> {
    let (path, shown) = (&places.file, places.file.display());
    match fs::read(path) {
        Ok(text) => {
            let text = SecretBytes::from(text);
            let root = root::decode_file(text.expose()).map_err(|error| {
                misuse(format!("{shown}: {error}; put the right root key file in its place"))
            })?;
            warn_of_readers(path);
            Ok(Opened { root, made: false })
        }
        Err(error) if error.kind() == ErrorKind::NotFound && sealed => Err(misuse(missing_file(places))),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let root = Key256::generate(random)?;
            write_durably(path, root::encode_file(&root).expose())
                .with_context(|| format!("the root key file {shown} cannot be written"))?;
            Ok(Opened { root, made: true })
        }
        Err(error) => Err(misuse(format!("the root key file {shown} cannot be read: {error}"))),
    }
}

fn missing_file(places: &Places) -> String {
    let shown = places.file.display();
    if places.record.exists() {
        return format!(
            "there is no root key file {shown}: this data directory has a passphrase; give it instead"
        );
    }
    format!(
        "the root key file {shown} is missing, and the database was sealed with it; put it back, or say with \
         root_key.file or --root-key-file where it is"
    )
}

fn warn_of_readers(path: &Path) {
    if let Ok(mode) = mode(path)
        && mode & 0o077 != 0
    {
        tracing::warn!("others may read the root key file {} (mode {mode:o}); chmod 600 it", path.display());
    }
}

fn open_record(
    places: &Places,
    passphrase: &SecretBytes,
    sealed: bool,
    random: &dyn Random,
) -> Result<Opened> {
    let (path, shown) = (&places.record, places.record.display());
    match fs::read(path) {
        Ok(record) => {
            let record =
                PassphraseRecord::decode(&record).map_err(|error| misuse(format!("{shown}: {error}")))?;
            let root = record.unlock(passphrase.expose()).map_err(|error| match error {
                PassphraseError::WrongPassphrase => misuse("the passphrase is wrong; nothing was changed"),
                other => anyhow::Error::new(other).context("the passphrase could not be used"),
            })?;
            Ok(Opened { root, made: false })
        }
        Err(error) if error.kind() == ErrorKind::NotFound && sealed => Err(misuse(format!(
            "a passphrase is given, but there is no passphrase record {shown}; if the root key is in a file, take the \
             passphrase away (`trent rekey --to passphrase` moves to one), else put the record back"
        ))),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let (record, root) =
                PassphraseRecord::create(passphrase.expose(), PassphraseParams::generate(random)?, random)?;
            write_durably(path, &record.encode()).with_context(|| format!("{shown} cannot be written"))?;
            Ok(Opened { root, made: true })
        }
        Err(error) => Err(misuse(format!("the passphrase record {shown} cannot be read: {error}"))),
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
