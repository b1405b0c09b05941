//! Canonical requests a second time: straight from the description of Signature Version 4, without regard to
//! speed, and sharing no code with `trent-sigv4`.
//!
//! Takes what an HTTP server lets through: values without line breaks, names that are tokens.

use std::fmt::Write;

/// The canonical request with these signed headers.
#[must_use]
pub fn request(
    method: &str,
    path: &str,
    query: &str,
    headers: &[(&str, &[u8])],
    signed: &str,
    body_sha256: &[u8; 32],
) -> String {
    let lines: String = signed.split(';').map(|name| header(name, headers)).collect();
    let hash: String = body_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{method}\n{}\n{}\n{lines}\n{signed}\n{hash}", self::path(path), self::query(query))
}

fn header(name: &str, headers: &[(&str, &[u8])]) -> String {
    let of_name = headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
    let values: Vec<String> = of_name.map(|(_, value)| self::value(value)).collect();
    format!("{name}:{}\n", values.join(","))
}

fn value(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let mut text = text.trim_matches([' ', '\t', '\r']).to_owned();
    while text.contains("  ") {
        text = text.replace("  ", " ");
    }
    text
}

fn path(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let pieces: Vec<&str> = path.split('/').collect();
    for piece in &pieces {
        match *piece {
            "." | "" => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    let directory = matches!(pieces.last(), Some(&("" | "." | "..")));
    let mut text: String = kept.iter().map(|piece| format!("/{}", encoded(piece.as_bytes()))).collect();
    if text.is_empty() || directory {
        text.push('/');
    }
    text
}

fn query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for piece in query.split('&').filter(|piece| !piece.is_empty()) {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        pairs.push((encoded(&decoded(name)), encoded(&decoded(value))));
    }
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Undoes percent escapes and plus signs; a broken escape stands for itself.
#[must_use]
pub fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).filter(|two| two.iter().all(u8::is_ascii_hexdigit));
        let number = digits.and_then(|two| u8::from_str_radix(str::from_utf8(two).ok()?, 16).ok());
        match (bytes[at], number) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    out
}

fn encoded(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(char::from(*byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
