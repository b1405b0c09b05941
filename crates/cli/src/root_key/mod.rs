//! The root key: opened from its file, by its passphrase or by an HSM, made at the first start, told apart by fingerprint.
//!
//! Whether a root key is the right one is known before anything is opened with it or written: the database has
//! the fingerprint of the one it was sealed with.

mod hsm;
mod rekey;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use trent_crypto::root::{self, PassphraseError, PassphraseParams, PassphraseRecord, WrappedRootKey};
use trent_crypto::{Key256, Random, SecretBytes};

pub(crate) use hsm::{HsmKey, bytes_of};
pub(crate) use rekey::{Pending, complete, crash_point, is_pending, leftovers};

use crate::config::{Config, Provider, RootKeySection};
use crate::data_dir::{mode, write_durably};
use crate::failure::misuse;
use crate::secret_source::SecretSource;
use rekey::is_unattended_pending;

/// Tells root keys apart.
pub(crate) type Fingerprint = [u8; 16];

/// Where root keys lie.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The root key file.
    pub(crate) file: PathBuf,
    /// The passphrase record.
    pub(crate) record: PathBuf,
    /// The root key that a key in an HSM has encrypted.
    pub(crate) wrapped: PathBuf,
}

impl Places {
    pub(crate) fn of(section: &RootKeySection, data_dir: &Path) -> Self {
        let file = section.file.clone().unwrap_or_else(|| data_dir.join("root.key"));
        Self { file, record: data_dir.join("root.passphrase"), wrapped: data_dir.join("root.pkcs11") }
    }

    pub(crate) const fn all(&self) -> [&PathBuf; 3] {
        [&self.file, &self.record, &self.wrapped]
    }
}

/// What there is to open a root key with.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) passphrase: SecretSource,
    pub(crate) hsm: HsmKey,
}

impl Given {
    /// The key in an HSM, where the root key of a deployment is, or is to be, encrypted by it.
    pub(crate) fn hsm_in_use(&self, config: &Config) -> Option<&HsmKey> {
        let wrapped = Places::of(&config.root_key, &config.data.dir).wrapped;
        let is_wanted = match config.root_key.provider {
            Provider::Pkcs11 => true,
            Provider::Auto => wrapped.exists(),
            Provider::File | Provider::Passphrase => false,
        };
        is_wanted.then_some(&self.hsm)
    }
}

/// A root key's source, known but not opened yet.
pub(crate) enum Source {
    /// The root key file.
    File,
    /// The passphrase record and this passphrase.
    Passphrase(SecretBytes),
    /// The wrapped root key and this key in an HSM.
    Hsm(HsmKey),
    /// The wrapped root key where there is one, else the file. Which of them is known once no rekeying is half done.
    Found(HsmKey),
}

/// A source that has been found.
enum Settled<'s> {
    File,
    Passphrase(&'s SecretBytes),
    Hsm(&'s HsmKey),
}

impl Source {
    /// Decides between them and reads the passphrase, before anything is opened or made.
    pub(crate) fn choose(provider: Provider, places: &Places, given: &Given) -> Result<Self> {
        let passphrase = match provider {
            Provider::File => return Ok(Self::File),
            Provider::Pkcs11 => {
                given.hsm.check()?;
                return Ok(Self::Hsm(given.hsm.clone()));
            }
            Provider::Auto | Provider::Passphrase => given.passphrase.read()?,
        };
        match passphrase {
            Some(passphrase) => Ok(Self::Passphrase(passphrase)),
            // A move from a passphrase that was interrupted leaves the record in its place until the next start.
            None if provider == Provider::Auto
                && (!places.record.exists() || is_unattended_pending(places)) =>
            {
                Ok(Self::Found(given.hsm.clone()))
            }
            None => Err(misuse(
                "the root key needs a passphrase; give it with --passphrase-file, --passphrase-fd or \
                 TRENT_ROOT_PASSPHRASE",
            )),
        }
    }

    /// The root key, which is made if nothing is sealed yet. Else it is the one with this fingerprint.
    pub(crate) async fn open(
        &self,
        places: &Places,
        sealed_with: Option<Fingerprint>,
        random: &dyn Random,
    ) -> Result<Opened> {
        let opened = match self.settle(places) {
            Settled::File => open_file(places, sealed_with.is_some(), random)?,
            Settled::Passphrase(passphrase) => {
                open_record(places, passphrase, sealed_with.is_some(), random)?
            }
            Settled::Hsm(hsm) => open_wrapped(places, hsm, sealed_with.is_some(), random).await?,
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
        match self.settle(places) {
            Settled::File => &places.file,
            Settled::Passphrase(_) => &places.record,
            Settled::Hsm(_) => &places.wrapped,
        }
    }

    /// What a root key in an HSM takes from now on.
    pub(crate) fn note(&self) -> Option<String> {
        let Self::Hsm(hsm) = self else { return None };
        Some(format!(
            "It opens with {} of the HSM that [root_key_pkcs11] names, and with nothing else.",
            hsm.shown()
        ))
    }

    /// What nobody has without keeping it: said where a root key was made.
    pub(crate) fn advice(&self, places: &Places) -> String {
        let place = self.place(places).display();
        match self.settle(places) {
            Settled::File => format!(
                "made the root key {place}: whoever has this file and the database has all keys, and without it nobody \
                 has any; move it to a place of its own (root_key.file says where), and keep a copy apart from the \
                 database's"
            ),
            Settled::Passphrase(_) => format!(
                "made the passphrase record {place}: without it or without the passphrase all keys are lost; keep \
                 copies of both apart from the database's"
            ),
            Settled::Hsm(hsm) => format!(
                "made the root key {place}: without it or without {} in the HSM all keys are lost; keep a copy of the \
                 file, and of the HSM's key as its vendor says",
                hsm.shown()
            ),
        }
    }

    fn settle(&self, places: &Places) -> Settled<'_> {
        match self {
            Self::Passphrase(passphrase) => Settled::Passphrase(passphrase),
            Self::Hsm(hsm) => Settled::Hsm(hsm),
            Self::Found(hsm) if places.wrapped.exists() => Settled::Hsm(hsm),
            Self::File | Self::Found(_) => Settled::File,
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
    if places.wrapped.exists() {
        return format!("there is no root key file {shown}: this data directory's root key is in an HSM");
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

async fn open_wrapped(places: &Places, hsm: &HsmKey, sealed: bool, random: &dyn Random) -> Result<Opened> {
    let (path, shown) = (&places.wrapped, places.wrapped.display());
    match fs::read(path) {
        Ok(text) => {
            let wrapped =
                WrappedRootKey::decode(&text).map_err(|error| misuse(format!("{shown}: {error}")))?;
            Ok(Opened { root: hsm.unwrap(&wrapped).await?, made: false })
        }
        Err(error) if error.kind() == ErrorKind::NotFound && sealed => Err(misuse(format!(
            "the root key is to come from an HSM, but there is no {shown}; if it is in a file or has a passphrase, set \
             root_key.provider so (`trent rekey --to pkcs11` moves to an HSM), else put the file back"
        ))),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let root = Key256::generate(random)?;
            let wrapped = hsm.wrap(&root, random).await?;
            write_durably(path, &wrapped.encode()).with_context(|| format!("{shown} cannot be written"))?;
            Ok(Opened { root, made: true })
        }
        Err(error) => Err(misuse(format!("{shown} cannot be read: {error}"))),
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
