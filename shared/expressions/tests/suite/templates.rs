//! Payload templates and result paths.

use crate::world;
use expressions::{ReferencePath, Template};
use serde_json::{Value, json};

#[test]
fn templates_render_as_the_table_says() {
    world::run(include_str!("cases/templates.json"), |case| {
        let template = Template::compile(&case["template"]).map_err(|findings| format!("{findings:?}"))?;
        let input = case.get("input").unwrap_or(&Value::Null);
        let result = world::with_scope(input, |scope| template.render(scope).map_err(|error| error.to_string()));
        world::compare(case, result)
    });
}

#[test]
fn all_findings_of_a_template_are_told_with_their_places() {
    let template = json!({
        "a.$": "no path",
        "ok.$": "$.a",
        "list": [{"b.$": 1}, {"c~/d": {"e.$": "States.Nothing()"}}],
        "f": 1,
        "f.$": "$.f",
        "g.$": "States.Format('\\\"')"
    });
    let must = |key: &str| {
        format!("The value for the field '{key}' must be a valid JSONPath or a valid intrinsic function call")
    };
    let text_needed = |key: &str, was: &str| {
        format!("The value for the field '{key}' must be a STRING that contains a JSONPath but was {was}")
    };
    let found = |pointer: &str, field: &str, message: String| (pointer.to_owned(), Some(field.to_owned()), message);
    let findings = Template::compile(&template).unwrap_err();
    assert!(findings.iter().all(|one| one.reason.is_some() == one.message.contains("valid JSONPath")), "{findings:?}");
    let all: Vec<_> = findings.into_iter().map(|one| (one.pointer, one.field, one.message)).collect();
    assert_eq!(
        all,
        [
            found("", "a.$", must("a.$")),
            found("/list/0", "b.$", text_needed("b.$", "a NUMBER")),
            found("/list/1/c~0~1d", "e.$", must("e.$")),
            found("", "f", "The field 'f' is given more than once".to_owned()),
            found("", "g.$", must("g.$")),
        ]
    );
}

#[test]
fn variables_of_a_template_are_listed_in_order() {
    let template = json!({"a.$": "$x.y", "b": [{"c.$": "States.Array($z, $x)"}], "d": "$w"});
    assert_eq!(Template::compile(&template).unwrap().variables(), ["x", "z", "x"]);
}

#[test]
fn a_value_that_nests_too_deeply_is_not_rendered() {
    let nested = |depth: usize| (0..depth).fold(json!(1), |value, _| json!([value]));
    let template = Template::compile(&json!({"a.$": "$"})).unwrap();
    let render = |input: &Value| world::with_scope(input, |scope| template.render(scope));
    assert!(render(&nested(999)).is_ok());
    assert_eq!(render(&nested(1000)).unwrap_err().error, "States.DataLimitExceeded");
    assert!(Template::compile(&nested(129)).is_err());
}

#[test]
fn results_are_written_as_the_table_says() {
    world::run(include_str!("cases/result_paths.json"), |case| {
        let path = ReferencePath::parse(case["path"].as_str().unwrap()).map_err(|invalid| invalid.message)?;
        let result = path.write(case["input"].clone(), case["result"].clone());
        world::compare(case, result.map_err(|error| error.to_string()))
    });
}

#[test]
fn only_reference_paths_into_the_input_are_result_paths() {
    for text in ["$", "$.a", "$.a.b[0]", "$['a b']"] {
        assert_eq!(ReferencePath::parse(text).unwrap().text(), text);
    }
    for text in ["", "a", "$$", "$$.a", "$name", "$.*", "$..a", "$[0:1]", "$['a','b']", "$[?(@.a)]", "$[(@.length-1)]"]
    {
        assert!(ReferencePath::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_result_is_not_written_too_deep() {
    let path = ReferencePath::parse(&format!("${}", ".a".repeat(1001))).unwrap();
    assert_eq!(path.write(json!({}), json!(1)).unwrap_err().error, "States.DataLimitExceeded");
}
