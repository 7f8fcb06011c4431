//! Random valid machines: small ones, of every state type, nested, in JSONPath, in JSONata and in both.
//!
//! A machine is drawn as a tree of [`Flow`]s and then written down (`written`) with names, transitions and variables, so
//! that every draw is valid: the last state of a flow ends it, Choices jump forward or back to the beginning, a flow
//! assigns one variable of its own and reads those of the flows around it. Expressions come from small pools in which
//! most have a value and some go wrong.

// By its path, because the service's tests share this file.
#[path = "written.rs"]
mod written;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// The input that machines are started with; Maps iterate over a part of it.
pub fn input() -> Value {
    json!({ "items": [1, { "two": 2 }, "three"], "none": [], "n": 1, "text": "word" })
}

/// The languages of a machine's states.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Language {
    Path,
    Jsonata,
}

/// One level of states, in the order in which they follow each other.
#[derive(Debug, Clone)]
struct Flow(Vec<Drawn>);

#[derive(Debug, Clone)]
struct Drawn {
    language: Language,
    /// The fields that shape the input on the way in, and the result on the way out.
    arguments: Option<Told>,
    output: Option<Told>,
    assign: Option<Told>,
    does: Does,
}

#[derive(Debug, Clone)]
enum Does {
    Pass,
    Task { token: bool, timeout: Option<u8>, recovery: Recovery },
    Wait { seconds: u8, computed: bool },
    Choice { test: Tested, back: bool, assign: Option<Told>, output: Option<Told> },
    Fail,
    Succeed,
    Parallel { branches: Vec<Flow>, recovery: Recovery },
    Map { processor: Flow, items: Items, selector: Option<Told>, concurrency: u8, recovery: Recovery },
}

/// A value in both languages; `$OWN` is the variable of the flow, `$OUTER` that of the one around it.
#[derive(Debug, Clone, Copy)]
struct Told {
    path: &'static str,
    jsonata: &'static str,
}

/// The test of a Choice's rule in both languages.
#[derive(Debug, Clone, Copy)]
struct Tested {
    path: &'static str,
    jsonata: &'static str,
}

/// The items of a Map, in both languages.
#[derive(Debug, Clone, Copy)]
struct Items {
    path: &'static str,
    jsonata: &'static str,
}

#[derive(Debug, Clone)]
struct Recovery {
    retry: Option<(&'static str, u8)>,
    catch: Option<(&'static str, Option<Told>, Option<Told>)>,
}

const fn told(path: &'static str, jsonata: &'static str) -> Told {
    Told { path, jsonata }
}

const SOUND: &[Told] = &[
    told("$", "$states.input"),
    told("$$.State.Name", "$states.context.State.Name"),
    told("States.MathAdd($$.Execution.Input.n, 1)", "$states.context.Execution.Input.n + 1"),
    told("States.Format('{} and {}', $$.State.Name, $$.Execution.Name)", "$states.context.State.Name & ' and more'"),
    told("States.Array($, 1)", "[$states.input, 1]"),
    told("States.UUID()", "$uuid()"),
    told("States.JsonToString($$.Execution.Input)", "$string($states.context.Execution.Input)"),
    told("$$.Execution.Input.items[*]", "$states.context.Execution.Input.items"),
    told("$$.State.EnteredTime", "$now()"),
    told("States.ArrayRange(1, 5, 2)", "$map([1..3], function($x) { $x * 2 })"),
    told("$$.Execution.Input.items[?(@.two)]", "$states.context.Execution.Input.items[two = 2]"),
    told("$$.Execution", "{'a': $states.input, 'own': $exists($OWN) ? $type($OWN) : 'none'}"),
];

/// Those that depend on what was assigned and handed on before, and those that go wrong.
const UNSURE: &[Told] = &[
    told("$OWN", "$OWN"),
    told("$OUTER", "$OUTER"),
    told("States.Array($OWN, $OUTER)", "[$OWN, $OUTER]"),
    told("$.at", "$states.input.at"),
    told("$.surely.not.there", "$states.input.surely.not.there"),
    told("States.MathAdd($, 1)", "$states.input + 1"),
    told("States.StringToJson('{')", "$parse('{')"),
    told("States.ArrayGetItem($.none, 7)", "function($x) { $x }"),
    told("$$.Task.Token", "$error('on purpose')"),
];

fn value() -> impl Strategy<Value = Told> + Clone {
    prop_oneof![20 => select(SOUND), 1 => select(UNSURE)]
}

fn maybe() -> impl Strategy<Value = Option<Told>> + Clone {
    proptest::option::weighted(0.3, value())
}

fn test() -> impl Strategy<Value = Tested> {
    let test = |path, jsonata| Just(Tested { path, jsonata });
    prop_oneof![
        12 => test(
            r#"{"Variable":"$$.Execution.Input.n","NumericEquals":1}"#,
            r#""{% $states.context.Execution.Input.n = 1 %}""#,
        ),
        10 => test(
            r#"{"Not":{"Variable":"$$.Execution.Input.text","StringMatches":"w*"}}"#,
            r#""{% $states.context.Execution.Input.text != 'word' %}""#,
        ),
        4 => test(r#"{"Variable":"$OWN","IsPresent":true}"#, r#""{% $exists($OWN) %}""#),
        1 => test(r#"{"Variable":"$OWN","NumericLessThan":3}"#, r#""{% $OWN < 3 %}""#),
        1 => test(r#"{"Variable":"$.surely","IsNull":true}"#, r#""{% $states.input.surely %}""#),
        1 => test(r#"{"Variable":"$.text","StringEqualsPath":"$$.State.Name"}"#, "true"),
    ]
}

fn items() -> impl Strategy<Value = Items> {
    let items = |path, jsonata| Just(Items { path, jsonata });
    prop_oneof![
        20 => items("$$.Execution.Input.items", r#""{% $states.context.Execution.Input.items %}""#),
        5 => items("$$.Execution.Input.none", r#"[1, "{% $states.input %}", {"a": "{% $exists($OWN) %}"}]"#),
        1 => items("$$.Execution.Input.text", r#""{% $states.input %}""#),
        1 => items("$OWN", r#""{% $OWN %}""#),
        1 => items("$.surely.not.there", r#""{% $states.input.surely.not.there %}""#),
    ]
}

/// Failures of some of the items only, while others run.
fn selector() -> impl Strategy<Value = Option<Told>> {
    let later = told(
        "States.ArrayGetItem($$.Execution.Input.items, States.MathAdd($$.Map.Item.Index, 2))",
        "$states.context.Map.Item.Index < 1 ? 1 : $states.input.surely.not.there",
    );
    let item = told("$$.Map.Item.Value", "$states.context.Map.Item.Value");
    prop_oneof![6 => Just(None), 8 => Just(Some(item)), 1 => Just(Some(later)), 4 => value().prop_map(Some)]
}

fn recovery() -> impl Strategy<Value = Recovery> + Clone {
    let names = || {
        select(vec!["States.ALL", "Own", "States.Timeout", "Lambda.SdkClientException", "States.QueryEvaluationError"])
    };
    let outputs = prop_oneof![
        Just(told("", "$states.errorOutput")),
        Just(told("", "$states.errorOutput.Cause ? $states.input : $states.input.nowhere")),
        value(),
    ];
    let retry = proptest::option::of((names(), 0u8..3));
    let catch = proptest::option::of((names(), proptest::option::of(outputs), maybe()));
    (retry, catch).prop_map(|(retry, catch)| Recovery { retry, catch })
}

fn flow(state: BoxedStrategy<Drawn>) -> impl Strategy<Value = Flow> + Clone {
    proptest::collection::vec(state, 1..5).prop_map(Flow)
}

/// A state around what it does.
fn around(language: BoxedStrategy<Language>, does: impl Strategy<Value = Does> + 'static) -> BoxedStrategy<Drawn> {
    (language, maybe(), maybe(), maybe(), does)
        .prop_map(|(language, arguments, output, assign, does)| Drawn { language, arguments, output, assign, does })
        .boxed()
}

fn state(language: BoxedStrategy<Language>) -> impl Strategy<Value = Drawn> {
    let leaf = prop_oneof![
        5 => Just(Does::Pass),
        5 => (any::<bool>(), proptest::option::of(1u8..20), recovery())
            .prop_map(|(token, timeout, recovery)| Does::Task { token, timeout, recovery }),
        2 => (0u8..30, any::<bool>()).prop_map(|(seconds, computed)| Does::Wait { seconds, computed }),
        3 => (test(), any::<bool>(), maybe(), maybe())
            .prop_map(|(test, back, assign, output)| Does::Choice { test, back, assign, output }),
        1 => Just(Does::Fail),
        1 => Just(Does::Succeed),
    ];
    around(language.clone(), leaf).prop_recursive(3, 24, 4, move |inner| {
        let parallel = (proptest::collection::vec(flow(inner.clone()), 1..4), recovery())
            .prop_map(|(branches, recovery)| Does::Parallel { branches, recovery });
        let map = (flow(inner), items(), selector(), 0u8..4, recovery()).prop_map(
            |(processor, items, selector, concurrency, recovery)| Does::Map {
                processor,
                items,
                selector,
                concurrency,
                recovery,
            },
        );
        around(language.clone(), prop_oneof![parallel, map])
    })
}

/// A valid definition.
pub fn definition() -> impl Strategy<Value = Value> {
    let mixed = || prop_oneof![Just(Language::Path), Just(Language::Jsonata)].boxed();
    // A machine in JSONata has no other states; the states of one in JSONPath may choose.
    let machines = prop_oneof![
        3 => flow(state(mixed()).boxed()).prop_map(|flow| (flow, Language::Path)),
        1 => flow(state(Just(Language::Jsonata).boxed()).boxed()).prop_map(|flow| (flow, Language::Jsonata)),
        1 => flow(state(Just(Language::Path).boxed()).boxed()).prop_map(|flow| (flow, Language::Path)),
    ];
    (machines, proptest::option::weighted(0.2, 1u64..500))
        .prop_map(|((flow, language), timeout)| written::machine(&flow, language, timeout))
}
