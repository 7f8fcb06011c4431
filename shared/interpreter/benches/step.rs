//! The cost of a step: `cargo bench -p interpreter`. Figures, not assertions.
//!
//! The pairs say what a state costs in JSONata next to the JSONPath state of the same meaning, both measured in one run
//! (the bar is three times). Deliberately absent: storage and the wire, which cost more than all of this.

#[path = "../tests/suite/execution.rs"]
mod execution;

use std::hint::black_box;

use asl::{MachineType, StateMachine};
use criterion::{BatchSize, BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use interpreter::{ActivityTarget, Limits, Moment, Payload, Snapshot, Stimulus, Timestamp, Wait, step};

/// States in a row, so that beginning and ending an execution counts little.
const ROW: usize = 50;

/// One state in both languages; `NEXT` stands for the one that follows. Each hands on what the next one needs.
struct Pair {
    name: &'static str,
    path: &'static str,
    jsonata: &'static str,
    input: &'static str,
}

const ORDER: &str = r#"{"n":1,"id":"o-1","none":0,"total":12.5,"paid":true,"lines":[1,2,3],"to":{"city":"Bonn"}}"#;

const PAIRS: &[Pair] = &[
    Pair {
        name: "Pass: one path",
        path: r#"{"Type":"Pass","Parameters":{"id.$":"$.id"},"Next":"NEXT"}"#,
        jsonata: r#"{"Type":"Pass","Output":{"id":"{% $states.input.id %}"},"Next":"NEXT"}"#,
        input: ORDER,
    },
    Pair {
        name: "Pass: an addition",
        path: r#"{"Type":"Pass","Parameters":{"n.$":"States.MathAdd($.n, 1)"},"Next":"NEXT"}"#,
        jsonata: r#"{"Type":"Pass","Output":{"n":"{% $states.input.n + 1 %}"},"Next":"NEXT"}"#,
        input: ORDER,
    },
    Pair {
        name: "Pass: five fields",
        path: r#"{"Type":"Pass","Parameters":{"id.$":"$.id","total.$":"$.total","paid.$":"$.paid","lines.$":"$.lines",
            "to":{"city.$":"$.to.city"}},"Next":"NEXT"}"#,
        jsonata: r#"{"Type":"Pass","Output":{"id":"{% $states.input.id %}","total":"{% $states.input.total %}",
            "paid":"{% $states.input.paid %}","lines":"{% $states.input.lines %}",
            "to":{"city":"{% $states.input.to.city %}"}},"Next":"NEXT"}"#,
        input: ORDER,
    },
    Pair {
        name: "Pass: a text put together",
        path: r#"{"Type":"Pass","Parameters":{"id.$":"$.id","text.$":"States.Format('order {} is ready', $.id)"},
            "Next":"NEXT"}"#,
        jsonata: r#"{"Type":"Pass","Output":{"id":"{% $states.input.id %}",
            "text":"{% 'order ' & $states.input.id & ' is ready' %}"},"Next":"NEXT"}"#,
        input: ORDER,
    },
    Pair {
        name: "Pass: a variable counts",
        path: r#"{"Type":"Pass","Assign":{"x.$":"States.MathAdd($.n, 1)"},"Next":"NEXT"}"#,
        jsonata: r#"{"Type":"Pass","Assign":{"x":"{% $states.input.n + 1 %}"},"Next":"NEXT"}"#,
        input: ORDER,
    },
    Pair {
        name: "Choice: numbers compared",
        path: r#"{"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThan":5,"Next":"NEXT"}]}"#,
        jsonata: r#"{"Type":"Choice","Choices":[{"Condition":"{% $states.input.n < 5 %}","Next":"NEXT"}]}"#,
        input: ORDER,
    },
    Pair {
        name: "Choice: texts and truths compared",
        path: r#"{"Type":"Choice","Choices":[{"And":[{"Variable":"$.id","StringEquals":"o-1"},
            {"Variable":"$.paid","BooleanEquals":true}],"Next":"NEXT"}]}"#,
        jsonata: r#"{"Type":"Choice","Choices":[{"Condition":"{% $states.input.id = 'o-1' and $states.input.paid %}",
            "Next":"NEXT"}]}"#,
        input: ORDER,
    },
    Pair {
        name: "Wait: no seconds",
        path: r#"{"Type":"Wait","SecondsPath":"$.none","Next":"NEXT"}"#,
        jsonata: r#"{"Type":"Wait","Seconds":"{% $states.input.none %}","Next":"NEXT"}"#,
        input: ORDER,
    },
];

/// A Map of a hundred items.
const EACH: Pair = Pair {
    name: "Map of 100: an item and a field",
    path: r#"{"Type":"Map","ItemsPath":"$.items","ItemSelector":{"item.$":"$$.Map.Item.Value","id.$":"$.id"},
        "ItemProcessor":{"StartAt":"One","States":{"One":{"Type":"Pass","End":true}}},"ResultPath":null,"Next":"NEXT"}"#,
    jsonata: r#"{"Type":"Map","Items":"{% $states.input.items %}",
        "ItemSelector":{"item":"{% $states.context.Map.Item.Value %}","id":"{% $states.input.id %}"},
        "ItemProcessor":{"StartAt":"One","States":{"One":{"Type":"Pass","End":true}}},
        "Output":"{% $states.input %}","Next":"NEXT"}"#,
    input: "",
};

fn machine(definition: &str) -> Option<StateMachine> {
    asl::parse(definition, MachineType::Standard).machine
}

/// `state`, `times` in a row.
fn in_a_row(language: &str, state: &str, times: usize) -> String {
    let states: Vec<String> =
        (0..times).map(|at| format!(r#""S{at}":{}"#, state.replace("NEXT", &format!("S{}", at + 1)))).collect();
    let states = states.join(",");
    format!(r#"{{"QueryLanguage":"{language}","StartAt":"S0","States":{{{states},"S{times}":{{"Type":"Succeed"}}}}}}"#)
}

fn begin(machine: &StateMachine, input: &str) -> Snapshot {
    Snapshot::begin(machine, execution::any(Payload::from_json_text(input), Limits::STANDARD))
}

/// Runs a machine without tasks to its end, through as many steps as the budget cuts it into.
fn run(machine: &StateMachine, mut snapshot: Snapshot) -> u64 {
    let token = |_: &Wait| String::new();
    let moment = Moment {
        now: Timestamp(1_700_000_000_000),
        seed: [7; 32],
        token: &token,
        activity: &ActivityTarget::none,
        work: interpreter::Work::USUAL,
    };
    let mut stimulus = Stimulus::Started;
    while snapshot.is_open() {
        snapshot = step(machine, snapshot, stimulus, &moment).snapshot;
        stimulus = Stimulus::Tick;
    }
    snapshot.last_event
}

fn bench(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, definition: &str, input: &str) {
    let Some(machine) = machine(definition) else { return };
    group.bench_function(name, |bencher| {
        bencher.iter_batched(
            || begin(&machine, input),
            |snapshot| black_box(run(&machine, snapshot)),
            BatchSize::SmallInput,
        );
    });
}

fn workflows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    bench(
        &mut group,
        "three Pass states (3 transitions)",
        r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Result":{"a":1},"ResultPath":"$.a","Next":"B"},
            "B":{"Type":"Pass","Parameters":{"b.$":"$.a.a","c":"d"},"Next":"C"},"C":{"Type":"Pass","End":true}}}"#,
        r#"{"order":{"id":"o-1","items":[1,2,3]}}"#,
    );
    let items: Vec<String> = (0..1_000).map(|item| item.to_string()).collect();
    bench(
        &mut group,
        "a Map of 1,000 items (1,001 transitions)",
        r#"{"StartAt":"Each","States":{"Each":{"Type":"Map","ItemProcessor":{"StartAt":"One",
            "States":{"One":{"Type":"Pass","End":true}}},"End":true}}}"#,
        &format!("[{}]", items.join(",")),
    );
}

/// The same loop in the input and in a variable, in both languages. The bar is 0.2 s for 2,000 turns in JSONata.
fn loops(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a counting loop of 2,000 turns (4,000 transitions)");
    bench(
        &mut group,
        "in the input, JSONPath",
        r#"{"StartAt":"Count","States":{"Count":{"Type":"Pass","Parameters":{"n.$":"States.MathAdd($.n, 1)"},"Next":"More"},
            "More":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThan":2000,"Next":"Count"}],"Default":"Done"},
            "Done":{"Type":"Succeed"}}}"#,
        r#"{"n":0}"#,
    );
    bench(
        &mut group,
        "in the input, JSONata",
        r#"{"QueryLanguage":"JSONata","StartAt":"Count","States":{
            "Count":{"Type":"Pass","Output":{"n":"{% $states.input.n + 1 %}"},"Next":"More"},
            "More":{"Type":"Choice","Choices":[{"Condition":"{% $states.input.n < 2000 %}","Next":"Count"}],
                "Default":"Done"},"Done":{"Type":"Succeed"}}}"#,
        r#"{"n":0}"#,
    );
    bench(
        &mut group,
        "in a variable, JSONPath",
        r#"{"StartAt":"Begin","States":{"Begin":{"Type":"Pass","Assign":{"n":0},"Next":"Count"},
            "Count":{"Type":"Pass","Assign":{"n.$":"States.MathAdd($n, 1)"},"Next":"More"},
            "More":{"Type":"Choice","Choices":[{"Variable":"$n","NumericLessThan":2000,"Next":"Count"}],"Default":"Done"},
            "Done":{"Type":"Succeed"}}}"#,
        "{}",
    );
    bench(
        &mut group,
        "in a variable, JSONata",
        r#"{"QueryLanguage":"JSONata","StartAt":"Begin","States":{"Begin":{"Type":"Pass","Assign":{"n":0},"Next":"Count"},
            "Count":{"Type":"Pass","Assign":{"n":"{% $n + 1 %}"},"Next":"More"},
            "More":{"Type":"Choice","Choices":[{"Condition":"{% $n < 2000 %}","Next":"Count"}],"Default":"Done"},
            "Done":{"Type":"Succeed"}}}"#,
        "{}",
    );
}

fn pairs(criterion: &mut Criterion) {
    let items: Vec<String> = (0..100).map(|item| item.to_string()).collect();
    let many = format!(r#"{{"id":"o-1","items":[{}]}}"#, items.join(","));
    let all = PAIRS.iter().map(|pair| (pair, ROW, pair.input)).chain([(&EACH, 1, many.as_str())]);
    for (pair, times, input) in all {
        let mut group = criterion.benchmark_group(format!("{} (x {times})", pair.name));
        bench(&mut group, "JSONPath", &in_a_row("JSONPath", pair.path, times), input);
        bench(&mut group, "JSONata", &in_a_row("JSONata", pair.jsonata, times), input);
    }
}

criterion_group!(benches, workflows, loops, pairs);
criterion_main!(benches);
