//! Where diagnostics point to, in JSON and in YAML, and YAML read as JSON.

use asl::source::{self, Format};
use asl::{MachineType, parse};

/// The text that the first diagnostic of a definition underlines.
fn underlined(text: &str, format: Format) -> String {
    let source = source::read(text, format).unwrap();
    let parsed = parse(source.json(), MachineType::Standard);
    let first = parsed.diagnostics.first().unwrap();
    text.get(source.span_of(first).unwrap()).unwrap().to_owned()
}

#[test]
fn underlines_the_value_that_is_wrong() {
    let json = r#"{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": -5, "End": true}}}"#;
    assert_eq!(underlined(json, Format::Json), "-5");
    let yaml = "StartAt: A\nStates:\n  A:\n    Type: Wait\n    Seconds: -5\n    End: true\n";
    assert_eq!(underlined(yaml, Format::Yaml), "-5");
}

#[test]
fn underlines_the_field_that_should_not_be_there() {
    let json = r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Nxt": "B", "End": true}}}"#;
    assert_eq!(underlined(json, Format::Json), "\"Nxt\"");
    let yaml = "StartAt: A\nStates:\n  A: {Type: Pass, Output: 1, End: true}\n";
    assert_eq!(underlined(yaml, Format::Yaml), "Output");
}

#[test]
fn underlines_the_name_of_a_state_that_lacks_something() {
    let json = "{\n\t\"StartAt\": \"A\",\n\t\"States\": {\n\t\t\"A\": {\"Type\": \"Task\", \"End\": true}\n\t}\n}";
    assert_eq!(underlined(json, Format::Json), "\"A\"");
}

#[test]
fn finds_states_in_lists_and_behind_names_with_slashes() {
    let yaml = "StartAt: a/b\nStates:\n  a: {Type: Succeed}\n  a/b:\n    Type: Parallel\n    Branches:\n      - StartAt: é\n        States:\n          é: {Type: Wait, Seconds: x, End: true}\n    Next: a\n";
    assert_eq!(underlined(yaml, Format::Yaml), "x");
}

#[test]
fn finds_its_way_in_json_that_is_no_yaml() {
    let json = r#"{"Comment": "\ud83d\ude00 \/ \\", "StartAt": "A\u0042", "States": {"A\u0042": {"Type": "Wait",
        "Seconds": [1, "]\"}"], "End": true}}}"#;
    assert_eq!(underlined(json, Format::Json), "\"Seconds\"");
    assert!(source::read(json, Format::Yaml).is_err());
}

#[test]
fn points_to_the_place_of_a_syntax_error() {
    assert_eq!(underlined("{\n  \"é\": 'x'\n}", Format::Json), "'");
}

#[test]
fn points_to_the_last_of_two_equal_fields() {
    let json = r#"{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 1, "Seconds": "two", "End": true}}}"#;
    assert_eq!(underlined(json, Format::Json), "\"two\"");
}

#[test]
fn reads_yaml_as_json() {
    let yaml = "a: 1\nb: 1.5\nc: yes\nd: true\ne: ~\nf: '5'\ng: 0x1F\nh: -7\ni: [x, {y: z}]\nj: |\n  two\n  lines\nk: 2016-03-14T01:59:00Z\nl: !Sub \"${X}\"\nm: .inf\nn: &n {o: p}\nq: *n\n5: five\n";
    let source = source::read(yaml, Format::Yaml).unwrap();
    let expected = r#"{"a":1,"b":1.5,"c":"yes","d":true,"e":null,"f":"5","g":31,"h":-7,"i":["x",{"y":"z"}],"j":"two\nlines\n","k":"2016-03-14T01:59:00Z","l":"${X}","m":".inf","n":{"o":"p"},"q":{"o":"p"},"5":"five"}"#;
    assert_eq!(source.json(), expected);
}

#[test]
fn refuses_several_documents_and_keys_that_are_no_text() {
    assert_eq!(source::read("a: 1\n---\nb: 2\n", Format::Yaml).unwrap_err().message, "a file holds one definition");
    assert_eq!(source::read("? [a]\n: b\n", Format::Yaml).unwrap_err().message, "a key has to be text");
}

#[test]
fn tells_json_from_yaml_by_the_name_or_the_text() {
    assert_eq!(Format::of(Some("JSON"), "a: b"), Format::Json);
    assert_eq!(Format::of(Some("yml"), "{}"), Format::Yaml);
    assert_eq!(Format::of(Some("asl"), " {}"), Format::Json);
    assert_eq!(Format::of(None, "StartAt: A"), Format::Yaml);
}

/// What PyYAML reads, and with it CloudFormation.
#[test]
fn reads_yaml_whose_brackets_and_quotes_are_not_indented() {
    let cases = [
        ("a:\n  b: [\n    1,\n    2\n  ]\n  c: 3\n", r#"{"a":{"b":[1,2],"c":3}}"#),
        ("a:\n  b: {\n    x: 1\n  }\n  c: {\n  }\n", r#"{"a":{"b":{"x":1},"c":{}}}"#),
        ("a:\n- b: [ # why\n  {x: 1}, # what\n  {y: '#'}\n  ]\n- c\n", r##"{"a":[{"b":[{"x":1},{"y":"#"}]},"c"]}"##),
        ("a:\n  b: \"one\n  two\n\n  three\"\n  c: 1\n", r#"{"a":{"b":"one two\nthree","c":1}}"#),
        ("a:\n  b: 'it''s\nnot [indented'\n  c: 1\n", r#"{"a":{"b":"it's not [indented","c":1}}"#),
        ("a:\n  b: \"one\\\n  two \\\"three\\\"\"\n  c: [\n  d]\n", r#"{"a":{"b":"onetwo \"three\"","c":["d"]}}"#),
        (
            "a:\n  b: [plain words\n  over lines, {c: d\n  e}\n  ]\n",
            r#"{"a":{"b":["plain words over lines",{"c":"d e"}]}}"#,
        ),
        ("a:\n  b: |\n    text [ \"\n  c: [\n  ]\n  d: it's [\n", r#"{"a":{"b":"text [ \"\n","c":[],"d":"it's ["}}"#),
        (
            "a:\n  - b: >-\n      one\n      two\n    c: {\n    \"x\":1\n    }\n",
            r#"{"a":[{"b":"one two","c":{"x":1}}]}"#,
        ),
        ("a: é\nb:\n  c: [\n    é\n  ]\n", r#"{"a":"é","b":{"c":["é"]}}"#),
    ];
    for (yaml, expected) in cases {
        assert_eq!(source::read(yaml, Format::Yaml).unwrap().json(), expected, "{yaml}");
    }
}

#[test]
fn finds_a_fault_behind_brackets_that_are_not_indented() {
    let yaml =
        "StartAt: A\nStates:\n  A:\n    Type: Wait\n    Comment: 'é\n  é'\n    Seconds: {\n    }\n    End: true\n";
    assert_eq!(underlined(yaml, Format::Yaml), "Seconds");
}

#[test]
fn refuses_yaml_that_has_no_reading_at_its_own_place() {
    let error = source::read("a: [\n  1,\nb: 2\n", Format::Yaml).unwrap_err();
    assert!(error.at.start > 4, "{error:?}");
    assert!(source::read("a: 'never\nends\n", Format::Yaml).is_err());
}
