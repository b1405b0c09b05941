//! A lane: where the records of one core wait for the writer, and requests for their records to be durable.
//!
//! Only its core and the writer use a lane, so its lock is nearly always free. When records have become durable the
//! writer wakes one of those who wait, and that one wakes the others, which costs nothing on their own core: waking
//! across threads is a system call. For the same reason a core that says when it has nothing more to do
//! ([`Lane::idle`]) does not tell the writer of each record, but of all of them then.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::shared::Shared;

/// Up to which size a buffer is filled again.
const SPARE_BYTES_MAX: usize = 64 << 10;
/// How many records wait at most until their core has nothing more to do.
const UNTOLD_MAX: usize = 64;

thread_local! {
    /// Of a thread that says when it has nothing more to do: whether there are records that the writer was not told of.
    static UNTOLD: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Records on their way to the journal.
#[derive(Default)]
pub(crate) struct Queue {
    /// Records one after the other, not closed yet.
    pub(crate) records: Vec<u8>,
    /// Where each ends.
    pub(crate) ends: Vec<usize>,
    /// Buffers that the writer has given back, to be filled again.
    spare: Option<(Vec<u8>, Vec<usize>)>,
    /// How many have been pushed, ever.
    pub(crate) pushed: u64,
    durable: u64,
    failed: u64,
    waiting: VecDeque<(u64, Waker)>,
}

impl Queue {
    /// Takes all records, and where each ends.
    pub(crate) fn take(&mut self) -> (Vec<u8>, Vec<usize>) {
        let (records, ends) = self.spare.take().unwrap_or_default();
        (std::mem::replace(&mut self.records, records), std::mem::replace(&mut self.ends, ends))
    }

    /// Takes back what [`Queue::take`] gave. Large buffers are not kept.
    pub(crate) fn give_back(&mut self, (mut records, mut ends): (Vec<u8>, Vec<usize>)) {
        if records.capacity() <= SPARE_BYTES_MAX {
            records.clear();
            ends.clear();
            self.spare = Some((records, ends));
        }
    }

    /// Those who may go on.
    fn satisfied(&mut self) -> Vec<Waker> {
        let (durable, mut woken) = (self.durable, Vec::new());
        self.waiting.retain_mut(|(ticket, waker)| {
            let done = *ticket <= durable;
            if done {
                woken.push(waker.clone());
            }
            !done
        });
        woken
    }
}

/// See the module. Clones are the same lane.
#[derive(Clone)]
pub(crate) struct Lane {
    pub(crate) shared: Arc<Shared>,
    queue: Arc<Mutex<Queue>>,
}

impl Lane {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, queue: Arc::default() }
    }

    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue> {
        // Whoever panicked while it wrote a record is told below: the record is not in `ends`.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a record, and gives what tells when it is durable.
    pub(crate) fn push(&self, write: impl FnOnce(&mut Vec<u8>)) -> Written {
        let mut queue = self.queue();
        let start = queue.ends.last().copied().unwrap_or_default();
        queue.records.truncate(start);
        write(&mut queue.records);
        let end = queue.records.len();
        queue.ends.push(end);
        queue.pushed += 1;
        let ticket = queue.pushed;
        // Before the writer can take the record away: what waits must never be counted below nothing.
        let is_awaited = self.shared.queue(end - start);
        // Under the lock: a writer that looks no more by itself has said so before it looked here for the last time.
        let is_looked_for = queue.ends.len() < UNTOLD_MAX && self.shared.looks_by_itself();
        drop(queue);
        if is_awaited {
            self.shared.wake();
        }
        if is_looked_for && UNTOLD.get().is_some() {
            UNTOLD.set(Some(true));
        } else {
            self.shared.announce();
        }
        if self.shared.waits {
            Written(Some(Waiting { lane: self.clone(), ticket, told: false }))
        } else {
            Written::now()
        }
    }

    /// The thread that calls this has nothing more to do for now, and calls it whenever that is so.
    pub(crate) fn idle(&self) {
        if UNTOLD.replace(Some(false)) == Some(true) {
            self.shared.announce();
        }
    }

    /// Tells that records up to this number are durable.
    pub(crate) fn publish(&self, upto: u64) {
        let mut queue = self.queue();
        queue.durable = queue.durable.max(upto);
        let durable = queue.durable;
        let leader = queue.waiting.iter().position(|(ticket, _)| *ticket <= durable);
        let leader = leader.and_then(|at| queue.waiting.remove(at));
        drop(queue);
        if let Some((_, waker)) = leader {
            waker.wake();
        }
    }

    /// Tells that records up to this number could not be written so far.
    pub(crate) fn publish_failure(&self, upto: u64) {
        let mut queue = self.queue();
        queue.failed = queue.failed.max(upto);
        let woken: Vec<_> = queue.waiting.drain(..).collect();
        drop(queue);
        woken.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

/// The journal cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the audit record could not be written")]
pub struct Unwritten;

/// Ready when a record is durable, or at once where nobody has to wait for that.
#[must_use = "what is not durable must not be answered"]
pub struct Written(Option<Waiting>);

struct Waiting {
    lane: Lane,
    ticket: u64,
    told: bool,
}

impl Written {
    pub(crate) fn now() -> Self {
        Self(None)
    }
}

impl Future for Written {
    type Output = Result<(), Unwritten>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(Waiting { lane, ticket, .. }) = &self.0 else { return Poll::Ready(Ok(())) };
        let ticket = *ticket;
        let mut queue = lane.queue();
        let outcome = if queue.durable >= ticket {
            let others = queue.satisfied();
            drop(queue);
            others.into_iter().for_each(Waker::wake);
            Ok(())
        } else if queue.failed >= ticket {
            drop(queue);
            Err(Unwritten)
        } else {
            match queue.waiting.iter_mut().find(|(known, _)| *known == ticket) {
                Some((_, waker)) => waker.clone_from(cx.waker()),
                None => queue.waiting.push_back((ticket, cx.waker().clone())),
            }
            return Poll::Pending;
        };
        // Told, and so has nothing to leave behind.
        if let Some(waiting) = &mut self.0 {
            waiting.told = true;
        }
        self.0 = None;
        Poll::Ready(outcome)
    }
}

impl Drop for Waiting {
    // Whoever goes away may be the one who was woken to wake the others.
    fn drop(&mut self) {
        if self.told {
            return;
        }
        let mut queue = self.lane.queue();
        queue.waiting.retain(|(ticket, _)| *ticket != self.ticket);
        let others = queue.satisfied();
        drop(queue);
        others.into_iter().for_each(Waker::wake);
    }
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written").field("waits", &self.0.is_some()).finish()
    }
}
