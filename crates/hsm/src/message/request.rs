//! What a worker is asked.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use trent_pkcs11::{IvMode, KeyId, KeyName, Sealed};
use zeroize::Zeroizing;

use crate::pin::Pin;
use crate::wire::{Malformed, Reader, Writer};

/// What a worker is asked.
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Request {
    /// To load a module; comes first, and once.
    Load(PathBuf),
    /// Which tokens there are.
    Tokens,
    /// Something of the token with a serial number.
    Of(String, Ask),
    /// To copy a movable key to another token.
    Copy {
        /// The serial number of the token that has it.
        from: String,
        /// And of the one that is to have it too.
        to: String,
        id: KeyId,
        label: String,
    },
}

/// What is asked of a token.
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Ask {
    Facts,
    Mechanisms,
    LogIn(Pin),
    LogOut,
    ChangePin {
        old: Pin,
        new: Pin,
    },
    Generate {
        id: KeyId,
        label: String,
    },
    GenerateMovable {
        id: KeyId,
        label: String,
    },
    Settle(KeyId),
    Find(KeyName),
    /// The keys behind an identifier, or the first.
    List {
        after: Option<KeyId>,
    },
    Destroy(KeyId),
    Encrypt {
        key: KeyName,
        mode: IvMode,
        plaintext: Zeroizing<Vec<u8>>,
        aad: Vec<u8>,
    },
    Decrypt {
        key: KeyName,
        mode: IvMode,
        sealed: Sealed,
        aad: Vec<u8>,
    },
    Random(u64),
}

impl Request {
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Load(path) => Writer::new(0, &[path.as_os_str().as_bytes()]).done(),
            Self::Tokens => Writer::new(1, &[]).done(),
            Self::Of(serial, ask) => ask.encode(serial.as_bytes()),
            Self::Copy { from, to, id, label } => {
                Writer::new(14, &[from.as_bytes(), to.as_bytes(), id, label.as_bytes()]).done()
            }
        }
    }

    pub(crate) fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let (kind, mut fields) = Reader::new(message)?;
        let request = match kind {
            0 => Self::Load(Path::new(OsStr::from_bytes(fields.bytes()?)).to_owned()),
            1 => Self::Tokens,
            14 => Self::Copy {
                from: fields.text()?.to_owned(),
                to: fields.text()?.to_owned(),
                id: fields.exactly()?,
                label: fields.text()?.to_owned(),
            },
            kind => Self::Of(fields.text()?.to_owned(), Ask::decode(kind, &mut fields)?),
        };
        if fields.is_done() { Ok(request) } else { Err(Malformed) }
    }
}

impl Ask {
    fn encode(&self, serial: &[u8]) -> Zeroizing<Vec<u8>> {
        let written = match self {
            Self::Facts => Writer::new(2, &[serial]),
            Self::Mechanisms => Writer::new(15, &[serial]),
            Self::LogIn(pin) => Writer::new(3, &[serial, pin.expose().as_bytes()]),
            Self::LogOut => Writer::new(4, &[serial]),
            Self::ChangePin { old, new } => {
                Writer::new(5, &[serial, old.expose().as_bytes(), new.expose().as_bytes()])
            }
            Self::Generate { id, label } => Writer::new(6, &[serial, id, label.as_bytes()]),
            Self::GenerateMovable { id, label } => Writer::new(12, &[serial, id, label.as_bytes()]),
            Self::Settle(id) => Writer::new(13, &[serial, id]),
            Self::Find(key) => Writer::new(7, &[serial, &name_bytes(key)]),
            Self::List { after } => Writer::new(16, &[serial, after.as_ref().map_or(&[], |id| &id[..])]),
            Self::Destroy(id) => Writer::new(8, &[serial, id]),
            Self::Encrypt { key, mode, plaintext, aad } => {
                Writer::new(9, &[serial, &name_bytes(key), &[mode_byte(*mode)], plaintext, aad])
            }
            Self::Decrypt { key, mode, sealed, aad } => {
                let (key, mode) = (name_bytes(key), [mode_byte(*mode)]);
                Writer::new(10, &[serial, &key, &mode, &sealed.iv, &sealed.ciphertext, aad])
            }
            Self::Random(length) => {
                let mut written = Writer::new(11, &[serial]);
                written.number(*length);
                written
            }
        };
        written.done()
    }

    fn decode(kind: u8, fields: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(match kind {
            2 => Self::Facts,
            15 => Self::Mechanisms,
            3 => Self::LogIn(fields.text()?.into()),
            4 => Self::LogOut,
            5 => Self::ChangePin { old: fields.text()?.into(), new: fields.text()?.into() },
            6 => Self::Generate { id: fields.exactly()?, label: fields.text()?.to_owned() },
            12 => Self::GenerateMovable { id: fields.exactly()?, label: fields.text()?.to_owned() },
            13 => Self::Settle(fields.exactly()?),
            7 => Self::Find(name(fields.bytes()?)?),
            16 => Self::List {
                after: match fields.bytes()? {
                    [] => None,
                    id => Some(id.try_into().map_err(|_| Malformed)?),
                },
            },
            8 => Self::Destroy(fields.exactly()?),
            9 => Self::Encrypt {
                key: name(fields.bytes()?)?,
                mode: mode(fields.exactly()?)?,
                plaintext: Zeroizing::new(fields.bytes()?.to_vec()),
                aad: fields.bytes()?.to_vec(),
            },
            10 => Self::Decrypt {
                key: name(fields.bytes()?)?,
                mode: mode(fields.exactly()?)?,
                sealed: Sealed { iv: fields.exactly()?, ciphertext: fields.bytes()?.to_vec() },
                aad: fields.bytes()?.to_vec(),
            },
            11 => Self::Random(fields.number()?),
            _ => return Err(Malformed),
        })
    }
}

/// Which parts of a name there are, and these.
fn name_bytes(name: &KeyName) -> Zeroizing<Vec<u8>> {
    let (id, label) = (name.id.as_deref(), name.label.as_ref().map(String::as_bytes));
    let kind = u8::from(id.is_some()) | u8::from(label.is_some()) << 1;
    Writer::new(kind, &[id, label].into_iter().flatten().collect::<Vec<_>>()).done()
}

fn name(field: &[u8]) -> Result<KeyName, Malformed> {
    let (kind, mut parts) = Reader::new(field)?;
    let mut name = KeyName::default();
    if kind & 1 != 0 {
        name.id = Some(parts.bytes()?.to_vec());
    }
    if kind & 2 != 0 {
        name.label = Some(parts.text()?.to_owned());
    }
    if kind > 3 || !parts.is_done() { Err(Malformed) } else { Ok(name) }
}

const fn mode_byte(mode: IvMode) -> u8 {
    match mode {
        IvMode::Caller => 0,
        IvMode::ZeroInPlace => 1,
        IvMode::Appended => 2,
    }
}

const fn mode(byte: [u8; 1]) -> Result<IvMode, Malformed> {
    match byte {
        [0] => Ok(IvMode::Caller),
        [1] => Ok(IvMode::ZeroInPlace),
        [2] => Ok(IvMode::Appended),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn every_kind() -> Vec<Request> {
        let id = [7; 16];
        let sealed = Sealed { iv: [9; 12], ciphertext: vec![1, 2, 3] };
        let of = |ask| Request::Of("serial".to_owned(), ask);
        let aad = || b"aad".to_vec();
        vec![
            Request::Load("/a/module.so".into()),
            Request::Tokens,
            of(Ask::Facts),
            of(Ask::Mechanisms),
            of(Ask::LogIn("pin".into())),
            of(Ask::LogOut),
            of(Ask::ChangePin { old: "old".into(), new: "new".into() }),
            of(Ask::Generate { id, label: "label".to_owned() }),
            of(Ask::Find(id.into())),
            of(Ask::Find(KeyName { id: None, label: Some("of another".to_owned()) })),
            of(Ask::Find(KeyName { id: Some(vec![1]), label: Some(String::new()) })),
            of(Ask::Find(KeyName::default())),
            of(Ask::List { after: None }),
            of(Ask::List { after: Some(id) }),
            of(Ask::Destroy(id)),
            of(Ask::Encrypt {
                key: id.into(),
                mode: IvMode::Appended,
                plaintext: Zeroizing::new(b"secret".to_vec()),
                aad: aad(),
            }),
            of(Ask::Decrypt { key: id.into(), mode: IvMode::ZeroInPlace, sealed, aad: aad() }),
            of(Ask::Random(1024)),
            of(Ask::GenerateMovable { id, label: "label".to_owned() }),
            of(Ask::Settle(id)),
            Request::Copy { from: "one".to_owned(), to: "two".to_owned(), id, label: "label".to_owned() },
        ]
    }

    #[test]
    fn what_was_asked_is_what_is_understood() {
        for request in every_kind() {
            let message = request.encode();
            let understood = Request::decode(&message).unwrap();
            assert_eq!(format!("{understood:?}"), format!("{request:?}"));
            assert_eq!(*understood.encode(), *message);
            let (last, cut) = message.split_last().unwrap();
            if !cut.is_empty() {
                assert!(Request::decode(cut).is_err(), "{request:?}");
            }
            assert!(Request::decode(&[&message[..], &[*last]].concat()).is_err(), "{request:?}");
        }
    }

    #[test]
    fn pins_are_not_printed() {
        let request = Request::Of("serial".to_owned(), Ask::LogIn("hush".into()));
        assert!(!format!("{request:?}").contains("hush"));
    }

    proptest! {
        #[test]
        fn nothing_that_comes_is_a_surprise(message: Vec<u8>) {
            let _ = Request::decode(&message);
        }
    }
}
