//! Requests to STS: forms, and what is made of them.
//!
//! The first byte chooses: a form whose names and values are given, or the text of one, which a user then sends who may
//! assume one role and not the other. What STS gives opens, and is the role that was asked for.
#![no_main]

use std::fmt::Write;

use libfuzzer_sys::fuzz_target;
use trent_fuzz::{Cut, WORLD, element};
use trent_service::{Form, StsAction};

fuzz_target!(|data: &[u8]| {
    let mut cut = Cut::new(data);
    match cut.byte() % 3 {
        0 => written(&mut cut),
        1 => asked(cut.rest()),
        _ => asked(&[b"Version=2011-06-15&RoleSessionName=fuzz&Action=AssumeRole&", cut.rest()].concat()),
    }
});

/// What is written as a form is read from it.
fn written(cut: &mut Cut<'_>) {
    let pairs: Vec<(String, String)> = (0..cut.byte() % 8).map(|_| (cut.text(), cut.text())).collect();
    let text = pairs.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    let form = Form::parse(text.collect::<Vec<_>>().join("&").as_bytes()).expect("a form");
    for (name, _) in &pairs {
        let last = pairs.iter().rev().find(|pair| pair.0 == *name).map(|pair| pair.1.as_str());
        assert_eq!(form.get(name), last);
    }
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "%{byte:02x}");
        out
    })
}

fn asked(text: &[u8]) {
    let Some(form) = Form::parse(text) else { return };
    let answer = match WORLD.sts(&form) {
        Ok(answer) => answer,
        Err(error) => return assert!(!error.code.as_str().is_empty()),
    };
    let action = StsAction::of(&form).expect("it was answered");
    assert!(answer.contains(&format!("</{}Response>", action.name())));
    assert!(action.is_signed(), "there is no provider here whose token could be believed");
    if action == StsAction::GetCallerIdentity {
        return;
    }
    let text = |name| element(&answer, name).expect("credentials");
    let session = WORLD.kms.service.session(text("AccessKeyId"), text("SessionToken")).expect("it opens");
    let arn = session.caller.to_string();
    if action == StsAction::AssumeRole {
        let role = form.get("RoleArn").expect("a role was named");
        assert_eq!(role, "arn:aws:iam::444455556666:role/open");
        let name = form.get("RoleSessionName").expect("the session was named");
        assert_eq!(arn, format!("arn:aws:sts::444455556666:assumed-role/open/{name}"));
    }
}
