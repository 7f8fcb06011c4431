//! The optimised integrations: what `arn:aws:states:::SERVICE:ACTION` may name, with which patterns, and which
//! parameters they cannot do without. From AWS's table of integrations.

use crate::Pattern;

/// Which patterns an action has beside request and response.
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

const ACTIONS: &[(&str, &[(&str, Also)])] = &[
    ("apigateway", &[("invoke", Token)]),
    (
        "athena",
        &[
            ("startQueryExecution", Sync),
            ("stopQueryExecution", Nothing),
            ("getQueryExecution", Nothing),
            ("getQueryResults", Nothing),
        ],
    ),
    ("batch", &[("submitJob", Sync)]),
    ("bedrock", &[("invokeModel", Token), ("createModelCustomizationJob", Sync)]),
    (
        "codebuild",
        &[
            ("startBuild", Sync),
            ("stopBuild", Nothing),
            ("batchDeleteBuilds", Nothing),
            ("batchGetReports", Nothing),
            ("startBuildBatch", Sync),
            ("stopBuildBatch", Nothing),
            ("retryBuildBatch", Sync),
            ("deleteBuildBatch", Nothing),
        ],
    ),
    ("databrew", &[("startJobRun", Sync)]),
    ("dynamodb", &[("getItem", Nothing), ("putItem", Nothing), ("deleteItem", Nothing), ("updateItem", Nothing)]),
    ("ecs", &[("runTask", SyncToken)]),
    (
        "eks",
        &[
            ("call", Token),
            ("runJob", SyncToken),
            ("createCluster", Sync),
            ("deleteCluster", Sync),
            ("createFargateProfile", Sync),
            ("deleteFargateProfile", Sync),
            ("createNodegroup", Sync),
            ("deleteNodegroup", Sync),
        ],
    ),
    (
        "elasticmapreduce",
        &[
            ("createCluster", Sync),
            ("setClusterTerminationProtection", Nothing),
            ("terminateCluster", Sync),
            ("addStep", Sync),
            ("cancelStep", Nothing),
            ("modifyInstanceFleetByName", Nothing),
            ("modifyInstanceGroupByName", Nothing),
        ],
    ),
    ("emr-containers", &[("createVirtualCluster", Nothing), ("deleteVirtualCluster", Sync), ("startJobRun", Sync)]),
    (
        "emr-serverless",
        &[
            ("createApplication", Sync),
            ("startApplication", Sync),
            ("stopApplication", Sync),
            ("deleteApplication", Sync),
            ("startJobRun", Sync),
            ("cancelJobRun", Sync),
        ],
    ),
    ("events", &[("putEvents", Token)]),
    ("glue", &[("startJobRun", Sync)]),
    ("http", &[("invoke", Nothing)]),
    ("lambda", &[("invoke", Token)]),
    ("mediaconvert", &[("createJob", Sync)]),
    (
        "sagemaker",
        &[
            ("createEndpoint", Nothing),
            ("createEndpointConfig", Nothing),
            ("createHyperParameterTuningJob", Sync),
            ("createLabelingJob", Sync),
            ("createModel", Nothing),
            ("createProcessingJob", Sync),
            ("createTrainingJob", Sync),
            ("createTransformJob", Sync),
            ("updateEndpoint", Nothing),
        ],
    ),
    ("sns", &[("publish", Token)]),
    ("sqs", &[("sendMessage", Token)]),
    ("states", &[("startExecution", Everything)]),
];

/// AWS: the fields whose absence from `Parameters` is reported, as measured with ValidateStateMachineDefinition.
const REQUIRED: &[(&str, &str, &[&str])] = &[
    ("dynamodb", "getItem", &["TableName", "Key"]),
    ("dynamodb", "putItem", &["TableName", "Item"]),
    ("ecs", "runTask", &["TaskDefinition"]),
    ("events", "putEvents", &["Entries"]),
    ("glue", "startJobRun", &["JobName"]),
    ("lambda", "invoke", &["FunctionName"]),
    ("sns", "publish", &["Message"]),
    ("sqs", "sendMessage", &["QueueUrl", "MessageBody"]),
    ("states", "startExecution", &["StateMachineArn"]),
];

pub(crate) fn supports(service: &str, action: &str, pattern: Pattern) -> bool {
    let actions = ACTIONS.iter().find(|(name, _)| *name == service).map(|(_, actions)| *actions);
    let also = actions.into_iter().flatten().find(|(name, _)| *name == action).map(|(_, also)| *also);
    also.is_some_and(|also| match pattern {
        Pattern::RequestResponse => true,
        Pattern::Sync => matches!(also, Sync | SyncToken | Everything),
        Pattern::Sync2 => also == Everything,
        Pattern::WaitForTaskToken => matches!(also, Token | SyncToken | Everything),
    })
}

pub(crate) fn required_parameters(service: &str, action: &str) -> &'static [&'static str] {
    REQUIRED.iter().find(|(own, name, _)| *own == service && *name == action).map_or(&[], |(_, _, fields)| fields)
}
