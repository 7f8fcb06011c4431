//! Small executions for the unit tests of this module.

use std::collections::BTreeMap;
use std::sync::Arc;

use interpreter::{
    ActivityTarget, Answer, Execution, Limits, Moment, Payload, Snapshot, Stimulus, Timestamp, Wait, step,
};

use super::live::Live;
use super::test_case_run::TestCaseRun;
use crate::entry::Head;

pub(super) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// An execution that waits for one task token, with a heartbeat of ten seconds and an end after a minute.
pub(super) fn callback() -> Live {
    let task = r#""Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","HeartbeatSeconds":10,
        "TimeoutSeconds":60,"Parameters":{"QueueUrl":"https://q","MessageBody.$":"$$.Task.Token"}"#;
    started(&format!(r#"{{"StartAt":"A","States":{{"A":{{"Type":"Task",{task},"End":true}}}}}}"#))
}

/// An execution of one task that its call ends.
pub(super) fn plain_task() -> Live {
    let task = r#""Resource":"arn:aws:lambda:eu-west-1:123456789012:function:f""#;
    started(&format!(r#"{{"StartAt":"A","States":{{"A":{{"Type":"Task",{task},"End":true}}}}}}"#))
}

/// The same, with so many seconds for it.
pub(super) fn task_of(seconds: u64) -> Live {
    let task = r#""Resource":"arn:aws:lambda:eu-west-1:123456789012:function:f""#;
    let task = format!(r#"{task},"TimeoutSeconds":{seconds}"#);
    started(&format!(r#"{{"StartAt":"A","States":{{"A":{{"Type":"Task",{task},"End":true}}}}}}"#))
}

/// An execution whose job runs: the call that started it has returned, and its first poll is due after a second.
pub(super) fn job() -> (Live, Wait) {
    let task = r#""Resource":"arn:aws:states:::glue:startJobRun.sync","Parameters":{"JobName":"j"}"#;
    let mut live = started(&format!(r#"{{"StartAt":"A","States":{{"A":{{"Type":"Task",{task},"End":true}}}}}}"#));
    let wait = claim(&mut live, "worker", NOW, 10);
    let output = Payload::from_json_text("{}");
    let ids = "ids".to_owned();
    apply(&mut live, Stimulus::JobStarted { wait: wait.clone(), output, ids, subscribed: false }, NOW);
    (live, wait)
}

/// An execution of one Wait of that many seconds.
pub(super) fn timer(seconds: u64) -> Live {
    started(&format!(r#"{{"StartAt":"A","States":{{"A":{{"Type":"Wait","Seconds":{seconds},"End":true}}}}}}"#))
}

fn started(definition: &str) -> Live {
    let machine = asl::load(definition).expect("is a definition");
    let snapshot = Snapshot::begin(&machine, execution());
    let mut live = Live::new(Arc::new(machine), snapshot, None);
    apply(&mut live, Stimulus::Started, NOW);
    live
}

pub(super) fn head() -> Head {
    Head::new(&execution(), 1_000, "revision".to_owned())
}

/// A test case in which each of these states was called that often.
pub(super) fn test_case(calls: BTreeMap<String, u32>) -> Option<TestCaseRun> {
    let mut head = head();
    head.test_case = Some("case".to_owned());
    TestCaseRun::of(&head, calls)
}

fn execution() -> Execution {
    Execution {
        arn: "arn:aws:states:eu-west-1:123456789012:execution:m:one".to_owned(),
        name: "one".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
        machine_arn: "arn:aws:states:eu-west-1:123456789012:stateMachine:m".to_owned(),
        machine_name: "m".to_owned(),
        region: "eu-west-1".to_owned(),
        started: NOW,
        input: Payload::from_json_text("{}"),
        limits: Limits::STANDARD,
    }
}

pub(super) fn apply(live: &mut Live, stimulus: Stimulus, now: Timestamp) {
    let token = |wait: &Wait| format!("token {}", wait.attempt_id);
    let moment =
        Moment { now, seed: [7; 32], token: &token, activity: &ActivityTarget::none, work: interpreter::Work::USUAL };
    let before = std::mem::replace(&mut live.snapshot, Snapshot::bare(Arc::new(execution()), 0));
    live.snapshot = step(&live.machine, before, stimulus, &moment).snapshot;
}

/// Claims the only task, with a lease of so many seconds.
pub(super) fn claim(live: &mut Live, owner: &str, now: Timestamp, seconds: u64) -> Wait {
    let wait = live.snapshot.unclaimed().next().expect("a task is unclaimed");
    let (owner, lease) = (owner.to_owned(), now.plus_seconds(seconds));
    apply(live, Stimulus::TaskClaimed { wait: wait.clone(), owner, begins: now, lease }, now);
    wait
}

/// An execution that waits for its token: the call has returned.
pub(super) fn waiting_for_token() -> (Live, Wait) {
    let mut live = callback();
    let wait = claim(&mut live, "worker", NOW, 10);
    apply(&mut live, returned(&wait), NOW);
    (live, wait)
}

pub(super) fn succeeded() -> Answer<Payload> {
    Answer::Succeeded { output: Payload::from_json_text("{}") }
}

pub(super) fn returned(wait: &Wait) -> Stimulus {
    Stimulus::TaskReturned { wait: wait.clone(), answer: succeeded() }
}

pub(super) fn answered(wait: &Wait) -> Stimulus {
    Stimulus::TaskAnswered { wait: wait.clone(), answer: succeeded() }
}
