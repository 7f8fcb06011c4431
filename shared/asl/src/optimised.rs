//! The optimised integrations, `arn:aws:states:::SERVICE:ACTION`: one row for each service, with everything that a
//! definition and the interpreter know of it. From AWS's table of integrations.
//!
//! The crate `integrations` has a row for every action that Stepwell performs, and a test there holds the two to each other.
//! Arguments of actions without fields here are checked against the services' own models, by the table's owner.

use crate::Pattern;
use crate::arguments::Holds::{self, Anything, Attributes, Headers, Structure, Text};

/// The patterns of an action beside request and response.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Also {
    Nothing,
    Sync,
    Token,
    SyncToken,
    /// `.sync`, `.sync:2` and `.waitForTaskToken`, which only one action has.
    Everything,
}

use Also::{Everything, Nothing, Sync, SyncToken, Token};

struct Service {
    /// As resources name it: `dynamodb`.
    name: &'static str,
    /// How its error names begin: `DynamoDB`.
    error_prefix: &'static str,
    actions: &'static [Action],
}

struct Action {
    name: &'static str,
    patterns: Also,
    /// AWS: the fields whose absence from `Parameters` is reported, as measured with ValidateStateMachineDefinition.
    required: &'static [&'static str],
    /// All fields, where they are known.
    fields: Option<&'static [Fields]>,
    /// False for those that are accepted, as on AWS, and fail when they run.
    is_performed: bool,
}

/// Fields by their names, and what each holds.
pub(crate) type Fields = &'static [(&'static str, Holds)];

impl Action {
    /// An action of whose arguments nothing is known here.
    const fn new(name: &'static str, patterns: Also) -> Self {
        Self { name, patterns, required: &[], fields: None, is_performed: true }
    }

    const fn unperformed(self) -> Self {
        Self { is_performed: false, ..self }
    }

    const fn requiring(self, required: &'static [&'static str]) -> Self {
        Self { required, ..self }
    }

    /// The fields are those of all these lists together.
    const fn taking(self, fields: &'static [Fields]) -> Self {
        Self { fields: Some(fields), ..self }
    }
}

const SERVICES: &[Service] = &[
    Service {
        name: "apigateway",
        error_prefix: "ApiGateway",
        actions: &[Action::new("invoke", Token).requiring(&["ApiEndpoint", "Method"]).taking(&[CALL_GATEWAY])],
    },
    Service {
        name: "athena",
        error_prefix: "Athena",
        actions: &[
            Action::new("startQueryExecution", Sync),
            Action::new("stopQueryExecution", Nothing),
            Action::new("getQueryExecution", Nothing),
            Action::new("getQueryResults", Nothing),
        ],
    },
    Service { name: "batch", error_prefix: "Batch", actions: &[Action::new("submitJob", Sync)] },
    Service {
        name: "bedrock",
        error_prefix: "Bedrock",
        actions: &[Action::new("invokeModel", Token), Action::new("createModelCustomizationJob", Sync)],
    },
    Service {
        name: "codebuild",
        error_prefix: "Codebuild",
        actions: &[
            Action::new("startBuild", Sync),
            Action::new("stopBuild", Nothing),
            Action::new("batchDeleteBuilds", Nothing),
            Action::new("batchGetReports", Nothing),
            Action::new("startBuildBatch", Sync),
            Action::new("stopBuildBatch", Nothing),
            Action::new("retryBuildBatch", Sync),
            Action::new("deleteBuildBatch", Nothing),
        ],
    },
    Service { name: "databrew", error_prefix: "Databrew", actions: &[Action::new("startJobRun", Sync)] },
    Service {
        name: "dynamodb",
        error_prefix: "DynamoDB",
        actions: &[
            Action::new("getItem", Nothing).requiring(&["TableName", "Key"]).taking(&[GET_ITEM]),
            Action::new("putItem", Nothing).requiring(&["TableName", "Item"]).taking(&[WRITE, PUT_ITEM]),
            Action::new("deleteItem", Nothing).taking(&[WRITE, DELETE_ITEM]),
            Action::new("updateItem", Nothing).taking(&[WRITE, UPDATE_ITEM]),
        ],
    },
    Service {
        name: "ecs",
        error_prefix: "ECS",
        actions: &[Action::new("runTask", SyncToken).requiring(&["TaskDefinition"])],
    },
    Service {
        name: "eks",
        error_prefix: "Eks",
        actions: &[
            Action::new("call", Token).unperformed(),
            Action::new("runJob", SyncToken).unperformed(),
            Action::new("createCluster", Sync),
            Action::new("deleteCluster", Sync),
            Action::new("createFargateProfile", Sync),
            Action::new("deleteFargateProfile", Sync),
            Action::new("createNodegroup", Sync),
            Action::new("deleteNodegroup", Sync),
        ],
    },
    Service {
        name: "elasticmapreduce",
        error_prefix: "Elasticmapreduce",
        actions: &[
            Action::new("createCluster", Sync),
            Action::new("setClusterTerminationProtection", Nothing),
            Action::new("terminateCluster", Sync),
            Action::new("addStep", Sync),
            Action::new("cancelStep", Nothing),
            Action::new("modifyInstanceFleetByName", Nothing).unperformed(),
            Action::new("modifyInstanceGroupByName", Nothing).unperformed(),
        ],
    },
    Service {
        name: "emr-containers",
        error_prefix: "Emr-containers",
        actions: &[
            Action::new("createVirtualCluster", Nothing),
            Action::new("deleteVirtualCluster", Sync),
            Action::new("startJobRun", Sync),
        ],
    },
    Service {
        name: "emr-serverless",
        error_prefix: "Emr-serverless",
        actions: &[
            Action::new("createApplication", Sync),
            Action::new("startApplication", Sync),
            Action::new("stopApplication", Sync),
            Action::new("deleteApplication", Sync),
            Action::new("startJobRun", Sync),
            Action::new("cancelJobRun", Sync),
        ],
    },
    Service {
        name: "events",
        error_prefix: "EventBridge",
        actions: &[Action::new("putEvents", Token).requiring(&["Entries"])],
    },
    Service {
        name: "glue",
        error_prefix: "Glue",
        actions: &[Action::new("startJobRun", Sync).requiring(&["JobName"])],
    },
    Service {
        name: "http",
        error_prefix: "Http",
        actions: &[Action::new("invoke", Nothing).requiring(&["ApiEndpoint", "Method"]).taking(&[CALL_API])],
    },
    Service {
        name: "lambda",
        error_prefix: "Lambda",
        actions: &[Action::new("invoke", Token).requiring(&["FunctionName"]).taking(&[INVOKE])],
    },
    Service { name: "mediaconvert", error_prefix: "Mediaconvert", actions: &[Action::new("createJob", Sync)] },
    Service {
        name: "sagemaker",
        error_prefix: "Sagemaker",
        actions: &[
            Action::new("createEndpoint", Nothing),
            Action::new("createEndpointConfig", Nothing),
            Action::new("createHyperParameterTuningJob", Sync),
            Action::new("createLabelingJob", Sync),
            Action::new("createModel", Nothing),
            Action::new("createProcessingJob", Sync),
            Action::new("createTrainingJob", Sync),
            Action::new("createTransformJob", Sync),
            Action::new("updateEndpoint", Nothing),
        ],
    },
    Service {
        name: "sns",
        error_prefix: "SNS",
        actions: &[Action::new("publish", Token).requiring(&["Message"]).taking(&[PUBLISH])],
    },
    Service {
        name: "sqs",
        error_prefix: "SQS",
        actions: &[Action::new("sendMessage", Token).requiring(&["QueueUrl", "MessageBody"]).taking(&[SEND_MESSAGE])],
    },
    Service {
        name: "states",
        error_prefix: "StepFunctions",
        actions: &[Action::new("startExecution", Everything).requiring(&["StateMachineArn"])],
    },
];

const INVOKE: Fields = &[
    ("ClientContext", Text),
    ("FunctionName", Text),
    ("InvocationType", Text),
    ("LogType", Text),
    ("Payload", Anything),
    ("Qualifier", Text),
];
// AWS: as documented; which are required, and in which words, is unverified.
const CALL_API: Fields = &[
    ("ApiEndpoint", Text),
    ("Authentication", Structure),
    ("Headers", Headers(NOT_TO_APIS)),
    ("InvocationConfig", Structure),
    ("Method", Text),
    ("QueryParameters", Structure),
    ("RequestBody", Anything),
    ("Transform", Structure),
];
const CALL_GATEWAY: Fields = &[
    ("AllowNullValues", Anything),
    ("ApiEndpoint", Text),
    ("AuthType", Text),
    ("Headers", Headers(NOT_TO_GATEWAYS)),
    ("Method", Text),
    ("Path", Text),
    ("QueryParameters", Structure),
    ("RequestBody", Anything),
    ("Stage", Text),
];
/// Headers that tasks do not send, in small letters; `*` stands for any end.
// AWS: as documented, and `authorization` as captured.
const NOT_TO_APIS: &[&str] = &[
    "a-im",
    "accept-charset",
    "accept-datetime",
    "accept-encoding",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-md5",
    "date",
    "expect",
    "forwarded",
    "from",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authorization",
    "referer",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "warning",
    "x-forwarded-*",
    "x-amz-*",
    "x-amzn-*",
];
const NOT_TO_GATEWAYS: &[&str] = &[
    "authorization",
    "connection",
    "content-md5",
    "expect",
    "host",
    "max-forwards",
    "proxy-authenticate",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "www-authenticate",
    "x-forwarded*",
    "x-amz*",
];
const SEND_MESSAGE: Fields = &[
    ("DelaySeconds", Anything),
    ("MessageAttributes", Structure),
    ("MessageBody", Anything),
    ("MessageDeduplicationId", Text),
    ("MessageGroupId", Text),
    ("MessageSystemAttributes", Structure),
    ("QueueUrl", Text),
];
const PUBLISH: Fields = &[
    ("Message", Anything),
    ("MessageAttributes", Structure),
    ("MessageDeduplicationId", Text),
    ("MessageGroupId", Text),
    ("MessageStructure", Text),
    ("PhoneNumber", Text),
    ("Subject", Text),
    ("TargetArn", Text),
    ("TopicArn", Text),
];
const GET_ITEM: Fields = &[
    ("AttributesToGet", Structure),
    ("ConsistentRead", Anything),
    ("ExpressionAttributeNames", Structure),
    ("Key", Attributes),
    ("ProjectionExpression", Text),
    ("ReturnConsumedCapacity", Text),
    ("TableName", Text),
];
/// Common to the three actions that write.
const WRITE: Fields = &[
    ("ConditionExpression", Text),
    ("ConditionalOperator", Text),
    ("Expected", Structure),
    ("ExpressionAttributeNames", Structure),
    ("ExpressionAttributeValues", Attributes),
    ("ReturnConsumedCapacity", Text),
    ("ReturnItemCollectionMetrics", Text),
    ("ReturnValues", Text),
    ("ReturnValuesOnConditionCheckFailure", Text),
    ("TableName", Text),
];
const PUT_ITEM: Fields = &[("Item", Attributes)];
const DELETE_ITEM: Fields = &[("Key", Attributes)];
const UPDATE_ITEM: Fields = &[("AttributeUpdates", Structure), ("Key", Attributes), ("UpdateExpression", Text)];

/// The clients of the SDK whose names have more than one capital; `integrations/table/generate.py` writes them.
const SDK_CLIENTS: &str = include_str!("sdk_clients.txt");

fn service(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.name == name)
}

fn action(service_name: &str, name: &str) -> Option<&'static Action> {
    service(service_name)?.actions.iter().find(|action| action.name == name)
}

pub(crate) fn supports(service: &str, name: &str, pattern: Pattern) -> bool {
    action(service, name).is_some_and(|action| match pattern {
        Pattern::RequestResponse => true,
        Pattern::Sync => matches!(action.patterns, Sync | SyncToken | Everything),
        Pattern::Sync2 => action.patterns == Everything,
        Pattern::WaitForTaskToken => matches!(action.patterns, Token | SyncToken | Everything),
    })
}

pub(crate) fn required_parameters(service: &str, name: &str) -> &'static [&'static str] {
    action(service, name).map_or(&[], |action| action.required)
}

/// The fields of an action and what they hold; `None` where they are not known.
pub(crate) fn fields(service: &str, name: &str) -> Option<&'static [Fields]> {
    action(service, name)?.fields
}

/// The actions that Stepwell performs, by service and name, in the order of their services.
pub fn performed_actions() -> impl Iterator<Item = (&'static str, &'static str)> {
    SERVICES.iter().flat_map(|service| {
        let performed = service.actions.iter().filter(|action| action.is_performed);
        performed.map(|action| (service.name, action.name))
    })
}

/// The first part of the error names of a service, as resources name it: `Lambda` of `lambda`, `S3` of `aws-sdk:s3`.
pub fn error_prefix(name: &str) -> String {
    match name.strip_prefix("aws-sdk:") {
        None => service(name).map_or_else(|| capitalised(name), |service| service.error_prefix.to_owned()),
        // AWS: the name of the client in the SDK for Java v2, as in `DynamoDb`.
        Some(client) => {
            let known = SDK_CLIENTS.lines().find(|name| name.eq_ignore_ascii_case(client));
            known.map_or_else(|| capitalised(client), str::to_owned)
        }
    }
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_begin_with_the_name_of_the_client() {
        let cases = [
            ("dynamodb", "DynamoDB"),
            ("events", "EventBridge"),
            ("lambda", "Lambda"),
            ("aws-sdk:dynamodb", "DynamoDb"),
            ("aws-sdk:eventbridge", "EventBridge"),
            ("aws-sdk:s3", "S3"),
            ("aws-sdk:cloudwatchlogs", "CloudWatchLogs"),
            ("aws-sdk:unheardof", "Unheardof"),
        ];
        for (service, prefix) in cases {
            assert_eq!(error_prefix(service), prefix, "{service}");
        }
    }
}
