//! A mutex whose holder's panic is no reason to refuse: what it guards is whole after every statement.
//!
//! Only for state that is changed in one step under the lock (a map's entry, a counter, a generator); anything that can be
//! left half changed needs another guard.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// State that several threads change, one at a time.
#[derive(Debug, Default)]
pub struct Guarded<T>(Mutex<T>);

impl<T> Guarded<T> {
    pub const fn new(value: T) -> Guarded<T> {
        Guarded(Mutex::new(value))
    }

    /// Waits for the lock; a panic under an earlier lock does not fail this one.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::panic;

    use super::*;

    #[test]
    fn a_panic_under_the_lock_leaves_the_state_in_use() {
        let guarded = Guarded::new(vec![1]);
        let panicked = panic::catch_unwind(panic::AssertUnwindSafe(|| {
            let mut held = guarded.lock();
            held.push(2);
            panic::panic_any("on purpose");
        }));
        assert!(panicked.is_err());
        assert_eq!(*guarded.lock(), [1, 2]);
    }
}
