//! A token's error as bytes.

use trent_pkcs11::Error;

use crate::wire::{Malformed, Reader, Writer};

/// The number of an error, and its text where it has one.
fn parts(error: &Error) -> (u8, &str) {
    match error {
        Error::Module(text) => (0, text),
        Error::TokenNotPresent => (1, ""),
        Error::Device(text) => (2, text),
        Error::PinIncorrect => (3, ""),
        Error::PinLocked => (4, ""),
        Error::PinNotInitialized => (5, ""),
        Error::PinUnacceptable => (6, ""),
        Error::UserTypeBusy => (7, ""),
        Error::NotLoggedIn => (8, ""),
        Error::KeyNotFound => (9, ""),
        Error::KeyAmbiguous => (10, ""),
        Error::KeyNotPermitted => (11, ""),
        Error::KeyUnfit(text) => (12, text),
        Error::InvalidCiphertext => (13, ""),
        Error::IvMode(text) => (14, text),
        Error::Busy => (15, ""),
        Error::Stale => (16, ""),
        Error::Refused(text) => (17, text),
        Error::Other(text) => (18, text),
    }
}

pub(super) fn encode(kind: u8, error: &Error) -> Writer {
    let (number, text) = parts(error);
    Writer::new(kind, &[&[number], text.as_bytes()])
}

pub(super) fn decode(fields: &mut Reader<'_>) -> Result<Error, Malformed> {
    let ([number], text) = (fields.exactly()?, fields.text()?.to_owned());
    Ok(match number {
        0 => Error::Module(text),
        1 => Error::TokenNotPresent,
        2 => Error::Device(text),
        3 => Error::PinIncorrect,
        4 => Error::PinLocked,
        5 => Error::PinNotInitialized,
        6 => Error::PinUnacceptable,
        7 => Error::UserTypeBusy,
        8 => Error::NotLoggedIn,
        9 => Error::KeyNotFound,
        10 => Error::KeyAmbiguous,
        11 => Error::KeyNotPermitted,
        12 => Error::KeyUnfit(text.into()),
        13 => Error::InvalidCiphertext,
        14 => Error::IvMode(text.into()),
        15 => Error::Busy,
        16 => Error::Stale,
        17 => Error::Refused(text),
        18 => Error::Other(text),
        _ => return Err(Malformed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_comes_over_as_itself() {
        for number in 0..=18 {
            let message = Writer::new(0, &[&[number], b"text"]).done();
            let error = decode(&mut Reader::new(&message).unwrap().1).unwrap();
            assert_eq!(parts(&error).0, number, "{error:?}");
            let again = encode(0, &error).done();
            assert_eq!(decode(&mut Reader::new(&again).unwrap().1), Ok(error));
        }
        let unknown = Writer::new(0, &[&[19], b"text"]).done();
        assert_eq!(decode(&mut Reader::new(&unknown).unwrap().1), Err(Malformed));
    }
}
