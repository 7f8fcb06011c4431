//! Unpaired surrogates and numbers beyond doubles: carried through everything, computed with by nothing.

use crate::world;
use expressions::jsonata::{self, Converted, Jsonata, Sees};
use expressions::{
    Chance, Comparison, Condition, ContextObject, Expression, Path, ReferencePath, Template, Variables, json,
};
use serde_json::Value;

const DOCUMENT: &str = r#"{"t":"cut \ud83d","u":"\udc01","n":1e309,"m":-4e999,"w":12345678901234567890123,"\udfff":{"in":["\ud800",2e308]},"l":[1,"x",1e309]}"#;

fn document() -> Value {
    json::parse(DOCUMENT).unwrap()
}

/// Evaluates a path or a call over the document; the value as text, or the error.
fn evaluated(text: &str) -> Result<String, String> {
    let expression = Expression::parse(text).unwrap_or_else(|invalid| panic!("{text}: {invalid}"));
    let value = world::with_scope(&document(), |scope| expression.evaluate(scope, "a.$"));
    value.map(|value| json::to_text(&value)).map_err(|error| error.error.to_owned())
}

#[test]
fn paths_carry() {
    for (path, wanted) in [
        ("$", DOCUMENT),
        ("$.t", r#""cut \ud83d""#),
        ("$.n", "1e309"),
        ("$.w", "12345678901234567890123"),
        ("$..in", r#"[["\ud800",2e308]]"#),
        ("$['t','m']", r#"{"t":"cut \ud83d","m":-4e999}"#),
        ("$.l[?(@ > 5)]", r#"["x",1e309]"#),
        ("$.l[2]", "1e309"),
        ("$.l[(@.length-1)]", "1e309"),
    ] {
        assert_eq!(evaluated(path), Ok(wanted.to_owned()), "{path}");
    }
    assert_eq!(evaluated("$..[?(@.n > 1e308)].t"), Ok(r#"["cut \ud83d"]"#.to_owned()));
    assert_eq!(evaluated("$..[?(@.m > 0)].t"), Ok("[]".to_owned()));
    let missing = Path::parse("$.t.x").unwrap();
    world::with_scope(&document(), |scope| assert!(missing.read(scope).is_err()));
}

#[test]
fn templates_and_result_paths_carry() {
    let template = serde_json::json!({"a": {"t.$": "$.t"}, "n.$": "$.n", "all.$": "States.Array($.u, $.m)"});
    let template = Template::compile(&template).unwrap();
    let rendered = world::with_scope(&document(), |scope| template.render(scope)).unwrap();
    assert_eq!(json::to_text(&rendered), r#"{"a":{"t":"cut \ud83d"},"all":["\udc01",-4e999],"n":1e309}"#);
    let written = ReferencePath::parse("$.l").unwrap().write(document(), rendered).unwrap();
    assert!(json::to_text(&written).contains(r#""t":"cut \ud83d","u":"\udc01""#));
    // An error shows the input as it came.
    let Expression::Path(path) = Expression::parse("$.t[0]").unwrap() else { panic!() };
    let error = world::with_scope(&document(), |scope| path.read(scope).unwrap_err().to_string());
    assert_eq!(error, r#"Filter: [0] can only be applied to arrays. Current context is: "cut \ud83d""#);
}

#[test]
fn functions_hand_on_but_do_not_compute() {
    for (call, wanted) in [
        ("States.Array($.t, $.n)", r#"["cut \ud83d",1e309]"#),
        ("States.ArrayGetItem($.l, 2)", "1e309"),
        ("States.ArrayContains($.l, $.n)", "true"),
        ("States.ArrayLength($.l)", "3"),
        ("States.ArrayUnique(States.Array($.t, $.t, $.n))", r#"["cut \ud83d",1e309]"#),
        ("States.JsonMerge($, $, false)", DOCUMENT),
        ("States.JsonToString($.t)", r#""\"cut \\ud83d\"""#),
        ("States.JsonToString($.n)", r#""1e309""#),
        ("States.StringToJson(States.JsonToString($.t))", r#""cut \ud83d""#),
        ("States.Format('{}!', $.n)", r#""1e309!""#),
    ] {
        assert_eq!(evaluated(call), Ok(wanted.to_owned()), "{call}");
    }
    for call in [
        "States.Format('{}', $.t)",
        "States.Format('{}', $.l2)",
        "States.Format($.t)",
        "States.Hash($.t, 'MD5')",
        "States.Base64Encode($.u)",
        "States.StringSplit($.t, ' ')",
        "States.StringSplit('a b', $.u)",
        "States.MathAdd($.n, 1)",
        "States.ArrayRange(0, $.n, 1)",
        "States.StringToJson($.t)",
        "States.Hash($.n, 'MD5')",
    ] {
        let error = evaluated(call).expect_err(call);
        let wanted = if call.contains("l2") { "States.Runtime" } else { "States.IntrinsicFailure" };
        assert_eq!(error, wanted, "{call}");
    }
}

#[test]
fn conditions_compare_infinities_and_halves() {
    let holds = |variable: &str, operator: &str, operand: Value| {
        let comparison = Comparison::parse(operator, &operand).unwrap();
        let condition = Condition::Test { variable: Path::parse(variable).unwrap(), comparison };
        world::with_scope(&document(), |scope| condition.holds(scope)).unwrap()
    };
    assert!(holds("$.n", "NumericGreaterThan", Value::from(f64::MAX)));
    assert!(holds("$.m", "NumericLessThan", Value::from(i64::MIN)));
    assert!(holds("$.n", "NumericEqualsPath", Value::from("$['n']")));
    assert!(holds("$.n", "NumericEquals", json::parse("7e400").unwrap()));
    assert!(holds("$.w", "NumericGreaterThan", Value::from(u64::MAX)));
    assert!(holds("$.n", "IsNumeric", Value::Bool(true)) && holds("$.n", "IsString", Value::Bool(false)));
    assert!(holds("$.t", "IsString", Value::Bool(true)) && holds("$.t", "IsNumeric", Value::Bool(false)));
    assert!(holds("$.t", "StringMatches", Value::from("cut*")) && !holds("$.t", "StringMatches", Value::from("cut ")));
    assert!(holds("$.t", "StringEqualsPath", Value::from("$.t")));
    assert!(
        holds("$.u", "StringLessThan", Value::from("\u{e000}")) && holds("$.u", "StringGreaterThan", Value::from("é"))
    );
    assert!(!holds("$.n", "StringEquals", Value::from("1e309")));
}

fn queried(text: &str) -> Result<String, String> {
    let expression = Jsonata::parse(&format!("{{% {text} %}}"), Sees::Input).unwrap();
    let context = ContextObject::new(|| Value::Null);
    let (input, variables) = (document(), Variables::from_iter([("v".to_owned(), document())]));
    let value = expression.evaluate(
        &jsonata::Scope {
            input: &input,
            result: None,
            error_output: None,
            context: &context,
            variables: &variables,
            chance: &Chance::from_seed([7; 32]),
            fuel: &expressions::Fuel::default(),
            now: 0,
            converted: Converted::default(),
        },
        "Output",
    );
    value.map(|value| json::to_text(&value)).map_err(|error| {
        assert_eq!(error.error, "States.QueryEvaluationError", "{text}");
        error.cause
    })
}

#[test]
fn expressions_hand_on_and_compare() {
    for (text, wanted) in [
        ("$states.input", DOCUMENT),
        ("$states.input.t", r#""cut \ud83d""#),
        ("{'t': $states.input.t, 'n': [$v.n]}", r#"{"t":"cut \ud83d","n":[1e309]}"#),
        ("$states.input[0].l", r#"[1,"x",1e309]"#),
        ("$merge([$states.input, {'u': 1}]).u", "1"),
        ("$map($states.input.l, function($x) { {'x': $x} })", r#"[{"x":1},{"x":"x"},{"x":1e309}]"#),
        ("$states.input.n > 5 and $states.input.m < 0 and $states.input.n = $v.n", "true"),
        ("$states.input.t = $v.t and $states.input.t != $states.input.u", "true"),
        ("$count($states.input.l) + 1", "4"),
        ("$type($states.input.n) & $type($states.input.t)", r#""numberstring""#),
        ("$states.input.w < 1e30 ? $keys($states.input)[5] : 0", r#""\udfff""#),
        ("$states.input.l[$ > 1000000]", "error"),
        ("$append($states.input.t, $states.input.n)", r#"["cut \ud83d",1e309]"#),
        ("$states.input.{'n': n, 'up': $uppercase('a')}", r#"{"n":1e309,"up":"A"}"#),
    ] {
        match wanted {
            "error" => drop(queried(text).expect_err(text)),
            wanted => assert_eq!(queried(text), Ok(wanted.to_owned()), "{text}"),
        }
    }
}

#[test]
fn expressions_do_not_compute_with_what_is_carried() {
    for text in [
        "$uppercase($states.input.t)",
        "$states.input.t & '!'",
        "$length($v.u)",
        "$states.input.t.$length()",
        "$states.input.t.$substring(1)",
        "$states.input.t ~> $uppercase",
        "$states.input.t ~> $substringBefore(' ')",
        "$map([$states.input.t], $uppercase)",
        "($f := $uppercase; $f($states.input.t))",
        "($f := $substring(?, 1); $f($states.input.t))",
        "$states.input.n + 1",
        "-$states.input.n",
        "$sum([1, $states.input.n])",
        "$string($states.input)",
        "$states.input.t < 'x'",
        "$sort([$states.input.t, 'a'])",
        "[$states.input.t, 'a']^($)",
        "$join(['a', $states.input.u])",
        "[1..$states.input.n]",
        "$parse('[1e309]')",
        "$states.input.t.(function($s) { $s & $s })($)",
    ] {
        let cause = queried(text).expect_err(text);
        assert!(cause.starts_with("The JSONata expression '"), "{text}: {cause}");
    }
}

#[test]
fn deep_documents_pass_through_everything() {
    let text = |levels: usize| "{\"a\":[".repeat(levels / 2) + "1" + &"]}".repeat(levels / 2);
    let input = json::parse(&text(998)).unwrap();
    world::with_scope(&input, |scope| {
        let template = Template::compile(&serde_json::json!({"x.$": "$", "y.$": "$..b"})).unwrap();
        assert_eq!(json::depth(&template.render(scope).unwrap()), 999);
        let path = format!("${}", ".a[0]".repeat(499));
        assert_eq!(Path::parse(&path).unwrap().read(scope).unwrap().into_owned(), Value::from(1));
        let printed = Expression::parse("States.StringToJson(States.JsonToString($))").unwrap();
        assert!(printed.evaluate(scope, "a.$").unwrap() == input);
        for call in ["States.Format('{}', $)", "States.ArrayUnique(States.Array($, $))", "States.ArrayContains($.a, $)"]
        {
            assert!(Expression::parse(call).unwrap().evaluate(scope, "a.$").is_ok(), "{call}");
        }
    });
    let context = ContextObject::new(|| Value::Null);
    for query in [
        "$states.input",
        "{'x': $states.input}",
        "$states.input.a[0]",
        "[$states.input, $states.input]",
        "$length($string($states.input)) > 1000",
        "$states.input = $states.input.a[0]",
        "$count($states.input.**) > 1",
        "$distinct([$states.input, $states.input])",
        "$keys($merge([$states.input, {'b': 1}]))",
        "$exists($states.input ~> |$|{'z': 1}|)",
        "$parse($string($states.input)) = $states.input",
    ] {
        let expression = Jsonata::parse(&format!("{{% {query} %}}"), Sees::Input).unwrap();
        let scope = jsonata::Scope {
            input: &input,
            result: None,
            error_output: None,
            context: &context,
            variables: &Variables::new(),
            chance: &Chance::from_seed([7; 32]),
            fuel: &expressions::Fuel::default(),
            now: 0,
            converted: Converted::default(),
        };
        assert!(expression.evaluate(&scope, "Output").is_ok(), "{query}");
    }
}
