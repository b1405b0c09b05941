//! What is measured against the floor: requests that a client would make, and what is promised of each.

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::answer::Expected;
use crate::client::{Client, text};
use crate::report::Promise;
use crate::request::Question;

const KEYS: usize = 4;
/// Different requests of one operation, so that no answer comes from the last one.
const QUESTIONS: usize = 64;

/// An operation under measurement. The promises are ratios to the floor.
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    pub(crate) cpu: Promise,
    pub(crate) per_second: Option<Promise>,
    pub(crate) questions: Vec<Question>,
}

/// Whether the same question is always answered the same.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answers {
    Same,
    /// Random, of one length.
    Random,
}

/// Makes the keys and ciphertexts, asks everything once, and so learns what right answers are.
pub(crate) fn prepare(client: &mut Client) -> Result<Vec<Measured>> {
    let keys = make_keys(client, KEYS)?;
    let describe = questions("DescribeKey", |number| json!({"KeyId": keys.get(number % KEYS)}));
    let random = questions("GenerateRandom", |_| json!({"NumberOfBytes": 32}));
    let mut all = on_keys(client, &keys)?;
    all.push(measured(client, describe, Answers::Same, false)?);
    all.push(measured(client, random, Answers::Random, false)?);
    Ok(all)
}

/// The same of what is encrypted and decrypted with these keys.
pub(crate) fn on_keys(client: &mut Client, keys: &[String]) -> Result<Vec<Measured>> {
    let key = |number: usize| keys.get(number % keys.len()).map_or("", String::as_str);
    let context = |number: usize| json!({"tenant": format!("tenant-{number:04}"), "purpose": "measurement"});
    let encrypt = questions(
        "Encrypt",
        |number| json!({"KeyId": key(number), "Plaintext": plaintext(number), "EncryptionContext": context(number)}),
    );
    let mut blobs = Vec::new();
    for question in &encrypt {
        let answer = serde_json::from_slice(&client.ask(question)?)?;
        blobs.push(text(&answer, "/CiphertextBlob")?.to_owned());
    }
    let decrypt = questions(
        "Decrypt",
        |number| json!({"CiphertextBlob": blobs.get(number), "EncryptionContext": context(number)}),
    );
    for (number, question) in decrypt.iter().enumerate() {
        let answer = serde_json::from_slice(&client.ask(question)?)?;
        ensure!(text(&answer, "/Plaintext")? == plaintext(number), "Decrypt gives another plaintext");
    }
    let data_key = questions(
        "GenerateDataKey",
        |number| json!({"KeyId": key(number), "KeySpec": "AES_256", "EncryptionContext": context(number)}),
    );

    let mut symmetric = |questions, answers| measured(client, questions, answers, true);
    Ok(vec![
        symmetric(encrypt, Answers::Random)?,
        symmetric(decrypt, Answers::Same)?,
        symmetric(data_key, Answers::Random)?,
    ])
}

/// Makes keys, and gives their ids.
pub(crate) fn make_keys(client: &mut Client, count: usize) -> Result<Vec<String>> {
    let made = (0..count).map(|_| {
        let answer = client.call("CreateKey", &json!({"Description": "measurement"}))?;
        Ok(text(&answer, "/KeyMetadata/KeyId")?.to_owned())
    });
    made.collect()
}

/// CreateKey: durable when it is answered, so a matter of the disk too.
pub(crate) fn create_key() -> Vec<Question> {
    questions("CreateKey", |number| json!({"Description": format!("measurement {number}")}))
}

/// Encrypt with each of these keys.
pub(crate) fn encrypt_with(keys: &[String]) -> Vec<Question> {
    let body = |(number, key)| json!({"KeyId": key, "Plaintext": plaintext(number)});
    keys.iter().enumerate().map(|each| Question::new("Encrypt", &body(each))).collect()
}

pub(crate) fn questions(operation: &'static str, body: impl Fn(usize) -> serde_json::Value) -> Vec<Question> {
    (0..QUESTIONS).map(|number| Question::new(operation, &body(number))).collect()
}

fn measured(
    client: &mut Client,
    mut questions: Vec<Question>,
    answers: Answers,
    symmetric: bool,
) -> Result<Measured> {
    for question in &mut questions {
        let body = client.ask(question)?;
        question.expected = match answers {
            Answers::Same => Expected::Body(body),
            Answers::Random => Expected::Bytes(body.len()),
        };
    }
    let name = questions.first().context("nothing to measure")?.operation;
    let (cpu, per_second) = match symmetric {
        true => (Promise::at_most(2.0).aiming_at(1.6), Some(Promise::at_least(0.5).aiming_at(0.65))),
        false => (Promise::at_most(1.9), None),
    };
    Ok(Measured { name, cpu, per_second, questions })
}

/// 32 bytes in Base64: 43 digits, of which the last has no more than its upper bits.
pub(crate) fn plaintext(number: usize) -> String {
    format!("{number:042}A=")
}
