//! JSON texts as Jackson reads them, and timestamps.

use crate::world;
use expressions::json::{depth, parse, to_text};
use expressions::time::parse_timestamp;
use serde_json::{Value, json};

#[test]
fn texts_are_read_and_refused_as_the_table_says() {
    world::run(include_str!("cases/json.json"), |case| {
        let text = case["text"].as_str().unwrap();
        let result = parse(text).map_err(|error| format!("{} at {}:{}", error.message, error.line, error.column));
        world::compare(case, result)
    });
}

#[test]
fn nesting_of_128_is_read_and_129_is_not() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(depth(&parse(&nested(128)).unwrap()), 128);
    let error = parse(&nested(129)).unwrap_err();
    assert!(error.message.starts_with("Document nesting depth (129) exceeds"), "{error}");
    assert!(parse(&"{\"a\":".repeat(100_000)).is_err());
    assert!(parse(&"[".repeat(1_000_000)).is_err());
}

#[test]
fn depth_counts_containers() {
    for (value, wanted) in [(json!(1), 0), (json!([]), 1), (json!({"a": 1}), 1), (json!([1, {"a": [{}]}, []]), 4)] {
        assert_eq!(depth(&value), wanted, "{value}");
    }
}

#[test]
fn what_is_written_is_compact_and_keeps_order_and_decimals() {
    let text = r#"{"z":[1,2.5,-0.0,1.0,9007199254740993,0.1],"a":null,"é":"\n\"/"}"#;
    assert_eq!(to_text(&parse(text).unwrap()), text);
}

#[test]
fn a_lone_surrogate_is_an_error() {
    for text in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\ud800""#, r#""\ud800x""#, r#"{"\udfff":1}"#] {
        assert!(parse(text).is_err(), "{text}");
    }
    assert_eq!(parse(r#""\ud83d\ude00""#), Ok(Value::from("😀")));
}

#[test]
fn timestamps_need_a_t_and_a_zone() {
    let accepted = [
        "2016-03-14T01:59:00Z",
        "2016-03-05T21:29:29.243167252Z",
        "2012-10-09T19:00:55+01:00",
        "2012-10-09T19:00:55.5-11:30",
        "2024-02-29T00:00:00Z",
    ];
    for text in accepted {
        assert!(parse_timestamp(text).is_some(), "{text}");
    }
    let refused = [
        "",
        "Z",
        "2016-12-05",
        "2016-12-05T21:29:29",
        "2016-12-05 21:29:29Z",
        "05-12-2016T21:29:29Z",
        "2016-13-05T21:29:29Z",
        "2016-12-05T25:29:29Z",
        "2016-12-05T24:00:00Z",
        "2023-02-29T00:00:00Z",
        "2016-12-31T23:59:60Z",
        "2016-12-05T21:29Z",
        "2016-12-05T21:29:29.Z",
        "2016-12-05T21:29:29.1234567890Z",
        "2016-12-05T21:29:29+0100",
        "2016-12-05T21:29:29+01",
        "2016-12-05T21:29:29 01:00",
        "2016-12-05T21:29:29+99:00",
        "2016-12-05T21:29:29+19:00",
        "2016-12-05T21:29:29Z[UTC]",
        "2016-12-05T21:29:29ZZ",
        "2016-12-05t21:29:29z",
        " 2016-12-05T21:29:29Z",
        "2016-12-05T21:29:29é",
        "20é6-12-05T21:29:29Z",
    ];
    for text in refused {
        assert!(parse_timestamp(text).is_none(), "{text}");
    }
    assert_eq!(parse_timestamp("1970-01-01T01:00:00.5+01:00").unwrap().as_millisecond(), 500);
}
