//! Random valid machines: small ones, of every state type, nested.
//!
//! A machine is drawn as a tree of [`Flow`]s and then written down with names and transitions, so that every draw is
//! valid: the last state of a flow ends it, Choices jump forward or back to the beginning.

use asl::{MachineType, StateMachine};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// The input that machines are started with; Maps iterate over a part of it.
pub fn input() -> Value {
    json!({ "items": [1, { "two": 2 }, "three"], "none": [], "n": 1, "text": "word" })
}

/// One level of states, in the order in which they follow each other.
#[derive(Debug, Clone)]
pub struct Flow(Vec<Drawn>);

#[derive(Debug, Clone)]
enum Drawn {
    Pass { path: &'static str, assign: bool },
    Task { recovery: Recovery, token: bool, timeout: Option<u8> },
    Wait(u8),
    Choice { back: bool },
    Fail,
    Succeed,
    Parallel(Vec<Flow>, Recovery),
    Map { processor: Flow, items: &'static str, concurrency: u8, recovery: Recovery },
}

#[derive(Debug, Clone)]
struct Recovery {
    retry: Option<(&'static str, u8)>,
    catch: Option<&'static str>,
}

/// A valid machine.
pub fn machine() -> impl Strategy<Value = StateMachine> {
    (flow(state().boxed()), proptest::option::weighted(0.2, 1u64..500)).prop_map(|(flow, timeout)| {
        let mut states = 0;
        let mut definition = flow.written(&mut states);
        if let Some(seconds) = timeout {
            definition["TimeoutSeconds"] = json!(seconds);
        }
        let parsed = asl::parse(&definition.to_string(), MachineType::Standard);
        parsed.machine.unwrap_or_else(|| panic!("{definition:#}\n{:#?}", parsed.diagnostics))
    })
}

fn flow(state: BoxedStrategy<Drawn>) -> impl Strategy<Value = Flow> + Clone {
    proptest::collection::vec(state, 1..5).prop_map(Flow)
}

fn state() -> impl Strategy<Value = Drawn> {
    let paths = prop_oneof![6 => Just("$"), 1 => Just("$$.Execution.Input.n"), 1 => Just("$.surely.not.there")];
    let leaf = prop_oneof![
        3 => (paths, any::<bool>()).prop_map(|(path, assign)| Drawn::Pass { path, assign }),
        4 => (recovery(), any::<bool>(), proptest::option::of(1u8..20))
            .prop_map(|(recovery, token, timeout)| Drawn::Task { recovery, token, timeout }),
        2 => (0u8..30).prop_map(Drawn::Wait),
        1 => any::<bool>().prop_map(|back| Drawn::Choice { back }),
        1 => Just(Drawn::Fail),
        1 => Just(Drawn::Succeed),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let items = prop_oneof![4 => Just("items"), 1 => Just("none"), 1 => Just("text")];
        prop_oneof![
            (proptest::collection::vec(flow(inner.clone()), 1..4), recovery())
                .prop_map(|(branches, recovery)| Drawn::Parallel(branches, recovery)),
            (flow(inner), items, 0u8..4, recovery()).prop_map(|(processor, items, concurrency, recovery)| {
                Drawn::Map { processor, items, concurrency, recovery }
            }),
        ]
    })
}

fn recovery() -> impl Strategy<Value = Recovery> {
    let names =
        || prop_oneof![Just("States.ALL"), Just("Own"), Just("States.Timeout"), Just("Lambda.SdkClientException")];
    (proptest::option::of((names(), 0u8..3)), proptest::option::of(names()))
        .prop_map(|(retry, catch)| Recovery { retry, catch })
}

impl Flow {
    fn written(&self, states: &mut usize) -> Value {
        let first = *states;
        *states += self.0.len();
        let name = |place: usize| format!("S{}", first + place);
        let mut written = Map::new();
        for (place, drawn) in self.0.iter().enumerate() {
            let next = (place + 1 < self.0.len()).then(|| name(place + 1));
            written.insert(name(place), drawn.written(&name(0), next, states));
        }
        json!({ "StartAt": name(0), "States": written })
    }
}

impl Drawn {
    fn written(&self, first: &str, next: Option<String>, states: &mut usize) -> Value {
        let mut state = match self {
            Drawn::Choice { back } if next.is_some() => {
                let to = if *back { Value::from(first) } else { json!(next) };
                let rule = json!({ "Variable": "$$.Execution.Input.n", "NumericEquals": 1, "Next": to });
                return json!({ "Type": "Choice", "Choices": [rule], "Default": next });
            }
            // What ends a flow is its last state, or the rest of it could not be reached.
            Drawn::Fail if next.is_none() => return json!({ "Type": "Fail", "Error": "Own", "Cause": "drawn" }),
            Drawn::Succeed if next.is_none() => return json!({ "Type": "Succeed" }),
            Drawn::Choice { .. } | Drawn::Fail | Drawn::Succeed => json!({ "Type": "Pass" }),
            Drawn::Pass { path, assign } => {
                let mut pass = json!({ "Type": "Pass", "InputPath": path });
                if *assign {
                    pass["Assign"] = json!({ "seen.$": "$" });
                }
                pass
            }
            Drawn::Wait(seconds) => json!({ "Type": "Wait", "Seconds": seconds }),
            Drawn::Task { recovery, token, timeout } => task(recovery, *token, *timeout, next.as_deref()),
            Drawn::Parallel(branches, recovery) => {
                let branches: Vec<Value> = branches.iter().map(|branch| branch.written(states)).collect();
                recovery.added(json!({ "Type": "Parallel", "Branches": branches }), next.as_deref())
            }
            Drawn::Map { processor, items, concurrency, recovery } => {
                let processor = processor.written(states);
                let items = format!("$$.Execution.Input.{items}");
                let map = json!({
                    "Type": "Map", "ItemsPath": items, "MaxConcurrency": concurrency, "ItemProcessor": processor,
                });
                recovery.added(map, next.as_deref())
            }
        };
        match next {
            Some(next) => state["Next"] = json!(next),
            None => state["End"] = json!(true),
        }
        state
    }
}

fn task(recovery: &Recovery, token: bool, timeout: Option<u8>, next: Option<&str>) -> Value {
    let mut task = if token {
        let parameters = json!({ "FunctionName": "f", "Payload": { "token.$": "$$.Task.Token" } });
        json!({
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "Parameters": parameters,
            "HeartbeatSeconds": 3,
        })
    } else {
        json!({ "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f" })
    };
    if let Some(seconds) = timeout {
        task["TimeoutSeconds"] = json!(u64::from(seconds) + 3);
    }
    recovery.added(task, next)
}

impl Recovery {
    fn added(&self, mut state: Value, next: Option<&str>) -> Value {
        if let Some((name, attempts)) = self.retry {
            state["Retry"] = json!([{ "ErrorEquals": [name], "IntervalSeconds": 1, "MaxAttempts": attempts }]);
        }
        if let (Some(name), Some(next)) = (self.catch, next) {
            state["Catch"] = json!([{ "ErrorEquals": [name], "ResultPath": null, "Next": next }]);
        }
        state
    }
}
