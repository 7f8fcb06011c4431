//! The tests of this crate, one binary: targets over the wire.
//!
//! The modules say `cfg(test)` so that the lints know them as tests.

#[cfg(test)]
mod http_task;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod lambda_target;
#[cfg(test)]
mod sdk_calls;
#[cfg(test)]
mod services;
#[cfg(test)]
mod wire;

/// Any attempt of a task.
#[cfg(test)]
fn attempt() -> engine::tokens::TaskToken {
    serde_json::from_str(r#"{"e":"arn:aws:states:eu-west-1:123456789012:execution:m:e","p":[],"t":1}"#).unwrap()
}

/// The role of the state machine whose tasks these are.
#[cfg(test)]
fn machine_role() -> engine::ports::TaskRole {
    let arn = "arn:aws:iam::123456789012:role/machine".to_owned();
    let machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:m".to_owned();
    engine::ports::TaskRole { machine_role: arn.clone(), arn, machine }
}
