//! Shared by the readers of all state types: the context of the whole definition, the state at hand, and the fields that
//! several types have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::about::About;
use crate::cursor::{Between, Object, Roots};
use crate::diagnostics::Findings;
use crate::{
    AnyService, DataFlow, Kind, MachineType, QueryLanguage, SdkServices, State, StateId, Transition, ValueSource,
};

/// Shared among all states of a definition.
pub(crate) struct ParseContext<'v> {
    pub findings: Findings,
    pub machine_type: MachineType,
    /// The machine's language: a state without its own `QueryLanguage` has it, at any depth.
    pub language: QueryLanguage,
    pub purpose: Purpose,
    /// The services that calls through the SDK are checked against.
    pub sdk: &'static dyn SdkServices,
    ids: BTreeMap<&'v str, StateId>,
    states: Vec<Option<Arc<State>>>,
    /// Names that a single state hands on to, which no state of the definition has.
    targets: BTreeSet<&'v str>,
}

/// The use of a definition that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It is to be accepted: any error refuses it.
    Creation,
    /// It is to be run, and was accepted once, perhaps by an earlier version: a state with a part that cannot be read fails when it is run.
    Execution,
    /// One of its states is to be tested: any error refuses it.
    Test,
}

/// A state that is being read: its fields and the states it may hand on to.
#[derive(Clone, Copy)]
pub(crate) struct StateNode<'v, 'p> {
    pub object: Object<'v, 'p>,
    pub siblings: &'v Map<String, Value>,
}

impl<'v> ParseContext<'v> {
    pub fn new(machine_type: MachineType, language: QueryLanguage, purpose: Purpose) -> ParseContext<'v> {
        let findings = Findings::default();
        ParseContext {
            findings,
            machine_type,
            language,
            purpose,
            sdk: &AnyService,
            ids: BTreeMap::new(),
            states: Vec::new(),
            targets: BTreeSet::new(),
        }
    }

    /// In the place of a part with an error, in a state that fails before it would use the part.
    pub fn or_stand_in<T>(&self, part: Option<T>, stand_in: impl FnOnce() -> T) -> Option<T> {
        match self.purpose {
            Purpose::Creation | Purpose::Test => part,
            Purpose::Execution => Some(part.unwrap_or_else(stand_in)),
        }
    }

    /// The state of that name among its siblings. A name that no state has is reported by [`crate::reach`].
    pub fn sibling(&self, siblings: &Map<String, Value>, name: &str) -> Option<StateId> {
        (siblings.contains_key(name) || self.targets.contains(name)).then(|| self.id(name)).flatten()
    }

    /// Gives the target of a single state's transition a number, and a state that does nothing behind it.
    pub fn name_target(&mut self, name: &'v str) {
        self.targets.insert(name);
        let id = StateId(u32::try_from(self.ids.len()).unwrap_or(u32::MAX));
        if self.number(name) {
            self.keep(State {
                id,
                name: Arc::from(name),
                comment: None,
                query_language: QueryLanguage::JsonPath,
                unusable: None,
                data: DataFlow::default(),
                retry: Vec::new(),
                catch: Vec::new(),
                kind: Kind::Succeed,
            });
        }
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

    /// All states, if each could be read.
    pub fn take_states(&mut self) -> Option<Vec<Arc<State>>> {
        std::mem::take(&mut self.states).into_iter().collect()
    }
}

/// `Next` or `End`, exactly one of which has to be there.
pub(crate) fn transition(state: &StateNode<'_, '_>, context: &mut ParseContext<'_>) -> Option<Transition> {
    let object = &state.object;
    let next = object.get("Next");
    let end = match object.get("End") {
        None => false,
        Some(node) => match node.value {
            Value::Bool(end) => *end,
            _ => return node.wrong_type("[BOOLEAN]", &mut context.findings),
        },
    };
    match (next, end) {
        (Some(_), true) => {
            object.at_most_one(&["Next", "End"], &mut context.findings);
            None
        }
        (Some(next), false) => {
            let target = next.text(&mut context.findings)?;
            context.sibling(state.siblings, target).map(Transition::Next)
        }
        (None, true) => Some(Transition::End),
        (None, false) => {
            let about = About::ExactlyOne(vec!["Next".to_owned(), "End".to_owned()]);
            let help = "name the next state, or say \"End\": true".to_owned();
            context.findings.schema_with_help(object.at, about, Some(help));
            None
        }
    }
}

/// A number of a Map or where it comes from. AWS: such a path cannot start from the context object.
pub(crate) fn limit(
    object: &Object<'_, '_>,
    literal: &str,
    path: &str,
    most: Option<u64>,
    findings: &mut Findings,
) -> Option<ValueSource<u64>> {
    object.at_most_one(&[literal, path], findings);
    object.integer_source(literal, (path, Roots::NotContext), Between(0, most), findings)
}

// AWS: a state without a language has the machine's, not that of the Map or Parallel around it; a language that is not
// exactly `JSONPath` is JSONata, even where the value is reported as wrong.
pub(crate) fn effective_language(state: &Map<String, Value>, machine: QueryLanguage) -> QueryLanguage {
    match state.get("QueryLanguage") {
        None => machine,
        Some(Value::String(text)) if text == "JSONPath" => QueryLanguage::JsonPath,
        Some(_) => QueryLanguage::Jsonata,
    }
}
