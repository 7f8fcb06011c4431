//! The data flow that all states share, in AWS's order and in both languages.
//!
//! JSONPath: InputPath, (the work), ResultSelector, Assign, ResultPath, OutputPath. JSONata: Assign and Output. The fields
//! of the other language hold their defaults, which change nothing, so there is one way through all of them.

use std::sync::Arc;

use asl::{Catcher, ResultPath, Rule, Selection, State, Template, Transition};
use expressions::json::DEEPEST;
use expressions::jsonata;
use serde_json::{Map, Value};

use crate::evaluation::EvaluationInputs;
use crate::failure::{EvaluationFailure, RUNTIME, Raised, too_deep};
use crate::run::{Run, type_of};
use crate::{Detail, Payload, ThreadPath};

/// Bytes of all variables of an execution: their values as JSON texts, without names; what a thread has from the thread around
/// it counts once.
// AWS: one limit for the whole execution; unverified that a thread's variables count until the threads beside it have ended.
const ALL_VARIABLES: usize = 10 << 20;

/// One way out of a state, and the fields that shape its data there.
pub(crate) struct Exit<'s> {
    result_selector: Option<&'s expressions::Template>,
    assign: Option<&'s Template>,
    output: Option<&'s jsonata::Template>,
    result_path: &'s ResultPath,
    output_path: &'s Selection,
    by: By,
}

/// Which entry of the state an exit is of, which the names of its fields begin with in error texts.
#[derive(Clone, Copy)]
enum By {
    Itself,
    Rule(usize),
    Catcher(usize),
}

impl By {
    fn field(self, name: &str) -> String {
        match self {
            By::Itself => name.to_owned(),
            By::Rule(index) => format!("Choices[{index}]/{name}"),
            By::Catcher(index) => format!("Catch[{index}]/{name}"),
        }
    }
}

impl<'s> Exit<'s> {
    /// When its work is done, or no rule of a Choice holds.
    pub fn of(state: &'s State) -> Exit<'s> {
        Exit {
            result_selector: state.data.result_selector.as_ref(),
            assign: state.data.assign.as_ref(),
            output: state.data.output.as_ref(),
            result_path: &state.data.result_path,
            output_path: &state.data.output_path,
            by: By::Itself,
        }
    }

    /// True for the fields that stand in the state itself.
    fn is_own(&self) -> bool {
        match self.by {
            By::Itself => true,
            By::Rule(_) | By::Catcher(_) => false,
        }
    }

    /// By a rule of a Choice. AWS: what the state itself assigns and outputs is for its Default.
    pub fn by_rule(state: &'s State, index: usize, rule: &'s Rule) -> Exit<'s> {
        Exit { assign: rule.assign.as_ref(), output: rule.output.as_ref(), by: By::Rule(index), ..Exit::of(state) }
    }

    /// Whether its fields have expressions that see the result.
    fn evaluates(&self) -> bool {
        self.result_selector.is_some() || self.assign.is_some() || self.output.is_some()
    }

    pub fn by_catcher(index: usize, catcher: &'s Catcher) -> Exit<'s> {
        Exit {
            result_selector: None,
            assign: catcher.assign.as_ref(),
            output: catcher.output.as_ref(),
            result_path: &catcher.result_path,
            output_path: &Selection::Everything,
            by: By::Catcher(index),
        }
    }
}

/// The result of an exit: the state's output and the variables it assigned.
pub(crate) struct HandedOn {
    output: Payload,
    assigned: Option<Payload>,
    by: By,
}

impl Run<'_> {
    /// The state's raw input.
    pub fn raw_input(&self, path: &ThreadPath) -> Payload {
        self.snapshot.frame(path).map_or_else(|| Payload::from_value(Value::Null), |frame| frame.input.clone())
    }

    /// The state's input after InputPath.
    pub fn effective_input(&self, path: &ThreadPath, state: &State) -> Result<Payload, Raised> {
        let selected = self.select(path, &state.data.input_path, self.raw_input(path))?;
        self.note(path, |seen| seen.after_input_path(state, &selected));
        Ok(selected)
    }

    /// The part of `from` that a path of the state selects.
    fn select(&self, path: &ThreadPath, selection: &Selection, from: Payload) -> Result<Payload, Raised> {
        match selection {
            Selection::Everything => Ok(from),
            Selection::Nothing => Ok(Payload::from_value(Value::Object(Map::new()))),
            Selection::At(at) => self.evaluate(path, EvaluationInputs::of(from.value()), |look| {
                Ok(Payload::from_value(read(at, look.paths())?.into_owned()))
            }),
        }
    }

    /// The input as `Parameters` or `Arguments` shape it, for states that need nothing else evaluated.
    pub fn arguments(&self, path: &ThreadPath, state: &State) -> Result<Payload, Raised> {
        let input = self.effective_input(path, state)?;
        let arguments = match &state.data.arguments {
            None => input,
            Some(template) => self.evaluate(path, EvaluationInputs::of(input.value()), |look| {
                look.render(template, arguments_field(template))
            })?,
        };
        self.note(path, |seen| seen.arguments(state, &arguments));
        Ok(arguments)
    }

    /// Leaves the state with the result of its work.
    pub fn leave(&mut self, path: &ThreadPath, state: &Arc<State>, result: Payload, then: Transition) {
        self.leave_by(path, state, &Exit::of(state), result, then);
    }

    pub fn leave_by(
        &mut self,
        path: &ThreadPath,
        state: &Arc<State>,
        exit: &Exit<'_>,
        result: Payload,
        then: Transition,
    ) {
        if self.stop_if_deleted(path) {
            return;
        }
        let shaped = {
            // The results of many threads together are large, and larger when they are parsed.
            let value = if exit.evaluates() { result.value() } else { &Value::Null };
            let inputs = EvaluationInputs::of(value);
            let inputs =
                if type_of(state).has_result() { EvaluationInputs { result: Some(value), ..inputs } } else { inputs };
            self.shape(path, state, exit, inputs, &result)
        };
        if let Err(raised) = shaped.and_then(|handed_on| self.hand_on(path, state, handed_on, then)) {
            self.raise(path, raised);
        }
    }

    /// Applies an exit's fields to a result. Assign and Output see the same variables: those from before.
    pub fn shape(
        &self,
        path: &ThreadPath,
        state: &State,
        exit: &Exit<'_>,
        inputs: EvaluationInputs<'_>,
        result: &Payload,
    ) -> Result<HandedOn, Raised> {
        self.usable(path)?;
        let selected = match exit.result_selector {
            Some(template) => {
                self.evaluate(path, inputs, |look| Ok(Payload::from_value(template.render(look.paths())?)))?
            }
            None => result.clone(),
        };
        if exit.is_own() {
            self.note(path, |seen| seen.after_result_selector(state, &selected));
        }
        let (mut assigned, mut output) = (None, None);
        if exit.assign.is_some() || exit.output.is_some() {
            let inputs = EvaluationInputs { document: selected.value(), ..inputs };
            (assigned, output) = self.evaluate(path, inputs, |look| {
                let assigned =
                    exit.assign.map(|template| look.render(template, &exit.by.field("Assign"))).transpose()?;
                let output =
                    exit.output.map(|template| look.payload(template, &exit.by.field("Output"))).transpose()?;
                Ok((assigned, output))
            })?;
        }
        let output = match output {
            Some(output) => output,
            None => {
                let placed = self.place(path, exit.result_path, selected)?;
                if exit.is_own() {
                    self.note(path, |seen| seen.after_result_path(state, &placed));
                }
                self.select(path, exit.output_path, placed)?
            }
        };
        // AWS: an Assign without variables is none in the event (recorded).
        let assigned = assigned.filter(|assigned| assigned.value().as_object().is_none_or(|new| !new.is_empty()));
        Ok(HandedOn { output, assigned, by: exit.by })
    }

    /// Puts a result into the state's raw input.
    fn place(&self, path: &ThreadPath, result_path: &ResultPath, result: Payload) -> Result<Payload, Raised> {
        match result_path {
            ResultPath::Replace => Ok(result),
            ResultPath::Discard => Ok(self.raw_input(path)),
            ResultPath::At(at) => {
                let raw = self.raw_input(path);
                self.evaluate(path, EvaluationInputs::of(raw.value()), |_| {
                    Ok(Payload::from_value(at.write(raw.value().clone(), result.value().clone())?))
                })
            }
        }
    }

    /// Ends the state: checks its output and variables, records them and goes on.
    pub fn hand_on(
        &mut self,
        path: &ThreadPath,
        state: &Arc<State>,
        handed_on: HandedOn,
        then: Transition,
    ) -> Result<(), Raised> {
        let HandedOn { output, assigned, by } = handed_on;
        self.fits(state, &output)?;
        if let Some(assigned) = &assigned {
            self.assign(path, state, assigned, by)?;
        }
        let name = state.name.to_string();
        self.emit_on(path, Detail::StateExited { state: type_of(state), name, output: output.clone(), assigned });
        self.go(path, output, then);
        Ok(())
    }

    fn fits(&self, state: &State, output: &Payload) -> Result<(), Raised> {
        if output.bytes() > self.snapshot.execution.limits.payload_bytes {
            return Err(Raised::output_too_large(&state.name));
        }
        if output.depth() > DEEPEST {
            return Err(Raised::by_name(too_deep(&state.name)));
        }
        Ok(())
    }

    /// Gives the thread's variables the values assigned.
    fn assign(&mut self, path: &ThreadPath, state: &State, assigned: &Payload, by: By) -> Result<(), Raised> {
        let Value::Object(new) = assigned.value() else { return Ok(()) };
        if assigned.depth() > DEEPEST {
            return Err(Raised::by_name(too_deep(&state.name)));
        }
        let mut all = match self.snapshot.frame(path).and_then(|frame| frame.variables.as_ref()).map(Payload::value) {
            Some(Value::Object(old)) => old.clone(),
            _ => Map::new(),
        };
        all.extend(new.iter().map(|(name, value)| (name.clone(), value.clone())));
        let variables = Payload::from_value(Value::Object(all));
        if let Some(cause) = self.variables_excess(path, state, assigned, &variables) {
            return Err(Raised::variables_too_large(&state.name, by.field("Assign"), cause));
        }
        self.bytes += variables.bytes();
        self.change(path, |frame| frame.variables = Some(variables));
        Ok(())
    }

    /// The bytes of all variables of the execution when those of a thread become `new`; more or less where they are far from
    /// the limit.
    fn all_variables(&self, path: &ThreadPath, new: &Payload) -> usize {
        let holdings = self.snapshot.holdings();
        let outer = self.snapshot.outer_variables(path);
        let own = new.bytes().saturating_sub(outer.as_ref().map_or(0, Payload::bytes));
        let others = holdings.variables().saturating_sub(holdings.own_variables(path));
        // With the names it is more than what counts, so what is small enough with them needs no closer look.
        let about = others.saturating_add(own);
        if about <= ALL_VARIABLES {
            return about;
        }
        let beyond = |path: &ThreadPath, variables: &Payload| {
            let outer = self.snapshot.outer_variables(path);
            total(variables).saturating_sub(outer.as_ref().map_or(0, total))
        };
        let others = holdings.with_variables().filter(|other| *other != path);
        let others = others.filter_map(|path| Some(beyond(path, self.snapshot.frame(path)?.variables.as_ref()?)));
        others.fold(beyond(path, new), usize::saturating_add)
    }

    /// Which limit of variables is exceeded, if one is; AWS's words (captured in 2026).
    fn variables_excess(&self, path: &ThreadPath, state: &State, assigned: &Payload, all: &Payload) -> Option<String> {
        let (most, state) = (self.snapshot.execution.limits.payload_bytes, &state.name);
        // The object has the names as well, so what is small enough as a whole needs no closer look.
        let mut total = 0usize;
        for (name, bytes) in if assigned.bytes() > most { sizes(assigned) } else { Vec::new() } {
            total = total.saturating_add(bytes);
            if bytes > most {
                return Some(format!(
                    "Variable size limit exceeded. Variable '{name}' in state '{state}' was assigned {bytes} bytes."
                ));
            }
            if let Some(excess) = total.checked_sub(most).filter(|excess| *excess > 0) {
                return Some(format!(
                    "State total variable size limit exceeded. Variable '{name}' in state '{state}' was assigned \
                     {bytes} bytes, which caused the size of variables assigned in the state to exceed its limit by \
                     {excess} bytes."
                ));
            }
        }
        self.all_variables(path, all).checked_sub(ALL_VARIABLES).filter(|excess| *excess > 0).map(|excess| {
            format!(
                "Execution total variable size limit exceeded. State '{state}' assigned variables that exceed the total \
                 execution limit by {excess} bytes."
            )
        })
    }
}

/// The variables of an object, each with the bytes of its value.
fn sizes(variables: &Payload) -> Vec<(String, usize)> {
    let members = variables.value().as_object().into_iter().flatten();
    members.map(|(name, value)| (name.clone(), expressions::json::to_text(value).len())).collect()
}

fn total(variables: &Payload) -> usize {
    sizes(variables).iter().fold(0, |total, (_, bytes)| total.saturating_add(*bytes))
}

/// How error texts name a state's arguments.
pub(crate) fn arguments_field(template: &Template) -> &'static str {
    match template {
        Template::JsonPath(_) => "Parameters",
        Template::Jsonata(_) => "Arguments",
    }
}

/// Reads a path; AWS's words when there is nothing.
pub(crate) fn read<'v>(
    path: &expressions::Path,
    scope: &'v expressions::Scope<'v>,
) -> Result<std::borrow::Cow<'v, Value>, EvaluationFailure> {
    path.read(scope)
        .map_err(|error| EvaluationFailure::new(RUNTIME, format!("Invalid path '{}' : {error}", path.text())))
}
