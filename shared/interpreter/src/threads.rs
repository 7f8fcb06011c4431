//! Threads inside threads: branches of a Parallel, iterations of a Map; how they end, fail and are given up.

use std::sync::Arc;

use asl::{Kind, Map, Parallel, State, StateId, Transition};
use expressions::json::DEEPEST;

use crate::failure::{DATA_LIMIT_EXCEEDED, Handling, Raised, too_deep, too_large};
use crate::run::{Outcome, Run, type_of};
use crate::{Detail, Failure, Frame, Iteration, Iterations, Payload, Phase, StateType, ThreadPath, Wait, states};

/// Payloads of the largest size that the finished threads of one state may hold until they are joined. The joined result
/// has to fit one; a ResultSelector may make it fit, so AWS's own limit is unknown. This one bounds memory.
// AWS: unverified.
pub(crate) const HELD_PAYLOADS: usize = 256;

impl Run<'_> {
    /// A thread that starts at `state` with `input`, its first event following `last_event`.
    pub fn new_thread(&self, outer: &ThreadPath, state: StateId, input: Payload, last_event: u64) -> Frame<Payload> {
        Frame {
            state: state.0,
            input,
            last_event,
            entered: 0,
            entered_at: self.moment.now,
            retries: Vec::new(),
            attempt_id: 0,
            variables: self.snapshot.frame(outer).and_then(|frame| frame.variables.clone()),
            phase: Phase::Ready,
        }
    }

    /// A thread reached its end.
    pub fn end_thread(&mut self, path: &ThreadPath, output: Payload) {
        let Some((outer, index)) = path.parent() else {
            let previous = self.last_event(path);
            return self.end_by_itself(|run| run.succeed_execution(output, previous));
        };
        let last = self.last_event(path);
        let Some(state) = self.outer_state(&outer) else { return };
        if !self.hold_output(&outer, &output) {
            let failure = Failure::new(DATA_LIMIT_EXCEEDED, too_large(&state.name));
            return self.fail_thread(path, Raised::by_name(failure));
        }
        let output = output.unparsed();
        self.change(path, |frame| {
            // Its first input is not needed any more.
            frame.input = output.clone();
            frame.phase = Phase::Finished { output };
        });
        let outcome = match &state.kind {
            Kind::Parallel(parallel) => states::parallel::branch_done(self, &outer, &state, parallel, last),
            Kind::Map(map) => states::map::iteration_done(self, &outer, &state, map, index, last),
            Kind::Task(_) | Kind::Pass(_) | Kind::Wait(_) | Kind::Choice(_) | Kind::Succeed | Kind::Fail(_) => {
                self.broken("a thread lies inside a state that has none");
                Outcome::Done
            }
        };
        self.follow(&outer, &state, outcome);
    }

    /// Counts what finished threads hold for their join; false when that is more than a result could be many times over.
    fn hold_output(&mut self, outer: &ThreadPath, output: &Payload) -> bool {
        let most = self.snapshot.execution.limits.payload_bytes.saturating_mul(HELD_PAYLOADS) as u64;
        let (bytes, mut total) = (output.bytes() as u64, 0);
        self.change(outer, |frame| match &mut frame.phase {
            Phase::Parallel { held, .. } | Phase::Map(Iterations { held, .. }) => {
                *held = held.saturating_add(bytes);
                total = *held;
            }
            Phase::Ready | Phase::Waiting { .. } | Phase::Retrying { .. } => {}
            Phase::Task(_) | Phase::Finished { .. } => {}
        });
        total <= most
    }

    /// A thread failed for good: the execution does, or the state around it.
    ///
    /// AWS: a failure that cannot be caught ends the execution right there; no state around it is recorded as failed or
    /// aborted (captured for a Parallel; unverified for a Map).
    pub fn fail_thread(&mut self, path: &ThreadPath, raised: Raised) {
        let last = self.event_before_failure(path);
        self.set_aside_failed(path);
        let around = path.parent().filter(|_| raised.handling != Handling::Never);
        let Some((outer, index)) = around else {
            return self.end_by_itself(|run| run.fail_execution(raised.failure, last));
        };
        let Some(state) = self.outer_state(&outer) else { return };
        if let Some(frame) = self.snapshot.frame(&outer).cloned() {
            self.set_aside(&outer, frame);
        }
        match &state.kind {
            Kind::Map(_) => {
                let iteration = Iteration { name: state.name.to_string(), index };
                // AWS: the Map goes on from the event that failed, not from this one.
                self.emit(last, Detail::MapIterationFailed(iteration));
            }
            // AWS: the failing Task itself is recorded as aborted, too.
            Kind::Parallel(_) => self.abort_failed_task(path, last),
            Kind::Task(_) | Kind::Pass(_) | Kind::Wait(_) | Kind::Choice(_) | Kind::Succeed | Kind::Fail(_) => {}
        }
        self.remove(path);
        self.abort_inside(&outer, &state, last);
        self.change(&outer, |frame| frame.last_event = last);
        self.raise_from_inside(&outer, raised);
    }

    fn abort_failed_task(&mut self, path: &ThreadPath, last: u64) {
        let failed = self.snapshot.frame(path).map(|frame| frame.state).and_then(|id| self.machine.state(StateId(id)));
        if failed.is_some_and(|state| type_of(state) == StateType::Task) {
            self.emit(last, Detail::StateAborted { state: StateType::Task });
        }
    }

    /// Gives up every thread inside a state, innermost first, because of the event `failed`.
    pub fn abort_inside(&mut self, outer: &ThreadPath, outer_state: &State, failed: u64) {
        for path in self.snapshot.inside(outer).into_iter().rev() {
            let Some(frame) = self.snapshot.frame(&path).cloned() else { continue };
            if let Some(state) = self.machine.state(StateId(frame.state)).cloned() {
                // AWS: the abort of a task that waits for a client follows the failure of its sibling, not its own last
                // event (captured for activities in a Parallel).
                let waits = matches!(&state.kind, Kind::Task(task) if task.resource.takes_token());
                let cancelled = waits && type_of(outer_state) == StateType::Parallel;
                if cancelled && matches!(frame.phase, Phase::Task(_)) {
                    self.snapshot.cancel(Wait { path: path.clone(), attempt_id: frame.attempt_id });
                }
                let previous = if cancelled { failed } else { frame.last_event };
                self.note_abort((outer, outer_state), &path, &frame, &state, previous);
            }
            self.cancel_job(&path);
            self.set_aside(&path, frame);
            self.remove(&path);
        }
    }

    fn note_abort(
        &mut self,
        (outer, outer_state): (&ThreadPath, &State),
        path: &ThreadPath,
        frame: &Frame<Payload>,
        state: &State,
        previous: u64,
    ) {
        match frame.phase {
            Phase::Waiting { .. }
            | Phase::Retrying { .. }
            | Phase::Task(_)
            | Phase::Parallel { .. }
            | Phase::Map(_) => {
                self.emit(previous, Detail::StateAborted { state: type_of(state) });
            }
            Phase::Ready => {}
            Phase::Finished { .. } => return,
        }
        let around = path.parent().and_then(|(parent, index)| {
            let name = if parent == *outer { map_name(outer_state) } else { self.map_name_at(&parent) };
            name.map(|name| Iteration { name, index })
        });
        if let Some(iteration) = around {
            self.emit(frame.last_event, Detail::MapIterationAborted(iteration));
        }
    }

    fn map_name_at(&self, path: &ThreadPath) -> Option<String> {
        let frame = self.snapshot.frame(path)?;
        map_name(self.machine.state(StateId(frame.state))?)
    }

    /// `MapStateFailed`, `ParallelStateFailed`: the state ends because a thread inside it failed.
    pub fn note_failed_fan_out(&mut self, path: &ThreadPath, state: &State) {
        match &state.kind {
            Kind::Map(_) => _ = self.emit_on(path, Detail::MapStateFailed),
            Kind::Parallel(_) => _ = self.emit_on(path, Detail::ParallelStateFailed),
            Kind::Task(_) | Kind::Pass(_) | Kind::Wait(_) | Kind::Choice(_) | Kind::Succeed | Kind::Fail(_) => {}
        }
    }

    /// Leaves a state with the outputs of all threads inside it, in order; they end with it.
    pub fn join(&mut self, outer: &ThreadPath, state: &State, then: Transition) -> Outcome {
        let result = self.joined(outer);
        if result.depth() > DEEPEST {
            return Outcome::Raise(Raised::by_name(too_deep(&state.name)));
        }
        Outcome::Leave { result, then }
    }

    fn joined(&mut self, outer: &ThreadPath) -> Payload {
        let inside = self.snapshot.inside(outer);
        let outputs: Vec<Payload> = inside
            .iter()
            .filter_map(|path| match &self.snapshot.frame(path)?.phase {
                Phase::Finished { output } => Some(output.clone()),
                _ => None,
            })
            .collect();
        for path in &inside {
            self.remove(path);
        }
        Payload::array(outputs.iter())
    }

    fn outer_state(&mut self, path: &ThreadPath) -> Option<Arc<State>> {
        let id = self.snapshot.frame(path).map(|frame| frame.state);
        let state = id.and_then(|id| self.machine.state(StateId(id)).cloned());
        if state.is_none() {
            self.broken("a thread's surrounding state is gone");
        }
        state
    }
}

fn map_name(state: &State) -> Option<String> {
    match &state.kind {
        Kind::Map(Map { .. }) => Some(state.name.to_string()),
        Kind::Parallel(Parallel { .. }) => None,
        Kind::Task(_) | Kind::Pass(_) | Kind::Wait(_) | Kind::Choice(_) | Kind::Succeed | Kind::Fail(_) => None,
    }
}
