//! A key in several tokens that do not share their keys: it is wrapped under a key of the other token, and never seen.
//!
//! For development: a vendor's HSMs share keys among themselves. A key that went this way could leave its first token until
//! [`Token::settle`], and says so for good (`CKA_NEVER_EXTRACTABLE`, `CKA_LOCAL` of the copies).

use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use crate::error::Error;
use crate::key::{Attributes, KeyId, attributes, find, length, template};
use crate::token::Token;

/// Bits of the key that a key is wrapped under; it lives as long as the transfer.
const WRAPPING_BITS: u64 = 2048;
const PUBLIC_EXPONENT: [u8; 3] = [1, 0, 1];

impl Token {
    /// Makes an AES-256 key that may leave the token wrapped, until [`Self::settle`].
    ///
    /// # Errors
    /// Those of the token.
    pub fn generate_movable(&self, id: &KeyId, label: &str) -> Result<(), Error> {
        self.sessions.run(|open| {
            let mut template = template(id, label);
            template.extend([length(), Attribute::Extractable(true)]);
            open.session.generate_key(&Mechanism::AesKeyGen, &template)?;
            Ok(())
        })
    }

    /// Copies a movable key into another token, where it cannot move.
    ///
    /// # Errors
    /// Those of either token; [`Error::KeyUnfit`] when the copy is not as it must be, which is destroyed then.
    pub fn copy_to(&self, other: &Self, id: &KeyId, label: &str) -> Result<Attributes, Error> {
        other.sessions.run(|open| {
            // What is made here are objects of the session, which end with it at the latest.
            let there = &open.session;
            let (public, private) = wrapping_pair(there)?;
            let key = public_key(there, public)?;
            let copied = self.wrapped_under(&key, id).and_then(|wrapped| {
                let mut template = template(id, label);
                template.push(Attribute::Extractable(false));
                Ok(there.unwrap_key(&oaep(), private, &wrapped, &template)?)
            });
            there.destroy_object(public)?;
            there.destroy_object(private)?;
            checked(there, copied?)
        })
    }

    /// Takes from a movable key that it may move. That cannot be undone.
    ///
    /// # Errors
    /// [`Error::KeyUnfit`] when the token leaves it movable.
    pub fn settle(&self, id: &KeyId) -> Result<Attributes, Error> {
        let key = id.into();
        self.sessions.run(|open| {
            open.forget(&key);
            let handle = find(&open.session, &key)?;
            open.session.update_attributes(handle, &[Attribute::Extractable(false)])?;
            checked(&open.session, handle)
        })
    }

    fn wrapped_under(&self, public_key: &[Attribute], id: &KeyId) -> Result<Vec<u8>, Error> {
        self.sessions.run(|open| {
            let here = &open.session;
            let wrapping = here.create_object(public_key)?;
            let wrapped = find(here, &id.into()).and_then(|key| Ok(here.wrap_key(&oaep(), wrapping, key)?));
            here.destroy_object(wrapping)?;
            wrapped
        })
    }
}

/// With SHA-1, which is all that SoftHSM has. OAEP does not rest on collisions of its hash.
fn oaep() -> Mechanism<'static> {
    let source = PkcsOaepSource::empty();
    Mechanism::RsaPkcsOaep(PkcsOaepParams::new(MechanismType::SHA1, PkcsMgfType::MGF1_SHA1, source))
}

fn wrapping_pair(session: &Session) -> Result<(ObjectHandle, ObjectHandle), Error> {
    let public = [
        Attribute::Token(false),
        Attribute::Wrap(true),
        Attribute::ModulusBits(WRAPPING_BITS.into()),
        Attribute::PublicExponent(PUBLIC_EXPONENT.to_vec()),
    ];
    let private = [
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Unwrap(true),
    ];
    Ok(session.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private)?)
}

/// The public key as an object of a session with another token.
fn public_key(session: &Session, key: ObjectHandle) -> Result<Vec<Attribute>, Error> {
    let mut object = vec![
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(KeyType::RSA),
        Attribute::Token(false),
        Attribute::Wrap(true),
    ];
    object.extend(session.get_attributes(key, &[AttributeType::Modulus, AttributeType::PublicExponent])?);
    Ok(object)
}

fn checked(session: &Session, handle: ObjectHandle) -> Result<Attributes, Error> {
    let made = attributes(session, handle)?;
    match made.flaw_of_copy() {
        None => Ok(made),
        Some(flaw) => {
            session.destroy_object(handle)?;
            Err(Error::KeyUnfit(flaw.into()))
        }
    }
}
