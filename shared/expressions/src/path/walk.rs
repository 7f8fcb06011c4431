//! Following the steps of a path through a document, as Jayway JsonPath 2.0.0 does.
//!
//! Definite paths walk straight down. All others go depth first, each element with all the steps behind it, because
//! that decides what is found before something is missing: Jayway gives up the whole path where a name is missing, but
//! a wildcard over an array only the element, and what was found before stays. A path that is given up altogether finds
//! nothing.

use std::cell::{Cell, RefCell};

use serde_json::{Map, Value};

use super::problem::{self, PathError};
use super::{Step, Steps};
use crate::fuel::Fuel;
use crate::json;

/// The end of a definite path.
pub(super) enum Hit<'v> {
    Here(&'v Value),
    Made(Value),
    PastTheEnd,
}

impl Hit<'_> {
    /// An index past the end reads as null.
    fn into_value(self) -> Value {
        match self {
            Hit::Here(value) => json::copy(value),
            Hit::Made(value) => value,
            Hit::PastTheEnd => Value::Null,
        }
    }
}

/// Why an indefinite path goes no further.
pub(super) enum Stop {
    /// Jayway says "not found".
    NotFound,
    Failed(Box<PathError>),
}

impl Stop {
    pub(super) fn failed(error: PathError) -> Stop {
        Stop::Failed(Box::new(error))
    }
}

/// One reading of one path: the document filters see as `$`, and how much work is left.
pub(super) struct Walk<'v> {
    document: &'v Value,
    left: Cell<usize>,
    fuel: &'v Fuel,
    /// Copied when the walk is over: one that is given up halfway has copied nothing.
    found: RefCell<Vec<Hit<'v>>>,
}

/// Places looked at and bytes answered by one reading. A payload has 262,144 bytes; only paths that multiply the
/// document (`$..*..*`) come near.
const MOST_WORK: usize = 8_000_000;
/// What each of them costs; see [`Fuel`].
const PLACE_COST: u64 = 15;
/// The most steps of one path that have more than one way on, each taken inside of the one before.
const MOST_BRANCHES: usize = 200;

/// A value on the way and how Jayway has come by it.
#[derive(Clone, Copy)]
struct Place<'v> {
    /// Nothing is an index past the end.
    value: Option<&'v Value>,
    /// Reached by an index: Jayway holds a node of Jackson there, and a value of Java everywhere else.
    is_node: bool,
}

/// Follows definite steps.
pub(super) fn reach<'v>(from: &'v Value, steps: &[Step]) -> Result<Hit<'v>, Obstacle<'v>> {
    let mut here = Some(from);
    for (at, step) in steps.iter().enumerate() {
        let obstacle = Obstacle { at, here };
        here = match (step, here) {
            (Step::Property(name), Some(Value::Object(object))) => Some(object.get(name).ok_or(obstacle)?),
            (Step::Index(index), Some(Value::Array(items))) => element(items, *index),
            (Step::FromEnd(distance), Some(Value::Array(items))) => from_end(items, *distance),
            (Step::Properties(names), Some(Value::Object(object))) if at + 1 == steps.len() => {
                return Ok(Hit::Made(merged(object, names)));
            }
            _ => return Err(obstacle),
        };
    }
    Ok(here.map_or(Hit::PastTheEnd, Hit::Here))
}

/// The step that could not be taken, and where.
pub(super) struct Obstacle<'v> {
    at: usize,
    here: Option<&'v Value>,
}

impl Obstacle<'_> {
    /// Which step it was, counted from 0.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Whether Jayway says "not found", which a filter passes over.
    pub(super) fn is_not_found(&self, steps: &[Step], starts_at_node: bool) -> bool {
        match steps.get(self.at) {
            Some(Step::Property(_)) => true,
            Some(Step::Properties(_)) => !matches!(self.here, Some(Value::Object(_))),
            _ => not_an_array(&[], self.place(steps, starts_at_node)).is_none(),
        }
    }

    fn place<'p>(&'p self, steps: &[Step], starts_at_node: bool) -> Place<'p> {
        let before = self.at.checked_sub(1).and_then(|before| steps.get(before));
        Place { value: self.here, is_node: before.map_or(starts_at_node, |step| !is_name(step)) }
    }

    /// In Jayway's words; apart from walking because it is not cheap and often not needed. `from` is where the steps
    /// start; whether that is a node of Jackson, or a value of Java, shows.
    pub(super) fn explain(&self, from: &Value, steps: &[Step], starts_at_node: bool) -> PathError {
        let place = |taken: usize| place_of(from, steps.get(..taken).unwrap_or(steps));
        let names = match steps.get(self.at) {
            Some(Step::Property(name)) => std::slice::from_ref(name),
            Some(Step::Properties(names)) => names.as_slice(),
            _ => {
                let error = not_an_array(steps.get(self.at..).unwrap_or_default(), self.place(steps, starts_at_node));
                return error.unwrap_or_else(|| PathError::Null { place: place(self.at) });
            }
        };
        match self.here {
            // AWS: `No results for path: $['X']` at the end, `Missing property in path $['no']` before it (recorded).
            Some(Value::Object(_)) if names.len() != 1 => PathError::SeveralProperties { place: place(self.at + 1) },
            Some(Value::Object(_)) if self.at + 1 < steps.len() => {
                PathError::MissingProperty { place: place(self.at + 1) }
            }
            Some(Value::Object(_)) => PathError::NoResults { place: place(self.at + 1) },
            _ => PathError::NoProperty { property: problem::properties(names), place: place(self.at) },
        }
    }
}

/// The place that definite steps lead to: what counts from the end stands there as it counts from the start.
fn place_of(from: &Value, steps: &[Step]) -> String {
    let mut here = Some(from);
    let mut place = String::from("$");
    for step in steps {
        let counted = match (step, here) {
            (Step::FromEnd(distance), Some(Value::Array(items))) => {
                i64::try_from(items.len()).ok().and_then(|length| length.checked_add(*distance))
            }
            _ => None,
        };
        let step = &counted.map_or_else(|| step.clone(), Step::Index);
        place.push_str(&problem::fragments(std::slice::from_ref(step)));
        here = match (step, here) {
            (Step::Property(name), Some(Value::Object(object))) => object.get(name),
            (Step::Index(index), Some(Value::Array(items))) => element(items, *index),
            _ => None,
        };
    }
    place
}

fn is_name(step: &Step) -> bool {
    matches!(step, Step::Property(_) | Step::Properties(_))
}

/// The error of an index or slice that does not meet an array; nothing if it meets Java's null, which is "not found".
fn not_an_array(steps: &[Step], place: Place<'_>) -> Option<PathError> {
    let steps = || problem::fragments(steps);
    match place.value {
        None => None,
        Some(Value::Null) if !place.is_node => None,
        Some(value) => Some(PathError::NotAnArray { steps: steps(), found: shown(value, place.is_node) }),
    }
}

/// A value in an error: a text of Java has no quotes.
fn shown(value: &Value, is_node: bool) -> String {
    match json::string(value) {
        Some(text) if !is_node && !json::is_marked(text) => text.to_owned(),
        _ => json::to_text(value),
    }
}

impl<'v> Walk<'v> {
    pub(super) fn new(document: &'v Value, fuel: &'v Fuel) -> Self {
        Walk { document, left: Cell::new(MOST_WORK), fuel, found: RefCell::new(Vec::new()) }
    }

    pub(super) fn document(&self) -> &'v Value {
        self.document
    }

    pub(super) fn spend(&self, work: usize) -> Result<(), Stop> {
        let left = self.left.get().checked_sub(work).ok_or_else(|| Stop::failed(PathError::TooMuch))?;
        self.left.set(left);
        Ok(())
    }

    /// Follows any steps and answers the list of what they lead to.
    pub(super) fn list(&'v self, steps: &'v Steps) -> Result<Value, PathError> {
        let start = Place { value: Some(self.document), is_node: true };
        let followed = self.follow(start, steps, 0, 0);
        self.fuel.spend_for(MOST_WORK - self.left.get(), PLACE_COST);
        match followed {
            Ok(()) => Ok(Value::Array(self.found.take().into_iter().map(Hit::into_value).collect())),
            // AWS: a definite path would fail here (recorded); an indefinite one finds nothing.
            Err(Stop::NotFound) => Ok(Value::Array(Vec::new())),
            Err(Stop::Failed(error)) => Err(*error),
        }
    }

    /// Takes the steps from `at` on. Recursion is as deep as there are steps with several ways on, and bounded.
    fn follow(&'v self, mut place: Place<'v>, steps: &'v Steps, mut at: usize, branches: usize) -> Result<(), Stop> {
        if branches > MOST_BRANCHES {
            return Err(Stop::failed(PathError::TooMuch));
        }
        loop {
            self.spend(1)?;
            let Some(step) = steps.get(at) else { return self.add(place) };
            let is_last = at + 1 == steps.len();
            place = match (step, place.value) {
                (Step::Property(name), Some(Value::Object(object))) => match object.get(name) {
                    Some(value) => Place { value: Some(value), is_node: false },
                    // Jayway's question whether all is definite looks from the step before to the end of the path.
                    None if is_last || at > steps.definite_from => return Err(Stop::NotFound),
                    None => return Ok(()),
                },
                (Step::Properties(names), Some(value @ Value::Object(object))) => {
                    if !is_last {
                        let place = self.locate(value) + &problem::properties(names);
                        return Err(Stop::failed(PathError::SeveralProperties { place }));
                    }
                    self.pay(value)?;
                    self.found.borrow_mut().push(Hit::Made(merged(object, names)));
                    return Ok(());
                }
                (Step::Property(_) | Step::Properties(_), _) => return Err(Stop::NotFound),
                (Step::Index(index), Some(Value::Array(items))) => node(element(items, *index)),
                (Step::FromEnd(distance), Some(Value::Array(items))) => node(from_end(items, *distance)),
                (Step::Filter(filter), Some(value @ Value::Object(_))) => {
                    if !filter.holds(value, self)? {
                        return Ok(());
                    }
                    place
                }
                _ => return self.branch(step, place, steps, at, branches + 1),
            };
            at += 1;
        }
    }

    /// Takes a step that has several ways on, each with all the steps behind it.
    fn branch(
        &'v self,
        step: &'v Step,
        place: Place<'v>,
        steps: &'v Steps,
        at: usize,
        branches: usize,
    ) -> Result<(), Stop> {
        let follow = |place| self.follow(place, steps, at + 1, branches);
        match (step, place.value) {
            (Step::Wildcard, Some(Value::Array(items))) => {
                for item in items {
                    match follow(node(Some(item))) {
                        Ok(()) | Err(Stop::NotFound) => {}
                        Err(stop) => return Err(stop),
                    }
                }
            }
            (Step::Wildcard, Some(Value::Object(object))) => {
                for value in object.values() {
                    follow(Place { value: Some(value), is_node: false })?;
                }
            }
            (Step::Wildcard, _) => {}
            (Step::Filter(filter), Some(Value::Array(items))) => {
                for item in items {
                    self.spend(1)?;
                    if filter.holds(item, self)? {
                        follow(node(Some(item)))?;
                    }
                }
            }
            (Step::Filter(_), value) => {
                let found = value.map_or_else(|| "null".to_owned(), |value| shown(value, place.is_node));
                let steps = problem::fragments(steps.get(at..).unwrap_or_default());
                return Err(Stop::failed(PathError::Primitive { steps, found }));
            }
            (Step::Indices(indices), Some(Value::Array(items))) => {
                for index in indices {
                    follow(node(element(items, *index)))?;
                }
            }
            (Step::Slice { from, to }, Some(Value::Array(items))) => {
                for index in slice(items, *from, *to) {
                    follow(node(element(items, index)))?;
                }
            }
            (Step::Scan, Some(value)) => return self.scan(value, steps, at + 1, branches),
            (Step::Scan, None) => {}
            (_, _) => {
                let error = not_an_array(steps.get(at..).unwrap_or_default(), place);
                return Err(error.map_or(Stop::NotFound, Stop::failed));
            }
        }
        Ok(())
    }

    /// Takes the steps from `at` on here and from every container below, parents first.
    fn scan(&'v self, from: &'v Value, steps: &'v Steps, at: usize, branches: usize) -> Result<(), Stop> {
        let Some(step) = steps.get(at) else { return Ok(()) };
        let is_last = at + 1 == steps.len();
        let mut waiting = vec![from];
        while let Some(value) = waiting.pop() {
            self.spend(1)?;
            match value {
                Value::Object(object) => {
                    if self.takes(step, value)? {
                        self.follow(Place { value: Some(value), is_node: false }, steps, at, branches)?;
                    }
                    let from = waiting.len();
                    waiting.extend(object.values().filter(|below| is_container(below)));
                    waiting.get_mut(from..).unwrap_or_default().reverse();
                }
                Value::Array(items) => {
                    if self.takes(step, value)? {
                        if is_last {
                            self.follow(Place { value: Some(value), is_node: false }, steps, at, branches)?;
                        } else {
                            // Jayway goes on with every element then, whatever the step says.
                            for item in items {
                                let place = Place { value: Some(item), is_node: false };
                                self.follow(place, steps, at + 1, branches)?;
                            }
                        }
                    }
                    waiting.extend(items.iter().rev().filter(|below| is_container(below)));
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        Ok(())
    }

    /// Whether a scan takes a step from this container.
    fn takes(&'v self, step: &'v Step, value: &'v Value) -> Result<bool, Stop> {
        match step {
            Step::Property(name) => Ok(value.as_object().is_some_and(|object| object.contains_key(name))),
            Step::Properties(names) => {
                Ok(value.as_object().is_some_and(|object| names.iter().all(|name| object.contains_key(name))))
            }
            Step::Index(_) | Step::FromEnd(_) | Step::Indices(_) | Step::Slice { .. } => Ok(value.is_array()),
            Step::Wildcard => Ok(true),
            Step::Filter(filter) => filter.holds(value, self),
            Step::Scan => Ok(false),
        }
    }

    fn add(&self, place: Place<'v>) -> Result<(), Stop> {
        if let Some(value) = place.value {
            self.pay(value)?;
        }
        self.found.borrow_mut().push(place.value.map_or(Hit::PastTheEnd, Hit::Here));
        Ok(())
    }

    /// Pays for the copy of a value that the end of the walk makes.
    fn pay(&self, value: &Value) -> Result<(), Stop> {
        self.spend(match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 4,
            Value::String(text) => text.len() + 2,
            Value::Array(_) | Value::Object(_) => json::weight(value, self.left.get()),
        })
    }

    /// Where a value of the document stands. It is looked for, because only one error tells it.
    fn locate(&self, wanted: &Value) -> String {
        let mut waiting = vec![(self.document, String::from("$"))];
        while let Some((value, place)) = waiting.pop() {
            if std::ptr::eq(value, wanted) {
                return place;
            }
            match value {
                Value::Array(items) => {
                    let below = items.iter().enumerate().filter(|(_, item)| is_container(item));
                    waiting.extend(below.map(|(index, item)| (item, format!("{place}[{index}]"))));
                }
                Value::Object(object) => {
                    let below = object.iter().filter(|(_, value)| is_container(value));
                    waiting.extend(below.map(|(name, value)| (value, format!("{place}['{name}']"))));
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        String::from("$")
    }
}

fn node(value: Option<&Value>) -> Place<'_> {
    Place { value, is_node: true }
}

fn is_container(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Object(_))
}

fn merged(object: &Map<String, Value>, names: &[String]) -> Value {
    let present = names.iter().filter_map(|name| Some((name.clone(), json::copy(object.get(name)?))));
    Value::Object(present.collect())
}

/// The element at an index; a negative index is before the start, where Jackson has nothing.
fn element(items: &[Value], index: i64) -> Option<&Value> {
    items.get(usize::try_from(index).ok()?)
}

fn from_end(items: &[Value], distance: i64) -> Option<&Value> {
    element(items, i64::try_from(items.len()).ok()?.checked_add(distance)?)
}

/// The indices of a slice: with both ends they are as written, but not behind the last element.
fn slice(items: &[Value], from: Option<i64>, to: Option<i64>) -> std::ops::Range<i64> {
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let counted = |index: i64| if index < 0 { length.saturating_add(index) } else { index };
    match (from, to) {
        _ if items.is_empty() => 0..0,
        (Some(from), None) => counted(from).max(0)..length,
        (None, to) => 0..counted(to.unwrap_or(length)).min(length),
        (Some(from), Some(to)) => from..to.min(length),
    }
}
