//! What an execution may cost and hold: the work of a step and of a state, the bytes of its threads, its variables.

use asl::{MachineType, StateMachine};
use interpreter::{
    ActivityTarget, Detail, Event, Failure, Limits, Moment, Payload, Snapshot, Step, Stimulus, Timestamp, Wait, Work,
    step,
};
use serde_json::json;

fn machine(definition: &str) -> StateMachine {
    asl::parse(definition, MachineType::Standard).machine.unwrap()
}

fn begin(machine: &StateMachine, input: String, limits: Limits) -> Snapshot {
    Snapshot::begin(machine, super::execution::any(Payload::from_json_text(input), limits))
}

fn tell(machine: &StateMachine, snapshot: Snapshot, stimulus: Stimulus, work: Work) -> Step {
    let token = |_: &Wait| "token".to_owned();
    step(
        machine,
        snapshot,
        stimulus,
        &Moment { now: Timestamp(0), seed: [0; 32], token: &token, activity: &ActivityTarget::none, work },
    )
}

/// All steps until nothing is ready any more, and their events.
fn run(machine: &StateMachine, mut snapshot: Snapshot, work: Work) -> (Snapshot, Vec<Vec<Event<Payload>>>) {
    let (mut stimulus, mut steps) = (Stimulus::Started, Vec::new());
    loop {
        let step = tell(machine, snapshot, std::mem::replace(&mut stimulus, Stimulus::Tick), work);
        snapshot = step.snapshot;
        steps.push(step.events);
        if snapshot.ready().next().is_none() {
            return (snapshot, steps);
        }
    }
}

fn end(steps: &[Vec<Event<Payload>>]) -> &Detail<Payload> {
    &steps.last().and_then(|events| events.last()).unwrap().detail
}

const HEAVY: &str = r#"{"StartAt":"A","States":{
    "A":{"Type":"Pass","Parameters":{"a.$":"States.ArrayUnique($.a)"},"Next":"B"},
    "B":{"Type":"Pass","Parameters":{"a.$":"States.ArrayUnique($.a)"},"Next":"C"},
    "C":{"Type":"Pass","Parameters":{"a.$":"States.ArrayUnique($.a)","n.$":"States.ArrayLength($.a)"},"OutputPath":"$.n",
        "End":true}}}"#;

fn heavy_input() -> String {
    json!({ "a": (0..2_000).collect::<Vec<_>>() }).to_string()
}

#[test]
fn a_step_is_cut_between_two_states_when_its_work_is_done_and_goes_on() {
    let machine = machine(HEAVY);
    let whole = run(&machine, begin(&machine, heavy_input(), Limits::STANDARD), Work::USUAL);
    assert_eq!(whole.1.len(), 1, "it costs little");
    let cut = run(&machine, begin(&machine, heavy_input(), Limits::STANDARD), Work { per_step: 1, ..Work::USUAL });
    let events: Vec<usize> = cut.1.iter().map(Vec::len).collect();
    // The start alone, then one state each.
    assert_eq!(events, [1, 2, 2, 3]);
    assert_eq!(cut.1.concat(), whole.1.concat(), "the history is the same");
    assert!(matches!(end(&cut.1), Detail::ExecutionSucceeded { output } if output.text() == "2000"));
}

#[test]
fn a_state_that_costs_too_much_fails_in_words_and_cannot_be_caught() {
    let fields: Vec<String> = (0..100).map(|n| format!(r#""f{n}.$":"States.ArrayUnique($.a)""#)).collect();
    let definition = format!(
        r#"{{"StartAt":"M","States":{{"M":{{"Type":"Map","ItemsPath":"$.one","ItemSelector":{{"a.$":"$.a"}},"End":true,
        "Catch":[{{"ErrorEquals":["States.ALL"],"Next":"C"}}],"ItemProcessor":{{"StartAt":"P","States":{{
        "P":{{"Type":"Pass","Parameters":{{{}}},"End":true}}}}}}}},"C":{{"Type":"Succeed"}}}}}}"#,
        fields.join(",")
    );
    let machine = machine(&definition);
    let input = json!({ "one": [1], "a": (0..2_000).collect::<Vec<_>>() }).to_string();
    let cheap = run(&machine, begin(&machine, input.clone(), Limits::STANDARD), Work::USUAL);
    assert!(
        matches!(end(&cheap.1), Detail::ExecutionFailed(failure) if failure.error.as_deref() == Some("States.DataLimitExceeded"))
    );
    let work = Work { per_state: 50_000_000, ..Work::USUAL };
    let dear = run(&machine, begin(&machine, input, Limits::STANDARD), work);
    let cause = "An error occurred while executing the state 'P' (entered at the event id #5). The expressions of the state \
                 take too long to evaluate: about 0.05 seconds of computing are allowed.";
    assert_eq!(*end(&dear.1), Detail::ExecutionFailed(Failure::new("States.Runtime", cause)));
}

#[test]
fn the_processor_time_of_jsonata_counts_where_a_clock_tells_it() {
    // A second passes with each look at it.
    thread_local!(static SECONDS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });
    let clock: fn() -> u64 = || {
        SECONDS.set(SECONDS.get() + 1);
        SECONDS.get() * 1_000_000_000
    };
    let definition = r#"{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Pass","Output":{
        "a":"{% $map([1,2], function($n) { $n + 1 }) %}","b":"{% $map([1,2], function($n) { $n + 1 }) %}",
        "c":"{% $map([1,2], function($n) { $n + 1 }) %}"},"End":true}}}"#;
    let machine = machine(definition);
    let run = |processor_time| {
        let work = Work { processor_time, ..Work::USUAL };
        run(&machine, begin(&machine, "{}".to_owned(), Limits::STANDARD), work).1
    };
    assert!(matches!(end(&run(Work::USUAL.processor_time)), Detail::ExecutionSucceeded { .. }));
    let Detail::ExecutionFailed(failure) = end(&run(clock)).clone() else { panic!("it was not stopped") };
    assert!(failure.cause.unwrap().contains("about 2 seconds of computing are allowed"));
}

#[test]
fn the_threads_of_an_execution_hold_a_bounded_number_of_bytes() {
    let definition = r#"{"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$.items",
        "ItemSelector":{"text.$":"$.text","n.$":"$$.Map.Item.Value"},"End":true,
        "Catch":[{"ErrorEquals":["States.ALL"],"Next":"C"}],
        "ItemProcessor":{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":9,"End":true}}}},
        "C":{"Type":"Succeed"}}}"#;
    let machine = machine(definition);
    let run = |items: usize| {
        let input = json!({ "text": "x".repeat(250_000), "items": (0..items).collect::<Vec<_>>() }).to_string();
        let limits = Limits { inline_concurrency: 1_000, ..Limits::STANDARD };
        run(&machine, begin(&machine, input, limits), Work::USUAL)
    };
    let (snapshot, _) = run(260);
    assert!(snapshot.is_open(), "260 threads of 250 KB are less than 64 MiB");
    let (_, steps) = run(270);
    let Detail::ExecutionFailed(Failure { error, cause }) = end(&steps) else { panic!("it holds 270 times 250 KB") };
    assert_eq!(error.as_deref(), Some("States.DataLimitExceeded"));
    let cause = cause.as_deref().unwrap_or_default();
    assert!(cause.starts_with("The threads of the execution hold 6"), "{cause}");
    assert!(cause.ends_with(" bytes of data, and may hold 67108864."), "{cause}");
}

/// Branches that each assign so many variables of 262,142 bytes, in a machine that has assigned some before.
fn branches(before: usize, branches: usize, each: usize) -> String {
    let chain = |name: &str, count: usize, then: &str| {
        let states = (0..count).map(|n| {
            let next = if n + 1 < count { format!(r#""Next":"{name}{}""#, n + 1) } else { then.to_owned() };
            format!(r#""{name}{n}":{{"Type":"Pass","Assign":{{"{name}v{n}.$":"$"}},{next}}}"#)
        });
        states.collect::<Vec<_>>().join(",")
    };
    let wait = |name: &str| format!(r#""{name}W":{{"Type":"Wait","Seconds":1,"End":true}}"#);
    let branch = |n: usize| {
        let name = format!("b{n}x");
        let chain = chain(&name, each, &format!(r#""Next":"{name}W""#));
        format!(r#"{{"StartAt":"{name}0","States":{{{chain},{}}}}}"#, wait(&name))
    };
    let all: Vec<String> = (0..branches).map(branch).collect();
    let parallel =
        format!(r#""P":{{"Type":"Parallel","ResultSelector":{{}},"End":true,"Branches":[{}]}}"#, all.join(","));
    format!(r#"{{"StartAt":"a0","States":{{{},{parallel}}}}}"#, chain("a", before, r#""Next":"P""#))
}

#[test]
fn variables_of_all_threads_share_ten_mebibytes_and_those_of_the_thread_around_count_once() {
    let run = |before, count, each| {
        let machine = machine(&branches(before, count, each));
        let text = format!("\"{}\"", "x".repeat(262_142));
        run(&machine, begin(&machine, text, Limits::STANDARD), Work::USUAL)
    };
    // 10 + 3 * 10: each branch sees 20.
    let (snapshot, steps) = run(10, 3, 10);
    assert!(snapshot.is_open(), "40 variables of 256 KiB: {:?}", end(&steps));
    let (_, steps) = run(11, 3, 10);
    let Detail::ExecutionFailed(Failure { error, cause }) = end(&steps) else { panic!("41 variables were kept") };
    assert_eq!(error.as_deref(), Some("States.DataLimitExceeded"));
    let cause = cause.as_deref().unwrap_or_default();
    assert!(cause.starts_with("Execution total variable size limit exceeded. State 'b"), "{cause}");
    assert!(cause.ends_with("assigned variables that exceed the total execution limit by 262144 bytes."), "{cause}");
}
