//! Task: calls a function, an activity or an integration.

use expressions::jsonata::Sees;

use crate::about::About;
use crate::cursor::{Between, MOST_SECONDS, Node, Object, Roots};
use crate::diagnostics::Findings;
use crate::fields::{Field, In};
use crate::hints::{ask, did_you_mean, similar};
use crate::reading::{ParseContext, StateNode, transition};
use crate::{
    Integration, MachineType, NotAResource, Pattern, QueryLanguage, Resource, SdkServices, Task, Template, UnknownCall,
    ValueSource, arguments,
};

/// What the services of calls through the SDK begin with.
const SDK: &str = "aws-sdk:";

pub(crate) const FIELDS: &[Field] = &[
    ("Resource", In::Both),
    ("Arguments", In::Jsonata),
    ("Credentials", In::Both),
    ("TimeoutSeconds", In::Both),
    ("TimeoutSecondsPath", In::JsonPath),
    ("HeartbeatSeconds", In::Both),
    ("HeartbeatSecondsPath", In::JsonPath),
];

pub(crate) fn read(state: &StateNode<'_, '_>, context: &mut ParseContext<'_>) -> Option<Task> {
    let object = &state.object;
    let machine_type = context.machine_type;
    let findings = &mut context.findings;
    object.require(&["Resource"], findings);
    let sdk = context.sdk;
    let resource = object.get("Resource").and_then(|node| read_resource(node, machine_type, sdk, findings));
    check_parameters(object, resource.as_ref(), sdk, findings);
    let timeout = seconds(object, "TimeoutSeconds", "TimeoutSecondsPath", findings);
    let heartbeat = seconds(object, "HeartbeatSeconds", "HeartbeatSecondsPath", findings);
    check_heartbeat(object, timeout.as_ref(), heartbeat.as_ref(), findings);
    let credentials = credentials(object, resource.as_ref(), findings);
    let transition = transition(state, context);
    let resource = context.or_stand_in(resource, || Resource::Lambda { arn: String::new() });
    Some(Task { resource: resource?, timeout, heartbeat, credentials, transition: transition? })
}

fn read_resource(
    node: Node<'_, '_>,
    machine_type: MachineType,
    sdk: &dyn SdkServices,
    findings: &mut Findings,
) -> Option<Resource> {
    let text = node.text(findings)?;
    let resource = match Resource::parse(text) {
        Ok(resource) => resource,
        Err(NotAResource::NotAnArn) => {
            let help = text.contains("${").then(|| "put the values of substitutions in before".to_owned());
            findings.schema_with_help(node.at, "Value is not a valid resource ARN", help);
            return None;
        }
        Err(NotAResource::Unknown) => {
            findings.schema(node.at, unrecognized(text));
            return None;
        }
    };
    if let Resource::Integration(Integration { service, action, .. }) = &resource
        && let Some(client) = service.strip_prefix(SDK)
        && let Err(unknown) = sdk.find(client, action)
    {
        let (written, known) = match &unknown {
            UnknownCall::Service { known } => (client, known),
            UnknownCall::Action { known } => (action.as_str(), known),
        };
        let help = did_you_mean(written, known.iter().map(String::as_str), findings);
        findings.schema_with_help(node.at, unrecognized(text), help);
        return None;
    }
    if machine_type == MachineType::Express {
        refuse_in_express(&resource, node, findings);
    }
    Some(resource)
}

fn unrecognized(resource: &str) -> String {
    format!(
        "The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the resource is \
         not available in this region."
    )
}

fn refuse_in_express(resource: &Resource, node: Node<'_, '_>, findings: &mut Findings) {
    let what = match resource {
        Resource::Lambda { .. } => return,
        Resource::Activity { .. } => "Activity ARN",
        Resource::Integration(integration) => match integration.pattern {
            Pattern::RequestResponse => return,
            // AWS: unverified for .sync:2
            Pattern::Sync | Pattern::Sync2 => "'.sync' service integration",
            // AWS: with a space at the end
            Pattern::WaitForTaskToken => "'.waitForTaskToken' service integration ",
        },
    };
    findings.schema(node.at, format!("Express state machine does not support {what}"));
}

/// An integration needs arguments.
fn check_parameters(
    object: &Object<'_, '_>,
    resource: Option<&Resource>,
    sdk: &dyn SdkServices,
    findings: &mut Findings,
) {
    let Some(Resource::Integration(integration)) = resource else { return };
    let key = match object.language {
        QueryLanguage::JsonPath => "Parameters",
        QueryLanguage::Jsonata => "Arguments",
    };
    let Some(parameters) = object.get(key) else {
        // AWS: located at the Resource.
        if let Some(node) = object.get("Resource") {
            findings.schema(node.at, format!("{key} field is required for resource ARN: {}", integration.arn));
        }
        return;
    };
    let Some(given) = parameters.value.as_object() else { return };
    if let Some(client) = integration.service.strip_prefix(SDK) {
        for problem in sdk.check(client, &integration.action, given, object.language) {
            findings.schema(parameters.at, About::Arguments(problem));
        }
        return;
    }
    check_names(object.language, integration, parameters, given, findings);
    if arguments::names(integration).is_none() {
        for problem in sdk.check_optimised(integration, given, object.language) {
            findings.schema(parameters.at, About::Arguments(problem));
        }
    }
    for field in integration.required() {
        // A key that is a path counts as there.
        let by_path = object.language == QueryLanguage::JsonPath && given.contains_key(&format!("{field}.$"));
        if !given.contains_key(*field) && !by_path {
            let about = About::MissingArgument((*field).to_owned());
            findings.schema_with_help(parameters.at, about, without_dollar(given, field));
        }
    }
}

/// An integration knows the names of its arguments.
fn check_names(
    language: QueryLanguage,
    integration: &Integration,
    parameters: Node<'_, '_>,
    given: &serde_json::Map<String, serde_json::Value>,
    findings: &mut Findings,
) {
    let Some(known) = arguments::names(integration) else { return };
    for name in given.keys() {
        let stem = name.strip_suffix(".$").unwrap_or(name);
        let (field, help) = match language {
            QueryLanguage::JsonPath => (stem, None),
            // The finding about the missing field has the help.
            QueryLanguage::Jsonata if integration.required().contains(&stem) => (stem, None),
            QueryLanguage::Jsonata => (name.as_str(), without_dollar(given, stem)),
        };
        if !known.clone().any(|known| known == field) {
            let is_given = |known: &str| given.contains_key(known) || given.contains_key(&format!("{known}.$"));
            let meant = similar(field, known.clone().filter(|known| !is_given(known)), findings);
            let message = arguments::unsupported(field);
            let about = About::UnknownArgument { key: name.clone(), message, meant: meant.map(str::to_owned) };
            findings.schema_with_help(parameters.at, about, help.or_else(|| meant.map(ask)));
        }
    }
}

/// Where a field is missing because its key is a path of the other language.
fn without_dollar(given: &serde_json::Map<String, serde_json::Value>, field: &str) -> Option<String> {
    let by_path = given.contains_key(&format!("{field}.$"));
    by_path.then(|| format!("JSONata has no .$ keys: write \"{field}\": \"{{% … %}}\""))
}

fn seconds(object: &Object<'_, '_>, literal: &str, path: &str, findings: &mut Findings) -> Option<ValueSource<u64>> {
    object.at_most_one(&[literal, path], findings);
    object.integer_source(literal, (path, Roots::Any), Between(1, Some(MOST_SECONDS)), findings)
}

fn check_heartbeat(
    object: &Object<'_, '_>,
    timeout: Option<&ValueSource<u64>>,
    heartbeat: Option<&ValueSource<u64>>,
    findings: &mut Findings,
) {
    if let (Some(ValueSource::Literal(timeout)), Some(ValueSource::Literal(heartbeat))) = (timeout, heartbeat)
        && heartbeat >= timeout
    {
        // AWS: unverified wording
        let message = "'HeartbeatSeconds' must be smaller than 'TimeoutSeconds'";
        findings.schema(object.at, About::Fields { names: ["HeartbeatSeconds", "TimeoutSeconds"], message });
    }
}

fn credentials(object: &Object<'_, '_>, resource: Option<&Resource>, findings: &mut Findings) -> Option<Template> {
    let node = object.get("Credentials")?;
    if matches!(resource, Some(Resource::Activity { .. })) {
        findings.schema(node.at, "The field 'Credentials' is not supported for activities");
    }
    if node.means_expression() {
        return node.template(Sees::Input, findings);
    }
    let fields = node.object(findings)?;
    let by_path = object.language == QueryLanguage::JsonPath && fields.has("RoleArn.$");
    if !fields.has("RoleArn") && !by_path {
        let help = without_dollar(fields.map, "RoleArn");
        findings.schema_with_help(node.at, About::MissingArgument("RoleArn".to_owned()), help);
    }
    node.template(Sees::Input, findings)
}
