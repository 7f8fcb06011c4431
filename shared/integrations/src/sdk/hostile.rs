//! Arguments and answers that no service means, against every operation of the table: each is a result or an error, never
//! a panic.

use asl::{QueryLanguage, SdkServices};
use http::StatusCode;
use serde_json::{Value, json};

use super::admission::Catalogue;
use super::model::Version;
use super::request::request;
use super::table::Table;
use super::{answer, is_error_within, service_failed};
use crate::exchange::Answer;

/// Values in the place of each member of an operation.
fn values() -> Vec<Value> {
    let mut deep = json!("x");
    for _ in 0..120 {
        deep = json!({ "M": [deep] });
    }
    vec![
        json!(null),
        json!(true),
        json!(-1.5),
        json!(18_446_744_073_709_551_615_u64),
        json!(""),
        json!("..\r\n\u{0}é\u{1f600}/?#%"),
        json!([null, [], {}, "a"]),
        json!({"": null, "a": {"b": [1]}, "L": [{"M": {}}]}),
        deep,
    ]
}

fn answers() -> Vec<String> {
    let mut answers =
        vec!["{}", "null", "[1,{\"a\":2}]", "{\"a\":", "\u{0}", "", "<a/>", "<a><b>1</b>", "<Error/>", "\"text\""]
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
    answers.push("[".repeat(50_000));
    answers.push("{\"a\":".repeat(50_000) + "1" + &"}".repeat(50_000));
    answers
}

fn answer(status: u16, body: &str) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: http::HeaderMap::new(),
        body: bytes::Bytes::from(body.to_owned()),
    }
}

#[test]
fn arguments_of_any_shape_are_written_or_refused() {
    let values = values();
    for (number, name) in Table::get().names().enumerate() {
        let model = Table::get().service(name).unwrap();
        for (other, action) in model.actions().enumerate() {
            let operation = model.operation(&action).unwrap();
            let members = operation.input.map_or(&[][..], |input| model.members(input));
            // Each operation gets each member in another shape; together they get all.
            let given = members.iter().enumerate().map(|(place, member)| {
                let value = values.get((number + other + place) % values.len()).unwrap();
                (model.shown(member, Version::Two).into_owned(), value.clone())
            });
            let given: serde_json::Map<String, Value> = given.collect();
            for language in [QueryLanguage::JsonPath, QueryLanguage::Jsonata] {
                let _problems = Catalogue.check(name, &action, &given, language);
            }
            let _outline = request(&model, operation, &Value::Object(given).to_string(), None, Version::Two);
        }
    }
}

#[test]
fn answers_of_any_shape_are_read_or_unreadable() {
    let answers = answers();
    for (number, name) in Table::get().names().enumerate() {
        let model = Table::get().service(name).unwrap();
        for (other, action) in model.actions().enumerate() {
            let operation = model.operation(&action).unwrap();
            let said = answers.get((number + other) % answers.len()).unwrap();
            let _result = answer::result(&model, operation, &answer(200, said));
            let _within = is_error_within(&model, &answer(200, said));
            let _failure = service_failed(&model, &answer(400, said));
        }
    }
}

/// A structure within itself, as deep as `depth`, in the JSON of a service that has one.
fn nested(depth: usize) -> String {
    let open = r#"{"L":["#.repeat(depth);
    let close = "]}".repeat(depth);
    format!(r#"{{"Item":{{"a":{open}{{"S":"x"}}{close}}}}}"#)
}

#[test]
fn structures_within_themselves_are_read_to_a_depth() {
    let model = Table::get().service("dynamodb").unwrap();
    let operation = model.operation("getItem").unwrap();
    let shallow = answer::result(&model, operation, &answer(200, &nested(40)));
    assert_eq!(shallow, Some(nested(40)));
    assert_eq!(answer::result(&model, operation, &answer(200, &nested(10_000))), None);
    let put = model.operation("putItem").unwrap();
    assert!(request(&model, put, &nested(40), None, Version::Two).is_ok());
    assert!(request(&model, put, &nested(10_000), None, Version::Two).is_err());
}

#[test]
fn xml_of_any_depth_is_read_or_unreadable() {
    let model = Table::get().service("sns").unwrap();
    let operation = model.operation("publish").unwrap();
    let deep = "<a>".repeat(100_000) + &"</a>".repeat(100_000);
    let _result = answer::result(&model, operation, &answer(200, &deep));
    let _failure = service_failed(&model, &answer(400, &deep));
}
