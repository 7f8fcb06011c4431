//! What goes wrong inside a workflow, as data: an error name and a cause, and who may handle it.

use expressions::EvaluationError;
use serde_json::{Value, json};

pub const RUNTIME: &str = "States.Runtime";
pub const TIMEOUT: &str = "States.Timeout";
pub const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
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
        let mut cause = cause.into();
        // No text has more characters than bytes: the cheap look comes first.
        if cause.len() > LONGEST_CAUSE
            && let Some((end, _)) = cause.char_indices().nth(LONGEST_CAUSE)
        {
            cause.truncate(end);
        }
        Failure { error: Some(error.into()), cause: Some(cause) }
    }

    /// A failure of which AWS tells the name only: a timeout.
    pub fn named(error: impl Into<String>) -> Failure {
        Failure { error: Some(error.into()), cause: None }
    }

    /// What a Catcher's ResultPath puts into the input.
    ///
    /// AWS: what is missing shows as null (recorded), but a caught timeout's cause is an empty text (public reports).
    pub fn error_output(&self) -> Value {
        let timed_out = self.error.as_deref() == Some(TIMEOUT);
        let cause = self.cause.as_deref().or(timed_out.then_some(""));
        json!({ "Error": self.error, "Cause": cause })
    }
}

/// A failure on its way outwards.
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    pub failure: Failure,
    pub handling: Handling,
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
        Raised { failure, handling: if fatal { Handling::Never } else { Handling::ByName } }
    }

    pub fn runtime(cause: impl Into<String>) -> Trouble {
        Trouble::new(RUNTIME, cause)
    }

    /// The state's own output is too large. AWS: this cannot be caught, and its cause names no event.
    pub fn output_too_large(state: &str) -> Raised {
        Raised { failure: Failure::new(DATA_LIMIT_EXCEEDED, too_large(state)), handling: Handling::Never }
    }

    /// What the state assigns is too large. AWS: unverified: name, wording, and that it cannot be caught.
    pub fn variables_too_large(state: &str) -> Raised {
        let cause = format!("The state '{state}' assigns variables with a size exceeding the maximum number of bytes.");
        Raised { failure: Failure::new(DATA_LIMIT_EXCEEDED, cause), handling: Handling::Never }
    }
}

/// The cause of a result over the limit.
pub fn too_large(of: &str) -> String {
    format!("The state/task '{of}' returned a result with a size exceeding the maximum number of bytes service limit.")
}

/// A failure of the interpreter itself, before it is known in which state and event it happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    error: String,
    cause: String,
}

impl Trouble {
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Trouble {
        Trouble { error: error.into(), cause: cause.into() }
    }

    /// The failure, its cause saying where: AWS prefixes it exactly once, at the innermost state.
    pub fn in_state(self, name: &str, entered: u64) -> Raised {
        let cause = format!(
            "An error occurred while executing the state '{name}' (entered at the event id #{entered}). {}",
            self.cause
        );
        Raised::by_name(Failure::new(self.error, cause))
    }
}

impl From<EvaluationError> for Trouble {
    fn from(error: EvaluationError) -> Trouble {
        Trouble::new(error.error, error.cause)
    }
}
