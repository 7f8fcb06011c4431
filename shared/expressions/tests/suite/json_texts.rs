//! JSON texts as Jackson reads them, and timestamps.

use crate::world;
use expressions::json::{copy, depth, is_carried, is_number, parse, parse_definition, plain_text, string, to_text};
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
fn nesting_of_1000_is_read_and_1001_is_not() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(depth(&parse(&nested(1000)).unwrap()), 1000);
    assert_eq!(depth(&parse(&("{\"a\":".repeat(1000) + "1" + &"}".repeat(1000))).unwrap()), 1000);
    let error = parse(&nested(1001)).unwrap_err();
    assert!(error.message.starts_with("Document nesting depth (1001) exceeds the maximum allowed (1000"), "{error}");
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
fn unpaired_surrogates_and_vast_numbers_are_written_as_they_came() {
    for text in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""a\udbff b\udfff""#,
        r#""\ud83d\ud83d""#,
        r#""\ude00\ud83d""#,
        r#"{"\udfff":1,"x":["\udead"]}"#,
        "1e309",
        "-2.5E+999",
        "123456789012345678901234567890",
        r#"[1e400,{"n":-98765432109876543210}]"#,
    ] {
        let value = parse(text).unwrap();
        assert_eq!(to_text(&value), text);
        assert!(is_carried(&value), "{text}");
        assert_eq!(parse(&to_text(&value)), Ok(value));
    }
    assert_eq!(to_text(&parse(&"9".repeat(400)).unwrap()), "9".repeat(400));
    assert_eq!(to_text(&parse(r#""\uD8ab""#).unwrap()), r#""\ud8ab""#);
    // Whatever makes one character is one, however many halves come before it.
    assert_eq!(parse(r#""\ud83d\ude00""#), Ok(Value::from("😀")));
    assert_eq!(to_text(&parse(r#""\ud83d\ud83d\ude00""#).unwrap()), r#""\ud83d😀""#);
    assert_eq!(to_text(&parse(r#""\ud83dx""#).unwrap()), r#""\ud83dx""#);
}

#[test]
fn a_definition_holds_nothing_that_is_carried() {
    let refused = |text: &str| parse_definition(text).unwrap_err().message;
    for text in [r#""\ud800""#, r#"["\udc00"]"#, r#""\ud800\ud800""#, r#"{"\udfff":1}"#] {
        assert!(refused(text).starts_with("Broken surrogate pair: first char 0xd"), "{text}");
    }
    assert_eq!(refused("1e999"), "Numeric value (1e999) out of range of double");
    assert!(refused(&"[".repeat(200)).starts_with("Document nesting depth (129) exceeds the maximum allowed (128"));
    assert_eq!(parse_definition("12345678901234567890123"), Ok(json!(12345678901234567890123.0)));
}

#[test]
fn the_mark_of_what_is_carried_is_carried_itself() {
    for text in [
        "\"\u{10fffe}\"",
        "\"\u{10fffe}#1e999\"",
        "\"\u{10fffe}\u{10d800}\"",
        "{\"a\u{10fffe}\u{10fffe}\":\"\u{10fffe}\"}",
    ] {
        let value = parse(text).unwrap();
        assert_eq!(to_text(&value), text);
        assert!(!is_number(&value));
    }
    assert_eq!(to_text(&parse(r#""\udbff\udffe#1""#).unwrap()), "\"\u{10fffe}#1\"");
    assert_ne!(parse("\"\u{10fffe}\u{10d800}\""), parse(r#""\ud800""#));
    // A string of another origin is never written as anything but a string or a number.
    for text in ["\u{10fffe}#", "\u{10fffe}#01", "\u{10fffe}#1e", "\u{10fffe}#]", "\u{10fffe}x"] {
        assert!(to_text(&Value::from(text)).starts_with('"'), "{text}");
    }
}

#[test]
fn kinds_are_told_of_what_is_carried() {
    let table = [("1e309", true, None), ("5", true, None), (r#""5""#, false, Some("5")), ("[]", false, None)];
    for (text, is_numeric, wanted) in table {
        let value = parse(text).unwrap();
        assert_eq!((is_number(&value), string(&value)), (is_numeric, wanted), "{text}");
    }
    assert!(!is_carried(&json!({"a": ["text", 1.5, null]})));
    for (text, plain) in
        [("\"a\\ud83d\"", "a\u{fffd}"), ("1e309", "1e309"), ("\"\u{10fffe}\"", "\u{10fffe}"), ("\"é\"", "é")]
    {
        assert_eq!(plain_text(parse(text).unwrap().as_str().unwrap()), plain);
    }
}

#[test]
fn a_deep_value_is_written_measured_and_dropped_on_a_small_stack() {
    let text = "[{\"a\":".repeat(500) + "1" + &"}]".repeat(500);
    let small = std::thread::Builder::new().stack_size(1 << 20);
    let copied = text.clone();
    let written = small.spawn(move || {
        let value = parse(&copied).unwrap();
        let other = copy(&value);
        assert_eq!(depth(&value), 1000);
        assert!(value == other);
        to_text(&other)
    });
    assert_eq!(written.unwrap().join().unwrap(), text);
}

#[test]
fn the_last_day_of_the_last_year_is_a_timestamp() {
    let instant = |text: &str| parse_timestamp(text).unwrap_or_else(|| panic!("{text}"));
    assert_eq!(instant("9999-12-31T23:59:59Z").floor_milliseconds(), 253_402_300_799_000);
    assert_eq!(instant("9999-12-30T22:00:00.001Z").floor_milliseconds(), 253_402_207_200_001);
    assert_eq!(instant("9999-12-31T23:59:59.999999999-18:00").ceiling_milliseconds(), 253_402_365_600_000);
    assert_eq!(instant("0000-01-01T00:00:00+18:00").floor_milliseconds(), -62_167_284_000_000);
    assert!(instant("9999-12-31T23:59:59+00:01") < instant("9999-12-31T23:59:00.1Z"));
    assert_eq!(instant("1969-12-31T23:59:59.9999Z").floor_milliseconds(), -1);
    assert_eq!(instant("1969-12-31T23:59:59.9999Z").ceiling_milliseconds(), 0);
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
    assert_eq!(parse_timestamp("1970-01-01T01:00:00.5+01:00").unwrap().floor_milliseconds(), 500);
}
