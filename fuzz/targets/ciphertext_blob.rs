//! Ciphertext blobs: nothing opens that was not sealed, and what was sealed opens with its own context only.
//!
//! An even first byte: the rest is a blob from a stranger. An odd one: the rest says what to seal and how to alter it.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use trent_crypto::ciphertext::double::Double;
use trent_crypto::ciphertext::hsm::HsmBlob;
use trent_crypto::ciphertext::{BLOB_BYTES_MAX, BLOB_OVERHEAD_BYTES, MadeBy, open, read_header, seal};
use trent_crypto::{BlobKeyId, CanonicalContext, Key256, SystemRandom};
use trent_fuzz::Cut;

/// Nothing is ever sealed under this one. With the other it would be: the fuzzer watches comparisons, so it sees what
/// was sealed, and puts it in again.
static UNUSED: LazyLock<Key256> = LazyLock::new(|| Key256::generate(&SystemRandom::new()).unwrap());
static MATERIAL: LazyLock<Key256> = LazyLock::new(|| Key256::generate(&SystemRandom::new()).unwrap());

fuzz_target!(|data: &[u8]| {
    let mut cut = Cut::new(data);
    if cut.byte() % 2 == 0 { foreign(cut.rest()) } else { own(&mut cut) }
});

fn foreign(blob: &[u8]) {
    let whole = (BLOB_OVERHEAD_BYTES..=BLOB_BYTES_MAX).contains(&blob.len());
    let readable = whole && blob[0] == 1 && matches!(blob[1], b's' | b'm');
    let header = read_header(blob);
    let (double, hsm) = (Double::read(blob), HsmBlob::read(blob));
    assert_eq!(header.is_ok(), readable || (whole && double.is_ok()) || hsm.is_ok());
    if let Ok(double) = &double {
        assert_eq!(double.write(), blob, "something was passed over");
    }
    if let Ok(hsm) = &hsm {
        assert_eq!(hsm.write(), blob, "something was passed over");
    }
    if let Ok(header) = header {
        assert_eq!(header.key_id.uuid, blob[2..18]);
        assert_eq!(header.key_id.multi_region, blob[1] == b'm');
        let made_by = match header.made_by {
            MadeBy::Material(id) | MadeBy::MaterialAndExternalKey(id) => id.to_vec(),
            MadeBy::HsmKey(id) => id.to_vec(),
        };
        assert!(blob[18..].starts_with(&made_by));
    }
    assert!(open(UNUSED.expose(), &CanonicalContext::new(None), blob).is_err(), "a forgery opened");
}

fn own(cut: &mut Cut<'_>) {
    let key = BlobKeyId { multi_region: cut.byte() % 2 == 1, uuid: [cut.byte(); 16] };
    let material_id = [cut.byte(); 32];
    let (context, other) = (context(cut), context(cut));
    let plaintext = cut.piece();
    let (canonical, other_canonical) =
        (CanonicalContext::new(Some(&context)), CanonicalContext::new(Some(&other)));
    assert_eq!(context == other, canonical == other_canonical, "contexts that look alike");

    let random = SystemRandom::new();
    let blob = seal(MATERIAL.expose(), key, &material_id, &canonical, plaintext, &random).unwrap();
    let header = read_header(&blob).unwrap();
    assert!(header.key_id == key && header.made_by == MadeBy::Material(material_id));
    assert_eq!(*open(MATERIAL.expose(), &canonical, &blob).unwrap().expose(), plaintext);
    assert_eq!(open(MATERIAL.expose(), &other_canonical, &blob).is_ok(), context == other);
    let altered = cut.altered(&blob);
    assert_eq!(open(MATERIAL.expose(), &canonical, &altered).is_ok(), altered == blob);
}

fn context(cut: &mut Cut<'_>) -> BTreeMap<String, String> {
    (0..cut.byte() % 4).map(|_| (cut.text(), cut.text())).collect()
}
