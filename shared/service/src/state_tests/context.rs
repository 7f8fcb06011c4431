//! The context object of a test: the usual one, and the check of one that the request gives.

use asl::StateType;
use interpreter::Execution;
use serde_json::{Map, Value, json};

use super::asked::Wanted;
use crate::error::ApiError;

/// The members of the parts of a context object that a request may give, and the type of each.
const PARTS: [(&str, &[(&str, Type)]); 4] = [
    (
        "Execution",
        &[
            ("Id", Type::Text),
            ("Input", Type::Any),
            ("Name", Type::Text),
            ("RedriveCount", Type::Number),
            ("RedriveTime", Type::Text),
            ("RoleArn", Type::Text),
            ("StartTime", Type::Text),
        ],
    ),
    ("State", &[("EnteredTime", Type::Text), ("Name", Type::Text), ("RetryCount", Type::Number)]),
    ("StateMachine", &[("Id", Type::Text), ("Name", Type::Text)]),
    ("Task", &[("Token", Type::Text)]),
];

#[derive(Clone, Copy)]
enum Type {
    Text,
    Number,
    Any,
}

/// The context object where the request gives none. AWS: without a count of redrives, and `RoleArn` is null without a role.
pub(super) fn usual(execution: &Execution, wanted: &Wanted) -> Map<String, Value> {
    let entered = execution.started.to_string();
    let mut state = json!({ "Name": asl::LONE_STATE, "EnteredTime": entered });
    let tested = wanted.tested();
    let has_retries = tested.is_some_and(|state| state.kind.state_type().has_result());
    if let (true, Some(members)) = (has_retries, state.as_object_mut()) {
        members.insert("RetryCount".to_owned(), 0.into());
    }
    let mut context = Map::from_iter([
        (
            "Execution".to_owned(),
            json!({
                "Id": execution.arn,
                "Input": execution.input.value(),
                "Name": execution.name,
                "RoleArn": wanted.role,
                "StartTime": execution.started.to_string(),
            }),
        ),
        ("StateMachine".to_owned(), json!({ "Id": execution.machine_arn, "Name": execution.machine_name })),
        ("State".to_owned(), state),
    ]);
    if wanted.has_task_member() {
        // AWS: unverified what it shows; a token that no client can use.
        context.insert("Task".to_owned(), json!({ "Token": execution.name }));
    }
    if interpreter::is_within_map(&wanted.machine, wanted.state) {
        // AWS: documented.
        context.insert("Map".to_owned(), json!({ "Item": { "Index": 0, "Value": execution.input.value() } }));
    }
    context
}

/// A context object that a request gives.
pub(super) fn checked(text: &str, may_have_task: bool) -> Result<Map<String, Value>, ApiError> {
    let invalid = |problem: String| ApiError::Validation(format!("Invalid Context object provided: {problem}"));
    // AWS: unverified wording.
    let Ok(Value::Object(given)) = expressions::json::parse(text) else {
        return Err(invalid("Context object must be a valid JSON object".to_owned()));
    };
    for (name, value) in &given {
        if name == "Map" {
            return Err(invalid("'Map' field is not supported when mocking a Context object".to_owned()));
        }
        if name == "Task" && !may_have_task {
            let state = "a Task state with a '.sync' or '.waitForTaskToken' service integration pattern";
            return Err(invalid(format!("Context object contains 'Task' when state is not {state}")));
        }
        let Some((_, members)) = PARTS.iter().find(|(part, _)| part == name) else {
            return Err(invalid(format!("Field '{name}' is not allowed")));
        };
        let Value::Object(part) = value else { return Err(invalid(format!("{name} must be an object"))) };
        for (field, value) in part {
            let Some((_, kind)) = members.iter().find(|(member, _)| member == field) else {
                return Err(invalid(format!("Field '{field}' is not allowed")));
            };
            let wrong = match kind {
                Type::Text if !value.is_string() => "a string",
                Type::Number if !expressions::json::is_number(value) => "a number",
                Type::Text | Type::Number | Type::Any => continue,
            };
            return Err(invalid(format!("{name}.{field} must be {wrong}")));
        }
    }
    Ok(given)
}

impl Wanted {
    /// True for a task whose context object shows a task token.
    pub(super) fn has_task_member(&self) -> bool {
        self.tested().is_some_and(|state| state.kind.state_type() == StateType::Task) && self.outlives_its_call()
    }
}
