//! Variables that a state may read before any state has assigned them.
//!
//! A variable is surely defined in a state if every way there assigns it: by a state before it, by the rule or the Catcher
//! that leads there, or around the level. All others are warned of; AWS accepts them, and the execution fails where one is
//! read. AWS: the code and the text are observed; that every way counts is inferred from the word "possibly".

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::cursor::Node;
use crate::diagnostics::{Code, Read};
use crate::levels::{each_level_within, states_of, type_of};
use crate::reading::{ParseContext, effective_language};
use crate::variables::name_of;
use crate::{QueryLanguage, StateId, StateType};

/// More variables than this are not looked at: AWS answers 100 diagnostics.
const MOST_NAMES: usize = 256;

/// Warns of the variables that the states of a definition read and that may be undefined there.
pub(crate) fn check(root: Node<'_, '_>, context: &mut ParseContext<'_>) {
    let reads = context.findings.take_reads();
    let names: BTreeSet<&str> = reads.iter().map(|read| read.variable.as_str()).collect();
    let names: Vec<&str> = names.into_iter().take(MOST_NAMES).collect();
    let mut undefined = BTreeSet::new();
    // A set of variables is one number: as many variables at a time as it has bits.
    for names in names.chunks(u64::BITS as usize) {
        let bits = names.iter().enumerate().map(|(place, name)| (*name, 1 << place)).collect();
        let mut defined = Defined { bits, context, before: BTreeMap::new() };
        defined.level(root, 0);
        undefined.extend(reads.iter().enumerate().filter(|(_, read)| defined.lacks(read)).map(|(index, _)| index));
    }
    let mut told = BTreeSet::new();
    for Read { location, variable, .. } in undefined.into_iter().filter_map(|index| reads.get(index)) {
        if told.insert((location, variable)) {
            let message = format!("Variable '{variable}' is possibly not defined.");
            context.findings.warning_at(Code::PossiblyUndefinedVariable, location.clone(), message);
        }
    }
}

struct Defined<'d, 'v> {
    /// The variables that are looked at, each with its bit.
    bits: BTreeMap<&'d str, u64>,
    context: &'d ParseContext<'v>,
    /// The variables that are surely defined where a state begins.
    before: BTreeMap<StateId, u64>,
}

impl Defined<'_, '_> {
    fn lacks(&self, read: &Read) -> bool {
        let bit = self.bits.get(read.variable.as_str());
        let before = read.state.and_then(|state| self.before.get(&state));
        bit.zip(before).is_some_and(|(bit, before)| before & bit == 0)
    }

    /// `around` are those that are defined where the level begins. Nesting is bounded by the JSON reader.
    fn level(&mut self, level: Node<'_, '_>, around: u64) {
        let (Some(states), Some(start)) = (states_of(level.value), level.value.get("StartAt").and_then(Value::as_str))
        else {
            return;
        };
        let mut before = BTreeMap::from([(start, around)]);
        let mut pending = vec![start];
        while let Some(name) = pending.pop() {
            let (Some(state), Some(here)) = (states.get(name), before.get(name).copied()) else { continue };
            self.each_way_out(state, level.language, &mut |target, assigned| {
                let there = before.get(target).copied();
                let joined = there.unwrap_or(u64::MAX) & (here | assigned);
                if there != Some(joined) {
                    before.insert(target, joined);
                    pending.push(target);
                }
            });
        }
        for (name, state) in states {
            let Some(here) = before.get(name.as_str()).copied() else { continue };
            if let Some(id) = self.context.id(name) {
                self.before.insert(id, here);
            }
            let state = Node { value: state, ..level };
            each_level_within(state, &mut |inner| self.level(inner, here));
        }
    }

    /// Visits the states that a state may hand on to, with the variables that it assigns on the way.
    fn each_way_out<'v>(&self, state: &'v Value, machine: QueryLanguage, visit: &mut dyn FnMut(&'v str, u64)) {
        let (Some(fields), Some(state_type)) = (state.as_object(), type_of(state)) else { return };
        let language = effective_language(fields, machine);
        let mut way = |fields: &'v Map<String, Value>, key: &str, assigner: &'v Map<String, Value>| {
            if let Some(target) = fields.get(key).and_then(Value::as_str) {
                visit(target, self.assigned(assigner, language));
            }
        };
        if state_type.moves_on() {
            way(fields, "Next", fields);
        }
        if state_type == StateType::Choice {
            way(fields, "Default", fields);
        }
        let entries = match state_type {
            StateType::Choice => fields.get("Choices"),
            StateType::Task | StateType::Parallel | StateType::Map => fields.get("Catch"),
            StateType::Pass | StateType::Wait | StateType::Succeed | StateType::Fail => None,
        };
        for entry in entries.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object) {
            way(entry, "Next", entry);
        }
    }

    fn assigned(&self, fields: &Map<String, Value>, language: QueryLanguage) -> u64 {
        let assign = fields.get("Assign").and_then(Value::as_object);
        let names = assign.into_iter().flat_map(Map::keys).map(|key| name_of(key, language));
        names.filter_map(|name| self.bits.get(name)).fold(0, |all, bit| all | bit)
    }
}
