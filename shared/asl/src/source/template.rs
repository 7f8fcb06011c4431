//! State machines within SAM and CloudFormation templates, Terraform's output, and files around a definition.
//!
//! Each is recognised by what is in it, not by its name. A definition is an object in it, a string (perhaps made by
//! `Fn::Sub` or `Fn::Join`) or another file, which the caller reads. Deliberately absent: everything a deployment knows,
//! such as parameters, conditions and the attributes of other resources; what they give stays a placeholder.

mod call;
mod terraform;
mod wrapper;

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Value};

use super::placeholder::Filling;
use super::spot::{Spot, Step};
use super::{Derived, Format, Placeholders, Source, SourceError, Substitutions, json, yaml};
use crate::MachineType;
use call::Calls;

/// A state machine as a template declares it.
#[derive(Debug, Clone)]
pub struct Declared {
    /// The logical id.
    pub name: String,
    /// Where that stands in the template.
    pub at: Range<usize>,
    /// If the template says it.
    pub machine_type: Option<MachineType>,
    pub definition: Definition,
    /// Those of its properties; the definition has its own.
    pub placeholders: Placeholders,
}

/// The definition of a state machine in a template.
#[derive(Debug, Clone)]
pub enum Definition {
    Here(Result<Source, SourceError>),
    /// In a file beside the template, to be read with these substitutions.
    File {
        path: String,
        at: Range<usize>,
        values: Substitutions,
    },
    /// Where only a deployment can read it.
    Elsewhere {
        at: Range<usize>,
    },
    Missing,
}

/// CloudFormation takes no more resources of any type.
const MOST_MACHINES: usize = 500;

/// The second is that of Terraform and of the API.
const DEFINITIONS: [&str; 2] = ["Definition", "definition"];
const TYPES: [&str; 2] = ["AWS::Serverless::StateMachine", "AWS::StepFunctions::StateMachine"];
/// The second is a file's path until `aws cloudformation package` has uploaded it.
const FILES: [&str; 2] = ["DefinitionUri", "DefinitionS3Location"];

/// The state machines of a template, of Terraform's output or of a file around a definition, in their order; nothing if
/// the text is none of these, or cannot be read.
pub fn read(text: &str, format: Format, given: &Substitutions) -> Option<Vec<Declared>> {
    // Cheap, and most definitions are told from templates by it.
    if !["Resources", "terraform_version", "efinition"].iter().any(|word| text.contains(word)) {
        return None;
    }
    let none = Substitutions::default();
    let (value, spot) = match format {
        Format::Json => (expressions::json::parse_definition(text).ok()?, json::read(text)?),
        Format::Yaml => yaml::read(text, yaml::Tags::Calls, &mut Filling::new(&none)).ok()?,
    };
    if value.get("States").is_some() {
        return None;
    }
    if let Some(machines) = terraform::machines(&value, &spot) {
        return Some(all(text, given, machines.into_iter()));
    }
    if let Some(machine) = wrapper::machine(&value, &spot) {
        return Some(all(text, given, std::iter::once(machine)));
    }
    let (_, spot) = spot.child("Resources")?;
    let resources = value.get("Resources")?.as_object()?;
    if !resources.values().filter_map(type_of).any(|name| name.contains("::")) {
        return None;
    }
    let is_machine = |resource: &Value| type_of(resource).is_some_and(|name| TYPES.contains(&name));
    let spots = fields(spot);
    let machines = resources.iter().filter(|(_, resource)| is_machine(resource)).filter_map(|(name, resource)| {
        let spot = spots.get(name.as_str())?;
        let at = spot.key.clone().unwrap_or_else(|| spot.value.clone());
        let properties = resource.get("Properties").and_then(Value::as_object);
        let properties = properties.zip(spot.child("Properties").map(|(_, spot)| spot));
        Some(Machine { name: name.clone(), at, properties, is_planned: false })
    });
    Some(all(text, given, machines))
}

/// A state machine as it is found: its properties are those of CloudFormation, whatever declares it.
struct Machine<'v> {
    name: String,
    at: Range<usize>,
    properties: Option<(&'v Map<String, Value>, &'v Spot)>,
    /// Whether a deployment may still work out its definition.
    is_planned: bool,
}

fn all<'v>(text: &str, given: &Substitutions, machines: impl Iterator<Item = Machine<'v>>) -> Vec<Declared> {
    let mut room = Filling::new(&Substitutions::default()).room;
    let machines = machines.take(MOST_MACHINES + 1);
    let mut machines: Vec<Declared> = machines.map(|machine| declared(text, machine, given, &mut room)).collect();
    if let Some(one_more) = machines.get_mut(MOST_MACHINES) {
        let message = format!("a template has at most {MOST_MACHINES} resources; the rest was not read");
        one_more.definition = Definition::Here(Err(SourceError { message, at: one_more.at.clone() }));
    }
    machines
}

fn type_of(resource: &Value) -> Option<&str> {
    resource.get("Type")?.as_str()
}

/// The last field of every name.
fn fields(spot: &Spot) -> BTreeMap<&str, &Spot> {
    let named = spot.children.iter().filter_map(|(step, spot)| match step {
        Step::Key(key) => Some((key.as_str(), spot)),
        Step::Index(_) => None,
    });
    named.collect()
}

fn declared(text: &str, machine: Machine<'_>, given: &Substitutions, room: &mut usize) -> Declared {
    let Machine { name, at, properties, is_planned } = machine;
    let machine_type = properties.and_then(|(properties, _)| {
        ["Type", "StateMachineType", "type"].iter().find_map(|key| match properties.get(*key)?.as_str()? {
            "EXPRESS" => Some(MachineType::Express),
            "STANDARD" => Some(MachineType::Standard),
            _ => None,
        })
    });
    let mut calls = Calls { text, given, room: *room, seen: Placeholders::default() };
    let definition = match properties {
        Some((properties, spot)) => definition(properties, spot, &mut calls),
        None => Ok(Definition::Missing),
    };
    *room = calls.room;
    let definition = match definition.unwrap_or_else(|error| Definition::Here(Err(error))) {
        Definition::Missing if is_planned => Definition::Elsewhere { at: at.clone() },
        definition => definition,
    };
    Declared { name, at, machine_type, definition, placeholders: calls.seen }
}

fn definition(properties: &Map<String, Value>, spot: &Spot, calls: &mut Calls<'_>) -> Result<Definition, SourceError> {
    let property = |keys: &[&'static str]| {
        keys.iter().find_map(|key| Some((properties.get(*key)?, spot.child(key).map(|(_, spot)| spot)?)))
    };
    let values = match property(&["DefinitionSubstitutions"]) {
        Some((value, spot)) => calls.given.or(&calls.literals(value, spot)?),
        None => calls.given.clone(),
    };
    if let Some((value, spot)) = property(&DEFINITIONS) {
        match value {
            Value::String(_) => string(calls, &values, value, spot),
            _ => object(calls, &values, value, spot),
        }
    } else if let Some((value, spot)) = property(&["DefinitionString"]) {
        string(calls, &values, value, spot)
    } else if let Some((value, spot)) = property(&FILES) {
        file(calls, values, value, spot)
    } else {
        Ok(Definition::Missing)
    }
}

fn object(
    calls: &mut Calls<'_>,
    values: &Substitutions,
    value: &Value,
    spot: &Spot,
) -> Result<Definition, SourceError> {
    if call::of(value).is_some() {
        return Ok(Definition::Elsewhere { at: spot.value.clone() });
    }
    // AWS: what replaces a placeholder of an object is text there, even a number: `TimeoutSeconds: ${T}` is refused.
    let mut filling = calls.filling(values);
    let (value, spot) = calls.tree(value, spot, &mut filling)?;
    calls.room = calls.room.min(filling.room);
    Ok(Definition::Here(Ok(Source::made(&value, spot, filling.seen))))
}

fn string(
    calls: &mut Calls<'_>,
    values: &Substitutions,
    value: &Value,
    spot: &Spot,
) -> Result<Definition, SourceError> {
    if let (Some(("Fn::ToJsonString", argument)), [(_, spot)]) = (call::of(value), spot.children.as_slice()) {
        return object(calls, values, argument, spot);
    }
    let Some(text) = calls.text(value, spot)? else {
        let message = "a DefinitionString has to be a string".to_owned();
        return Err(SourceError { message, at: spot.value.clone() });
    };
    if call::is_unknown(&text) {
        return Ok(Definition::Elsewhere { at: spot.value.clone() });
    }
    let mut filling = calls.filling(values);
    let filled = filling.json(&text)?;
    calls.room = filling.room;
    Ok(Definition::Here(Ok(Source::written(filled, filling.seen))))
}

fn file(calls: &mut Calls<'_>, values: Substitutions, value: &Value, spot: &Spot) -> Result<Definition, SourceError> {
    let at = spot.value.clone();
    let path = calls.text(value, spot)?.map(|text| calls.filled(&text)).transpose()?;
    let here = |path: &Derived| !super::placeholder::holds(path.text()) && !path.text().contains("://");
    Ok(match path.filter(here) {
        Some(path) => Definition::File { path: path.text().to_owned(), at, values },
        None => Definition::Elsewhere { at },
    })
}
