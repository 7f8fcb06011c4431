//! From text to a state machine: the entry of this crate and the top level of a definition.
//!
//! A definition is read in this order, which is also the order of its diagnostics: the schema from top to bottom, names,
//! transitions, labels, variables; then what Stepwell cannot do yet; then warnings.

use std::collections::BTreeMap;
use std::sync::Arc;

use expressions::json;
use serde_json::{Map, Value};

use crate::cursor::{Between, MOST_SECONDS, Node, Object};
use crate::diagnostics::{Code, Diagnostic, Findings, Severity};
use crate::place::Place;
use crate::{MachineType, QueryLanguage, State, StateId, StateMachine};
use crate::{fields, flow, reach, variables};

/// What [`parse`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// There is a machine exactly when no diagnostic is an error.
    pub machine: Option<StateMachine>,
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a definition. Bounded in time and memory by the length of the text; nesting beyond 128 is refused.
pub fn parse(text: &str, machine_type: MachineType) -> Parsed {
    match read_document(text) {
        Ok(document) => read_machine(&document, machine_type),
        Err(diagnostic) => Parsed { machine: None, diagnostics: vec![diagnostic] },
    }
}

/// What reading a definition shares among all its states.
pub(crate) struct Reading<'v> {
    pub findings: Findings,
    pub machine_type: MachineType,
    /// The machine's language: what a state without its own `QueryLanguage` has, at any depth.
    pub language: QueryLanguage,
    ids: BTreeMap<&'v str, StateId>,
    states: Vec<Option<Arc<State>>>,
}

impl<'v> Reading<'v> {
    /// The state of that name among its siblings. Names nobody has are reported by [`reach`].
    pub fn sibling(&self, siblings: &Map<String, Value>, name: &str) -> Option<StateId> {
        siblings.contains_key(name).then(|| self.id(name)).flatten()
    }

    pub fn id(&self, name: &str) -> Option<StateId> {
        self.ids.get(name).copied()
    }

    pub fn keep(&mut self, state: State) {
        if let Some(slot) = self.states.get_mut(state.id.0 as usize) {
            *slot = Some(Arc::new(state));
        }
    }

    /// Gives a name its number, in document order; false if it has one already.
    pub fn number(&mut self, name: &'v str) -> bool {
        let next = StateId(u32::try_from(self.ids.len()).unwrap_or(u32::MAX));
        let fresh = !self.ids.contains_key(name);
        if fresh {
            self.ids.insert(name, next);
            self.states.push(None);
        }
        fresh
    }
}

fn read_document(text: &str) -> Result<Value, Diagnostic> {
    let not_an_object = || Diagnostic {
        severity: Severity::Error,
        code: Code::SchemaValidationFailed,
        message: "Definition must be a valid JSON object".to_owned(),
        location: None,
        help: None,
    };
    if text.trim().is_empty() {
        return Err(not_an_object());
    }
    match json::parse(text) {
        Ok(value) if value.is_object() => Ok(value),
        Ok(_) => Err(not_an_object()),
        Err(error) => {
            let location = jackson_location(text, error.line, error.column + unknown_word(&error.message));
            Err(Diagnostic {
                severity: Severity::Error,
                code: Code::InvalidJsonDescription,
                // AWS: Jackson's message, which says the place itself, and the place once more.
                message: format!("{}\n at {location}", error.message),
                location: Some(location),
                help: None,
            })
        }
    }
}

/// AWS: Jackson stands behind a word it does not know (`not a definition`: column 4), and at the character otherwise.
fn unknown_word(message: &str) -> usize {
    let word = message.strip_prefix("Unrecognized token '").and_then(|rest| rest.split_once("':"));
    word.map_or(0, |(word, _)| word.chars().count())
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

fn read_machine(document: &Value, machine_type: MachineType) -> Parsed {
    let mut reading = Reading {
        findings: Findings::default(),
        machine_type,
        language: machine_language(document),
        ids: BTreeMap::new(),
        states: Vec::new(),
    };
    let root = Node { value: document, at: Place::ROOT, language: reading.language };
    let repeated = flow::number_states(root, &mut reading);
    let header = root.object(&mut reading.findings).and_then(|object| read_top_level(&object, &mut reading));
    flow::check_names(&repeated, root, &mut reading.findings);
    reach::check(root, &mut reading.findings);
    flow::check_labels(root, &mut reading.findings);
    variables::check_scopes(root, &mut reading.findings);

    let Reading { findings, states, .. } = reading;
    let diagnostics = findings.finish();
    let wrong = diagnostics.iter().any(|one| one.severity == Severity::Error);
    let states: Option<Vec<Arc<State>>> = states.into_iter().collect();
    let machine = header.zip(states).filter(|_| !wrong).map(|(header, states)| StateMachine {
        evaluates_jsonata: states.iter().any(|state| state.query_language == QueryLanguage::Jsonata),
        states,
        ..header
    });
    Parsed { machine, diagnostics }
}

/// The machine without its states.
fn read_top_level<'v>(object: &Object<'v, '_>, reading: &mut Reading<'v>) -> Option<StateMachine> {
    object.require(&["States", "StartAt"], &mut reading.findings);
    fields::check(object, &[fields::MACHINE], &mut reading.findings);
    if let Some(node) = object.get("QueryLanguage") {
        node.word(&["JSONPath", "JSONata"], &mut reading.findings);
    }
    if let Some(version) = object.get("Version") {
        version.word(&["1.0"], &mut reading.findings);
    }
    let comment = object.text("Comment", &mut reading.findings).map(str::to_owned);
    // AWS: 0 is accepted here, unlike in a Task.
    let timeout_seconds = object.integer("TimeoutSeconds", Between(0, Some(MOST_SECONDS)), &mut reading.findings);
    let flow = flow::read(object, reading)?;
    let (query_language, states, evaluates_jsonata) = (reading.language, Vec::new(), false);
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
