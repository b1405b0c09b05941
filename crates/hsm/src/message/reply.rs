//! What a worker answers.

use trent_pkcs11::{Attributes, Error, KeyId, Sealed, TokenFacts};
use zeroize::Zeroizing;

use super::failure;
use crate::wire::{Malformed, Reader, Writer};

/// More tokens or mechanisms than a worker ever sees: what says more is broken.
const SEVERAL_MAX: u64 = 4096;

/// What a worker answers.
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) enum Reply {
    /// It is done.
    Done,
    /// It cannot be done.
    Failed(Error),
    /// Tokens.
    Tokens(Vec<TokenFacts>),
    /// What a token says of a key.
    Key(Attributes),
    /// Keys of a token, and their labels.
    Keys(Vec<(KeyId, String)>),
    /// What a token has made of a plaintext.
    Sealed(Sealed),
    /// Numbers of mechanisms.
    Mechanisms(Vec<u64>),
    /// A plaintext, or random bytes.
    Bytes(Zeroizing<Vec<u8>>),
}

impl Reply {
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let written = match self {
            Self::Done => Writer::new(0, &[]),
            Self::Failed(error) => failure::encode(1, error),
            Self::Tokens(tokens) => {
                let mut written = Writer::new(2, &[]);
                written.number(tokens.len() as u64);
                for token in tokens {
                    write_token(&mut written, token);
                }
                written
            }
            Self::Key(key) => {
                let mut written = Writer::new(3, &[key.label.as_bytes()]);
                written.number(key.bytes);
                for flag in [
                    key.local,
                    key.sensitive,
                    key.always_sensitive,
                    key.extractable,
                    key.never_extractable,
                    key.encrypt,
                    key.decrypt,
                ] {
                    written.flag(flag);
                }
                written
            }
            Self::Sealed(sealed) => Writer::new(4, &[&sealed.iv, &sealed.ciphertext]),
            Self::Bytes(bytes) => Writer::new(5, &[bytes]),
            Self::Keys(keys) => {
                let mut written = Writer::new(7, &[]);
                written.number(keys.len() as u64);
                for (id, label) in keys {
                    written.bytes(id);
                    written.bytes(label.as_bytes());
                }
                written
            }
            Self::Mechanisms(numbers) => {
                let mut written = Writer::new(6, &[]);
                written.number(numbers.len() as u64);
                numbers.iter().for_each(|number| written.number(*number));
                written
            }
        };
        written.done()
    }

    pub(crate) fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let (kind, mut fields) = Reader::new(message)?;
        let reply = match kind {
            0 => Self::Done,
            1 => Self::Failed(failure::decode(&mut fields)?),
            2 => Self::Tokens(several(&mut fields, token)?),
            7 => {
                Self::Keys(several(&mut fields, |fields| Ok((fields.exactly()?, fields.text()?.to_owned())))?)
            }
            6 => Self::Mechanisms(several(&mut fields, Reader::number)?),
            3 => Self::Key(key(&mut fields)?),
            4 => Self::Sealed(Sealed { iv: fields.exactly()?, ciphertext: fields.bytes()?.to_vec() }),
            5 => Self::Bytes(Zeroizing::new(fields.bytes()?.to_vec())),
            _ => return Err(Malformed),
        };
        if fields.is_done() { Ok(reply) } else { Err(Malformed) }
    }
}

fn several<'m, T>(
    fields: &mut Reader<'m>,
    one: impl Fn(&mut Reader<'m>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let number = fields.number()?;
    if number > SEVERAL_MAX {
        return Err(Malformed);
    }
    (0..number).map(|_| one(fields)).collect()
}

fn write_token(written: &mut Writer, token: &TokenFacts) {
    for text in [&token.serial, &token.label, &token.model] {
        written.bytes(text.as_bytes());
    }
    for flag in [token.has_user_pin, token.is_pin_locked, token.is_pin_at_final_try, token.is_pin_count_low] {
        written.flag(flag);
    }
    written.bytes(token.clock.as_deref().unwrap_or_default().as_bytes());
}

fn token(fields: &mut Reader<'_>) -> Result<TokenFacts, Malformed> {
    Ok(TokenFacts {
        serial: fields.text()?.to_owned(),
        label: fields.text()?.to_owned(),
        model: fields.text()?.to_owned(),
        has_user_pin: fields.flag()?,
        is_pin_locked: fields.flag()?,
        is_pin_at_final_try: fields.flag()?,
        is_pin_count_low: fields.flag()?,
        clock: match fields.text()? {
            "" => None,
            clock => Some(clock.to_owned()),
        },
    })
}

fn key(fields: &mut Reader<'_>) -> Result<Attributes, Malformed> {
    Ok(Attributes {
        label: fields.text()?.to_owned(),
        bytes: fields.number()?,
        local: fields.flag()?,
        sensitive: fields.flag()?,
        always_sensitive: fields.flag()?,
        extractable: fields.flag()?,
        never_extractable: fields.flag()?,
        encrypt: fields.flag()?,
        decrypt: fields.flag()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_answered_is_what_is_understood() {
        let token = TokenFacts {
            serial: "serial".to_owned(),
            label: "label".to_owned(),
            model: "model".to_owned(),
            has_user_pin: true,
            is_pin_locked: false,
            is_pin_at_final_try: true,
            is_pin_count_low: false,
            clock: Some("2026-01-31T12:00:00Z".to_owned()),
        };
        let other = TokenFacts { clock: None, ..token.clone() };
        let key = Attributes {
            label: "label".to_owned(),
            bytes: 32,
            local: true,
            never_extractable: true,
            decrypt: true,
            ..Attributes::default()
        };
        for reply in [
            Reply::Done,
            Reply::Failed(Error::Device("of a kind".to_owned())),
            Reply::Tokens(vec![token, other]),
            Reply::Mechanisms(vec![0x1087, 0, u64::MAX]),
            Reply::Key(key),
            Reply::Keys(vec![([1; 16], "label".to_owned()), ([2; 16], String::new())]),
            Reply::Sealed(Sealed { iv: [3; 12], ciphertext: vec![1, 2] }),
            Reply::Bytes(Zeroizing::new(vec![5; 100])),
        ] {
            let message = reply.encode();
            assert_eq!(Reply::decode(&message).as_ref(), Ok(&reply));
            assert!(Reply::decode(&message[..message.len() - 1]).is_err());
            assert!(Reply::decode(&[&message[..], &[0]].concat()).is_err());
        }
    }

    #[test]
    fn more_tokens_than_a_worker_sees_are_refused() {
        let mut written = Writer::new(2, &[]);
        written.number(u64::MAX);
        assert_eq!(Reply::decode(&written.done()), Err(Malformed));
    }

    proptest! {
        #[test]
        fn nothing_that_comes_is_a_surprise(message: Vec<u8>) {
            let _ = Reply::decode(&message);
        }
    }
}
