//! The values that a state's expressions see, in both languages: the one place where they are put together.
//!
//! An [`Evaluation`] is made for what is evaluated together: the arguments of a state, or all of one exit. Deliberately
//! absent: which fields there are and in which order they apply, which is `data` and the states' affair.

use std::cell::Cell;

use asl::{QueryLanguage, State, StateId, Template, ValueSource};
use expressions::jsonata::{self, Jsonata};
use expressions::{ContextObject, EvaluationError, Path, Scope, Variables};
use serde_json::Value;

use crate::context::context_object;
use crate::failure::{EvaluationFailure, Raised};
use crate::run::Run;
use crate::{Frame, Payload, ThreadPath};

/// The inputs of an evaluation beside the thread's own input, context and variables.
#[derive(Clone, Copy)]
pub(crate) struct EvaluationInputs<'a> {
    /// `$` of JSONPath: what the field applies to.
    pub document: &'a Value,
    /// `$states.result`
    pub result: Option<&'a Value>,
    /// `$states.errorOutput`
    pub error_output: Option<&'a Value>,
    /// `Task.Token` of the context object, in a task that waits for one.
    pub token: Option<&'a str>,
    /// `Map.Item` of the context object, while a Map shapes the input of an iteration.
    pub item: Option<Item<'a>>,
}

/// An item of a Map, as its ItemSelector sees it.
#[derive(Clone, Copy)]
pub(crate) struct Item<'a> {
    pub index: u32,
    pub value: &'a Value,
    /// Where the items are the members of an object.
    pub key: Option<&'a str>,
    /// Where the items of a distributed Map come from.
    pub source: Option<&'a str>,
}

impl<'a> Item<'a> {
    /// An element of an array.
    pub fn at(index: u32, value: &'a Value) -> Item<'a> {
        Item { index, value, key: None, source: None }
    }
}

impl<'a> EvaluationInputs<'a> {
    pub fn of(document: &'a Value) -> EvaluationInputs<'a> {
        EvaluationInputs { document, result: None, error_output: None, token: None, item: None }
    }
}

/// Why the result of an expression is no value of the type that its field takes.
pub(crate) enum TypeMismatch {
    /// It is of another type than this one.
    Type(&'static str),
    /// It is of the right type and makes no sense.
    Value(String),
}

/// Expressions of a state, ready to be evaluated.
pub(crate) struct Evaluation<'a> {
    paths: Scope<'a>,
    queries: jsonata::Scope<'a>,
    evaluations: &'a Cell<u32>,
}

impl Run<'_> {
    /// Evaluates expressions of the thread's state.
    pub fn evaluate<T>(
        &self,
        path: &ThreadPath,
        inputs: EvaluationInputs<'_>,
        work: impl FnOnce(&Evaluation<'_>) -> Result<T, EvaluationFailure>,
    ) -> Result<T, Raised> {
        let frame = self.snapshot.frame(path);
        let Some((frame, state)) = frame.and_then(|frame| Some((frame, self.machine.state(StateId(frame.state))?)))
        else {
            return Err(EvaluationFailure::runtime("The thread is gone.").in_state("", 0));
        };
        let execution = (&*self.snapshot.execution, self.snapshot.redriven);
        let context = ContextObject::new(|| match &self.probe {
            None => context_object(execution, state, frame, inputs),
            Some(probe) => probe.context_object(inputs),
        });
        let nothing = Variables::new();
        let variables = variables_of(frame).unwrap_or(&nothing);
        let evaluation = Evaluation {
            paths: Scope {
                input: inputs.document,
                context: &context,
                variables,
                chance: &self.chance,
                fuel: &self.fuel,
            },
            queries: jsonata::Scope {
                // JSONPath never looks at it, so it is not parsed for that.
                input: if state.query_language == QueryLanguage::Jsonata { frame.input.value() } else { &Value::Null },
                result: inputs.result,
                error_output: inputs.error_output,
                context: &context,
                variables,
                chance: &self.chance,
                fuel: &self.fuel,
                now: self.moment.now.0,
                converted: jsonata::Converted::default(),
            },
            evaluations: &self.evaluations,
        };
        work(&evaluation).map_err(|failure| self.located(failure, state, frame.entered))
    }

    /// A failure that is known to be of this state.
    pub fn located(&self, failure: EvaluationFailure, state: &State, entered: u64) -> Raised {
        match &self.probe {
            None => failure.in_state(&state.name, entered),
            Some(_) => failure.in_test(),
        }
    }
}

fn variables_of(frame: &Frame<Payload>) -> Option<&Variables> {
    frame.variables.as_ref()?.value().as_object()
}

impl<'a> Evaluation<'a> {
    /// The scope of JSONPath expressions.
    pub fn paths(&self) -> &Scope<'a> {
        &self.paths
    }

    /// `Parameters`, `Arguments`, `Assign` and their like; `field` is the name error texts begin with.
    pub fn render(&self, template: &Template, field: &str) -> Result<Payload, EvaluationFailure> {
        match template {
            Template::JsonPath(template) => Ok(Payload::from_value(template.render(&self.paths)?)),
            Template::Jsonata(template) => self.payload(template, field),
        }
    }

    /// `Output`, `Items`.
    pub fn payload(&self, template: &jsonata::Template, field: &str) -> Result<Payload, EvaluationFailure> {
        self.count();
        Ok(Payload::from_value(template.render(&self.queries, field)?))
    }

    /// The value of an expression that has to be of one type; `take` refuses what is not.
    pub fn query<T>(
        &self,
        expression: &Jsonata,
        field: &str,
        take: impl FnOnce(&Value) -> Result<T, TypeMismatch>,
    ) -> Result<T, EvaluationFailure> {
        self.count();
        self.queries.fuel.check()?;
        let value = expression.evaluate(&self.queries, field)?;
        take(&value).map_err(|mismatch| match mismatch {
            TypeMismatch::Type(expected) => jsonata::unexpected_type(expression, field, expected, &value).into(),
            TypeMismatch::Value(cause) => EvaluationError::query(field, cause).into(),
        })
    }

    /// A value that stands in the definition, or where it comes from.
    pub fn resolve<T: Copy>(
        &self,
        source: &ValueSource<T>,
        field: &str,
        read: impl FnOnce(&Path, &Scope<'_>) -> Result<T, EvaluationFailure>,
        take: impl FnOnce(&Value) -> Result<T, TypeMismatch>,
    ) -> Result<T, EvaluationFailure> {
        match source {
            ValueSource::Literal(literal) => Ok(*literal),
            ValueSource::Path(path) => read(path, &self.paths),
            ValueSource::Jsonata(expression) => self.query(expression, field, take),
        }
    }

    fn count(&self) {
        self.evaluations.set(self.evaluations.get().saturating_add(1));
    }
}
