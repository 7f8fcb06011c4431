//! Good examples to begin with: the golden cases, the expressions in them, and requests of every action.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::123456789012:role/r";
const PASS: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:pass";
const QUICK: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:quick";
const EXECUTION: &str = "arn:aws:states:us-east-1:123456789012:execution:pass:one";
const WAITING: &str = "arn:aws:states:us-east-1:123456789012:execution:ask:one";

/// The files of that name in the folders of the golden cases.
fn golden(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let cases = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = cases.map(|case| case.path().join(name)).collect();
    files.sort();
    files.iter().filter_map(|file| std::fs::read(file).ok()).collect()
}

pub(super) fn definitions() -> Vec<Vec<u8>> {
    golden("definition.json")
}

pub(super) fn machines() -> Vec<Vec<u8>> {
    definitions()
        .into_iter()
        .map(|definition| [&*definition, b"\0", br#"{"a":[1,{"b":"c"}],"items":[1,2]}"#].concat())
        .collect()
}

pub(super) fn inputs() -> Vec<Vec<u8>> {
    let own = [
        json!({"a": [{"b": 2}, {"b": 0}], "b": 1}),
        json!({"a": "2020-01-01T00:00:00Z", "b": "{\"a\":[]}"}),
        json!({"a": 1.5e3, "b": null}),
    ];
    golden("input.json").into_iter().chain(own.iter().map(|input| input.to_string().into())).collect()
}

pub(super) fn paths() -> Vec<Vec<u8>> {
    with_documents(&expressions_that_begin("$"))
}

pub(super) fn intrinsics() -> Vec<Vec<u8>> {
    with_documents(&expressions_that_begin("States."))
}

pub(super) fn jsonata() -> Vec<Vec<u8>> {
    let inner = |text: &String| Some(text.strip_prefix("{%")?.strip_suffix("%}")?.trim().to_owned());
    with_documents(&expressions_that_begin("{%").iter().filter_map(inner).collect())
}

fn with_documents(texts: &BTreeSet<String>) -> Vec<Vec<u8>> {
    let document =
        json!({"a": [1, {"b": "c"}, -2.5], "b": {"c": null, "d": "2020-01-01"}, "items": [{"a": 1}, {"a": 2}]})
            .to_string();
    texts.iter().map(|text| format!("{text}\0{document}").into()).collect()
}

/// The strings in golden definitions that begin like this.
fn expressions_that_begin(start: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for definition in definitions() {
        collect(&serde_json::from_slice(&definition).unwrap_or_default(), start, &mut found);
    }
    found
}

fn collect(value: &Value, start: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.starts_with(start) => drop(found.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| collect(item, start, found)),
        Value::Object(members) => members.values().for_each(|member| collect(member, start, found)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// One request of every action, and a few that follow each other.
pub(super) fn requests() -> Vec<Vec<u8>> {
    let definition = r#"{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}"#;
    let tags = json!([{"key": "k", "value": "v"}]);
    let all = [
        (
            "CreateStateMachine",
            json!({"name": "new", "definition": definition, "roleArn": ROLE, "type": "EXPRESS", "tags": tags,
            "loggingConfiguration": {"level": "OFF", "includeExecutionData": true}, "tracingConfiguration": {"enabled": false}}),
        ),
        ("UpdateStateMachine", json!({"stateMachineArn": PASS, "definition": definition, "roleArn": ROLE})),
        ("DescribeStateMachine", json!({"stateMachineArn": PASS, "includedData": "METADATA_ONLY"})),
        ("DescribeStateMachineForExecution", json!({"executionArn": EXECUTION})),
        ("ListStateMachines", json!({"maxResults": 1, "nextToken": "@PAGE@"})),
        ("DeleteStateMachine", json!({"stateMachineArn": PASS})),
        (
            "StartExecution",
            json!({"stateMachineArn": PASS, "name": "n", "input": "{\"a\":1}", "traceHeader": "Root=1"}),
        ),
        ("StartSyncExecution", json!({"stateMachineArn": QUICK, "name": "n", "input": "[1e3]"})),
        ("DescribeExecution", json!({"executionArn": EXECUTION, "includedData": "ALL_DATA"})),
        ("ListExecutions", json!({"stateMachineArn": PASS, "statusFilter": "SUCCEEDED", "maxResults": 1})),
        (
            "GetExecutionHistory",
            json!({"executionArn": EXECUTION, "reverseOrder": true, "includeExecutionData": false, "maxResults": 2}),
        ),
        ("StopExecution", json!({"executionArn": WAITING, "error": "e", "cause": "c"})),
        ("SendTaskSuccess", json!({"taskToken": "@TASK@", "output": "{}"})),
        ("SendTaskFailure", json!({"taskToken": "@TASK@", "error": "e", "cause": "c"})),
        ("SendTaskHeartbeat", json!({"taskToken": "@TASK@"})),
        ("TagResource", json!({"resourceArn": PASS, "tags": tags})),
        ("UntagResource", json!({"resourceArn": PASS, "tagKeys": ["k"]})),
        ("ListTagsForResource", json!({"resourceArn": PASS})),
        (
            "ValidateStateMachineDefinition",
            json!({"definition": definition, "type": "STANDARD", "severity": "WARNING", "maxResults": 1}),
        ),
        ("GetActivityTask", json!({"activityArn": "a"})),
    ];
    let all: Vec<(&str, Value)> = all.into_iter().chain(requests_of_versions()).collect();
    let one = |(action, body): &(&str, Value)| format!("AWSStepFunctions.{action}\n{body}").into_bytes();
    let alone = all.iter().map(one);
    let in_a_row = all.chunks(4).map(|some| some.iter().map(one).collect::<Vec<_>>().join(&0));
    alone.chain(in_a_row).collect()
}

/// By the first byte of each: a text, a content that is sealed, letters that are exchanged. The second names the call.
fn tokens(texts: &[&str], contents: &[Value]) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for call in 0..3_u8 {
        let with = |kind: u8, rest: &[u8]| [&[kind, call], rest].concat();
        seeds.extend(texts.iter().map(|text| with(0, text.as_bytes())));
        seeds.extend(contents.iter().map(|content| with(1, content.to_string().as_bytes())));
        seeds.extend([&[][..], &[3, 17], &[200, 5, 7, 7]].map(|pairs| with(2, pairs)));
    }
    seeds
}

pub(super) fn page_tokens() -> Vec<Vec<u8>> {
    let contents = [
        json!({"q": "machines", "p": PASS}),
        json!({"q": [PASS, null, null], "p": [1_700_000_000_000_i64, EXECUTION]}),
        json!({"q": [EXECUTION, false, true], "p": {"sequence": 0, "event": 1}}),
    ];
    tokens(&["", "AAAA", "eyJxIjoxLCJwIjoxfQ", "nonsense!"], &contents)
}

pub(super) fn task_tokens() -> Vec<Vec<u8>> {
    let contents = [
        json!({"e": WAITING, "p": [], "t": 1}),
        json!({"e": EXECUTION, "p": [0, 3], "t": 0}),
        json!({"e": "arn:aws:states:us-east-1:123456789012:express:quick:n:u", "p": [], "t": 1}),
    ];
    tokens(&["", "AAAA", "eyJlIjoiIiwicCI6W10sInQiOjF9", "nonsense!"], &contents)
}

/// The same for versions, aliases and Map Runs.
fn requests_of_versions() -> Vec<(&'static str, Value)> {
    let (version, alias) = (format!("{PASS}:1"), format!("{PASS}:live"));
    let routes = json!([{"stateMachineVersionArn": version, "weight": 100}]);
    let run = "arn:aws:states:us-east-1:123456789012:mapRun:p/M:1";
    vec![
        ("PublishStateMachineVersion", json!({"stateMachineArn": PASS, "revisionId": "INITIAL", "description": "d"})),
        ("CreateStateMachineAlias", json!({"name": "live", "description": "d", "routingConfiguration": routes})),
        ("StartExecution", json!({"stateMachineArn": alias, "name": "routed"})),
        ("DescribeStateMachine", json!({"stateMachineArn": version})),
        ("ListExecutions", json!({"stateMachineArn": version, "maxResults": 1})),
        ("ListStateMachineVersions", json!({"stateMachineArn": PASS, "maxResults": 1})),
        ("ListStateMachineAliases", json!({"stateMachineArn": version, "maxResults": 1})),
        ("DescribeStateMachineAlias", json!({"stateMachineAliasArn": alias})),
        ("UpdateStateMachineAlias", json!({"stateMachineAliasArn": alias, "routingConfiguration": routes})),
        ("DeleteStateMachineAlias", json!({"stateMachineAliasArn": alias})),
        ("DeleteStateMachineVersion", json!({"stateMachineVersionArn": version})),
        ("ListMapRuns", json!({"executionArn": EXECUTION, "maxResults": 1})),
        ("DescribeMapRun", json!({"mapRunArn": run})),
        ("UpdateMapRun", json!({"mapRunArn": run, "toleratedFailurePercentage": 0.5})),
    ]
}
