//! Hostile bytes for every reader, as functions: each takes any bytes at all, feeds them to one of the product's readers
//! of what comes from outside, and panics where a promise is broken.
//!
//! The coverage-guided targets under `tests/fuzz` and the property tests of `tests/tests/suite/any_bytes.rs` are made of the same
//! [`TARGETS`] and begin with the same seeds, so whatever one finds the other can hold on to. Where a target needs two
//! texts, a zero byte parts them. Absent: HTTP itself, whose reader is hyper; `tests/tests/suite/hostile` has what is hostile
//! about connections.

mod definitions;
mod seeds;
mod texts;
mod wire;

use serde_json::Value;

/// A reader of what comes from outside.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    /// Feeds it these bytes. Panics where it breaks a promise.
    pub feed: fn(&[u8]),
    /// Good examples.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

pub const TARGETS: &[Target] = &[
    Target { name: "definition", feed: definitions::definition, seeds: seeds::definitions },
    Target { name: "machine", feed: definitions::machine, seeds: seeds::machines },
    Target { name: "input", feed: definitions::input, seeds: seeds::inputs },
    Target { name: "path", feed: texts::path, seeds: seeds::paths },
    Target { name: "intrinsic", feed: texts::intrinsic, seeds: seeds::intrinsics },
    Target { name: "jsonata", feed: texts::jsonata, seeds: seeds::jsonata },
    Target { name: "request", feed: wire::request, seeds: seeds::requests },
    Target { name: "page_token", feed: wire::page_token, seeds: seeds::page_tokens },
    Target { name: "task_token", feed: wire::task_token, seeds: seeds::task_tokens },
    Target { name: "entry", feed: wire::entry, seeds: wire::entries },
];

/// The target of that name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// The two texts that a zero byte parts, where bytes are text.
fn two_texts(bytes: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(bytes).ok()?;
    Some(text.split_once('\0').unwrap_or((text, "{}")))
}

fn set(members: &mut Value, name: &str, value: Value) {
    if let Some(members) = members.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}
