//! The check of a mocked result against the model of the API that would have answered: names, types and bounds.
//!
//! Members and types are those of the table of services; the bounds are in `table/results.bin`, of which the block of a
//! service is read when one of its mocks is checked, and not kept. A mock of a task that waits for a job is held against the
//! call that asks for the job's state. Deliberately absent: patterns of texts, and APIs without a model.

use std::collections::BTreeMap;

use asl::{Integration, Pattern, Required};
use serde_json::Value;

use super::PREFIX;
use super::model::{Kind, Member, Model, Scalar, ShapeId, Version};
use super::table::{Reader, Table};
use crate::optimised::Service;

const FILE: &[u8] = include_bytes!("../../table/results.bin");
const MAGIC: &[u8] = b"stepwell results 1\n";
/// Bytes of the largest block, unpacked.
const LARGEST: usize = 4 << 20;

/// The calls that ask for the state of the jobs of `.sync` tasks: service, action, and the call.
// AWS: that mocks are held against them is documented; which they are is from the services' own documentation.
const POLLED: [(&str, &str, &str); 33] = [
    ("states", "startExecution", "describeExecution"),
    ("ecs", "runTask", "describeTasks"),
    ("batch", "submitJob", "describeJobs"),
    ("glue", "startJobRun", "getJobRun"),
    ("codebuild", "startBuild", "batchGetBuilds"),
    ("codebuild", "retryBuild", "batchGetBuilds"),
    ("codebuild", "startBuildBatch", "batchGetBuildBatches"),
    ("codebuild", "retryBuildBatch", "batchGetBuildBatches"),
    ("athena", "startQueryExecution", "getQueryExecution"),
    ("elasticmapreduce", "createCluster", "describeCluster"),
    ("elasticmapreduce", "terminateCluster", "describeCluster"),
    ("elasticmapreduce", "addStep", "describeStep"),
    ("emr-containers", "startJobRun", "describeJobRun"),
    ("emr-containers", "deleteVirtualCluster", "describeVirtualCluster"),
    ("emr-serverless", "createApplication", "getApplication"),
    ("emr-serverless", "startApplication", "getApplication"),
    ("emr-serverless", "stopApplication", "getApplication"),
    ("emr-serverless", "deleteApplication", "getApplication"),
    ("emr-serverless", "startJobRun", "getJobRun"),
    ("databrew", "startJobRun", "listJobRuns"),
    ("eks", "createCluster", "describeCluster"),
    ("eks", "deleteCluster", "describeCluster"),
    ("eks", "createNodegroup", "describeNodegroup"),
    ("eks", "deleteNodegroup", "describeNodegroup"),
    ("eks", "createFargateProfile", "describeFargateProfile"),
    ("eks", "deleteFargateProfile", "describeFargateProfile"),
    ("sagemaker", "createTrainingJob", "describeTrainingJob"),
    ("sagemaker", "createTransformJob", "describeTransformJob"),
    ("sagemaker", "createProcessingJob", "describeProcessingJob"),
    ("sagemaker", "createLabelingJob", "describeLabelingJob"),
    ("sagemaker", "createHyperParameterTuningJob", "describeHyperParameterTuningJob"),
    ("mediaconvert", "createJob", "getJob"),
    ("bedrock", "createModelCustomizationJob", "getModelCustomizationJob"),
];

/// The objection to a mocked result, in AWS's words.
pub(crate) fn check(on: &Integration, result: &Value, required: Required) -> Option<String> {
    let (client, action) = answering(on)?;
    let model = Table::get().service(client)?;
    let output = model.operation(action)?.output?;
    let bounds = bounds(client).unwrap_or_default();
    let version = if on.service.starts_with(PREFIX) { Version::Two } else { Version::One };
    Checking { model: &model, bounds, required, version }.value(result, output, None).err()
}

/// The client and the action whose answer the task would have; `None` where it has no model: the answer of a task that
/// waits for a token is whatever a client sends.
fn answering(on: &Integration) -> Option<(&str, &str)> {
    if let Some(client) = on.service.strip_prefix(PREFIX) {
        return (on.pattern == Pattern::RequestResponse).then_some((client, on.action.as_str()));
    }
    let (service, action) = (on.service.as_str(), on.action.as_str());
    let (client, operation) = match (service, Service::find(on)) {
        (_, Some((row, found))) => (row.model, found.operation),
        ("lambda", None) => ("lambda", action),
        ("states", None) => ("sfn", action),
        (_, None) => return None,
    };
    match on.pattern {
        Pattern::RequestResponse => Some((client, operation)),
        Pattern::Sync | Pattern::Sync2 => {
            let polled = POLLED.iter().find(|(known, started, _)| (*known, *started) == (service, action));
            polled.map(|(_, _, asked)| (client, *asked))
        }
        Pattern::WaitForTaskToken => None,
    }
}

/// The bounds of a value.
#[derive(Debug)]
enum Bounds {
    Number { least: String, most: String },
    Length { least: usize, most: Option<usize>, values: Vec<String> },
}

/// By the number of the shape that holds the value, and the number of its member.
type Places = BTreeMap<(u32, usize), usize>;

#[derive(Debug, Default)]
struct BoundsOf {
    all: Vec<Bounds>,
    places: Places,
}

struct Checking<'m> {
    model: &'m Model,
    bounds: BoundsOf,
    required: Required,
    /// Whose names the result has.
    version: Version,
}

impl Checking<'_> {
    /// `field` is the name that the value has in the mock. Recursion is as deep as JSON may nest.
    fn value(&self, value: &Value, id: ShapeId, field: Option<&str>) -> Result<(), String> {
        let shape = self.model.shape(id);
        let field = field.unwrap_or_default();
        if shape.document {
            return Ok(());
        }
        match &shape.kind {
            Kind::Structure { members, .. } => self.structure(value, id, members, field),
            Kind::List { item, .. } => {
                let Value::Array(items) = value else { return Err(wrong(field, "an array")) };
                items.iter().try_for_each(|one| self.bounded(one, (id, 0), *item, field))
            }
            Kind::Map { value: of, .. } => {
                let Value::Object(members) = value else { return Err(wrong(field, "an object")) };
                members.values().try_for_each(|one| self.bounded(one, (id, 0), *of, field))
            }
            Kind::Scalar(scalar) => {
                let (fits, wanted) = match scalar {
                    Scalar::String | Scalar::Timestamp | Scalar::Blob => (value.is_string(), "a string"),
                    Scalar::Integer | Scalar::Long | Scalar::Double | Scalar::Float => (value.is_number(), "a number"),
                    Scalar::Boolean => (value.is_boolean(), "a boolean"),
                };
                if fits { Ok(()) } else { Err(wrong(field, wanted)) }
            }
        }
    }

    /// AWS: what the model does not know passes.
    fn structure(&self, value: &Value, id: ShapeId, members: &[Member], field: &str) -> Result<(), String> {
        let Value::Object(given) = value else { return Err(wrong(field, "an object")) };
        let missing = |member: &&Member| member.required && !given.keys().any(|key| self.is_called(member, key));
        if self.required == Required::Asked
            && let Some(member) = members.iter().find(missing)
        {
            return Err(format!("Required field '{}' is missing", self.model.shown(member, self.version)));
        }
        for (key, value) in given {
            if let Some(slot) = members.iter().position(|member| self.is_called(member, key))
                && let Some(member) = members.get(slot)
            {
                self.bounded(value, (id, slot), member.shape, key)?;
            }
        }
        Ok(())
    }

    fn is_called(&self, member: &Member, key: &str) -> bool {
        self.model.shown(member, self.version) == key
    }

    fn bounded(&self, value: &Value, (holder, slot): (ShapeId, usize), of: ShapeId, field: &str) -> Result<(), String> {
        self.value(value, of, Some(field))?;
        let number = self.bounds.places.get(&(holder.number(), slot));
        number.and_then(|number| self.bounds.all.get(*number)).map_or(Ok(()), |bounds| bounds.check(value, field))
    }
}

impl Bounds {
    fn check(&self, value: &Value, field: &str) -> Result<(), String> {
        let problem = match self {
            Bounds::Number { least, most } => {
                let (given, limit) = (value.as_f64(), |text: &String| text.parse::<f64>().ok());
                match given {
                    Some(given) if limit(least).is_some_and(|least| given < least) => "is less than the minimum value",
                    Some(given) if limit(most).is_some_and(|most| given > most) => "exceeds the maximum value",
                    Some(_) | None => return Ok(()),
                }
            }
            Bounds::Length { least, most, values } => {
                let length = match value {
                    Value::String(text) => text.chars().count(),
                    Value::Array(items) => items.len(),
                    _ => return Ok(()),
                };
                let is_other = value.as_str().is_some_and(|text| !values.iter().any(|known| known == text));
                if !values.is_empty() && is_other {
                    "is not an expected value"
                } else if length < *least {
                    "is smaller than the minimum length"
                } else if most.is_some_and(|most| length > most) {
                    // AWS: unverified wording.
                    "exceeds the maximum length"
                } else {
                    return Ok(());
                }
            }
        };
        Err(format!("Field '{field}' {problem}"))
    }

    fn read(reader: &mut Reader<'_>, texts: &[&str]) -> Option<Bounds> {
        let text = |number: usize| texts.get(number).map(|text| (*text).to_owned());
        if reader.number()? == 0 {
            return Some(Bounds::Number { least: text(reader.number()?)?, most: text(reader.number()?)? });
        }
        let (least, most) = (reader.number()?.checked_sub(1)?, reader.number()?.checked_sub(1));
        let count = reader.count()?;
        let values = (0..count).map(|_| text(reader.number()?)).collect::<Option<_>>()?;
        Some(Bounds::Length { least, most, values })
    }
}

fn wrong(field: &str, wanted: &str) -> String {
    format!("Field '{field}' must be {wanted}")
}

/// The bounds of a service; `None` where it has none, or the file is damaged.
fn bounds(client: &str) -> Option<BoundsOf> {
    let mut reader = Reader(FILE.strip_prefix(MAGIC)?);
    let mut found = None;
    for _ in 0..reader.number()? {
        let name = reader.text()?;
        let place = (reader.number()?, reader.number()?, reader.number()?);
        if name == client {
            found = Some(place);
        }
    }
    let (start, length, unpacked) = found?;
    let packed = reader.0.get(start..start.checked_add(length)?)?;
    let block = lz4_flex::block::decompress(packed, unpacked.min(LARGEST)).ok()?;
    read_block(&block)
}

fn read_block(block: &[u8]) -> Option<BoundsOf> {
    let mut reader = Reader(block);
    let count = reader.count()?;
    let texts: Vec<&str> = (0..count).map(|_| reader.text()).collect::<Option<_>>()?;
    let count = reader.count()?;
    let all = (0..count).map(|_| Bounds::read(&mut reader, &texts)).collect::<Option<_>>()?;
    let (mut places, mut shape) = (Places::new(), 0_u32);
    for _ in 0..reader.count()? {
        shape = shape.checked_add(u32::try_from(reader.number()?).ok()?)?;
        places.insert((shape, reader.number()?), reader.number()?);
    }
    Some(BoundsOf { all, places })
}

#[cfg(test)]
mod tests {
    use asl::Resource;
    use serde_json::json;

    use super::*;

    fn problem(resource: &str, result: Value, required: Required) -> Option<String> {
        let Ok(Resource::Integration(on)) = Resource::parse(&format!("arn:aws:states:::{resource}")) else {
            panic!("{resource}")
        };
        check(&on, &result, required)
    }

    #[test]
    fn a_mock_is_held_against_the_model_of_its_api() {
        use Required::{Asked, NotAsked};
        for (resource, result, required, expected) in [
            ("aws-sdk:kms:decrypt", json!({"Plaintext": 7}), Asked, "Field 'Plaintext' must be a string"),
            (
                "aws-sdk:lambda:listFunctions",
                json!({"Functions": [{"Timeout": 0}]}),
                NotAsked,
                "Field 'Timeout' is less than the minimum value",
            ),
            (
                "aws-sdk:s3:headObject",
                json!({"StorageClass": "CLAY"}),
                NotAsked,
                "Field 'StorageClass' is not an expected value",
            ),
            (
                "dynamodb:getItem",
                json!({"Item": {"a": {"M": {"b": {"BOOL": "x"}}}}}),
                Asked,
                "Field 'Bool' must be a boolean",
            ),
            ("sqs:sendMessage", json!({"MD5OfMessageBody": []}), Asked, "Field 'MD5OfMessageBody' must be a string"),
            (
                "states:startExecution.sync:2",
                json!({"ExecutionArn": "a", "StartDate": "d", "Status": "FAILED"}),
                Asked,
                "Required field 'StateMachineArn' is missing",
            ),
            ("events:putEvents", json!({"Entries": {}}), Asked, "Field 'Entries' must be an array"),
        ] {
            let found = problem(resource, result, required);
            if resource == "dynamodb:getItem" {
                assert!(found.is_some_and(|found| found.ends_with("must be a boolean")));
            } else {
                assert_eq!(found.as_deref(), Some(expected), "{resource}");
            }
        }
        for (resource, result) in [
            ("states:startExecution.sync:2", json!({})),
            ("events:putEvents", json!({"other": 1, "FailedEntryCount": 0})),
            ("aws-sdk:dynamodb:getItem", json!({"Item": {"a": {"S": "x"}}})),
            ("sqs:sendMessage.waitForTaskToken", json!({"MessageId": 1})),
            ("http:invoke", json!({"StatusCode": "x"})),
        ] {
            assert_eq!(problem(resource, result, NotAsked), None, "{resource}");
        }
    }

    #[test]
    fn every_polled_call_and_every_service_with_bounds_is_in_the_table() {
        for (service, action, _) in POLLED {
            let sync = format!("{service}:{action}.sync");
            let Ok(Resource::Integration(on)) = Resource::parse(&format!("arn:aws:states:::{sync}")) else { continue };
            let (client, asked) = answering(&on).unwrap();
            let model = Table::get().service(client).unwrap_or_else(|| panic!("{client}"));
            assert!(model.operation(asked).is_some_and(|operation| operation.output.is_some()), "{client}:{asked}");
        }
        let bounded = Table::get().names().filter(|name| bounds(name).is_some()).count();
        assert_eq!(bounded, Table::get().names().count());
    }

    #[test]
    fn damaged_bounds_are_no_danger() {
        let whole = bounds("kms").unwrap();
        assert!(!whole.places.is_empty() && whole.places.values().all(|number| *number < whole.all.len()));
        let block = [1, 1, b'a', 1, 1, 1, 0, 1, 0, 1, 3, 0, 0];
        assert!(read_block(&block).is_some());
        for length in 0..block.len() {
            assert!(read_block(&block[..length]).is_none());
        }
        for place in 0..block.len() {
            let mut damaged = block;
            damaged[place] ^= 0xff;
            let _read = read_block(&damaged);
        }
    }
}
