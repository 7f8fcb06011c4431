//! Mocks in place of targets: tasks of executions that were started with a test case are answered out of a file.
//!
//! The file is Step Functions Local's `MockConfigFile.json`; [`Mocks`] is its content and [`file`] reads it. A
//! test case names the states it answers for; other states call their real targets. A mock is chosen by the number of
//! the call of its state within the execution: retries, iterations of a Map and turns of a loop all count.
//!
//! A mocked task of an activity is never in the activity's queue, and the activity need not exist.
//!
//! Deliberately absent: any check that a mock looks like what the service would answer.

mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use asl::SdkServices;
use async_trait::async_trait;
use engine::ports::{OwnApi, TaskAnswer, TaskCall, Tasks, TestCall, TestCases};

pub use file::InvalidMocks;

/// The content of a file of mocks.
#[derive(Debug)]
pub struct Mocks {
    /// By state machine, test case and state.
    responses: BTreeMap<String, BTreeMap<String, BTreeMap<String, Arc<Responses>>>>,
    cases: TestCases,
}

/// A mocked response: what the calls of a state are answered, by their numbers.
#[derive(Debug, PartialEq)]
struct Responses {
    name: String,
    /// Apart from each other, in the order of their numbers.
    answers: Vec<(RangeInclusive<u32>, Said)>,
}

#[derive(Debug, PartialEq)]
enum Said {
    /// The result of the task, as JSON text.
    Return(String),
    Throw {
        error: String,
        cause: Option<String>,
    },
}

impl Mocks {
    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, InvalidMocks> {
        let responses = file::read(text)?;
        let names = |cases: &BTreeMap<String, _>| cases.keys().cloned().collect::<BTreeSet<String>>();
        let cases = responses.iter().map(|(machine, cases)| (machine.clone(), names(cases))).collect();
        Ok(Self { responses, cases })
    }

    /// True when the test case leaves the state not to its real target.
    fn answers(&self, machine: &str, case: &str, state: &str) -> bool {
        let states = self.responses.get(machine).and_then(|cases| cases.get(case));
        states.is_none_or(|states| states.contains_key(state))
    }

    /// The answer to a call; `None` when the test case leaves the state to its real target.
    fn answer(&self, test: &TestCall, call: &TaskCall) -> Option<TaskAnswer> {
        let TestCall { machine, case, number } = test;
        let Some(states) = self.responses.get(machine).and_then(|cases| cases.get(case)) else {
            return Some(gone(test));
        };
        let Responses { name, answers } = &**states.get(&call.state)?;
        let said = answers.iter().find(|(numbers, _)| numbers.contains(number)).map(|(_, said)| said);
        Some(match said {
            Some(Said::Return(output)) => TaskAnswer::Concluded { output: output.clone() },
            Some(Said::Throw { error, cause }) => TaskAnswer::Failed { error: error.clone(), cause: cause.clone() },
            None => fatal(format!(
                "The mocked response '{name}' says nothing for call {number} of the state '{}'.",
                call.state
            )),
        })
    }
}

/// The test case of an execution that was started under another configuration. Its tasks must not become real calls.
fn gone(test: &TestCall) -> TaskAnswer {
    let TestCall { machine, case, .. } = test;
    fatal(format!("The mock configuration has no test case '{case}' for the state machine '{machine}'."))
}

/// AWS: unverified wording; that the execution fails like this is how Step Functions Local was seen to behave.
fn fatal(cause: String) -> TaskAnswer {
    TaskAnswer::Failed { error: "States.Runtime".to_owned(), cause: Some(cause) }
}

/// Targets with mocks before them.
pub struct Mocked {
    mocks: Option<Mocks>,
    real: Arc<dyn Tasks>,
}

impl Mocked {
    /// Without mocks there are no test cases to start with, and what was started with one before fails.
    pub fn new(mocks: Option<Mocks>, real: Arc<dyn Tasks>) -> Self {
        Self { mocks, real }
    }
}

#[async_trait]
impl Tasks for Mocked {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        let answer = match (&call.test, &self.mocks) {
            (None, _) => None,
            (Some(test), Some(mocks)) => mocks.answer(test, &call),
            (Some(test), None) => Some(gone(test)),
        };
        match answer {
            Some(answer) => {
                tracing::debug!(execution = call.execution, state = call.state, "mocked");
                answer
            }
            None => self.real.call(call).await,
        }
    }

    async fn limit(&self, call: &TaskCall) -> Duration {
        self.real.limit(call).await
    }

    fn mocks(&self, machine: &str, case: &str, state: &str) -> bool {
        self.mocks.as_ref().is_none_or(|mocks| mocks.answers(machine, case, state))
    }

    fn bind(&self, own: Arc<dyn OwnApi>) {
        self.real.bind(own);
    }

    fn sdk_services(&self) -> &'static dyn SdkServices {
        self.real.sdk_services()
    }

    fn test_cases(&self) -> Option<&TestCases> {
        self.mocks.as_ref().map(|mocks| &mocks.cases)
    }
}
