//! What lies at rest: sealed envelopes, root key files, passphrase records, root keys that an HSM has encrypted.
//!
//! The first byte chooses. Decoders never panic, what they accept is written back the same, nothing opens that was
//! not sealed for the same purpose and owner.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use trent_crypto::envelope::{Purpose, open, seal};
use trent_crypto::root::{PassphraseRecord, WrappedRootKey, decode_file, encode_file};
use trent_crypto::{Key256, SystemRandom};
use trent_fuzz::Cut;

/// Nothing is ever sealed under this one. With the other it would be: the fuzzer watches comparisons, so it sees what
/// was sealed, and puts it in again.
static UNUSED: LazyLock<Key256> = LazyLock::new(|| Key256::generate(&SystemRandom::new()).unwrap());
static WRAPPING: LazyLock<Key256> = LazyLock::new(|| Key256::generate(&SystemRandom::new()).unwrap());

fuzz_target!(|data: &[u8]| {
    let mut cut = Cut::new(data);
    match cut.byte() % 5 {
        0 => foreign_envelope(cut.rest()),
        1 => own_envelope(&mut cut),
        2 => root_key_file(cut.rest()),
        3 => passphrase_record(cut.rest()),
        _ => wrapped_root_key(cut.rest()),
    }
});

fn foreign_envelope(envelope: &[u8]) {
    let purpose = Purpose::new("key-material", &[]);
    assert!(open(UNUSED.expose(), &purpose, envelope).is_err(), "a forgery opened");
}

fn own_envelope(cut: &mut Cut<'_>) {
    const LABELS: [&str; 3] = ["domain-key", "key-material", "domain-ke"];
    let label = |cut: &mut Cut<'_>| LABELS[usize::from(cut.byte()) % 3];
    let (label, other_label) = (label(cut), label(cut));
    let (owner, other_owner) = (owner(cut), owner(cut));
    let plaintext = cut.piece();
    let (fields, other_fields) = (fields(&owner), fields(&other_owner));
    let purpose = Purpose::new(label, &fields);
    let other = Purpose::new(other_label, &other_fields);
    let same = label == other_label && owner == other_owner;

    let envelope = seal(WRAPPING.expose(), &purpose, plaintext, &SystemRandom::new()).unwrap();
    assert_eq!(*open(WRAPPING.expose(), &purpose, &envelope).unwrap().expose(), plaintext);
    assert_eq!(open(WRAPPING.expose(), &other, &envelope).is_ok(), same, "purposes that look alike");
    let altered = cut.altered(&envelope);
    assert_eq!(open(WRAPPING.expose(), &purpose, &altered).is_ok(), altered == envelope);
}

fn owner(cut: &mut Cut<'_>) -> Vec<(String, Vec<u8>)> {
    (0..cut.byte() % 4).map(|_| (cut.text(), cut.piece().to_vec())).collect()
}

fn fields(owner: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    owner.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect()
}

fn root_key_file(text: &[u8]) {
    let Ok(key) = decode_file(text) else { return };
    let again = encode_file(&key);
    let key_again = decode_file(again.expose()).expect("what is written can be read");
    assert_eq!(key.expose(), key_again.expose());
}

fn wrapped_root_key(text: &[u8]) {
    let Ok(wrapped) = WrappedRootKey::decode(text) else { return };
    assert_eq!(WrappedRootKey::decode(&wrapped.encode()), Ok(wrapped));
}

fn passphrase_record(bytes: &[u8]) {
    let Ok(record) = PassphraseRecord::decode(bytes) else { return };
    assert_eq!(record.encode(), bytes);
    // Larger ones would take the fuzzer's time for Argon2's sake.
    if record.params().memory_kib <= 256 && record.params().passes == 1 {
        assert!(record.unlock(b"not the passphrase").is_err());
    }
}
