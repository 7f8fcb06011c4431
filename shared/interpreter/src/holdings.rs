//! The bytes that the threads of an execution hold, counted as they change: their payloads, each once, and their variables.

use std::collections::BTreeMap;

use crate::{Frame, Payload, ThreadPath};

/// Smaller payloads are not counted: an execution has not so many threads that they weigh.
const COUNTED_FROM: usize = 1_024;

/// What the threads of one execution hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Holdings {
    /// How often each payload is held, by its identity.
    held: BTreeMap<usize, usize>,
    bytes: usize,
    /// Bytes of the variables that a thread has beyond those of the thread around it, where there are any.
    own_variables: BTreeMap<ThreadPath, usize>,
    variables: usize,
}

/// They follow from the threads, which are compared themselves.
impl PartialEq for Holdings {
    fn eq(&self, _: &Holdings) -> bool {
        true
    }
}

impl Holdings {
    /// Bytes of all payloads, a payload that several threads hold counted once.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of all variables with their names, those that a thread has from the one around it counted once.
    pub fn variables(&self) -> usize {
        self.variables
    }

    /// Bytes of a thread's own variables, with their names.
    pub fn own_variables(&self, path: &ThreadPath) -> usize {
        self.own_variables.get(path).copied().unwrap_or(0)
    }

    /// The threads that have variables of their own.
    pub fn with_variables(&self) -> impl Iterator<Item = &ThreadPath> {
        self.own_variables.keys()
    }

    /// A thread is added; `outer` are the variables of the thread around it.
    pub fn add(&mut self, path: &ThreadPath, frame: &Frame<Payload>, outer: Option<&Payload>) {
        frame.each_payload(&mut |payload| {
            if payload.bytes() >= COUNTED_FROM {
                let times = self.held.entry(payload.identity()).or_default();
                *times += 1;
                if *times == 1 {
                    self.bytes = self.bytes.saturating_add(payload.bytes());
                }
            }
        });
        let Some(variables) = &frame.variables else { return };
        let own = variables.bytes().saturating_sub(outer.map_or(0, Payload::bytes));
        if own > 0 {
            self.own_variables.insert(path.clone(), own);
            self.variables = self.variables.saturating_add(own);
        }
    }

    /// A thread is gone.
    pub fn remove(&mut self, path: &ThreadPath, frame: &Frame<Payload>) {
        frame.each_payload(&mut |payload| {
            if let Some(times) = self.held.get_mut(&payload.identity()) {
                *times -= 1;
                if *times == 0 {
                    self.held.remove(&payload.identity());
                    self.bytes = self.bytes.saturating_sub(payload.bytes());
                }
            }
        });
        if frame.variables.is_some()
            && let Some(own) = self.own_variables.remove(path)
        {
            self.variables = self.variables.saturating_sub(own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, Timestamp};

    fn frame(input: &Payload, variables: Option<&Payload>) -> Frame<Payload> {
        Frame {
            state: 0,
            input: input.clone(),
            last_event: 0,
            entered: 0,
            entered_at: Timestamp(0),
            retries: Vec::new(),
            attempt_id: 0,
            variables: variables.cloned(),
            phase: Phase::Finished { output: input.clone() },
        }
    }

    #[test]
    fn a_payload_that_several_threads_hold_counts_once_and_as_long_as_one_has_it() {
        let large = Payload::from_json_text(format!("\"{}\"", "x".repeat(2_000)));
        let (root, child) = (ThreadPath::root(), ThreadPath::root().child(0));
        let mut holdings = Holdings::default();
        holdings.add(&root, &frame(&large, None), None);
        holdings.add(&child, &frame(&large, None), None);
        assert_eq!(holdings.bytes(), 2_002);
        holdings.remove(&root, &frame(&large, None));
        assert_eq!(holdings.bytes(), 2_002);
        holdings.remove(&child, &frame(&large, None));
        assert_eq!(holdings.bytes(), 0);
        holdings.add(&root, &frame(&Payload::from_json_text("1"), None), None);
        assert_eq!(holdings.bytes(), 0, "small ones do not count");
    }

    #[test]
    fn variables_of_the_thread_around_count_once() {
        let (outer, own) = (Payload::from_json_text(r#"{"a":1}"#), Payload::from_json_text(r#"{"a":1,"b":2}"#));
        let (root, child) = (ThreadPath::root(), ThreadPath::root().child(0));
        let mut holdings = Holdings::default();
        holdings.add(&root, &frame(&outer, Some(&outer)), None);
        holdings.add(&child, &frame(&outer, Some(&outer)), Some(&outer));
        assert_eq!(holdings.variables(), outer.bytes());
        holdings.remove(&child, &frame(&outer, Some(&outer)));
        holdings.add(&child, &frame(&outer, Some(&own)), Some(&outer));
        assert_eq!(holdings.variables(), own.bytes());
        holdings.remove(&child, &frame(&outer, Some(&own)));
        holdings.remove(&root, &frame(&outer, Some(&outer)));
        assert_eq!(holdings.variables(), 0);
    }
}
