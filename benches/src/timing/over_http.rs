//! Over HTTP, with the shipped binary: what a caller can measure who is as near as can be.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Found;
use super::statistics::compare;
use crate::answer::Expected;
use crate::client::{Client, text};
use crate::process::Server;
use crate::request::{ACCESS_KEY_ID, Prepared, Question, prepare};

/// What the two answers differ in is no secret, and takes some time to be written: below this nothing is learnt beyond them.
const DIFFERENT_ANSWERS: Duration = Duration::from_micros(3);

pub(super) fn all(trent: &Path, folder: &Path, count: usize) -> Result<Vec<Found>> {
    // Wrong signatures are told apart from unknown callers by what is answered; written out, they would be by far.
    let data_dir = folder.join("timing");
    if data_dir.exists() {
        std::fs::remove_dir_all(&data_dir)?;
    }
    let server = Server::trent_with(trent, &data_dir, &[("TRENT_AUTH__ECHO_CANONICAL", "never")])?;
    let mut client = Client::connect(server.address)?;
    let mut found = vec![decryption(&mut client, count)?, codes(&mut client, count)?];
    found.extend(signatures(&mut client, count)?);
    server.stop()?;
    Ok(found)
}

/// Asks for both in turn; neither may succeed.
fn measure(
    client: &mut Client,
    what: &str,
    count: usize,
    floor: Duration,
    asked: [Prepared; 2],
) -> Result<Found> {
    let [first, second] = asked;
    let finding =
        compare(count, floor, |is_second| Ok(client.exchange(if is_second { &second } else { &first })?.1))?;
    Ok((format!("over HTTP, {what}"), finding))
}

fn refused(client: &Client, operation: &'static str, body: &Value) -> Result<Prepared> {
    let question = Question { expected: Expected::Refusal, ..Question::new(operation, body) };
    prepare(&[question], client.address())?.pop().context("nothing was signed")
}

/// Base64 of a value whose byte at a place, counted from the end if negative, is wrong.
fn altered(value: &str, from_the_end: usize) -> Result<String> {
    let mut bytes = STANDARD.decode(value)?;
    let place = bytes.len().checked_sub(from_the_end).context("too short")?;
    *bytes.get_mut(place).context("no such byte")? ^= 1;
    Ok(STANDARD.encode(bytes))
}

fn decryption(client: &mut Client, count: usize) -> Result<Found> {
    let key = client.call("CreateKey", &json!({}))?;
    let body = json!({"KeyId": text(&key, "/KeyMetadata/KeyId")?, "Plaintext": STANDARD.encode([7; 32])});
    let sealed = client.call("Encrypt", &body)?;
    let blob = text(&sealed, "/CiphertextBlob")?;
    let asked = |place| refused(client, "Decrypt", &json!({"CiphertextBlob": altered(blob, place)?}));
    let asked = [asked(16)?, asked(1)?];
    measure(client, "Decrypt: tag wrong in its first byte, in its last", count, Duration::ZERO, asked)
}

fn codes(client: &mut Client, count: usize) -> Result<Found> {
    let key = client.call("CreateKey", &json!({"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}))?;
    let body = |mac: Option<&str>| {
        let mut body = json!({"MacAlgorithm": "HMAC_SHA_256", "Message": STANDARD.encode([7; 32])});
        let members = body.as_object_mut().context("an object")?;
        members.insert("KeyId".to_owned(), json!(text(&key, "/KeyMetadata/KeyId")?));
        members.extend(mac.map(|mac| ("Mac".to_owned(), json!(mac))));
        Ok::<_, anyhow::Error>(body)
    };
    let made = client.call("GenerateMac", &body(None)?)?;
    let mac = text(&made, "/Mac")?;
    let asked = |place| refused(client, "VerifyMac", &body(Some(&altered(mac, place)?))?);
    let asked = [asked(32)?, asked(1)?];
    measure(client, "VerifyMac: code wrong in its first byte, in its last", count, Duration::ZERO, asked)
}

/// Signatures that are wrong in their first digit, in their last, and of an access key that nobody has.
fn signatures(client: &mut Client, count: usize) -> Result<Vec<Found>> {
    let right = refused(client, "GenerateRandom", &json!({"NumberOfBytes": 32}))?;
    let text = String::from_utf8(right.bytes)?;
    let (before, rest) = text.split_once("Signature=").context("no signature")?;
    let (signature, after) = rest.split_at_checked(64).context("a short signature")?;
    let with = |digits: &str, access_key: &str| Prepared {
        bytes: format!("{before}Signature={digits}{after}").replace(ACCESS_KEY_ID, access_key).into_bytes(),
        expected: Expected::Refusal,
    };
    let other = |digit: char| if digit == '0' { '1' } else { '0' };
    let mut digits = signature.chars();
    let first = digits.next().context("no digit")?;
    let first = format!("{}{}", other(first), digits.as_str());
    let mut digits = signature.chars();
    let last = digits.next_back().context("no digit")?;
    let last = format!("{}{}", digits.as_str(), other(last));
    let stranger = "AKIANOBODYKNOWSTHIS0";
    let places = [with(&first, ACCESS_KEY_ID), with(&last, ACCESS_KEY_ID)];
    let known = [with(&last, stranger), with(&last, ACCESS_KEY_ID)];
    Ok(vec![
        measure(client, "signature wrong in its first digit, in its last", count, Duration::ZERO, places)?,
        measure(client, "access key unknown, signature wrong", count, DIFFERENT_ANSWERS, known)?,
    ])
}
