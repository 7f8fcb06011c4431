//! Failures inside a workflow, as data: an error name and a cause, and which Retriers and Catchers see them.

use expressions::EvaluationError;
use serde_json::{Value, json};

pub const RUNTIME: &str = "States.Runtime";
pub const TIMEOUT: &str = "States.Timeout";
pub const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
pub const QUERY_EVALUATION: &str = "States.QueryEvaluationError";
pub const DATA_LIMIT_EXCEEDED: &str = "States.DataLimitExceeded";

/// Characters of a cause, as the API has it. An expression that is told in its error may be longer.
// AWS: unverified that what is longer is cut there.
const LONGEST_CAUSE: usize = 32_768;

/// An error name and a cause. AWS allows both to be missing.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl Failure {
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Failure {
        Failure::of(Some(error.into()), Some(cause.into()))
    }

    /// A failure of which either part may be missing.
    pub fn of(error: Option<String>, cause: Option<String>) -> Failure {
        Failure { error, cause: cause.map(cut) }
    }

    /// A failure of which AWS tells the name only: a timeout.
    pub fn named(error: impl Into<String>) -> Failure {
        Failure { error: Some(error.into()), cause: None }
    }

    /// The error output: the value that a Catcher's ResultPath puts into the input.
    ///
    /// AWS: what is missing shows as null (recorded), but a caught timeout's cause is an empty text (public reports).
    pub fn error_output(&self) -> Value {
        let timed_out = self.error.as_deref() == Some(TIMEOUT);
        let cause = self.cause.as_deref().or(timed_out.then_some(""));
        json!({ "Error": self.error, "Cause": cause })
    }
}

/// A cause that the API can show.
fn cut(mut cause: String) -> String {
    // No text has more characters than bytes: the cheap look comes first.
    if cause.len() > LONGEST_CAUSE
        && let Some((end, _)) = cause.char_indices().nth(LONGEST_CAUSE)
    {
        cause.truncate(end);
    }
    cause
}

/// A failure on its way outwards.
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    pub failure: Failure,
    pub handling: Handling,
    /// An expression went wrong, and history does not say so yet.
    pub unrecorded: Option<Unrecorded>,
}

/// An `EvaluationFailed` event that the history lacks so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Unrecorded {
    pub state: String,
    pub place: Place,
}

/// Where an expression went wrong.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Place {
    /// The field, where one is to blame.
    pub field: Option<String>,
    /// The state had begun its work: what failed is what it made of the value.
    pub at_work: bool,
}

/// Which Retriers and Catchers see a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    ByName,
    /// A missed heartbeat: recorded as `States.Timeout`, and matched by `States.HeartbeatTimeout` too.
    Heartbeat,
    /// None: the execution fails.
    Never,
}

impl Raised {
    pub fn by_name(failure: Failure) -> Raised {
        let fatal = failure.error.as_deref() == Some(RUNTIME);
        Raised::new(failure, if fatal { Handling::Never } else { Handling::ByName })
    }

    pub fn new(failure: Failure, handling: Handling) -> Raised {
        Raised { failure, handling, unrecorded: None }
    }

    /// The state's own output is too large. AWS: this cannot be caught, and its cause names no event.
    pub fn output_too_large(state: &str) -> Raised {
        Raised::new(Failure::new(DATA_LIMIT_EXCEEDED, too_large(state)), Handling::Never)
    }

    /// The variables that the state assigns are too large. AWS: unverified: name, wording, and that it cannot be caught.
    pub fn variables_too_large(state: &str) -> Raised {
        let cause = format!("The state '{state}' assigns variables with a size exceeding the maximum number of bytes.");
        Raised::new(Failure::new(DATA_LIMIT_EXCEEDED, cause), Handling::Never)
    }
}

/// The cause of a result over the limit.
pub fn too_large(of: &str) -> String {
    format!("The state/task '{of}' returned a result with a size exceeding the maximum number of bytes service limit.")
}

/// A failure of the interpreter itself, before it is known in which state and event it happened.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationFailure {
    error: String,
    cause: String,
    /// A JSONata evaluation failed, which history records as such.
    evaluation: Option<Place>,
}

impl EvaluationFailure {
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> EvaluationFailure {
        EvaluationFailure { error: error.into(), cause: cause.into(), evaluation: None }
    }

    pub fn runtime(cause: impl Into<String>) -> EvaluationFailure {
        EvaluationFailure::new(RUNTIME, cause)
    }

    /// A JSONata state cannot use a value that is not the result of one of its expressions.
    pub fn query(cause: impl Into<String>) -> EvaluationFailure {
        EvaluationFailure { evaluation: Some(Place::default()), ..EvaluationFailure::new(QUERY_EVALUATION, cause) }
    }

    /// The same, for a state that had begun its work.
    pub fn at_work(mut self) -> EvaluationFailure {
        if let Some(place) = &mut self.evaluation {
            place.at_work = true;
        }
        self
    }

    /// The failure, its cause saying where: AWS prefixes it exactly once, at the innermost state.
    pub fn in_state(self, name: &str, entered: u64) -> Raised {
        let cause = format!(
            "An error occurred while executing the state '{name}' (entered at the event id #{entered}). {}",
            self.cause
        );
        let unrecorded = self.evaluation.map(|place| Unrecorded { state: name.to_owned(), place });
        Raised { unrecorded, ..Raised::by_name(Failure::new(self.error, cause)) }
    }
}

impl From<EvaluationError> for EvaluationFailure {
    fn from(error: EvaluationError) -> EvaluationFailure {
        let evaluation = (error.error == QUERY_EVALUATION).then_some(Place { field: error.location, at_work: false });
        EvaluationFailure { error: error.error.to_owned(), cause: error.cause, evaluation }
    }
}
