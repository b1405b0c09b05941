//! Threads for what takes too long for a connection's core: private-key operations, and making key pairs.
//!
//! Each kind has its queue and its threads, as many as there are cores. Those that make pairs have a lower priority,
//! since an RSA key of 4096 bits takes up to 2 s and must not delay signatures. A full queue is told at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::store::StoreError;

/// How many operations may wait: at 1 ms each on two cores, the last of them waits for a quarter of a second.
const OPERATIONS_MAX: usize = 512;
/// How many pairs may wait to be made.
const PAIRS_MAX: usize = 32;
/// As `nice` counts: 0 is ordinary, 19 the least.
const PAIRS_NICENESS: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// The threads. They are started on first use: who has symmetric keys alone needs none.
pub(crate) struct Pool {
    threads: usize,
    operations: OnceLock<Crew>,
    pairs: OnceLock<Crew>,
}

impl Pool {
    pub(crate) fn new(threads: usize) -> Self {
        Self { threads: threads.max(1), operations: OnceLock::new(), pairs: OnceLock::new() }
    }

    /// Runs a private-key operation, or another computation of more than some 0.1 ms.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        self.operations.get_or_init(|| Crew::start("keys", self.threads, OPERATIONS_MAX, 0)).run(work).await
    }

    /// Makes a key pair.
    pub(crate) async fn make<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        self.pairs().run(work).await
    }

    /// Does the same without an answer, if the queue has room.
    pub(crate) fn make_later(&self, work: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
        self.pairs().submit(Box::new(work))
    }

    fn pairs(&self) -> &Crew {
        self.pairs.get_or_init(|| Crew::start("key-pairs", self.threads, PAIRS_MAX, PAIRS_NICENESS))
    }
}

/// Threads that share a queue. At the end they finish what they are at, and leave what waits.
struct Crew {
    queue: Option<SyncSender<Job>>,
    stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Crew {
    fn start(name: &str, threads: usize, waiting_max: usize, niceness: i32) -> Self {
        let (queue, jobs) = sync_channel::<Job>(waiting_max);
        let (jobs, stopping) = (Arc::new(Mutex::new(jobs)), Arc::<AtomicBool>::default());
        let threads = (1..=threads).filter_map(|number| {
            let (jobs, stopping) = (Arc::clone(&jobs), Arc::clone(&stopping));
            let thread = std::thread::Builder::new().name(format!("{name}-{number}"));
            thread.spawn(move || work(&jobs, &stopping, niceness)).ok()
        });
        let threads = threads.collect();
        Self { queue: Some(queue), stopping, threads }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Whoever asked may be gone, and then nobody needs it.
            if !reply.is_closed() {
                let _ = reply.send(work());
            }
        });
        self.submit(job)?;
        answer.await.map_err(|_| StoreError::Stopped)
    }

    fn submit(&self, job: Job) -> Result<(), StoreError> {
        let queue = self.queue.as_ref().ok_or(StoreError::Stopped)?;
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Disconnected(_) => StoreError::Stopped,
        })
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        // Pairs that wait to be made would keep a process from ending for up to a minute.
        self.stopping.store(true, Ordering::Relaxed);
        self.queue = None;
        for thread in self.threads.drain(..) {
            // It has told of its own panic.
            let _ = thread.join();
        }
    }
}

fn work(jobs: &Mutex<Receiver<Job>>, stopping: &AtomicBool, niceness: i32) {
    if niceness != 0 {
        // On Linux a thread has a priority of its own. Where that is refused, making pairs competes like all else.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), niceness);
    }
    // The lock is let go as soon as there is a job.
    let next = || jobs.lock().recv().ok();
    while let Some(job) = next() {
        if stopping.load(Ordering::Relaxed) {
            return;
        }
        // A job that panics answers nobody, which its asker is told, and the thread goes on.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn work_is_done_elsewhere_and_its_answer_comes_back() {
        let pool = Pool::new(2);
        let here = std::thread::current().id();
        assert_ne!(pool.run(|| std::thread::current().id()).await.unwrap(), here);
        assert_eq!(pool.make(|| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_full_queue_is_told_at_once_and_pairs_delay_no_operation() {
        let pool = Arc::new(Pool::new(1));
        let (release, wait) = channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let blocked: Vec<_> = (0..=PAIRS_MAX + 1)
            .map(|_| {
                let (pool, wait) = (Arc::clone(&pool), Arc::clone(&wait));
                tokio::spawn(async move { pool.make(move || assert!(wait.lock().recv().is_err())).await })
            })
            .collect();
        tokio::task::yield_now().await;
        // The thread may have taken one job off the queue, or not yet.
        while !matches!(pool.make(|| ()).await, Err(StoreError::Busy)) {}
        assert_eq!(pool.run(|| 7).await.unwrap(), 7);
        drop(release);
        let done = futures(blocked).await;
        assert!(done.contains(&true) && done.contains(&false), "{done:?}");
    }

    #[tokio::test]
    async fn work_that_panics_harms_nobody_else() {
        let pool = Pool::new(1);
        let panicked = pool.run(|| panic!("on purpose")).await;
        assert!(matches!(panicked, Err(StoreError::Stopped)), "{panicked:?}");
        assert_eq!(pool.run(|| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_pool_that_goes_leaves_what_waits_undone() {
        let pool = Pool::new(1);
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
        std::thread::sleep(std::time::Duration::from_millis(100));
        release.send(()).unwrap();
        dropping.join().unwrap();
        assert!(was_done.recv().is_err());
    }

    async fn futures(tasks: Vec<tokio::task::JoinHandle<Result<(), StoreError>>>) -> Vec<bool> {
        let mut done = Vec::new();
        for task in tasks {
            done.push(task.await.unwrap().is_ok());
        }
        done
    }
}
