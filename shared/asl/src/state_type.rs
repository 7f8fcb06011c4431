//! The eight state types: the one list of them, in the order in which AWS writes it.

use serde::{Deserialize, Serialize};

/// Makes the enumeration and everything that has to name each of its cases.
macro_rules! state_types {
    ($($name:ident),*) => {
        /// The type of a state, as its `Type`, the names of its events and the stored events spell it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum StateType {
            $($name),*
        }

        impl StateType {
            pub const ALL: &'static [StateType] = &[$(StateType::$name),*];

            pub fn name(self) -> &'static str {
                match self {
                    $(StateType::$name => stringify!($name)),*
                }
            }
        }
    };
}

state_types!(Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map);

impl StateType {
    pub fn names() -> Vec<&'static str> {
        Self::ALL.iter().map(|one| one.name()).collect()
    }

    pub fn named(name: &str) -> Option<StateType> {
        Self::ALL.iter().copied().find(|one| one.name() == name)
    }

    /// Whether such a state has `Next` or `End`.
    pub fn moves_on(self) -> bool {
        match self {
            StateType::Task | StateType::Wait | StateType::Pass | StateType::Parallel | StateType::Map => true,
            StateType::Succeed | StateType::Fail | StateType::Choice => false,
        }
    }

    /// Whether such a state does work that may fail and be retried, and whose result is not its input: it has `Retry` and
    /// `Catch`, `$states.result`, and a `RetryCount` in its context object.
    pub fn has_result(self) -> bool {
        match self {
            StateType::Task | StateType::Parallel | StateType::Map => true,
            StateType::Wait | StateType::Pass | StateType::Succeed | StateType::Fail | StateType::Choice => false,
        }
    }
}
