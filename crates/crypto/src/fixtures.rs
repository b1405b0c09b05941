//! What the tests share: reading fixtures, and randomness that is known beforehand.

use std::sync::Mutex;

use serde_json::Value;

use crate::random::{Random, RandomError};

/// The cases of a fixture file.
pub(crate) fn cases(file: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(file).unwrap();
    let cases = file["cases"].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

/// The bytes of a hex string.
pub(crate) fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    assert!(hex.len().is_multiple_of(2), "whole bytes");
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

pub(crate) fn array<const N: usize>(hex: &Value) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}

pub(crate) fn number(value: &Value) -> u32 {
    value.as_u64().unwrap().try_into().unwrap()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Gives out these bytes, one after the other, then fails.
pub(crate) struct Known(Mutex<Vec<u8>>);

impl Known {
    pub(crate) fn new(parts: &[&[u8]]) -> Self {
        Self(Mutex::new(parts.concat()))
    }
}

impl Random for Known {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        let mut left = self.0.lock().unwrap();
        if left.len() < out.len() {
            return Err(RandomError);
        }
        out.copy_from_slice(&left.drain(..out.len()).collect::<Vec<_>>());
        Ok(())
    }
}

/// Every way of flipping one bit, cutting off an end, or adding a few bytes.
pub(crate) fn tampered(whole: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let flipped = (0..whole.len() * 8).map(move |bit| {
        let mut altered = whole.to_vec();
        altered[bit / 8] ^= 1 << (bit % 8);
        altered
    });
    let cut = (0..whole.len()).map(move |length| whole[..length].to_vec());
    let extended = (1..=20).map(move |extra| [whole, &vec![0; extra]].concat());
    flipped.chain(cut).chain(extended)
}
