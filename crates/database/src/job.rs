//! Reads and writes as jobs: a body, and whoever waits for its answer.

use tokio::sync::oneshot;

use crate::Database;
use crate::error::DatabaseError;
use crate::records::{Records, Transaction};

/// A read that waits for its turn.
pub trait ReadJob: Send {
    /// Runs it and answers whoever asked.
    fn run(self: Box<Self>, records: &dyn Records);

    /// Answers that it could not be run.
    fn fail(self: Box<Self>, error: DatabaseError);
}

/// A write that waits for its turn.
pub trait WriteJob: Send {
    /// What it is called in logs.
    fn name(&self) -> &'static str;

    /// Runs the body; says whether what it did is to be kept. May be called again when that was lost.
    fn run(&mut self, transaction: &mut dyn Transaction) -> bool;

    /// Answers whoever asked, after the commit or its failure.
    fn finish(self: Box<Self>, committed: Result<(), DatabaseError>);
}

/// Runs `body` on a consistent view of the records.
///
/// # Errors
/// Those of `body`, and [`DatabaseError::Busy`] when too many reads wait.
pub async fn read<T: Send + 'static>(
    database: &dyn Database,
    body: impl FnOnce(&dyn Records) -> Result<T, DatabaseError> + Send + 'static,
) -> Result<T, DatabaseError> {
    let (reply, answer) = oneshot::channel();
    database.submit_read(Box::new(Read { body, reply }));
    answer.await.unwrap_or(Err(DatabaseError::Closed))
}

/// Runs `body` in a write transaction; returns when that is committed, or undone because `body` failed.
///
/// `body` may run more than once and does nothing but read and write records. Once this was first polled the write
/// goes its way, whether or not the future is polled to its end.
///
/// # Errors
/// Outer: the database failed or is too busy, and nothing was changed. Inner: those of `body`.
pub async fn write<T: Send + 'static, E: Send + 'static>(
    database: &dyn Database,
    name: &'static str,
    body: impl FnMut(&mut dyn Transaction) -> Result<T, E> + Send + 'static,
) -> Result<Result<T, E>, DatabaseError> {
    let (reply, answer) = oneshot::channel();
    database.submit_write(Box::new(Write { name, body, answer: None, reply }));
    answer.await.unwrap_or(Err(DatabaseError::Closed))
}

struct Read<T, F> {
    body: F,
    reply: oneshot::Sender<Result<T, DatabaseError>>,
}

impl<T: Send, F: FnOnce(&dyn Records) -> Result<T, DatabaseError> + Send> ReadJob for Read<T, F> {
    fn run(self: Box<Self>, records: &dyn Records) {
        // Whoever asked may be gone.
        let _ = self.reply.send((self.body)(records));
    }

    fn fail(self: Box<Self>, error: DatabaseError) {
        let _ = self.reply.send(Err(error));
    }
}

struct Write<T, E, F> {
    name: &'static str,
    body: F,
    answer: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<Result<T, E>, DatabaseError>>,
}

impl<T, E, F> WriteJob for Write<T, E, F>
where
    T: Send,
    E: Send,
    F: FnMut(&mut dyn Transaction) -> Result<T, E> + Send,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, transaction: &mut dyn Transaction) -> bool {
        let answer = (self.body)(transaction);
        let keep = answer.is_ok();
        self.answer = Some(answer);
        keep
    }

    fn finish(self: Box<Self>, committed: Result<(), DatabaseError>) {
        let Self { answer, reply, .. } = *self;
        let _ = reply.send(committed.and_then(|()| answer.ok_or(DatabaseError::Closed)));
    }
}
