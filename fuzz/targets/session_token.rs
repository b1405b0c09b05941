//! Session tokens: no text opens a session but the token itself, and that for its own access key alone.
//!
//! The first byte chooses: any text, the token with its text altered, the token with its bytes altered, another key.
#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use trent_fuzz::{Cut, WORLD, element};
use trent_service::Form;

/// An access key id, and its token.
static SESSION: LazyLock<(String, String)> = LazyLock::new(|| {
    let form = "Action=AssumeRole&Version=2011-06-15&RoleSessionName=fuzz&RoleArn=arn:aws:iam::444455556666:role/open";
    let answer = WORLD.sts(&Form::parse(form.as_bytes()).expect("a form")).expect("a session");
    let text = |name| element(&answer, name).expect("credentials").to_owned();
    (text("AccessKeyId"), text("SessionToken"))
});

fuzz_target!(|data: &[u8]| {
    let (id, token) = &*SESSION;
    let mut cut = Cut::new(data);
    match cut.byte() % 4 {
        0 => check(id, &String::from_utf8_lossy(cut.rest())),
        1 => check(id, &String::from_utf8_lossy(&cut.altered(token.as_bytes()))),
        2 => {
            let bytes = STANDARD.decode(token).expect("base 64");
            check(id, &STANDARD.encode(cut.altered(&bytes)));
        }
        _ => check(&String::from_utf8_lossy(cut.rest()), token),
    }
});

fn check(id: &str, token: &str) {
    let opens = WORLD.kms.service.session(id, token).is_ok();
    assert_eq!(opens, id == SESSION.0 && token == SESSION.1, "{id} {token}");
}
