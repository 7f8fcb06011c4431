//! The types of which the requests of the actions are made, as the service model has them.
//!
//! A request's own list of members stands in its action's row. Absent: members that Stepwell ignores.

use interpreter::Limits;

use super::{List, Measure, Member, Pattern, Shape, Text};

const PLAIN: Text = Text {
    least: 0,
    most: usize::MAX,
    measure: Measure::Characters,
    one_of: &[],
    pattern: Pattern::Anything,
    secret: false,
};

pub(crate) const fn text(least: usize, most: usize) -> Shape {
    Shape::Text(Text { least, most, ..PLAIN })
}

pub(crate) const fn secret(least: usize, most: usize) -> Shape {
    Shape::Text(Text { least, most, secret: true, ..PLAIN })
}

pub(crate) const fn one_of(values: &'static [&'static str]) -> Shape {
    Shape::Text(Text { one_of: values, ..PLAIN })
}

/// A list of any length.
pub(crate) const fn list(of: &'static Shape) -> Shape {
    Shape::List(List { least: 0, most: usize::MAX, of, name: "" })
}

pub(crate) const fn required(name: &'static str, shape: Shape) -> Member {
    Member { name, required: true, shape }
}

pub(crate) const fn optional(name: &'static str, shape: Shape) -> Member {
    Member { name, required: false, shape }
}

pub(crate) const ARN: Shape = text(1, 256);
pub(crate) const LONG_ARN: Shape = text(1, 2000);
pub(crate) const NAME: Shape = text(1, 80);
pub(crate) const ALIAS_NAME: Shape = Shape::Text(Text { least: 1, most: 80, pattern: Pattern::AliasName, ..PLAIN });
/// Of a version, or an alias.
pub(crate) const DESCRIPTION: Shape = secret(0, 256);
pub(crate) const DEFINITION: Shape = secret(1, 1_048_576);
pub(crate) const PAYLOAD: Shape =
    Shape::Text(Text { most: Limits::STANDARD.payload_bytes, measure: Measure::Bytes, secret: true, ..PLAIN });
pub(crate) const ERROR: Shape = secret(0, 256);
pub(crate) const CAUSE: Shape = secret(0, 32_768);
pub(crate) const TASK_TOKEN: Shape = text(1, 2048);
pub(crate) const CLIENT_TOKEN: Shape = Shape::Text(Text { least: 1, most: 64, pattern: Pattern::Visible, ..PLAIN });
pub(crate) const TRACE_HEADER: Shape = Shape::Text(Text { most: 256, pattern: Pattern::Ascii, ..PLAIN });
pub(crate) const PAGE_SIZE: Shape = Shape::Integer { least: 0, most: 1000 };
pub(crate) const PAGE_TOKEN: Shape = text(1, 1024);
// AWS: the order of enumerations in texts is known for the status only; the others are unverified.
pub(crate) const STATUS: Shape = one_of(&["SUCCEEDED", "TIMED_OUT", "PENDING_REDRIVE", "ABORTED", "FAILED", "RUNNING"]);
pub(crate) const TYPE: Shape = one_of(&["STANDARD", "EXPRESS"]);
pub(crate) const INCLUDED_DATA: Shape = one_of(&["ALL_DATA", "METADATA_ONLY"]);

const LOG_DESTINATION: Shape =
    Shape::Structure(&[optional("cloudWatchLogsLogGroup", Shape::Structure(&[optional("logGroupArn", ARN)]))]);
pub(crate) const LOGGING: Shape = Shape::Structure(&[
    optional("level", one_of(&["ALL", "ERROR", "FATAL", "OFF"])),
    optional("includeExecutionData", Shape::Flag),
    optional("destinations", list(&LOG_DESTINATION)),
]);
pub(crate) const TRACING: Shape = Shape::Structure(&[optional("enabled", Shape::Flag)]);
pub(crate) const ENCRYPTION: Shape = Shape::Structure(&[
    optional("kmsKeyId", text(1, 2048)),
    optional("kmsDataKeyReusePeriodSeconds", Shape::Integer { least: 60, most: 900 }),
    required("type", one_of(&["AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY"])),
]);
pub(crate) const TAG_KEY: Shape = text(1, 128);
pub(crate) const TAG: Shape = Shape::Structure(&[optional("key", TAG_KEY), optional("value", text(0, 256))]);
pub(crate) const TAGS: Shape = list(&TAG);
