//! The jobs of the optimised integrations, one row each.
//!
//! Which states are final is in the services' models. AWS: unverified where nothing else is said: which of them fail a task,
//! what of the last answer is its result, and by which operation a job is cancelled.

use super::Value::{Answered, Given, OneOf, Text};
use super::{Job, Judge, Request, Shape, Value};

/// The reason that services are given.
const ABORTED: Value = Text("The task of AWS Step Functions that started this was aborted or timed out.");

const fn request(operation: &'static str, arguments: &'static [(&'static str, Value)]) -> Request {
    Request { operation, arguments }
}

const fn status(
    at: &'static [&'static str],
    succeeded: &'static [&'static str],
    failed: &'static [&'static str],
) -> Judge {
    Judge::Status { at, succeeded, failed }
}

const SUBJECT: Shape = Shape::Subject { without: &[] };

pub(super) const JOBS: &[Job] = &[
    Job {
        service: "states",
        action: "startExecution",
        poll: request("describeExecution", &[("ExecutionArn", Answered(&["ExecutionArn"]))]),
        subject: &[],
        judge: status(&["Status"], &["SUCCEEDED"], &["FAILED", "TIMED_OUT", "ABORTED"]),
        cancel: Some(request("stopExecution", &[("ExecutionArn", Answered(&["ExecutionArn"]))])),
        result: Shape::Execution,
    },
    Job {
        service: "ecs",
        action: "runTask",
        poll: request(
            "describeTasks",
            &[("Cluster", Answered(&["Tasks", "0", "ClusterArn"])), ("Tasks", OneOf(&["Tasks", "0", "TaskArn"]))],
        ),
        subject: &["Tasks", "0"],
        judge: Judge::Containers,
        cancel: Some(request(
            "stopTask",
            &[
                ("Cluster", Answered(&["Tasks", "0", "ClusterArn"])),
                ("Task", Answered(&["Tasks", "0", "TaskArn"])),
                ("Reason", ABORTED),
            ],
        )),
        // AWS: what the event of the service has of the task (captured in 2026).
        result: Shape::Subject { without: &["PlatformFamily", "FargateEphemeralStorage"] },
    },
    Job {
        service: "batch",
        action: "submitJob",
        poll: request("describeJobs", &[("Jobs", OneOf(&["JobId"]))]),
        subject: &["Jobs", "0"],
        judge: status(&["Status"], &["SUCCEEDED"], &["FAILED"]),
        cancel: Some(request("terminateJob", &[("JobId", Answered(&["JobId"])), ("Reason", ABORTED)])),
        result: SUBJECT,
    },
    Job {
        service: "glue",
        action: "startJobRun",
        poll: request("getJobRun", &[("JobName", Given("JobName")), ("RunId", Answered(&["JobRunId"]))]),
        subject: &["JobRun"],
        judge: status(&["JobRunState"], &["SUCCEEDED", "STOPPED"], &["FAILED", "TIMEOUT", "ERROR", "EXPIRED"]),
        cancel: Some(request("batchStopJobRun", &[("JobName", Given("JobName")), ("JobRunIds", OneOf(&["JobRunId"]))])),
        result: SUBJECT,
    },
    Job {
        service: "codebuild",
        action: "startBuild",
        poll: request("batchGetBuilds", &[("Ids", OneOf(&["Build", "Id"]))]),
        subject: &["Builds", "0"],
        judge: status(&["BuildStatus"], &["SUCCEEDED"], &["FAILED", "FAULT", "TIMED_OUT", "STOPPED"]),
        cancel: Some(request("stopBuild", &[("Id", Answered(&["Build", "Id"]))])),
        // AWS: so AWS's sample project reads it.
        result: Shape::Member("Build"),
    },
    build_batch("startBuildBatch"),
    build_batch("retryBuildBatch"),
    Job {
        service: "athena",
        action: "startQueryExecution",
        poll: request("getQueryExecution", &[("QueryExecutionId", Answered(&["QueryExecutionId"]))]),
        subject: &[],
        judge: status(&["QueryExecution", "Status", "State"], &["SUCCEEDED"], &["FAILED", "CANCELLED"]),
        cancel: Some(request("stopQueryExecution", &[("QueryExecutionId", Answered(&["QueryExecutionId"]))])),
        // AWS: so AWS's sample project reads it.
        result: Shape::Answer,
    },
    Job {
        service: "elasticmapreduce",
        action: "createCluster",
        poll: request("describeCluster", &[("ClusterId", Answered(&["ClusterId"]))]),
        subject: &[],
        // AWS: it waits until the cluster takes steps, as documented, and leaves it when the task is aborted.
        judge: status(&["Cluster", "Status", "State"], &["WAITING", "TERMINATED"], &["TERMINATED_WITH_ERRORS"]),
        cancel: None,
        result: Shape::Answer,
    },
    Job {
        service: "elasticmapreduce",
        action: "terminateCluster",
        poll: request("describeCluster", &[("ClusterId", Given("ClusterId"))]),
        subject: &[],
        judge: status(&["Cluster", "Status", "State"], &["TERMINATED", "TERMINATED_WITH_ERRORS"], &[]),
        cancel: None,
        result: Shape::Answer,
    },
    Job {
        service: "elasticmapreduce",
        action: "addStep",
        poll: request("describeStep", &[("ClusterId", Given("ClusterId")), ("StepId", Answered(&["StepId"]))]),
        subject: &[],
        judge: status(&["Step", "Status", "State"], &["COMPLETED"], &["FAILED", "CANCELLED", "INTERRUPTED"]),
        cancel: Some(request("cancelSteps", &[("ClusterId", Given("ClusterId")), ("StepIds", OneOf(&["StepId"]))])),
        result: Shape::Answer,
    },
    Job {
        service: "emr-containers",
        action: "startJobRun",
        poll: request(
            "describeJobRun",
            &[("Id", Answered(&["Id"])), ("VirtualClusterId", Answered(&["VirtualClusterId"]))],
        ),
        subject: &[],
        judge: status(&["JobRun", "State"], &["COMPLETED"], &["FAILED", "CANCELLED"]),
        cancel: Some(request(
            "cancelJobRun",
            &[("Id", Answered(&["Id"])), ("VirtualClusterId", Answered(&["VirtualClusterId"]))],
        )),
        result: Shape::Answer,
    },
    Job {
        service: "emr-containers",
        action: "deleteVirtualCluster",
        poll: request("describeVirtualCluster", &[("Id", Answered(&["Id"]))]),
        subject: &[],
        judge: status(&["VirtualCluster", "State"], &["TERMINATED"], &["ARRESTED"]),
        cancel: None,
        result: Shape::Answer,
    },
    application("createApplication", Answered(&["ApplicationId"]), &["CREATED", "STARTED"], &["TERMINATED"]),
    application("startApplication", Given("ApplicationId"), &["STARTED"], &["STOPPED", "TERMINATED"]),
    application("stopApplication", Given("ApplicationId"), &["STOPPED", "TERMINATED"], &[]),
    application("deleteApplication", Given("ApplicationId"), &["TERMINATED"], &[]),
    Job {
        service: "emr-serverless",
        action: "startJobRun",
        poll: request(
            "getJobRun",
            &[("ApplicationId", Answered(&["ApplicationId"])), ("JobRunId", Answered(&["JobRunId"]))],
        ),
        subject: &[],
        judge: status(&["JobRun", "State"], &["SUCCESS"], &["FAILED", "CANCELLED"]),
        cancel: Some(request(
            "cancelJobRun",
            &[("ApplicationId", Answered(&["ApplicationId"])), ("JobRunId", Answered(&["JobRunId"]))],
        )),
        result: Shape::Answer,
    },
    Job {
        service: "emr-serverless",
        action: "cancelJobRun",
        poll: request("getJobRun", &[("ApplicationId", Given("ApplicationId")), ("JobRunId", Given("JobRunId"))]),
        subject: &[],
        judge: status(&["JobRun", "State"], &["CANCELLED", "SUCCESS", "FAILED"], &[]),
        cancel: None,
        result: Shape::Answer,
    },
    Job {
        service: "databrew",
        action: "startJobRun",
        poll: request("describeJobRun", &[("Name", Given("Name")), ("RunId", Answered(&["RunId"]))]),
        subject: &[],
        judge: status(&["State"], &["SUCCEEDED"], &["FAILED", "TIMEOUT", "STOPPED"]),
        cancel: Some(request("stopJobRun", &[("Name", Given("Name")), ("RunId", Answered(&["RunId"]))])),
        result: Shape::Answer,
    },
    of_eks("createCluster", CLUSTER, &["Cluster", "Status"]),
    of_eks("createNodegroup", NODEGROUP, &["Nodegroup", "Status"]),
    of_eks("createFargateProfile", PROFILE, &["FargateProfile", "Status"]),
    not_of_eks("deleteCluster", CLUSTER, &["Cluster", "Status"]),
    not_of_eks("deleteNodegroup", NODEGROUP, &["Nodegroup", "Status"]),
    not_of_eks("deleteFargateProfile", PROFILE, &["FargateProfile", "Status"]),
    of_sagemaker(
        "createTrainingJob",
        request("describeTrainingJob", &[("TrainingJobName", Given("TrainingJobName"))]),
        request("stopTrainingJob", &[("TrainingJobName", Given("TrainingJobName"))]),
        &["TrainingJobStatus"],
    ),
    of_sagemaker(
        "createTransformJob",
        request("describeTransformJob", &[("TransformJobName", Given("TransformJobName"))]),
        request("stopTransformJob", &[("TransformJobName", Given("TransformJobName"))]),
        &["TransformJobStatus"],
    ),
    of_sagemaker(
        "createProcessingJob",
        request("describeProcessingJob", &[("ProcessingJobName", Given("ProcessingJobName"))]),
        request("stopProcessingJob", &[("ProcessingJobName", Given("ProcessingJobName"))]),
        &["ProcessingJobStatus"],
    ),
    of_sagemaker(
        "createLabelingJob",
        request("describeLabelingJob", &[("LabelingJobName", Given("LabelingJobName"))]),
        request("stopLabelingJob", &[("LabelingJobName", Given("LabelingJobName"))]),
        &["LabelingJobStatus"],
    ),
    of_sagemaker(
        "createHyperParameterTuningJob",
        request(
            "describeHyperParameterTuningJob",
            &[("HyperParameterTuningJobName", Given("HyperParameterTuningJobName"))],
        ),
        request(
            "stopHyperParameterTuningJob",
            &[("HyperParameterTuningJobName", Given("HyperParameterTuningJobName"))],
        ),
        &["HyperParameterTuningJobStatus"],
    ),
    Job {
        service: "mediaconvert",
        action: "createJob",
        poll: request("getJob", &[("Id", Answered(&["Job", "Id"]))]),
        subject: &[],
        judge: status(&["Job", "Status"], &["COMPLETE"], &["ERROR", "CANCELED"]),
        cancel: Some(request("cancelJob", &[("Id", Answered(&["Job", "Id"]))])),
        result: Shape::Answer,
    },
    Job {
        service: "bedrock",
        action: "createModelCustomizationJob",
        poll: request("getModelCustomizationJob", &[("JobIdentifier", Answered(&["JobArn"]))]),
        subject: &[],
        judge: status(&["Status"], &["Completed"], &["Failed", "Stopped"]),
        cancel: Some(request("stopModelCustomizationJob", &[("JobIdentifier", Answered(&["JobArn"]))])),
        result: Shape::Answer,
    },
];

const fn build_batch(action: &'static str) -> Job {
    Job {
        service: "codebuild",
        action,
        poll: request("batchGetBuildBatches", &[("Ids", OneOf(&["BuildBatch", "Id"]))]),
        subject: &["BuildBatches", "0"],
        judge: status(&["BuildBatchStatus"], &["SUCCEEDED"], &["FAILED", "FAULT", "TIMED_OUT", "STOPPED"]),
        cancel: Some(request("stopBuildBatch", &[("Id", Answered(&["BuildBatch", "Id"]))])),
        result: Shape::Member("BuildBatch"),
    }
}

/// An application of EMR Serverless. Nothing is cancelled: there is no operation for that.
const fn application(
    action: &'static str,
    id: Value,
    succeeded: &'static [&'static str],
    failed: &'static [&'static str],
) -> Job {
    let poll = match id {
        Given(_) => request("getApplication", &[("ApplicationId", Given("ApplicationId"))]),
        Answered(_) | OneOf(_) | Text(_) => {
            request("getApplication", &[("ApplicationId", Answered(&["ApplicationId"]))])
        }
    };
    Job {
        service: "emr-serverless",
        action,
        poll,
        subject: &[],
        judge: status(&["Application", "State"], succeeded, failed),
        cancel: None,
        result: Shape::Answer,
    }
}

const CLUSTER: Request = request("describeCluster", &[("Name", Given("Name"))]);
const NODEGROUP: Request =
    request("describeNodegroup", &[("ClusterName", Given("ClusterName")), ("NodegroupName", Given("NodegroupName"))]);
const PROFILE: Request = request(
    "describeFargateProfile",
    &[("ClusterName", Given("ClusterName")), ("FargateProfileName", Given("FargateProfileName"))],
);

/// What EKS makes. AWS: it stays when the task is aborted, as documented.
const fn of_eks(action: &'static str, poll: Request, at: &'static [&'static str]) -> Job {
    let judge = status(at, &["ACTIVE", "DEGRADED"], &["FAILED", "CREATE_FAILED", "DELETING", "DELETE_FAILED"]);
    Job { service: "eks", action, poll, subject: &[], judge, cancel: None, result: Shape::Answer }
}

const fn not_of_eks(action: &'static str, poll: Request, at: &'static [&'static str]) -> Job {
    let judge = Judge::Gone { at, failed: &["FAILED", "DELETE_FAILED"] };
    Job { service: "eks", action, poll, subject: &[], judge, cancel: None, result: Shape::Answer }
}

const fn of_sagemaker(action: &'static str, poll: Request, stop: Request, at: &'static [&'static str]) -> Job {
    let judge = status(at, &["Completed"], &["Failed", "Stopped"]);
    Job { service: "sagemaker", action, poll, subject: &[], judge, cancel: Some(stop), result: Shape::Answer }
}

#[cfg(test)]
mod tests {
    use asl::Resource;

    use super::*;
    use crate::optimised::Service;
    use crate::sdk::model::Version;
    use crate::sdk::table::Table;

    #[test]
    fn every_action_that_can_be_waited_for_has_a_row_and_no_other() {
        for (service, action) in asl::performed_actions() {
            let parsed = Resource::parse(&format!("arn:aws:states:::{service}:{action}.sync"));
            let row = JOBS.iter().any(|row| (row.service, row.action) == (service, action));
            assert_eq!(parsed.is_ok(), row, "{service}:{action}");
        }
    }

    #[test]
    fn polls_and_cancels_are_operations_with_these_arguments() {
        for row in JOBS {
            let Ok(Resource::Integration(on)) =
                Resource::parse(&format!("arn:aws:states:::{}:{}", row.service, row.action))
            else {
                panic!("{}:{}", row.service, row.action);
            };
            let (service, _) = Service::find(&on).unwrap();
            let model = Table::get().service(service.model).unwrap();
            for request in [Some(&row.poll), row.cancel.as_ref()].into_iter().flatten() {
                let operation = model.operation(request.operation);
                let operation = operation.unwrap_or_else(|| panic!("{}:{}", service.model, request.operation));
                let members = model.members(operation.input.unwrap());
                for (name, _) in request.arguments {
                    let there = members.iter().any(|member| model.shown(member, Version::One) == *name);
                    assert!(there, "{}:{} has no {name}", service.model, request.operation);
                }
                for member in members.iter().filter(|member| member.required) {
                    let shown = model.shown(member, Version::One);
                    let given = request.arguments.iter().any(|(name, _)| *name == shown);
                    assert!(given, "{}:{} needs {shown}", service.model, request.operation);
                }
            }
        }
    }
}
