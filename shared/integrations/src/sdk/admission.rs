//! The check of calls of services when a machine is created: which services and actions there are, and whether the
//! arguments, as far as a definition says them, are such as the action takes.

use asl::{Integration, QueryLanguage, Required, SdkServices, UnknownCall};
use serde_json::{Map, Value};

use super::data::{self, Unsuitable};
use super::model::{Kind, Member, Model, Operation, ShapeId, Version};
use super::results;
use super::table::Table;
use crate::optimised::{Alias, Service};

/// The services of the table.
#[derive(Debug)]
pub struct Catalogue;

impl SdkServices for Catalogue {
    fn find(&self, service: &str, action: &str) -> Result<(), UnknownCall> {
        let table = Table::get();
        let Some(model) = table.service(service) else {
            return Err(UnknownCall::Service { known: table.names().map(str::to_owned).collect() });
        };
        match model.operation(action) {
            Some(operation) if !operation.refused => Ok(()),
            _ => Err(UnknownCall::Action { known: model.actions().collect() }),
        }
    }

    fn check(&self, service: &str, action: &str, given: &Map<String, Value>, language: QueryLanguage) -> Vec<String> {
        let Some(model) = Table::get().service(service) else { return Vec::new() };
        let Some(operation) = model.operation(action) else { return Vec::new() };
        Checking::new(&model, language, Version::Two).arguments(operation, given)
    }

    fn check_optimised(
        &self,
        integration: &Integration,
        given: &Map<String, Value>,
        language: QueryLanguage,
    ) -> Vec<String> {
        let Some((row, action)) = Service::find(integration) else { return Vec::new() };
        let Some(model) = Table::get().service(row.model) else { return Vec::new() };
        let Some(operation) = model.operation(action.operation) else { return Vec::new() };
        let checking = Checking {
            // What the integration's own row asks for is asked for there.
            asked: integration.required(),
            aliases: row.aliases(&integration.action),
            excluded: row.excluded(integration.pattern),
            added: row.added,
            ..Checking::new(&model, language, Version::One)
        };
        checking.arguments(operation, given)
    }

    fn check_mock(&self, on: &Integration, result: &Value, required: Required) -> Option<String> {
        results::check(on, result, required)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Top,
    Nested,
}

struct Checking<'m> {
    model: &'m Model,
    language: QueryLanguage,
    version: Version,
    /// Required fields that are not asked for here.
    asked: &'static [&'static str],
    aliases: Vec<Alias>,
    /// Fields of the operation that an integration does not take.
    excluded: &'static [&'static str],
    /// Fields that the operation does not have.
    added: &'static [&'static str],
    problems: Vec<String>,
}

impl<'m> Checking<'m> {
    fn new(model: &'m Model, language: QueryLanguage, version: Version) -> Self {
        Self {
            model,
            language,
            version,
            asked: &[],
            aliases: Vec::new(),
            excluded: &[],
            added: &[],
            problems: Vec::new(),
        }
    }

    fn arguments(mut self, operation: &Operation, given: &Map<String, Value>) -> Vec<String> {
        self.missing(operation, given);
        // AWS: fields that there are not are reported when none is missing.
        if self.problems.is_empty() {
            let members = operation.input.map_or(&[][..], |input| self.model.members(input));
            self.members(members, given, Depth::Top);
        }
        self.problems
    }

    /// AWS: members of the operation itself are asked for, and bodies that are streamed; nested ones are not.
    fn missing(&mut self, operation: &Operation, given: &Map<String, Value>) {
        let Some(input) = operation.input else { return };
        for member in self.model.members(input) {
            // AWS: a member that is filled where it is absent is not asked for, as its published examples leave it out.
            let needed = (member.required && !member.idempotency_token) || self.model.streams(member);
            let shown = self.model.shown(member, self.version);
            let alias = self.aliases.iter().find(|alias| alias.there == shown);
            let name = alias.map_or(&*shown, |alias| alias.here);
            if self.asked.contains(&name) {
                continue;
            }
            let is_there = given.keys().any(|key| self.field(key) == name);
            if needed && !is_there {
                self.problems.push(format!("The field '{name}' is required but was missing"));
            }
        }
    }

    /// The field that a key gives: in JSONPath, its `.$` says that the value is computed.
    fn field<'k>(&self, key: &'k str) -> &'k str {
        match self.language {
            QueryLanguage::JsonPath => key.strip_suffix(".$").unwrap_or(key),
            QueryLanguage::Jsonata => key,
        }
    }

    fn is_computed(&self, key: &str, value: &Value) -> bool {
        match self.language {
            QueryLanguage::JsonPath => key.ends_with(".$"),
            QueryLanguage::Jsonata => value.as_str().is_some_and(|text| text.starts_with("{%") && text.ends_with("%}")),
        }
    }

    fn members(&mut self, members: &[Member], given: &Map<String, Value>, depth: Depth) {
        for (key, value) in given {
            let field = self.field(key);
            if depth == Depth::Top && self.excluded.contains(&field) {
                // AWS: between single quotes here.
                self.problems.push(format!("The field '{field}' is not supported by Step Functions"));
                continue;
            }
            if depth == Depth::Top && self.added.contains(&field) {
                continue;
            }
            let alias = self.aliases.iter().find(|alias| depth == Depth::Top && alias.here == field).copied();
            let name = alias.map_or(field, |alias| alias.there);
            let member = members.iter().find(|member| self.model.shown(member, self.version) == name);
            // The name behind an alias is none of the action's.
            let hidden = alias.is_none() && depth == Depth::Top && self.aliases.iter().any(|own| own.there == field);
            match member.filter(|_| !hidden) {
                None => self.unknown(members, field, depth),
                Some(_) if self.is_computed(key, value) => {}
                Some(member) if self.model.streams(member) => {}
                Some(member) => self.value(self.shape_of(member, alias), field, value),
            }
        }
    }

    /// The shape of a member, or of the items of a list of which an action takes one.
    fn shape_of(&self, member: &Member, alias: Option<Alias>) -> ShapeId {
        match &self.model.shape(member.shape).kind {
            Kind::List { item, .. } if alias.is_some_and(|alias| alias.is_list) => *item,
            _ => member.shape,
        }
    }

    /// AWS: a suggestion is made for fields of the operation itself.
    fn unknown(&mut self, members: &[Member], field: &str, depth: Depth) {
        let shown = members.iter().map(|member| self.model.shown(member, self.version));
        // AWS: unverified for optimised integrations, of which older reports have none.
        let suggests = depth == Depth::Top && self.version == Version::Two;
        let meant = shown.into_iter().find(|name| suggests && name.eq_ignore_ascii_case(field));
        let meant = meant.map(|name| format!(". Did you mean '{name}'?")).unwrap_or_default();
        self.problems.push(format!("{}{meant}", asl::unsupported_field(field)));
    }

    fn value(&mut self, id: ShapeId, field: &str, value: &Value) {
        let shape = self.model.shape(id);
        if shape.document || value.is_null() || self.is_computed("", value) {
            return;
        }
        match (&shape.kind, value) {
            (Kind::Structure { members, .. }, Value::Object(given)) => self.members(members, given, Depth::Nested),
            (Kind::Map { value: of, .. }, Value::Object(given)) => {
                for (key, value) in given {
                    // The keys of a map are free.
                    if !self.is_computed(key, value) {
                        self.value(*of, key, value);
                    }
                }
            }
            (Kind::List { item, .. }, Value::Array(given)) => {
                given.iter().for_each(|value| self.value(*item, field, value));
            }
            (Kind::Structure { .. } | Kind::Map { .. } | Kind::List { .. }, _) => {
                self.problems.push(data::no_structure(field).0);
            }
            (Kind::Scalar(scalar), value) => {
                let checked = serde_json::value::to_raw_value(value)
                    .map(|value| data::scalar_of(*scalar, shape.stamp, field, &value, self.version));
                if let Ok(Err(Unsuitable(problem))) = checked {
                    self.problems.push(problem);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(call: &str, given: &Value) -> Vec<String> {
        let (service, action) = call.split_once(':').unwrap();
        assert_eq!(Catalogue.find(service, action), Ok(()), "{call}");
        Catalogue.check(service, action, given.as_object().unwrap(), QueryLanguage::JsonPath)
    }

    /// AWS: captured when machines were created.
    #[test]
    fn arguments_are_refused_in_the_words_of_aws() {
        let cases = [
            ("s3:putObject", json!({"Bucket": "b", "Key.$": "$.k", "Body": {"a": 1}}), vec![]),
            (
                "s3:putObject",
                json!({"Key": "k", "unknown": 1}),
                vec!["The field 'Body' is required but was missing", "The field 'Bucket' is required but was missing"],
            ),
            (
                "s3:putObject",
                json!({"Bucket": "b", "Key": "k", "Body": "b", "contentType": "t"}),
                vec!["The field \"contentType\" is not supported by Step Functions. Did you mean 'ContentType'?"],
            ),
            (
                "sqs:sendMessage",
                json!({"QueueUrl": "q", "MessageBody": "b", "MessageAttributes": {"free": {"Bogus": 1, "datatype": ""}}}),
                vec![
                    "The field \"Bogus\" is not supported by Step Functions",
                    "The field \"datatype\" is not supported by Step Functions",
                ],
            ),
            ("s3:headBucket", json!({"Bucket": 1}), vec!["The value for the field 'Bucket' must be a STRING"]),
            ("s3:headBucket", json!({"Bucket": null}), vec![]),
            (
                "sqs:sendMessage",
                json!({"QueueUrl": "q", "MessageBody": "b", "DelaySeconds": "2"}),
                vec!["The value for the field 'DelaySeconds' must be an INTEGER"],
            ),
            (
                "sqs:sendMessage",
                json!({"QueueUrl": "q", "MessageBody": "b", "DelaySeconds": 2.0}),
                vec!["The value for the field 'DelaySeconds' must be an INTEGER"],
            ),
            ("s3:headObject", json!({"Bucket": "b", "Key": "k", "PartNumber.$": "$.n"}), vec![]),
            ("dynamodb:getItem", json!({"TableName": "t", "Key": {}, "ConsistentRead": " TRUE "}), vec![]),
            ("dynamodb:getItem", json!({"TableName": "t", "Key": {}, "ConsistentRead": 0}), vec![]),
            (
                "dynamodb:getItem",
                json!({"TableName": "t", "Key": {}, "ConsistentRead": 1.0}),
                vec![
                    "Cannot deserialize value of type `java.lang.Boolean` from Floating-point value (token \
                     `JsonToken.VALUE_NUMBER_FLOAT`)",
                ],
            ),
            (
                "dynamodb:getItem",
                json!({"TableName": "t", "Key": {}, "ConsistentRead": "TrUe"}),
                vec![
                    "Cannot deserialize value of type `java.lang.Boolean` from String \"TrUe\": only \"true\" or \
                     \"false\" recognized",
                ],
            ),
            ("sfn:startExecution", json!({"StateMachineArn": "a", "Input": {"a": 1}}), vec![]),
        ];
        for (call, given, expected) in cases {
            assert_eq!(problems(call, &given), expected, "{call} {given}");
        }
    }

    #[test]
    fn arguments_of_optimised_integrations_are_checked_against_their_services() {
        let check = |call: &str, given: &Value| {
            let Ok(asl::Resource::Integration(integration)) = asl::Resource::parse(&format!("arn:aws:states:::{call}"))
            else {
                panic!("{call}");
            };
            Catalogue.check_optimised(&integration, given.as_object().unwrap(), QueryLanguage::JsonPath)
        };
        let no_such = |field: &str| format!("The field \"{field}\" is not supported by Step Functions");
        let cases = [
            ("ecs:runTask", json!({"TaskDefinition": "t", "Count": 2, "StartedBy": "me"}), vec![]),
            // AWS: captured.
            (
                "ecs:runTask.sync",
                json!({"TaskDefinition": "t", "Count.$": "$.n"}),
                vec!["The field 'Count' is not supported by Step Functions".to_owned()],
            ),
            ("ecs:runTask.waitForTaskToken", json!({"TaskDefinition": "t", "Count": 2}), vec![]),
            ("ecs:runTask", json!({"TaskDefinition": "t", "cluster": "c"}), vec![no_such("cluster")]),
            (
                "ecs:runTask",
                json!({"TaskDefinition": "t", "Overrides": {"ContainerOverrides": [{"Name": "n", "Comand": []}]}}),
                vec![no_such("Comand")],
            ),
            ("events:putEvents", json!({"Entries": [{"Detail": {"a": 1}, "DetailType": "d", "Source": "s"}]}), vec![]),
            (
                "batch:submitJob",
                json!({"JobName": "j"}),
                vec![
                    "The field 'JobDefinition' is required but was missing".to_owned(),
                    "The field 'JobQueue' is required but was missing".to_owned(),
                ],
            ),
            (
                "batch:submitJob",
                json!({"JobName": 1, "JobDefinition": "d", "JobQueue": "q"}),
                vec!["The value for the field 'JobName' must be a STRING".to_owned()],
            ),
            ("glue:startJobRun", json!({"JobName": "j", "Arguments": {"--free": "x"}}), vec![]),
            ("elasticmapreduce:addStep", json!({"ClusterId": "c", "Step": {"Name": "s", "HadoopJarStep": {}}}), vec![]),
            (
                "elasticmapreduce:addStep",
                json!({"ClusterId": "c", "Step": {"Nam": "s"}, "Steps": []}),
                vec![no_such("Nam"), no_such("Steps")],
            ),
            (
                "elasticmapreduce:terminateCluster",
                json!({}),
                vec!["The field 'ClusterId' is required but was missing".to_owned()],
            ),
            ("bedrock:invokeModel", json!({"ModelId": "m", "Body": {"a": 1}, "Input": {"S3Uri": "s3://b/k"}}), vec![]),
            // Their required token is filled.
            ("emr-serverless:createApplication", json!({"ReleaseLabel": "r", "Type": "SPARK"}), vec![]),
            ("athena:startQueryExecution.sync", json!({"QueryString": "SELECT 1"}), vec![]),
            ("emr-serverless:startApplication.sync", json!({"ApplicationId": "a"}), vec![]),
        ];
        for (call, given, expected) in cases {
            assert_eq!(check(call, &given), expected, "{call} {given}");
        }
    }

    #[test]
    fn values_that_jsonata_computes_are_not_looked_at() {
        let given = json!({"QueueUrl": "{% $url %}", "MessageBody": "b", "DelaySeconds": "{% 5 %}", "x.$": "$.x"});
        let found = Catalogue.check("sqs", "sendMessage", given.as_object().unwrap(), QueryLanguage::Jsonata);
        assert_eq!(found, ["The field \"x.$\" is not supported by Step Functions"]);
    }

    #[test]
    fn every_service_and_action_is_a_resource_with_the_prefix_of_its_client() {
        for service in Table::get().names() {
            let model = Table::get().service(service).unwrap();
            assert_eq!(asl::error_prefix(&format!("aws-sdk:{service}")), model.client);
            for action in model.actions() {
                assert_eq!(Catalogue.find(service, &action), Ok(()), "{service}:{action}");
                for pattern in ["", ".waitForTaskToken"] {
                    let arn = format!("arn:aws:states:::aws-sdk:{service}:{action}{pattern}");
                    let Ok(asl::Resource::Integration(found)) = asl::Resource::parse(&arn) else { panic!("{arn}") };
                    let call = crate::sdk::Call::find(&found).unwrap_or_else(|| panic!("{arn}"));
                    assert_eq!(call.model.client, model.client);
                }
                let sync = asl::Resource::parse(&format!("arn:aws:states:::aws-sdk:{service}:{action}.sync"));
                assert!(sync.is_err(), "{service}:{action}");
            }
        }
    }

    #[test]
    fn services_and_actions_that_there_are_not_are_told_apart() {
        assert!(matches!(Catalogue.find("s4", "getObject"), Err(UnknownCall::Service { known }) if known.len() > 400));
        let unknown = Catalogue.find("s3", "getObjekt");
        assert!(matches!(unknown, Err(UnknownCall::Action { known }) if known.contains(&"getObject".to_owned())));
        // Events are streamed; and AWS leaves the others out.
        for (service, action) in [
            ("kinesis", "subscribeToShard"),
            ("s3", "selectObjectContent"),
            ("lambda", "invokeAsync"),
            ("emr", "describeJobFlows"),
            ("sts", "assumeRole"),
        ] {
            assert!(matches!(Catalogue.find(service, action), Err(UnknownCall::Action { .. })), "{service}:{action}");
        }
    }
}
