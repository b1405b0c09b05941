//! A database that fails when a test says so, and counts what is written.

use std::sync::{Arc, Mutex, PoisonError};

use trent_database::{Database, DatabaseError, Observer, ReadJob, WriteJob};

/// Passes everything on to another database, but for what is to fail.
pub struct FaultyDatabase {
    inner: Arc<dyn Database>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failing: Vec<&'static str>,
    reads_to_fail: usize,
    written: Vec<&'static str>,
    to_hold: Option<&'static str>,
    held: Option<Box<dyn WriteJob>>,
}

impl FaultyDatabase {
    /// A database without faults so far.
    pub fn new(inner: Arc<dyn Database>) -> Self {
        Self { inner, state: Mutex::default() }
    }

    /// Makes the next write of this name fail, as one does that finds too many others waiting.
    pub fn fail_next(&self, name: &'static str) {
        self.with(|state| state.failing.push(name));
    }

    /// Makes the next read fail, in the same way.
    pub fn fail_next_read(&self) {
        self.with(|state| state.reads_to_fail += 1);
    }

    /// Holds the next write of this name back.
    pub fn hold_next(&self, name: &'static str) {
        self.with(|state| state.to_hold = Some(name));
    }

    /// Whether one is held back.
    pub fn holds(&self) -> bool {
        self.with(|state| state.held.is_some())
    }

    /// Passes on what was held back.
    pub fn let_go(&self) {
        if let Some(job) = self.with(|state| state.held.take()) {
            self.submit_write(job);
        }
    }

    /// How many writes of this name were passed on.
    pub fn written(&self, name: &str) -> usize {
        self.with(|state| state.written.iter().filter(|written| **written == name).count())
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Database for FaultyDatabase {
    fn submit_read(&self, job: Box<dyn ReadJob>) {
        let fails = self.with(|state| {
            let fails = state.reads_to_fail > 0;
            state.reads_to_fail -= usize::from(fails);
            fails
        });
        if fails {
            job.fail(DatabaseError::Busy);
        } else {
            self.inner.submit_read(job);
        }
    }

    fn submit_write(&self, job: Box<dyn WriteJob>) {
        let name = job.name();
        if self.with(|state| state.to_hold == Some(name)) {
            return self.with(|state| (state.to_hold, state.held) = (None, Some(job)));
        }
        let fails = self.with(|state| match state.failing.iter().position(|failing| *failing == name) {
            Some(place) => {
                state.failing.remove(place);
                true
            }
            None => {
                state.written.push(name);
                false
            }
        });
        if fails {
            job.finish(Err(DatabaseError::Busy));
        } else {
            self.inner.submit_write(job);
        }
    }

    fn observe(&self, observer: Arc<dyn Observer>) {
        self.inner.observe(observer);
    }

    fn close(&self) {
        self.inner.close();
    }
}
