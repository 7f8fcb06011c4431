//! A planned stop: from the first signal on nothing is started or claimed, and the process waits until the calls in
//! flight have returned and their results are committed, for `--drain-seconds` at most.
//!
//! Without it every call in flight would count as lost after the restart. Executions that only wait need no drain: they
//! continue from the directory.

use std::sync::Arc;
use std::time::Duration;

use engine::Engine;
use tokio::sync::watch;
use tokio::time::Instant;

/// Between two reads of the number of active executions.
const POLL: Duration = Duration::from_millis(20);

/// The drain of one process.
#[derive(Clone)]
pub struct Drain {
    engine: Arc<Engine>,
    time: Duration,
    began: Arc<watch::Sender<Option<Instant>>>,
}

impl Drain {
    pub fn new(engine: Arc<Engine>, time: Duration) -> Drain {
        Drain { engine, time, began: Arc::new(watch::Sender::new(None)) }
    }

    /// Begins the drain.
    pub fn begin(&self) {
        let seconds = self.time.as_secs();
        tracing::info!(seconds, "server: draining, no new starts and task calls; a second signal stops it at once");
        self.engine.deliver().drain();
        self.began.send_replace(Some(Instant::now()));
    }

    pub fn is_begun(&self) -> bool {
        self.began.borrow().is_some()
    }

    /// Waits until the drain begins.
    pub async fn begun(&self) -> Instant {
        let mut began = self.began.subscribe();
        // The sender is in `self`, so the channel stays open.
        let begun = began.wait_for(Option::is_some).await.ok().and_then(|begun| *begun);
        begun.unwrap_or_else(Instant::now)
    }

    /// Waits until the drain is over: no execution is active any more, or its time has passed.
    pub async fn done(&self) {
        let deadline = self.begun().await + self.time;
        while self.engine.deliver().active_executions() > 0 {
            if Instant::now() >= deadline {
                let executions = self.engine.deliver().active_executions();
                tracing::warn!(executions, "server: drain time is over, task calls in flight count as lost");
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The rest of the drain's time, which requests in flight have.
    pub fn time_left(&self) -> Duration {
        let began = *self.began.borrow();
        began.map_or(self.time, |began| self.time.saturating_sub(began.elapsed()))
    }
}
