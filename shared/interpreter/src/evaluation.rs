//! What a state's expressions see, in both languages: the one place where it is put together.
//!
//! An [`Evaluation`] is made for what is evaluated together: the arguments of a state, or all of one exit. Deliberately
//! absent: which fields there are and in which order they apply, which is `data` and the states' affair.

use std::cell::Cell;

use asl::{QueryLanguage, StateId, Template, ValueSource};
use expressions::jsonata::{self, Jsonata};
use expressions::{ContextObject, EvaluationError, Path, Scope, Variables};
use serde_json::Value;

use crate::context::context_object;
use crate::failure::{Raised, Trouble};
use crate::run::Run;
use crate::{Frame, Payload, ThreadPath};

/// What is looked at beside the thread's own input, context and variables.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a> {
    /// `$` of JSONPath: what the field applies to.
    pub document: &'a Value,
    /// `$states.result`
    pub result: Option<&'a Value>,
    /// `$states.errorOutput`
    pub error_output: Option<&'a Value>,
    /// `Task.Token` of the context object, in a task that waits for one.
    pub token: Option<&'a str>,
    /// `Map.Item` of the context object, while a Map shapes the input of an iteration.
    pub item: Option<(u32, &'a Value)>,
}

impl<'a> Sight<'a> {
    pub fn of(document: &'a Value) -> Sight<'a> {
        Sight { document, result: None, error_output: None, token: None, item: None }
    }
}

/// What an expression for a number or a time may answer, and what it says about anything else.
pub(crate) enum Misfit {
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
        sight: Sight<'_>,
        work: impl FnOnce(&Evaluation<'_>) -> Result<T, Trouble>,
    ) -> Result<T, Raised> {
        let frame = self.snapshot.frame(path);
        let Some((frame, state)) = frame.and_then(|frame| Some((frame, self.machine.state(StateId(frame.state))?)))
        else {
            return Err(Trouble::runtime("The thread is gone.").in_state("", 0));
        };
        let context = ContextObject::new(|| context_object(&self.snapshot.execution, state, frame, sight));
        let nothing = Variables::new();
        let variables = variables_of(frame).unwrap_or(&nothing);
        let evaluation = Evaluation {
            paths: Scope { input: sight.document, context: &context, variables, chance: &self.chance },
            queries: jsonata::Scope {
                // JSONPath never looks at it, so it is not parsed for that.
                input: if state.query_language == QueryLanguage::Jsonata { frame.input.value() } else { &Value::Null },
                result: sight.result,
                error_output: sight.error_output,
                context: &context,
                variables,
                chance: &self.chance,
                now: self.moment.now.0,
                converted: jsonata::Converted::default(),
            },
            evaluations: &self.evaluations,
        };
        work(&evaluation).map_err(|trouble| trouble.in_state(&state.name, frame.entered))
    }
}

fn variables_of(frame: &Frame<Payload>) -> Option<&Variables> {
    frame.variables.as_ref()?.value().as_object()
}

impl<'a> Evaluation<'a> {
    /// What JSONPath sees.
    pub fn paths(&self) -> &Scope<'a> {
        &self.paths
    }

    /// `Parameters`, `Arguments`, `Assign` and their like; `field` is the name error texts begin with.
    pub fn render(&self, template: &Template, field: &str) -> Result<Payload, Trouble> {
        match template {
            Template::JsonPath(template) => Ok(Payload::from_value(template.render(&self.paths)?)),
            Template::Jsonata(template) => self.payload(template, field),
        }
    }

    /// `Output`, `Items`.
    pub fn payload(&self, template: &jsonata::Template, field: &str) -> Result<Payload, Trouble> {
        self.count();
        Ok(Payload::from_value(template.render(&self.queries, field)?))
    }

    /// The value of an expression that has to be of one type; `take` refuses what is not.
    pub fn query<T>(
        &self,
        expression: &Jsonata,
        field: &str,
        take: impl FnOnce(&Value) -> Result<T, Misfit>,
    ) -> Result<T, Trouble> {
        self.count();
        let value = expression.evaluate(&self.queries, field)?;
        take(&value).map_err(|misfit| match misfit {
            Misfit::Type(expected) => jsonata::unexpected_type(expression, field, expected, &value).into(),
            // AWS: recorded for a Wait's Timestamp.
            Misfit::Value(cause) => Trouble::from(EvaluationError::query(field, cause)).at_work(),
        })
    }

    /// A value that stands in the definition, or where it comes from.
    pub fn given<T: Copy>(
        &self,
        given: &ValueSource<T>,
        field: &str,
        read: impl FnOnce(&Path, &Scope<'_>) -> Result<T, Trouble>,
        take: impl FnOnce(&Value) -> Result<T, Misfit>,
    ) -> Result<T, Trouble> {
        match given {
            ValueSource::Literal(literal) => Ok(*literal),
            ValueSource::Path(path) => read(path, &self.paths),
            ValueSource::Jsonata(expression) => self.query(expression, field, take),
        }
    }

    fn count(&self) {
        self.evaluations.set(self.evaluations.get().saturating_add(1));
    }
}
