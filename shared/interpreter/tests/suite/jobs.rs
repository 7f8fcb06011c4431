//! Jobs: their polls, signals and ends, and what is left to be cancelled.

use asl::{MachineType, StateMachine};
use interpreter::{
    ActivityTarget, Answer, Call, Closing, Event, Failure, Limits, Moment, Payload, Snapshot, Stimulus, Timestamp,
    Wait, step,
};

/// An execution, and the events so far.
struct Story {
    machine: StateMachine,
    snapshot: Snapshot,
    events: Vec<Event<Payload>>,
}

const JOB: &str = r#""Type":"Task","Resource":"arn:aws:states:::glue:startJobRun.sync","Parameters":{"JobName":"j"}"#;
const NESTED: &str = r#""Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync:2",
    "Parameters":{"StateMachineArn":"arn:aws:states:us-east-1:123456789012:stateMachine:m"}"#;

impl Story {
    fn of(definition: &str) -> Story {
        let machine = asl::parse(definition, MachineType::Standard).machine.expect("is a definition");
        let execution = super::execution::any(Payload::from_json_text("{}"), Limits::STANDARD);
        let mut story = Story { snapshot: Snapshot::begin(&machine, execution), machine, events: Vec::new() };
        story.tell(0, Stimulus::Started);
        story
    }

    /// Of one task with these members.
    fn of_task(members: &str) -> Story {
        Story::of(&format!(r#"{{"StartAt":"A","States":{{"A":{{{members},"End":true}}}}}}"#))
    }

    fn tell(&mut self, seconds: i64, stimulus: Stimulus) {
        let token = |_: &Wait| String::new();
        let moment = Moment {
            now: Timestamp(seconds * 1_000),
            seed: [0; 32],
            token: &token,
            activity: &ActivityTarget::none,
            work: interpreter::Work::USUAL,
        };
        let step = step(&self.machine, self.snapshot.clone(), stimulus, &moment);
        self.events.extend(step.events);
        self.snapshot = step.snapshot;
    }

    /// Claims the only call that is free.
    fn claim(&mut self, seconds: i64) -> Wait {
        let wait = self.snapshot.unclaimed().next().expect("a call is free");
        let (begins, lease) = (Timestamp(seconds * 1_000), Timestamp((seconds + 60) * 1_000));
        self.tell(seconds, Stimulus::TaskClaimed { wait: wait.clone(), owner: "me".into(), begins, lease });
        wait
    }

    fn start(&mut self, seconds: i64, subscribed: bool) -> Wait {
        let wait = self.claim(seconds);
        let output = Payload::from_json_text(r#"{"JobRunId":"jr"}"#);
        let ids = "ids".to_owned();
        self.tell(seconds, Stimulus::JobStarted { wait: wait.clone(), output, ids, subscribed });
        wait
    }

    /// The seconds at which something is due.
    fn due(&self) -> Option<i64> {
        self.snapshot.due().map(|due| due.0 / 1_000)
    }

    fn is_free(&self) -> bool {
        self.snapshot.unclaimed().next().is_some()
    }

    fn types(&self) -> Vec<String> {
        self.events.iter().map(|event| event.detail.wire().event_type()).collect()
    }
}

fn returned(wait: &Wait, answer: Answer<Payload>) -> Stimulus {
    Stimulus::TaskReturned { wait: wait.clone(), answer }
}

fn succeeded() -> Answer<Payload> {
    Answer::Succeeded { output: Payload::from_json_text("1") }
}

#[test]
fn a_job_is_polled_until_it_has_ended() {
    let mut story = Story::of_task(JOB);
    let wait = story.start(0, false);
    for (polled, next) in [(1, 3), (3, 7), (7, 15)] {
        assert_eq!((story.due(), story.is_free()), (Some(polled), false));
        story.tell(polled, Stimulus::Tick);
        assert!(story.is_free(), "a poll is due");
        story.claim(polled);
        story.tell(polled, Stimulus::JobPolled { wait: wait.clone() });
        assert_eq!(story.due(), Some(next));
    }
    story.tell(15, Stimulus::Tick);
    story.claim(15);
    story.tell(15, returned(&wait, succeeded()));
    assert_eq!(
        story.types(),
        [
            "ExecutionStarted",
            "TaskStateEntered",
            "TaskScheduled",
            "TaskStarted",
            "TaskSubmitted",
            "TaskSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded"
        ]
    );
    assert!(story.snapshot.cancels.is_empty());
}

#[test]
fn a_poll_that_is_lost_is_made_again_and_a_start_is_not() {
    let mut story = Story::of_task(JOB);
    let wait = story.start(0, false);
    story.tell(1, Stimulus::Tick);
    story.claim(1);
    story.tell(2, Stimulus::TaskLost { wait: wait.clone() });
    assert!(story.snapshot.is_open() && story.is_free());
    story.claim(2);
    story.tell(200, Stimulus::Tick);
    assert!(story.snapshot.is_open() && story.is_free(), "its lease is over");
    let mut story = Story::of_task(JOB);
    let wait = story.claim(0);
    story.tell(1, Stimulus::TaskLost { wait });
    let Some((Closing::Failed(failure), _)) = &story.snapshot.closed else { panic!("{:?}", story.snapshot.closed) };
    assert_eq!(failure.error.as_deref(), Some("Glue.SdkClientException"));
}

#[test]
fn the_start_of_a_nested_execution_that_is_lost_is_made_again() {
    let mut story = Story::of_task(NESTED);
    let wait = story.claim(0);
    story.tell(1, Stimulus::TaskLost { wait: wait.clone() });
    assert!(story.snapshot.is_open() && story.is_free());
    assert_eq!(story.claim(1), wait, "it is the same attempt");
    assert_eq!(story.types().iter().filter(|kind| *kind == "TaskStarted").count(), 1);
}

#[test]
fn a_signal_brings_a_poll_forward_whenever_it_comes() {
    let call = |story: &Story, wait: &Wait| story.snapshot.attempt(wait).map(|(_, attempt)| attempt.call.clone());
    let mut story = Story::of_task(NESTED);
    let wait = story.start(0, true);
    assert!(story.is_free(), "the first poll is made at once");
    story.claim(0);
    // While a poll is under way, which may have come too early.
    story.tell(0, Stimulus::JobSignalled { wait: wait.clone() });
    story.tell(0, Stimulus::JobPolled { wait: wait.clone() });
    assert!(story.is_free());
    story.claim(0);
    story.tell(0, Stimulus::JobPolled { wait: wait.clone() });
    assert_eq!(call(&story, &wait), Some(Call::Returned));
    story.tell(1, Stimulus::JobSignalled { wait: wait.clone() });
    assert!(story.is_free());
}

#[test]
fn a_task_token_ends_a_job_too_and_nothing_is_cancelled() {
    for polls in [false, true] {
        let mut story = Story::of_task(JOB);
        let wait = story.start(0, false);
        if polls {
            story.tell(1, Stimulus::Tick);
            story.claim(1);
        }
        story.tell(1, Stimulus::TaskAnswered { wait, answer: succeeded() });
        assert!(matches!(story.snapshot.closed, Some((Closing::Succeeded { .. }, _))));
        assert!(story.snapshot.cancels.is_empty());
    }
}

#[test]
fn a_job_that_outlives_its_attempt_is_cancelled_once() {
    let limited = format!(r#"{JOB},"TimeoutSeconds":5"#);
    let beating = format!(r#"{JOB},"HeartbeatSeconds":5"#);
    let stop = || Stimulus::StopRequested(Failure::of(None, None));
    for (task, at, end) in [(JOB, 1, stop()), (&limited, 5, Stimulus::Tick), (&beating, 5, Stimulus::Tick)] {
        let mut story = Story::of_task(task);
        let wait = story.start(0, false);
        story.tell(at, end);
        assert!(!story.snapshot.is_open(), "{task}");
        let cancel = story.snapshot.cancels.get(&wait.attempt_id).expect("is to be cancelled");
        assert_eq!((cancel.ids.as_deref(), &cancel.path), (Some("ids"), &wait.path));
        story.tell(at, Stimulus::JobCancelled { wait });
        assert!(story.snapshot.cancels.is_empty());
    }
}

#[test]
fn a_failing_sibling_has_a_job_cancelled_and_a_failed_job_is_not() {
    let branches = format!(
        r#"[{{"StartAt":"J","States":{{"J":{{{JOB},"End":true}}}}}},
        {{"StartAt":"W","States":{{"W":{{"Type":"Wait","Seconds":1,"Next":"F"}},"F":{{"Type":"Fail"}}}}}}]"#
    );
    let catch = r#""Catch":[{"ErrorEquals":["States.ALL"],"Next":"L"}]"#;
    let mut story = Story::of(&format!(
        r#"{{"StartAt":"P","States":{{"P":{{"Type":"Parallel","End":true,{catch},"Branches":{branches}}},
        "L":{{"Type":"Wait","Seconds":9,"End":true}}}}}}"#
    ));
    let wait = story.start(0, false);
    story.tell(1, Stimulus::Tick);
    assert!(story.snapshot.is_open() && story.snapshot.cancels.contains_key(&wait.attempt_id));
    let mut story = Story::of_task(JOB);
    let wait = story.start(0, false);
    story.tell(1, Stimulus::Tick);
    story.claim(1);
    story.tell(1, returned(&wait, Answer::Failed(Failure::new("States.TaskFailed", "{}"))));
    assert!(!story.snapshot.is_open() && story.snapshot.cancels.is_empty());
}

#[test]
fn a_nested_execution_whose_start_is_under_way_is_cancelled_too() {
    let mut story = Story::of_task(NESTED);
    let wait = story.claim(0);
    story.tell(1, Stimulus::StopRequested(Failure::of(None, None)));
    let cancel = story.snapshot.cancels.get(&wait.attempt_id).expect("is to be cancelled");
    assert!(cancel.ids.is_none() && cancel.arguments.is_some());
    let mut story = Story::of_task(JOB);
    story.claim(0);
    story.tell(1, Stimulus::StopRequested(Failure::of(None, None)));
    assert!(story.snapshot.cancels.is_empty(), "nothing is known of that job");
}
