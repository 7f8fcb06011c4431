//! Whatever the text and whatever the document: no panic, no endless work.

use crate::world;
use expressions::jsonata::{self, Converted, Jsonata, Sees};
use expressions::{
    Chance, Comparison, Condition, ContextObject, Expression, Path, ReferencePath, Template, Variables, json, time,
};
use proptest::prelude::*;
use serde_json::{Map, Number, Value};

fn values() -> impl Strategy<Value = Value> {
    let numbers = prop_oneof![
        any::<i64>().prop_map(Value::from),
        (-3i64..4).prop_map(Value::from),
        any::<f64>().prop_map(|number| Number::from_f64(number).map_or(Value::Null, Value::Number)),
    ];
    let leaves = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        numbers,
        "[abc,{}\\\\]{0,4}|2020-01-01T00:00:00Z".prop_map(Value::from),
    ];
    leaves.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec(("[abc]", inner), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Texts made of the pieces of the language, so that many of them compile.
fn paths() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        ".a",
        ".b",
        "['a']",
        "[\"b\"]",
        "['a','b']",
        "[0]",
        "[-1]",
        "[0,1]",
        "[1:]",
        "[:-1]",
        "[-9:9]",
        "[*]",
        ".*",
        "..a",
        "..*",
        "..[0]",
        "[?(@.a)]",
        "[?(@ > 1)]",
        "[?(@.a == $.b && !(@.c =~ /a.*/i))]",
        "[?(@.a in [1,'b'])]",
        "[?(@.a[0].b > '1')]",
        ".length()",
        "[(@.length-1)]",
        "[?(@.a == b || !@.b)]",
        "[?(@.a != 'x' && @ =~ /a/)]",
        "[?(",
        "]",
        "é",
        "'",
        "\\",
    ]);
    let roots = prop::sample::select(vec!["$", "$$", "$name", "$list", "$x"]);
    (roots, prop::collection::vec(pieces, 0..5)).prop_map(|(root, pieces)| root.to_owned() + &pieces.concat())
}

fn calls() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec![
        "Array",
        "ArrayContains",
        "ArrayGetItem",
        "ArrayLength",
        "ArrayPartition",
        "ArrayRange",
        "ArrayUnique",
        "Base64Decode",
        "Base64Encode",
        "Format",
        "Hash",
        "JsonMerge",
        "JsonToString",
        "MathAdd",
        "MathRandom",
        "StringSplit",
        "StringToJson",
        "UUID",
    ]);
    let arguments = prop_oneof![
        paths(),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        "'[a{}\\\\,]{0,5}'",
        prop::sample::select(vec!["true", "false", "null", "'MD5'", "$.a", "$", "''"]).prop_map(str::to_owned),
    ];
    let leaf = (names.clone(), prop::collection::vec(arguments.clone(), 0..4))
        .prop_map(|(name, arguments)| format!("States.{name}({})", arguments.join(", ")));
    leaf.prop_recursive(3, 12, 3, move |inner| {
        (names.clone(), prop::collection::vec(prop_oneof![inner, arguments.clone()], 0..4))
            .prop_map(|(name, arguments)| format!("States.{name}({})", arguments.join(",")))
    })
}

/// JSON as functions of other languages write it: halves of surrogate pairs, numbers that nothing holds, keys given twice.
fn odd_texts() -> impl Strategy<Value = String> {
    let strings = prop::collection::vec(
        prop::sample::select(vec![
            "a",
            " ",
            "\\n",
            "\\ud83d",
            "\\ude00",
            "\\uDBFF",
            "\u{10fffe}",
            "#1e5",
            "é",
            "\u{10d800}",
            "\\u0000",
        ]),
        0..5,
    );
    let strings = strings.prop_map(|pieces| format!("\"{}\"", pieces.concat()));
    let numbers = prop::sample::select(vec!["0", "-7", "1.5", "1e309", "-4e999", "123456789012345678901234567890"]);
    let leaves = prop_oneof![
        3 => strings.clone(),
        2 => numbers.prop_map(str::to_owned),
        1 => prop::sample::select(vec!["null", "true", "[]", "{}"]).prop_map(str::to_owned),
    ];
    leaves.prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((strings.clone(), inner), 1..4).prop_map(|members| {
                let members: Vec<String> = members.into_iter().map(|(key, value)| format!("{key}:{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

fn parse_everything(text: &str) {
    let _ = Path::parse(text);
    let _ = ReferencePath::parse(text);
    let _ = Expression::parse(text);
    let _ = time::parse_timestamp(text);
    for operator in Comparison::OPERATORS {
        let _ = Comparison::parse(operator, &Value::from(text));
    }
    if let Ok(value) = json::parse(text) {
        assert_eq!(json::parse(&json::to_text(&value)), Ok(value));
    }
}

/// AWS reads `-0` as 0, serde_json as the double -0.0.
fn zeros_without_sign(value: Value) -> Value {
    match value {
        Value::Number(number) if number.as_f64() == Some(0.0) => Value::from(0),
        Value::Array(items) => items.into_iter().map(zeros_without_sign).collect(),
        Value::Object(members) => members.into_iter().map(|(key, value)| (key, zeros_without_sign(value))).collect(),
        other => other,
    }
}

proptest! {
    #[test]
    fn no_text_makes_a_parser_panic(text in any::<String>()) {
        parse_everything(&text);
    }

    #[test]
    fn no_text_in_the_letters_of_the_languages_makes_a_parser_panic(
        text in "[$@.\\[\\]()?*:,'\"\\\\/!=<>~&|{}+\\-0-9a-eunlrtfsSTZ é\u{1F600}\n]{0,40}",
    ) {
        parse_everything(&text);
        parse_everything(&format!("${text}"));
        parse_everything(&format!("$[?({text})]"));
        parse_everything(&format!("States.Format('{text}')"));
    }

    #[test]
    fn json_is_accepted_when_serde_json_accepts_it_and_when_a_number_is_too_large_for_it(
        text in "[\\[\\]{}:,\"\\\\ 0-9.eE+\\-truefalsn]{0,12}",
    ) {
        let plain = |value: Option<Value>| value.map(zeros_without_sign);
        let (ours, theirs) = (json::parse(&text), serde_json::from_str::<Value>(&text));
        match (&ours, &theirs) {
            (Ok(value), Err(error)) => {
                prop_assert!(error.to_string().starts_with("number out of range"), "{}", error);
                prop_assert!(json::is_carried(value));
            }
            _ => prop_assert_eq!(plain(ours.ok()), plain(theirs.ok())),
        }
    }

    #[test]
    fn every_value_survives_being_written_and_read(value in values()) {
        prop_assert_eq!(json::parse(&value.to_string()), Ok(value));
    }

    #[test]
    fn whatever_json_says_is_kept_or_refused(text in odd_texts()) {
        let value = json::parse(&text).unwrap();
        let written = json::to_text(&value);
        prop_assert_eq!(&json::parse(&written), &Ok(value.clone()));
        prop_assert_eq!(json::to_text(&json::copy(&value)), written.clone());
        let kept = format!(r#"{{"x":{written}}}"#);
        let template = Template::compile(&serde_json::json!({"x.$": "$"})).unwrap();
        if !value.is_null() {
            let rendered = world::with_scope(&value, |scope| template.render(scope)).unwrap();
            prop_assert_eq!(json::to_text(&rendered), kept.clone());
        }
        let placed = ReferencePath::parse("$.x").unwrap().write(serde_json::json!({}), value.clone()).unwrap();
        prop_assert_eq!(json::to_text(&placed), kept.clone());
        let context = ContextObject::new(|| Value::Null);
        let scope = jsonata::Scope {
            input: &value,
            result: None,
            error_output: None,
            context: &context,
            variables: &Variables::new(),
            chance: &Chance::from_seed([7; 32]),
            fuel: &expressions::Fuel::default(),
            now: 0,
            converted: Converted::default(),
        };
        // An integer of more digits than a double has is none to JSONata.
        let rounded = kept.replace("123456789012345678901234567890", "1.2345678901234568e+29");
        for (query, wanted) in [("{'x': $states.input}", Some(rounded)), ("$states.input", Some(written)), ("$string($states.input)", None)] {
            let query = Jsonata::parse(&format!("{{% {query} %}}"), Sees::Input).unwrap();
            match (query.evaluate(&scope, "Output"), wanted) {
                (Ok(value), Some(wanted)) => prop_assert_eq!(json::to_text(&value), wanted),
                (Ok(value), None) => prop_assert!(!json::is_carried(&value)),
                (Err(error), wanted) => {
                    prop_assert!(wanted.is_none());
                    prop_assert_eq!(error.error, "States.QueryEvaluationError");
                }
            }
        }
    }

    #[test]
    fn no_document_makes_a_path_panic(text in paths(), input in values()) {
        let Ok(path) = Path::parse(&text) else { return Ok(()) };
        world::with_scope(&input, |scope| {
            let read = path.read(scope);
            // Present means readable; a list is never absent.
            if path.is_present(scope) {
                assert!(read.is_ok(), "{text}");
            }
            if let (false, Ok(value)) = (path.is_definite(), &read) {
                assert!(value.is_array(), "{text}");
            }
        });
    }

    #[test]
    fn no_document_makes_a_call_panic(text in calls(), input in values()) {
        let Ok(expression) = Expression::parse(&text) else { return Ok(()) };
        let evaluate = || world::with_scope(&input, |scope| expression.evaluate(scope, "a.$"));
        prop_assert_eq!(evaluate(), evaluate(), "the same seed gives the same value");
    }

    #[test]
    fn no_document_makes_a_condition_panic(
        variable in paths(),
        operator in prop::sample::select(&Comparison::OPERATORS[..]),
        operand in prop_oneof![values(), paths().prop_map(Value::from)],
        input in values(),
    ) {
        let (Ok(variable), Ok(comparison)) = (Path::parse(&variable), Comparison::parse(operator, &operand)) else {
            return Ok(());
        };
        let condition = Condition::Test { variable, comparison };
        let negated = Condition::Not(Box::new(condition.clone()));
        world::with_scope(&input, |scope| assert_eq!(condition.holds(scope).map(|holds| !holds), negated.holds(scope)));
    }

    #[test]
    fn what_a_result_path_writes_is_read_back(
        steps in prop::collection::vec(prop::sample::select(vec![".a", "['b']", "[0]"]), 0..4),
        input in values(),
        result in values(),
    ) {
        let text = format!("${}", steps.concat());
        if let Ok(written) = ReferencePath::parse(&text).unwrap().write(input, result.clone()) {
            world::with_scope(&written, |scope| {
                assert_eq!(Path::parse(&text).unwrap().read(scope).unwrap().into_owned(), result);
            });
        }
    }

    #[test]
    fn no_template_panics(template in values(), call in prop_oneof![calls(), paths()], input in values()) {
        let template = serde_json::json!({"a": template, "b.$": call});
        if let Ok(template) = Template::compile(&template) {
            let _ = world::with_scope(&input, |scope| template.render(scope));
        }
    }
}
