//! From text to a state machine: the entry of this crate and the top level of a definition.
//!
//! A definition is read in this order, which is also the order of its diagnostics: the schema from top to bottom, names,
//! transitions, labels, variables; then what Stepwell cannot do yet; then warnings.

use std::sync::Arc;

use expressions::json;
use serde_json::{Map, Value};

use crate::about::About;
use crate::cursor::{Between, MOST_SECONDS, Node, Object};
use crate::diagnostics::{Code, Diagnostic, Severity};
use crate::fields::{Field, In};
use crate::place::Place;
use crate::reading::{ParseContext, Purpose};
use crate::{AnyService, MachineType, QueryLanguage, SdkServices, State, StateMachine};
use crate::{defined, fields, flow, reach, variables};

const FIELDS: &[Field] = &[
    ("Comment", In::Both),
    ("QueryLanguage", In::Both),
    ("StartAt", In::Both),
    ("States", In::Both),
    ("TimeoutSeconds", In::Both),
    ("Version", In::Both),
];

/// What [`parse`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// There is a machine exactly when no diagnostic is an error.
    pub machine: Option<StateMachine>,
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a definition to create a machine. Bounded in time and memory by the length of the text; nesting beyond 128 is refused.
/// Calls through the SDK are taken for what they say.
pub fn parse(text: &str, machine_type: MachineType) -> Parsed {
    parse_with(text, machine_type, &AnyService)
}

/// As [`parse`], with calls through the SDK held against its services.
pub fn parse_with(text: &str, machine_type: MachineType, sdk: &'static dyn SdkServices) -> Parsed {
    match read_document(text) {
        Ok(document) => read_machine(&document, machine_type, sdk),
        Err(diagnostic) => Parsed { machine: None, diagnostics: vec![*diagnostic] },
    }
}

/// As [`parse_with`], for a test of one of the machine's states: distributed Maps are read, too.
pub fn parse_for_test(text: &str, sdk: &'static dyn SdkServices) -> Parsed {
    match read_document(text) {
        Ok(document) => read_machine_for(&document, MachineType::Standard, sdk, Purpose::Test),
        Err(diagnostic) => Parsed { machine: None, diagnostics: vec![*diagnostic] },
    }
}

/// Reads the definition of a single state for a test of it: a machine that starts with this state, called [`LONE_STATE`].
/// The states that it hands on to are not there; each gets a number and its name.
pub fn parse_state(text: &str, sdk: &'static dyn SdkServices) -> Parsed {
    match read_document(text) {
        Ok(state) => read_lone_state(state, sdk),
        Err(diagnostic) => Parsed { machine: None, diagnostics: vec![*diagnostic] },
    }
}

/// The name of a state that is tested on its own, and of every tested state in its texts.
// AWS: observed in the texts, places and context object of TestState.
pub const LONE_STATE: &str = "StateName";

/// Reads a definition that was accepted once, perhaps by an earlier version that refused less. Only its structure has to be
/// right: a state with a part that cannot be read is [`State::unusable`](crate::State::unusable). Rules that only refuse, such
/// as those for Express machines and for the names of fields and arguments, change nothing.
///
/// # Errors
///
/// The error of the structure, in words: no version has accepted it.
pub fn load(text: &str) -> Result<StateMachine, String> {
    let document = read_document(text).map_err(|error| error.message())?;
    let context = &mut ParseContext::new(MachineType::Standard, machine_language(&document), Purpose::Execution);
    let root = Node { value: &document, at: Place::ROOT, language: context.language };
    flow::number_states(root, context);
    let header = root.object(&mut context.findings).and_then(|object| read_top_level(&object, context));
    let states = context.take_states();
    header
        .zip(states)
        .map(|(header, states)| with_states(header, states))
        .ok_or_else(|| context.findings.first_loss().unwrap_or("a state cannot be read").to_owned())
}

fn read_document(text: &str) -> Result<Value, Box<Diagnostic>> {
    let not_an_object = || {
        Box::new(Diagnostic {
            severity: Severity::Error,
            code: Code::SchemaValidationFailed,
            about: About::from("Definition must be a valid JSON object"),
            location: None,
            help: None,
        })
    };
    if text.trim().is_empty() {
        return Err(not_an_object());
    }
    match json::parse_definition(text) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err(not_an_object()),
        Err(error) => {
            let location = jackson_location(text, error.line, error.column + unknown_word(&error.message));
            let message = with_source(text, &error.message);
            let message = format!("{message}\n at {location}");
            Err(Box::new(Diagnostic {
                severity: Severity::Error,
                code: Code::InvalidJsonDescription,
                // AWS: Jackson's message, which says the place itself, and the place once more.
                about: About::Syntax { problem: error.message, message },
                location: Some(location),
                help: None,
            }))
        }
    }
}

/// AWS: Jackson stands behind a word it does not know (`not a definition`: column 4), and at the character otherwise.
fn unknown_word(message: &str) -> usize {
    let word = message.strip_prefix("Unrecognized token '").and_then(|rest| rest.split_once("':"));
    word.map_or(0, |(word, _)| word.chars().count())
}

/// AWS: the place of an opening brace is told like that of the error (observed for `{`).
fn with_source(text: &str, message: &str) -> String {
    const MARKER: &str = " (start marker at ";
    let marker = message.rsplit_once(MARKER).and_then(|(rest, place)| {
        let (line, column) = place.strip_prefix("line: ")?.strip_suffix(')')?.split_once(", column: ")?;
        Some((rest, line.parse().ok()?, column.parse().ok()?))
    });
    match marker {
        Some((rest, line, column)) => format!("{rest}{MARKER}{})", jackson_location(text, line, column)),
        None => message.to_owned(),
    }
}

/// `[Source: (String)"…"; line: 1, column: 4]`: Jackson shows at most 500 characters of the text.
fn jackson_location(text: &str, line: usize, column: usize) -> String {
    let length = text.chars().count();
    let shown: String = text.chars().take(MOST_SHOWN).collect();
    let rest = match length.saturating_sub(MOST_SHOWN) {
        0 => String::new(),
        hidden => format!("[truncated {hidden} chars]"),
    };
    format!("[Source: (String)\"{shown}\"{rest}; line: {line}, column: {column}]")
}

const MOST_SHOWN: usize = 500;

fn read_machine(document: &Value, machine_type: MachineType, sdk: &'static dyn SdkServices) -> Parsed {
    read_machine_for(document, machine_type, sdk, Purpose::Creation)
}

fn read_machine_for(
    document: &Value,
    machine_type: MachineType,
    sdk: &'static dyn SdkServices,
    purpose: Purpose,
) -> Parsed {
    let mut context = ParseContext::new(machine_type, machine_language(document), purpose);
    context.sdk = sdk;
    let root = Node { value: document, at: Place::ROOT, language: context.language };
    let repeated = flow::number_states(root, &mut context);
    let header = root.object(&mut context.findings).and_then(|object| read_top_level(&object, &mut context));
    flow::check_names(&repeated, root, &mut context.findings);
    reach::check(root, &mut context.findings);
    flow::check_labels(root, &mut context.findings);
    variables::check_scopes(root, &mut context.findings);

    if !context.findings.has_errors() {
        defined::check(root, &mut context);
    }
    parsed(header, context)
}

fn read_lone_state(state: Value, sdk: &'static dyn SdkServices) -> Parsed {
    let states = Map::from_iter([(LONE_STATE.to_owned(), state)]);
    let document = Map::from_iter([("StartAt".to_owned(), LONE_STATE.into()), ("States".to_owned(), states.into())]);
    let document = Value::Object(document);
    let mut context = ParseContext::new(MachineType::Standard, QueryLanguage::JsonPath, Purpose::Test);
    context.sdk = sdk;
    let root = Node { value: &document, at: Place::ROOT, language: context.language };
    let repeated = flow::number_states(root, &mut context);
    for target in reach::targets(root) {
        context.name_target(target);
    }
    let header = root.object(&mut context.findings).and_then(|object| read_top_level(&object, &mut context));
    flow::check_names(&repeated, root, &mut context.findings);
    reach::check_inside(root, &mut context.findings);
    flow::check_labels(root, &mut context.findings);
    variables::check_scopes(root, &mut context.findings);
    parsed(header, context)
}

fn parsed(header: Option<StateMachine>, mut context: ParseContext<'_>) -> Parsed {
    let states = context.take_states();
    let diagnostics = context.findings.finish();
    let wrong = diagnostics.iter().any(|one| one.severity == Severity::Error);
    let machine = header.zip(states).filter(|_| !wrong).map(|(header, states)| with_states(header, states));
    Parsed { machine, diagnostics }
}

fn with_states(header: StateMachine, states: Vec<Arc<State>>) -> StateMachine {
    let evaluates_jsonata = states.iter().any(|state| state.query_language == QueryLanguage::Jsonata);
    StateMachine { states, evaluates_jsonata, ..header }
}

/// The machine without its states.
fn read_top_level<'v>(object: &Object<'v, '_>, context: &mut ParseContext<'v>) -> Option<StateMachine> {
    object.require(&["States", "StartAt"], &mut context.findings);
    fields::check(object, &[FIELDS], &mut context.findings);
    if let Some(node) = object.get("QueryLanguage") {
        node.word(&["JSONPath", "JSONata"], &mut context.findings);
    }
    if let Some(version) = object.get("Version") {
        version.word(&["1.0"], &mut context.findings);
    }
    let comment = object.text("Comment", &mut context.findings).map(str::to_owned);
    // AWS: 0 is accepted here, unlike in a Task.
    let timeout_seconds = object.integer("TimeoutSeconds", Between(0, Some(MOST_SECONDS)), &mut context.findings);
    let flow = flow::read(object, context)?;
    let (query_language, states, evaluates_jsonata) = (context.language, Vec::new(), false);
    Some(StateMachine { comment, query_language, timeout_seconds, flow, states, evaluates_jsonata })
}

// AWS: only the exact text is JSONPath; `jsonpath`, `foo` and 5 make the machine a JSONata one, and are reported.
fn machine_language(document: &Value) -> QueryLanguage {
    match document.get("QueryLanguage") {
        None => QueryLanguage::JsonPath,
        Some(Value::String(text)) if text == "JSONPath" => QueryLanguage::JsonPath,
        Some(_) => QueryLanguage::Jsonata,
    }
}
