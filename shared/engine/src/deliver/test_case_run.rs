//! Executions that were started with a test case: which call of which state comes next.
//!
//! Mocks answer by the number of the call, so the count is a part of what is stored with every commit, and a restart
//! goes on where it was. Absent: what a mock says, which is for the port `Tasks` to know.

use std::collections::BTreeMap;

use crate::entry::Head;
use crate::ports::{Tasks, TestCall};

/// A running test case.
pub(super) struct TestCaseRun {
    machine: String,
    case: String,
    calls: BTreeMap<String, u32>,
}

impl TestCaseRun {
    /// The test case of an execution, if it has one; `calls` is how often each state was called so far.
    pub fn of(head: &Head, calls: BTreeMap<String, u32>) -> Option<TestCaseRun> {
        let case = head.test_case.clone()?;
        Some(TestCaseRun { machine: head.machine_name.clone(), case, calls })
    }

    /// True when a call of `state` is answered without its target.
    pub fn mocks(&self, tasks: &dyn Tasks, state: &str) -> bool {
        tasks.mocks(&self.machine, &self.case, state)
    }

    /// Counts a call of `state`.
    pub fn call(&mut self, state: &str) -> TestCall {
        let calls = self.calls.entry(state.to_owned()).or_default();
        let number = *calls;
        *calls = calls.saturating_add(1);
        TestCall { machine: self.machine.clone(), case: self.case.clone(), number }
    }

    /// Does not count a call of `state` that was not made.
    pub fn take_back(&mut self, state: &str) {
        if let Some(calls) = self.calls.get_mut(state) {
            *calls = calls.saturating_sub(1);
        }
    }

    pub fn calls(&self) -> &BTreeMap<String, u32> {
        &self.calls
    }
}
