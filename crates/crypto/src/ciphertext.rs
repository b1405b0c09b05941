//! The ciphertext blob: what `Encrypt` and `GenerateDataKey` give out, and `Decrypt` takes back.
//!
//! ```text
//! offset  bytes
//!      0      1  version: 01
//!      1      1  kind of key: 73 (`s`) single-Region, 6d (`m`) multi-Region; with 78 (`x`) or 68 (`h`) it goes on as
//!                [`double`] or [`hsm`] says
//!      2     16  key id: the bytes of its UUID
//!     18     32  material id
//!     50     16  nonce
//!     66     12  IV
//!     78      n  ciphertext, as long as the plaintext
//! 78 + n     16  tag
//! ```
//!
//! The message key is `KDF(material, "trent/ciphertext/v1", nonce)` ([`crate::kdf`]); the cipher is AES-256-GCM
//! (NIST SP 800-38D); the associated data are the 78 bytes before the ciphertext, then the [`CanonicalContext`].
//!
//! The header says which key and material open the blob, so that `Decrypt` needs no key id and rotation leaves old
//! blobs readable. It does not name account or Region: a related multi-Region key, which has the same id and
//! material, must be able to open it.
//!
//! Invariants: every failure is the same [`InvalidCiphertext`]. A blob opens under one material only, provided that
//! the caller takes the material that the header's id names: that id is a keyed hash of the material
//! ([`crate::material_id`]), so it commits to it, which GCM alone would not.

pub mod double;
pub mod hsm;

use std::collections::BTreeMap;

use crate::message::{Format, OVERHEAD_BYTES, SealError};
use crate::random::Random;
use crate::secret::SecretBytes;

/// The version this code writes.
pub const VERSION: u8 = 1;
// No kind is a version, nor will be one: the id of a key begins with a time, so with 01 for years to come, and a
// blob that has lost its first byte must not look like one of a key that does not exist.
const SINGLE_REGION: u8 = b's';
const MULTI_REGION: u8 = b'm';
/// A single-Region key in an external key store.
const EXTERNAL: u8 = b'x';
/// A single-Region key in HSMs.
const HSM: u8 = b'h';
/// Version, kind, key id, material id.
const PREFIX_BYTES: usize = 1 + 1 + 16 + 32;

const FORMAT: Format = Format { label: b"trent/ciphertext/v1", prefix_bytes: PREFIX_BYTES };

/// What sealing adds to a plaintext: 94 bytes, against some 152 of AWS for a data key of 32 bytes.
pub const BLOB_OVERHEAD_BYTES: usize = PREFIX_BYTES + OVERHEAD_BYTES;
/// The longest blob the API takes (`CiphertextBlob`: 1 to 6144 bytes).
pub const BLOB_BYTES_MAX: usize = 6144;
/// The longest plaintext that gives such a blob. The API has lower limits of its own.
pub const PLAINTEXT_BYTES_MAX: usize = BLOB_BYTES_MAX - BLOB_OVERHEAD_BYTES;

/// The blob cannot be opened: malformed, altered, under another key or material, or with another context.
///
/// Deliberately without a reason: a caller who could tell the cases apart would learn something about the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ciphertext cannot be opened")]
pub struct InvalidCiphertext;

/// The key a blob was made with, as the blob names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKeyId {
    /// Whether the key is a multi-Region key (its id is written `mrk-` and 32 hex digits).
    pub multi_region: bool,
    /// The 16 bytes of the key id.
    pub uuid: [u8; 16],
}

impl BlobKeyId {
    /// Kind byte, then the UUID.
    pub(crate) fn to_bytes(self) -> [u8; 17] {
        let mut bytes = [0; 17];
        let (kind, uuid) = bytes.split_at_mut(1);
        kind.fill(if self.multi_region { MULTI_REGION } else { SINGLE_REGION });
        uuid.copy_from_slice(&self.uuid);
        bytes
    }

    fn from_parts(kind: u8, uuid: [u8; 16]) -> Result<Self, InvalidCiphertext> {
        match kind {
            SINGLE_REGION | EXTERNAL => Ok(Self { multi_region: false, uuid }),
            MULTI_REGION => Ok(Self { multi_region: true, uuid }),
            _ => Err(InvalidCiphertext),
        }
    }
}

/// What a blob says about itself. Not to be believed before [`open`] succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The key.
    pub key_id: BlobKeyId,
    /// What of that key.
    pub made_by: MadeBy,
}

/// What of a key made a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeBy {
    /// A material, by its id ([`crate::material_id`]).
    Material([u8; 32]),
    /// A material, and around that an external key.
    MaterialAndExternalKey([u8; 32]),
    /// The key in HSMs that is called so there.
    HsmKey([u8; hsm::HSM_KEY_BYTES]),
}

/// An encryption context as it is authenticated: pairs in the order of their keys' UTF-8 bytes, everything with its
/// length before it, so that no two contexts look the same.
///
/// ```text
/// number of pairs ‖ (length of key ‖ key ‖ length of value ‖ value) …     numbers: 32 bits, big-endian
/// ```
///
/// No context and an empty one are the same: four zero bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalContext(Vec<u8>);

impl CanonicalContext {
    /// Writes `context` down. `BTreeMap<String, _>` is in the order of UTF-8 bytes already.
    #[must_use]
    pub fn new(context: Option<&BTreeMap<String, String>>) -> Self {
        let Some(context) = context else { return Self(vec![0; 4]) };
        let text: usize = context.iter().map(|(key, value)| 8 + key.len() + value.len()).sum();
        let mut bytes = Vec::with_capacity(4 + text);
        push_length(&mut bytes, context.len());
        for part in context.iter().flat_map(|(key, value)| [key, value]) {
            push_length(&mut bytes, part.len());
            bytes.extend_from_slice(part.as_bytes());
        }
        Self(bytes)
    }

    /// Length in bytes, at least 4. Whoever takes contexts from outside bounds it.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.0.len()
    }

    /// The bytes that are authenticated.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn push_length(bytes: &mut Vec<u8>, length: usize) {
    // More than 4 GiB cannot arrive in a request; if it did, the blob would be sealed, just less unambiguously.
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
}

/// Reads which key and material a blob was made with. Checks its form, not its truth: that is for [`open`].
///
/// # Errors
/// [`InvalidCiphertext`] when it is too short or too long, or of an unknown version or kind.
pub fn read_header(blob: &[u8]) -> Result<Header, InvalidCiphertext> {
    if let Ok(hsm::HsmBlob { key, .. }) = hsm::HsmBlob::read(blob) {
        return Ok(Header { key_id: key.key_id(), made_by: MadeBy::HsmKey(key.id) });
    }
    let header = read_prefix(blob)?;
    if matches!(header.made_by, MadeBy::MaterialAndExternalKey(_)) {
        double::Double::read(blob)?;
    }
    Ok(header)
}

fn read_prefix(blob: &[u8]) -> Result<Header, InvalidCiphertext> {
    if !(BLOB_OVERHEAD_BYTES..=BLOB_BYTES_MAX).contains(&blob.len()) {
        return Err(InvalidCiphertext);
    }
    let ([VERSION, kind], rest) = blob.split_first_chunk().ok_or(InvalidCiphertext)? else {
        return Err(InvalidCiphertext);
    };
    let (uuid, rest) = rest.split_first_chunk().ok_or(InvalidCiphertext)?;
    let material_id = *rest.first_chunk().ok_or(InvalidCiphertext)?;
    let made_by = match *kind {
        EXTERNAL => MadeBy::MaterialAndExternalKey(material_id),
        _ => MadeBy::Material(material_id),
    };
    Ok(Header { key_id: BlobKeyId::from_parts(*kind, *uuid)?, made_by })
}

/// Seals `plaintext` under `material`, which is that of `key` named `material_id`.
///
/// # Errors
/// When the plaintext is longer than [`PLAINTEXT_BYTES_MAX`], or there are no random bytes.
pub fn seal(
    material: &[u8; 32],
    key: BlobKeyId,
    material_id: &[u8; 32],
    context: &CanonicalContext,
    plaintext: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>, SealError> {
    if plaintext.len() > PLAINTEXT_BYTES_MAX {
        return Err(SealError::TooLong);
    }
    let [kind, ..] = key.to_bytes();
    FORMAT.seal(material, &prefix(kind, key, material_id), context.as_bytes(), plaintext, random)
}

/// What a blob of either form begins with.
fn prefix(kind: u8, key: BlobKeyId, material_id: &[u8; 32]) -> [u8; PREFIX_BYTES] {
    let mut prefix = [VERSION; PREFIX_BYTES];
    let parts = [kind].into_iter().chain(key.uuid).chain(*material_id);
    prefix.iter_mut().skip(1).zip(parts).for_each(|(byte, part)| *byte = part);
    prefix
}

/// Opens a blob with the material its header names.
///
/// # Errors
/// [`InvalidCiphertext`], whatever is wrong.
pub fn open(
    material: &[u8; 32],
    context: &CanonicalContext,
    blob: &[u8],
) -> Result<SecretBytes, InvalidCiphertext> {
    let MadeBy::Material(_) = read_header(blob)?.made_by else { return Err(InvalidCiphertext) };
    FORMAT.open(material, context.as_bytes(), blob).ok_or(InvalidCiphertext)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::fixtures::{Known, array, bytes, cases, hex, tampered};
    use crate::material_id::material_id;
    use crate::random::SystemRandom;
    use crate::secret::Key256;

    const KEY: BlobKeyId = BlobKeyId { multi_region: false, uuid: [3; 16] };

    fn context(pairs: &[(&str, &str)]) -> CanonicalContext {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        CanonicalContext::new(Some(&pairs.collect()))
    }

    fn sealed(context: &CanonicalContext, plaintext: &[u8]) -> Vec<u8> {
        seal(&[1; 32], KEY, &[2; 32], context, plaintext, &SystemRandom::new()).unwrap()
    }

    fn context_of(case: &Value) -> CanonicalContext {
        let pairs: Option<BTreeMap<String, String>> =
            serde_json::from_value(case["context"].clone()).unwrap();
        CanonicalContext::new(pairs.as_ref())
    }

    fn key_of(case: &Value) -> BlobKeyId {
        BlobKeyId { multi_region: case["multi_region"].as_bool().unwrap(), uuid: array(&case["uuid"]) }
    }

    #[test]
    fn blobs_made_elsewhere_open() {
        for file in [
            include_str!("../testdata/formats/v1/blob.json"),
            include_str!("../testdata/formats/v1/blob_rust.json"),
        ] {
            for case in cases(file) {
                let blob = bytes(&case["blob"]);
                let header = read_header(&blob).unwrap();
                assert_eq!(
                    header,
                    Header { key_id: key_of(&case), made_by: MadeBy::Material(array(&case["material_id"])) }
                );
                let plaintext = open(&array(&case["material"]), &context_of(&case), &blob).unwrap();
                assert_eq!(*plaintext.expose(), bytes(&case["plaintext"]), "{}", case["name"]);
            }
        }
    }

    #[test]
    fn sealing_with_the_same_nonce_and_iv_gives_the_same_blob_as_elsewhere() {
        for case in cases(include_str!("../testdata/formats/v1/blob.json")) {
            let random = Known::new(&[&bytes(&case["nonce"]), &bytes(&case["iv"])]);
            let material = array(&case["material"]);
            let material_id = array(&case["material_id"]);
            let plaintext = bytes(&case["plaintext"]);
            let blob = seal(&material, key_of(&case), &material_id, &context_of(&case), &plaintext, &random);
            assert_eq!(hex(&blob.unwrap()), case["blob"].as_str().unwrap(), "{}", case["name"]);
        }
    }

    #[test]
    fn material_ids_agree_with_an_independent_implementation() {
        for case in cases(include_str!("../testdata/formats/v1/blob.json")) {
            let id_key = Key256::new(array(&case["id_key"]));
            let id = material_id(&id_key, &key_of(&case), &bytes(&case["material"]));
            assert_eq!(id, array(&case["material_id"]), "{}", case["name"]);
        }
    }

    /// Prints `testdata/formats/v1/blob_rust.json`, for `testdata/open_blob.py` to check.
    #[test]
    #[ignore = "prints a fixture that does not change once it is released"]
    fn print_blobs_for_python() {
        let made = cases(include_str!("../testdata/formats/v1/blob.json")).into_iter().map(|mut case| {
            let [material, material_id] = ["material", "material_id"].map(|name| array(&case[name]));
            let plaintext = bytes(&case["plaintext"]);
            let random = SystemRandom::new();
            let blob = seal(&material, key_of(&case), &material_id, &context_of(&case), &plaintext, &random);
            case["blob"] = json!(hex(&blob.unwrap()));
            let fields = case.as_object_mut().unwrap();
            fields.retain(|name, _| !["nonce", "iv", "id_key"].contains(&name.as_str()));
            case
        });
        let file =
            json!({ "source": "trent-crypto, `print_blobs_for_python`", "cases": Vec::from_iter(made) });
        println!("{file:#}");
    }

    #[test]
    fn the_overhead_is_94_bytes() {
        assert_eq!(BLOB_OVERHEAD_BYTES, 94);
        assert_eq!(sealed(&context(&[]), &[0; 32]).len(), 126);
    }

    #[test]
    fn whatever_is_done_to_a_blob_it_gives_the_one_error() {
        let context = context(&[("a", "b")]);
        let blob = sealed(&context, b"secret");
        for altered in tampered(&blob) {
            assert_eq!(open(&[1; 32], &context, &altered), Err(InvalidCiphertext), "{altered:?}");
        }
        assert_eq!(open(&[9; 32], &context, &blob), Err(InvalidCiphertext));
        assert!(open(&[1; 32], &context, &blob).is_ok());
    }

    #[test]
    fn a_blob_without_its_first_byte_names_no_key() {
        // As ids are made: they begin with a time, whose first byte is 01 until 2039.
        let key = BlobKeyId { multi_region: false, uuid: [VERSION; 16] };
        for key in [key, BlobKeyId { multi_region: true, ..key }] {
            let context = context(&[]);
            let blob = seal(&[1; 32], key, &[2; 32], &context, b"secret", &SystemRandom::new()).unwrap();
            assert_eq!(read_header(&blob[1..]), Err(InvalidCiphertext));
        }
    }

    #[test]
    fn contexts_that_would_concatenate_alike_are_told_apart() {
        let alike = [
            context(&[]),
            context(&[("", "")]),
            context(&[("a", "bc")]),
            context(&[("ab", "c")]),
            context(&[("abc", "")]),
            context(&[("", "abc")]),
            context(&[("a", "b"), ("c", "")]),
            context(&[("a", "bc"), ("", "")]),
            context(&[("A", "bc")]),
        ];
        for sealed_with in &alike {
            let blob = sealed(sealed_with, b"secret");
            for opened_with in &alike {
                assert_eq!(open(&[1; 32], opened_with, &blob).is_ok(), sealed_with == opened_with);
            }
        }
    }

    #[test]
    fn no_context_is_an_empty_one() {
        let none = CanonicalContext::new(None);
        assert_eq!(none, context(&[]));
        assert_eq!(none.as_bytes(), [0; 4]);
        assert_eq!(context(&[("ab", "c")]).as_bytes(), b"\0\0\0\x01\0\0\0\x02ab\0\0\0\x01c");
        assert_eq!(context(&[("ab", "c")]).len_bytes(), 15);
    }

    #[test]
    fn related_multi_region_keys_read_each_other_and_single_region_keys_do_not() {
        let context = context(&[]);
        let mut blob = sealed(&context, b"secret");
        assert_eq!(blob[1], SINGLE_REGION);
        blob[1] = MULTI_REGION;
        assert!(read_header(&blob).unwrap().key_id.multi_region);
        assert_eq!(open(&[1; 32], &context, &blob), Err(InvalidCiphertext));
    }

    #[test]
    fn unknown_versions_and_kinds_are_refused() {
        let blob = sealed(&context(&[]), b"secret");
        for (at, known) in [(0, vec![VERSION]), (1, vec![SINGLE_REGION, MULTI_REGION, HSM])] {
            for value in (0..=255).filter(|value| !known.contains(value)) {
                let mut altered = blob.clone();
                altered[at] = value;
                assert_eq!(read_header(&altered), Err(InvalidCiphertext));
            }
        }
    }

    #[test]
    fn lengths_are_bounded() {
        let context = context(&[]);
        let longest = sealed(&context, &vec![5; PLAINTEXT_BYTES_MAX]);
        assert_eq!(longest.len(), BLOB_BYTES_MAX);
        assert!(open(&[1; 32], &context, &longest).is_ok());
        assert_eq!(read_header(&[1; BLOB_OVERHEAD_BYTES - 1]), Err(InvalidCiphertext));
        assert_eq!(read_header(&[1; BLOB_BYTES_MAX + 1]), Err(InvalidCiphertext));
        let too_long = vec![5; PLAINTEXT_BYTES_MAX + 1];
        let refused = seal(&[1; 32], KEY, &[2; 32], &context, &too_long, &SystemRandom::new());
        assert_eq!(refused, Err(SealError::TooLong));
    }

    #[test]
    fn the_same_plaintext_never_gives_the_same_blob() {
        let context = context(&[]);
        assert_ne!(sealed(&context, b"secret"), sealed(&context, b"secret"));
    }

    #[test]
    fn nothing_is_sealed_without_randomness() {
        let dry = Known::new(&[&[0; 27]]);
        let refused = seal(&[1; 32], KEY, &[2; 32], &context(&[]), b"secret", &dry);
        assert_eq!(refused, Err(SealError::Random(crate::random::RandomError)));
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(
            material: [u8; 32], multi_region: bool, uuid: [u8; 16], material_id: [u8; 32],
            pairs in proptest::option::of(proptest::collection::btree_map(".{0,20}", ".{0,20}", 0..5)),
            plaintext in proptest::collection::vec(any::<u8>(), 0..5000),
        ) {
            let key = BlobKeyId { multi_region, uuid };
            let context = CanonicalContext::new(pairs.as_ref());
            let blob = seal(&material, key, &material_id, &context, &plaintext, &SystemRandom::new()).unwrap();
            prop_assert_eq!(blob.len(), plaintext.len() + BLOB_OVERHEAD_BYTES);
            prop_assert_eq!(read_header(&blob), Ok(Header { key_id: key, made_by: MadeBy::Material(material_id) }));
            let opened = open(&material, &context, &blob).unwrap();
            prop_assert_eq!(opened.expose(), &plaintext);
        }

        #[test]
        fn arbitrary_bytes_are_refused_without_panic(mut blob in proptest::collection::vec(any::<u8>(), 0..7000)) {
            prop_assert_eq!(open(&[1; 32], &CanonicalContext::new(None), &blob), Err(InvalidCiphertext));
            for (byte, value) in blob.iter_mut().zip([1, 1]) {
                *byte = value;
            }
            prop_assert_eq!(open(&[1; 32], &CanonicalContext::new(None), &blob), Err(InvalidCiphertext));
        }
    }
}
