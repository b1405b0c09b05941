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
    /// From when on it is not worth sending any more.
    pub(crate) until: Instant,
    pub(crate) _place: Place,
}

/// The calls that a worker is at, and until when it may be.
#[derive(Default)]
pub(crate) struct Pending(Mutex<Calls>);

#[derive(Default)]
struct Calls {
    waiting: HashMap<u64, (Instant, Waiting)>,
    /// The worker is no more.
    have_ended: bool,
}

impl Pending {
    /// Has somebody wait, unless the worker is no more.
    pub(crate) fn add(&self, call: u64, until: Instant, waiting: Waiting) -> Result<(), Waiting> {
        let mut calls = self.0.lock();
        if calls.have_ended {
            return Err(waiting);
        }
        calls.waiting.insert(call, (until, waiting));
        Ok(())
    }

    /// Has whoever waits for the answer of a call, if anybody does, wait for it no more.
    pub(crate) fn take(&self, call: u64) -> Option<Waiting> {
        self.0.lock().waiting.remove(&call).map(|(_, waiting)| waiting)
    }

    /// Answers a call, if somebody waits for it. Whoever asked may be gone.
    pub(crate) fn answer(&self, call: u64, answer: Result<Reply, Error>) -> bool {
        let waiting = self.take(call);
        let waits = waiting.is_some();
        if let Some(waiting) = waiting {
            let _ = waiting.answer.send(answer);
        }
        waits
    }

    /// When the first of them has waited too long.
    pub(crate) fn first_until(&self) -> Option<Instant> {
        self.0.lock().waiting.values().map(|(until, _)| *until).min()
    }

    /// Answers all, since the worker is no more. If a call took too long for it, whoever waits longest is told so: the worker
    /// has begun with that one first. Others, though they have waited nearly as long, may not even have been begun with.
    pub(crate) fn give_up(&self, took_too_long: bool) {
        let all = {
            let mut calls = self.0.lock();
            calls.have_ended = true;
            std::mem::take(&mut calls.waiting)
        };
        let late = all.keys().min().copied().filter(|_| took_too_long);
        for (call, (_, waiting)) in all {
            let error = if Some(call) == late { Error::TimedOut } else { Error::Died };
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

    fn waiting(places: &Places) -> (Waiting, oneshot::Receiver<Result<Reply, Error>>) {
        let (answer, answered) = oneshot::channel();
        (Waiting { answer, until: Instant::now(), _place: places.take().unwrap() }, answered)
    }

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
    fn who_waited_longest_is_told_apart() {
        let (pending, places, now) = (Pending::default(), Places::new(9), Instant::now());
        let mut answers = [0, 60].map(|seconds| {
            let (waiting, answered) = waiting(&places);
            assert!(pending.add(seconds, now + Duration::from_secs(seconds), waiting).is_ok());
            answered
        });
        assert_eq!(pending.first_until(), Some(now));
        pending.give_up(true);
        assert!(pending.take(0).is_none());
        let told = answers.each_mut().map(|answered| answered.try_recv().unwrap().unwrap_err());
        assert_eq!(told, [Error::TimedOut, Error::Died]);
    }

    #[test]
    fn nobody_waits_for_a_worker_that_is_no_more() {
        let (pending, places) = (Pending::default(), Places::new(1));
        pending.give_up(false);
        let (late, mut answered) = waiting(&places);
        assert!(pending.add(1, Instant::now(), late).is_err());
        assert!(answered.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Closed));
    }
}
