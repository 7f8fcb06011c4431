//! Whatever is sent to the product's readers, good examples damaged at random: no panic, no broken promise.
//!
//! The readers and the examples are those of the coverage-guided targets (`stepwell_tests::fuzzed`, `tests/fuzz`), so
//! what those find is held on to here. `STEPWELL_CASES` says how many cases each reader gets.

use std::fmt;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestError, TestRunner};
use stepwell_tests::fuzzed;
use stepwell_tests::modes::count;

const CASES: u64 = 2_000;
const CASES_OF_THE_LONG_MODE: u64 = 100_000;

/// Fragments that readers of JSON, paths and expressions trip over.
const WORDS: &[&str] = &[
    "\0",
    "\n",
    "\"",
    "\\",
    "\\ud800",
    "{",
    "}",
    "[",
    "]",
    "[[[[[[[[",
    "(",
    ")",
    ",",
    ":",
    ".",
    "..",
    "$",
    "$$",
    "*",
    "[*]",
    "[?(@.a)]",
    "@",
    "'",
    "{}",
    "{%",
    "%}",
    "null",
    "true",
    "-",
    "0",
    "-1",
    "9223372036854775807",
    "1e308",
    "1e999",
    "0.1",
    "\u{feff}",
    "é",
    "\u{10ffff}",
    "States.Array(",
    "States.ALL",
    "Next",
    "End",
    "2020-01-01T00:00:00Z",
    "9999999999",
];

/// Something done to bytes.
#[derive(Debug, Clone)]
enum Change {
    Remove(Index, usize),
    Put(Index, u8),
    Insert(Index, &'static str),
    /// The bytes there are doubled, and so on.
    Repeat(Index, usize, usize),
    /// From there on it is another example's end.
    Join(Index, Index),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let place = any::<Index>;
    let change = prop_oneof![
        (place(), 1..20_usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (place(), any::<u8>()).prop_map(|(at, byte)| Change::Put(at, byte)),
        (place(), select(WORDS)).prop_map(|(at, word)| Change::Insert(at, word)),
        (place(), 1..40_usize, 1..30_usize).prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
        (place(), place()).prop_map(|(at, other)| Change::Join(at, other)),
    ];
    prop::collection::vec(change, 0..6)
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>, examples: &[Vec<u8>]) {
        let place = |at: &Index| at.index(bytes.len() + 1);
        let part = |from: usize, length: usize| from..bytes.len().min(from + length);
        match self {
            Change::Remove(at, length) => drop(bytes.drain(part(place(at), *length))),
            Change::Put(at, byte) => {
                let at = place(at);
                if let Some(place) = bytes.get_mut(at) {
                    *place = *byte;
                }
            }
            Change::Insert(at, word) => {
                let at = place(at);
                drop(bytes.splice(at..at, word.bytes()));
            }
            Change::Repeat(at, length, times) => {
                let at = place(at);
                let again = bytes[part(at, *length)].repeat(*times);
                drop(bytes.splice(at..at, again));
            }
            Change::Join(at, other) => {
                bytes.truncate(place(at));
                let other = other.get(examples);
                bytes.extend_from_slice(&other[at.index(other.len() + 1)..]);
            }
        }
    }
}

/// Bytes that are shown as a text where they are one.
#[derive(Clone)]
struct Shown(Vec<u8>);

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

#[track_caller]
fn survives(name: &str) {
    let target = fuzzed::target(name).expect("no such target");
    let examples = (target.seeds)();
    assert!(!examples.is_empty(), "no examples");
    for example in &examples {
        (target.feed)(example);
    }
    let cases = u32::try_from(count("STEPWELL_CASES", CASES, CASES_OF_THE_LONG_MODE)).expect("too many cases");
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let damaged = (any::<Index>(), changes()).prop_map(move |(which, changes)| {
        let mut bytes = which.get(&examples).clone();
        changes.iter().for_each(|change| change.apply(&mut bytes, &examples));
        Shown(bytes)
    });
    let outcome = TestRunner::new(config).run(&damaged, |Shown(bytes)| {
        (target.feed)(&bytes);
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, bytes)) => panic!("{name} does not survive {bytes:?}: {reason}"),
        Err(TestError::Abort(reason)) => panic!("{name}: {reason}"),
    }
}

#[test]
fn any_definition_is_a_machine_or_has_errors_that_point_into_it() {
    survives("definition");
}

#[test]
fn any_machine_waits_or_ends_with_a_sound_history() {
    survives("machine");
}

#[test]
fn any_input_goes_through_states_that_look_at_all_of_it() {
    survives("input");
}

#[test]
fn any_path_is_refused_or_reads_and_writes_any_document() {
    survives("path");
}

#[test]
fn any_intrinsic_function_is_refused_or_evaluates_over_any_document() {
    survives("intrinsic");
}

#[test]
fn any_jsonata_is_refused_or_evaluates_over_any_document() {
    survives("jsonata");
}

#[test]
fn any_request_is_served_or_refused_in_the_shape_of_aws() {
    survives("request");
}

#[test]
fn any_page_token_but_our_own_is_refused() {
    survives("page_token");
}

#[test]
fn any_task_token_but_our_own_is_refused_and_leaves_the_wait_to_its_answer() {
    survives("task_token");
}

#[test]
fn any_journal_entry_is_read_or_unreadable() {
    survives("entry");
}
