//! One state type, one file: `enter` begins its work, `resume` and its like go on with it; both answer an [`Outcome`].
//!
//! [`Outcome`]: crate::run::Outcome

pub(crate) mod choice;
pub(crate) mod fail;
pub(crate) mod job;
pub(crate) mod map;
pub(crate) mod parallel;
pub(crate) mod pass;
pub(crate) mod succeed;
pub(crate) mod task;
pub(crate) mod wait;

/// Ends the surrounding function with `Raise` when there is no value.
macro_rules! or_raise {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(raised) => return crate::run::Outcome::Raise(raised),
        }
    };
}
pub(crate) use or_raise;
