//! Looks for secrets in bytes: raw, and in every form in which programs write bytes down.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Half a key is a leak too: secrets are looked for in pieces of this size.
const PIECE_BYTES: usize = 16;
/// By which a place is looked up.
const KEY_BYTES: usize = 8;

/// Where a secret was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    /// Which secret.
    pub(crate) secret: String,
    /// How it was written.
    pub(crate) form: &'static str,
    /// In what.
    pub(crate) place: String,
}

/// Secrets to look for.
#[derive(Default)]
pub(crate) struct Needles {
    by_start: HashMap<[u8; KEY_BYTES], Vec<Needle>>,
    pub(crate) secrets: usize,
}

struct Needle {
    bytes: Vec<u8>,
    secret: String,
    form: &'static str,
}

impl Needles {
    /// Adds a secret of at least [`PIECE_BYTES`] bytes.
    pub(crate) fn add(&mut self, name: &str, secret: &[u8]) {
        assert!(secret.len() >= PIECE_BYTES, "{name} is too short to be told from chance");
        self.secrets += 1;
        let last = &secret[secret.len() - PIECE_BYTES..];
        for piece in secret.chunks_exact(PIECE_BYTES).chain([last]) {
            for (form, bytes) in forms(piece) {
                let start = bytes[..KEY_BYTES].try_into().expect("long enough");
                self.by_start.entry(start).or_default().push(Needle { bytes, secret: name.to_owned(), form });
            }
        }
    }

    /// All that is found in some bytes, each secret once in each form.
    pub(crate) fn search(&self, place: &str, bytes: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        for (at, start) in bytes.windows(KEY_BYTES).enumerate() {
            let Some(needles) = self.by_start.get(start) else { continue };
            let here = needles.iter().filter(|needle| bytes[at..].starts_with(&needle.bytes));
            found.extend(here.map(|needle| Found {
                secret: needle.secret.clone(),
                form: needle.form,
                place: place.to_owned(),
            }));
        }
        found.sort();
        found.dedup();
        found
    }

    /// All that is found in the files of a folder and of those in it.
    pub(crate) fn search_folder(&self, folder: &Path) -> Vec<Found> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                found.extend(self.search_folder(&path));
            } else if path.is_file() {
                let name = path.file_name().expect("a name").to_string_lossy();
                found.extend(self.search(&name, &fs::read(&path).expect("a file")));
            }
        }
        found
    }
}

/// Every way in which bytes are written down.
fn forms(piece: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let join = |separator: &str, write: fn(&u8) -> String| {
        piece.iter().map(write).collect::<Vec<_>>().join(separator).into_bytes()
    };
    let mut forms = vec![
        ("raw", piece.to_vec()),
        ("hex", join("", |byte| format!("{byte:02x}"))),
        ("hex, upper case", join("", |byte| format!("{byte:02X}"))),
        ("hex, a list", join(", ", |byte| format!("{byte:02x}"))),
        ("a list", join(", ", |byte| format!("{byte}"))),
        ("a list without blanks", join(",", |byte| format!("{byte}"))),
        ("escaped", piece.escape_ascii().to_string().into_bytes()),
    ];
    // What comes before shifts all letters of base64: each of the three places that a byte may have.
    for before in 0..3_usize {
        let shifted = [&[0; 2][..before], piece].concat();
        let (from, to) = ((before * 8).div_ceil(6), shifted.len() * 8 / 6);
        let letters = |text: String| text.as_bytes()[from..to].to_vec();
        forms.push(("base64", letters(STANDARD_NO_PAD.encode(&shifted))));
        forms.push(("base64 for URLs", letters(URL_SAFE_NO_PAD.encode(&shifted))));
    }
    forms
}

#[test]
fn every_form_is_found_wherever_it_stands() {
    let secret: Vec<u8> = (0..32).map(|byte: u8| byte.wrapping_mul(151).wrapping_add(7)).collect();
    let mut needles = Needles::default();
    needles.add("planted", &secret);
    assert_eq!(needles.search("nothing", &[7; 1000]), []);
    for before in 0..4 {
        let around = [&b"abc"[..before], &secret, b"xyz"].concat();
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let planted: [(&str, Vec<u8>); 8] = [
            ("raw", around.clone()),
            ("hex", format!("key={hex}").into_bytes()),
            ("hex, upper case", hex.to_uppercase().into_bytes()),
            ("a list", format!("{around:?}").into_bytes()),
            ("a list without blanks", serde_json::to_vec(&around).unwrap()),
            ("escaped", format!("{}", around.escape_ascii()).into_bytes()),
            ("base64", base64::engine::general_purpose::STANDARD.encode(&around).into_bytes()),
            ("base64 for URLs", URL_SAFE_NO_PAD.encode(&around).into_bytes()),
        ];
        for (form, bytes) in planted {
            let found = needles.search("file", &bytes);
            assert!(found.iter().any(|found| found.form == form), "{form} after {before} bytes: {found:?}");
        }
    }
    let half = needles.search("file", &secret[16..]);
    assert_eq!(half.len(), 1, "half a secret is found: {half:?}");
}
