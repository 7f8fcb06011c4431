//! TestState: one state, on its own or out of a machine, run by the interpreter with a given input.
//!
//! What a request may ask is [`asked`]'s affair, the context object [`context`]'s; how a state runs is the interpreter's
//! ([`interpreter::TestRun`]), and calls are the engine's ([`engine::state_tests`]).

mod asked;
mod context;

use interpreter::{Execution, Inspection, Limits, Payload, StateTest, TestOutcome, TestRun};
use serde::Serialize;

use self::asked::Wanted;
use crate::action::{Action, Asked, answered};
use crate::answer::JsonText;
use crate::error::ApiError;
use crate::names;
use crate::service::Service;
use crate::shapes::{ARN, CAUSE, DEFINITION, ERROR, NAME, PAYLOAD, Shape, one_of, optional, required};

const MOCK: Shape = Shape::Structure(&[
    optional("result", PAYLOAD),
    optional("errorOutput", Shape::Structure(&[optional("error", ERROR), optional("cause", CAUSE)])),
    optional("fieldValidationMode", one_of(&["STRICT", "PRESENT", "NONE"])),
]);
const COUNT: Shape = Shape::Integer { least: 0, most: i32::MAX as i64 };
const CONFIGURATION: Shape = Shape::Structure(&[
    optional("retrierRetryCount", COUNT),
    optional("errorCausedByState", NAME),
    optional("mapIterationFailureCount", COUNT),
    optional("mapItemReaderData", PAYLOAD),
]);

pub(crate) const TEST_STATE: Action = Action {
    name: "TestState",
    shape: &[
        required("definition", DEFINITION),
        optional("roleArn", ARN),
        optional("input", PAYLOAD),
        optional("inspectionLevel", one_of(&["INFO", "DEBUG", "TRACE"])),
        optional("revealSecrets", Shape::Flag),
        optional("variables", PAYLOAD),
        optional("stateName", NAME),
        optional("mock", MOCK),
        optional("context", PAYLOAD),
        optional("stateConfiguration", CONFIGURATION),
    ],
    run: |asked| answered(test_state(asked)),
};

/// TestState's answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tested {
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<JsonText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inspection_data: Option<InspectionData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_state: Option<String>,
    status: &'static str,
}

/// The steps of the data flow. AWS: those behind a step that failed are absent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InspectionData {
    input: JsonText,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_arguments: Option<JsonText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_input_path: Option<JsonText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_parameters: Option<JsonText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<JsonText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_result_selector: Option<JsonText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_result_path: Option<JsonText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variables: Option<JsonText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<ErrorDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_items_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_item_selector: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_item_batcher: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_items_pointer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tolerated_failure_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tolerated_failure_percentage: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_concurrency: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    catch_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_backoff_interval_seconds: Option<i64>,
}

async fn test_state(asked: Asked) -> Result<Tested, ApiError> {
    let (service, mut request) = (asked.service, asked.request);
    let wanted = Wanted::read(&mut request, service.engine.world().tasks.sdk_services())?;
    let data = wanted.shows_data.then(|| wanted.input.clone());
    let test = service.test_run(wanted)?;
    let Some((outcome, seen)) = service.engine.state_tests().run(test).await else {
        return Err(ApiError::Throttled);
    };
    answer(outcome, data.map(|input| inspected(input, seen)))
}

impl Service {
    fn test_run(&self, wanted: Wanted) -> Result<TestRun, ApiError> {
        let clock = &self.engine.world().clock;
        let (machine_name, name) = (names::random_uuid(clock.seed()), names::random_uuid(clock.seed()));
        let settings = self.engine.settings();
        let execution = Execution {
            arn: self.home.tested(&machine_name, &name),
            name,
            role_arn: wanted.role.clone().unwrap_or_default(),
            machine_arn: self.home.machine(&machine_name),
            machine_name,
            region: self.home.region().to_owned(),
            started: self.now(),
            input: wanted.input.clone(),
            limits: Limits { wait_millionths: settings.wait_millionths, ..Limits::EXPRESS },
        };
        let context = match &wanted.context {
            Some(given) => given.clone(),
            None => context::usual(&execution, &wanted),
        };
        let test = StateTest {
            state: wanted.state,
            variables: wanted.variables,
            context,
            mock: wanted.mock,
            retries: wanted.retries,
            failed_iterations: wanted.failed_iterations,
            items_read: wanted.items_read,
        };
        TestRun::begin(wanted.machine, execution, test).ok_or_else(asked::no_such_state)
    }
}

fn answer(outcome: TestOutcome, inspection_data: Option<InspectionData>) -> Result<Tested, ApiError> {
    let (status, output, failure, next_state) = match outcome {
        TestOutcome::Refused(text) => return Err(ApiError::Validation(text)),
        TestOutcome::Succeeded { output, next } => ("SUCCEEDED", Some(output), None, next),
        TestOutcome::Failed(failure) => ("FAILED", None, Some(failure), None),
        TestOutcome::Retriable(failure) => ("RETRIABLE", None, Some(failure), None),
        TestOutcome::Caught { failure, output, next } => ("CAUGHT_ERROR", Some(output), Some(failure), next),
    };
    let (error, cause) = failure.map(|failure| (failure.error, failure.cause)).unwrap_or_default();
    Ok(Tested { output: output.map(JsonText), error, cause, inspection_data, next_state, status })
}

fn inspected(input: Payload, seen: Inspection) -> InspectionData {
    // Taken apart, so that the compiler asks about a field that is new.
    let Inspection {
        after_input_path,
        after_parameters,
        after_arguments,
        result,
        after_result_selector,
        after_result_path,
        after_items_path,
        after_items_pointer,
        after_item_selector,
        after_item_batcher,
        max_concurrency,
        tolerated_failure_count,
        tolerated_failure_percentage,
        variables,
        catch_index,
        retry_index,
        backoff_seconds,
    } = seen;
    let handled = catch_index.is_some() || retry_index.is_some();
    // AWS: no variables, no member (recorded).
    let some = |variables: &Payload| variables.value().as_object().is_some_and(|members| !members.is_empty());
    InspectionData {
        input: JsonText(input),
        after_arguments: after_arguments.map(JsonText),
        after_input_path: after_input_path.map(JsonText),
        after_parameters: after_parameters.map(JsonText),
        result: result.map(JsonText),
        after_result_selector: after_result_selector.map(JsonText),
        after_result_path: after_result_path.map(JsonText),
        variables: variables.filter(some).map(JsonText),
        error_details: handled.then_some(ErrorDetails {
            catch_index,
            retry_index,
            retry_backoff_interval_seconds: backoff_seconds,
        }),
        after_items_path,
        after_item_selector,
        after_item_batcher,
        after_items_pointer,
        tolerated_failure_count,
        tolerated_failure_percentage,
        max_concurrency,
    }
}
