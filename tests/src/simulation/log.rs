//! The log of a simulated world, line by line, kept when the run is to be read.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// A log. Clones are the same log; it keeps nothing until it is opened.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Option<Lines>>>);

struct Lines {
    began: Instant,
    lines: Vec<String>,
}

impl Log {
    /// From now on lines are kept, with the time since now.
    pub fn open(&self) {
        let lines = Lines { began: Instant::now(), lines: Vec::new() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(lines);
    }

    pub fn say(&self, line: impl FnOnce() -> String) {
        if let Some(kept) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            let at = kept.began.elapsed().as_secs_f64();
            kept.lines.push(format!("{at:>10.3} {}", line()));
        }
    }

    pub fn lines(&self) -> Vec<String> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().map(|kept| kept.lines.clone()).unwrap_or_default()
    }
}
