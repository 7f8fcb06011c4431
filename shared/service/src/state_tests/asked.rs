//! The request of TestState: what may be asked of which state, in AWS's texts.
//!
//! Order, as far as it is known: the role's ARN, the definition, the state's name, what needs a mock, what a mock may be,
//! the context object, then input and variables.

use asl::{Integration, Kind, Pattern, Required, Resource, SdkServices, State, StateId, StateMachine, StateType};
use expressions::json;
use interpreter::{Failure, Mock, Payload};
use serde_json::{Map, Value};

use super::context;
use crate::arn;
use crate::error::ApiError;
use crate::request::Request;
use crate::start::checked_input;

/// A request that has been checked.
pub(super) struct Wanted {
    pub machine: StateMachine,
    pub state: StateId,
    pub role: Option<String>,
    pub input: Payload,
    pub variables: Option<Payload>,
    pub context: Option<Map<String, Value>>,
    pub mock: Option<Mock>,
    pub retries: u64,
    pub failed_iterations: Option<u64>,
    pub items_read: Option<String>,
    /// `DEBUG` or `TRACE`.
    pub shows_data: bool,
}

impl Wanted {
    pub fn read(request: &mut Request, services: &'static dyn SdkServices) -> Result<Wanted, ApiError> {
        let role = request.take("roleArn");
        role.as_deref().map_or(Ok(()), arn::role)?;
        let (machine, state) = tested_state(request, services)?;
        let mut wanted = Wanted {
            machine,
            state,
            role,
            input: Payload::from_json_text("{}"),
            variables: None,
            context: None,
            mock: None,
            retries: 0,
            failed_iterations: None,
            items_read: None,
            shows_data: matches!(request.text("inspectionLevel"), Some("DEBUG" | "TRACE")),
        };
        match request.object("mock") {
            None => wanted.check_unmocked(request)?,
            Some(mock) => {
                wanted.check_mockable(request)?;
                wanted.mock = Some(wanted.mocked(mock, services)?);
                wanted.configure(request)?;
            }
        }
        if let Some(text) = request.text("context") {
            wanted.context = Some(context::checked(text, wanted.has_task_member())?);
        }
        wanted.input = checked_input(request.take("input"))?;
        wanted.variables = request.text("variables").map(checked_variables).transpose()?;
        Ok(wanted)
    }

    /// The tested state.
    pub fn tested(&self) -> Option<&State> {
        self.machine.state(self.state).map(AsRef::as_ref)
    }

    fn state_type(&self) -> Option<StateType> {
        self.tested().map(|state| state.kind.state_type())
    }

    /// True for a task that waits for a job or a token.
    pub fn outlives_its_call(&self) -> bool {
        match self.tested().map(|state| &state.kind) {
            Some(Kind::Task(task)) => match &task.resource {
                Resource::Integration(on) => on.pattern != Pattern::RequestResponse,
                Resource::Lambda { .. } | Resource::Activity { .. } => false,
            },
            Some(_) | None => false,
        }
    }

    /// Without a mock: what would be run, and what only makes sense with one.
    fn check_unmocked(&self, request: &Request) -> Result<(), ApiError> {
        let configuration = request.object("stateConfiguration");
        let given = |name: &str| configuration.is_some_and(|given| given.get(name).is_some_and(|one| !one.is_null()));
        // AWS: observed for MapIterationFailureCount; the others are worded like it.
        let refused = [
            ("MapIterationFailureCount", given("mapIterationFailureCount")),
            ("MapItemReaderData", given("mapItemReaderData")),
            ("RetrierRetryCount", given("retrierRetryCount")),
            ("ErrorCausedByState", given("errorCausedByState")),
            ("Context", request.text("context").is_some()),
        ];
        if let Some((name, _)) = refused.iter().find(|(_, given)| *given) {
            return Err(invalid(format!("TestState does not support {name} when a mock is not specified.")));
        }
        let Some(state) = self.tested() else { return Err(no_such_state()) };
        match &state.kind {
            Kind::Map(_) | Kind::Parallel(_) => Err(ApiError::InvalidDefinition(
                "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, \
                 Succeed, Fail, Choice]"
                    .to_owned(),
            )),
            Kind::Task(task) => {
                let text = match &task.resource {
                    Resource::Integration(_) if self.outlives_its_call() => {
                        "TestState API does not support '.sync' or '.waitForTaskToken' integration patterns."
                    }
                    // AWS: unverified wording.
                    Resource::Activity { .. } => "TestState API does not support Activity tasks.",
                    Resource::Integration(_) | Resource::Lambda { .. } => {
                        let missing = || invalid("RoleArn must be specified when testing a Task state");
                        return self.role.as_ref().map(|_| ()).ok_or_else(missing);
                    }
                };
                Err(ApiError::InvalidDefinition(text.to_owned()))
            }
            Kind::Pass(_) | Kind::Wait(_) | Kind::Choice(_) | Kind::Succeed | Kind::Fail(_) => Ok(()),
        }
    }

    /// AWS: observed for Pass, Succeed and Fail; unverified for Choice and Wait.
    fn check_mockable(&self, request: &Request) -> Result<(), ApiError> {
        match self.state_type() {
            Some(StateType::Task | StateType::Map | StateType::Parallel) => {}
            Some(other) => {
                let name = other.name();
                return Err(invalid(format!("State type '{name}' is not supported when a mock is specified")));
            }
            None => return Err(no_such_state()),
        }
        if request.flag("revealSecrets") == Some(true) {
            return Err(invalid("TestState does not support RevealSecrets when a mock is specified."));
        }
        Ok(())
    }

    fn mocked(&self, mock: &Map<String, Value>, services: &dyn SdkServices) -> Result<Mock, ApiError> {
        let result = mock.get("result").and_then(Value::as_str);
        let error = mock.get("errorOutput").and_then(Value::as_object);
        match (result, error) {
            (Some(_), Some(_)) => {
                Err(invalid("A test mock should have only one of the following fields: [result, errorOutput]."))
            }
            (None, None) => {
                Err(invalid("One of the following fields is required for a test mock: [result, errorOutput]."))
            }
            (None, Some(given)) => {
                let text = |name: &str| given.get(name).and_then(Value::as_str).map(str::to_owned);
                match text("error").filter(|error| !error.is_empty()) {
                    Some(error) => Ok(Mock::Error(Failure::of(Some(error), text("cause")))),
                    None => Err(invalid("An error was not specified in the mocked error output.")),
                }
            }
            (Some(result), None) => {
                let mode = mock.get("fieldValidationMode").and_then(Value::as_str);
                self.mocked_result(result, mode, services).map(Mock::Result)
            }
        }
    }

    fn mocked_result(&self, text: &str, mode: Option<&str>, services: &dyn SdkServices) -> Result<Payload, ApiError> {
        let Ok(result) = json::parse(text) else { return Err(invalid("Mocked result must be valid JSON")) };
        match self.tested().map(|state| &state.kind) {
            Some(Kind::Map(map)) if map.distribution.has_writer && !result.is_object() => {
                return Err(invalid("Mocked result must be a JSON object."));
            }
            Some(Kind::Map(map)) if !map.distribution.has_writer && !result.is_array() => {
                return Err(invalid("Mocked result must be an array."));
            }
            Some(Kind::Parallel(parallel)) => match result.as_array() {
                None => return Err(invalid("Mocked result must be an array.")),
                Some(results) if results.len() != parallel.branches.len() => {
                    return Err(invalid(
                        "Mocked result must contain the same number of items as number of Parallel branches.",
                    ));
                }
                Some(_) => {}
            },
            Some(Kind::Task(task)) => match &task.resource {
                Resource::Integration(on) => check_answer(on, &result, mode, services)?,
                // Any JSON is the answer of a function, or of an activity's worker.
                Resource::Lambda { .. } | Resource::Activity { .. } => {}
            },
            Some(_) | None => {}
        }
        Ok(Payload::from_json_text(text))
    }

    /// `stateConfiguration`, which goes with a mock.
    fn configure(&mut self, request: &Request) -> Result<(), ApiError> {
        let given = request.object("stateConfiguration");
        let number = |name: &str| given.and_then(|given| given.get(name)).and_then(Value::as_u64);
        let text = |name: &str| given.and_then(|given| given.get(name)).and_then(Value::as_str);
        self.retries = number("retrierRetryCount").unwrap_or(0);
        self.failed_iterations = number("mapIterationFailureCount");
        self.items_read = text("mapItemReaderData").map(str::to_owned);
        let only = |name: &str, what: &str| invalid(format!("{name} is only supported when testing a {what} state."));
        let reader = match self.tested().map(|state| &state.kind) {
            Some(Kind::Map(map)) => map.distribution.reader.is_some(),
            Some(_) | None if self.failed_iterations.is_some() => return Err(only("MapIterationFailureCount", "Map")),
            // AWS: unverified, worded like the other.
            Some(_) | None if self.items_read.is_some() => return Err(only("MapItemReaderData", "Map")),
            Some(_) | None => false,
        };
        if reader && self.items_read.is_none() {
            return Err(invalid(
                "ItemReader data must be specified when testing a Map state with ItemReader specified.",
            ));
        }
        match (text("errorCausedByState"), self.state_type()) {
            (None, _) => Ok(()),
            (Some(name), Some(StateType::Map | StateType::Parallel)) => {
                let known = self.machine.states.iter().any(|state| &*state.name == name);
                if known { Ok(()) } else { Err(no_such_state()) }
            }
            // AWS: unverified, worded like those above.
            (Some(_), _) => Err(only("ErrorCausedByState", "Map or Parallel")),
        }
    }
}

/// The state that is tested: the only one, or the one of that name.
fn tested_state(request: &Request, services: &'static dyn SdkServices) -> Result<(StateMachine, StateId), ApiError> {
    let (definition, name) = (request.required("definition"), request.text("stateName"));
    let parsed = match name {
        None => asl::parse_state(definition, services),
        Some(_) => asl::parse_for_test(definition, services),
    };
    let refused = asl::invalid_definition_message(&parsed.diagnostics);
    let machine = match (parsed.machine, refused) {
        (Some(machine), None) => machine,
        (_, refused) => return Err(ApiError::InvalidDefinition(refused.unwrap_or_default())),
    };
    let state = match name {
        None => machine.flow.start_at,
        Some(name) => {
            let found = machine.states.iter().find(|state| &*state.name == name).map(|state| state.id);
            found.ok_or_else(no_such_state)?
        }
    };
    Ok((machine, state))
}

/// AWS: without a model there is no check; the answers of HTTP APIs and of Kubernetes have none (documented).
fn check_answer(
    on: &Integration,
    result: &Value,
    mode: Option<&str>,
    services: &dyn SdkServices,
) -> Result<(), ApiError> {
    let required = match mode {
        // The answer is what a client sends with the token.
        _ if on.pattern == Pattern::WaitForTaskToken => return Ok(()),
        _ if !result.is_object() => return Err(invalid("Mocked result must be a valid JSON object.")),
        Some("NONE") => return Ok(()),
        Some("PRESENT") => Required::NotAsked,
        Some(_) | None => Required::Asked,
    };
    match services.check_mock(on, result, required) {
        None => Ok(()),
        Some(problem) => Err(invalid(format!("Mock result schema validation error: {problem}"))),
    }
}

fn checked_variables(text: &str) -> Result<Payload, ApiError> {
    match json::parse(text) {
        Ok(Value::Object(_)) => Ok(Payload::from_json_text(text)),
        // AWS: unverified wording.
        Ok(_) | Err(_) => Err(invalid("Variables must be a valid JSON object.")),
    }
}

pub(super) fn no_such_state() -> ApiError {
    invalid("State not found in definition")
}

fn invalid(text: impl Into<String>) -> ApiError {
    ApiError::Validation(text.into())
}
