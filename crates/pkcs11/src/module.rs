//! A module: a library of a vendor, loaded and started.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::slot::Slot;

use crate::error::Error;
use crate::token::Token;

/// A loaded module. It is loaded once in a process: login and what it has read of its environment are the process's.
#[derive(Debug, Clone)]
pub struct Module(pub(crate) Pkcs11);

/// What a token says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenFacts {
    /// The serial number, by which it is addressed. Slots have numbers that change.
    pub serial: String,
    /// Its name.
    pub label: String,
    /// Who made it, and what it is.
    pub model: String,
    /// Whether the user has a PIN.
    pub has_user_pin: bool,
    /// Whether too many wrong PINs have been tried.
    pub is_pin_locked: bool,
    /// Whether the next wrong one is too many.
    pub is_pin_at_final_try: bool,
    /// Whether a wrong one was tried last.
    pub is_pin_count_low: bool,
    /// Its clock, as in `2026-01-31T12:00:00Z`, if it has one.
    pub clock: Option<String>,
}

/// Numbers of mechanisms.
pub mod mechanism {
    /// `CKM_RSA_PKCS_KEY_PAIR_GEN`.
    pub const RSA_KEY_PAIR_GEN: u64 = 0x0000;
    /// `CKM_RSA_PKCS_OAEP`.
    pub const RSA_OAEP: u64 = 0x0009;
    /// `CKM_AES_KEY_GEN`.
    pub const AES_KEY_GEN: u64 = 0x1080;
    /// `CKM_AES_GCM`.
    pub const AES_GCM: u64 = 0x1087;
}

impl Module {
    /// Loads the library at `path`, which runs its code in this process, and starts it.
    ///
    /// # Errors
    /// [`Error::Module`] where that does not work.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let broken = |error: cryptoki::error::Error| Error::Module(error.to_string());
        let library = Pkcs11::new(path).map_err(broken)?;
        library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).map_err(broken)?;
        Ok(Self(library))
    }

    /// The tokens that are there now.
    ///
    /// # Errors
    /// Those of the module. A token that does not answer for itself is left out.
    pub fn tokens(&self) -> Result<Vec<TokenFacts>, Error> {
        let slots = self.0.get_slots_with_token()?;
        Ok(slots.into_iter().filter_map(|slot| self.facts(slot).ok()).collect())
    }

    /// The token with a serial number. At most `sessions_max` sessions will be open with it.
    ///
    /// # Errors
    /// [`Error::TokenNotPresent`], or those of the module.
    pub fn token(&self, serial: &str, sessions_max: usize) -> Result<Arc<Token>, Error> {
        let slot = self.find_slot(serial)?.ok_or(Error::TokenNotPresent)?;
        Ok(Arc::new(Token::new(self.clone(), slot, serial, sessions_max)))
    }

    /// Looks at all slots at once: a token that hangs must not keep the others from being found. Its thread goes with the
    /// process.
    fn find_slot(&self, serial: &str) -> Result<Option<Slot>, Error> {
        let (sender, found) = channel();
        for slot in self.0.get_slots_with_token()? {
            let (module, sender) = (self.clone(), sender.clone());
            let look = move || {
                // Whoever looks may have found it by now.
                let _ = sender.send((slot, module.facts(slot)));
            };
            let looking = thread::Builder::new().name("token-facts".to_owned()).spawn(look);
            looking.map_err(|error| Error::Other(error.to_string()))?;
        }
        drop(sender);
        let is_it = |facts: Result<TokenFacts, Error>| facts.is_ok_and(|facts| facts.serial == serial);
        Ok(found.into_iter().find_map(|(slot, facts)| is_it(facts).then_some(slot)))
    }

    pub(crate) fn mechanisms(&self, slot: Slot) -> Result<Vec<u64>, Error> {
        Ok(self.0.get_mechanism_list(slot)?.into_iter().map(|mechanism| *mechanism).collect())
    }

    pub(crate) fn facts(&self, slot: Slot) -> Result<TokenFacts, Error> {
        let info = self.0.get_token_info(slot)?;
        Ok(TokenFacts {
            serial: info.serial_number().to_owned(),
            label: info.label().to_owned(),
            model: format!("{} {}", info.manufacturer_id(), info.model()),
            has_user_pin: info.user_pin_initialized(),
            is_pin_locked: info.user_pin_locked(),
            is_pin_at_final_try: info.user_pin_final_try(),
            is_pin_count_low: info.user_pin_count_low(),
            clock: info.utc_time().map(|time| time.as_iso8601_string()),
        })
    }
}
