//! Golden journals: what a released layout left on the disk and in the table, for the code of today to go on with.
//!
//! `golden_journals/stories` are executions of every kind, each brought to where it stands still; a [`World`] is where they
//! are told: the real `serve`, or functions over an emulated table. The state in the middle of all of them is a
//! golden: the directory that `kill -9` left as SQL ([`directory`]), the table as its items ([`table`]), and beside either
//! what its readers have to find and how each execution has to end ([`Expected`]).
//!
//! A golden is never written again. Which shapes it holds, [`Shapes`] tells: of every shape that the code of today writes
//! there has to be a golden.

#![expect(clippy::indexing_slicing, reason = "an index into JSON does not panic; any other that does fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use serde_json::{Value, json};

pub mod directory;
mod expected;
mod functions;
mod lines;
mod story;
pub mod table;

pub use expected::Expected;
pub use functions::Functions;
pub use story::{Place, Story};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden_journals");
/// How long everything is left alone before it is gone on with: longer than whatever the stories wait for.
pub const AWAY_MS: i64 = 8 * 24 * 60 * 60 * 1_000;

/// Where executions live.
#[async_trait(?Send)]
pub trait World {
    /// Calls an action; a refusal is an error that names it.
    async fn call(&self, action: &str, members: Value) -> Result<Value>;

    /// Lets what is under way come further.
    async fn settle(&self) -> Result<()>;
}

/// The whole history of an execution, without a gap.
pub async fn history(world: &dyn World, execution: &str) -> Result<Vec<Value>> {
    let (mut events, mut token) = (Vec::new(), Value::Null);
    loop {
        let members = json!({"executionArn": execution, "maxResults": 1000, "nextToken": token});
        let mut page = world.call("GetExecutionHistory", members).await?;
        events.extend(page["events"].as_array().cloned().unwrap_or_default());
        token = page["nextToken"].take();
        if token.is_null() {
            crate::client::check_links(&events).with_context(|| format!("the history of {execution}"))?;
            return Ok(events.into_iter().map(shortened).collect());
        }
    }
}

/// Texts that are long are told by their length: a golden is to be read.
fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) if text.len() > 2_000 => json!(format!("({} bytes)", text.len())),
        Value::Array(items) => items.into_iter().map(shortened).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, shortened(value))).collect(),
        other => other,
    }
}

/// The versions of stored shapes that were met, such as `an entry, 1`.
pub type Shapes = BTreeSet<(&'static str, u64)>;

/// The version that a document tells in `v`.
fn version(document: &[u8]) -> Result<u64> {
    #[derive(serde::Deserialize)]
    struct Version {
        v: u64,
    }
    // No more than that: a payload may be what serde_json's own values do not hold.
    let Version { v } = serde_json::from_slice(document).context("a stored document without a version")?;
    Ok(v)
}

/// The goldens there are, by the number of their layout, oldest first.
pub fn goldens() -> Result<Vec<PathBuf>> {
    let mut goldens = Vec::new();
    for entry in fs::read_dir(FOLDER)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u64>().ok());
        goldens.extend(number.map(|number| (number, path)));
    }
    goldens.sort();
    ensure!(!goldens.is_empty(), "there is no golden");
    Ok(goldens.into_iter().map(|(_, path)| path).collect())
}

/// Where a golden of today's layout was asked to be written, by the number of the layout in `STEPWELL_GOLDEN`.
pub fn asked_for() -> Result<Option<PathBuf>> {
    let Ok(number) = std::env::var("STEPWELL_GOLDEN") else { return Ok(None) };
    let number: u64 = number.parse().context("STEPWELL_GOLDEN is no number")?;
    let folder = Path::new(FOLDER).join(number.to_string());
    fs::create_dir_all(&folder)?;
    Ok(Some(folder))
}

/// Writes a file of a golden, which must not be there: others rely on what was released.
pub fn write_once(path: &Path, text: &str) -> Result<()> {
    ensure!(!path.exists(), "{} is there, and a golden is never written again", path.display());
    Ok(fs::write(path, text)?)
}

/// Every shape of today is in some golden.
pub fn have_a_golden(today: &Shapes, golden: &Shapes) -> Result<()> {
    let missing: Vec<_> = today.difference(golden).collect();
    ensure!(
        missing.is_empty(),
        "no golden journal holds {missing:?}: write one by STEPWELL_GOLDEN=<next number> cargo test --workspace --locked \
         --test suite of_today, and keep the others"
    );
    Ok(())
}
