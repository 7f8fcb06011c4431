//! The walk of stock clients, wherever Stepwell runs: the aws CLI and boto3, through every command README promises.
//!
//! The same walk goes over `stepwell serve` and over what SAM deploys: [`walk!`](crate::walk) makes its tests, given how an
//! installation is opened that has no state machines and calls the functions of [`functions`].

pub mod aws_cli;

use std::io;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::client::Client;
use crate::lambda_server::{Answer, Dialect, LambdaServer};
use crate::python::Clients;

/// How long a file of boto3's tests may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// An installation, and the clients that call it.
#[derive(Debug)]
pub struct Walk {
    clients: Clients,
    endpoint: String,
    account: &'static str,
    client: Client,
}

/// The tests of the walk. `$open` gives a [`Walk`] with what has to live as long, or `None` where that cannot be had.
#[macro_export]
macro_rules! walk {
    ($open:path) => {
        $crate::walk! { $open =>
            aws_cli: state_machines_are_created_updated_listed_described_and_deleted
            aws_cli: versions_are_published_and_an_alias_routes_to_them
            aws_cli: executions_are_started_described_listed_and_stopped
            aws_cli: a_failed_tasks_events_are_found_by_query
            aws_cli: task_failed_events_of_an_invoke_are_found_by_query
            aws_cli: express_executions_answer_synchronously
            aws_cli: definitions_are_validated
            aws_cli: states_are_tested_on_their_own
            boto3: state_machines_are_managed_as_at_aws
            boto3: versions_and_aliases_are_managed_as_at_aws
            boto3: executions_are_driven_as_at_aws
            boto3: executions_are_redriven_as_at_aws
            boto3: tasks_are_answered_by_token_as_at_aws
            boto3: activities_are_worked_on_as_at_aws
            boto3: each_constraint_of_the_model_is_checked
            boto3: single_states_are_tested_as_at_aws
        }
    };
    ($open:path => $($client:ident: $step:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $step() -> anyhow::Result<()> {
                let Some((walk, _world)) = $open().await? else { return Ok(()) };
                $crate::walk::$client::$step(&walk).await
            }
        )*
    };
}

/// The functions that the walk's workflows call.
pub async fn functions() -> io::Result<LambdaServer> {
    let functions = LambdaServer::start(Dialect::Aws).await?;
    functions.register("Charge", |_, _| Answer::raises("CardDeclined", "no funds"));
    functions
        .register("Double", |event, _| Answer::Returns(json!({"doubled": event["number"].as_i64().map(|n| n * 2)})));
    functions.register("Break", |_, _| Answer::raises("Broken", "as asked"));
    functions.register("Accept", |_, _| Answer::Returns(Value::Null));
    Ok(functions)
}

impl Walk {
    pub fn of(clients: Clients, endpoint: &str, account: &'static str) -> Self {
        Self { clients, endpoint: endpoint.to_owned(), account, client: Client::new(endpoint) }
    }

    /// Runs a file of Python's own `unittest`.
    async fn unittest(&self, file: &str) -> Result<()> {
        let mut python = self.clients.python(&self.endpoint);
        python.env("STEPWELL_ACCOUNT", self.account);
        python.args(["-m", "unittest", "--verbose", file]).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/python"));
        let output = tokio::task::spawn_blocking(move || python.output());
        let output = tokio::time::timeout(PATIENCE, output).await???;
        let report = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{report}");
        ensure!(report.contains("\nOK") && !report.contains("Ran 0 tests"), "nothing ran:\n{report}");
        Ok(())
    }
}

/// boto3: `python/test_*.py` has the tests.
pub mod boto3 {
    use super::{Result, Walk};

    pub async fn state_machines_are_managed_as_at_aws(walk: &Walk) -> Result<()> {
        walk.unittest("test_machines.py").await
    }

    pub async fn versions_and_aliases_are_managed_as_at_aws(walk: &Walk) -> Result<()> {
        walk.unittest("test_versions.py").await
    }

    pub async fn executions_are_driven_as_at_aws(walk: &Walk) -> Result<()> {
        walk.unittest("test_executions.py").await
    }

    pub async fn executions_are_redriven_as_at_aws(walk: &Walk) -> Result<()> {
        walk.unittest("test_redrive.py").await
    }

    pub async fn single_states_are_tested_as_at_aws(walk: &Walk) -> Result<()> {
        walk.unittest("test_states.py").await
    }

    pub async fn tasks_are_answered_by_token_as_at_aws(walk: &Walk) -> Result<()> {
        walk.unittest("test_callbacks.py").await
    }

    pub async fn activities_are_worked_on_as_at_aws(walk: &Walk) -> Result<()> {
        walk.unittest("test_activities.py").await
    }

    pub async fn each_constraint_of_the_model_is_checked(walk: &Walk) -> Result<()> {
        walk.unittest("test_constraints.py").await
    }
}
