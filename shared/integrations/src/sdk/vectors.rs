//! Requests, answers and errors against vectors that botocore made: `table/vectors.py` has how. The repository has some of
//! each protocol; `STEPWELL_VECTORS` makes that many of each with another seed, and the long mode those of every operation.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::SystemTime;

use engine::ports::TaskAnswer;
use roxmltree::{Document, Node};
use serde::Deserialize;
use serde_json::Value;
use stepwell_tests::modes::count;

use super::model::Version;
use super::request::{Outline, request};
use super::table::Table;
use super::{answer, service_failed};
use crate::exchange::Answer;

const VECTORS: &str = include_str!("../../tests/cases/sdk_vectors.jsonl");

/// More than any protocol has.
const EVERY_OPERATION: u64 = 1_000_000;

/// Vectors of so many operations of each protocol, with a seed that no run before had.
fn made(number: u64) -> String {
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let number = if number >= EVERY_OPERATION { 0 } else { number };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/table/vectors.py");
    let output = Command::new("python3").args(["-B", script, &number.to_string(), &seed.to_string()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[derive(Deserialize)]
struct Head {
    kind: String,
    protocol: String,
    service: String,
    action: String,
    #[serde(flatten)]
    vector: Value,
}

#[derive(Deserialize)]
struct Expected {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Option<String>,
    form: Option<Vec<(String, String)>>,
}

#[derive(Deserialize)]
struct Said {
    status: u16,
    headers: std::collections::BTreeMap<String, String>,
    body: String,
    output: Option<Value>,
    error: Option<String>,
    cause: Option<String>,
}

#[test]
fn requests_answers_and_errors_are_those_of_botocore() {
    let made = match count("STEPWELL_VECTORS", 0, EVERY_OPERATION) {
        0 => None,
        number => Some(made(number)),
    };
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    let mut seen_lines = 0;
    for line in made.as_deref().unwrap_or(VECTORS).lines() {
        let head: Head = serde_json::from_str(line).unwrap();
        let outcome = match head.kind.as_str() {
            "request" => check_request(&head),
            _ => check_answer(&head),
        };
        if let Err(why) = outcome {
            wrong.push(format!("{} {} {}:{}: {why}", head.kind, head.protocol, head.service, head.action));
        }
        seen.insert((head.kind, head.protocol));
        seen_lines += 1;
    }
    assert!(wrong.is_empty(), "{} of {seen_lines} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(seen.len(), 15, "not every protocol has every kind");
}

fn check_request(head: &Head) -> Result<(), String> {
    let model = Table::get().service(&head.service).ok_or("no service")?;
    let operation = model.operation(&head.action).ok_or("no operation")?;
    let expected: Expected = serde_json::from_value(head.vector["request"].clone()).unwrap();
    let Outline { path, headers, body, .. } =
        request(&model, operation, &head.vector["input"].to_string(), None, Version::Two)
            .map_err(|why| format!("{why:?}"))?;
    same("method", &expected.method.as_str(), &operation.method.as_str())?;
    let (path, query) = path.split_once('?').unwrap_or((&path, ""));
    same("path", &expected.path.as_str(), &path)?;
    same("query", &expected.query, &pairs(query))?;
    for (name, value) in &expected.headers {
        let ours = headers.iter().find(|(own, _)| own.as_str() == name);
        // The same type without its letters in the same size, or with a charset, is as good.
        if name != "content-type" {
            same(name, &Some(value.as_str()), &ours.and_then(|(_, value)| value.to_str().ok()))?;
        }
    }
    let known: Vec<&str> = expected.headers.iter().map(|(name, _)| name.as_str()).collect();
    let more = headers.iter().find(|(name, _)| !known.contains(&name.as_str()) && name.as_str() != "content-type");
    same("more headers", &None, &more)?;
    let body = String::from_utf8(body.to_vec()).unwrap();
    match (expected.form, expected.body) {
        (Some(form), _) => same("form", &form, &pairs(&body)),
        (None, Some(text)) => same("body", &canonical(&text), &canonical(&body)),
        (None, None) => Err("a request without a body".to_owned()),
    }
}

fn check_answer(head: &Head) -> Result<(), String> {
    let model = Table::get().service(&head.service).ok_or("no service")?;
    let operation = model.operation(&head.action).ok_or("no operation")?;
    let said: Said = serde_json::from_value(head.vector.clone()).unwrap();
    let mut built = http::Response::builder().status(said.status);
    for (name, value) in &said.headers {
        built = built.header(name, value.as_bytes());
    }
    let (parts, ()) = built.body(()).unwrap().into_parts();
    let answer = Answer { status: parts.status, headers: parts.headers, body: said.body.into() };
    if let Some(error) = said.error {
        let expected = TaskAnswer::Failed { error, cause: said.cause };
        return same("failure", &expected, &service_failed(&model, &answer));
    }
    let result = answer::result(&model, operation, &answer).ok_or("unreadable")?;
    same("output", &said.output, &serde_json::from_str(&result).ok())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, ours: &T) -> Result<(), String> {
    if expected == ours { Ok(()) } else { Err(format!("{what}\n  botocore {expected:?}\n  ours     {ours:?}")) }
}

/// The decoded pairs of a query or form, sorted.
fn pairs(text: &str) -> Vec<(String, String)> {
    let decoded = |part: &str| {
        let mut bytes = Vec::new();
        let mut rest = part.as_bytes();
        while let [first, behind @ ..] = rest {
            rest = behind;
            match (first, behind) {
                (b'%', [high, low, behind @ ..]) => {
                    let code = [*high, *low];
                    bytes.push(u8::from_str_radix(std::str::from_utf8(&code).unwrap(), 16).unwrap());
                    rest = behind;
                }
                (b'+', _) => bytes.push(b' '),
                (other, _) => bytes.push(*other),
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    let split = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut pairs: Vec<_> = split.map(|(name, value)| (decoded(name), decoded(value))).collect();
    pairs.sort();
    pairs
}

/// JSON and XML regardless of the order of their members; anything else as it is.
fn canonical(text: &str) -> String {
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        return sorted(&value);
    }
    Document::parse(text).map_or_else(|_| text.to_owned(), |document| element(document.root_element()))
}

fn sorted(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: std::collections::BTreeMap<_, _> =
                members.iter().map(|(name, value)| (name, sorted(value))).collect();
            format!("{members:?}")
        }
        Value::Array(items) => format!("{:?}", items.iter().map(sorted).collect::<Vec<_>>()),
        other => other.to_string(),
    }
}

fn element(node: Node<'_, '_>) -> String {
    let mut attributes: Vec<String> =
        node.attributes().map(|own| format!("{:?}={}", own.name(), own.value())).collect();
    attributes.sort();
    let mut children: Vec<String> = node.children().filter(Node::is_element).map(element).collect();
    children.sort();
    let text = if children.is_empty() { node.text().unwrap_or_default() } else { "" };
    format!("<{:?} {attributes:?}>{text}{children:?}", node.tag_name())
}
