//! What a step costs: `cargo bench -p interpreter`. Figures, not assertions.

use std::hint::black_box;

use asl::{MachineType, StateMachine};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use interpreter::{Execution, Limits, Moment, Payload, Snapshot, Stimulus, Timestamp, Wait, step};

fn machine(definition: &str) -> Option<StateMachine> {
    asl::parse(definition, MachineType::Standard).machine
}

fn begin(machine: &StateMachine, input: &str) -> Snapshot {
    let execution = Execution {
        arn: "arn:aws:states:us-east-1:123456789012:execution:bench:one".into(),
        name: "one".into(),
        role_arn: "arn:aws:iam::123456789012:role/bench".into(),
        machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:bench".into(),
        machine_name: "bench".into(),
        region: "us-east-1".into(),
        started: Timestamp(1_700_000_000_000),
        input: Payload::from_json_text(input),
        limits: Limits::STANDARD,
    };
    Snapshot::begin(machine, execution)
}

/// Runs a machine without tasks to its end, through as many steps as the budget cuts it into.
fn run(machine: &StateMachine, mut snapshot: Snapshot) -> u64 {
    let token = |_: &Wait| String::new();
    let moment = Moment { now: Timestamp(1_700_000_000_000), seed: [7; 32], token: &token };
    let mut stimulus = Stimulus::Started;
    while snapshot.is_open() {
        snapshot = step(machine, snapshot, stimulus, &moment).snapshot;
        stimulus = Stimulus::Looked;
    }
    snapshot.last_event
}

fn bench(criterion: &mut Criterion, name: &str, definition: &str, input: &str) {
    let Some(machine) = machine(definition) else { return };
    criterion.bench_function(name, |bencher| {
        bencher.iter_batched(
            || begin(&machine, input),
            |snapshot| black_box(run(&machine, snapshot)),
            BatchSize::SmallInput,
        );
    });
}

fn all(criterion: &mut Criterion) {
    bench(
        criterion,
        "three Pass states (3 transitions)",
        r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Result":{"a":1},"ResultPath":"$.a","Next":"B"},
            "B":{"Type":"Pass","Parameters":{"b.$":"$.a.a","c":"d"},"Next":"C"},"C":{"Type":"Pass","End":true}}}"#,
        r#"{"order":{"id":"o-1","items":[1,2,3]}}"#,
    );
    bench(
        criterion,
        "a counting loop of 2,000 turns (4,000 transitions)",
        r#"{"StartAt":"Count","States":{"Count":{"Type":"Pass","Parameters":{"n.$":"States.MathAdd($.n, 1)"},"Next":"More"},
            "More":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThan":2000,"Next":"Count"}],"Default":"Done"},
            "Done":{"Type":"Succeed"}}}"#,
        r#"{"n":0}"#,
    );
    let items: Vec<String> = (0..1_000).map(|item| item.to_string()).collect();
    bench(
        criterion,
        "a Map of 1,000 items (1,001 transitions)",
        r#"{"StartAt":"Each","States":{"Each":{"Type":"Map","ItemProcessor":{"StartAt":"One",
            "States":{"One":{"Type":"Pass","End":true}}},"End":true}}}"#,
        &format!("[{}]", items.join(",")),
    );
}

criterion_group!(benches, all);
criterion_main!(benches);
