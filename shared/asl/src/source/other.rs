//! Files that are no definitions, and the way from them to one.

use serde_json::{Map, Value};

use super::{Format, yaml};
use crate::StateType;
use crate::source::placeholder::{Filling, Substitutions};

/// Fields that only a definition has at its top.
const OF_A_DEFINITION: [&str; 3] = ["startat", "states", "querylanguage"];
/// Fields that a definition and other files may have.
const OF_ANYTHING: [&str; 3] = ["Comment", "Version", "TimeoutSeconds"];

const SERVERLESS: &str = "this is a configuration of the Serverless Framework: run `serverless package` and validate \
                          .serverless/cloudformation-template-update-stack.json";

/// Why a text is no definition, if it is plainly something else; the text of a message.
pub fn why_not(extension: Option<&str>, text: &str, format: Format) -> Option<&'static str> {
    if matches!(extension, Some("tf" | "hcl" | "tfvars")) {
        return Some(
            "this is a configuration of Terraform: run `terraform show -json` on its plan or state and validate the output",
        );
    }
    let none = Substitutions::default();
    let value = match format {
        Format::Json => expressions::json::parse_definition(text).ok()?,
        Format::Yaml => yaml::read(text, yaml::Tags::Nothing, &mut Filling::new(&none)).ok()?.0,
    };
    let fields = value.as_object()?;
    let is_a_definitions = |key: &String| OF_A_DEFINITION.contains(&key.to_lowercase().as_str());
    if fields.keys().any(is_a_definitions) || fields.keys().all(|key| OF_ANYTHING.contains(&key.as_str())) {
        return None;
    }
    Some(kind(fields))
}

fn kind(fields: &Map<String, Value>) -> &'static str {
    let has = |keys: &[&str]| keys.iter().all(|key| fields.contains_key(*key));
    let state_type = fields.get("Type").and_then(Value::as_str).and_then(StateType::named);
    if has(&["service", "provider"]) {
        SERVERLESS
    } else if has(&["name", "version"]) || has(&["dependencies"]) || has(&["devDependencies"]) {
        "this is the description of a package, not of a state machine"
    } else if has(&["StateMachines"]) || has(&["MockedResponses"]) {
        "this is a configuration of mocks, not a definition"
    } else if has(&["openapi"]) || has(&["swagger"]) {
        "this describes an HTTP API, not a state machine"
    } else if has(&["resource"]) || has(&["terraform"]) {
        "this is a configuration of Terraform: run `terraform show -json` on its plan or state and validate the output"
    } else if state_type.is_some() {
        "this is a single state: a definition has StartAt and States, and the state stands in States under its name"
    } else {
        "this is no state machine: it has neither StartAt nor States"
    }
}
