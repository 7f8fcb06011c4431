//! An execution that is written down and read again is the same execution: whatever it did, however commits fold its steps
//! and wherever full sets lie.

use engine::entry::{Assembly, decode};
use interpreter::{Detail, Stimulus, Timestamp};
use proptest::prelude::*;

use crate::journal::Journal;
use crate::{machines, world};

const EVENTS: u64 = 400;

/// A Map of three waits, one at a time, in its first: written down before entries held how many run at a time.
const BEFORE_LIMITS_WERE_KEPT: &str = r#"{"v":1,"at":1700000000000,"head":{"arn":"a","name":"n","role_arn":"r",
    "machine_arn":"m","machine_name":"n","region":"r","started":1700000000000,"limits":{"payload_bytes":262144,
    "events":25000,"inline_concurrency":40,"nesting":128,"seconds":1000},"seconds":1000,"revision":"v","input":0},
    "payloads":[{},[1,2,3],1],"events":[],"full":true,"frames":[
        [[],{"state":0,"input":0,"chain":3,"entered":2,"entered_at":1700000000000,"turn":0,
            "phase":{"Map":{"input":0,"items":1,"total":3,"next":1,"done":0}}}],
        [[0],{"state":1,"input":2,"chain":5,"entered":5,"entered_at":1700000000000,"turn":1,
            "phase":{"Waiting":{"until":1700000005000}}}]],
    "last_event":5,"last_turn":1}"#;

#[test]
fn an_entry_of_before_limits_were_kept_goes_on() {
    let machine = asl::parse(
        r#"{"StartAt":"M","States":{"M":{"Type":"Map","MaxConcurrency":1,"End":true,"ItemProcessor":{"StartAt":"W",
            "States":{"W":{"Type":"Wait","Seconds":5,"End":true}}}}}}"#,
        asl::MachineType::Standard,
    );
    let entry = decode(0, BEFORE_LIMITS_WERE_KEPT.as_bytes()).unwrap();
    let (_, snapshot) = Assembly::of(vec![(0, entry)]).unwrap().finish().unwrap();
    let later = Timestamp(1_700_000_005_000);
    let step = world::stepped(&machine.machine.unwrap(), snapshot, Stimulus::Tick, later);
    let started = step.events.iter().filter(|event| matches!(event.detail, Detail::MapIterationStarted(_))).count();
    assert_eq!(started, 1, "{:#?}", step.events);
}

/// A task whose worker claimed it and gave the claim back without a call.
const RELEASED: &str = r#"{"v":1,"at":1700000000000,"head":{"arn":"a","name":"n","role_arn":"r",
    "machine_arn":"m","machine_name":"n","region":"r","started":1700000000000,"limits":{"payload_bytes":262144,
    "events":25000,"inline_concurrency":40,"nesting":128,"seconds":1000},"seconds":1000,"revision":"v","input":0},
    "payloads":[{}],"events":[],"full":true,"frames":[
        [[],{"state":0,"input":0,"chain":4,"entered":2,"entered_at":1700000000000,"turn":1,
            "phase":{"Task":{"arguments":0,"timeout":5,"heartbeat":null,
                "call":{"Claimed":{"owner":"gone","lease":1700000005500,"released":true}}}}}]],
    "last_event":4,"last_turn":1}"#;

#[test]
fn a_released_claim_may_be_made_again_and_is_lost_to_a_program_that_does_not_know_the_word() {
    let machine = asl::parse(
        r#"{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:1:function:f",
            "TimeoutSeconds":5,"End":true}}}"#,
        asl::MachineType::Standard,
    );
    let machine = machine.machine.unwrap();
    let read = |text: &str| {
        let entry = decode(0, text.as_bytes()).unwrap();
        Assembly::of(vec![(0, entry)]).unwrap().finish().unwrap().1
    };
    let (lease, later) = (Timestamp(1_700_000_005_500), Timestamp(1_700_000_100_000));

    let released = read(RELEASED);
    assert_eq!((released.claimed().count(), released.unclaimed().count()), (0, 1));
    let looked = world::stepped(&machine, released, Stimulus::Tick, later);
    assert!(looked.events.is_empty(), "{:#?}", looked.events);
    let wait = looked.snapshot.unclaimed().next().unwrap();
    let claim = Stimulus::TaskClaimed { wait, owner: "next".into(), begins: later, lease: later.plus_seconds(5) };
    let claimed = world::stepped(&machine, looked.snapshot, claim, later);
    assert!(claimed.events.is_empty(), "it was recorded as started: {:#?}", claimed.events);
    assert_eq!(claimed.snapshot.due(), Some(later.plus_seconds(5)), "it has its whole time");

    let before = read(&RELEASED.replace(r#","released":true"#, ""));
    assert_eq!((before.claimed().count(), before.unclaimed().count()), (1, 0));
    let lost = world::stepped(&machine, before, Stimulus::Tick, lease.plus_millis(30_000));
    assert!(matches!(lost.events[0].detail, Detail::LambdaFunctionFailed(_)), "{:#?}", lost.events);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_down_reads_as_what_was_in_hand(
        machine in world::machine(),
        actions in world::actions(),
        folds in prop::collection::vec((any::<bool>(), prop::bool::weighted(0.1)), 1..20),
    ) {
        let begin = world::begin(&machine, machines::input(), EVENTS);
        let mut journal = Journal::default();
        let (mut all, mut folds) = (Vec::new(), folds.into_iter().cycle());
        world::play(&machine, begin, &actions, |_, stimulus, now, step| {
            all.extend(step.events.iter().cloned());
            journal.events.extend(step.events.iter().cloned());
            journal.changed.extend(step.changed.iter().cloned());
            let (commit, full) = folds.next().unwrap_or((true, false));
            if commit || journal.bodies.is_empty() || !step.snapshot.is_open() {
                journal.commit(&step.snapshot, now, full);
                assert_eq!(journal.read(), step.snapshot, "after {stimulus:?}");
            }
        });
        prop_assert_eq!(journal.all_events(), all);
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>()) {
        let _unreadable = decode(0, &bytes);
        // A good entry with one byte changed.
        let machine = asl::parse(
            r#"{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":5,"End":true}}}"#,
            asl::MachineType::Standard,
        );
        let mut journal = Journal::default();
        let begin = world::begin(&machine.machine.unwrap(), machines::input(), EVENTS);
        journal.commit(&begin, begin.execution.started, true);
        let mut body = journal.bodies.remove(0);
        let place = at.index(body.len());
        body[place] = bytes.first().copied().unwrap_or(b'9');
        if let Ok(entry) = decode(0, &body)
            && let Ok(assembly) = Assembly::of(vec![(0, entry)])
        {
            let _unreadable = assembly.missing();
            let _unreadable = assembly.finish();
        }
    }
}
