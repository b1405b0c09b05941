//! A root key that a key in an HSM encrypts: made here, encrypted there, and there alone decrypted again.

use std::sync::Arc;

use anyhow::Result;
use trent_crypto::root::{WRAPPED_ROOT_KEY_AAD, WrappedRootKey};
use trent_crypto::{Key256, Random, SecretBytes};
use trent_hsm::{Attributes, Error, IvMode, KEY_ID_BYTES, KeyName, Sealed, TokenError};

use crate::config::{Config, RootKeyPkcs11Section};
use crate::failure::misuse;
use crate::secret_source::SecretSource;
use crate::token::{OpenToken, TokenPlace, iv_mode, limits, program};

const SECTION: &str = "root_key_pkcs11";

/// The key in an HSM, as the configuration has it. Whether that makes sense is seen when it is wanted.
#[derive(Debug, Clone)]
pub(crate) struct HsmKey {
    section: RootKeyPkcs11Section,
    limits: trent_hsm::Limits,
    pin: SecretSource,
    spares_tries: bool,
}

/// The same, as far as it is right without asking the HSM.
struct Checked {
    place: TokenPlace,
    key: KeyName,
    mode: IvMode,
}

impl HsmKey {
    /// That of a configuration; the PIN may be in `variable` too.
    pub(crate) fn of(config: &Config, variable: Option<Arc<SecretBytes>>) -> Self {
        let section = config.root_key_pkcs11.clone();
        let pin = SecretSource { what: "PIN", descriptor: None, file: section.pin_file.clone(), variable };
        Self { section, limits: limits(&config.hsm), pin, spares_tries: false }
    }

    /// The same for whoever only looks: no PIN is tried where a wrong one was tried last.
    pub(crate) fn sparing_tries(self) -> Self {
        Self { spares_tries: true, ..self }
    }

    /// Where the token is.
    pub(crate) fn place(&self) -> Result<TokenPlace> {
        Ok(self.checked()?.place)
    }

    /// Refuses settings that cannot be right.
    pub(crate) fn check(&self) -> Result<()> {
        self.checked().map(drop)
    }

    fn checked(&self) -> Result<Checked> {
        let Self { section, limits, pin, spares_tries } = self;
        let Some(module) = &section.module else {
            return Err(misuse(format!(
                "the root key is in an HSM, and {SECTION}.module does not say which PKCS#11 library reaches it"
            )));
        };
        if section.token_serial.is_none() && section.token_label.is_none() {
            return Err(misuse(format!(
                "set {SECTION}.token_serial or token_label, to say which token it is"
            )));
        }
        let key = match &section.key_id {
            Some(digits) => KeyName { id: Some(bytes_of(digits)?), label: None },
            None => KeyName { id: None, label: Some(section.key_label.clone()) },
        };
        let place = TokenPlace {
            section: SECTION.to_owned(),
            program: program(module, &section.module_environment),
            limits: *limits,
            serial: section.token_serial.clone(),
            label: section.token_label.clone(),
            pin: pin.clone(),
            spares_tries: *spares_tries,
            counted: None,
        };
        Ok(Checked { place, key, mode: iv_mode(section.gcm_iv) })
    }

    /// The key's name for people.
    pub(crate) fn shown(&self) -> String {
        match &self.section.key_id {
            Some(id) => format!("key {id}"),
            None => format!("key `{}`", self.section.key_label),
        }
    }

    /// Has a root key encrypted, by a key that is made where it is named by a label and is not there yet. What comes of
    /// it has been decrypted again.
    pub(crate) async fn wrap(&self, root: &Key256, random: &dyn Random) -> Result<WrappedRootKey> {
        let Checked { place, key, mode } = self.checked()?;
        let token = place.open().await?;
        self.prepare(&place, &token, &key, random).await?;
        let OpenToken { worker, serial, .. } = &token;
        let sealed = worker.encrypt(serial, key.clone(), mode, root.expose(), WRAPPED_ROOT_KEY_AAD).await;
        let sealed = sealed.map_err(|error| self.explain(&place, &error))?;
        let odd = || misuse(format!("{place} makes something of another length of a root key"));
        let wrapped =
            WrappedRootKey { iv: sealed.iv, wrapped: sealed.ciphertext.try_into().map_err(|_| odd())? };
        let opened = self.unwrap_in(&place, &token, key, mode, &wrapped).await?;
        if opened != *root {
            return Err(misuse(format!("{place} does not give back what it has encrypted")));
        }
        Ok(wrapped)
    }

    /// Has a root key decrypted.
    pub(crate) async fn unwrap(&self, wrapped: &WrappedRootKey) -> Result<Key256> {
        let Checked { place, key, mode } = self.checked()?;
        let token = place.open().await?;
        self.unwrap_in(&place, &token, key, mode, wrapped).await
    }

    async fn unwrap_in(
        &self,
        place: &TokenPlace,
        token: &OpenToken,
        key: KeyName,
        mode: IvMode,
        wrapped: &WrappedRootKey,
    ) -> Result<Key256> {
        let sealed = Sealed { iv: wrapped.iv, ciphertext: wrapped.wrapped.to_vec() };
        let opened = token.worker.decrypt(&token.serial, key, mode, sealed, WRAPPED_ROOT_KEY_AAD).await;
        let opened = opened.map_err(|error| self.explain(place, &error))?;
        Key256::from_slice(&opened)
            .ok_or_else(|| misuse(format!("{place} decrypts a root key to something of another length")))
    }

    /// Sees to it that the key is there, and fit.
    async fn prepare(
        &self,
        place: &TokenPlace,
        token: &OpenToken,
        key: &KeyName,
        random: &dyn Random,
    ) -> Result<()> {
        let OpenToken { worker, serial, .. } = token;
        let found = match (worker.find(serial, key.clone()).await, &key.label) {
            (Err(Error::Token(TokenError::KeyNotFound)), Some(label)) => {
                let mut id = [0; KEY_ID_BYTES];
                random.fill(&mut id)?;
                let made = worker.generate(serial, id, label).await;
                if made.is_ok() {
                    tracing::warn!("made {} in {place}: without it nobody has the root key", self.shown());
                }
                made
            }
            (found, _) => found,
        };
        let shown = self.shown();
        let Attributes { bytes, extractable, sensitive, encrypt, decrypt, .. } =
            found.map_err(|error| self.explain(place, &error))?;
        // Of some keys SoftHSM does not tell the length.
        if !matches!(bytes, 0 | 32) || !encrypt || !decrypt {
            return Err(misuse(format!(
                "{shown} of {place} is no AES-256 key that encrypts and decrypts; name another in \
                 {SECTION}.key_label or key_id"
            )));
        }
        if extractable || !sensitive {
            tracing::warn!("{shown} of {place} can leave it; a key that trent makes there cannot");
        }
        Ok(())
    }

    fn explain(&self, place: &TokenPlace, error: &Error) -> anyhow::Error {
        let shown = self.shown();
        match error {
            Error::Token(TokenError::KeyNotFound) => misuse(format!(
                "{place} has no {shown}; bring that key back into the HSM, or set {SECTION}.key_label or key_id"
            )),
            Error::Token(TokenError::KeyAmbiguous) => misuse(format!(
                "{place} has several keys that are {shown}; name the right one in {SECTION}.key_id"
            )),
            Error::Token(TokenError::InvalidCiphertext) => misuse(format!(
                "{shown} of {place} does not open the root key: it is another key, or the file was altered; set \
                 {SECTION}.key_label or key_id, or put the right file back"
            )),
            other => place.explain(other).into(),
        }
    }
}

/// The bytes that hex digits stand for.
pub(crate) fn bytes_of(digits: &str) -> Result<Vec<u8>> {
    let wrong = || misuse(format!("the id of a key is pairs of hex digits, not `{digits}`"));
    let (pairs, odd) = digits.as_bytes().as_chunks::<2>();
    if !odd.is_empty() || pairs.is_empty() {
        return Err(wrong());
    }
    let byte = |pair: &[u8; 2]| {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        u8::try_from(high? << 4 | low?).ok()
    };
    pairs.iter().map(byte).collect::<Option<Vec<u8>>>().ok_or_else(wrong)
}
