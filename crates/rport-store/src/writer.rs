//! The thread that owns a file's writing connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::error::{StoreError, StoreErrorKind};

/// Writes per transaction at most, so that the first caller of a long queue is not kept waiting for the last.
const BATCH: usize = 1024;

/// A write on its way to the writer.
pub(crate) trait Job: Send {
    /// Does the work inside the open transaction; the answer is sent after the commit.
    fn run(self: Box<Self>, transaction: &mut Transaction<'_>) -> Answer;
    /// Answers without doing anything.
    fn refuse(self: Box<Self>, error: &StoreError);
}

/// Tells the caller how it went; the argument says whether the commit worked.
type Answer = Box<dyn FnOnce(Result<(), &StoreError>) + Send>;

/// A closure and the caller who waits for its result.
pub(crate) struct Write<T, F> {
    pub(crate) work: F,
    pub(crate) answer: oneshot::Sender<Result<T, StoreError>>,
}

// Nobody listens when the caller was cancelled; the write stands all the same. Hence the ignored send results.
impl<T, F> Job for Write<T, F>
where
    T: Send + 'static,
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
{
    fn run(self: Box<Self>, transaction: &mut Transaction<'_>) -> Answer {
        let Self { work, answer } = *self;
        let outcome = transaction.alone(work);
        Box::new(move |committed| {
            let _ = answer.send(match committed {
                Ok(()) => outcome,
                Err(error) => Err(error.clone()),
            });
        })
    }

    fn refuse(self: Box<Self>, error: &StoreError) {
        let _ = self.answer.send(Err(error.clone()));
    }
}

/// The transaction of one batch.
pub(crate) struct Transaction<'a> {
    connection: &'a Connection,
    path: &'a Path,
    /// SQLite itself ends a transaction on some errors, a full disk among them; this is the error that did.
    lost: Option<StoreError>,
}

impl Transaction<'_> {
    /// Runs `work` so that its failure undoes only itself.
    fn alone<T>(&mut self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        if let Some(error) = &self.lost {
            return Err(error.clone());
        }
        let (connection, path) = (self.connection, self.path);
        let failed = |error| StoreError::sqlite(path, error);
        connection.execute_batch("SAVEPOINT job").map_err(failed)?;
        // A panic must not take the other callers' writes, nor the thread, with it.
        let outcome = match catch_unwind(AssertUnwindSafe(|| work(connection))) {
            Ok(result) => result.map_err(failed),
            Err(_) => Err(StoreError::new(
                path,
                StoreErrorKind::Other("a write panicked".into()),
            )),
        };
        if connection.is_autocommit() {
            let error = match outcome {
                Err(error) => error,
                Ok(_) => StoreError::new(
                    path,
                    StoreErrorKind::Other("a write ended the transaction".into()),
                ),
            };
            self.lost = Some(error.clone());
            return Err(error);
        }
        let end = if outcome.is_ok() {
            "RELEASE job"
        } else {
            "ROLLBACK TO job; RELEASE job"
        };
        connection.execute_batch(end).map_err(failed)?;
        outcome
    }

    fn commit(self) -> Result<(), StoreError> {
        if let Some(error) = self.lost {
            return Err(error);
        }
        self.connection.execute_batch("COMMIT").map_err(|error| {
            // Fails only when SQLite has rolled back already, and then nothing is left to undo.
            let _ = self.connection.execute_batch("ROLLBACK");
            StoreError::sqlite(self.path, error)
        })
    }
}

/// Takes whatever is queued, commits it as one transaction, answers, repeats; ends when all senders are gone.
pub(crate) fn run(connection: Connection, path: &Arc<Path>, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    let mut batch = Vec::new();
    while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
        if let Err(error) = commit(&connection, path, &mut batch) {
            tracing::error!(error = %error, "data was not saved");
        }
    }
    if let Err((_, error)) = connection.close() {
        tracing::warn!(file = %path.display(), error = %error, "database did not close cleanly");
    }
}

fn commit(connection: &Connection, path: &Path, batch: &mut Vec<Box<dyn Job>>) -> Result<(), StoreError> {
    let failed = |error| StoreError::sqlite(path, error);
    if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE").map_err(failed) {
        for job in batch.drain(..) {
            job.refuse(&error);
        }
        return Err(error);
    }
    let mut transaction = Transaction {
        connection,
        path,
        lost: None,
    };
    let answers: Vec<Answer> = batch.drain(..).map(|job| job.run(&mut transaction)).collect();
    let committed = transaction.commit();
    for answer in answers {
        answer(committed.as_ref().copied());
    }
    committed
}
