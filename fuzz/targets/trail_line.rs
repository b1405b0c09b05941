//! Lines of an audit trail, and what is remembered of them: reading never panics, what is read is written so again, and no
//! signature of a stranger is believed.
//!
//! The first byte chooses: a line, a remembered text, or a hash.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trent_audit::{Checkpoint, Link, from_hex, hash, hex};
use trent_fuzz::Cut;

/// A key that has signed nothing.
const STRANGER: [u8; 32] = [9; 32];

fuzz_target!(|data: &[u8]| {
    let mut cut = Cut::new(data);
    match cut.byte() % 3 {
        0 => line(cut.rest()),
        1 => remembered(&String::from_utf8_lossy(cut.rest())),
        _ => digits(cut.rest()),
    }
});

fn line(line: &[u8]) {
    let Some(link) = Link::read(line) else { return };
    assert!(!link.is_signed_by(&STRANGER), "a signature that nobody made is believed");
    let text = String::from_utf8_lossy(line);
    assert!(text.contains(&link.node.to_string()) && text.contains(&link.sequence.to_string()));
    assert!(text.contains(&hex(&link.previous)));
    let checkpoint = Checkpoint { node: link.node, sequence: link.sequence, hash: hash(line) };
    assert_eq!(Checkpoint::parse(&checkpoint.to_text()), Some(checkpoint));
}

fn remembered(text: &str) {
    let Some(checkpoint) = Checkpoint::parse(text) else { return };
    assert_eq!(Checkpoint::parse(&checkpoint.to_text()), Some(checkpoint));
}

fn digits(text: &[u8]) {
    let Some(found) = from_hex(text) else { return };
    assert_eq!(from_hex(hex(&found).as_bytes()), Some(found));
}
