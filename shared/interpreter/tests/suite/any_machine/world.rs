//! A world that says anything at any time to an execution, and then lets it end.

use std::collections::BTreeSet;

use asl::{MachineType, StateMachine};
use interpreter::{
    ActivityTarget, Answer, Call, Execution, Failure, Limits, Moment, Payload, Phase, Snapshot, Step, Stimulus,
    ThreadPath, Timestamp, Wait, step,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The number of a wait that no execution gets to.
const NEVER: u64 = 1_000_000;

const BEGIN: i64 = 1_700_000_000_000;
/// Bytes of a payload; small, so that what grows in a loop meets the limit.
const PAYLOAD: usize = 8_192;
/// Steps after which an execution that only gets sensible answers has to have ended.
const MOST_STEPS: usize = 5_000;

/// Something that the world does.
#[derive(Debug, Clone)]
pub struct Action {
    what: What,
    /// Which of the waits there ever were.
    about: prop::sample::Index,
    /// Milliseconds that go by before.
    after: u32,
}

#[derive(Debug, Clone)]
enum What {
    Start,
    Look,
    Claim,
    Lease,
    Return,
    Fail,
    Answer,
    AnswerFailing,
    Beat,
    Lose,
    Release,
    Renew,
    /// About a wait that never was.
    Nonsense(Vec<u32>, u64),
    Stop,
    Delete,
    Redrive,
}

pub fn actions() -> impl Strategy<Value = Vec<Action>> {
    let what = prop_oneof![
        8 => Just(What::Claim),
        4 => Just(What::Lease),
        6 => Just(What::Return),
        3 => Just(What::Fail),
        4 => Just(What::Answer),
        1 => Just(What::AnswerFailing),
        2 => Just(What::Beat),
        2 => Just(What::Lose),
        3 => Just(What::Release),
        2 => Just(What::Renew),
        3 => Just(What::Look),
        1 => Just(What::Start),
        2 => (prop::collection::vec(0u32..4, 0..3), 0u64..20).prop_map(|(path, attempt_id)| What::Nonsense(path, attempt_id)),
    ];
    let what = prop_oneof![60 => what, 1 => Just(What::Stop), 1 => Just(What::Delete), 4 => Just(What::Redrive)];
    let after = prop_oneof![4 => Just(0u32), 2 => 0u32..2_000, 1 => 0u32..100_000];
    let action =
        (what, any::<prop::sample::Index>(), after).prop_map(|(what, about, after)| Action { what, about, after });
    prop::collection::vec(action, 0..60)
}

/// A valid machine; in every second one, activities take the place of functions.
pub fn machine() -> impl Strategy<Value = StateMachine> {
    (super::machines::definition(), any::<bool>()).prop_map(|(definition, activities)| {
        let mut text = definition.to_string();
        if activities {
            text = text.replace(":lambda:us-east-1:123456789012:function:", ":states:us-east-1:123456789012:activity:");
        }
        let parsed = asl::parse(&text, MachineType::Standard);
        parsed.machine.unwrap_or_else(|| panic!("{definition:#}\n{:#?}", parsed.diagnostics))
    })
}

fn workers(_arn: &str, _state: &str) -> ActivityTarget {
    ActivityTarget::Workers
}

/// The first snapshot of an execution of `machine`.
pub fn begin(machine: &StateMachine, input: Value, events: u64) -> Snapshot {
    let execution = Execution {
        arn: "arn:aws:states:us-east-1:123456789012:execution:any:one".into(),
        name: "one".into(),
        role_arn: "arn:aws:iam::123456789012:role/any".into(),
        machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:any".into(),
        machine_name: "any".into(),
        region: "us-east-1".into(),
        started: Timestamp(BEGIN),
        input: Payload::from_value(input),
        limits: Limits { events, payload_bytes: PAYLOAD, ..Limits::STANDARD },
    };
    Snapshot::begin(machine, execution)
}

/// One step at a time that depends on nothing but its arguments.
pub fn stepped(machine: &StateMachine, snapshot: Snapshot, stimulus: Stimulus, now: Timestamp) -> Step {
    let token = |wait: &Wait| format!("{:?}/{}", wait.path.0, wait.attempt_id);
    step(
        machine,
        snapshot,
        stimulus,
        &Moment { now, seed: [3; 32], token: &token, activity: &workers, work: interpreter::Work::USUAL },
    )
}

/// Plays the actions, then answers sensibly until the execution ends. `observe` sees every step: what was there before,
/// the stimulus, its time, and what came of it. The last snapshot is open when the execution does not end.
pub fn play(
    machine: &StateMachine,
    begin: Snapshot,
    actions: &[Action],
    mut observe: impl FnMut(&Snapshot, &Stimulus, Timestamp, &Step),
) -> Snapshot {
    let (mut snapshot, mut now, mut seen) = (begin, Timestamp(BEGIN), BTreeSet::new());
    let mut act = |snapshot: &mut Snapshot, stimulus: Stimulus, now: Timestamp| {
        let step = stepped(machine, snapshot.clone(), stimulus.clone(), now);
        observe(snapshot, &stimulus, now, &step);
        *snapshot = step.snapshot;
    };
    act(&mut snapshot, Stimulus::Started, now);
    for action in actions {
        seen.extend(snapshot.unclaimed().chain(snapshot.queued()));
        now = now.plus_millis(i64::from(action.after));
        act(&mut snapshot, action.stimulus(&seen, now), now);
    }
    for _ in 0..MOST_STEPS {
        if !snapshot.is_open() {
            break;
        }
        let stimulus = sensible(&snapshot, now).unwrap_or_else(|| {
            now = snapshot.due().map_or(now, |due| due.max(now));
            Stimulus::Tick
        });
        act(&mut snapshot, stimulus, now);
    }
    snapshot
}

impl Action {
    fn stimulus(&self, seen: &BTreeSet<Wait>, now: Timestamp) -> Stimulus {
        let waits: Vec<&Wait> = seen.iter().collect();
        let wait = if waits.is_empty() {
            Wait { path: ThreadPath::root(), attempt_id: NEVER }
        } else {
            (*self.about.get(&waits)).clone()
        };
        let failing = || Answer::Failed(Failure::new("Own", "drawn"));
        match &self.what {
            What::Start => Stimulus::Started,
            What::Look => Stimulus::Tick,
            What::Claim => claim(wait, now),
            What::Lease => Stimulus::TaskLeased { wait, worker: Some(OWNER.into()) },
            What::Return => Stimulus::TaskReturned { wait, answer: succeeded() },
            What::Fail => Stimulus::TaskReturned { wait, answer: failing() },
            What::Answer => Stimulus::TaskAnswered { wait, answer: succeeded() },
            What::AnswerFailing => Stimulus::TaskAnswered { wait, answer: failing() },
            What::Beat => Stimulus::TaskHeartbeat { wait, at: now },
            What::Lose => Stimulus::TaskLost { wait },
            What::Release => Stimulus::TaskReleased { wait, owner: OWNER.into() },
            What::Renew => {
                let (owner, lease) = (OWNER.into(), now.plus_seconds(5));
                Stimulus::TaskRenewed { wait, owner, lease, later_ms: 1_500 }
            }
            What::Nonsense(path, attempt_id) => {
                // A number that has not been given yet may become real by what the step does first.
                let given = seen.iter().any(|wait| wait.attempt_id == *attempt_id);
                let attempt_id = if given { *attempt_id } else { NEVER };
                let wait = Wait { path: ThreadPath(path.clone()), attempt_id };
                Stimulus::TaskAnswered { wait, answer: succeeded() }
            }
            What::Stop => Stimulus::StopRequested(Failure::default()),
            What::Delete => Stimulus::MachineDeleted,
            What::Redrive => Stimulus::RedriveRequested,
        }
    }
}

/// A stimulus that brings the execution on without time; `None` when only time does.
fn sensible(snapshot: &Snapshot, now: Timestamp) -> Option<Stimulus> {
    if snapshot.ready().next().is_some() {
        return Some(Stimulus::Tick);
    }
    if let Some(wait) = snapshot.unclaimed().next() {
        return Some(claim(wait, now));
    }
    snapshot.frames().find_map(|(path, frame)| {
        let Phase::Task(attempt) = &frame.phase else { return None };
        let wait = Wait { path: path.clone(), attempt_id: frame.attempt_id };
        Some(match attempt.call {
            Call::Unclaimed => claim(wait, now),
            Call::Claimed { .. } => Stimulus::TaskReturned { wait, answer: succeeded() },
            Call::Queued => Stimulus::TaskLeased { wait, worker: None },
            Call::Returned | Call::Leased => Stimulus::TaskAnswered { wait, answer: succeeded() },
        })
    })
}

/// The owner of all claims.
const OWNER: &str = "worker";

fn claim(wait: Wait, now: Timestamp) -> Stimulus {
    Stimulus::TaskClaimed { wait, owner: OWNER.into(), begins: now, lease: now.plus_seconds(5) }
}

fn succeeded() -> Answer<Payload> {
    Answer::Succeeded { output: Payload::from_value(json!({ "answered": true })) }
}
