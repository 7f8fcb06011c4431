//! EMR: actions with arguments and results of their own, over operations that take lists of what these take one of.
//!
//! AWS: the arguments are as documented; the results of all but `createCluster` and `addStep` are unverified. Deliberately
//! absent: the two actions that find an instance group or fleet by its name; they fail.

use super::{Action, Alias, Arguments, Renamed, Service, written};
use crate::json;
use crate::sdk_v1::Members;

pub(crate) const SERVICE: Service = Service {
    renamed: RENAMED,
    arguments: |action, arguments, _| Ok(of_operation(action, arguments)),
    result: |action, members| Ok(of_action(action, members)),
    ..Service::plain(
        "elasticmapreduce",
        ("emr", "AmazonElasticMapReduce", "AmazonElasticMapReduceException"),
        &[
            Action { name: "createCluster", operation: "runJobFlow" },
            Action { name: "setClusterTerminationProtection", operation: "setTerminationProtection" },
            Action { name: "terminateCluster", operation: "terminateJobFlows" },
            Action { name: "addStep", operation: "addJobFlowSteps" },
            Action { name: "cancelStep", operation: "cancelSteps" },
        ],
    )
};

const RENAMED: &[Renamed] = &[
    Renamed { actions: &["addStep"], alias: Alias { here: "ClusterId", there: "JobFlowId", is_list: false } },
    Renamed {
        actions: &["setClusterTerminationProtection", "terminateCluster"],
        alias: Alias { here: "ClusterId", there: "JobFlowIds", is_list: true },
    },
    Renamed { actions: &["addStep"], alias: Alias { here: "Step", there: "Steps", is_list: true } },
    Renamed { actions: &["cancelStep"], alias: Alias { here: "StepId", there: "StepIds", is_list: true } },
];

fn of_operation(action: &str, arguments: &Arguments<'_>) -> String {
    let aliases = SERVICE.aliases(action);
    let renamed = |name: &str| aliases.iter().find(|alias| alias.here == name);
    written(arguments.iter().map(|(name, value)| match renamed(name) {
        None => (name.as_str(), value.get().to_owned()),
        Some(alias) if alias.is_list => (alias.there, format!("[{}]", value.get())),
        Some(alias) => (alias.there, value.get().to_owned()),
    }))
}

fn of_action(action: &str, mut members: Members) -> Members {
    let only = |members: &Members, name: &str| json::items(members.get(name)?)?.first().map(|item| (*item).to_owned());
    let (here, value) = match action {
        "createCluster" => ("ClusterId", members.remove("JobFlowId")),
        "addStep" => ("StepId", only(&members, "StepIds")),
        "cancelStep" => ("CancelStepsInfo", only(&members, "CancelStepsInfoList")),
        _ => return members,
    };
    value.map(|value| (here.to_owned(), value)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_take_one_thing_where_operations_take_lists() {
        let cases = [
            ("createCluster", r#"{"Name":"n"}"#, r#"{"Name":"n"}"#),
            ("addStep", r#"{"ClusterId":"c","Step":{"Name":"s"}}"#, r#"{"JobFlowId":"c","Steps":[{"Name":"s"}]}"#),
            ("terminateCluster", r#"{"ClusterId":"c"}"#, r#"{"JobFlowIds":["c"]}"#),
            ("cancelStep", r#"{"ClusterId":"c","StepId":"s"}"#, r#"{"ClusterId":"c","StepIds":["s"]}"#),
        ];
        for (action, given, expected) in cases {
            assert_eq!(of_operation(action, &json::object(given).unwrap()), expected, "{action}");
        }
        let answered: Members = serde_json::from_str(r#"{"StepIds":["s-1"]}"#).unwrap();
        assert_eq!(serde_json::to_string(&of_action("addStep", answered)).unwrap(), r#"{"StepId":"s-1"}"#);
        let answered: Members = serde_json::from_str(r#"{"JobFlowId":"j-1","ClusterArn":"a"}"#).unwrap();
        assert_eq!(serde_json::to_string(&of_action("createCluster", answered)).unwrap(), r#"{"ClusterId":"j-1"}"#);
    }
}
