//! Tokens of identity providers, and their keys: reading never panics, and no token is believed that was altered.
//!
//! The first byte chooses: a token, a set of keys, or one of the known tokens with alterations.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use trent_fuzz::Cut;
use trent_jwt::{KeySet, Token};

/// A set of keys, and tokens that they signed.
static KNOWN: LazyLock<(KeySet, Vec<String>)> = LazyLock::new(|| {
    let data: Value = serde_json::from_str(include_str!("../../crates/jwt/testdata/tokens.json")).unwrap();
    let tokens = data["tokens"].as_object().unwrap().values();
    let tokens = tokens.map(|token| token.as_str().unwrap().to_owned()).collect();
    (KeySet::parse(&data["jwks"].to_string()).unwrap(), tokens)
});

fuzz_target!(|data: &[u8]| {
    let mut cut = Cut::new(data);
    match cut.byte() % 3 {
        0 => token(&String::from_utf8_lossy(cut.rest())),
        1 => drop(KeySet::parse(&String::from_utf8_lossy(cut.rest()))),
        _ => altered(&mut cut),
    }
});

fn token(text: &str) {
    let Ok(token) = Token::read(text) else { return };
    let _ = token.key_id();
    let Ok(claims) = token.verify(&KNOWN.0) else { return };
    assert!(KNOWN.1.iter().any(|known| known == text), "a token that nobody signed is believed");
    for (now, skew) in [(i64::MIN, u32::MAX), (0, 0), (i64::MAX, u32::MAX)] {
        let _ = claims.check_times(now, skew);
    }
}

fn altered(cut: &mut Cut<'_>) {
    let tokens = &KNOWN.1;
    let known = &tokens[usize::from(cut.byte()) % tokens.len()];
    token(&String::from_utf8_lossy(&cut.altered(known.as_bytes())));
}
