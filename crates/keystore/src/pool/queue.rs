//! A queue that takes turns between accounts: whoever asks for much waits longer, and nobody else does.
//!
//! The key's account is meant, since that is who a limit can be told to. What nobody asked for, such as pairs that are
//! made ahead, has a turn of its own.

use std::collections::{HashMap, VecDeque};

use parking_lot::{Condvar, Mutex};
use trent_domain::identifier::AccountId;

use crate::store::StoreError;

pub(super) type Job = Box<dyn FnOnce() + Send>;

/// On whose behalf something is computed.
pub(crate) type Asker = Option<AccountId>;

/// How many jobs may wait.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// Of one asker. One that is at its bound takes no place from others.
    pub(super) of_one: usize,
    /// Of all together, which bounds memory.
    pub(super) of_all: usize,
}

/// Jobs that wait for a thread.
pub(super) struct FairQueue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    bounds: Bounds,
}

#[derive(Default)]
struct Waiting {
    /// None is empty.
    lines: HashMap<Asker, VecDeque<Job>>,
    /// Those who have a line, in the order of their turns.
    turns: VecDeque<Asker>,
    count: usize,
    closed: bool,
}

impl FairQueue {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { waiting: Mutex::default(), changed: Condvar::new(), bounds }
    }

    /// Adds a job, or says at once that there is no room for it.
    pub(super) fn push(&self, asker: Asker, job: Job) -> Result<(), StoreError> {
        let mut waiting = self.waiting.lock();
        let Waiting { lines, turns, count, closed } = &mut *waiting;
        let ahead = lines.get(&asker).map_or(0, VecDeque::len);
        if *closed {
            return Err(StoreError::Stopped);
        }
        if ahead >= self.bounds.of_one || *count >= self.bounds.of_all {
            return Err(StoreError::Busy);
        }
        if ahead == 0 {
            turns.push_back(asker);
        }
        lines.entry(asker).or_default().push_back(job);
        *count += 1;
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for the next job; there is none once the queue is closed, whatever still waits.
    pub(super) fn pop(&self) -> Option<Job> {
        let mut waiting = self.waiting.lock();
        loop {
            if waiting.closed {
                return None;
            }
            if let Some(job) = waiting.next() {
                return Some(job);
            }
            self.changed.wait(&mut waiting);
        }
    }

    /// Lets all go who wait in [`FairQueue::pop`].
    pub(super) fn close(&self) {
        self.waiting.lock().closed = true;
        self.changed.notify_all();
    }
}

impl Waiting {
    fn next(&mut self) -> Option<Job> {
        let asker = self.turns.pop_front()?;
        let line = self.lines.get_mut(&asker)?;
        let job = line.pop_front()?;
        if line.is_empty() {
            self.lines.remove(&asker);
        } else {
            self.turns.push_back(asker);
        }
        self.count -= 1;
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const BOUNDS: Bounds = Bounds { of_one: 3, of_all: 5 };

    fn account(number: u64) -> Asker {
        Some(format!("{number:012}").parse().unwrap())
    }

    /// A queue, and the jobs that were taken from it and done: who had asked for each.
    fn queue_of(askers: &[u64]) -> (FairQueue, Arc<Mutex<Vec<u64>>>) {
        let (queue, done) =
            (FairQueue::new(Bounds { of_one: 99, of_all: 99 }), Arc::<Mutex<Vec<_>>>::default());
        for asker in askers.iter().copied() {
            let done = Arc::clone(&done);
            queue.push(account(asker), Box::new(move || done.lock().push(asker))).unwrap();
        }
        (queue, done)
    }

    #[test]
    fn accounts_have_their_turns_one_after_the_other() {
        let (queue, done) = queue_of(&[1, 1, 1, 1, 2, 2, 3]);
        (0..7).for_each(|_| queue.pop().unwrap()());
        assert_eq!(*done.lock(), [1, 2, 3, 1, 2, 1, 1]);
    }

    #[test]
    fn whoever_comes_late_is_not_behind_all_that_wait() {
        let (queue, done) = queue_of(&[1; 50]);
        (0..2).for_each(|_| queue.pop().unwrap()());
        let late = Arc::clone(&done);
        queue.push(account(2), Box::new(move || late.lock().push(2))).unwrap();
        (0..2).for_each(|_| queue.pop().unwrap()());
        assert_eq!(*done.lock(), [1, 1, 1, 2]);
    }

    #[test]
    fn one_account_cannot_take_the_room_of_the_others() {
        let queue = FairQueue::new(BOUNDS);
        let push = |asker| queue.push(asker, Box::new(|| ()));
        for _ in 0..3 {
            push(account(1)).unwrap();
        }
        assert!(matches!(push(account(1)), Err(StoreError::Busy)));
        push(account(2)).unwrap();
        push(None).unwrap();
        assert!(matches!(push(account(3)), Err(StoreError::Busy)), "memory has its bound too");
        assert!(queue.pop().is_some());
        push(account(1)).unwrap();
    }

    #[test]
    fn a_closed_queue_gives_nothing_and_takes_nothing() {
        let (queue, _) = queue_of(&[1]);
        queue.close();
        assert!(queue.pop().is_none());
        assert!(matches!(queue.push(None, Box::new(|| ())), Err(StoreError::Stopped)));
    }
}
