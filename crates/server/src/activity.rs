//! What a connection is doing, and since when: that is what its time-outs depend on. And how much it may still read
//! before others have their turn.
//!
//! Everything here is written and read by the one core that owns the connection (and, for HTTP/2, by tasks of
//! the same core), so relaxed atomics do; they are atomics only to keep futures `Send`.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Limits;

/// How long a connection may take to end once it was told to.
const CLOSING: Duration = Duration::from_secs(5);
/// What a connection may read in one turn. Without it a client that sends without a pause keeps its core to itself for
/// as long as there is something to read: up to a megabyte of the smallest HTTP/2 frames, sixty thousand of them.
const TURN_BYTES: u32 = 8 * 1024;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Nothing.
    Idle,
    /// Receiving the head of a request.
    Head,
    /// Answering at least one request.
    Answering,
    /// Ending.
    Closing,
}

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Activity {
    epoch: Instant,
    since_millis: AtomicU64,
    answering: AtomicU32,
    head: AtomicBool,
    closing: AtomicBool,
    http2: AtomicBool,
    linger: AtomicBool,
    reset: AtomicBool,
    turn_bytes_left: AtomicU32,
}

impl Activity {
    pub(crate) fn new(epoch: Instant, http2: bool) -> Self {
        let activity = Self {
            epoch,
            since_millis: AtomicU64::new(0),
            answering: AtomicU32::new(0),
            head: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            http2: AtomicBool::new(http2),
            linger: AtomicBool::new(false),
            reset: AtomicBool::new(false),
            turn_bytes_left: AtomicU32::new(TURN_BYTES),
        };
        activity.now();
        activity
    }

    /// The connection has its turn.
    pub(crate) fn begin_turn(&self) {
        self.turn_bytes_left.store(TURN_BYTES, Relaxed);
    }

    /// Whether it has read so much that others come first.
    pub(crate) fn turn_is_over(&self) -> bool {
        self.turn_bytes_left.load(Relaxed) == 0
    }

    /// Bytes have arrived.
    pub(crate) fn received(&self, bytes: usize) {
        let left = self.turn_bytes_left.load(Relaxed);
        self.turn_bytes_left.store(left.saturating_sub(u32::try_from(bytes).unwrap_or(u32::MAX)), Relaxed);
        // HTTP/2 has traffic between requests, and its heads are bounded by the idle time.
        if self.answering.load(Relaxed) == 0 && !self.head.load(Relaxed) && !self.http2.load(Relaxed) {
            self.head.store(true, Relaxed);
            self.now();
        }
    }

    /// The head of a request is complete.
    pub(crate) fn begin(&self, http2: bool) {
        self.http2.store(http2, Relaxed);
        self.head.store(false, Relaxed);
        self.answering.fetch_add(1, Relaxed);
    }

    /// A request has been answered, or its client is gone.
    pub(crate) fn end(&self) {
        if self.answering.fetch_sub(1, Relaxed) == 1 {
            self.now();
        }
    }

    /// Notes that the connection was told to end; `false` if it had been before.
    pub(crate) fn close_once(&self) -> bool {
        let first = !self.closing.swap(true, Relaxed);
        if first {
            self.now();
        }
        first
    }

    /// The connection is to be reset when it goes.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Relaxed);
    }

    /// Whether it is.
    pub(crate) fn is_reset(&self) -> bool {
        self.reset.load(Relaxed)
    }

    /// The answer leaves part of the request unread.
    pub(crate) fn leave_unread(&self) {
        self.linger.store(true, Relaxed);
    }

    /// Whether the client may still be sending although its answer is complete.
    pub(crate) fn has_left_unread(&self) -> bool {
        self.linger.load(Relaxed)
    }

    pub(crate) fn doing(&self) -> Doing {
        match () {
            () if self.answering.load(Relaxed) > 0 => Doing::Answering,
            () if self.closing.load(Relaxed) => Doing::Closing,
            () if self.head.load(Relaxed) => Doing::Head,
            () => Doing::Idle,
        }
    }

    /// When what the connection is doing has taken too long. Answers have deadlines of their own, so there is
    /// none while it is answering.
    pub(crate) fn due(&self, limits: &Limits) -> Option<Instant> {
        let allowed = match self.doing() {
            Doing::Idle => limits.idle,
            Doing::Head => limits.header_read,
            Doing::Closing => CLOSING,
            Doing::Answering => return None,
        };
        Some(self.epoch + Duration::from_millis(self.since_millis.load(Relaxed)) + allowed)
    }

    fn now(&self) {
        let millis = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since_millis.store(millis, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_head_is_timed_from_its_first_byte() {
        let limits = Limits::default();
        let activity = Activity::new(Instant::now(), false);
        tokio::time::advance(Duration::from_secs(50)).await;
        activity.received(1);
        tokio::time::advance(Duration::from_secs(5)).await;
        activity.received(1);
        assert_eq!(activity.doing(), Doing::Head);
        assert_eq!(activity.due(&limits), Some(Instant::now() + Duration::from_secs(5)));
    }

    #[tokio::test(start_paused = true)]
    async fn idleness_is_timed_from_the_last_answer() {
        let limits = Limits::default();
        let activity = Activity::new(Instant::now(), false);
        activity.received(1);
        activity.begin(false);
        activity.begin(false);
        activity.end();
        assert_eq!(activity.doing(), Doing::Answering);
        tokio::time::advance(Duration::from_secs(7)).await;
        activity.end();
        assert_eq!(activity.doing(), Doing::Idle);
        assert_eq!(activity.due(&limits), Some(Instant::now() + limits.idle));
    }

    #[tokio::test]
    async fn a_turn_has_an_end() {
        let activity = Activity::new(Instant::now(), false);
        activity.received(1000);
        assert!(!activity.turn_is_over());
        activity.received(usize::MAX);
        assert!(activity.turn_is_over());
        activity.begin_turn();
        assert!(!activity.turn_is_over());
    }

    #[test]
    fn traffic_of_http2_between_requests_is_no_head() {
        let activity = Activity::new(Instant::now(), true);
        activity.received(1);
        assert_eq!(activity.doing(), Doing::Idle);
    }
}
