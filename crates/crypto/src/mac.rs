//! HMAC, RFC 2104, with SHA-2: keys, codes, and checking them in constant time.

use aws_lc_rs::hmac;

use crate::asymmetric::record::{self, RecordError};
use crate::random::{Random, RandomError};
use crate::secret::SecretBytes;

/// The specs of HMAC keys there are. Each has one algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is what its name says")]
pub enum MacSpec {
    Hmac224,
    Hmac256,
    Hmac384,
    Hmac512,
}

impl MacSpec {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hmac224, Self::Hmac256, Self::Hmac384, Self::Hmac512];

    /// The length of a code, and of a key that is made here.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Hmac224 => 28,
            Self::Hmac256 => 32,
            Self::Hmac384 => 48,
            Self::Hmac512 => 64,
        }
    }

    /// The longest key that is imported: a block of the hash. A longer one would be hashed first (RFC 2104 section 2).
    #[must_use]
    pub const fn key_bytes_max(self) -> usize {
        match self {
            Self::Hmac224 | Self::Hmac256 => 64,
            Self::Hmac384 | Self::Hmac512 => 128,
        }
    }

    const fn algorithm(self) -> hmac::Algorithm {
        match self {
            Self::Hmac224 => hmac::HMAC_SHA224,
            Self::Hmac256 => hmac::HMAC_SHA256,
            Self::Hmac384 => hmac::HMAC_SHA384,
            Self::Hmac512 => hmac::HMAC_SHA512,
        }
    }

    /// How [`record`] names it. Part of the format: never change one, never reuse one.
    const fn code(self) -> u8 {
        match self {
            Self::Hmac224 => 0x01,
            Self::Hmac256 => 0x02,
            Self::Hmac384 => 0x03,
            Self::Hmac512 => 0x04,
        }
    }
}

/// The code is not one of this message by this key: another length, another message, another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message authentication code is not valid")]
pub struct InvalidMac;

/// The key has fewer or more bytes than its spec allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key has not a length of its spec")]
pub struct InvalidMacKey;

/// An HMAC key, ready to use.
pub struct MacKey {
    spec: MacSpec,
    bytes: SecretBytes,
    prepared: hmac::Key,
}

impl MacKey {
    /// A new key, as long as the output of its hash.
    ///
    /// # Errors
    /// When there is no randomness to be had.
    pub fn generate(spec: MacSpec, random: &dyn Random) -> Result<Self, RandomError> {
        Ok(Self::new(spec, SecretBytes::generate(spec.bytes(), random)?))
    }

    /// The key that `bytes` are, as it is imported: as long as the output of its hash at least, and as a block of it at
    /// the most.
    ///
    /// # Errors
    /// [`InvalidMacKey`] for any other length.
    pub fn import(spec: MacSpec, bytes: SecretBytes) -> Result<Self, InvalidMacKey> {
        let fits = (spec.bytes()..=spec.key_bytes_max()).contains(&bytes.expose().len());
        if fits { Ok(Self::new(spec, bytes)) } else { Err(InvalidMacKey) }
    }

    /// The key of a record that [`MacKey::to_record`] wrote for the same spec.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn from_record(spec: MacSpec, record: &[u8]) -> Result<Self, RecordError> {
        let parts = record::read(spec.code(), record)?;
        if parts.form != record::SHORT || !parts.public.is_empty() {
            return Err(RecordError::Malformed);
        }
        Self::import(spec, parts.private.to_vec().into()).map_err(|_| RecordError::Inconsistent)
    }

    /// The form in which it is kept: [`record`]. It is to be sealed.
    #[must_use]
    pub fn to_record(&self) -> SecretBytes {
        record::write(self.spec.code(), record::SHORT, self.bytes.expose(), &[])
    }

    /// The spec.
    #[must_use]
    pub const fn spec(&self) -> MacSpec {
        self.spec
    }

    /// The code of `message`.
    #[must_use]
    pub fn generate_mac(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.prepared, message).as_ref().to_vec()
    }

    /// Checks the code of `message`, in constant time. All of it: a part of a code is none.
    ///
    /// # Errors
    /// [`InvalidMac`].
    pub fn verify_mac(&self, message: &[u8], mac: &[u8]) -> Result<(), InvalidMac> {
        hmac::verify(&self.prepared, message, mac).map_err(|_| InvalidMac)
    }

    /// A key whose length is not checked, for vectors.
    #[cfg(test)]
    pub(crate) fn of_any_length(spec: MacSpec, bytes: SecretBytes) -> Self {
        Self::new(spec, bytes)
    }

    fn new(spec: MacSpec, bytes: SecretBytes) -> Self {
        let prepared = hmac::Key::new(spec.algorithm(), bytes.expose());
        Self { spec, bytes, prepared }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{bytes, cases, hex};
    use crate::random::SystemRandom;

    fn spec(name: &serde_json::Value) -> MacSpec {
        let of_name = |spec: &MacSpec| name.as_str().unwrap() == format!("HMAC_{}", spec.bytes() * 8);
        MacSpec::ALL.into_iter().find(of_name).unwrap()
    }

    #[test]
    fn codes_are_those_that_others_compute() {
        for case in cases(include_str!("../testdata/keys/macs.json")) {
            let key = MacKey::import(spec(&case["spec"]), bytes(&case["key"]).into()).unwrap();
            let (message, mac) = (bytes(&case["message"]), bytes(&case["mac"]));
            assert_eq!(key.generate_mac(&message), mac);
            assert_eq!(key.verify_mac(&message, &mac), Ok(()));
        }
    }

    #[test]
    fn records_made_elsewhere_are_read_and_written_alike() {
        let cases = cases(include_str!("../testdata/formats/v1/key_record.json")).into_iter();
        for case in cases.filter(|case| case["spec"].as_str().unwrap().starts_with("HMAC")) {
            let record = bytes(&case["record"]);
            let key = MacKey::from_record(spec(&case["spec"]), &record).unwrap();
            assert_eq!(hex(key.to_record().expose()), case["record"].as_str().unwrap());
            assert_eq!(hex(key.bytes.expose()), case["private"].as_str().unwrap());
            let read = |record: &[u8]| MacKey::from_record(key.spec(), record).map(|_| ());
            assert_eq!(read(&record[..record.len() - 1]), Err(RecordError::Malformed));
            assert_eq!(read(&[&record[..], &[0]].concat()), Err(RecordError::Malformed));
            assert_eq!(read(&[]), Err(RecordError::Malformed));
        }
    }

    #[test]
    fn anything_but_the_whole_code_of_the_message_is_refused() {
        for spec in MacSpec::ALL {
            let key = MacKey::generate(spec, &SystemRandom::new()).unwrap();
            let other = MacKey::generate(spec, &SystemRandom::new()).unwrap();
            let mac = key.generate_mac(b"m");
            assert_eq!(mac.len(), spec.bytes());
            for altered in crate::fixtures::tampered(&mac) {
                assert_eq!(key.verify_mac(b"m", &altered), Err(InvalidMac));
            }
            assert_eq!(key.verify_mac(b"n", &mac), Err(InvalidMac));
            assert_eq!(other.verify_mac(b"m", &mac), Err(InvalidMac));
        }
    }

    #[test]
    fn keys_have_at_least_a_hash_and_at_most_a_block() {
        let ranges = [28..=64, 32..=64, 48..=128, 64..=128];
        for (spec, range) in MacSpec::ALL.into_iter().zip(ranges) {
            for length in 0..=130 {
                let imported = MacKey::import(spec, vec![7; length].into());
                assert_eq!(imported.is_ok(), range.contains(&length), "{spec:?} {length}");
            }
        }
    }
}
