//! JSONPath: what is read, what is refused, and in which words.

use crate::world;
use expressions::{Path, Root};
use serde_json::Value;

#[test]
fn paths_read_what_the_table_says() {
    world::run(include_str!("cases/paths.json"), |case| {
        let path = Path::parse(case["path"].as_str().unwrap()).map_err(|invalid| invalid.message)?;
        let input = case.get("input").unwrap_or(&Value::Null);
        let result =
            world::with_scope(input, |scope| path.read(scope).map(|v| v.into_owned()).map_err(|e| e.to_string()));
        world::compare(case, result)
    });
}

#[test]
fn paths_that_do_not_compile_are_refused() {
    let refused = [
        "",
        "a",
        "@.a",
        "$.",
        "$..",
        "$.a.",
        "$a.",
        "$.a..",
        "$[",
        "$[]",
        "$['a'",
        "$['a",
        "$.a b",
        "$ .a",
        "$[a]",
        "$.a[1",
        "$[:]",
        "$[99999999999]",
        "$[?]",
        "$[?()]",
        "$[?(@.a]",
        "$[?(1)]",
        "$[?(@.a =~ /(/)]",
        "$[?(@.a =~ /a(?=b)/)]",
        "$1a",
        "$$$",
        "$-",
        "$a b",
        "$[(@.length)]",
        "$[(@.min()-1)]",
        "$[?(@.a == 1]",
        "$[?(@.a == 1 ||)]",
        "$[?(|| @.a)]",
        "$[?(@.a == !@.b)]",
        "$[?(@.a = 1)]",
    ];
    for text in refused {
        assert!(Path::parse(text).is_err(), "{text} is accepted");
    }
}

#[test]
fn definiteness_and_reference_follow_from_the_steps() {
    // Text, is definite, is a reference path.
    let table = [
        ("$", true, true),
        ("$$", true, true),
        ("$name", true, true),
        ("$.a.b[0]['c d']", true, true),
        ("$['a','b']", true, false),
        ("$['a','b'].c", true, false),
        ("$.a[(@.length-1)]", true, false),
        ("$[0,1]", false, false),
        ("$[0:1]", false, false),
        ("$[*]", false, false),
        ("$.*", false, false),
        ("$..a", false, false),
        ("$[?(@.a)]", false, false),
        ("$.a.length()", true, true),
    ];
    for (text, definite, reference) in table {
        let path = Path::parse(text).unwrap();
        assert_eq!((path.is_definite(), path.is_reference()), (definite, reference), "{text}");
        assert_eq!(path.text(), text);
    }
}

#[test]
fn the_root_is_told_by_the_start() {
    assert_eq!(*Path::parse("$.a").unwrap().root(), Root::Input);
    assert_eq!(*Path::parse("$$.a").unwrap().root(), Root::Context);
    assert_eq!(*Path::parse("$été_1.a").unwrap().root(), Root::Variable("été_1".to_owned()));
}

#[test]
fn an_index_past_the_end_reads_as_null_but_is_not_present() {
    let input = serde_json::json!({"items": [null], "gone": {}});
    world::with_scope(&input, |scope| {
        let present = |text: &str| Path::parse(text).unwrap().is_present(scope);
        assert!(present("$.items[0]"));
        assert!(!present("$.items[1]"));
        assert!(!present("$.gone.further"));
        assert!(!present("$unknown"));
        assert!(present("$name"));
        assert!(present("$.nothing[*]"), "a list, if an empty one");
    });
}

#[test]
fn a_path_followed_step_by_step_names_the_step_it_stops_at() {
    let input = serde_json::json!({"a": {"l": [1]}});
    world::with_scope(&input, |scope| {
        let follow = |text: &str| {
            let path = Path::parse(text).unwrap();
            path.follow(scope).map(|value| value.to_string()).map_err(|error| error.to_string())
        };
        let conflict = |step: &str| {
            Err(format!(
                "States.ReferencePathConflict: Unable to apply step \"{step}\" to input {{\"a\":{{\"l\":[1]}}}}"
            ))
        };
        assert_eq!(follow("$.a.l"), Ok("[1]".to_owned()));
        assert_eq!(follow("$list[0]"), Ok("1".to_owned()));
        assert_eq!(follow("$.a.x"), conflict("x"));
        assert_eq!(follow("$.x.y"), conflict("x"));
        assert_eq!(follow("$.a.l.m"), conflict("m"));
        assert_eq!(follow("$.a.l[1]"), conflict("[1]"));
        assert_eq!(follow("$.a[*]"), Ok("[[1]]".to_owned()));
        assert_eq!(follow("$absent"), Err("States.Runtime: Variable not found: $absent".to_owned()));
    });
}

#[test]
fn a_definite_path_borrows() {
    let input = serde_json::json!({"a": [{"b": "text"}]});
    world::with_scope(&input, |scope| {
        let path = Path::parse("$.a[0].b").unwrap();
        assert!(matches!(path.read(scope), Ok(std::borrow::Cow::Borrowed(_))));
    });
}

#[test]
fn a_path_that_multiplies_the_document_is_stopped() {
    let mut input = serde_json::json!(["leaf", "leaf", "leaf"]);
    for _ in 0..100 {
        input = serde_json::json!([input, "leaf"]);
    }
    world::with_scope(&input, |scope| {
        for text in ["$..*..*..*..*", "$..[*]..[*]..[*]..[0]", "$..[?(@)]..[?(@)]..[?(@)]..[?(@)]"] {
            let error = Path::parse(text).unwrap().read(scope).unwrap_err();
            assert_eq!(error.to_string(), "The path selects too many values", "{text}");
        }
    });
}

#[test]
fn filters_nested_too_deeply_are_refused() {
    for text in [
        format!("$[?({}@.a)]", "!".repeat(100_000)),
        format!("$[?(@{}{})]", "[?(@".repeat(50_000), ")]".repeat(50_000)),
    ] {
        assert!(Path::parse(&text).map_or(true, |path| path.refusal().is_some()), "{}", text.len());
    }
    // Parentheses mean nothing, so that any number of them is as good as one.
    assert!(Path::parse(&format!("$[?({}@.a{})]", "(".repeat(1000), ")".repeat(1000))).is_ok());
}

#[test]
fn a_long_path_is_read_in_linear_time() {
    let text = format!("${}", ".a".repeat(200_000));
    let path = Path::parse(&text).unwrap();
    world::with_scope(&serde_json::json!({"a": 1}), |scope| assert!(path.read(scope).is_err()));
}
