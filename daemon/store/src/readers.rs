//! A small pool of connections that cannot write.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::connection::Target;
use crate::error::{StoreError, at};

/// Connections kept for the next reader, and a bound on how many read at once.
pub(crate) struct Readers {
    target: Target,
    turns: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    connections: Vec<Connection>,
    /// Raised when every connection made so far must not be used again.
    generation: u64,
}

impl Readers {
    pub(crate) fn new(target: Target, count: usize) -> Self {
        Self {
            target,
            turns: Arc::new(Semaphore::new(count.max(1))),
            idle: Mutex::default(),
        }
    }

    /// Runs `f` on one connection, in one read transaction, off the async threads.
    pub(crate) async fn read<T, E, F>(
        self: &Arc<Self>,
        activity: &'static str,
        f: F,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let closed = || E::from(StoreError::Closed { activity });
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| closed())?;
        let readers = Arc::clone(self);
        let job = tokio::task::spawn_blocking(move || {
            let outcome = readers.on_connection(activity, f);
            drop(turn);
            outcome
        });
        match job.await {
            Ok(outcome) => outcome,
            Err(error) if error.is_panic() => Err(StoreError::Panicked { activity }.into()),
            Err(_) => Err(closed()),
        }
    }

    fn on_connection<T, E, F>(&self, activity: &'static str, f: F) -> Result<T, E>
    where
        E: From<StoreError>,
        F: FnOnce(&Connection) -> Result<T, E>,
    {
        let (connection, generation) = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            (idle.connections.pop(), idle.generation)
        };
        let connection = match connection {
            Some(connection) => connection,
            None => self.target.reader()?,
        };
        let outcome = snapshot(&connection, activity, f);
        // A panic in `f` drops the connection on its way out, and the transaction with it.
        if connection.is_autocommit() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.generation == generation && !self.turns.is_closed() {
                idle.connections.push(connection);
            }
        }
        outcome
    }

    /// Closes the idle connections, and each busy one at its end.
    pub(crate) fn renew(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.connections.clear();
        idle.generation += 1;
    }

    /// Lets nobody in any more and waits for nobody: who reads now ends on its own.
    pub(crate) fn close(&self) {
        self.turns.close();
        self.renew();
    }
}

/// Runs `f` on one state of the database, however many statements it needs.
pub(crate) fn snapshot<T, E, F>(
    connection: &Connection,
    activity: &'static str,
    f: F,
) -> Result<T, E>
where
    E: From<StoreError>,
    F: FnOnce(&Connection) -> Result<T, E>,
{
    let statement = |sql| {
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map_err(at(connection, activity))
    };
    statement("BEGIN DEFERRED")?;
    let outcome = f(connection);
    if !connection.is_autocommit() {
        statement("ROLLBACK")?;
    }
    outcome
}
