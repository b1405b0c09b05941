//! Calls that wait for their answers, and how many there may be.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::message::Reply;
use crate::worker::Error;

/// Whoever waits, and its place among those that may.
pub(crate) struct Waiting {
    pub(crate) answer: oneshot::Sender<Result<Reply, Error>>,
    pub(crate) _place: Place,
}

/// The calls that a worker is at, and until when it may be.
#[derive(Default)]
pub(crate) struct Pending(Mutex<HashMap<u64, (Instant, Waiting)>>);

impl Pending {
    pub(crate) fn add(&self, call: u64, until: Instant, waiting: Waiting) {
        self.0.lock().insert(call, (until, waiting));
    }

    /// Answers a call, if it still waits. Whoever asked may be gone.
    pub(crate) fn answer(&self, call: u64, answer: Result<Reply, Error>) -> bool {
        let waiting = self.0.lock().remove(&call);
        let waits = waiting.is_some();
        if let Some((_, waiting)) = waiting {
            let _ = waiting.answer.send(answer);
        }
        waits
    }

    /// When the first of them has waited too long.
    pub(crate) fn first_until(&self) -> Option<Instant> {
        self.0.lock().values().map(|(until, _)| *until).min()
    }

    /// Answers all, since the worker is no more: those that have waited too long are told so.
    pub(crate) fn give_up(&self, now: Instant) {
        let all = std::mem::take(&mut *self.0.lock());
        for (until, waiting) in all.into_values() {
            let error = if until <= now { Error::TimedOut } else { Error::Died };
            let _ = waiting.answer.send(Err(error));
        }
    }
}

/// Places for calls; one that finds none is told at once.
#[derive(Clone)]
pub(crate) struct Places {
    taken: Arc<AtomicUsize>,
    max: usize,
}

impl Places {
    pub(crate) fn new(max: usize) -> Self {
        Self { taken: Arc::default(), max }
    }

    pub(crate) fn take(&self) -> Option<Place> {
        let place = Place(Arc::clone(&self.taken));
        // The place is given back when it is dropped, here too.
        (self.taken.fetch_add(1, Ordering::Relaxed) < self.max).then_some(place)
    }
}

/// A place that is taken.
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn places_come_back() {
        let places = Places::new(2);
        let taken = [places.take(), places.take()];
        assert!(taken.iter().all(Option::is_some));
        assert!(places.take().is_none() && places.take().is_none());
        drop(taken);
        assert!(places.take().is_some());
    }

    #[test]
    fn those_that_waited_too_long_are_told_apart() {
        let (pending, places, now) = (Pending::default(), Places::new(9), Instant::now());
        let mut answers = [0, 60].map(|seconds| {
            let (answer, answered) = oneshot::channel();
            let until = now + Duration::from_secs(seconds);
            pending.add(seconds, until, Waiting { answer, _place: places.take().unwrap() });
            answered
        });
        assert_eq!(pending.first_until(), Some(now));
        pending.give_up(now);
        assert!(!pending.answer(0, Ok(Reply::Done)));
        let told = answers.each_mut().map(|answered| answered.try_recv().unwrap().unwrap_err());
        assert_eq!(told, [Error::TimedOut, Error::Died]);
    }
}
