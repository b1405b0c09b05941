//! AES-256 keys in a token: made there, found by their identifier, destroyed.

use std::collections::BTreeMap;

use cryptoki::error::{Error as Cause, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use crate::error::Error;
use crate::token::Token;

/// Bytes of an identifier.
pub const KEY_ID_BYTES: usize = 16;
/// Bytes of a key.
const KEY_BYTES: u64 = 32;
/// Characters of a label that are told of a list of keys.
const LABEL_CHARACTERS: usize = 100;

/// The identifier of a key in a token (`CKA_ID`): random, so that no other key has it.
pub type KeyId = [u8; KEY_ID_BYTES];

/// How an AES key of a token is found. Nothing of it that is not given is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct KeyName {
    /// Its identifier (`CKA_ID`), of any length where trent has not made the key.
    pub id: Option<Vec<u8>>,
    /// Its label (`CKA_LABEL`).
    pub label: Option<String>,
}

impl From<&KeyId> for KeyName {
    fn from(id: &KeyId) -> Self {
        Self { id: Some(id.to_vec()), label: None }
    }
}

impl From<KeyId> for KeyName {
    fn from(id: KeyId) -> Self {
        Self::from(&id)
    }
}

/// What a token says of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Its label.
    pub label: String,
    /// Bytes of its value.
    pub bytes: u64,
    /// Whether it was made in this token.
    pub local: bool,
    /// Whether its value is never shown.
    pub sensitive: bool,
    /// Whether that has always been so.
    pub always_sensitive: bool,
    /// Whether it may leave the token wrapped.
    pub extractable: bool,
    /// Whether it never could.
    pub never_extractable: bool,
    /// Whether it encrypts.
    pub encrypt: bool,
    /// Whether it decrypts.
    pub decrypt: bool,
}

impl Attributes {
    /// What keeps this from being a key that was made in a token and cannot leave it.
    fn flaw(&self) -> Option<&'static str> {
        let wanted = [
            (self.bytes == KEY_BYTES, "it has another length"),
            (self.local, "it was not made in the token"),
            (self.always_sensitive, "its value could be read"),
            (self.never_extractable, "it could leave the token"),
        ];
        first_flaw(&wanted).or_else(|| self.flaw_of_copy())
    }

    /// What keeps this from being a key that cannot leave its token any more. Its length is that of the key that it was
    /// copied from, and SoftHSM does not tell it.
    pub(crate) fn flaw_of_copy(&self) -> Option<&'static str> {
        first_flaw(&[
            (self.sensitive, "its value can be read"),
            (!self.extractable, "it can leave the token"),
            (self.encrypt && self.decrypt, "it does not encrypt and decrypt"),
        ])
    }
}

fn first_flaw(wanted: &[(bool, &'static str)]) -> Option<&'static str> {
    wanted.iter().find_map(|(holds, flaw)| (!holds).then_some(*flaw))
}

impl Token {
    /// Makes an AES-256 key that never leaves the token, and reads back that it is one.
    ///
    /// # Errors
    /// [`Error::KeyUnfit`] when the token made another kind of key; it is destroyed then.
    pub fn generate(&self, id: &KeyId, label: &str) -> Result<Attributes, Error> {
        let mut is_repeated = false;
        self.sessions.run(|open| {
            let session = &open.session;
            if std::mem::replace(&mut is_repeated, true) {
                // The session may have ended when the key was made already. Two of one identifier would be of no use.
                destroy_all(session, &KeyName::from(id))?;
            }
            let handle = generate(session, id, label)?;
            let made = attributes(session, handle).and_then(|made| match made.flaw() {
                None => Ok(made),
                Some(flaw) => Err(Error::KeyUnfit(flaw.into())),
            });
            if made.is_err() {
                // Where that is not possible, the first error is what counts.
                let _ = session.destroy_object(handle);
            }
            made
        })
    }

    /// What the token says of a key.
    ///
    /// # Errors
    /// [`Error::KeyNotFound`], [`Error::KeyAmbiguous`].
    pub fn find(&self, key: impl Into<KeyName>) -> Result<Attributes, Error> {
        let key = key.into();
        self.sessions.run(|open| {
            // Looked for again: whoever asks wants to know whether it is there now.
            open.forget(&key);
            let handle = open.handle(&key, |session| find(session, &key))?;
            attributes(&open.session, handle)
        })
    }

    /// The keys with identifiers such as trent makes, and their labels: those behind `after`, in the order of their
    /// identifiers, `max` at most.
    ///
    /// # Errors
    /// Those of the token.
    pub fn list(&self, after: Option<&KeyId>, max: usize) -> Result<Vec<(KeyId, String)>, Error> {
        self.sessions.run(|open| {
            let session = &open.session;
            let mut found = BTreeMap::new();
            for handle in find_all(session, &KeyName::default())? {
                if let Some(id) = identifier(session, handle)?
                    && after.is_none_or(|after| id > *after)
                {
                    found.insert(id, handle);
                    if found.len() > max {
                        found.pop_last();
                    }
                }
            }
            found.into_iter().map(|(id, handle)| Ok((id, label(session, handle)?))).collect()
        })
    }

    /// Destroys a key, and whatever else has its identifier.
    ///
    /// # Errors
    /// [`Error::KeyNotFound`]; [`Error::Refused`] where the token keeps what it has.
    pub fn destroy(&self, id: &KeyId) -> Result<(), Error> {
        let key = KeyName::from(id);
        self.sessions.run(|open| {
            open.forget(&key);
            match destroy_all(&open.session, &key)? {
                0 => Err(Error::KeyNotFound),
                _ => Ok(()),
            }
        })
    }
}

/// The identifier of a key, where it has one such as trent makes.
fn identifier(session: &Session, handle: ObjectHandle) -> Result<Option<KeyId>, Error> {
    let read = session.get_attributes(handle, &[AttributeType::Id])?;
    Ok(read.into_iter().find_map(|attribute| match attribute {
        Attribute::Id(id) => id.try_into().ok(),
        _ => None,
    }))
}

/// The label of a key, or the beginning of one that is too long for any of trent's.
fn label(session: &Session, handle: ObjectHandle) -> Result<String, Error> {
    let read = session.get_attributes(handle, &[AttributeType::Label])?;
    let label = read.into_iter().find_map(|attribute| match attribute {
        Attribute::Label(label) => {
            Some(String::from_utf8_lossy(&label).chars().take(LABEL_CHARACTERS).collect())
        }
        _ => None,
    });
    Ok(label.unwrap_or_default())
}

/// Destroys all keys of a name; gives their number.
fn destroy_all(session: &Session, key: &KeyName) -> Result<usize, Error> {
    let found = find_all(session, key)?;
    for handle in &found {
        session.destroy_object(*handle)?;
    }
    Ok(found.len())
}

pub(crate) fn find(session: &Session, key: &KeyName) -> Result<ObjectHandle, Error> {
    match find_all(session, key)?.as_slice() {
        [one] => Ok(*one),
        [] => Err(Error::KeyNotFound),
        _ => Err(Error::KeyAmbiguous),
    }
}

fn find_all(session: &Session, key: &KeyName) -> Result<Vec<ObjectHandle>, Error> {
    let mut wanted = vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Token(true),
    ];
    wanted.extend(key.id.clone().map(Attribute::Id));
    wanted.extend(key.label.as_ref().map(|label| Attribute::Label(label.as_bytes().to_vec())));
    let found = session.find_objects(&wanted)?;
    // To a stranger private keys are not there, and that says nothing about the key.
    if found.is_empty() && !is_logged_in(session)? { Err(Error::NotLoggedIn) } else { Ok(found) }
}

fn is_logged_in(session: &Session) -> Result<bool, Error> {
    use cryptoki::session::SessionState::{RoUser, RwUser};
    Ok(matches!(session.get_session_info()?.session_state(), RoUser | RwUser))
}

/// What all keys have in common.
pub(crate) fn template(id: &KeyId, label: &str) -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Sign(false),
        Attribute::Verify(false),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Id(id.to_vec()),
    ]
}

/// How long a key that is made here is. Of one that comes wrapped that is known.
pub(crate) fn length() -> Attribute {
    Attribute::ValueLen(KEY_BYTES.into())
}

fn generate(session: &Session, id: &KeyId, label: &str) -> Result<ObjectHandle, Error> {
    let mut template = template(id, label);
    template.extend([length(), Attribute::Extractable(false), Attribute::Modifiable(false)]);
    match session.generate_key(&Mechanism::AesKeyGen, &template) {
        // Some tokens know nothing of keys that cannot be changed.
        Err(Cause::Pkcs11(
            RvError::AttributeTypeInvalid
            | RvError::AttributeValueInvalid
            | RvError::AttributeReadOnly
            | RvError::TemplateInconsistent,
            _,
        )) => {
            template.pop();
            Ok(session.generate_key(&Mechanism::AesKeyGen, &template)?)
        }
        other => Ok(other?),
    }
}

pub(crate) fn attributes(session: &Session, handle: ObjectHandle) -> Result<Attributes, Error> {
    let asked = [
        AttributeType::Label,
        AttributeType::ValueLen,
        AttributeType::Local,
        AttributeType::Sensitive,
        AttributeType::AlwaysSensitive,
        AttributeType::Extractable,
        AttributeType::NeverExtractable,
        AttributeType::Encrypt,
        AttributeType::Decrypt,
    ];
    // What a token leaves out counts as the answer that is not wanted.
    let mut read = Attributes { extractable: true, ..Attributes::default() };
    for attribute in session.get_attributes(handle, &asked)? {
        match attribute {
            Attribute::Label(label) => read.label = String::from_utf8_lossy(&label).into_owned(),
            Attribute::ValueLen(bytes) => read.bytes = *bytes,
            Attribute::Local(is) => read.local = is,
            Attribute::Sensitive(is) => read.sensitive = is,
            Attribute::AlwaysSensitive(is) => read.always_sensitive = is,
            Attribute::Extractable(is) => read.extractable = is,
            Attribute::NeverExtractable(is) => read.never_extractable = is,
            Attribute::Encrypt(is) => read.encrypt = is,
            Attribute::Decrypt(is) => read.decrypt = is,
            _ => {}
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_or_could_be_elsewhere_is_unfit() {
        let fit = Attributes {
            label: String::new(),
            bytes: KEY_BYTES,
            local: true,
            sensitive: true,
            always_sensitive: true,
            extractable: false,
            never_extractable: true,
            encrypt: true,
            decrypt: true,
        };
        assert_eq!(fit.flaw(), None);
        let unfit = [
            Attributes { bytes: 16, ..fit.clone() },
            Attributes { local: false, ..fit.clone() },
            Attributes { sensitive: false, ..fit.clone() },
            Attributes { always_sensitive: false, ..fit.clone() },
            Attributes { extractable: true, ..fit.clone() },
            Attributes { never_extractable: false, ..fit.clone() },
            Attributes { decrypt: false, ..fit },
        ];
        for attributes in unfit {
            assert!(attributes.flaw().is_some(), "{attributes:?}");
        }
    }
}
