//! A scenario: a definition, how its functions answer, and how it has to end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use interpreter::Limits;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Reply;

/// A file of `tests/scenarios`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The name of its file, a sentence.
    #[serde(skip)]
    pub name: String,
    pub definition: Value,
    #[serde(default)]
    pub input: Value,
    /// By the state that calls: one reply per attempt, the last one for all that follow.
    #[serde(default)]
    pub functions: BTreeMap<String, Vec<Reply>>,
    /// A client stops the execution.
    #[serde(default)]
    pub stop: Option<Stop>,
    /// How it has to end; nothing is expected but what the reference comes to where chance says how functions answer.
    #[serde(default)]
    pub expected: Option<Expected>,
    /// Events of a history, where AWS's limit is raised.
    #[serde(default)]
    pub events: Option<u64>,
    /// Bytes of a payload, where AWS's limit is lowered.
    #[serde(default)]
    pub payload_bytes: Option<usize>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    pub after_ms: u64,
    pub error: String,
    pub cause: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub status: String,
    #[serde(default)]
    pub output: Option<Value>,
    #[serde(default)]
    pub error: Option<String>,
}

impl Scenario {
    pub fn limits(&self) -> Limits {
        let standard = Limits::STANDARD;
        Limits {
            events: self.events.unwrap_or(standard.events),
            payload_bytes: self.payload_bytes.unwrap_or(standard.payload_bytes),
            ..standard
        }
    }

    /// True when its executions have limits that the API does not know.
    pub fn has_own_limits(&self) -> bool {
        self.events.is_some() || self.payload_bytes.is_some()
    }

    /// The reference scenarios, in the order of their names, then the reference workflows, whose functions reply at random.
    pub fn all() -> Result<Vec<Scenario>> {
        let scenarios = files_of("scenarios")?.into_iter().map(|file| Scenario::read(&file));
        let workflows = files_of("workflows")?.into_iter().map(|file| Scenario::of_workflow(&file));
        scenarios.chain(workflows).collect()
    }

    fn read(file: &Path) -> Result<Scenario> {
        let text = std::fs::read_to_string(file)?;
        let mut scenario: Scenario = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
        ensure!(scenario.expected.is_some(), "{}: nothing is expected", file.display());
        scenario.name = name_of(file);
        Ok(scenario)
    }

    fn of_workflow(file: &Path) -> Result<Scenario> {
        let definition = serde_json::from_str(&std::fs::read_to_string(file)?)?;
        let items: Vec<Value> = (0..12).map(|number| json!({ "item": number })).collect();
        Ok(Scenario {
            name: name_of(file),
            definition,
            input: json!({ "total": 1_500, "priority": "rush", "order": { "id": 7 }, "items": items }),
            functions: BTreeMap::new(),
            stop: None,
            expected: None,
            events: None,
            payload_bytes: None,
        })
    }
}

/// The JSON files of a folder of the tests, in the order of their names.
fn files_of(folder: &str) -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let files: Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut files = files?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}

fn name_of(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
