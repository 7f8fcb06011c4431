//! Which fields an object of a definition may have, as data, and the check against it.
//!
//! AWS: the fields of the eight state types are as measured with ValidateStateMachineDefinition in 2026.

use crate::QueryLanguage;
use crate::cursor::Object;
use crate::diagnostics::Findings;
use crate::hints::{did_you_mean, instead_of_field};

/// The eight state types, in the order in which AWS lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StateType {
    Task,
    Wait,
    Pass,
    Succeed,
    Fail,
    Choice,
    Parallel,
    Map,
}

/// A field and the language it belongs to.
pub(crate) type Field = (&'static str, In);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum In {
    Both,
    JsonPath,
    Jsonata,
}

use In::{Both, JsonPath, Jsonata};

const STATE: &[Field] = &[("Type", Both), ("Comment", Both), ("QueryLanguage", Both)];
const FLOW_OF_DATA: &[Field] = &[("InputPath", JsonPath), ("OutputPath", JsonPath), ("Output", Jsonata)];
const TRANSITION: &[Field] = &[("Assign", Both), ("Next", Both), ("End", Both)];
const ERRORS: &[Field] = &[("Retry", Both), ("Catch", Both)];
const WORK: &[Field] = &[("Parameters", JsonPath), ("ResultSelector", JsonPath), ("ResultPath", JsonPath)];

const TASK: &[Field] = &[
    ("Resource", Both),
    ("Arguments", Jsonata),
    ("Credentials", Both),
    ("TimeoutSeconds", Both),
    ("TimeoutSecondsPath", JsonPath),
    ("HeartbeatSeconds", Both),
    ("HeartbeatSecondsPath", JsonPath),
];
const PARALLEL: &[Field] = &[("Branches", Both), ("Arguments", Jsonata)];
const MAP: &[Field] = &[
    ("ItemProcessor", Both),
    ("Iterator", Both),
    ("ItemsPath", JsonPath),
    ("Items", Jsonata),
    ("ItemSelector", Both),
    ("ItemReader", Both),
    ("ItemBatcher", Both),
    ("ResultWriter", Both),
    ("MaxConcurrency", Both),
    ("MaxConcurrencyPath", JsonPath),
    ("ToleratedFailurePercentage", Both),
    ("ToleratedFailurePercentagePath", JsonPath),
    ("ToleratedFailureCount", Both),
    ("ToleratedFailureCountPath", JsonPath),
    ("Label", Both),
];
const PASS: &[Field] = &[("Result", JsonPath), ("Parameters", JsonPath), ("ResultPath", JsonPath)];
const WAIT: &[Field] =
    &[("Seconds", Both), ("Timestamp", Both), ("SecondsPath", JsonPath), ("TimestampPath", JsonPath)];
const CHOICE: &[Field] = &[("Assign", Both), ("Choices", Both), ("Default", Both)];
const FAIL: &[Field] = &[("Error", Both), ("Cause", Both), ("ErrorPath", JsonPath), ("CausePath", JsonPath)];

pub(crate) const MACHINE: &[Field] = &[
    ("Comment", Both),
    ("QueryLanguage", Both),
    ("StartAt", Both),
    ("States", Both),
    ("TimeoutSeconds", Both),
    ("Version", Both),
];
pub(crate) const BRANCH: &[Field] = &[("Comment", Both), ("StartAt", Both), ("States", Both)];
pub(crate) const PROCESSOR: &[Field] =
    &[("Comment", Both), ("StartAt", Both), ("States", Both), ("ProcessorConfig", Both)];
pub(crate) const RETRIER: &[Field] = &[
    ("Comment", Both),
    ("ErrorEquals", Both),
    ("IntervalSeconds", Both),
    ("MaxAttempts", Both),
    ("BackoffRate", Both),
    ("MaxDelaySeconds", Both),
    ("JitterStrategy", Both),
];
pub(crate) const CATCHER: &[Field] = &[
    ("Comment", Both),
    ("ErrorEquals", Both),
    ("Next", Both),
    ("Assign", Both),
    ("ResultPath", JsonPath),
    ("Output", Jsonata),
];

impl StateType {
    const ALL: [(&'static str, StateType); 8] = [
        ("Task", StateType::Task),
        ("Wait", StateType::Wait),
        ("Pass", StateType::Pass),
        ("Succeed", StateType::Succeed),
        ("Fail", StateType::Fail),
        ("Choice", StateType::Choice),
        ("Parallel", StateType::Parallel),
        ("Map", StateType::Map),
    ];

    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(name, _)| *name)
    }

    pub fn named(name: &str) -> Option<StateType> {
        Self::ALL.iter().find(|(own, _)| *own == name).map(|(_, found)| *found)
    }

    /// The tables that together say what a state of this type may have.
    pub fn fields(self) -> &'static [&'static [Field]] {
        match self {
            StateType::Task => &[STATE, FLOW_OF_DATA, TRANSITION, ERRORS, WORK, TASK],
            StateType::Wait => &[STATE, FLOW_OF_DATA, TRANSITION, WAIT],
            StateType::Pass => &[STATE, FLOW_OF_DATA, TRANSITION, PASS],
            StateType::Succeed => &[STATE, FLOW_OF_DATA],
            StateType::Fail => &[STATE, FAIL],
            StateType::Choice => &[STATE, FLOW_OF_DATA, CHOICE],
            StateType::Parallel => &[STATE, FLOW_OF_DATA, TRANSITION, ERRORS, WORK, PARALLEL],
            StateType::Map => &[STATE, FLOW_OF_DATA, TRANSITION, ERRORS, WORK, MAP],
        }
    }

    /// Whether such a state has `Next` or `End`.
    pub fn moves_on(self) -> bool {
        match self {
            StateType::Task | StateType::Wait | StateType::Pass | StateType::Parallel | StateType::Map => true,
            StateType::Succeed | StateType::Fail | StateType::Choice => false,
        }
    }

    /// Whether such a state has work whose result `$states.result` is.
    pub fn has_result(self) -> bool {
        self.handles_errors()
    }

    /// Whether such a state has `Retry` and `Catch`.
    pub fn handles_errors(self) -> bool {
        match self {
            StateType::Task | StateType::Parallel | StateType::Map => true,
            StateType::Wait | StateType::Pass | StateType::Succeed | StateType::Fail | StateType::Choice => false,
        }
    }
}

/// Reports fields of the other language, then fields that do not exist here.
pub(crate) fn check(object: &Object<'_, '_>, tables: &[&[Field]], findings: &mut Findings) {
    check_languages(object, tables, findings);
    check_names(object, tables, findings);
}

pub(crate) fn check_languages(object: &Object<'_, '_>, tables: &[&[Field]], findings: &mut Findings) {
    let (own, other, foreign) = match object.language {
        QueryLanguage::JsonPath => ("JSONPath", "JSONata", Jsonata),
        QueryLanguage::Jsonata => ("JSONata", "JSONPath", JsonPath),
    };
    for name in object.map.keys() {
        if language_of(name, tables) == Some(foreign) {
            // AWS: located at the object, not at the field.
            let message = format!(
                "The QueryLanguage is set to '{own}', but field '{name}' is only supported for the '{other}' QueryLanguage"
            );
            let help = instead_of_field(name, object.language, tables);
            findings.schema_with_help(object.at, message, help);
        }
    }
}

pub(crate) fn check_names(object: &Object<'_, '_>, tables: &[&[Field]], findings: &mut Findings) {
    for name in object.map.keys() {
        if language_of(name, tables).is_none() {
            let known = tables.iter().flat_map(|table| table.iter()).map(|(known, _)| *known);
            let help = did_you_mean(name, known, findings);
            // AWS: located at the object, not at the field.
            findings.schema_with_help(object.at, format!("Field '{name}' is not supported"), help);
        }
    }
}

pub(crate) fn language_of(name: &str, tables: &[&[Field]]) -> Option<In> {
    tables.iter().flat_map(|table| table.iter()).find(|(known, _)| *known == name).map(|(_, language)| *language)
}
