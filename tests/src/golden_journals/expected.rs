//! The expectations beside a golden: its content, and how each of its executions has to end.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::functions::Asked;
use super::lines::lines;
use super::story::{Later, Story};
use super::{Functions, World, history, shortened};

/// The members of descriptions that are compared: facts, not what the code of the day can do about them.
const FACTS: [&str; 13] = [
    "name",
    "status",
    "type",
    "definition",
    "revisionId",
    "startDate",
    "stopDate",
    "input",
    "output",
    "error",
    "cause",
    "stateMachineVersionArn",
    "stateMachineAliasArn",
];
/// How often what is gone on with is left to come further.
const PATIENCE: usize = 2_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// When it was left alone, in milliseconds since 1970.
    pub at: i64,
    executions: Vec<Execution>,
    /// What DescribeStateMachine and ListTagsForResource say, by ARN.
    machines: BTreeMap<String, (Value, Value)>,
    /// Express executions, which had been acknowledged and had not ended, of programs that did not count their tries: they run.
    express: Vec<String>,
    /// The same of programs that count them: their five minutes are over, so they are given up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    given_up: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Execution {
    story: String,
    arn: String,
    /// What DescribeExecution and DescribeStateMachineForExecution say.
    described: Value,
    pinned: Value,
    history: Vec<Value>,
    /// Its task tokens without an answer.
    tokens: Vec<Token>,
    /// Those of waits that are over: they answer nothing, whatever is waited for since.
    spent: Vec<Token>,
    #[serde(default)]
    later: Later,
    /// Members of its last description.
    ends: Value,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    item: Value,
    token: String,
}

impl Expected {
    /// The present state of stories that ran: each with the ARNs of its execution and machine.
    pub async fn of(
        world: &dyn World,
        functions: &Functions,
        told: Vec<(Story, String, String)>,
        at: i64,
    ) -> Result<Expected> {
        let (mut executions, mut machines, mut given_up) = (Vec::new(), BTreeMap::new(), Vec::new());
        for (story, arn, machine) in told {
            machines.insert(machine.clone(), machine_as_told(world, &machine).await?);
            let Some(ends) = story.ends.filter(|_| story.kind != "EXPRESS") else {
                given_up.push(arn);
                continue;
            };
            let (described, pinned) = execution_as_told(world, &arn).await?;
            let history = history(world, &arn).await?;
            let over = |asked: &Asked| {
                let failed = |event: &Value| event["type"] == "TaskTimedOut" || event["type"] == "TaskFailed";
                let said = |event: &Value| answers(event, &asked.item) || failed(event);
                described["status"] != "RUNNING" || history.iter().any(said)
            };
            let own = functions.asked().into_iter().filter(|asked| asked.execution == arn);
            let (spent, tokens): (Vec<Asked>, Vec<Asked>) = own.partition(over);
            let kept = |asked: Vec<Asked>| asked.into_iter().map(|Asked { item, token, .. }| Token { item, token });
            let (spent, tokens) = (kept(spent).collect(), kept(tokens).collect());
            let later = story.later;
            let story = story.name;
            executions.push(Execution { story, arn, described, pinned, history, tokens, spent, later, ends });
        }
        Ok(Expected { at, executions, machines, express: Vec::new(), given_up })
    }

    pub fn read(text: &str) -> Result<Expected> {
        Ok(serde_json::from_str(text)?)
    }

    pub fn written(&self) -> Result<String> {
        Ok(lines(&serde_json::to_value(self)?, 4))
    }

    /// The last of the executions that are open.
    pub fn open(&self) -> Option<&str> {
        self.last(|status| status == "RUNNING")
    }

    /// The last of those that are closed.
    pub fn closed(&self) -> Option<&str> {
        self.last(|status| status != "RUNNING")
    }

    /// A machine that executions can be started of.
    pub fn machine(&self) -> Option<&str> {
        self.machines.iter().find(|(_, told)| told.0["status"] == "ACTIVE").map(|(arn, _)| arn.as_str())
    }

    fn last(&self, wanted: impl Fn(&Value) -> bool) -> Option<&str> {
        self.executions.iter().rfind(|one| wanted(&one.described["status"])).map(|one| one.arn.as_str())
    }

    /// Everything is found as it was left, but for what has gone on by itself since.
    pub async fn is_found(&self, world: &dyn World) -> Result<()> {
        for (arn, told) in &self.machines {
            match machine_as_told(world, arn).await {
                Ok(found) => ensure!(found == *told, "{arn} is {found:?} and was {told:?}"),
                // The last of its executions may have ended by now.
                Err(error) => {
                    let text = error.to_string();
                    let gone = text.contains("StateMachineDoesNotExist") || text.contains("ResourceNotFound");
                    ensure!(gone && told.0["status"] == "DELETING", "{arn}: {error}");
                }
            }
        }
        for one in &self.executions {
            let what = &one.story;
            let found = history(world, &one.arn).await?;
            let open = one.described["status"] == "RUNNING";
            let kept = found.get(..one.history.len()).context("events are missing");
            let kept = kept.with_context(|| what.clone())?;
            ensure!(kept == one.history, "{what}: {kept:#?}");
            let (described, pinned) = execution_as_told(world, &one.arn).await?;
            ensure!(pinned == one.pinned, "{what} is pinned to {pinned}");
            ensure!(open || found.len() == one.history.len(), "{what} has events after its end");
            ensure!(open || described == one.described, "{what}: {described:#?}");
        }
        Ok(())
    }

    /// Says what is still to be said, and sees every execution end as it has to.
    pub async fn goes_on(&self, world: &dyn World, functions: &Functions) -> Result<()> {
        for one in &self.executions {
            for Token { item, token } in &one.tokens {
                one.later.say(world, item, token).await.with_context(|| one.story.clone())?;
            }
        }
        let (mut answered, mut rounds) = (0, 0);
        for one in &self.executions {
            loop {
                for asked in functions.asked().into_iter().skip(answered) {
                    answered += 1;
                    self.is_spent(world, |other| other.arn == asked.execution, |other| &other.spent).await?;
                    Later::Answers.say(world, &asked.item, &asked.token).await.context("asked anew")?;
                }
                let described = world.call("DescribeExecution", json!({"executionArn": one.arn})).await?;
                if described["status"] != "RUNNING" {
                    break;
                }
                rounds += 1;
                ensure!(rounds < PATIENCE, "{} is stuck: {:#?}", one.story, history(world, &one.arn).await?);
                world.settle().await?;
            }
        }
        self.ended(world).await?;
        let runs = self.express.iter().map(|arn| (arn, 1)).chain(self.given_up.iter().map(|arn| (arn, 0)));
        for (arn, wanted) in runs {
            ensure!(functions.calls(arn) == wanted, "{arn} was called {} times, not {wanted}", functions.calls(arn));
        }
        self.is_spent(world, |_| true, |one| &one.tokens).await
    }

    /// Whether a machine was deleted while its executions ran: they end with their next transition, whatever else they would do.
    fn is_deleted(&self, machine: &Value) -> bool {
        self.machines.iter().any(|(arn, told)| machine == arn && told.0["status"] == "DELETING")
    }

    async fn ended(&self, world: &dyn World) -> Result<()> {
        for one in &self.executions {
            let (what, found) = (&one.story, history(world, &one.arn).await?);
            ensure!(found.get(..one.history.len()) == Some(&one.history), "{what} has another past: {found:#?}");
            let described = world.call("DescribeExecution", json!({"executionArn": one.arn})).await?;
            let deleted = json!({"status": "FAILED", "error": "States.Runtime"});
            let ends = if self.is_deleted(&described["stateMachineArn"]) { &deleted } else { &one.ends };
            for (name, value) in ends.as_object().context("an end is an object")? {
                let found = match name.as_str() {
                    "output" => crate::client::parsed(&described["output"])?,
                    name => described[name].clone(),
                };
                ensure!(found == *value, "{what}: {name} is {found}: {described}");
            }
            let listed = json!({"stateMachineArn": described["stateMachineArn"], "statusFilter": described["status"]});
            match world.call("ListExecutions", listed).await {
                Ok(listed) => ensure!(listed["executions"][0]["executionArn"] == one.arn, "{what}: {listed}"),
                // It was deleted, and the last of its executions has ended.
                Err(error) => {
                    let gone = what.contains("deleted") && error.to_string().contains("StateMachineDoesNotExist");
                    ensure!(gone, "{what}: {error}");
                }
            }
        }
        Ok(())
    }

    /// Tokens that have counted, or whose wait has timed out, are refused.
    async fn is_spent(
        &self,
        world: &dyn World,
        of: impl Fn(&Execution) -> bool,
        which: impl Fn(&Execution) -> &Vec<Token>,
    ) -> Result<()> {
        for token in self.executions.iter().filter(|one| of(one)).flat_map(which) {
            match Later::Answers.say(world, &token.item, &token.token).await {
                Ok(_) => anyhow::bail!("a token that was spent counts"),
                Err(error) => ensure!(error.to_string().contains("TaskTimedOut"), "{error}"),
            }
        }
        Ok(())
    }
}

/// Whether an event is the answer to a question.
fn answers(event: &Value, item: &Value) -> bool {
    let output = &event["taskSucceededEventDetails"]["output"];
    crate::client::parsed(output).is_ok_and(|output| output == json!({"answered": item}))
}

async fn machine_as_told(world: &dyn World, arn: &str) -> Result<(Value, Value)> {
    let described = world.call("DescribeStateMachine", json!({"stateMachineArn": arn})).await?;
    let tags = world.call("ListTagsForResource", json!({"resourceArn": arn})).await?;
    Ok((facts(described), tags))
}

async fn execution_as_told(world: &dyn World, arn: &str) -> Result<(Value, Value)> {
    let members = json!({"executionArn": arn});
    let described = world.call("DescribeExecution", members.clone()).await?;
    let pinned = world.call("DescribeStateMachineForExecution", members).await?;
    Ok((facts(described), facts(pinned)))
}

fn facts(mut description: Value) -> Value {
    if let Value::Object(members) = &mut description {
        members.retain(|name, _| FACTS.contains(&name.as_str()));
    }
    shortened(description)
}
