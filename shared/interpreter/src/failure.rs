//! Failures inside a workflow, as data: an error name and a cause, and which Retriers and Catchers see them.

use expressions::EvaluationError;
use expressions::json::DEEPEST;
use serde_json::{Value, json};

pub const RUNTIME: &str = "States.Runtime";
pub const TIMEOUT: &str = "States.Timeout";
pub const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
pub const QUERY_EVALUATION: &str = "States.QueryEvaluationError";
pub const BRANCH_FAILED: &str = "States.BranchFailed";
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
    /// It comes out of a branch of the Parallel whose Retriers and Catchers are asked.
    pub from_branch: bool,
}

/// An `EvaluationFailed` event that the history lacks so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Unrecorded {
    pub state: String,
    /// The field that failed, where there is one.
    pub field: Option<String>,
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
        Raised { failure, handling, unrecorded: None, from_branch: false }
    }

    /// The state's own output is too large. AWS: this cannot be caught, and its cause names no event.
    pub fn output_too_large(state: &str) -> Raised {
        Raised::new(Failure::new(DATA_LIMIT_EXCEEDED, too_large(state)), Handling::Never)
    }

    /// The variables that the state assigns are too large. AWS: this is recorded as a failed evaluation of the field that
    /// assigns them, and its cause names no event; unverified that it cannot be caught.
    pub fn variables_too_large(state: &str, field: String, cause: String) -> Raised {
        let unrecorded = Some(Unrecorded { state: state.to_owned(), field: Some(field) });
        Raised { unrecorded, ..Raised::new(Failure::new(DATA_LIMIT_EXCEEDED, cause), Handling::Never) }
    }
}

/// The cause of a result over the limit.
pub fn too_large(of: &str) -> String {
    format!("The state/task '{of}' returned a result with a size exceeding the maximum number of bytes service limit.")
}

/// A value that nests deeper than any document may.
// AWS: unverified: name and wording, those of a result that is too large.
pub fn too_deep(of: &str) -> Failure {
    let cause = format!("The state/task '{of}' returned a result nesting deeper than {DEEPEST} levels.");
    Failure::new(DATA_LIMIT_EXCEEDED, cause)
}

/// A failure of the interpreter itself, before it is known in which state and event it happened.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationFailure {
    error: String,
    cause: String,
    /// The cause stands alone, without a prefix that names the state.
    bare: bool,
    /// A JSONata evaluation failed, which history records as such, with its field where there is one.
    evaluation: Option<Option<String>>,
    /// Error name and cause in a test, where they are others.
    in_test: Option<Box<(&'static str, String)>>,
}

impl EvaluationFailure {
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> EvaluationFailure {
        EvaluationFailure { error: error.into(), cause: cause.into(), bare: false, evaluation: None, in_test: None }
    }

    pub fn runtime(cause: impl Into<String>) -> EvaluationFailure {
        EvaluationFailure::new(RUNTIME, cause)
    }

    /// A `States.Runtime` whose cause does not name the state.
    pub fn bare_runtime(cause: impl Into<String>) -> EvaluationFailure {
        EvaluationFailure { bare: true, ..EvaluationFailure::runtime(cause) }
    }

    /// A JSONata state cannot use a value that is not the result of one of its expressions.
    pub fn query(cause: impl Into<String>) -> EvaluationFailure {
        EvaluationFailure { evaluation: Some(None), ..EvaluationFailure::new(QUERY_EVALUATION, cause) }
    }

    /// The failure, its cause saying where: AWS prefixes it exactly once, at the innermost state.
    pub fn in_state(self, name: &str, entered: u64) -> Raised {
        let cause = if self.bare {
            self.cause
        } else {
            format!(
                "An error occurred while executing the state '{name}' (entered at the event id #{entered}). {}",
                self.cause
            )
        };
        let unrecorded = self.evaluation.map(|field| Unrecorded { state: name.to_owned(), field });
        Raised { unrecorded, ..Raised::by_name(Failure::new(self.error, cause)) }
    }

    /// The same where one state is tested. AWS: no cause says where.
    pub fn in_test(self) -> Raised {
        Raised::by_name(match self.in_test.map(|words| *words) {
            Some((error, cause)) => Failure::new(error, cause),
            None => Failure::new(self.error, self.cause),
        })
    }
}

impl From<EvaluationError> for EvaluationFailure {
    fn from(error: EvaluationError) -> EvaluationFailure {
        let evaluation = (error.error == QUERY_EVALUATION).then_some(error.location);
        EvaluationFailure { evaluation, in_test: error.in_test, ..EvaluationFailure::new(error.error, error.cause) }
    }
}
