//! The one thread that writes: it takes all that wait, runs each in a savepoint, and commits once for all of them.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::connection::end_leftover;
use super::rows::Rows;
use crate::error::DatabaseError;
use crate::job::WriteJob;
use crate::{Change, Observer};

/// How many writes may wait.
const QUEUE: usize = 4_096;
/// How many writes one commit takes.
const GROUP: usize = 128;

type Observers = Arc<Mutex<Vec<Arc<dyn Observer>>>>;

/// The writing thread, and the queue that leads to it.
pub(super) struct Writer {
    queue: Mutex<Option<SyncSender<Box<dyn WriteJob>>>>,
    observers: Observers,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self, DatabaseError> {
        let (queue, jobs) = sync_channel(QUEUE);
        let observers = Observers::default();
        let told = Arc::clone(&observers);
        let thread = std::thread::Builder::new()
            .name("database-writer".to_owned())
            .spawn(move || work(&connection, &jobs, &told))
            .map_err(DatabaseError::engine)?;
        Ok(Self { queue: Mutex::new(Some(queue)), observers, thread: Mutex::new(Some(thread)) })
    }

    pub(super) fn submit(&self, job: Box<dyn WriteJob>) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(queue) = queue else { return job.finish(Err(DatabaseError::Closed)) };
        match queue.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(job)) => job.finish(Err(DatabaseError::Busy)),
            Err(TrySendError::Disconnected(job)) => job.finish(Err(DatabaseError::Closed)),
        }
    }

    pub(super) fn observe(&self, observer: Arc<dyn Observer>) {
        self.observers.lock().unwrap_or_else(PoisonError::into_inner).push(observer);
    }

    /// Writes what is queued, and ends.
    pub(super) fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes the database has panicked");
        }
    }
}

/// What a committed group did.
#[derive(Default)]
struct Committed {
    /// One for each job.
    outcomes: Vec<Result<(), DatabaseError>>,
    changes: Vec<Change>,
}

fn work(connection: &Connection, jobs: &Receiver<Box<dyn WriteJob>>, observers: &Observers) {
    while let Ok(first) = jobs.recv() {
        let mut group = vec![first];
        group.extend(jobs.try_iter().take(GROUP - 1));
        match commit(connection, &mut group) {
            Ok(Committed { outcomes, changes }) => {
                publish(observers, &changes);
                group.into_iter().zip(outcomes).for_each(|(job, outcome)| job.finish(outcome));
            }
            Err(error) => {
                tracing::error!(%error, cause = ?error.source(), "a commit failed");
                group.into_iter().for_each(|job| job.finish(Err(error.clone())));
            }
        }
    }
}

fn commit(connection: &Connection, group: &mut [Box<dyn WriteJob>]) -> Result<Committed, DatabaseError> {
    end_leftover(connection)?;
    // Takes the write lock at once; a transaction that begins by reading could find the lock taken later.
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let mut committed = Committed::default();
    let ran = group.iter_mut().try_for_each(|job| {
        let outcome = run(connection, &mut **job, &mut committed.changes)?;
        committed.outcomes.push(outcome);
        Ok(())
    });
    let ended = ran.and_then(|()| Ok(connection.prepare_cached("COMMIT")?.execute([]).map(|_| ())?));
    if ended.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    ended.map(|()| committed)
}

/// Runs one job in a savepoint. The outer error is one of the whole group.
fn run(
    connection: &Connection,
    job: &mut dyn WriteJob,
    changes: &mut Vec<Change>,
) -> Result<Result<(), DatabaseError>, DatabaseError> {
    connection.prepare_cached("SAVEPOINT job")?.execute([])?;
    let mut rows = Rows::new(connection);
    let name = job.name();
    let keep =
        catch_unwind(AssertUnwindSafe(|| job.run(&mut rows))).map_err(|_| DatabaseError::Panicked(name));
    if connection.is_autocommit() {
        // A full disk or an input/output error makes SQLite roll back everything by itself.
        return Err(DatabaseError::RolledBack);
    }
    if matches!(keep, Ok(true)) {
        changes.append(&mut rows.into_changes());
    } else {
        connection.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    connection.prepare_cached("RELEASE job")?.execute([])?;
    Ok(keep.map(|_| ()))
}

fn publish(observers: &Observers, changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    let observers = observers.lock().unwrap_or_else(PoisonError::into_inner).clone();
    observers.iter().for_each(|observer| observer.publish(changes));
}
