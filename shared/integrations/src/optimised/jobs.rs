//! The services whose actions take the arguments of the API and answer as it does: most of them start jobs.

use super::{Action, Arguments, Service, written};
use crate::json;
use crate::sdk::answer::Lists;

pub(crate) const ATHENA: Service = Service::plain(
    "athena",
    ("athena", "AmazonAthena", "AmazonAthenaException"),
    &[
        Action::of("startQueryExecution"),
        Action::of("stopQueryExecution"),
        Action::of("getQueryExecution"),
        Action::of("getQueryResults"),
    ],
);

/// AWS: the prefix of its errors and the general one are as authors report them.
pub(crate) const BATCH: Service = Service {
    arguments: |_, arguments, _| Ok(managed(arguments)),
    ..Service::plain("batch", ("batch", "AWSBatch", "AWSBatchException"), &[Action::of("submitJob")])
};

pub(crate) const CODEBUILD: Service = Service::plain(
    "codebuild",
    ("codebuild", "AWSCodeBuild", "AWSCodeBuildException"),
    &[
        Action::of("startBuild"),
        Action::of("stopBuild"),
        Action::of("batchDeleteBuilds"),
        Action::of("batchGetReports"),
        Action::of("startBuildBatch"),
        Action::of("stopBuildBatch"),
        Action::of("retryBuildBatch"),
        Action::of("deleteBuildBatch"),
    ],
);

pub(crate) const DATABREW: Service = Service::plain(
    "databrew",
    ("databrew", "AWSGlueDataBrew", "AWSGlueDataBrewException"),
    &[Action::of("startJobRun")],
);

/// AWS: lists that the answer does not have are shown, empty.
pub(crate) const ECS: Service = Service {
    lists: Lists::Shown,
    // AWS: captured when machines were created.
    excluded_from_jobs: &["StartedBy", "Count"],
    ..Service::plain("ecs", ("ecs", "AmazonECS", "AmazonECSException"), &[Action::of("runTask")])
};

pub(crate) const EKS: Service = Service::plain(
    "eks",
    ("eks", "AmazonEKS", "AmazonEKSException"),
    &[
        Action::of("createCluster"),
        Action::of("deleteCluster"),
        Action::of("createFargateProfile"),
        Action::of("deleteFargateProfile"),
        Action::of("createNodegroup"),
        Action::of("deleteNodegroup"),
    ],
);

pub(crate) const EMR_CONTAINERS: Service = Service::plain(
    "emr-containers",
    ("emrcontainers", "AmazonEMRContainers", "AmazonEMRContainersException"),
    &[Action::of("createVirtualCluster"), Action::of("deleteVirtualCluster"), Action::of("startJobRun")],
);

pub(crate) const EMR_SERVERLESS: Service = Service::plain(
    "emr-serverless",
    ("emrserverless", "AWSEMRServerless", "AWSEMRServerlessException"),
    &[
        Action::of("createApplication"),
        Action::of("startApplication"),
        Action::of("stopApplication"),
        Action::of("deleteApplication"),
        Action::of("startJobRun"),
        Action::of("cancelJobRun"),
    ],
);

pub(crate) const GLUE: Service =
    Service::plain("glue", ("glue", "AWSGlue", "AWSGlueException"), &[Action::of("startJobRun")]);

pub(crate) const MEDIACONVERT: Service = Service::plain(
    "mediaconvert",
    ("mediaconvert", "AWSMediaConvert", "AWSMediaConvertException"),
    &[Action::of("createJob")],
);

pub(crate) const SAGEMAKER: Service = Service::plain(
    "sagemaker",
    ("sagemaker", "AmazonSageMaker", "AmazonSageMakerException"),
    &[
        Action::of("createEndpoint"),
        Action::of("createEndpointConfig"),
        Action::of("createHyperParameterTuningJob"),
        Action::of("createLabelingJob"),
        Action::of("createModel"),
        Action::of("createProcessingJob"),
        Action::of("createTrainingJob"),
        Action::of("createTransformJob"),
        Action::of("updateEndpoint"),
    ],
);

/// The arguments of a job of Batch, whose container sees in its environment that Step Functions started it.
// AWS: unverified; an emulator whose tests were recorded from AWS does so.
fn managed(arguments: &Arguments<'_>) -> String {
    const MARK: &str = r#"{"Name":"MANAGED_BY_AWS","Value":"STARTED_BY_STEP_FUNCTIONS"}"#;
    const OVERRIDES: &str = "ContainerOverrides";
    let elsewhere = |name: &String| name.ends_with("Override") || name == "NodeOverrides";
    let mut members: Vec<(&str, String)> =
        arguments.iter().map(|(name, value)| (name.as_str(), value.get().to_owned())).collect();
    if arguments.keys().any(elsewhere) {
        return written(members.into_iter());
    }
    let given = arguments.get(OVERRIDES).map_or("{}", |value| value.get());
    // What is no object is refused with the other arguments.
    if let Some(overrides) = json::object(given) {
        let environment = overrides.get("Environment").and_then(|value| json::items(value)).unwrap_or_default();
        let environment: Vec<&str> = environment.iter().map(|item| item.get()).chain([MARK]).collect();
        let others = overrides.iter().filter(|(name, _)| *name != "Environment");
        let others = others.map(|(name, value)| (name.as_str(), value.get().to_owned()));
        let environment = ("Environment", format!("[{}]", environment.join(",")));
        members.retain(|(name, _)| *name != OVERRIDES);
        members.push((OVERRIDES, written(others.chain([environment]))));
    }
    written(members.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_of_a_batch_job_sees_that_step_functions_started_it() {
        let mark = r#"{"Name":"MANAGED_BY_AWS","Value":"STARTED_BY_STEP_FUNCTIONS"}"#;
        let cases = [
            (r#"{"JobName":"j"}"#, format!(r#"{{"JobName":"j","ContainerOverrides":{{"Environment":[{mark}]}}}}"#)),
            (
                r#"{"ContainerOverrides":{"Vcpus":1,"Environment":[{"Name":"A","Value":"b"}]}}"#,
                format!(r#"{{"ContainerOverrides":{{"Vcpus":1,"Environment":[{{"Name":"A","Value":"b"}},{mark}]}}}}"#),
            ),
            (r#"{"NodeOverrides":{}}"#, r#"{"NodeOverrides":{}}"#.to_owned()),
            (r#"{"ContainerOverrides":7}"#, r#"{"ContainerOverrides":7}"#.to_owned()),
        ];
        for (given, expected) in cases {
            assert_eq!(managed(&json::object(given).unwrap()), expected, "{given}");
        }
    }
}
