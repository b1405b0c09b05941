//! The ciphertext blob of keys in external key stores: encrypted by trent, and what that gives by the external key.
//!
//! ```text
//! offset       bytes
//!      0           1  version: 01
//!      1           1  kind of key: 78 (`x`)
//!      2          16  key id: the bytes of its UUID
//!     18          32  material id, of trent's own material
//!     50           1  length i of the IV: 0c or 10
//!     51           1  00 without metadata, else their length m and 1
//!     52           2  length n of the ciphertext, big-endian
//!     54           i  IV
//! 54 + i          16  tag
//! 70 + i           m  metadata
//! 70 + i + m       n  ciphertext
//! ```
//!
//! IV, tag, metadata and ciphertext are the proxy's. Its plaintext is what trent has encrypted before: a [`Sealed`]
//! message, made as other blobs are, with the label `trent/ciphertext/external/v1` and the first 50 bytes as its prefix.
//! The proxy's associated data are a hash of the same 50 bytes and the context: nothing of the context leaves trent,
//! and no context is too long.
//!
//! Invariant: what [`Double::read`] takes, [`Double::write`] gives back byte by byte.

use super::{BlobKeyId, CanonicalContext, EXTERNAL, InvalidCiphertext, PREFIX_BYTES, VERSION, prefix};
use crate::digest::sha256;
use crate::message::{Format, OVERHEAD_BYTES, SealError};
use crate::random::Random;
use crate::secret::SecretBytes;

const FORMAT: Format = Format { label: b"trent/ciphertext/external/v1", prefix_bytes: PREFIX_BYTES };
const AAD_LABEL: &[u8] = b"trent/external-aad/v1\0";
const LENGTHS_BYTES: usize = 4;
const TAG_BYTES: usize = 16;
const IV_BYTES: [usize; 2] = [12, 16];
const METADATA_BYTES_MAX: usize = 20;
/// The longest text that proxies must take.
const TEXT_BYTES_MAX: usize = 4300;

/// The longest plaintext that fits into what a proxy must take.
pub const PLAINTEXT_BYTES_MAX: usize = TEXT_BYTES_MAX - OVERHEAD_BYTES;

type Prefix = [u8; PREFIX_BYTES];

/// A message that trent's own material has sealed, or is to open: what the external key encrypts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    prefix: Prefix,
    message: Vec<u8>,
}

impl Sealed {
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
    ) -> Result<Self, SealError> {
        if plaintext.len() > PLAINTEXT_BYTES_MAX {
            return Err(SealError::TooLong);
        }
        let prefix = prefix(EXTERNAL, key, material_id);
        let mut message = FORMAT.seal(material, &prefix, context.as_bytes(), plaintext, random)?;
        Ok(Self { prefix, message: message.split_off(PREFIX_BYTES) })
    }

    /// Opens the message with the material that its blob names.
    ///
    /// # Errors
    /// [`InvalidCiphertext`], whatever is wrong.
    pub fn open(
        &self,
        material: &[u8; 32],
        context: &CanonicalContext,
    ) -> Result<SecretBytes, InvalidCiphertext> {
        let message = [self.prefix.as_slice(), &self.message].concat();
        FORMAT.open(material, context.as_bytes(), &message).ok_or(InvalidCiphertext)
    }

    /// What goes to the proxy.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// What goes to the proxy as additional authenticated data.
    #[must_use]
    pub fn additional_data(&self, context: &CanonicalContext) -> [u8; 32] {
        additional_data(&self.prefix, context)
    }
}

/// What an external key has made of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outer<'a> {
    /// As long as the message.
    pub ciphertext: &'a [u8],
    /// 12 or 16 bytes.
    pub iv: &'a [u8],
    /// 16 bytes.
    pub tag: &'a [u8],
    /// Up to 20 bytes; none is not the same as empty ones.
    pub metadata: Option<&'a [u8]>,
}

/// A blob in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Double<'a> {
    prefix: Prefix,
    /// What the external key has made.
    pub outer: Outer<'a>,
}

impl<'a> Double<'a> {
    /// The blob of a message and of what an external key has made of it; nothing where the latter cannot be so.
    #[must_use]
    pub fn new(sealed: &Sealed, outer: Outer<'a>) -> Option<Self> {
        let fits = outer.ciphertext.len() == sealed.message.len()
            && IV_BYTES.contains(&outer.iv.len())
            && outer.tag.len() == TAG_BYTES
            && outer.metadata.is_none_or(|metadata| metadata.len() <= METADATA_BYTES_MAX);
        fits.then_some(Self { prefix: sealed.prefix, outer })
    }

    /// Takes a blob apart. Checks its form, not its truth.
    ///
    /// # Errors
    /// [`InvalidCiphertext`] when it is no blob of a key in an external key store, or its lengths do not add up.
    pub fn read(blob: &'a [u8]) -> Result<Self, InvalidCiphertext> {
        let (prefix, rest) = blob.split_first_chunk::<PREFIX_BYTES>().ok_or(InvalidCiphertext)?;
        let ([VERSION, EXTERNAL, ..], Some((&[iv, metadata, high, low], rest))) =
            (prefix, rest.split_first_chunk::<LENGTHS_BYTES>())
        else {
            return Err(InvalidCiphertext);
        };
        let cut = |from: &'a [u8], at: usize| from.split_at_checked(at).ok_or(InvalidCiphertext);
        let (iv, rest) = cut(rest, iv.into())?;
        let (tag, rest) = cut(rest, TAG_BYTES)?;
        let metadata = usize::from(metadata).checked_sub(1);
        let (read, ciphertext) = cut(rest, metadata.unwrap_or(0))?;
        let lengths = OVERHEAD_BYTES..=TEXT_BYTES_MAX;
        let is_right = IV_BYTES.contains(&iv.len())
            && read.len() <= METADATA_BYTES_MAX
            && ciphertext.len() == usize::from(u16::from_be_bytes([high, low]))
            && lengths.contains(&ciphertext.len());
        let outer = Outer { ciphertext, iv, tag, metadata: metadata.map(|_| read) };
        if is_right { Ok(Self { prefix: *prefix, outer }) } else { Err(InvalidCiphertext) }
    }

    /// The blob.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let Outer { ciphertext, iv, tag, metadata } = self.outer;
        // All of these fit: whoever makes a value of this type has looked.
        let [iv_length, metadata_length] =
            [iv.len(), metadata.map_or(0, |metadata| metadata.len() + 1)].map(usize::to_be_bytes);
        let length = ciphertext.len().to_be_bytes();
        let lengths = [last::<1>(&iv_length), last::<1>(&metadata_length), last::<2>(&length)].concat();
        [&self.prefix, lengths.as_slice(), iv, tag, metadata.unwrap_or_default(), ciphertext].concat()
    }

    /// What goes to the proxy as additional authenticated data.
    #[must_use]
    pub fn additional_data(&self, context: &CanonicalContext) -> [u8; 32] {
        additional_data(&self.prefix, context)
    }

    /// How long the plaintext is, if the blob is what it says.
    #[must_use]
    pub const fn plaintext_bytes(&self) -> usize {
        self.outer.ciphertext.len().saturating_sub(OVERHEAD_BYTES)
    }

    /// What the external key has decrypted.
    #[must_use]
    pub fn sealed(&self, message: Vec<u8>) -> Sealed {
        Sealed { prefix: self.prefix, message }
    }
}

fn additional_data(prefix: &Prefix, context: &CanonicalContext) -> [u8; 32] {
    sha256(&[AAD_LABEL, prefix, context.as_bytes()])
}

/// The last bytes of a number.
fn last<const N: usize>(number: &[u8]) -> &[u8] {
    number.last_chunk::<N>().map_or(&[], |last| last)
}

#[cfg(test)]
mod tests {
    use super::super::{MadeBy, read_header, seal};
    use super::*;
    use crate::fixtures::{Known, array, bytes, cases, hex, tampered};
    use crate::random::SystemRandom;

    const KEY: BlobKeyId = BlobKeyId { multi_region: false, uuid: [3; 16] };
    const ALIKE: Outer<'_> = Outer { ciphertext: &[7; 50], iv: &[8; 12], tag: &[9; 16], metadata: None };

    fn none() -> CanonicalContext {
        CanonicalContext::new(None)
    }

    fn sealed() -> Sealed {
        Sealed::seal(&[1; 32], KEY, &[2; 32], &none(), b"secret", &SystemRandom::new()).unwrap()
    }

    #[test]
    fn a_blob_made_elsewhere_is_the_one_that_is_made_here_and_opens() {
        for case in cases(include_str!("../../testdata/formats/v1/double.json")) {
            let pairs = serde_json::from_value(case["context"].clone()).unwrap();
            let context = CanonicalContext::new(Option::as_ref(&pairs));
            let of = |name: &str| bytes(&case[name]);
            let (material, material_id) = (array(&case["material"]), array(&case["material_id"]));
            let key = BlobKeyId { multi_region: false, uuid: array(&case["uuid"]) };
            let random = Known::new(&[&of("nonce"), &of("iv")]);
            let sealed =
                Sealed::seal(&material, key, &material_id, &context, &of("plaintext"), &random).unwrap();
            assert_eq!(hex(sealed.message()), case["message"].as_str().unwrap());
            assert_eq!(hex(&sealed.additional_data(&context)), case["aad"].as_str().unwrap());
            let (ciphertext, iv, tag) = (of("outer_ciphertext"), of("outer_iv"), of("outer_tag"));
            let metadata = case["metadata"].as_str().map(|_| of("metadata"));
            let outer = Outer { ciphertext: &ciphertext, iv: &iv, tag: &tag, metadata: metadata.as_deref() };
            let blob = Double::new(&sealed, outer).unwrap().write();
            assert_eq!(hex(&blob), case["blob"].as_str().unwrap(), "{}", case["name"]);
            let read = Double::read(&blob).unwrap();
            assert_eq!((read.outer, read.plaintext_bytes()), (outer, of("plaintext").len()));
            assert_eq!(read.additional_data(&context), sealed.additional_data(&context));
            let opened = read.sealed(of("message")).open(&material, &context).unwrap();
            assert_eq!(*opened.expose(), of("plaintext"));
        }
    }

    #[test]
    fn a_message_opens_with_its_material_context_and_prefix_alone() {
        let sealed = sealed();
        let blob = Double::new(&sealed, ALIKE).unwrap().write();
        let header = read_header(&blob).unwrap();
        assert_eq!((header.key_id, header.made_by), (KEY, MadeBy::MaterialAndExternalKey([2; 32])));
        let read = Double::read(&blob).unwrap();
        let message = read.sealed(sealed.message().to_vec());
        assert_eq!(message.open(&[1; 32], &none()).unwrap().expose(), b"secret");
        assert!(message.open(&[2; 32], &none()).is_err());
        let other = CanonicalContext::new(Some(&[("a".to_owned(), "b".to_owned())].into()));
        assert!(message.open(&[1; 32], &other).is_err());
        assert_ne!(sealed.additional_data(&none()), sealed.additional_data(&other));
        for bit in 8..50 * 8 {
            let mut altered = sealed.clone();
            altered.prefix[bit / 8] ^= 1 << (bit % 8);
            assert!(altered.open(&[1; 32], &none()).is_err());
            assert_ne!(altered.additional_data(&none()), sealed.additional_data(&none()));
        }
        // What trent alone has sealed is nothing that an external key has sealed, and the other way round.
        let own = seal(&[1; 32], KEY, &[2; 32], &none(), b"secret", &SystemRandom::new()).unwrap();
        assert!(read.sealed(own[50..].to_vec()).open(&[1; 32], &none()).is_err());
        assert!(Double::read(&own).is_err());
        assert_eq!(super::super::open(&[1; 32], &none(), &blob), Err(InvalidCiphertext));
    }

    #[test]
    fn lengths_are_strict_and_nothing_that_is_read_is_lost() {
        for metadata in [None, Some(&[][..]), Some(&[1; 20])] {
            for iv in [&[8; 12][..], &[8; 16]] {
                let blob = Double::new(&sealed(), Outer { iv, metadata, ..ALIKE }).unwrap().write();
                assert_eq!(Double::read(&blob).unwrap().write(), blob);
                for altered in tampered(&blob).filter(|altered| altered.len() != blob.len()) {
                    assert_eq!(read_header(&altered), Err(InvalidCiphertext));
                }
                for altered in tampered(&blob) {
                    assert!(
                        Double::read(&altered).is_ok_and(|read| read.write() == altered)
                            || Double::read(&altered).is_err()
                    );
                }
            }
        }
        for wrong in [
            Outer { ciphertext: &[7; 49], ..ALIKE },
            Outer { iv: &[8; 13], ..ALIKE },
            Outer { tag: &[9; 12], ..ALIKE },
            Outer { metadata: Some(&[1; 21]), ..ALIKE },
        ] {
            assert_eq!(Double::new(&sealed(), wrong), None);
        }
        let seal =
            |length| Sealed::seal(&[1; 32], KEY, &[2; 32], &none(), &vec![5; length], &SystemRandom::new());
        assert_eq!(seal(PLAINTEXT_BYTES_MAX).unwrap().message().len(), TEXT_BYTES_MAX);
        assert_eq!(seal(PLAINTEXT_BYTES_MAX + 1), Err(SealError::TooLong));
    }
}
