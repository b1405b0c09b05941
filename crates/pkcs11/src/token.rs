//! A token: logging in, the PIN, randomness. What it does with keys is in `key` and `gcm`.

use std::collections::HashMap;

use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use parking_lot::Mutex;

use crate::error::Error;
use crate::gcm::Sealed;
use crate::key::KeyName;
use crate::module::{Module, TokenFacts};
use crate::session::Sessions;

/// A token, addressed by its serial number.
pub struct Token {
    module: Module,
    slot: Slot,
    serial: String,
    pub(crate) sessions: Sessions,
    /// What keeps the user logged in: a token logs out when its last session closes.
    login: Mutex<Option<Session>>,
    /// By key, something that it has encrypted: see `gcm`.
    pub(crate) probes: Mutex<HashMap<KeyName, Sealed>>,
}

impl Token {
    pub(crate) fn new(module: Module, slot: Slot, serial: &str, sessions_max: usize) -> Self {
        let sessions = Sessions::new(module.0.clone(), slot, sessions_max);
        Self {
            module,
            slot,
            serial: serial.to_owned(),
            sessions,
            login: Mutex::default(),
            probes: Mutex::default(),
        }
    }

    /// What the token says of itself now.
    ///
    /// # Errors
    /// [`Error::TokenNotPresent`] when it has gone or another one is in its place.
    pub fn facts(&self) -> Result<TokenFacts, Error> {
        let facts = self.module.facts(self.slot)?;
        if facts.serial == self.serial { Ok(facts) } else { Err(Error::TokenNotPresent) }
    }

    /// The numbers of its mechanisms; those that are standard.
    ///
    /// # Errors
    /// Those of the token.
    pub fn mechanisms(&self) -> Result<Vec<u64>, Error> {
        self.module.mechanisms(self.slot)
    }

    /// Logs in as the user, for all sessions of this process. Who is logged in already stays so, whatever the PIN.
    ///
    /// # Errors
    /// What the token says of the PIN; [`Error::UserTypeBusy`] when somebody is logged in who was not let in here.
    pub fn log_in(&self, pin: &str) -> Result<(), Error> {
        let mut login = self.login.lock();
        if login.as_ref().is_some_and(is_user) {
            return Ok(());
        }
        // What is left of an earlier login is worth nothing, and its handles neither.
        *login = None;
        self.sessions.close_idle();
        let facts = self.facts()?;
        if facts.is_pin_locked {
            return Err(Error::PinLocked);
        }
        if !facts.has_user_pin {
            return Err(Error::PinNotInitialized);
        }
        let session = self.module.0.open_rw_session(self.slot)?;
        session.login(UserType::User, Some(&secret(pin)))?;
        *login = Some(session);
        Ok(())
    }

    /// Logs out. Handles of private objects are worth nothing afterwards.
    ///
    /// # Errors
    /// Those of the token; nobody is logged in from here then, either.
    pub fn log_out(&self) -> Result<(), Error> {
        let login = self.login.lock().take();
        self.sessions.close_idle();
        match login {
            Some(session) => Ok(session.logout()?),
            None => Ok(()),
        }
    }

    /// Gives the user who is logged in another PIN.
    ///
    /// # Errors
    /// [`Error::PinIncorrect`] when `old` is not the PIN, [`Error::PinUnacceptable`] when `new` cannot be.
    pub fn change_pin(&self, old: &str, new: &str) -> Result<(), Error> {
        let login = self.login.lock();
        let session = login.as_ref().ok_or(Error::NotLoggedIn)?;
        Ok(session.set_pin(&secret(old), &secret(new))?)
    }

    /// Fills `bytes` from the token's random generator.
    ///
    /// # Errors
    /// Those of the token.
    pub fn random(&self, bytes: &mut [u8]) -> Result<(), Error> {
        self.sessions.run(|open| Ok(open.session.generate_random_slice(bytes)?))
    }
}

fn is_user(session: &Session) -> bool {
    session.get_session_info().is_ok_and(|info| matches!(info.session_state(), SessionState::RwUser))
}

/// Wiped when it goes.
fn secret(pin: &str) -> AuthPin {
    AuthPin::from(pin)
}
