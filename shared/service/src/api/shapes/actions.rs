//! The requests of the actions, as the service model has them: a table, member by member.
//!
//! Absent: what an action makes of its members, and members that Stepwell ignores.

use super::{Measure, Member, Shape, Text};

const PLAIN: Text =
    Text { least: 0, most: usize::MAX, measure: Measure::Characters, one_of: &[], ascii: false, secret: false };

const fn text(least: usize, most: usize) -> Shape {
    Shape::Text(Text { least, most, ..PLAIN })
}

const fn secret(least: usize, most: usize) -> Shape {
    Shape::Text(Text { least, most, secret: true, ..PLAIN })
}

const fn one_of(values: &'static [&'static str]) -> Shape {
    Shape::Text(Text { one_of: values, ..PLAIN })
}

const fn required(name: &'static str, shape: Shape) -> Member {
    Member { name, required: true, shape }
}

const fn optional(name: &'static str, shape: Shape) -> Member {
    Member { name, required: false, shape }
}

const ARN: Shape = text(1, 256);
const NAME: Shape = text(1, 80);
const DEFINITION: Shape = secret(1, 1_048_576);
const PAYLOAD: Shape = Shape::Text(Text { most: 262_144, measure: Measure::Bytes, secret: true, ..PLAIN });
const ERROR: Shape = secret(0, 256);
const CAUSE: Shape = secret(0, 32_768);
const TASK_TOKEN: Shape = text(1, 2048);
const TRACE_HEADER: Shape = Shape::Text(Text { most: 256, ascii: true, ..PLAIN });
const PAGE_SIZE: Shape = Shape::Integer { least: 0, most: 1000 };
const PAGE_TOKEN: Shape = text(1, 1024);
// AWS: the order of enumerations in texts is known for the status only; the others are unverified.
const STATUS: Shape = one_of(&["SUCCEEDED", "TIMED_OUT", "PENDING_REDRIVE", "ABORTED", "FAILED", "RUNNING"]);
const TYPE: Shape = one_of(&["STANDARD", "EXPRESS"]);
const INCLUDED_DATA: Shape = one_of(&["ALL_DATA", "METADATA_ONLY"]);

const LOG_DESTINATION: Shape =
    Shape::Structure(&[optional("cloudWatchLogsLogGroup", Shape::Structure(&[optional("logGroupArn", ARN)]))]);
const LOGGING: Shape = Shape::Structure(&[
    optional("level", one_of(&["ALL", "ERROR", "FATAL", "OFF"])),
    optional("includeExecutionData", Shape::Flag),
    optional("destinations", Shape::List(&LOG_DESTINATION)),
]);
const TRACING: Shape = Shape::Structure(&[optional("enabled", Shape::Flag)]);
const ENCRYPTION: Shape = Shape::Structure(&[
    optional("kmsKeyId", text(1, 2048)),
    optional("kmsDataKeyReusePeriodSeconds", Shape::Integer { least: 60, most: 900 }),
    required("type", one_of(&["AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY"])),
]);
const TAG_KEY: Shape = text(1, 128);
const TAG: Shape = Shape::Structure(&[optional("key", TAG_KEY), optional("value", text(0, 256))]);
const TAGS: Shape = Shape::List(&TAG);

pub const CREATE_STATE_MACHINE: &[Member] = &[
    required("name", NAME),
    required("definition", DEFINITION),
    required("roleArn", ARN),
    optional("type", TYPE),
    optional("loggingConfiguration", LOGGING),
    optional("tags", TAGS),
    optional("tracingConfiguration", TRACING),
    optional("publish", Shape::Flag),
    optional("versionDescription", secret(0, 256)),
    optional("encryptionConfiguration", ENCRYPTION),
];

pub const UPDATE_STATE_MACHINE: &[Member] = &[
    required("stateMachineArn", ARN),
    optional("definition", DEFINITION),
    optional("roleArn", ARN),
    optional("loggingConfiguration", LOGGING),
    optional("tracingConfiguration", TRACING),
    optional("publish", Shape::Flag),
    optional("versionDescription", secret(0, 256)),
    optional("encryptionConfiguration", ENCRYPTION),
];

pub const DELETE_STATE_MACHINE: &[Member] = &[required("stateMachineArn", ARN)];

pub const DESCRIBE_STATE_MACHINE: &[Member] =
    &[required("stateMachineArn", ARN), optional("includedData", INCLUDED_DATA)];

pub const LIST_STATE_MACHINES: &[Member] = &[optional("maxResults", PAGE_SIZE), optional("nextToken", PAGE_TOKEN)];

pub const DESCRIBE_STATE_MACHINE_FOR_EXECUTION: &[Member] =
    &[required("executionArn", ARN), optional("includedData", INCLUDED_DATA)];

pub const START_EXECUTION: &[Member] = &[
    required("stateMachineArn", ARN),
    optional("name", NAME),
    optional("input", PAYLOAD),
    optional("traceHeader", TRACE_HEADER),
];

pub const START_SYNC_EXECUTION: &[Member] = &[
    required("stateMachineArn", ARN),
    optional("name", NAME),
    optional("input", PAYLOAD),
    optional("traceHeader", TRACE_HEADER),
    optional("includedData", INCLUDED_DATA),
];

pub const STOP_EXECUTION: &[Member] =
    &[required("executionArn", ARN), optional("error", ERROR), optional("cause", CAUSE)];

pub const DESCRIBE_EXECUTION: &[Member] = &[required("executionArn", ARN), optional("includedData", INCLUDED_DATA)];

pub const LIST_EXECUTIONS: &[Member] = &[
    optional("stateMachineArn", ARN),
    optional("statusFilter", STATUS),
    optional("maxResults", PAGE_SIZE),
    optional("nextToken", text(1, 3096)),
    optional("mapRunArn", text(1, 2000)),
    optional("redriveFilter", one_of(&["REDRIVEN", "NOT_REDRIVEN"])),
];

pub const GET_EXECUTION_HISTORY: &[Member] = &[
    required("executionArn", ARN),
    optional("maxResults", PAGE_SIZE),
    optional("reverseOrder", Shape::Flag),
    optional("nextToken", PAGE_TOKEN),
    optional("includeExecutionData", Shape::Flag),
];

pub const SEND_TASK_SUCCESS: &[Member] = &[required("taskToken", TASK_TOKEN), required("output", PAYLOAD)];

pub const SEND_TASK_FAILURE: &[Member] =
    &[required("taskToken", TASK_TOKEN), optional("error", ERROR), optional("cause", CAUSE)];

pub const SEND_TASK_HEARTBEAT: &[Member] = &[required("taskToken", TASK_TOKEN)];

pub const TAG_RESOURCE: &[Member] = &[required("resourceArn", ARN), required("tags", TAGS)];

pub const UNTAG_RESOURCE: &[Member] = &[required("resourceArn", ARN), required("tagKeys", Shape::List(&TAG_KEY))];

pub const LIST_TAGS_FOR_RESOURCE: &[Member] = &[required("resourceArn", ARN)];

pub const VALIDATE_STATE_MACHINE_DEFINITION: &[Member] = &[
    required("definition", DEFINITION),
    optional("type", TYPE),
    optional("severity", one_of(&["ERROR", "WARNING"])),
    optional("maxResults", Shape::Integer { least: 0, most: 100 }),
];
