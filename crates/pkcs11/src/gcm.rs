//! AES-GCM in a token, with the ways in which modules treat the IV.
//!
//! An IV that is used twice with one key gives the key's authentication away. So nothing that a module made leaves
//! here before its IV has been seen to be what its mode promises.

use cryptoki::context::Function;
use cryptoki::error::{Error as Cause, RvError};
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::vendor_defined::VendorDefinedMechanism;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki_sys::CK_GCM_PARAMS;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::key::{KeyName, attributes, find};
use crate::token::Token;

/// Bytes of an IV.
pub const IV_BYTES: usize = 12;
/// Bytes of a tag.
pub const TAG_BYTES: usize = 16;
const TAG_BITS: u64 = 128;
/// What is encrypted to see whether a token is well.
const PROBE: &[u8] = b"probe";
/// Keys of which such a ciphertext is kept.
const PROBES_MAX: usize = 4096;

/// Who chooses the IV, and where it comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IvMode {
    /// The caller passes one that the token's random generator has made.
    Caller,
    /// The caller passes zeros, which the token writes its own over.
    ZeroInPlace,
    /// The caller passes none; the token puts its own behind ciphertext and tag.
    Appended,
}

/// What a token made of a plaintext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The IV.
    pub iv: [u8; IV_BYTES],
    /// Ciphertext and tag.
    pub ciphertext: Vec<u8>,
}

impl Token {
    /// Encrypts with a key of this token.
    ///
    /// # Errors
    /// [`Error::IvMode`] when the module has done something else with the IV than `mode` says.
    pub fn encrypt(
        &self,
        key: impl Into<KeyName>,
        mode: IvMode,
        plaintext: &[u8],
        aad: &[u8],
    ) -> Result<Sealed, Error> {
        let name = key.into();
        self.sessions.run(|open| {
            let key = open.handle(&name, |session| find(session, &name))?;
            let sealed = encrypt(&open.session, key, mode, plaintext, aad);
            if sealed.is_err() {
                open.forget(&name);
            }
            sealed
        })
    }

    /// Decrypts with a key of this token. `mode` is that of the module, which is tried where it gives no clear answer.
    ///
    /// # Errors
    /// [`Error::InvalidCiphertext`] when anything is not as it was.
    pub fn decrypt(
        &self,
        key: impl Into<KeyName>,
        mode: IvMode,
        sealed: &Sealed,
        aad: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let name = key.into();
        if sealed.ciphertext.len() < TAG_BYTES {
            return Err(Error::InvalidCiphertext);
        }
        let decrypted = self.sessions.run(|open| {
            let key = open.handle(&name, |session| find(session, &name))?;
            let decrypted = decrypt(&open.session, key, sealed, aad);
            if decrypted.is_err() {
                open.forget(&name);
            }
            decrypted
        });
        match decrypted {
            // Many tokens have no word for a wrong tag. One that is well otherwise means that.
            Err(Error::Device(_)) if self.is_well(&name, mode) => Err(Error::InvalidCiphertext),
            other => other,
        }
    }

    /// Whether the token decrypts with this key: tried on something that it has encrypted once, so that wrong ciphertexts use
    /// up none of the IVs that a key has. Of a key that does not encrypt it is enough to be there.
    fn is_well(&self, name: &KeyName, mode: IvMode) -> bool {
        let known = self.probes.lock().get(name).cloned();
        let probe = self.sessions.run(|open| {
            let key = open.handle(name, |session| find(session, name))?;
            let sealed = match &known {
                Some(known) => known.clone(),
                None if !attributes(&open.session, key)?.encrypt => return Ok(None),
                None => encrypt(&open.session, key, mode, PROBE, &[])?,
            };
            let decrypted = decrypt(&open.session, key, &sealed, &[])?;
            Ok((decrypted.as_slice() == PROBE).then_some(sealed))
        });
        let is_well = match probe {
            Ok(Some(sealed)) => {
                let mut probes = self.probes.lock();
                if probes.len() >= PROBES_MAX {
                    probes.clear();
                }
                probes.insert(name.clone(), sealed);
                true
            }
            Ok(None) => known.is_none(),
            Err(_) => false,
        };
        is_well && self.facts().is_ok()
    }
}

fn encrypt(
    session: &Session,
    key: ObjectHandle,
    mode: IvMode,
    plaintext: &[u8],
    aad: &[u8],
) -> Result<Sealed, Error> {
    match mode {
        IvMode::Caller => {
            let mut iv = [0; IV_BYTES];
            session.generate_random_slice(&mut iv)?;
            let chosen = iv;
            let ciphertext = with_iv(session, key, &mut iv, plaintext, aad)?;
            if iv != chosen {
                return Err(Error::IvMode("it has written over the IV that it was given".into()));
            }
            exactly(plaintext, TAG_BYTES, &ciphertext)?;
            Ok(Sealed { iv: genuine(iv)?, ciphertext })
        }
        IvMode::ZeroInPlace => {
            let mut iv = [0; IV_BYTES];
            let ciphertext = with_iv(session, key, &mut iv, plaintext, aad)?;
            exactly(plaintext, TAG_BYTES, &ciphertext)?;
            Ok(Sealed { iv: genuine(iv)?, ciphertext })
        }
        IvMode::Appended => {
            let mut ciphertext = without_iv(session, key, plaintext, aad)?;
            exactly(plaintext, TAG_BYTES + IV_BYTES, &ciphertext)?;
            let iv = ciphertext.split_off(plaintext.len() + TAG_BYTES);
            let iv = iv.try_into().map_err(|_| Error::IvMode("it has appended no IV".into()))?;
            Ok(Sealed { iv: genuine(iv)?, ciphertext })
        }
    }
}

/// An IV of zeros is one that nobody has chosen: the next one would be the same.
fn genuine(iv: [u8; IV_BYTES]) -> Result<[u8; IV_BYTES], Error> {
    if iv == [0; IV_BYTES] { Err(Error::IvMode("its IV is all zeros".into())) } else { Ok(iv) }
}

fn exactly(plaintext: &[u8], more: usize, made: &[u8]) -> Result<(), Error> {
    let expected = plaintext.len() + more;
    if made.len() == expected {
        Ok(())
    } else {
        Err(Error::IvMode("what it has made has another length".into()))
    }
}

fn with_iv(
    session: &Session,
    key: ObjectHandle,
    iv: &mut [u8; IV_BYTES],
    plaintext: &[u8],
    aad: &[u8],
) -> Result<Vec<u8>, Error> {
    let mechanism = Mechanism::AesGcm(GcmParams::new(iv, aad, TAG_BITS.into())?);
    Ok(session.encrypt(&mechanism, key, plaintext)?)
}

fn without_iv(session: &Session, key: ObjectHandle, plaintext: &[u8], aad: &[u8]) -> Result<Vec<u8>, Error> {
    // `GcmParams` has no way to pass no IV: an empty slice is a pointer that is not null.
    let parameters = CK_GCM_PARAMS {
        pIv: std::ptr::null_mut(),
        ulIvLen: 0,
        ulIvBits: 0,
        pAAD: aad.as_ptr().cast_mut(),
        ulAADLen: aad.len().try_into().map_err(|_| Error::Other("too much additional data".to_owned()))?,
        ulTagBits: TAG_BITS,
    };
    let mechanism = VendorDefinedMechanism::new(MechanismType::AES_GCM, Some(&parameters));
    Ok(session.encrypt(&Mechanism::VendorDefined(mechanism), key, plaintext)?)
}

fn decrypt(
    session: &Session,
    key: ObjectHandle,
    sealed: &Sealed,
    aad: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut iv = sealed.iv;
    let mechanism = Mechanism::AesGcm(GcmParams::new(&mut iv, aad, TAG_BITS.into())?);
    match session.decrypt(&mechanism, key, &sealed.ciphertext) {
        Ok(plaintext) => Ok(Zeroizing::new(plaintext)),
        // Not where the operation begins: there it is the device that has failed.
        Err(Cause::Pkcs11(RvError::SignatureInvalid, Function::Decrypt)) => Err(Error::InvalidCiphertext),
        Err(other) => Err(other.into()),
    }
}
