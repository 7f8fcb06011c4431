//! Reads Step Functions Local's `MockConfigFile.json`, and says where something is wrong with one.
//!
//! Everything is looked at when the file is read, used or not, so that no test runs with half a configuration. A
//! mocked response without any answer is taken: generated files have them for states that are never reached. Members
//! that mean nothing here are ignored, as comments are.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Responses, Said};

/// An error in a file of mocks, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidMocks {
    /// Names of members from outside in; empty for the whole file.
    place: Vec<String>,
    problem: String,
}

impl fmt::Display for InvalidMocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place.join(" > "))?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for InvalidMocks {}

impl InvalidMocks {
    fn here(problem: impl Into<String>) -> Self {
        Self { place: Vec::new(), problem: problem.into() }
    }

    /// The same, seen from one level further out.
    fn inside(mut self, member: &str) -> Self {
        self.place.insert(0, member.to_owned());
        self
    }
}

type Named<T> = BTreeMap<String, T>;

/// The mocked responses by state machine, test case and state.
pub(super) fn read(text: &str) -> Result<Named<Named<Named<Arc<Responses>>>>, InvalidMocks> {
    let file: Value = serde_json::from_str(text).map_err(|error| InvalidMocks::here(format!("no JSON: {error}")))?;
    let file = object(&file)?;
    let responses = match file.get("MockedResponses") {
        Some(value) => {
            each(value, |name, value| Ok(Arc::new(Responses { name: name.to_owned(), answers: answers(value)? })))
                .map_err(|error| error.inside("MockedResponses"))?
        }
        None => BTreeMap::new(),
    };
    let machines = |value: &Value| each(value, |_, machine| test_cases(machine, &responses));
    within(file, "StateMachines", machines)
}

fn test_cases(
    machine: &Value,
    responses: &Named<Arc<Responses>>,
) -> Result<Named<Named<Arc<Responses>>>, InvalidMocks> {
    let response = |_: &str, name: &Value| {
        let name = name.as_str().ok_or_else(|| InvalidMocks::here("should be the name of a mocked response"))?;
        let unknown = || InvalidMocks::here(format!("there is no mocked response '{name}'"));
        responses.get(name).cloned().ok_or_else(unknown)
    };
    within(object(machine)?, "TestCases", |cases| each(cases, |_, states| each(states, response)))
}

fn answers(value: &Value) -> Result<Vec<(RangeInclusive<u32>, Said)>, InvalidMocks> {
    let read = |key: &str, value: &Value| Ok((numbers(key)?, said(value)?));
    let mut answers: Vec<_> = each(value, read)?.into_values().collect();
    answers.sort_by_key(|(numbers, _)| *numbers.start());
    let twice = answers.windows(2).find_map(|pair| match pair {
        [(before, _), (after, _)] if before.end() >= after.start() => Some(*after.start()),
        _ => None,
    });
    match twice {
        Some(number) => Err(InvalidMocks::here(format!("call {number} is answered twice"))),
        None => Ok(answers),
    }
}

/// `"3"`, `"0-2"`.
fn numbers(key: &str) -> Result<RangeInclusive<u32>, InvalidMocks> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| digits)
    };
    let (first, last) = key.split_once('-').unwrap_or((key, key));
    let range = number(first).zip(number(last)).map(|(first, last)| first..=last);
    range.filter(|range| !range.is_empty()).ok_or_else(|| {
        InvalidMocks::here(r#"should be the number of a call, such as "0", or a range of them, such as "1-2""#)
    })
}

fn said(value: &Value) -> Result<Said, InvalidMocks> {
    let members = object(value)?;
    match (members.get("Return"), members.get("Throw")) {
        (Some(result), None) => Ok(Said::Return(result.to_string())),
        (None, Some(_)) => within(members, "Throw", thrown),
        _ => Err(InvalidMocks::here("should have either Return or Throw")),
    }
}

fn thrown(value: &Value) -> Result<Said, InvalidMocks> {
    let members = object(value)?;
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| InvalidMocks::here("should be a text"));
    let error = within(members, "Error", text)?;
    let cause = members.get("Cause").map(text).transpose().map_err(|error| error.inside("Cause"))?;
    Ok(Said::Throw { error, cause })
}

fn object(value: &Value) -> Result<&Map<String, Value>, InvalidMocks> {
    value.as_object().ok_or_else(|| InvalidMocks::here("should be an object"))
}

/// Reads a member that has to be there.
fn within<T>(
    members: &Map<String, Value>,
    name: &str,
    read: impl FnOnce(&Value) -> Result<T, InvalidMocks>,
) -> Result<T, InvalidMocks> {
    let value = members.get(name).ok_or_else(|| InvalidMocks::here(format!("{name} is missing")))?;
    read(value).map_err(|error| error.inside(name))
}

/// Reads every member of an object by its name.
fn each<T>(value: &Value, read: impl Fn(&str, &Value) -> Result<T, InvalidMocks>) -> Result<Named<T>, InvalidMocks> {
    let read =
        |(name, value): (&String, &Value)| Ok((name.clone(), read(name, value).map_err(|error| error.inside(name))?));
    object(value)?.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let one = |response: &str| format!(r#"{{"StateMachines":{{}},"MockedResponses":{{"R":{response}}}}}"#);
        let case = |name: &str| {
            format!(r#"{{"StateMachines":{{"M":{{"TestCases":{{"C":{{"S":{name}}}}}}}}},"MockedResponses":{{}}}}"#)
        };
        let cases = [
            ("[]".to_owned(), "should be an object"),
            ("{".to_owned(), "no JSON: EOF while parsing an object at line 1 column 1"),
            ("{}".to_owned(), "StateMachines is missing"),
            (r#"{"StateMachines":{"M":{}}}"#.to_owned(), "StateMachines > M: TestCases is missing"),
            (case("7"), "StateMachines > M > TestCases > C > S: should be the name of a mocked response"),
            (case(r#""X""#), "StateMachines > M > TestCases > C > S: there is no mocked response 'X'"),
            (one("[]"), "MockedResponses > R: should be an object"),
            (one(r#"{"0":{}}"#), "MockedResponses > R > 0: should have either Return or Throw"),
            (
                one(r#"{"0":{"Return":1,"Throw":{"Error":"E"}}}"#),
                "MockedResponses > R > 0: should have either Return or Throw",
            ),
            (one(r#"{"0":{"Throw":{"Cause":"c"}}}"#), "MockedResponses > R > 0 > Throw: Error is missing"),
            (one(r#"{"0":{"Throw":{"Error":1}}}"#), "MockedResponses > R > 0 > Throw > Error: should be a text"),
            (
                one(r#"{"0":{"Throw":{"Error":"E","Cause":{}}}}"#),
                "MockedResponses > R > 0 > Throw > Cause: should be a text",
            ),
            (one(r#"{"0-2":{"Return":1},"2":{"Return":2}}"#), "MockedResponses > R: call 2 is answered twice"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(&text).map(|_| ()).map_err(|error| error.to_string()), Err(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn calls_are_numbered_one_by_one_or_in_ranges() {
        let good = [("0", 0..=0), ("12", 12..=12), ("1-3", 1..=3), ("2-2", 2..=2)];
        for (key, expected) in good {
            assert_eq!(numbers(key), Ok(expected), "{key}");
        }
        for key in ["", "-", "a", "1-", "-1", "+1", "3-1", "1-2-3", " 1", "99999999999"] {
            assert!(numbers(key).is_err(), "{key}");
        }
    }

    #[test]
    fn a_response_that_says_nothing_and_members_without_meaning_are_taken() {
        let text = r#"{"Comment":1,"StateMachines":{"M":{"TestCases":{"C":{"S":"R"}}}},"MockedResponses":{"R":{}}}"#;
        let read = read(text).unwrap();
        assert_eq!(*read["M"]["C"]["S"], Responses { name: "R".to_owned(), answers: Vec::new() });
    }
}
