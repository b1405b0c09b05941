//! Sessions with a token: as many as are needed at once, up to a bound, each used by one thread at a time.
//!
//! A session that fails in a way that it may not recover from is closed, not given back: an operation that was left
//! half done would be in the way of the next one.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use cryptoki::context::Pkcs11;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki::slot::Slot;
use parking_lot::{Condvar, Mutex};

use crate::error::Error;
use crate::key::KeyName;

/// How long a caller waits for a session that others use.
const PATIENCE: Duration = Duration::from_secs(2);
/// Handles of keys that a session remembers. They are small, and found again at the cost of a search.
const HANDLES_MAX: usize = 4096;

/// A session, and the handles of keys that were found through it: a module may give others to another session.
pub(crate) struct Open {
    pub(crate) session: Session,
    handles: HashMap<KeyName, ObjectHandle>,
}

impl Open {
    pub(crate) fn new(session: Session) -> Self {
        Self { session, handles: HashMap::new() }
    }

    /// The handle of a key, found by `find` where it is not known.
    pub(crate) fn handle(
        &mut self,
        key: &KeyName,
        find: impl FnOnce(&Session) -> Result<ObjectHandle, Error>,
    ) -> Result<ObjectHandle, Error> {
        if let Some(known) = self.handles.get(key) {
            return Ok(*known);
        }
        let found = find(&self.session)?;
        if self.handles.len() >= HANDLES_MAX {
            self.handles.clear();
        }
        self.handles.insert(key.clone(), found);
        Ok(found)
    }

    pub(crate) fn forget(&mut self, key: &KeyName) {
        self.handles.remove(key);
    }
}

/// The sessions with a token.
pub(crate) struct Sessions {
    library: Pkcs11,
    slot: Slot,
    max: usize,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Open>,
    /// Open ones, idle or in use.
    open: usize,
}

impl Sessions {
    pub(crate) fn new(library: Pkcs11, slot: Slot, max: usize) -> Self {
        Self { library, slot, max: max.max(1), state: Mutex::default(), freed: Condvar::new() }
    }

    /// Runs `work` in a session. Handles that have gone stale are made anew, and the work is done once more.
    pub(crate) fn run<T>(&self, mut work: impl FnMut(&mut Open) -> Result<T, Error>) -> Result<T, Error> {
        match self.once(&mut work) {
            Err(Error::Stale) => {
                self.close_idle();
                self.once(&mut work)
            }
            other => other,
        }
    }

    /// Closes the sessions that nobody uses.
    pub(crate) fn close_idle(&self) {
        let mut state = self.state.lock();
        state.open -= state.idle.len();
        let closed = std::mem::take(&mut state.idle);
        drop(state);
        drop(closed);
    }

    fn once<T>(&self, work: &mut impl FnMut(&mut Open) -> Result<T, Error>) -> Result<T, Error> {
        let mut lent = Lent { sessions: self, open: Some(self.take()?), is_fit: false };
        let Some(open) = lent.open.as_mut() else { return Err(Error::Busy) };
        let done = work(open);
        lent.is_fit = done.as_ref().err().is_none_or(leaves_session_fit);
        done
    }

    fn take(&self) -> Result<Open, Error> {
        let until = Instant::now() + PATIENCE;
        let mut state = self.state.lock();
        loop {
            if let Some(open) = state.idle.pop() {
                return Ok(open);
            }
            if state.open < self.max {
                state.open += 1;
                drop(state);
                match self.library.open_rw_session(self.slot).map_err(Error::from) {
                    Ok(session) => return Ok(Open::new(session)),
                    Err(error) => {
                        state = self.state.lock();
                        state.open -= 1;
                        // The token has fewer than the bound: others may give one back.
                        if error != Error::Busy || state.open == 0 {
                            return Err(error);
                        }
                    }
                }
            }
            if self.freed.wait_until(&mut state, until).timed_out() {
                return Err(Error::Busy);
            }
        }
    }
}

/// A session in use. It comes back however the use ends.
struct Lent<'s> {
    sessions: &'s Sessions,
    open: Option<Open>,
    is_fit: bool,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let open = self.open.take();
        let mut state = self.sessions.state.lock();
        match open {
            Some(open) if self.is_fit => state.idle.push(open),
            unfit => {
                state.open -= 1;
                drop(state);
                drop(unfit);
            }
        }
        self.sessions.freed.notify_one();
    }
}

/// Whether no operation can have been left half done.
const fn leaves_session_fit(error: &Error) -> bool {
    matches!(
        error,
        Error::KeyNotFound
            | Error::KeyAmbiguous
            | Error::KeyNotPermitted
            | Error::KeyUnfit(_)
            | Error::NotLoggedIn
            | Error::IvMode(_)
    )
}
