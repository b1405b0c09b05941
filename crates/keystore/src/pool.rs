//! Threads for what takes too long for a connection's core: private-key operations, and making key pairs.
//!
//! Each kind has its queue and its threads, as many as there are cores. Those that make pairs have a lower priority,
//! since an RSA key of 4096 bits takes up to 2 s and must not delay signatures. Accounts take turns, and one that asks
//! for too much is told at once.

mod queue;

use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use tokio::sync::oneshot;

use crate::store::StoreError;
pub(crate) use queue::Asker;
use queue::{Bounds, FairQueue, Job};

/// How many operations may wait: at 1 ms each on two cores, the last one of an account that is alone waits for a
/// quarter of a second.
const OPERATIONS: Bounds = Bounds { of_one: 512, of_all: 4096 };
/// How many pairs may wait to be made.
const PAIRS: Bounds = Bounds { of_one: 32, of_all: 256 };
/// As `nice` counts: 0 is ordinary, 19 the least.
const PAIRS_NICENESS: i32 = 10;

/// The threads. Without them nothing with a private key would ever be answered, so that all are started at once: a
/// process that gets none is told so at its start.
pub(crate) struct Pool {
    operations: Crew,
    pairs: Crew,
}

impl Pool {
    pub(crate) fn start(threads: usize) -> io::Result<Self> {
        let threads = threads.max(1);
        let operations = Crew::start("keys", threads, OPERATIONS, 0)?;
        Ok(Self { operations, pairs: Crew::start("key-pairs", threads, PAIRS, PAIRS_NICENESS)? })
    }

    /// Runs a private-key operation, or another computation of more than some 0.1 ms.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        asker: Asker,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        self.operations.run(asker, work).await
    }

    /// Makes a key pair.
    pub(crate) async fn make<T: Send + 'static>(
        &self,
        asker: Asker,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        self.pairs.run(asker, work).await
    }

    /// Does the same without an answer and on nobody's behalf, if the queue has room.
    pub(crate) fn make_later(&self, work: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
        self.pairs.queue.push(None, Box::new(work))
    }
}

/// Threads that share a queue. At the end they finish what they are at, and leave what waits: pairs that wait to be
/// made would keep a process from ending for up to a minute.
struct Crew {
    queue: Arc<FairQueue>,
    threads: Vec<JoinHandle<()>>,
}

impl Crew {
    fn start(name: &str, threads: usize, bounds: Bounds, niceness: i32) -> io::Result<Self> {
        Self::start_by(name, threads, bounds, niceness, Builder::spawn)
    }

    /// `spawn` starts a thread.
    fn start_by(
        name: &str,
        threads: usize,
        bounds: Bounds,
        niceness: i32,
        spawn: impl Fn(Builder, Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>>,
    ) -> io::Result<Self> {
        let mut crew = Self { queue: Arc::new(FairQueue::new(bounds)), threads: Vec::with_capacity(threads) };
        for number in 1..=threads {
            let queue = Arc::clone(&crew.queue);
            let thread = Builder::new().name(format!("{name}-{number}"));
            crew.threads.push(spawn(thread, Box::new(move || work(&queue, niceness)))?);
        }
        Ok(crew)
    }

    async fn run<T: Send + 'static>(
        &self,
        asker: Asker,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Whoever asked may be gone, and then nobody needs it.
            if !reply.is_closed() {
                let _ = reply.send(work());
            }
        });
        self.queue.push(asker, job)?;
        answer.await.map_err(|_| StoreError::Stopped)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // It has told of its own panic.
            let _ = thread.join();
        }
    }
}

fn work(queue: &FairQueue, niceness: i32) {
    if niceness != 0 {
        // On Linux a thread has a priority of its own. Where that is refused, making pairs competes like all else.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), niceness);
    }
    while let Some(job) = queue.pop() {
        // A job that panics answers nobody, which its asker is told, and the thread goes on.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use parking_lot::Mutex;

    use super::*;

    fn pool(threads: usize) -> Pool {
        Pool::start(threads).unwrap()
    }

    fn account(number: u64) -> Asker {
        Some(format!("{number:012}").parse().unwrap())
    }

    #[tokio::test]
    async fn work_is_done_elsewhere_and_its_answer_comes_back() {
        let pool = pool(2);
        let here = std::thread::current().id();
        assert_ne!(pool.run(None, || std::thread::current().id()).await.unwrap(), here);
        assert_eq!(pool.make(None, || 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_full_queue_is_told_at_once_and_neither_operations_nor_other_accounts_wait_for_it() {
        let pool = Arc::new(pool(1));
        let (release, wait) = channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let blocked: Vec<_> = (0..=PAIRS.of_one + 1)
            .map(|_| {
                let (pool, wait) = (Arc::clone(&pool), Arc::clone(&wait));
                // Each lets go of the lock before the next one waits for a word that never comes.
                let job = move || {
                    let _ = wait.lock().recv_timeout(Duration::from_secs(60));
                };
                tokio::spawn(async move { pool.make(account(1), job).await })
            })
            .collect();
        tokio::task::yield_now().await;
        // The thread may have taken one job off the queue, or not yet.
        while !matches!(pool.make(account(1), || ()).await, Err(StoreError::Busy)) {}
        assert_eq!(pool.run(account(1), || 7).await.unwrap(), 7);
        let other = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { pool.make(account(2), || 8).await.unwrap() }
        });
        tokio::task::yield_now().await;
        // Two of the first account's are let go; the others still wait when the second account has its answer.
        release.send(()).unwrap();
        release.send(()).unwrap();
        assert_eq!(tokio::time::timeout(Duration::from_secs(30), other).await.unwrap().unwrap(), 8);
        assert!(blocked.iter().filter(|task| !task.is_finished()).count() >= PAIRS.of_one - 2);
        drop(release);
        let mut refused = 0;
        for task in blocked {
            refused += usize::from(task.await.unwrap().is_err());
        }
        assert!((1..=2).contains(&refused), "{refused}");
    }

    #[tokio::test]
    async fn work_that_panics_harms_nobody_else() {
        let pool = pool(1);
        let panicked = pool.run(None, || panic!("on purpose")).await;
        assert!(matches!(panicked, Err(StoreError::Stopped)), "{panicked:?}");
        assert_eq!(pool.run(None, || 7).await.unwrap(), 7);
    }

    #[test]
    fn a_pool_that_goes_leaves_what_waits_undone() {
        let pool = pool(1);
        let (started, has_started) = channel::<()>();
        let (release, wait) = channel::<()>();
        let (done, was_done) = channel::<()>();
        let first = pool.make_later(move || {
            started.send(()).unwrap();
            wait.recv().unwrap();
        });
        assert!(first.is_ok() && pool.make_later(move || done.send(()).unwrap()).is_ok());
        has_started.recv().unwrap();
        let dropping = std::thread::spawn(move || drop(pool));
        // Until the pool waits for its thread; one that is late would find the second job done.
        std::thread::sleep(Duration::from_millis(100));
        release.send(()).unwrap();
        dropping.join().unwrap();
        assert!(was_done.recv().is_err());
    }

    #[test]
    fn a_thread_that_cannot_be_started_is_an_error_and_those_before_it_end() {
        let begun = Mutex::new(0);
        let started = Crew::start_by("keys", 3, OPERATIONS, 0, |thread, work| {
            *begun.lock() += 1;
            if *begun.lock() == 3 { Err(io::ErrorKind::WouldBlock.into()) } else { thread.spawn(work) }
        });
        // Had they not ended, this would not have come back.
        assert_eq!(started.err().map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
        assert_eq!(*begun.lock(), 3);
    }
}
