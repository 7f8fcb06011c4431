//! The context object: what `$$` shows (features: Execution, StateMachine, State, Task, Map).

use asl::State;
use serde_json::{Map, Value, json};

use crate::evaluation::{EvaluationInputs, Item};
use crate::run::type_of;
use crate::{Execution, Frame, Payload, Redriven};

pub(crate) fn context_object(
    (execution, redriven): (&Execution, Option<Redriven>),
    state: &State,
    frame: &Frame<Payload>,
    inputs: EvaluationInputs<'_>,
) -> Value {
    let mut object = json!({
        "Execution": {
            "Id": execution.arn,
            "Input": execution.input.another().value(),
            "StartTime": execution.started.to_string(),
            "Name": execution.name,
            "RoleArn": execution.role_arn,
            "RedriveCount": redriven.map_or(0, |redriven| redriven.count),
        },
        "StateMachine": { "Id": execution.machine_arn, "Name": execution.machine_name },
        "State": { "Name": &*state.name, "EnteredTime": frame.entered_at.to_string() },
    });
    let Value::Object(members) = &mut object else { return object };
    // AWS: absent before the first.
    if let (Some(redriven), Some(Value::Object(shown))) = (redriven, members.get_mut("Execution")) {
        shown.insert("RedriveTime".into(), json!(redriven.at.to_string()));
    }
    // AWS: Pass shows no RetryCount, Task shows 0. Parallel and Map: unverified.
    if let (true, Some(Value::Object(shown))) = (type_of(state).has_result(), members.get_mut("State")) {
        shown.insert("RetryCount".into(), json!(frame.retries.iter().sum::<u64>()));
    }
    if let Some(token) = inputs.token {
        members.insert("Task".into(), json!({ "Token": token }));
    }
    if let Some(item) = inputs.item {
        members.insert("Map".into(), map_member(item));
    }
    object
}

/// The member `Map`, while a Map shapes the input of an iteration.
pub(crate) fn map_member(item: Item<'_>) -> Value {
    let Item { index, value, key, source } = item;
    let mut shown = Map::from_iter([("Index".into(), index.into()), ("Value".into(), value.clone())]);
    shown.extend(key.map(|key| ("Key".to_owned(), key.into())));
    shown.extend(source.map(|source| ("Source".to_owned(), source.into())));
    Value::Object(Map::from_iter([("Item".to_owned(), Value::Object(shown))]))
}
