//! Bounds that no golden case can show, since its files would be too deep or too large.

use asl::{MachineType, StateMachine};
use expressions::json::DEEPEST;
use interpreter::{
    ActivityTarget, Answer, Detail, Event, Failure, Limits, Moment, Payload, Snapshot, Step, Stimulus, Timestamp, Wait,
    step,
};

fn begin(machine: &StateMachine, input: String, limits: Limits) -> Snapshot {
    Snapshot::begin(machine, super::execution::any(Payload::from_json_text(input), limits))
}

fn tell(machine: &StateMachine, snapshot: Snapshot, stimulus: Stimulus) -> Step {
    let token = |_: &Wait| String::new();
    step(
        machine,
        snapshot,
        stimulus,
        &Moment {
            now: Timestamp(0),
            seed: [0; 32],
            token: &token,
            activity: &ActivityTarget::none,
            work: interpreter::Work::USUAL,
        },
    )
}

const ONE_TASK: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Task","End":true,
    "Resource":"arn:aws:lambda:us-east-1:123456789012:function:a"}}}"#;

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

/// The last event of an execution whose only task answers with that text.
fn end_with(definition: &str, output: String) -> Option<Event<Payload>> {
    let machine = asl::parse(definition, MachineType::Standard).machine?;
    let started = tell(&machine, begin(&machine, "{}".into(), Limits::STANDARD), Stimulus::Started).snapshot;
    let wait = started.unclaimed().next()?;
    let claim =
        Stimulus::TaskClaimed { wait: wait.clone(), owner: "me".into(), begins: Timestamp(0), lease: Timestamp(1_000) };
    let claimed = tell(&machine, started, claim).snapshot;
    let output = Payload::from_json_text(output);
    let returned = Stimulus::TaskReturned { wait, answer: Answer::Succeeded { output } };
    let mut step = tell(&machine, claimed, returned);
    while step.snapshot.ready().next().is_some() {
        step = tell(&machine, step.snapshot, Stimulus::Tick);
    }
    step.events.into_iter().last()
}

/// A task whose Catcher for the error hands on nothing else.
fn caught(error: &str) -> String {
    format!(
        r#"{{"StartAt":"A","States":{{"A":{{"Type":"Task","End":true,"ResultPath":"$.r",
        "Resource":"arn:aws:lambda:us-east-1:123456789012:function:a",
        "Catch":[{{"ErrorEquals":["{error}"],"Next":"C"}}]}},"C":{{"Type":"Pass","End":true}}}}}}"#
    )
}

fn output_of(end: Option<Event<Payload>>) -> serde_json::Value {
    match end.map(|event| event.detail) {
        Some(Detail::ExecutionSucceeded { output }) => output.value().clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_result_of_the_deepest_nesting_is_taken() {
    let end = end_with(ONE_TASK, nested(DEEPEST)).map(|event| event.detail);
    assert!(matches!(end, Some(Detail::ExecutionSucceeded { .. })), "{end:?}");
}

#[test]
fn a_deeper_result_fails_the_task_and_can_be_caught() {
    let cause = format!(
        "The state/task 'arn:aws:lambda:us-east-1:123456789012:function:a' returned a result nesting deeper than {DEEPEST} \
         levels."
    );
    let Some(Detail::ExecutionFailed(failure)) = end_with(ONE_TASK, nested(DEEPEST + 1)).map(|event| event.detail)
    else {
        panic!("the execution did not fail");
    };
    assert_eq!(failure, Failure::new("States.DataLimitExceeded", &*cause));
    let end = end_with(&caught("States.DataLimitExceeded"), nested(DEEPEST + 1));
    assert_eq!(output_of(end), serde_json::json!({ "Error": "States.DataLimitExceeded", "Cause": cause }));
}

#[test]
fn a_result_that_is_no_json_fails_the_task_and_can_be_caught() {
    for text in ["", "{", "nul", "[1,]", "01", "{\"a\":1} 2", "\"a", "\u{7f}"] {
        let end = output_of(end_with(&caught("Lambda.SdkClientException"), text.to_owned()));
        let cause = end["Cause"].as_str().unwrap_or_default();
        assert!(cause.starts_with("The result is no JSON: "), "{text}: {end}");
    }
}

#[test]
fn results_of_threads_that_together_nest_too_deep_can_be_caught() {
    let definition = format!(
        r#"{{"StartAt":"P","States":{{"P":{{"Type":"Parallel","End":true,"ResultPath":"$.r",
        "Catch":[{{"ErrorEquals":["States.DataLimitExceeded"],"Next":"C"}}],"Branches":[{ONE_TASK}]}},
        "C":{{"Type":"Pass","Result":"caught","End":true}}}}}}"#
    );
    assert_eq!(output_of(end_with(&definition, nested(DEEPEST))), "caught");
}

/// Assigns the result of a task to one variable after the other.
fn assigning(variables: usize) -> String {
    let next = |number: usize| match number < variables {
        true => format!(r#""Next":"Assign{}""#, number + 1),
        false => r#""End":true"#.to_owned(),
    };
    let states: Vec<String> = (1..=variables)
        .map(|number| {
            let assign = format!(r#""Assign":{{"v{number}.$":"$"}}"#);
            format!(r#""Assign{number}":{{"Type":"Pass",{assign},{}}}"#, next(number))
        })
        .collect();
    let first = ONE_TASK.trim_end_matches("}}}").replace(r#""End":true"#, r#""Next":"Assign1""#);
    format!("{first}}},{}}}}}", states.join(","))
}

#[test]
fn all_variables_of_an_execution_share_ten_mebibytes() {
    let text = format!("\"{}\"", "x".repeat(262_142));
    let kept = end_with(&assigning(40), text.clone()).map(|event| event.detail);
    assert!(matches!(kept, Some(Detail::ExecutionSucceeded { .. })), "{:?}", kept.map(|_| "failed"));
    let Some(Detail::ExecutionFailed(failure)) = end_with(&assigning(41), text).map(|event| event.detail) else {
        panic!("41 variables were kept")
    };
    let cause = "Execution total variable size limit exceeded. State 'Assign41' assigned variables that exceed the total \
                 execution limit by 262144 bytes.";
    assert_eq!(failure, Failure::new("States.DataLimitExceeded", cause));
}

#[test]
fn a_history_that_is_full_fails_the_execution_wherever_that_happens() {
    let nested = r#"{"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"P","States":{
        "P":{"Type":"Parallel","End":true,"Branches":[{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}]}}}}}}"#;
    let failing = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"F"},"F":{"Type":"Fail","Error":"Mine"}}}"#;
    for definition in [nested, failing] {
        let Some(machine) = asl::parse(definition, MachineType::Standard).machine else { panic!("{definition}") };
        let events = |limit: u64| {
            let limits = Limits { events: limit, ..Limits::STANDARD };
            tell(&machine, begin(&machine, "[1,2]".into(), limits), Stimulus::Started).events
        };
        let whole = events(25_000);
        for limit in 2..=whole.len() as u64 + 2 {
            let cut = events(limit);
            if limit >= whole.len() as u64 {
                assert_eq!(cut, whole, "at most {limit} events");
                continue;
            }
            let end = cut.last().map(|event| (event.id, event.detail.clone()));
            let cause = format!("The execution reached the maximum number of history events ({limit}).");
            assert_eq!(end, Some((limit, Detail::ExecutionFailed(Failure::new("States.Runtime", cause)))));
        }
    }
}

#[test]
fn the_cause_of_a_fail_state_is_cut_where_the_api_ends_it() {
    let cause = |letters: usize| {
        let definition =
            format!(r#"{{"StartAt":"F","States":{{"F":{{"Type":"Fail","Cause":"{}"}}}}}}"#, "é".repeat(letters));
        let machine = asl::parse(&definition, MachineType::Standard).machine?;
        let end = tell(&machine, begin(&machine, "{}".into(), Limits::STANDARD), Stimulus::Started).events.pop()?;
        match end.detail {
            Detail::ExecutionFailed(failure) => failure.cause.map(|cause| cause.chars().count()),
            _ => None,
        }
    };
    assert_eq!((cause(32_768), cause(32_769)), (Some(32_768), Some(32_768)));
}

#[test]
fn a_wait_takes_its_share_of_the_time_and_never_ends_early() {
    let until = |millionths: u64, wait: &str| {
        let definition = format!(r#"{{"StartAt":"W","States":{{"W":{{"Type":"Wait",{wait},"End":true}}}}}}"#);
        let machine = asl::parse(&definition, MachineType::Standard).machine?;
        let limits = Limits { wait_millionths: millionths, ..Limits::STANDARD };
        let waiting = tell(&machine, begin(&machine, "{}".into(), limits), Stimulus::Started).snapshot;
        waiting.due().map(|due| due.0)
    };
    let cases = [
        (1_000_000, r#""Seconds":3"#, Some(3_000)),
        (500_000, r#""Seconds":3"#, Some(1_500)),
        (2_000_000, r#""Seconds":3"#, Some(6_000)),
        (1, r#""Seconds":3"#, Some(1)),
        (0, r#""Seconds":99999999"#, None),
        (100_000, r#""Timestamp":"1970-01-01T00:00:20Z""#, Some(2_000)),
        (2_000_000, r#""Timestamp":"1969-01-01T00:00:00Z""#, None),
        (0, r#""Timestamp":"9999-12-31T23:59:59Z""#, None),
    ];
    for (millionths, wait, expected) in cases {
        assert_eq!(until(millionths, wait), expected, "{wait}, {millionths} millionths");
    }
}

const MAP: &str = r#"{"StartAt":"M","States":{"M":{"Type":"Map","ResultPath":null,"ResultSelector":{},"End":true,
    "ItemProcessor":{"StartAt":"P","States":{"P":{"Type":"Pass","End":true,
    "Result":"0123456789012345678901234567890123456789012345678901234567890123456789"}}}}}}"#;

/// The last event of a Map over that many items, each of 72 bytes of output, where a payload may have 100 bytes.
fn map_over(items: usize) -> Option<Detail<Payload>> {
    let machine = asl::parse(MAP, MachineType::Standard).machine?;
    let input = format!("[{}]", vec!["0"; items].join(","));
    let limits = Limits { payload_bytes: 100, ..Limits::STANDARD };
    let mut snapshot = begin(&machine, input, limits);
    let (mut stimulus, mut last) = (Stimulus::Started, None);
    while snapshot.is_open() {
        let step = tell(&machine, snapshot, stimulus);
        (snapshot, stimulus) = (step.snapshot, Stimulus::Tick);
        last = step.events.into_iter().last().or(last);
    }
    last.map(|event| event.detail)
}

#[test]
fn finished_iterations_hold_256_payloads_at_most() {
    let Some(Detail::ExecutionFailed(failure)) = map_over(356) else { panic!("the Map did not fail") };
    assert_eq!(failure.error.as_deref(), Some("States.DataLimitExceeded"));
    assert!(failure.cause.is_some_and(|cause| cause.starts_with("The state/task 'M' returned a result")));
}

#[test]
fn a_map_that_holds_less_is_joined() {
    // Its output is the input of 71 bytes; 35 outputs of 72 bytes together are more than one payload, and no matter.
    assert!(matches!(map_over(35), Some(Detail::ExecutionSucceeded { .. })));
}

/// Counts to 300, one evaluation a state or two.
const COUNTING: &str = r#"{"QueryLanguage":"JSONata","StartAt":"S","States":{
    "S":{"Type":"Pass","Assign":{"n":0},"Next":"A"},
    "A":{"Type":"Pass","Assign":{"n":"{% $n + 1 %}"},"Next":"C"},
    "C":{"Type":"Choice","Choices":[{"Condition":"{% $n < 300 %}","Next":"A"}],"Default":"E"},
    "E":{"Type":"Pass","Output":"{% $n %}","End":true}}}"#;

#[test]
fn a_long_run_of_evaluations_is_cut_and_goes_on() {
    let machine = asl::parse(COUNTING, MachineType::Standard).machine.unwrap();
    let mut snapshot = begin(&machine, "{}".into(), Limits::STANDARD);
    let (mut stimulus, mut steps, mut end) = (Stimulus::Started, 0, None);
    while snapshot.is_open() {
        let step = tell(&machine, snapshot, std::mem::replace(&mut stimulus, Stimulus::Tick));
        // Well below the thousand events that cut any run.
        assert!(step.events.len() < 600, "{} events in one step", step.events.len());
        (snapshot, steps, end) = (step.snapshot, steps + 1, step.events.into_iter().last());
    }
    assert!(steps > 2, "all of it in {steps} steps");
    let Some(Detail::ExecutionSucceeded { output }) = end.map(|event| event.detail) else { panic!("it failed") };
    assert_eq!(output.text(), "300");
}

#[test]
fn a_step_says_what_new_threads_variables_and_answers_weigh() {
    let text = "x".repeat(1_000);
    let input = || format!(r#"{{"text":"{text}","items":[0,1,2,3,4,5,6,7]}}"#);
    let weighs = |definition: &str| {
        let machine = asl::parse(definition, MachineType::Standard).machine.unwrap();
        tell(&machine, begin(&machine, input(), Limits::STANDARD), Stimulus::Started).bytes
    };
    let map = |selector: &str| {
        weighs(&format!(
            r#"{{"StartAt":"M","States":{{"M":{{"Type":"Map","ItemsPath":"$.items","ItemSelector":{selector},"End":true,
            "ItemProcessor":{{"StartAt":"P","States":{{"P":{{"Type":"Pass","Result":0,"End":true}}}}}}}}}}}}"#
        ))
    };
    // Each of eight threads begins with it, and is then entered with it.
    let more = map(r#"{"text.$":"$.text"}"#) - map("{}");
    assert!(more >= 16 * text.len(), "{more}");
    let pass = |assign: &str| {
        weighs(&format!(
            r#"{{"StartAt":"P","States":{{"P":{{"Type":"Pass","Assign":{assign},"Next":"Q"}},
            "Q":{{"Type":"Pass","Assign":{{"more":1}},"End":true}}}}}}"#
        ))
    };
    // It is told once, and written down with all variables twice.
    let more = pass(r#"{"text.$":"$.text"}"#) - pass("{}");
    assert!(more >= 3 * text.len(), "{more}");
}

#[test]
fn a_step_says_what_an_answer_weighs_that_came_before_its_call_returned() {
    let machine = asl::parse(ONE_TOKEN, MachineType::Standard).machine.unwrap();
    let started = tell(&machine, begin(&machine, "{}".into(), Limits::STANDARD), Stimulus::Started).snapshot;
    let wait = started.unclaimed().next().unwrap();
    let output = Payload::from_json_text(format!("\"{}\"", "x".repeat(1_000)));
    let step = tell(&machine, started, Stimulus::TaskAnswered { wait, answer: Answer::Succeeded { output } });
    assert_eq!((step.events.len(), step.bytes), (0, 1_002));
}

const ONE_TOKEN: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Task","End":true,
    "Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken",
    "Parameters":{"FunctionName":"f","Payload":{"token.$":"$$.Task.Token"}}}}}"#;

/// A definition that an earlier version accepted: its state `A` does not compile any more.
fn of_an_earlier_version(field: &str) -> Result<StateMachine, String> {
    let state = format!(
        r#"{{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:a",{field},
            "Catch":[{{"ErrorEquals":["States.ALL"],"Next":"Z"}}],"Next":"Z"}}"#
    );
    asl::load(&format!(r#"{{"StartAt":"A","States":{{"A":{state},"Z":{{"Type":"Succeed"}}}}}}"#))
}

#[test]
fn a_state_that_does_not_compile_any_more_fails_the_execution_when_it_is_entered() {
    let machine = of_an_earlier_version(r#""InputPath":"$.[""#).unwrap();
    let events = tell(&machine, begin(&machine, "{}".into(), Limits::STANDARD), Stimulus::Started).events;
    let cause = "An error occurred while executing the state 'A' (entered at the event id #2). \
                 Value must be a valid JSONPath. at /States/A/InputPath";
    let details: Vec<&Detail<Payload>> = events.iter().map(|event| &event.detail).collect();
    let [Detail::ExecutionStarted { .. }, Detail::StateEntered { .. }, Detail::ExecutionFailed(failure)] = &details[..]
    else {
        panic!("{details:?}");
    };
    assert_eq!(failure, &Failure::new("States.Runtime", cause));
}

#[test]
fn a_state_that_does_not_compile_any_more_fails_the_execution_when_its_call_returns() {
    let machine = asl::parse(ONE_TASK, MachineType::Standard).machine.unwrap();
    let started = tell(&machine, begin(&machine, "{}".into(), Limits::STANDARD), Stimulus::Started).snapshot;
    let wait = started.unclaimed().next().unwrap();
    let claim =
        Stimulus::TaskClaimed { wait: wait.clone(), owner: "me".into(), begins: Timestamp(0), lease: Timestamp(1_000) };
    // The new version takes over while the task is at work, and calls it as the earlier one would have.
    let machine = of_an_earlier_version(r#""OutputPath":"$.[""#).unwrap();
    let claimed = tell(&machine, started, claim).snapshot;
    for answer in [
        Answer::Succeeded { output: Payload::from_json_text("{}") },
        Answer::Failed(Failure::new("States.TaskFailed", "no")),
    ] {
        let returned = Stimulus::TaskReturned { wait: wait.clone(), answer };
        match tell(&machine, claimed.clone(), returned).events.into_iter().last().map(|event| event.detail) {
            Some(Detail::ExecutionFailed(failure)) => assert_eq!(failure.error.as_deref(), Some("States.Runtime")),
            other => panic!("{other:?}"),
        }
    }
}
