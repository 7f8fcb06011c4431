//! A few threads with a connection each, which read.
//!
//! Every reading sees one state of the database: all that was acknowledged before it began, nothing that a power cut
//! could take back. Threads of our own, because they end when the directory is closed and need no runtime to start.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use engine::ports::StoreError;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::failure::{Failure, closed};

/// How many readings wait at most; more callers wait for a place.
const WAITING: usize = 1024;

type Reading = Box<dyn FnOnce(&Connection) + Send>;

/// The way to the reading threads.
pub(crate) struct Readers {
    readings: Option<mpsc::Sender<Reading>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// One thread for each connection.
    pub(crate) fn start(connections: Vec<Connection>) -> io::Result<Self> {
        let (readings, waiting) = mpsc::channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut readers = Self { readings: Some(readings), threads: Vec::new() };
        for connection in connections {
            let waiting = Arc::clone(&waiting);
            let thread =
                thread::Builder::new().name("stepwell-reader".to_owned()).spawn(move || run(&connection, &waiting))?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    /// Reads one state of the database.
    pub(crate) async fn read<T, F>(&self, reading: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let reading: Reading = Box::new(move |connection| {
            // The caller may have gone.
            let _ = reply.send(in_one_state(connection, reading).map_err(StoreError::from));
        });
        match &self.readings {
            Some(readings) => readings.send(reading).await.map_err(|_| closed())?,
            None => return Err(closed()),
        }
        answer.await.map_err(|_| closed())?
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.readings = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a reading thread of the data directory panicked");
            }
        }
    }
}

fn run(connection: &Connection, waiting: &Mutex<mpsc::Receiver<Reading>>) {
    loop {
        // One thread waits at the channel, the others for their turn at it.
        let reading = waiting.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        match reading {
            Some(reading) => reading(connection),
            None => return,
        }
    }
}

fn in_one_state<T>(
    connection: &Connection,
    reading: impl FnOnce(&Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Deferred)?;
    let outcome = reading(&transaction)?;
    transaction.finish()?;
    Ok(outcome)
}
