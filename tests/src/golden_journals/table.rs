//! The table as a golden: its items in DynamoDB's JSON, told to functions over an emulated table, and the same functions
//! days later over a table that holds them.
//!
//! Bytes that are text are written as text. A body of chunks is too long to read, so its text is made of
//! pieces, each of which is written once: farther apart than what packing looks back on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::cloud::Process;
use anyhow::{Context, Result};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use engine::cells::{self, Content};
use engine::ports::{Clock, Expect, Journal, Put};
use engine::worker::Worker;
use engine::{Deployment, entry};
use interpreter::{Answer, Payload, ThreadPath, Timestamp, Wait};
use serde_json::{Value, json};

use super::lines::lines;
use super::{Expected, Functions, Place, Shapes, Story, World, version};
use crate::cloud::{Cloud, TABLE, call};
use crate::dynamo::{Dynamo, Request};
use crate::simulation::{BEGIN, Chance};

/// How long a worker lives: what hangs then is left to others.
const LIFE: Duration = Duration::from_secs(5);
/// Bodies from here on are written in pieces.
const LONG: usize = 10_000;
/// Pieces, and letters in each: together more than the 64 KiB that packing looks back on.
const PIECES: usize = 70;
const LETTERS: usize = 1_000;

/// Functions over a table, a new worker at every turn.
pub struct Fleet {
    pub cloud: Cloud,
    functions: Arc<Functions>,
    api: Process,
    /// How long a worker lives.
    life: Duration,
}

impl Fleet {
    async fn over(cloud: Cloud, functions: Arc<Functions>, life: Duration) -> Result<Fleet> {
        let api = cloud.process(Deployment::ApiOnly, functions.clone()).await?;
        Ok(Fleet { cloud, functions, api, life })
    }

    /// A fleet over a table of these items when it is `now`; its clock has swept the table once.
    pub async fn restored(items: &str, now: Timestamp, functions: Arc<Functions>) -> Result<Fleet> {
        let cloud = Cloud::at(now).await?;
        for item in unfolded(items)? {
            perform(&cloud.dynamo, "PutItem", json!({"TableName": TABLE, "Item": item}))?;
        }
        let clock = cloud.process(Deployment::SharedWorker, functions.clone()).await?;
        clock.tick(None, cloud.until()).await?;
        Fleet::over(cloud, functions, Duration::from_secs(24 * 60 * 60)).await
    }

    /// Why an execution cannot be driven; `None` when it can.
    pub async fn why_not(&self, execution: &str) -> Option<String> {
        let driven = self.api.engine.deliver().drive(execution, &[], self.cloud.until()).await;
        driven.err().map(|error| format!("{error:?}"))
    }
}

#[async_trait(?Send)]
impl World for Fleet {
    async fn call(&self, action: &str, members: Value) -> Result<Value> {
        call(&self.api.service, action, members).await
    }

    async fn settle(&self) -> Result<()> {
        let worker =
            Worker::new(self.cloud.process(Deployment::SharedWorker, self.functions.clone()).await?.engine.clone());
        match tokio::time::timeout(self.life, self.cloud.deliver_all(&worker, 1)).await {
            Ok(delivered) => delivered,
            // It died.
            Err(_) => Ok(()),
        }
    }
}

/// Tells all stories to functions and leaves them: the items of the table, and what has to be found there.
pub async fn told() -> Result<(String, Expected)> {
    let functions = Functions::troubled();
    let fleet = Fleet::over(Cloud::at(BEGIN).await?, functions.clone(), LIFE).await?;
    let clock = fleet.cloud.process(Deployment::SharedWorker, functions.clone()).await?;
    clock.tick(None, fleet.cloud.until()).await?;
    let mut told = Vec::new();
    let (large, pieces) = large();
    for story in std::iter::once(large).chain(Story::all(Place::Functions)?) {
        let telling = story.tell(&fleet, &functions).await;
        let (execution, machine) = telling.with_context(|| story.name.clone())?;
        if story.beside {
            answer_beside(&fleet, &execution).await?;
        }
        told.push((story, execution, machine));
    }
    let at = fleet.cloud.clock.now();
    let expected = Expected::of(&fleet, &functions, told, at.0).await?;
    Ok((folded(items(&fleet.cloud.dynamo)?, &pieces)?, expected))
}

/// A story whose head and whose definition do not fit an item; and what both are made of.
fn large() -> (Story, Vec<String>) {
    let mut chance = Chance::new(1);
    // Many different ones, or else packing finds too much.
    let letters: Vec<char> = ('0'..='9').chain('A'..='Z').chain('a'..='z').collect();
    let mut letter = || letters[usize::try_from(chance.draw()).unwrap_or_default() % letters.len()];
    let pieces: Vec<String> = (0..PIECES).map(|_| (0..LETTERS).map(|_| letter()).collect()).collect();
    // Whole rounds: what follows begins anew.
    let long: Vec<&String> = pieces.iter().cycle().take(3 * PIECES).collect();
    let comment = pieces.iter().cycle().take(6 * PIECES).map(String::as_str).collect::<Vec<_>>().join(",");
    let definition = json!({"Comment": comment, "StartAt": "Twice", "States": {
        "Twice": {"Type": "Pass", "Parameters": {"long.$": "$", "again": true}, "Next": "Rest"},
        "Rest": {"Type": "Wait", "Seconds": 604_800, "OutputPath": "$.again", "End": true},
    }});
    let ends = json!({"status": "SUCCEEDED", "output": true});
    (Story::made("a_large_one", definition, json!(long), 4, ends), pieces)
}

/// An answer in the cell of the execution's first wait, whose writer died before it notified the worker.
async fn answer_beside(fleet: &Fleet, execution: &str) -> Result<()> {
    let table = &fleet.api.table;
    let (head, _) = table.ends(execution).await?.context("no records")?;
    let started = entry::decode(0, &head.body)?.head.context("no head")?.0.started;
    let wait = Wait { path: ThreadPath::root(), attempt_id: 1 };
    let word = Content::Answered(Answer::Succeeded { output: Payload::from_json_text(r#"{"answered":0}"#) });
    let cell = cells::encode((execution, started), (&wait, started), &word, 99)?;
    let put = table.put_cell(cell, Expect::NotFinal).await?;
    anyhow::ensure!(put == Put::Written, "{put:?}");
    Ok(())
}

/// Every item of the table, in the order of their keys.
pub fn items(dynamo: &Dynamo) -> Result<Vec<Value>> {
    let (mut items, mut start) = (BTreeMap::new(), Value::Null);
    loop {
        let mut body = json!({"TableName": TABLE});
        if let (false, Value::Object(members)) = (start.is_null(), &mut body) {
            members.insert("ExclusiveStartKey".to_owned(), start);
        }
        let mut page = perform(dynamo, "Scan", body)?;
        for item in page["Items"].as_array().into_iter().flatten() {
            items.insert((item["pk"]["S"].to_string(), item["sk"]["S"].to_string()), item.clone());
        }
        start = page["LastEvaluatedKey"].take();
        if start.is_null() {
            return Ok(items.into_values().collect());
        }
    }
}

fn perform(dynamo: &Dynamo, operation: &str, body: Value) -> Result<Value> {
    let request = Request { operation: operation.to_owned(), body, units: 0.0 };
    Ok(serde_json::from_str(&dynamo.arrives_again(&request)?)?)
}

/// Items as a golden holds them.
fn folded(items: Vec<Value>, pieces: &[String]) -> Result<String> {
    let mut folded = Vec::new();
    for item in items {
        let mut attributes = BTreeMap::new();
        for (name, value) in item.as_object().into_iter().flatten() {
            let value = match text_of(value)? {
                Some(text) if text.len() < LONG => json!({"text": text}),
                Some(text) => json!({"pieces": cut(&text, pieces)}),
                None => value.clone(),
            };
            attributes.insert(name.clone(), value);
        }
        folded.push(json!(attributes));
    }
    Ok(lines(&json!({"items": folded, "pieces": pieces}), 2))
}

/// The text of a binary attribute, when it is one.
fn text_of(value: &Value) -> Result<Option<String>> {
    let Some(bytes) = value["B"].as_str() else { return Ok(None) };
    Ok(String::from_utf8(BASE64.decode(bytes)?).ok())
}

/// A text as the numbers of pieces, and what is between them.
fn cut(mut text: &str, pieces: &[String]) -> Vec<Value> {
    let (mut parts, mut between) = (Vec::new(), String::new());
    while let Some(first) = text.chars().next() {
        match pieces.iter().position(|piece| text.starts_with(piece.as_str())) {
            Some(number) => {
                parts.push(Value::from(std::mem::take(&mut between)));
                parts.push(number.into());
                text = text.get(LETTERS..).unwrap_or_default();
            }
            None => {
                between.push(first);
                text = text.get(first.len_utf8()..).unwrap_or_default();
            }
        }
    }
    parts.push(between.into());
    parts
}

/// The items of a golden.
fn unfolded(text: &str) -> Result<Vec<Value>> {
    let golden: Value = serde_json::from_str(text)?;
    let pieces = &golden["pieces"];
    let whole = |part: &Value| match part.as_u64().and_then(|number| usize::try_from(number).ok()) {
        Some(number) => pieces[number].as_str().map(str::to_owned),
        None => part.as_str().map(str::to_owned),
    };
    let mut items = golden["items"].as_array().cloned().context("no items")?;
    for value in items.iter_mut().filter_map(Value::as_object_mut).flat_map(|members| members.values_mut()) {
        let text = match (&value["text"], &value["pieces"]) {
            (Value::String(text), _) => text.clone(),
            (_, Value::Array(parts)) => parts.iter().map(whole).collect::<Option<_>>().context("a piece is missing")?,
            _ => continue,
        };
        *value = json!({"B": BASE64.encode(text)});
    }
    Ok(items)
}

/// The shapes of items: their own, that of packing, and those of bodies that are plain.
pub fn shapes(items: &[Value]) -> Result<Shapes> {
    let number = |value: &Value| value["N"].as_str().and_then(|digits| digits.parse::<u64>().ok());
    let mut shapes = Shapes::new();
    for item in items {
        shapes.insert(("an item", number(&item["v"]).context("an item without a version")?));
        shapes.extend(number(&item["packed"]).map(|way| ("a packing", way)));
        let sort = item["sk"]["S"].as_str().unwrap_or_default();
        let what = if sort.starts_with("s/") { "a cell" } else { "a document" };
        // Packed bodies are seen in the directory, where the same bodies are not.
        let plain = item["packed"].is_null() && !sort.starts_with("k/");
        let body = text_of(&item["body"])?.filter(|text| plain && text.starts_with(r#"{"v":"#));
        if let Some(body) = body {
            shapes.insert((what, version(body.as_bytes())?));
        }
    }
    Ok(shapes)
}

/// The items of a golden, as [`shapes`] takes them.
pub fn items_of(golden: &str) -> Result<Vec<Value>> {
    unfolded(golden)
}
