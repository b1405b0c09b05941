//! Transfers between deployments, and the files of their recipients.
//!
//! The first byte chooses. Nothing opens that was not sealed for the recipient, whatever is done to it; a recipient's file
//! that is read is written back the same.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use trent_crypto::SystemRandom;
use trent_crypto::transfer::{Recipient, decode_recipient, encode_recipient};
use trent_fuzz::Cut;

static RECIPIENT: LazyLock<Recipient> = LazyLock::new(|| Recipient::generate(&SystemRandom::new()).unwrap());
static TRANSFER: LazyLock<Vec<u8>> =
    LazyLock::new(|| RECIPIENT.public().seal(b"keys", &SystemRandom::new()).unwrap());

fuzz_target!(|data: &[u8]| {
    let mut cut = Cut::new(data);
    match cut.byte() % 4 {
        0 => assert!(RECIPIENT.open(cut.rest()).is_err(), "a forgery opened"),
        1 => own_transfer(&mut cut),
        2 => recipient_file(cut.rest()),
        _ => drop(Recipient::from_bytes(cut.rest())),
    }
});

fn own_transfer(cut: &mut Cut<'_>) {
    let altered = cut.altered(&TRANSFER);
    assert_eq!(RECIPIENT.open(&altered).is_ok(), altered == *TRANSFER);
}

fn recipient_file(text: &[u8]) {
    let Ok(recipient) = decode_recipient(text) else { return };
    let again = decode_recipient(encode_recipient(&recipient).as_bytes()).expect("what is written can be read");
    assert_eq!(recipient.id(), again.id());
}
