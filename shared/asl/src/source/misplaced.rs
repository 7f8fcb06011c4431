//! `QueryLanguage` in a place that has none: in `States`, a branch, an item processor or its configuration.
//!
//! AWS says of each expression below that its field belongs to JSONata. Here the definition is read as it was meant, and
//! only the misplaced field is reported.

use expressions::json;
use serde_json::{Map, Value};

use crate::Diagnostic;
use crate::about::Subject;

const FIELD: &str = "QueryLanguage";

pub(super) const HELP: &str = "QueryLanguage belongs to the top of the state machine, or to a single state";

/// A definition as it was meant, and the locations of the objects that have the field, or of the field itself.
pub(super) struct Corrected {
    pub text: String,
    pub misplaced: Vec<String>,
}

impl Corrected {
    /// Whether a finding about the definition as it is written is about a misplaced field.
    pub fn explains(&self, finding: &Diagnostic) -> bool {
        let location = finding.location.as_deref().unwrap_or_default();
        let is_about_it =
            location.ends_with("/States/QueryLanguage") || finding.about.subject() == Subject::Misplaced(FIELD);
        is_about_it && self.misplaced.iter().any(|place| place == location)
    }
}

/// Nothing if no `QueryLanguage` is misplaced.
pub(super) fn correct(text: &str) -> Option<Corrected> {
    // Most definitions are told by it.
    if text.matches(FIELD).count() == 0 {
        return None;
    }
    let mut definition = json::parse_definition(text).ok()?;
    let mut misplaced = Vec::new();
    let language = take_from_states(&mut definition, "", &mut misplaced);
    if let (Some(language), Some(top)) = (language, definition.as_object_mut()) {
        top.entry(FIELD).or_insert(language);
    }
    each_state(&mut definition, "", &mut |state, at| within_state(state, at, &mut misplaced));
    (!misplaced.is_empty()).then(|| Corrected { text: json::to_text(&definition), misplaced })
}

/// Takes the field out of `States`, where it would be a state.
fn take_from_states(level: &mut Value, at: &str, misplaced: &mut Vec<String>) -> Option<Value> {
    let states = level.get_mut("States")?.as_object_mut()?;
    let language = states.get(FIELD).filter(|value| value.is_string())?.clone();
    states.shift_remove(FIELD);
    misplaced.push(format!("{at}/States/{FIELD}"));
    Some(language)
}

/// Nesting is bounded by the JSON reader.
fn each_state(level: &mut Value, at: &str, visit: &mut dyn FnMut(&mut Map<String, Value>, &str)) {
    let Some(states) = level.get_mut("States").and_then(Value::as_object_mut) else { return };
    for (name, state) in states {
        if let Some(state) = state.as_object_mut() {
            visit(state, &format!("{at}/States/{name}"));
        }
    }
}

fn within_state(state: &mut Map<String, Value>, at: &str, misplaced: &mut Vec<String>) {
    if let Some(branches) = state.get_mut("Branches").and_then(Value::as_array_mut) {
        for (index, branch) in branches.iter_mut().enumerate() {
            within_level(branch, &format!("{at}/Branches[{index}]"), misplaced);
        }
    }
    for field in ["ItemProcessor", "Iterator"] {
        let Some(processor) = state.get_mut(field) else { continue };
        let at = format!("{at}/{field}");
        let config = processor.get_mut("ProcessorConfig").and_then(Value::as_object_mut);
        if let Some(language) = config.and_then(|config| config.shift_remove(FIELD)) {
            misplaced.push(format!("{at}/ProcessorConfig"));
            give(processor, &language);
        }
        within_level(processor, &at, misplaced);
    }
}

fn within_level(level: &mut Value, at: &str, misplaced: &mut Vec<String>) {
    if let Some(language) = level.as_object_mut().and_then(|level| level.shift_remove(FIELD)) {
        misplaced.push(at.to_owned());
        give(level, &language);
    }
    if let Some(language) = take_from_states(level, at, misplaced) {
        give(level, &language);
    }
    each_state(level, at, &mut |state, at| within_state(state, at, misplaced));
}

/// Gives the states of a level a language, and those within them, unless they have one.
fn give(level: &mut Value, language: &Value) {
    each_state(level, "", &mut |state, _| {
        state.entry(FIELD).or_insert_with(|| language.clone());
        for branch in state.get_mut("Branches").and_then(Value::as_array_mut).into_iter().flatten() {
            give(branch, language);
        }
        for field in ["ItemProcessor", "Iterator"] {
            if let Some(processor) = state.get_mut(field) {
                give(processor, language);
            }
        }
    });
}
