//! The wire shape of an event: its type, and the members of its detail object in AWS's JSON.
//!
//! A method of [`Wire`] is a kind of field in the declaration of events. Deliberately absent: JSON itself, which the API
//! writes.

use super::{Iteration, StateType, TaskResource};
use crate::Failure;

/// A member of a detail object.
#[derive(Debug, Clone, PartialEq)]
pub enum Member<'e, P> {
    Text(&'static str, &'e str),
    Number(&'static str, u64),
    /// A payload as text, and beside it an object under the second name that says that it is whole. Left out without
    /// execution data.
    Data(&'static str, &'static str, &'e P),
    /// A payload as text. AWS: stays without execution data.
    Parameters(&'static str, &'e P),
    /// An object of one text.
    Object(&'static str, (&'static str, &'e str)),
    /// An object of payloads, each as text, and beside it an object under the second name that says that it is whole. AWS:
    /// unverified that it is left out without execution data.
    Variables(&'static str, &'static str, &'e P),
}

/// How grave an event is: the level of a log says from where on it has events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Progress,
    Error,
    Fatal,
}

/// How the names of events end that are errors.
const ERRORS: [&str; 3] = ["Failed", "Aborted", "TimedOut"];

/// An event in AWS's JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Wire<'e, P> {
    name: &'static str,
    state: Option<StateType>,
    members: Option<Vec<Member<'e, P>>>,
}

impl<'e, P> Wire<'e, P> {
    /// `type`.
    pub fn event_type(&self) -> String {
        let state = self.state.map_or("", StateType::name);
        format!("{state}{}", self.name)
    }

    /// How grave it is.
    // AWS: documented as a table of event types, which follows their names. Unverified for activities and EvaluationFailed.
    pub fn severity(&self) -> Severity {
        let is_error = ERRORS.iter().any(|end| self.name.ends_with(end));
        match self.state {
            None if is_error && self.name.starts_with("Execution") => Severity::Fatal,
            Some(StateType::Fail) => Severity::Error,
            _ if is_error => Severity::Error,
            _ => Severity::Progress,
        }
    }

    /// The detail object: its name, and its members in order. AWS: an event that could have members has the object, even
    /// where they are all absent.
    pub fn details(&self) -> Option<(String, &[Member<'e, P>])> {
        let members = self.members.as_deref()?;
        let mut letters = self.name.chars();
        let first = letters.next().map(|letter| letter.to_ascii_lowercase());
        Some((first.into_iter().chain(letters).chain("EventDetails".chars()).collect(), members))
    }

    // ---- one per kind of field ----

    pub(super) fn named(name: &'static str) -> Wire<'e, P> {
        Wire { name, state: None, members: None }
    }

    fn with(mut self, members: impl IntoIterator<Item = Member<'e, P>>) -> Wire<'e, P> {
        self.members.get_or_insert_default().extend(members);
        self
    }

    fn before(mut self, members: impl IntoIterator<Item = Member<'e, P>>) -> Wire<'e, P> {
        self.members.get_or_insert_default().splice(0..0, members);
        self
    }

    /// Begins the name of the event, and is no member.
    pub(super) fn state_type(mut self, state: &StateType) -> Wire<'e, P> {
        self.state = Some(*state);
        self
    }

    pub(super) fn text(self, name: &'static str, text: &'e str) -> Wire<'e, P> {
        self.with([Member::Text(name, text)])
    }

    pub(super) fn optional_text(self, name: &'static str, text: &'e Option<String>) -> Wire<'e, P> {
        self.with(text.as_deref().map(|text| Member::Text(name, text)))
    }

    /// Stands before the fields declared above it.
    pub(super) fn leading_text(self, name: &'static str, text: &'e Option<String>) -> Wire<'e, P> {
        self.before(text.as_deref().map(|text| Member::Text(name, text)))
    }

    pub(super) fn number(self, name: &'static str, number: &u64) -> Wire<'e, P> {
        self.with([Member::Number(name, *number)])
    }

    pub(super) fn seconds(self, name: &'static str, seconds: &Option<u64>) -> Wire<'e, P> {
        self.with(seconds.map(|seconds| Member::Number(name, seconds)))
    }

    pub(super) fn input(self, payload: &'e P) -> Wire<'e, P> {
        self.with([Member::Data("input", "inputDetails", payload)])
    }

    pub(super) fn output(self, payload: &'e P) -> Wire<'e, P> {
        self.with([Member::Data("output", "outputDetails", payload)])
    }

    pub(super) fn parameters(self, payload: &'e P) -> Wire<'e, P> {
        self.with([Member::Parameters("parameters", payload)])
    }

    /// The variables that a state assigned.
    pub(super) fn assigned(self, variables: &'e Option<P>) -> Wire<'e, P> {
        let names = ("assignedVariables", "assignedVariablesDetails");
        self.with(variables.as_ref().map(|variables| Member::Variables(names.0, names.1, variables)))
    }

    pub(super) fn credentials(self, role: &'e Option<String>) -> Wire<'e, P> {
        self.with(role.as_deref().map(|role| Member::Object("taskCredentials", ("roleArn", role))))
    }

    pub(super) fn failure(self, failure: &'e Failure) -> Wire<'e, P> {
        self.with(parts(failure))
    }

    /// Stands before the fields declared above it.
    pub(super) fn leading_failure(self, failure: &'e Failure) -> Wire<'e, P> {
        self.before(parts(failure))
    }

    pub(super) fn resource(self, on: &'e TaskResource) -> Wire<'e, P> {
        self.with([Member::Text("resourceType", &on.resource_type), Member::Text("resource", &on.resource)])
    }

    pub(super) fn iteration(self, of: &'e Iteration) -> Wire<'e, P> {
        self.with([Member::Text("name", &of.name), Member::Number("index", of.index.into())])
    }
}

/// AWS: both are absent when they were not given.
fn parts<'e, P: 'e>(failure: &'e Failure) -> impl Iterator<Item = Member<'e, P>> {
    let error = failure.error.as_deref().map(|error| Member::Text("error", error));
    let cause = failure.cause.as_deref().map(|cause| Member::Text("cause", cause));
    error.into_iter().chain(cause)
}
