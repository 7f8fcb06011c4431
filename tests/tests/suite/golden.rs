//! Golden cases: what AWS does, one folder of `tests/golden` per rule, run through `interpreter::step`.
//!
//! A folder holds `definition.json`, `input.json`, `script.json` (how tasks and clients answer, and when; may be missing)
//! and `history.json`, the events one per line with their time in milliseconds since the start. With `UPDATE_GOLDEN=1`
//! the histories are written instead of compared; what comes out has to be read before it is believed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use asl::{MachineType, StateId, StateMachine};
use interpreter::{
    ActivityTarget, Answer, Event, Execution, Failure, Limits, Moment, Payload, Snapshot, Stimulus, Timestamp, Wait,
    step,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// 2024-01-01T00:00:00Z.
const BEGIN: i64 = 1_704_067_200_000;
const LEASE_MS: i64 = 900_000;
/// More steps than any case takes.
const MOST_STEPS: usize = 100_000;
/// Longer histories keep their beginning and their end.
const LONG: usize = 150;
const HEAD: usize = 12;
const TAIL: usize = 8;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Script {
    /// By the name of the state: its attempts, in the order in which they start.
    tasks: BTreeMap<String, Vec<Attempt>>,
    /// The ARNs of the activities there are, each with what performs its tasks: `workers` or `mock`.
    activities: BTreeMap<String, String>,
    stop: Option<Stop>,
    /// How long after each end the execution is redriven; a stop comes once.
    redriven_after_ms: Vec<i64>,
    /// When the state machine is deleted.
    deleted_at_ms: Option<i64>,
    /// `--retry-time-scale` of the installation, in millionths.
    retry_millionths: Option<u64>,
    /// Where the limits of an installation differ from AWS's.
    events: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stop {
    at_ms: i64,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    cause: Option<String>,
}

/// The fate of an attempt, counted from its start.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attempt {
    #[serde(default)]
    after_ms: i64,
    /// When a worker of its activity takes it; absent: none does.
    #[serde(default)]
    lease: Option<Lease>,
    /// How its call ends; absent: it never does.
    #[serde(default)]
    call: Option<Said>,
    /// The calls with its task token meanwhile.
    #[serde(default)]
    token: Vec<Telling>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lease {
    after_ms: i64,
    #[serde(default)]
    worker: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Telling {
    after_ms: i64,
    says: Said,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Returns(Value),
    /// What a JSON document of today's tools cannot say: half of a surrogate pair, a number beyond doubles.
    ReturnsText(String),
    /// A text of that many bytes, quotes included.
    ReturnsBytes(usize),
    Fails(Failure),
    /// The caller is gone.
    Lost,
    Heartbeat,
}

struct Run<'m> {
    machine: &'m StateMachine,
    script: Script,
    snapshot: Snapshot,
    now: i64,
    events: Vec<Event<Payload>>,
    /// The pending stimuli, by time, then by the order in which they were announced.
    coming: BTreeMap<(i64, usize), Stimulus>,
    announced: usize,
    attempts: BTreeMap<String, usize>,
    /// The attempts in the queues of activities whose fate is announced.
    queued: BTreeSet<Wait>,
}

fn history(folder: &Path) -> Result<Vec<Event<Payload>>> {
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).with_context(|| file.to_owned());
    let parsed = asl::parse(&read("definition.json")?, MachineType::Standard);
    let machine = parsed.machine.with_context(|| format!("{:#?}", parsed.diagnostics))?;
    let input: Value = serde_json::from_str(&read("input.json")?)?;
    let script: Script = match read("script.json") {
        Ok(text) => serde_json::from_str(&text).context("script.json")?,
        Err(_) => Script::default(),
    };
    let limits = Limits {
        events: script.events.unwrap_or(Limits::STANDARD.events),
        retry_millionths: script.retry_millionths.unwrap_or(Limits::STANDARD.retry_millionths),
        ..Limits::STANDARD
    };
    let execution = Execution {
        arn: "arn:aws:states:us-east-1:123456789012:execution:golden:case".into(),
        name: "case".into(),
        role_arn: "arn:aws:iam::123456789012:role/golden".into(),
        machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:golden".into(),
        machine_name: "golden".into(),
        region: "us-east-1".into(),
        started: Timestamp(BEGIN),
        input: Payload::from_value(input),
        limits,
    };
    let mut run = Run {
        snapshot: Snapshot::begin(&machine, execution),
        machine: &machine,
        script,
        now: BEGIN,
        events: Vec::new(),
        coming: BTreeMap::new(),
        announced: 0,
        attempts: BTreeMap::new(),
        queued: BTreeSet::new(),
    };
    run.finish()?;
    Ok(run.events)
}

impl Run<'_> {
    fn finish(&mut self) -> Result<()> {
        if let Some(Stop { at_ms, error, cause }) = self.script.stop.take() {
            self.announce(at_ms, Stimulus::StopRequested(Failure { error, cause }));
        }
        if let Some(at_ms) = self.script.deleted_at_ms {
            self.announce(at_ms, Stimulus::MachineDeleted);
        }
        self.step(Stimulus::Started);
        let mut redrives = std::mem::take(&mut self.script.redriven_after_ms).into_iter();
        for _ in 0..MOST_STEPS {
            self.claim()?;
            if !self.snapshot.is_open() {
                let Some(after_ms) = redrives.next() else { return Ok(()) };
                self.now += after_ms;
                let before = self.snapshot.last_event;
                self.step(Stimulus::RedriveRequested);
                ensure!(self.snapshot.last_event > before, "it cannot be redriven");
                continue;
            }
            if self.snapshot.ready().next().is_some() {
                self.step(Stimulus::Tick);
                continue;
            }
            let due = self.snapshot.due().map_or(i64::MAX, |due| due.0);
            match self.coming.first_key_value().map(|((at, _), _)| *at) {
                Some(at) if at <= due => {
                    let (_, stimulus) = self.coming.pop_first().context("it was there")?;
                    self.now = self.now.max(at);
                    self.step(stimulus);
                }
                _ => {
                    self.now = self.now.max(due);
                    self.step(Stimulus::Tick);
                }
            }
        }
        bail!("it does not end")
    }

    fn step(&mut self, stimulus: Stimulus) {
        let token = |wait: &Wait| format!("token-{:?}-{}", wait.path.0, wait.attempt_id);
        let activity = |arn: &str, _: &str| match self.script.activities.get(arn).map(String::as_str) {
            None => ActivityTarget::Absent,
            Some("mock") => ActivityTarget::Mock,
            Some(_) => ActivityTarget::Workers,
        };
        let moment = Moment {
            now: Timestamp(self.now),
            seed: [9; 32],
            token: &token,
            activity: &activity,
            work: interpreter::Work::USUAL,
        };
        let step = step(self.machine, self.snapshot.clone(), stimulus, &moment);
        self.snapshot = step.snapshot;
        self.events.extend(step.events);
    }

    fn announce(&mut self, after_ms: i64, stimulus: Stimulus) {
        self.announced += 1;
        self.coming.insert((self.now + after_ms, self.announced), stimulus);
    }

    /// Starts every attempt that is not yet started, as the script says.
    fn claim(&mut self) -> Result<()> {
        let open: Vec<Wait> = self.snapshot.unclaimed().collect();
        for wait in open {
            let attempt = self.scripted(&wait)?;
            let lease = Timestamp(self.now + LEASE_MS);
            self.step(Stimulus::TaskClaimed {
                wait: wait.clone(),
                owner: "golden".into(),
                begins: Timestamp(self.now),
                lease,
            });
            if let Some(call) = attempt.call {
                self.announce(attempt.after_ms, ended(&wait, call)?);
            }
            self.tell(&wait, attempt.token)?;
        }
        let queued: Vec<Wait> = self.snapshot.queued().filter(|wait| !self.queued.contains(wait)).collect();
        for wait in queued {
            let attempt = self.scripted(&wait)?;
            if let Some(Lease { after_ms, worker }) = attempt.lease {
                self.announce(after_ms, Stimulus::TaskLeased { wait: wait.clone(), worker });
            }
            self.tell(&wait, attempt.token)?;
            self.queued.insert(wait);
        }
        Ok(())
    }

    /// What the script says of an attempt that starts.
    fn scripted(&mut self, wait: &Wait) -> Result<Attempt> {
        let state = self.snapshot.frame(&wait.path).and_then(|frame| self.machine.state(StateId(frame.state)));
        let name = state.context("an attempt has a state")?.name.to_string();
        let number = self.attempts.entry(name.clone()).or_default();
        let scripted = self.script.tasks.get(&name).and_then(|attempts| attempts.get(*number).or(attempts.last()));
        *number += 1;
        scripted.cloned().with_context(|| format!("nothing is scripted for {name}"))
    }

    fn tell(&mut self, wait: &Wait, tellings: Vec<Telling>) -> Result<()> {
        for telling in tellings {
            self.announce(telling.after_ms, told(wait, telling.says, Timestamp(self.now + telling.after_ms))?);
        }
        Ok(())
    }
}

fn ended(wait: &Wait, said: Said) -> Result<Stimulus> {
    let wait = wait.clone();
    Ok(match answer(said.clone()) {
        Some(answer) => Stimulus::TaskReturned { wait, answer },
        None if matches!(said, Said::Lost) => Stimulus::TaskLost { wait },
        None => bail!("a call does not end with {said:?}"),
    })
}

fn told(wait: &Wait, said: Said, at: Timestamp) -> Result<Stimulus> {
    let wait = wait.clone();
    Ok(match answer(said.clone()) {
        Some(answer) => Stimulus::TaskAnswered { wait, answer },
        None if matches!(said, Said::Heartbeat) => Stimulus::TaskHeartbeat { wait, at },
        None => bail!("nobody says {said:?} about a task token"),
    })
}

fn answer(said: Said) -> Option<Answer<Payload>> {
    match said {
        Said::Returns(value) => Some(Answer::Succeeded { output: Payload::from_value(value) }),
        Said::ReturnsText(text) => Some(Answer::Succeeded { output: Payload::from_json_text(text) }),
        Said::ReturnsBytes(bytes) => {
            Some(Answer::Succeeded { output: Payload::from_value(json!("x".repeat(bytes.saturating_sub(2)))) })
        }
        Said::Fails(failure) => Some(Answer::Failed(failure)),
        Said::Lost | Said::Heartbeat => None,
    }
}

/// One event per line; what is long is said to be long.
fn written(events: &[Event<Payload>]) -> Result<String> {
    let mut lines = Vec::new();
    for (place, event) in events.iter().enumerate() {
        if events.len() > LONG && place >= HEAD && place < events.len() - TAIL {
            if place == HEAD {
                lines.push(json!({ "left_out": events.len() - HEAD - TAIL }).to_string());
            }
            continue;
        }
        let event = event.clone().try_map(&mut |payload| anyhow::Ok(shortened(payload.value().clone())))?;
        let detail = serde_json::to_value(&event.detail)?;
        let mut line = format!(r#"{{"id":{},"previous":{},"ms":{}"#, event.id, event.previous, event.at.0 - BEGIN);
        match detail {
            Value::String(name) => write!(line, r#","{name}":null}}"#)?,
            Value::Object(named) => {
                for (name, fields) in named {
                    write!(line, r#","{name}":{}"#, expressions::json::to_text(&shortened(fields)))?;
                }
                line.push('}');
            }
            other => bail!("an event is {other}"),
        }
        lines.push(line);
    }
    Ok(format!("[\n{}\n]\n", lines.join(",\n")))
}

fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) if text.len() > 1_000 => json!(format!("({} bytes)", text.len())),
        Value::Array(items) => items.into_iter().map(shortened).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, shortened(value))).collect(),
        other => other,
    }
}

/// Ids without gaps; links that point back.
fn check_links(events: &[Event<Payload>]) -> Result<()> {
    for (id, event) in (1u64..).zip(events) {
        ensure!(event.id == id && event.previous < id, "event {} after {} at place {id}", event.id, event.previous);
    }
    Ok(())
}

fn cases() -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    cases.retain(|case| case.is_dir());
    cases.sort();
    Ok(cases)
}

fn difference(case: &Path, update: bool) -> Result<Option<String>> {
    let events = history(case)?;
    check_links(&events)?;
    let (found, file) = (written(&events)?, case.join("history.json"));
    if update {
        std::fs::write(file, found)?;
        return Ok(None);
    }
    let expected = std::fs::read_to_string(file).context("history.json")?;
    Ok((found != expected).then(|| format!("expected {expected}found {found}")))
}

#[test]
fn every_golden_case_has_the_history_that_aws_gives_it() -> Result<()> {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let (cases, mut wrong) = (cases()?, Vec::new());
    ensure!(cases.len() > 50, "{} cases only", cases.len());
    for case in cases {
        let name = case.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match difference(&case, update) {
            Ok(None) => {}
            Ok(Some(difference)) => wrong.push(format!("{name}: {difference}")),
            Err(error) => wrong.push(format!("{name}: {error:#}")),
        }
    }
    ensure!(wrong.is_empty(), "{} cases differ\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}
