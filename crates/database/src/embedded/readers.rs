//! A few threads that read, each on a connection of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::connection::{end_leftover, open_to_read};
use super::rows::Rows;
use crate::error::DatabaseError;
use crate::job::ReadJob;

/// How many threads read: more than there are cores in a small machine, since they wait for the disk.
const THREADS: usize = 4;
/// How many reads may wait.
const QUEUE: usize = 4_096;

type Jobs = Arc<Mutex<Receiver<Box<dyn ReadJob>>>>;

/// The reading threads, and the queue that leads to them.
pub(super) struct Readers {
    queue: Mutex<Option<SyncSender<Box<dyn ReadJob>>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    pub(super) fn start(path: &Path) -> Result<Self, DatabaseError> {
        let (queue, jobs) = sync_channel(QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        let mut threads = Vec::with_capacity(THREADS);
        for number in 1..=THREADS {
            let (connection, jobs) = (open_to_read(path)?, Jobs::clone(&jobs));
            let thread = std::thread::Builder::new()
                .name(format!("database-reader-{number}"))
                .spawn(move || work(&connection, &jobs))
                .map_err(DatabaseError::engine)?;
            threads.push(thread);
        }
        Ok(Self { queue: Mutex::new(Some(queue)), threads: Mutex::new(threads) })
    }

    pub(super) fn submit(&self, job: Box<dyn ReadJob>) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(queue) = queue else { return job.fail(DatabaseError::Closed) };
        match queue.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(job)) => job.fail(DatabaseError::Busy),
            Err(TrySendError::Disconnected(job)) => job.fail(DatabaseError::Closed),
        }
    }

    /// Reads what is queued, and ends.
    pub(super) fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread that reads the database has panicked");
            }
        }
    }
}

fn work(connection: &Connection, jobs: &Jobs) {
    // The lock is let go as soon as there is a job: one thread waits for the queue, the others for the lock.
    let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
    while let Some(job) = next() {
        if let Err(error) = run(connection, job) {
            tracing::error!(%error, "a read failed");
        }
    }
}

/// In a transaction, so that a job that reads twice sees one moment.
fn run(connection: &Connection, job: Box<dyn ReadJob>) -> Result<(), DatabaseError> {
    let begun = end_leftover(connection).and_then(|()| connection.prepare_cached("BEGIN")?.execute([]));
    if let Err(error) = begun {
        job.fail(error.into());
        return Ok(());
    }
    // Whoever asked finds the answer gone, which says that the database is closed: it is not, but the job is.
    let ran = catch_unwind(AssertUnwindSafe(|| job.run(&Rows::new(connection))));
    connection.prepare_cached("COMMIT")?.execute([])?;
    ran.map_err(|_| DatabaseError::Panicked("read"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Records;

    struct Told(SyncSender<bool>);

    impl ReadJob for Told {
        fn run(self: Box<Self>, _: &dyn Records) {
            self.0.send(true).unwrap();
        }

        fn fail(self: Box<Self>, _: DatabaseError) {
            self.0.send(false).unwrap();
        }
    }

    #[test]
    fn a_transaction_that_was_never_ended_spoils_no_later_read() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("BEGIN").unwrap();
        let (sender, ran) = sync_channel(1);
        run(&connection, Box::new(Told(sender))).unwrap();
        assert!(ran.recv().unwrap());
    }
}
