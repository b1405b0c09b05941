//! What is inside of transfers: keys with all that belongs to them.
//!
//! The first byte chooses: any text, or a bundle that was altered. What is read hangs together, and is written back the
//! same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trent_database::Bundle;
use trent_fuzz::Cut;

const BUNDLE: &[u8] = include_bytes!("../../crates/database/testdata/bundle-1.json");

fuzz_target!(|data: &[u8]| {
    let mut cut = Cut::new(data);
    match cut.byte() % 2 {
        0 => check(cut.rest()),
        _ => check(&cut.altered(BUNDLE)),
    }
});

fn check(document: &[u8]) {
    let Ok(bundle) = Bundle::from_json(document) else { return };
    let written = bundle.to_json().expect("what was read is written");
    assert_eq!(Bundle::from_json(&written).as_ref(), Ok(&bundle));
}
