//! The tests of this crate, one binary: targets over the wire.
//!
//! The modules say `cfg(test)` so that the lints know them as tests.

#[cfg(test)]
mod http_task;
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
