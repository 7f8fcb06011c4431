//! Task: one attempt at a time, made outside; here is what is recorded of it and what an answer leads to.
//!
//! A task of an activity is queued where others are called: a worker of the activity leases it, and its time runs from
//! then on. What follows is as with any task token.

use asl::{Integration, MOST_SECONDS, Pattern, Resource, State, Task, ValueSource};
use expressions::json::DEEPEST;
use expressions::{Path, Scope};
use serde_json::Value;

use super::or_raise;
use crate::data::{arguments_field, read};
use crate::evaluation::{Evaluation, EvaluationInputs, TypeMismatch};
use crate::failure::{DATA_LIMIT_EXCEEDED, EvaluationFailure, Handling, Raised, TIMEOUT, too_deep, too_large};
use crate::run::{Outcome, Run};
use crate::{
    ActivityTarget, Answer, Attempt, Call, Detail, Failure, Payload, Phase, TaskResource, ThreadPath, Timestamp, Wait,
    numbers,
};

/// The cause recorded for an attempt whose worker is gone.
const LOST: &str = "The worker performing this attempt was lost; whether the task ran is unknown.";

/// Schedules an attempt: the first, or another by a Retrier.
pub(crate) fn enter(run: &mut Run<'_>, path: &ThreadPath, state: &State, task: &Task) -> Outcome {
    let performed = or_raise!(performed(run, path, state, &task.resource));
    let wait = run.new_wait(path);
    let token = gets_token(&task.resource).then(|| (run.moment.token)(&wait));
    let input = or_raise!(run.effective_input(path, state));
    let inputs = EvaluationInputs { token: token.as_deref(), ..EvaluationInputs::of(input.value()) };
    let attempt = or_raise!(run.evaluate(path, inputs, |look| attempt(look, state, task, &input)));
    let attempt = Attempt { call: performed, ..attempt };
    run.note(path, |seen| seen.arguments(state, &attempt.arguments));
    or_raise!(check_size(run, state, &attempt.arguments));
    run.emit_on(path, scheduled(run, &task.resource, &attempt));
    if let Some(answer) = run.mock_answer() {
        return settle(run, path, task, answer);
    }
    Outcome::Wait(Phase::Task(attempt))
}

/// `owner` begins the call. It was recorded as started if another had claimed it before and never began it.
pub(crate) fn claimed(
    run: &mut Run<'_>,
    wait: &Wait,
    task: &Task,
    attempt: &Attempt<Payload>,
    begins: Timestamp,
    (owner, lease): (String, Timestamp),
) {
    if attempt.job.is_some() {
        // A poll: the attempt began with the call that started its job.
        return change_attempt(run, wait, |attempt| attempt.call = Call::Claimed { owner, lease, released: false });
    }
    if attempt.call == Call::Unclaimed {
        run.emit_on(&wait.path, started(&task.resource));
    }
    change_attempt(run, wait, |attempt| {
        attempt.call = Call::Claimed { owner, lease, released: false };
        attempt.deadline = attempt.timeout.map(|seconds| begins.plus_seconds(seconds));
        // AWS: a heartbeat is expected of tasks whose client has a task token to send one with.
        let beats = attempt.heartbeat.filter(|_| task.resource.takes_token());
        attempt.beat = beats.map(|seconds| begins.plus_seconds(seconds));
    });
}

/// A worker of the activity takes the task.
///
/// AWS: both clocks start now, not when the task was scheduled (captured in 2026).
pub(crate) fn leased(run: &mut Run<'_>, wait: &Wait, attempt: &Attempt<Payload>, worker: Option<String>) {
    run.emit_on(&wait.path, Detail::ActivityStarted { worker });
    let after = |seconds: Option<u64>| seconds.map(|seconds| run.moment.now.plus_seconds(seconds));
    let (deadline, beat) = (after(attempt.timeout), after(attempt.heartbeat));
    change_attempt(run, wait, |attempt| {
        (attempt.call, attempt.deadline, attempt.beat) = (Call::Leased, deadline, beat);
    });
}

/// The call that was claimed is not begun: no time runs until it is claimed again.
pub(crate) fn released(run: &mut Run<'_>, wait: &Wait) {
    change_attempt(run, wait, |attempt| {
        if attempt.job.is_some() {
            attempt.call = Call::Unclaimed;
            return;
        }
        if let Call::Claimed { released, .. } = &mut attempt.call {
            *released = true;
        }
        (attempt.deadline, attempt.beat) = (None, None);
    });
}

/// The call goes on, and a clock was set. The time of a task token or a job goes by the wall clock, as its client does. A
/// lease is renewed to a later end only, so the same word said again changes nothing.
pub(crate) fn renewed(run: &mut Run<'_>, wait: &Wait, task: &Task, until: Timestamp, later_ms: i64) {
    change_attempt(run, wait, |attempt| {
        match &mut attempt.call {
            Call::Claimed { lease, .. } if *lease < until => *lease = until,
            _ => return,
        }
        if !task.resource.takes_token() && !task.resource.is_job() {
            attempt.deadline = attempt.deadline.map(|deadline| deadline.plus_millis(later_ms));
        }
    });
}

/// The call returned.
pub(crate) fn returned(run: &mut Run<'_>, wait: &Wait, task: &Task, answer: Answer<Payload>) -> Outcome {
    let answer = readable(&task.resource, answer);
    let polls = run.snapshot.attempt(wait).is_some_and(|(_, attempt)| attempt.job.is_some());
    let Resource::Integration(on) = &task.resource else { return settle(run, &wait.path, task, answer) };
    if polls || on.pattern == Pattern::RequestResponse {
        return settle(run, &wait.path, task, answer);
    }
    let mut parked = None;
    change_attempt(run, wait, |attempt| parked = attempt.parked.take());
    match (answer, parked) {
        (Answer::Succeeded { output }, parked) => {
            run.emit_on(&wait.path, Detail::TaskSubmitted { on: events_of(on), output });
            change_attempt(run, wait, |attempt| attempt.call = Call::Returned);
            parked.map_or(Outcome::Done, |answer| settle(run, &wait.path, task, answer))
        }
        // The token was used before the call failed: what was acknowledged counts.
        (Answer::Failed(_), Some(parked)) => settle(run, &wait.path, task, parked),
        (Answer::Failed(failure), None) => settle(run, &wait.path, task, Answer::Failed(failure)),
    }
}

/// SendTaskSuccess or SendTaskFailure. One that overtakes the call's return is parked.
pub(crate) fn answered(
    run: &mut Run<'_>,
    wait: &Wait,
    task: &Task,
    attempt: &Attempt<Payload>,
    answer: Answer<Payload>,
) -> Outcome {
    if !task.resource.takes_token() || attempt.parked.is_some() {
        return Outcome::Done;
    }
    let answer = readable(&task.resource, answer);
    match attempt.call {
        Call::Returned | Call::Leased => settle(run, &wait.path, task, answer),
        // No worker has its token.
        Call::Queued => Outcome::Done,
        // A poll is under way, or could be.
        Call::Unclaimed | Call::Claimed { .. } if attempt.job.is_some() => settle(run, &wait.path, task, answer),
        Call::Unclaimed | Call::Claimed { .. } => {
            if let Answer::Succeeded { output } = &answer {
                run.bytes += output.bytes();
            }
            change_attempt(run, wait, |attempt| attempt.parked = Some(answer));
            Outcome::Done
        }
    }
}

/// The next heartbeat is expected that long after this one. One that is older than another changes nothing.
pub(crate) fn heartbeat(run: &mut Run<'_>, wait: &Wait, attempt: &Attempt<Payload>, at: Timestamp) {
    let next = attempt.heartbeat.map(|seconds| at.plus_seconds(seconds));
    if attempt.beat.is_some() && next > attempt.beat {
        change_attempt(run, wait, |attempt| attempt.beat = next);
    }
}

/// The worker that made the call is gone.
pub(crate) fn lost(run: &mut Run<'_>, wait: &Wait, task: &Task, attempt: &Attempt<Payload>) -> Outcome {
    if let Some(parked) = attempt.parked.clone() {
        return settle(run, &wait.path, task, parked);
    }
    if attempt.job.is_some() {
        super::job::poll_again(run, wait);
        return Outcome::Done;
    }
    if task.resource.is_repeatable() {
        released(run, wait);
        return Outcome::Done;
    }
    settle(run, &wait.path, task, Answer::Failed(client_failure(&task.resource, LOST)))
}

/// Something of the attempt is due: its timeout, its heartbeat, or the end of a lease without an answer.
pub(crate) fn overdue(run: &mut Run<'_>, path: &ThreadPath, task: &Task, attempt: &Attempt<Payload>) -> Outcome {
    if let Some(parked) = attempt.parked.clone() {
        // The answer was in time and acknowledged; only the call has not returned.
        return settle(run, path, task, parked);
    }
    let now = run.moment.now;
    let passed = |time: Option<Timestamp>| time.is_some_and(|time| time <= now);
    if passed(attempt.deadline) {
        return timed_out(run, path, task, Handling::ByName);
    }
    if passed(attempt.beat) {
        return timed_out(run, path, task, Handling::Heartbeat);
    }
    let attempt_id = run.snapshot.frame(path).map_or(0, |frame| frame.attempt_id);
    let wait = Wait { path: path.clone(), attempt_id };
    if attempt.call == Call::Returned && attempt.job.is_some() {
        super::job::poll_again(run, &wait);
        return Outcome::Done;
    }
    lost(run, &wait, task, attempt)
}

/// AWS: a timeout has a name and no cause.
fn timed_out(run: &mut Run<'_>, path: &ThreadPath, task: &Task, handling: Handling) -> Outcome {
    let failure = Failure::named(TIMEOUT);
    run.cancel_job(path);
    give_up_job(run, path, task);
    let detail = match &task.resource {
        Resource::Integration(on) => Detail::TaskTimedOut { on: events_of(on), failure: failure.clone() },
        Resource::Activity { .. } => Detail::ActivityTimedOut(failure.clone()),
        Resource::Lambda { .. } => Detail::LambdaFunctionTimedOut(failure.clone()),
    };
    run.emit_on(path, detail);
    Outcome::Raise(Raised::new(failure, handling))
}

/// Nothing is outside for the attempt any more.
fn give_up_job(run: &mut Run<'_>, path: &ThreadPath, task: &Task) {
    if task.resource.is_job() {
        run.change(path, |frame| {
            if let Phase::Task(attempt) = &mut frame.phase {
                (attempt.job, attempt.call) = (None, Call::Returned);
            }
        });
    }
}

/// Records the attempt's result and goes on with it.
pub(super) fn settle(run: &mut Run<'_>, path: &ThreadPath, task: &Task, answer: Answer<Payload>) -> Outcome {
    give_up_job(run, path, task);
    let failure = match answer {
        Answer::Succeeded { output } if output.bytes() <= run.snapshot.execution.limits.payload_bytes => {
            run.emit_on(path, succeeded(&task.resource, output.clone()));
            run.note(path, |seen| seen.result(&output));
            return Outcome::Leave { result: output, then: task.transition };
        }
        Answer::Succeeded { .. } => Failure::new(DATA_LIMIT_EXCEEDED, too_large(size_name(&task.resource))),
        Answer::Failed(failure) => failure,
    };
    let detail = match &task.resource {
        Resource::Integration(on) => Detail::TaskFailed { on: events_of(on), failure: failure.clone() },
        Resource::Activity { .. } => Detail::ActivityFailed(failure.clone()),
        Resource::Lambda { .. } => Detail::LambdaFunctionFailed(failure.clone()),
    };
    run.emit_on(path, detail);
    Outcome::Raise(Raised::by_name(failure))
}

/// The answer, or a failure in place of an output that no later state could read.
pub(super) fn readable(resource: &Resource, answer: Answer<Payload>) -> Answer<Payload> {
    let Answer::Succeeded { output } = &answer else { return answer };
    if output.depth() > DEEPEST {
        return Answer::Failed(too_deep(size_name(resource)));
    }
    match output.parsed() {
        Ok(_) => answer,
        // AWS: unverified: the name is that of a call whose answer its client cannot read.
        Err(unreadable) => Answer::Failed(client_failure(resource, format!("The result is no JSON: {unreadable}"))),
    }
}

pub(super) fn change_attempt(run: &mut Run<'_>, wait: &Wait, change: impl FnOnce(&mut Attempt<Payload>)) {
    run.change(&wait.path, |frame| {
        if let Phase::Task(attempt) = &mut frame.phase {
            change(attempt);
        }
    });
}

// ---- what the definition says ----

fn attempt(
    look: &Evaluation<'_>,
    state: &State,
    task: &Task,
    input: &Payload,
) -> Result<Attempt<Payload>, EvaluationFailure> {
    let arguments = match &state.data.arguments {
        Some(template) => look.render(template, arguments_field(template))?,
        None => input.clone(),
    };
    startable(task, &arguments)?;
    let arguments = with_fixed(task, arguments);
    // Taken apart, so that the compiler asks about a field that is new.
    let Task { resource: _, timeout, heartbeat, credentials: _, transition: _ } = task;
    Ok(Attempt {
        arguments,
        timeout: seconds(look, timeout.as_ref(), "TimeoutSeconds")?,
        heartbeat: seconds(look, heartbeat.as_ref(), "HeartbeatSeconds")?,
        role: role(look, task)?,
        call: Call::Unclaimed,
        deadline: None,
        beat: None,
        parked: None,
        job: None,
    })
}

fn seconds(
    look: &Evaluation<'_>,
    source: Option<&ValueSource<u64>>,
    field: &str,
) -> Result<Option<u64>, EvaluationFailure> {
    let Some(source) = source else { return Ok(None) };
    let positive = |number: i64| u64::try_from(number).ok().filter(|seconds| *seconds > 0);
    let read = |at: &Path, scope: &Scope<'_>| {
        let value = read(at, scope)?;
        // AWS: unverified wording.
        numbers::integer(&value).and_then(positive).ok_or_else(|| {
            let (at, shown) = (at.text(), numbers::shown(&value));
            EvaluationFailure::runtime(format!(
                "The {field}Path parameter must reference a positive integer: {at} == {shown}"
            ))
        })
    };
    let take = |value: &Value| {
        let number = numbers::whole(value, field)?;
        // AWS: the wording is from another's tests against AWS, and so is that 0 is taken; unverified for a heartbeat.
        let cause = || TypeMismatch::Value(format!("{field} must be between 0 and {MOST_SECONDS} but was: {number}"));
        u64::try_from(number).ok().filter(|seconds| *seconds <= MOST_SECONDS).ok_or_else(cause)
    };
    look.resolve(source, field, read, take).map(Some)
}

fn role(look: &Evaluation<'_>, task: &Task) -> Result<Option<String>, EvaluationFailure> {
    let Some(template) = &task.credentials else { return Ok(None) };
    let credentials = look.render(template, "Credentials")?;
    Ok(credentials.value().get("RoleArn").and_then(Value::as_str).map(str::to_owned))
}

/// AWS: looked at before the task is scheduled.
fn startable(task: &Task, arguments: &Payload) -> Result<(), EvaluationFailure> {
    let refusal = match &task.resource {
        Resource::Integration(integration) => integration.refusal(arguments.value()),
        Resource::Lambda { .. } | Resource::Activity { .. } => None,
    };
    refusal.map_or(Ok(()), |cause| Err(EvaluationFailure::runtime(cause)))
}

/// The arguments with the one that the integration itself adds.
fn with_fixed(task: &Task, arguments: Payload) -> Payload {
    let Resource::Integration(on) = &task.resource else { return arguments };
    let Some((name, value)) = on.fixed_argument() else { return arguments };
    let mut value_of = arguments.value().clone();
    let Value::Object(members) = &mut value_of else { return arguments };
    members.insert(name.to_owned(), Value::from(value));
    Payload::from_value(value_of)
}

fn check_size(run: &Run<'_>, state: &State, arguments: &Payload) -> Result<(), Raised> {
    if arguments.bytes() <= run.snapshot.execution.limits.payload_bytes {
        return Ok(());
    }
    // AWS: unverified whether a Catcher sees this.
    let cause = format!(
        "The state/task '{}' provided parameters with a size exceeding the maximum number of bytes service limit.",
        state.name
    );
    Err(Raised::by_name(Failure::new(DATA_LIMIT_EXCEEDED, cause)))
}

/// How the attempt begins: called, or queued for the workers of its activity. An activity that does not exist fails the
/// state before anything else is looked at.
fn performed(run: &Run<'_>, path: &ThreadPath, state: &State, resource: &Resource) -> Result<Call, Raised> {
    let Resource::Activity { arn } = resource else { return Ok(Call::Unclaimed) };
    match (run.moment.activity)(arn, &state.name) {
        ActivityTarget::Workers => Ok(Call::Queued),
        ActivityTarget::Mock => Ok(Call::Unclaimed),
        ActivityTarget::Absent => run.evaluate(path, EvaluationInputs::of(&Value::Null), |_| {
            Err(EvaluationFailure::runtime(format!("The activity {arn} does not exist.")))
        }),
    }
}

/// True when the arguments may have the task token in them: a worker of an activity gets it with the task.
fn gets_token(resource: &Resource) -> bool {
    match resource {
        Resource::Integration(_) => resource.takes_token(),
        Resource::Lambda { .. } | Resource::Activity { .. } => false,
    }
}

/// How AWS names a task's result that is too large.
fn size_name(resource: &Resource) -> &str {
    match resource {
        Resource::Lambda { arn } | Resource::Activity { arn } => arn,
        Resource::Integration(on) => &on.service,
    }
}

/// A failure on this side of a service's API.
fn client_failure(resource: &Resource, cause: impl Into<String>) -> Failure {
    Failure::new(format!("{}.SdkClientException", service_name(resource)), cause)
}

/// The first part of a service's own error names.
fn service_name(resource: &Resource) -> String {
    match resource {
        Resource::Lambda { .. } => "Lambda".to_owned(),
        Resource::Activity { .. } => "Activity".to_owned(),
        Resource::Integration(on) => asl::error_prefix(&on.service),
    }
}

// ---- what is recorded ----

pub(super) fn events_of(on: &Integration) -> TaskResource {
    TaskResource { resource_type: on.service.clone(), resource: on.resource() }
}

fn scheduled(run: &Run<'_>, resource: &Resource, attempt: &Attempt<Payload>) -> Detail<Payload> {
    match resource {
        Resource::Activity { arn } => Detail::ActivityScheduled {
            resource: arn.clone(),
            input: attempt.arguments.clone(),
            timeout: attempt.timeout,
            heartbeat: attempt.heartbeat,
        },
        Resource::Lambda { arn } => Detail::LambdaFunctionScheduled {
            resource: arn.clone(),
            input: attempt.arguments.clone(),
            timeout: attempt.timeout,
            role: attempt.role.clone(),
        },
        Resource::Integration(on) => Detail::TaskScheduled {
            on: events_of(on),
            region: run.snapshot.execution.region.clone(),
            parameters: attempt.arguments.clone(),
            timeout: attempt.timeout,
            heartbeat: attempt.heartbeat,
            role: attempt.role.clone(),
        },
    }
}

fn started(resource: &Resource) -> Detail<Payload> {
    match resource {
        Resource::Activity { .. } => Detail::ActivityStarted { worker: None },
        Resource::Lambda { .. } => Detail::LambdaFunctionStarted,
        Resource::Integration(on) => Detail::TaskStarted(events_of(on)),
    }
}

fn succeeded(resource: &Resource, output: Payload) -> Detail<Payload> {
    match resource {
        Resource::Activity { .. } => Detail::ActivitySucceeded { output },
        Resource::Lambda { .. } => Detail::LambdaFunctionSucceeded { output },
        Resource::Integration(on) => Detail::TaskSucceeded { on: events_of(on), output },
    }
}
