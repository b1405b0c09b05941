//! A root key that comes from a passphrase, by Argon2id (RFC 9106), and the record kept of it.
//!
//! ```text
//! offset  bytes
//!      0      1  version: 01
//!      1      4  memory in KiB      numbers: 32 bits, big-endian
//!      5      4  passes
//!      9      4  lanes
//!     13     16  salt
//!     29     45  verifier: an envelope of nothing
//!     74      8  the first 8 bytes of SHA-256("trent/passphrase-record/v1" ‖ 0x00 ‖ the 74 bytes before)
//! ```
//!
//! The root key is the 32-byte Argon2id tag (version 0x13, no secret, no associated data). The verifier is sealed under
//! it for the purpose `passphrase-verifier` whose one field, `record`, is the first 29 bytes. The checksum tells
//! damage apart from a wrong passphrase; it is not keyed and protects from nobody.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroize;

use super::checksum;
use crate::envelope::{self, ENVELOPE_OVERHEAD_BYTES, Purpose, label};
use crate::message::SealError;
use crate::random::{Random, RandomError};
use crate::secret::Key256;

const VERSION: u8 = 1;
const SALT_BYTES: usize = 16;
const PARAMS_BYTES: usize = 1 + 3 * 4 + SALT_BYTES;
const CHECK_BYTES: usize = 8;
const CHECK_LABEL: &[u8] = b"trent/passphrase-record/v1";

/// Length of an encoded [`PassphraseRecord`].
pub const PASSPHRASE_RECORD_BYTES: usize = PARAMS_BYTES + ENVELOPE_OVERHEAD_BYTES + CHECK_BYTES;

// A record may come from a damaged or hostile file: it must not be able to ask for 100 GiB or a week.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 32;
const LANES_MAX: u32 = 64;

/// Why there is no root key from this passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// Written by another version of trent, most likely a newer one.
    #[error("passphrase record of unknown version {0}")]
    UnknownVersion(u8),
    /// Its length is not that of a record.
    #[error("not a passphrase record")]
    Malformed,
    /// Its checksum is wrong.
    #[error("the passphrase record is damaged")]
    Damaged,
    /// It asks for more memory, passes or lanes than trent is willing to spend, or fewer than Argon2id has.
    #[error("the Argon2id parameters are out of bounds")]
    ParametersOutOfBounds,
    /// The record is intact, and this is not its passphrase.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// The memory the parameters ask for is not there.
    #[error("not enough memory for Argon2id")]
    OutOfMemory,
    /// There were no random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The verifier could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// What Argon2id needs beside the passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassphraseParams {
    /// Memory, in KiB (`m`).
    pub memory_kib: u32,
    /// Passes over it (`t`).
    pub passes: u32,
    /// Lanes (`p`).
    pub lanes: u32,
    /// Random, one per installation.
    pub salt: [u8; SALT_BYTES],
}

impl PassphraseParams {
    /// The second recommended option of RFC 9106 section 4: 64 MiB, 3 passes, 4 lanes, and a fresh salt.
    ///
    /// The first (2 GiB) would not start on small machines. Four lanes rather than one because that is the set which was
    /// published and reviewed: the lanes are computed one after the other here, so they cost the same, and an
    /// attacker's parallel machine would compute many guesses at once anyway.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub fn generate(random: &dyn Random) -> Result<Self, RandomError> {
        let mut salt = [0; SALT_BYTES];
        random.fill(&mut salt)?;
        Ok(Self { memory_kib: 64 * 1024, passes: 3, lanes: 4, salt })
    }

    fn to_argon2(self) -> Result<Params, PassphraseError> {
        if self.memory_kib > MEMORY_KIB_MAX || self.passes > PASSES_MAX || self.lanes > LANES_MAX {
            return Err(PassphraseError::ParametersOutOfBounds);
        }
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32));
        params.map_err(|_| PassphraseError::ParametersOutOfBounds)
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PASSPHRASE_RECORD_BYTES);
        bytes.push(VERSION);
        for number in [self.memory_kib, self.passes, self.lanes] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.salt);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (_version, rest) = bytes.split_first()?;
        let (memory, rest) = rest.split_first_chunk()?;
        let (passes, rest) = rest.split_first_chunk()?;
        let (lanes, salt) = rest.split_first_chunk()?;
        Some(Self {
            memory_kib: u32::from_be_bytes(*memory),
            passes: u32::from_be_bytes(*passes),
            lanes: u32::from_be_bytes(*lanes),
            salt: salt.try_into().ok()?,
        })
    }
}

/// Derives the root key from a passphrase. Takes about a tenth of a second and 64 MiB with the default parameters.
///
/// # Errors
/// When the parameters are out of bounds or ask for more memory than there is.
pub fn derive_from_passphrase(
    passphrase: &[u8],
    params: &PassphraseParams,
) -> Result<Key256, PassphraseError> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.to_argon2()?);
    let mut memory = Blocks::new(argon2.params().block_count())?;
    Key256::try_fill(|key| {
        argon2.hash_password_into_with_memory(passphrase, &params.salt, key, &mut memory.0)
    })
    .map_err(|_| PassphraseError::ParametersOutOfBounds)
}

/// Argon2's memory: the key can be computed from it, so it is wiped. Asked for politely, because too little memory
/// should be an error to read, not an aborted process.
struct Blocks(Vec<Block>);

impl Blocks {
    fn new(count: usize) -> Result<Self, PassphraseError> {
        let mut blocks = Vec::new();
        blocks.try_reserve_exact(count).map_err(|_| PassphraseError::OutOfMemory)?;
        blocks.resize_with(count, Block::default);
        Ok(Self(blocks))
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What is kept of a passphrase: enough to compute the root key from it again, and to say when it is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassphraseRecord {
    params: PassphraseParams,
    verifier: Vec<u8>,
}

impl PassphraseRecord {
    /// A record for a new passphrase, and the root key that comes of it.
    ///
    /// # Errors
    /// See [`PassphraseError`].
    pub fn create(
        passphrase: &[u8],
        params: PassphraseParams,
        random: &dyn Random,
    ) -> Result<(Self, Key256), PassphraseError> {
        let root = derive_from_passphrase(passphrase, &params)?;
        let owner = params.encode();
        let verifier = envelope::seal(root.expose(), &purpose(&[("record", &owner)]), b"", random)?;
        Ok((Self { params, verifier }, root))
    }

    /// The root key, if this is the passphrase.
    ///
    /// # Errors
    /// See [`PassphraseError`].
    pub fn unlock(&self, passphrase: &[u8]) -> Result<Key256, PassphraseError> {
        let root = derive_from_passphrase(passphrase, &self.params)?;
        let owner = self.params.encode();
        envelope::open(root.expose(), &purpose(&[("record", &owner)]), &self.verifier)
            .map_err(|_| PassphraseError::WrongPassphrase)?;
        Ok(root)
    }

    /// The parameters, to be shown and compared with today's defaults.
    #[must_use]
    pub fn params(&self) -> &PassphraseParams {
        &self.params
    }

    /// The record as it is stored. Not secret, but whoever has it can test guesses of the passphrase.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.params.encode();
        bytes.extend_from_slice(&self.verifier);
        let check = checksum(CHECK_LABEL, &bytes);
        bytes.extend_from_slice(&check);
        bytes
    }

    /// Reads a stored record. Parameters are within bounds afterwards.
    ///
    /// # Errors
    /// See [`PassphraseError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, PassphraseError> {
        match bytes.first() {
            None => return Err(PassphraseError::Malformed),
            Some(&VERSION) => {}
            Some(&other) => return Err(PassphraseError::UnknownVersion(other)),
        }
        if bytes.len() != PASSPHRASE_RECORD_BYTES {
            return Err(PassphraseError::Malformed);
        }
        let (content, check) = bytes.split_last_chunk::<CHECK_BYTES>().ok_or(PassphraseError::Malformed)?;
        if *check != checksum(CHECK_LABEL, content) {
            return Err(PassphraseError::Damaged);
        }
        let (params, verifier) = content.split_at(PARAMS_BYTES);
        let params = PassphraseParams::decode(params).ok_or(PassphraseError::Malformed)?;
        params.to_argon2()?;
        Ok(Self { params, verifier: verifier.to_vec() })
    }
}

fn purpose<'a>(owner: &'a [(&'a str, &'a [u8])]) -> Purpose<'a> {
    Purpose::new(label::PASSPHRASE_VERIFIER, owner)
}

#[cfg(test)]
mod tests {
    use argon2::{AssociatedData, ParamsBuilder};
    use proptest::prelude::*;

    use super::*;
    use crate::fixtures::{Known, array, bytes, cases, hex, number, tampered};
    use crate::random::SystemRandom;

    const SMALL: PassphraseParams = PassphraseParams { memory_kib: 64, passes: 1, lanes: 1, salt: [4; 16] };

    fn created() -> (PassphraseRecord, Key256) {
        PassphraseRecord::create(b"passphrase", SMALL, &SystemRandom::new()).unwrap()
    }

    /// A record with these numbers and a good checksum.
    fn record_with(memory_kib: u32, passes: u32, lanes: u32) -> Vec<u8> {
        let params = PassphraseParams { memory_kib, passes, lanes, salt: [4; 16] };
        PassphraseRecord { params, verifier: created().0.verifier }.encode()
    }

    #[test]
    fn records_made_elsewhere_unlock_and_are_made_alike() {
        for case in cases(include_str!("../../testdata/formats/v1/passphrase_record.json")) {
            let passphrase = case["passphrase"].as_str().unwrap().as_bytes();
            let record = PassphraseRecord::decode(&bytes(&case["record"])).unwrap();
            assert_eq!(*record.unlock(passphrase).unwrap().expose(), array(&case["root"]));

            let [memory_kib, passes, lanes] =
                ["memory_kib", "passes", "lanes"].map(|name| number(&case[name]));
            let params = PassphraseParams { memory_kib, passes, lanes, salt: array(&case["salt"]) };
            let random = Known::new(&[&bytes(&case["nonce"]), &bytes(&case["iv"])]);
            let (made, root) = PassphraseRecord::create(passphrase, params, &random).unwrap();
            assert_eq!(hex(&made.encode()), case["record"].as_str().unwrap());
            assert_eq!(*root.expose(), array(&case["root"]));
        }
    }

    /// RFC 9106 section 5.3. It has a secret and associated data, which records do not use.
    #[test]
    fn argon2id_agrees_with_the_vector_of_its_rfc() {
        let mut params = ParamsBuilder::new();
        params.m_cost(32).t_cost(3).p_cost(4).output_len(32);
        params.data(AssociatedData::new(&[4; 12]).unwrap());
        let params = params.build().unwrap();
        let argon2 = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
        let mut tag = [0; 32];
        argon2.hash_password_into(&[1; 32], &[2; 16], &mut tag).unwrap();
        let expected = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659";
        assert_eq!(hex(&tag), expected);
    }

    #[test]
    fn the_defaults_are_those_of_the_rfc() {
        let params = PassphraseParams::generate(&Known::new(&[&[9; 16]])).unwrap();
        assert_eq!(params, PassphraseParams { memory_kib: 65536, passes: 3, lanes: 4, salt: [9; 16] });
    }

    #[test]
    fn a_wrong_passphrase_is_told_apart_from_damage() {
        let (record, root) = created();
        let stored = record.encode();
        assert_eq!(stored.len(), 82);
        let record = PassphraseRecord::decode(&stored).unwrap();
        assert_eq!(record.unlock(b"passphrase"), Ok(root));
        assert_eq!(record.unlock(b"Passphrase"), Err(PassphraseError::WrongPassphrase));
        assert_eq!(record.unlock(b""), Err(PassphraseError::WrongPassphrase));
        for altered in tampered(&stored) {
            let expected = match altered.first() {
                Some(&VERSION) if altered.len() == stored.len() => PassphraseError::Damaged,
                Some(&VERSION) | None => PassphraseError::Malformed,
                Some(&other) => PassphraseError::UnknownVersion(other),
            };
            assert_eq!(PassphraseRecord::decode(&altered), Err(expected));
        }
    }

    #[test]
    fn a_record_cannot_ask_for_too_much() {
        for (memory_kib, passes, lanes) in [
            (u32::MAX, 1, 1),
            (MEMORY_KIB_MAX + 1, 1, 1),
            (64, PASSES_MAX + 1, 1),
            (64, u32::MAX, 1),
            (1024, 1, LANES_MAX + 1),
            (64, 0, 1),
            (64, 1, 0),
            (0, 1, 1),
            (31, 1, 4),
        ] {
            let refused = PassphraseRecord::decode(&record_with(memory_kib, passes, lanes));
            assert_eq!(refused, Err(PassphraseError::ParametersOutOfBounds), "{memory_kib} {passes} {lanes}");
        }
        assert!(PassphraseRecord::decode(&record_with(MEMORY_KIB_MAX, PASSES_MAX, LANES_MAX)).is_ok());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_refused_without_panic(mut record in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(PassphraseRecord::decode(&record).is_err());
            record.resize(PASSPHRASE_RECORD_BYTES, 0);
            record[0] = VERSION;
            prop_assert_eq!(PassphraseRecord::decode(&record), Err(PassphraseError::Damaged));
        }
    }
}
