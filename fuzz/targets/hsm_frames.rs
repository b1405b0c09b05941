//! What an HSM worker is asked, and what it answers: it runs a vendor's code, and what it sends is not trusted.
//!
//! The first byte chooses: what the socket receives, a request, a reply. Nothing panics or asks for more memory than that has,
//! and what is understood is said again in the same way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trent_fuzz::Cut;
use trent_hsm::fuzzing::{take, take_reply, take_request};

fuzz_target!(|data: &[u8]| {
    let mut cut = Cut::new(data);
    match cut.byte() % 3 {
        0 => take(cut.rest()),
        1 => take_request(cut.rest()),
        _ => take_reply(cut.rest()),
    }
});
