//! What a test sees of a state's data flow, in AWS's order and under AWS's names (`inspectionData`).
//!
//! AWS: which of them there are depends on the type of the state and its language, as recorded of TestState in 2025 and 2026.

use asl::{QueryLanguage, State, StateType};

use crate::Payload;
use crate::run::type_of;

/// The values of `inspectionData`. Steps behind one that failed have none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inspection {
    pub after_input_path: Option<Payload>,
    pub after_parameters: Option<Payload>,
    pub after_arguments: Option<Payload>,
    pub result: Option<Payload>,
    pub after_result_selector: Option<Payload>,
    pub after_result_path: Option<Payload>,
    /// Lists of JSON texts as Java prints them: `[1, {"a":2}]`.
    pub after_items_path: Option<String>,
    pub after_items_pointer: Option<String>,
    pub after_item_selector: Option<String>,
    pub after_item_batcher: Option<String>,
    pub max_concurrency: Option<u64>,
    pub tolerated_failure_count: Option<u64>,
    pub tolerated_failure_percentage: Option<f64>,
    /// The variables after the state.
    pub variables: Option<Payload>,
    pub catch_index: Option<usize>,
    pub retry_index: Option<usize>,
    pub backoff_seconds: Option<i64>,
}

impl Inspection {
    pub(crate) fn after_input_path(&mut self, state: &State, selected: &Payload) {
        if is_json_path(state) {
            self.after_input_path = Some(selected.clone());
        }
    }

    /// AWS: there also where the state has no `Parameters`.
    pub(crate) fn arguments(&mut self, state: &State, arguments: &Payload) {
        match state.query_language {
            QueryLanguage::JsonPath => self.after_parameters = Some(arguments.clone()),
            QueryLanguage::Jsonata if type_of(state).has_result() => self.after_arguments = Some(arguments.clone()),
            QueryLanguage::Jsonata => {}
        }
    }

    /// Of a Pass. AWS: then neither the InputPath nor the Parameters show.
    pub(crate) fn fixed_result(&mut self, result: &Payload) {
        (self.after_input_path, self.after_parameters) = (None, None);
        self.result = Some(result.clone());
    }

    /// Of a Task. AWS: a Map shows none; unverified for a Parallel.
    pub(crate) fn result(&mut self, result: &Payload) {
        self.result = Some(result.clone());
    }

    pub(crate) fn after_result_selector(&mut self, state: &State, selected: &Payload) {
        if has_result_path(state) {
            self.after_result_selector = Some(selected.clone());
        }
    }

    pub(crate) fn after_result_path(&mut self, state: &State, placed: &Payload) {
        if has_result_path(state) {
            self.after_result_path = Some(placed.clone());
        }
    }
}

fn is_json_path(state: &State) -> bool {
    state.query_language == QueryLanguage::JsonPath
}

fn has_result_path(state: &State) -> bool {
    match type_of(state) {
        StateType::Task | StateType::Parallel | StateType::Map | StateType::Pass => is_json_path(state),
        StateType::Wait | StateType::Choice | StateType::Succeed | StateType::Fail => false,
    }
}
