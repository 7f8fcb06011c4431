//! An execution that only has to be one: what tests, benchmarks and fuzzing begin where nothing depends on its names.

use interpreter::{Execution, Limits, Payload, Timestamp};

/// The execution `e` of the machine `m`, begun at the beginning of time.
pub fn any(input: Payload, limits: Limits) -> Execution {
    Execution {
        arn: "arn:aws:states:us-east-1:123456789012:execution:m:e".into(),
        name: "e".into(),
        role_arn: "arn:aws:iam::123456789012:role/r".into(),
        machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".into(),
        machine_name: "m".into(),
        region: "us-east-1".into(),
        started: Timestamp(0),
        input,
        limits,
    }
}
