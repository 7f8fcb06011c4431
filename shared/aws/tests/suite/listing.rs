//! Lists of a machine that has versions: what they cost, and what they show of executions that programs of before began.

use std::sync::Arc;

use anyhow::{Context, Result};
use aws::layout::record_key;
use engine::Deployment;
use engine::entry;
use engine::ports::{Journal, Tasks};
use serde_json::{Value, json};
use stepwell_tests::cloud::{Cloud, Process, TABLE, call, start, text};
use stepwell_tests::dynamo::Request;

/// A world without functions.
struct Uncalled;

#[async_trait::async_trait]
impl Tasks for Uncalled {
    async fn call(&self, call: engine::ports::TaskCall) -> engine::ports::TaskAnswer {
        engine::ports::TaskAnswer::Failed { error: "NotExpected".to_owned(), cause: Some(call.state) }
    }

    async fn limit(&self, _call: &engine::ports::TaskCall) -> std::time::Duration {
        std::time::Duration::from_secs(1)
    }
}

struct Stand {
    cloud: Cloud,
    api: Process,
    machine: String,
    version: String,
    alias: String,
}

/// A machine with a version and an alias, and three executions: by the machine, by the version, by the alias.
async fn stand() -> Result<Stand> {
    let cloud = Cloud::new().await?;
    let api = cloud.process(Deployment::ApiOnly, Arc::new(Uncalled)).await?;
    let definition = json!({ "StartAt": "Done", "States": { "Done": { "Type": "Succeed" } } });
    let made = json!({ "name": "orders", "type": "STANDARD", "definition": definition.to_string(), "publish": true,
        "roleArn": "arn:aws:iam::123456789012:role/any" });
    let made = call(&api.service, "CreateStateMachine", made).await?;
    let (machine, version) = (text(&made, "stateMachineArn")?, text(&made, "stateMachineVersionArn")?);
    let routes = json!([{ "stateMachineVersionArn": version, "weight": 100 }]);
    let alias = json!({ "name": "live", "routingConfiguration": routes });
    let alias = text(&call(&api.service, "CreateStateMachineAlias", alias).await?, "stateMachineAliasArn")?;
    for (name, target) in [("plain", &machine), ("versioned", &version), ("aliased", &alias)] {
        start(&api.service, target, name, &json!({})).await?;
    }
    cloud.dynamo.requests();
    Ok(Stand { cloud, api, machine, version, alias })
}

impl Stand {
    /// Name, version and alias of each execution in the list of `target`.
    async fn listed(&self, target: &str) -> Result<Vec<(String, Value, Value)>> {
        let listed = call(&self.api.service, "ListExecutions", json!({ "stateMachineArn": target })).await?;
        let items = listed.get("executions").and_then(Value::as_array).context("no list")?;
        let member = |item: &Value, name: &str| item.get(name).cloned().unwrap_or_default();
        let shown = items.iter().map(|item| {
            Ok((text(item, "name")?, member(item, "stateMachineVersionArn"), member(item, "stateMachineAliasArn")))
        });
        let mut shown = shown.collect::<Result<Vec<_>>>()?;
        shown.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(shown)
    }

    /// What every list has to show.
    async fn check(&self) -> Result<()> {
        let (version, alias) = (json!(self.version), json!(self.alias));
        let aliased = ("aliased".to_owned(), version.clone(), alias);
        let plain = ("plain".to_owned(), Value::Null, Value::Null);
        let versioned = ("versioned".to_owned(), version, Value::Null);
        assert_eq!(self.listed(&self.machine).await?, [aliased.clone(), plain, versioned.clone()]);
        assert_eq!(self.listed(&self.version).await?, [aliased.clone(), versioned]);
        assert_eq!(self.listed(&self.alias).await?, [aliased]);
        Ok(())
    }

    /// Takes away what a program of before did not write.
    fn age(&self, name: &str) -> Result<()> {
        let execution = self.execution(name);
        let body = json!({
            "TableName": TABLE, "Key": { "pk": { "S": execution }, "sk": { "S": record_key(0) } },
            "UpdateExpression": "REMOVE shown",
        });
        self.cloud.dynamo.arrives_again(&Request { operation: "UpdateItem".to_owned(), body, units: 0.0 })?;
        Ok(())
    }

    fn execution(&self, name: &str) -> String {
        format!("{}:{name}", self.machine.replace(":stateMachine:", ":execution:"))
    }

    /// Reads of the table itself since the last look.
    fn reads(&self) -> usize {
        let reads = self.cloud.dynamo.requests().into_iter().filter(|request| {
            request.body.get("IndexName").is_none() && ["GetItem", "Query"].contains(&request.operation.as_str())
        });
        let executions = reads.filter(|request| request.body.to_string().contains(":execution:"));
        executions.count()
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_shows_versions_and_aliases_without_reading_any_execution() -> Result<()> {
    let stand = stand().await?;
    stand.check().await?;
    assert_eq!(stand.reads(), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_list_reads_the_heads_of_executions_that_a_program_of_before_began() -> Result<()> {
    let stand = stand().await?;
    for name in ["aliased", "versioned"] {
        stand.age(name)?;
    }
    assert_eq!(stand.api.table.tail(&stand.execution("aliased")).await?.len(), 1);
    stand.cloud.dynamo.requests();
    stand.check().await?;
    assert_eq!(stand.reads(), 2 + 2 + 2, "those two, in each of three lists");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_last_record_lists_what_the_head_listed() -> Result<()> {
    let stand = stand().await?;
    for (name, shown) in [("aliased", r#"{"version":1,"alias":"live"}"#), ("plain", "{}")] {
        let (first, last) = stand.api.table.ends(&stand.execution(name)).await?.context("no records")?;
        let listed = |record: &engine::ports::Record| record.listing.as_ref().and_then(|listing| listing.shown.clone());
        assert_eq!((listed(&first), listed(&last)), (Some(shown.to_owned()), Some(shown.to_owned())));
        assert!(entry::decode(first.sequence, &first.body)?.head.is_some());
    }
    Ok(())
}
