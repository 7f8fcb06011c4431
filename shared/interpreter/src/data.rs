//! The data flow that all states share: InputPath, ResultSelector, Assign, ResultPath, OutputPath, in AWS's order.

use std::sync::Arc;

use asl::{ResultPath, Selection, State, Transition};
use expressions::{Scope, Template};
use serde_json::{Map, Value};

use crate::context::Extra;
use crate::run::{Run, type_of};
use crate::{Detail, Payload, Raised, ThreadPath, Trouble};

/// Bytes of all variables that a thread sees, as one JSON object; those of one Assign are limited as a payload is.
// AWS: the limit is one for the whole execution; here threads inside threads each have it.
const ALL_VARIABLES: usize = 10 << 20;

impl Run<'_> {
    /// The state's raw input.
    pub fn raw_input(&self, path: &ThreadPath) -> Payload {
        self.snapshot.frame(path).map_or_else(|| Payload::from_value(Value::Null), |frame| frame.input.clone())
    }

    /// The state's input after InputPath.
    pub fn effective_input(&self, path: &ThreadPath, state: &State) -> Result<Payload, Raised> {
        self.select(path, state, &state.data.input_path, self.raw_input(path))
    }

    /// What a path of the state picks from `from`.
    pub fn select(
        &self,
        path: &ThreadPath,
        state: &State,
        selection: &Selection,
        from: Payload,
    ) -> Result<Payload, Raised> {
        match selection {
            Selection::Everything => Ok(from),
            Selection::Nothing => Ok(Payload::from_value(Value::Object(Map::new()))),
            Selection::At(at) => self.with_scope(path, state, from.value(), &Extra::default(), |scope| {
                Ok(Payload::from_value(read(at, scope)?.into_owned()))
            }),
        }
    }

    pub fn render(
        &self,
        path: &ThreadPath,
        state: &State,
        template: &Template,
        input: &Value,
        extra: &Extra<'_>,
    ) -> Result<Payload, Raised> {
        self.with_scope(path, state, input, extra, |scope| Ok(Payload::from_value(template.render(scope)?)))
    }

    /// Leaves the state with the result of its work.
    pub fn leave(&mut self, path: &ThreadPath, state: &Arc<State>, result: Payload, then: Transition) {
        match self.shape(path, state, result) {
            Ok((output, assigned)) => self.exit(path, state, output, assigned, then),
            Err(raised) => self.raise(path, raised),
        }
    }

    /// Leaves the state: checks its output, records it and hands on.
    pub fn exit(
        &mut self,
        path: &ThreadPath,
        state: &Arc<State>,
        output: Payload,
        assigned: Option<Payload>,
        then: Transition,
    ) {
        if let Err(raised) = self.fits(path, state, &output) {
            return self.raise(path, raised);
        }
        if let Some(assigned) = &assigned
            && let Err(raised) = self.assign(path, state, assigned)
        {
            return self.raise(path, raised);
        }
        let name = state.name.to_string();
        self.emit_on(path, Detail::StateExited { state: type_of(state), name, output: output.clone(), assigned });
        self.go(path, output, then);
    }

    /// ResultSelector, Assign, ResultPath, OutputPath.
    fn shape(&self, path: &ThreadPath, state: &State, result: Payload) -> Result<(Payload, Option<Payload>), Raised> {
        let selected = match &state.data.result_selector {
            Some(template) => self.render(path, state, template, result.value(), &Extra::default())?,
            None => result,
        };
        let assigned = match &state.data.assign {
            Some(template) => Some(self.render(path, state, template, selected.value(), &Extra::default())?),
            None => None,
        };
        let placed = self.place(path, state, &state.data.result_path, selected)?;
        let output = self.select(path, state, &state.data.output_path, placed)?;
        Ok((output, assigned))
    }

    /// Puts a result into the state's raw input.
    pub fn place(
        &self,
        path: &ThreadPath,
        state: &State,
        result_path: &ResultPath,
        result: Payload,
    ) -> Result<Payload, Raised> {
        match result_path {
            ResultPath::Replace => Ok(result),
            ResultPath::Discard => Ok(self.raw_input(path)),
            ResultPath::At(at) => {
                let raw = self.raw_input(path);
                self.with_scope(path, state, raw.value(), &Extra::default(), |_| {
                    Ok(Payload::from_value(at.write(raw.value().clone(), result.value().clone())?))
                })
            }
        }
    }

    fn fits(&self, path: &ThreadPath, state: &State, output: &Payload) -> Result<(), Raised> {
        let limits = &self.snapshot.execution.limits;
        if output.bytes() > limits.payload_bytes {
            return Err(Raised::output_too_large(&state.name));
        }
        if output.depth() > limits.nesting {
            let entered = self.snapshot.frame(path).map_or(0, |frame| frame.entered);
            let cause = format!("The output nests deeper than {} levels.", limits.nesting);
            return Err(Raised::runtime(cause).in_state(&state.name, entered));
        }
        Ok(())
    }

    /// Gives the thread's variables the values assigned.
    fn assign(&mut self, path: &ThreadPath, state: &State, assigned: &Payload) -> Result<(), Raised> {
        let Value::Object(new) = assigned.value() else { return Ok(()) };
        let mut all = match self.snapshot.frame(path).and_then(|frame| frame.variables.as_ref()).map(Payload::value) {
            Some(Value::Object(old)) => old.clone(),
            _ => Map::new(),
        };
        all.extend(new.iter().map(|(name, value)| (name.clone(), value.clone())));
        let variables = Payload::from_value(Value::Object(all));
        let most = self.snapshot.execution.limits.payload_bytes;
        if assigned.bytes() > most || variables.bytes() > ALL_VARIABLES {
            return Err(Raised::variables_too_large(&state.name));
        }
        self.change(path, |frame| frame.variables = Some(variables));
        Ok(())
    }
}

/// Reads a path; AWS's words when there is nothing.
pub(crate) fn read<'v>(path: &expressions::Path, scope: &'v Scope<'v>) -> Result<std::borrow::Cow<'v, Value>, Trouble> {
    path.read(scope)
        .map_err(|error| Trouble::new(crate::failure::RUNTIME, format!("Invalid path '{}' : {error}", path.text())))
}
