//! An execution that is brought to where it stands still, and how it has to end when a process continues it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{FOLDER, Functions, World, history};

const ROLE: &str = "arn:aws:iam::123456789012:role/stories";
/// How often a story is left to come further.
const PATIENCE: usize = 400;

/// Where stories are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Serve,
    Functions,
}

/// A story, as its file has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    #[serde(skip)]
    pub name: String,
    pub definition: Value,
    #[serde(rename = "type", default = "standard")]
    pub kind: String,
    /// `TimeoutSeconds` of the machine.
    seconds: Option<u64>,
    input: Value,
    #[serde(default)]
    tags: Vec<Value>,
    /// The test case that it is started with; then it is told on `serve` only, as are Express executions, which leave
    /// nothing in a table.
    case: Option<String>,
    /// The machine has a version, and the execution is started by an alias that routes to it.
    #[serde(default)]
    routed: bool,
    /// The definition that the machine is updated to while the execution runs.
    updated: Option<Value>,
    #[serde(default)]
    stopped: bool,
    /// It is redriven after its stop.
    #[serde(default)]
    redriven: bool,
    #[serde(default)]
    deleted: bool,
    /// It is answered in the cell of its wait, which is told in a table only.
    #[serde(default)]
    pub beside: bool,
    /// The answers to its task tokens.
    #[serde(default)]
    said: Vec<Said>,
    /// It stands still when its history is that long.
    events: usize,
    /// The answers to its other tokens when a process continues it.
    #[serde(default)]
    pub later: Later,
    /// How it ends then; Express executions are only run again.
    pub ends: Option<Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    item: Value,
    says: Saying,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Saying {
    Answers,
    Fails,
    Beats,
}

/// The answers that a client outside gives in the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Later {
    #[default]
    Answers,
    BeatsAndAnswers,
    Fails,
    Nothing,
}

impl Later {
    /// Says it, through the token that a question of this item came with.
    pub(super) async fn say(self, world: &dyn World, item: &Value, token: &str) -> Result<Value> {
        let success = json!({"taskToken": token, "output": json!({"answered": item}).to_string()});
        match self {
            Later::Nothing => Ok(Value::Null),
            Later::Answers => world.call("SendTaskSuccess", success).await,
            Later::BeatsAndAnswers => {
                world.call("SendTaskHeartbeat", json!({"taskToken": token})).await?;
                world.call("SendTaskSuccess", success).await
            }
            Later::Fails => {
                let failure = json!({"taskToken": token, "error": "Refused", "cause": "as the story wants it"});
                world.call("SendTaskFailure", failure).await
            }
        }
    }
}

/// An alias that routes to a version; its ARN.
async fn route(world: &dyn World, version: &Value) -> Result<String> {
    let routes = json!([{"stateMachineVersionArn": version, "weight": 100}]);
    let alias = json!({"name": "live", "description": "of customers", "routingConfiguration": routes});
    crate::client::text(&world.call("CreateStateMachineAlias", alias).await?, "stateMachineAliasArn")
}

fn standard() -> String {
    "STANDARD".to_owned()
}

impl Story {
    /// All stories that can run there. Those that hang come last: it is not to be over before the end.
    pub fn all(place: Place) -> Result<Vec<Story>> {
        let mut stories = Vec::new();
        for entry in fs::read_dir(Path::new(FOLDER).join("stories"))? {
            let path = entry?.path();
            let read = || -> Result<Story> { Ok(serde_json::from_str(&fs::read_to_string(&path)?)?) };
            let mut story = read().with_context(|| path.display().to_string())?;
            story.name = path.file_stem().and_then(|name| name.to_str()).context("a story without a name")?.to_owned();
            stories.push(story);
        }
        ensure!(stories.len() > 15, "{} stories only", stories.len());
        stories.retain(|story| match place {
            Place::Serve => !story.beside,
            Place::Functions => story.case.is_none() && !story.is_express(),
        });
        stories.sort_by_key(|story| (story.hangs(), story.name.clone()));
        Ok(stories)
    }

    /// One that no file tells.
    pub fn made(name: &str, definition: Value, input: Value, events: usize, ends: Value) -> Story {
        Story {
            name: name.to_owned(),
            definition,
            kind: standard(),
            seconds: None,
            input,
            tags: Vec::new(),
            case: None,
            routed: false,
            updated: None,
            stopped: false,
            redriven: false,
            deleted: false,
            beside: false,
            said: Vec::new(),
            events,
            later: Later::Answers,
            ends: Some(ends),
        }
    }

    pub fn is_express(&self) -> bool {
        self.kind == "EXPRESS"
    }

    fn hangs(&self) -> bool {
        self.definition.to_string().contains(r#""does":"hang""#)
    }

    /// The mocks of the test case that it is started with, as `--mock-config` has them.
    pub fn mocks(stories: &[Story]) -> Value {
        let with_case = stories.iter().filter_map(|story| Some((story, story.case.as_ref()?)));
        let machines: serde_json::Map<String, Value> = with_case
            .map(|(story, case)| (story.name.clone(), json!({"TestCases": {case: {"Call": "Counted"}}})))
            .collect();
        let counted = json!({"0": {"Return": {"call": 0}}, "1": {"Return": {"call": 1}}});
        json!({"StateMachines": machines, "MockedResponses": {"Counted": counted}})
    }

    /// Brings its execution to where it stands still; its ARN and that of its machine.
    pub async fn tell(&self, world: &dyn World, functions: &Functions) -> Result<(String, String)> {
        let mut definition = self.definition.clone();
        if let (Some(seconds), Value::Object(members)) = (self.seconds, &mut definition) {
            members.insert("TimeoutSeconds".to_owned(), seconds.into());
        }
        let made = world
            .call(
                "CreateStateMachine",
                json!({
                    "name": self.name, "type": self.kind, "roleArn": ROLE, "tags": self.tags,
                    "definition": definition.to_string(), "publish": self.routed,
                }),
            )
            .await?;
        let machine = crate::client::text(&made, "stateMachineArn")?;
        let target = if self.routed { route(world, &made["stateMachineVersionArn"]).await? } else { machine.clone() };
        let case = self.case.as_ref().map(|case| format!("#{case}")).unwrap_or_default();
        let input = self.input.to_string();
        let start = json!({"stateMachineArn": format!("{target}{case}"), "name": "one", "input": input});
        let execution = crate::client::text(&world.call("StartExecution", start).await?, "executionArn")?;
        if let Some(updated) = &self.updated {
            let members = json!({"stateMachineArn": machine, "definition": updated.to_string()});
            world.call("UpdateStateMachine", members).await?;
        }
        self.say(world, functions, &execution).await?;
        if self.stopped {
            let members = json!({"executionArn": execution, "error": "Enough", "cause": "somebody stopped it"});
            world.call("StopExecution", members).await?;
        }
        if self.redriven {
            world.call("RedriveExecution", json!({"executionArn": execution, "clientToken": "once"})).await?;
        }
        self.stand_still(world, functions, &execution).await?;
        if self.deleted {
            world.call("DeleteStateMachine", json!({"stateMachineArn": machine})).await?;
        }
        Ok((execution, machine))
    }

    async fn say(&self, world: &dyn World, functions: &Functions, execution: &str) -> Result<()> {
        for said in &self.said {
            let mut tries = 0;
            let asked = loop {
                let asked = functions.asked().into_iter();
                let mut asked = asked.filter(|asked| asked.execution == execution && asked.item == said.item);
                match asked.next() {
                    Some(asked) => break asked,
                    None if tries == PATIENCE => bail!("nobody was asked for {}", said.item),
                    None => world.settle().await?,
                }
                tries += 1;
            };
            let token = &asked.token;
            match said.says {
                Saying::Beats => world.call("SendTaskHeartbeat", json!({"taskToken": token})).await?,
                Saying::Answers => Later::Answers.say(world, &said.item, token).await?,
                Saying::Fails => Later::Fails.say(world, &said.item, token).await?,
            };
        }
        Ok(())
    }

    async fn stand_still(&self, world: &dyn World, functions: &Functions, execution: &str) -> Result<()> {
        for _ in 0..PATIENCE {
            world.settle().await?;
            let there = match self.is_express() {
                true => functions.calls(execution) > 0,
                false => history(world, execution).await?.len() >= self.events,
            };
            if there {
                return Ok(());
            }
        }
        bail!("it does not come as far as {} events: {:#?}", self.events, history(world, execution).await?)
    }
}
