//! Retry and Catch: the way of a failure, from the state that failed outwards.

use std::sync::Arc;

use asl::{Catcher, Jitter, MOST_SECONDS, Retrier, State, StateId, Transition};

use crate::data::{Exit, HandedOn};
use crate::evaluation::EvaluationInputs;
use crate::failure::{BRANCH_FAILED, HEARTBEAT_TIMEOUT, Handling, Raised, TIMEOUT, Unrecorded};
use crate::run::{Run, type_of};
use crate::{Detail, Payload, Phase, StateType, ThreadPath};

/// Characters of a field's name in an event, as the API has it.
const LONGEST_LOCATION: usize = 256;

impl Run<'_> {
    /// A thread's state failed: its Retriers and Catchers, then those of the states around it.
    pub fn raise(&mut self, path: &ThreadPath, mut raised: Raised) {
        let Some(state) = self.current_state(path) else { return };
        self.set_aside_failed(path);
        let evaluated = self.note_evaluation(path, &mut raised);
        if raised.handling == Handling::Never {
            return self.fail_thread(path, raised);
        }
        // The ItemSelector of a later iteration may fail while earlier ones run.
        self.abort_inside(path, &state, self.last_event(path));
        if self.retry(path, &state, &raised) {
            return;
        }
        if evaluated {
            // AWS: recorded for a Map; unverified for a Parallel.
            self.note_failed_fan_out(path, &state);
        }
        if !self.catch(path, &state, &raised) {
            self.fail_thread(path, raised);
        }
    }

    /// Records an evaluation that failed, if this is one that history does not have; false when it is none.
    fn note_evaluation(&mut self, path: &ThreadPath, raised: &mut Raised) -> bool {
        let Some(Unrecorded { state, field }) = raised.unrecorded.take() else { return false };
        let location = field.map(|field| field.chars().take(LONGEST_LOCATION).collect());
        let failure = raised.failure.clone();
        // AWS: it follows the Entered event, captured in 2026; recordings up to 2024-11 have the event before that.
        self.emit_on(path, Detail::EvaluationFailed { state, location, failure });
        true
    }

    /// A state failed because a thread inside it did.
    pub fn raise_from_inside(&mut self, path: &ThreadPath, mut raised: Raised) {
        let Some(state) = self.current_state(path) else { return };
        raised.from_branch = type_of(&state) == StateType::Parallel;
        if self.retry(path, &state, &raised) {
            return;
        }
        self.note_failed_fan_out(path, &state);
        if !self.catch(path, &state, &raised) {
            self.fail_thread(path, raised);
        }
    }

    fn current_state(&self, path: &ThreadPath) -> Option<Arc<State>> {
        let frame = self.snapshot.frame(path)?;
        self.machine.state(StateId(frame.state)).cloned()
    }

    /// Takes the first Retrier that matches, if it has attempts left. AWS: later ones are not asked.
    fn retry(&mut self, path: &ThreadPath, state: &State, raised: &Raised) -> bool {
        let Some(at) = state.retry.iter().position(|retrier| matches(&retrier.error_equals, raised)) else {
            return false;
        };
        let Some(retrier) = state.retry.get(at) else { return false };
        let used = match &self.probe {
            None => self.snapshot.frame(path).and_then(|frame| frame.retries.get(at)).copied().unwrap_or(0),
            Some(probe) => probe.retries(),
        };
        self.note_retrier(at);
        if used >= retrier.max_attempts {
            return false;
        }
        self.drop_set_aside();
        let delay = self.delay(retrier, used);
        if self.probe.is_some() {
            self.end_test_with_retry(delay, &raised.failure);
            return true;
        }
        let until = self.moment.now.plus_millis(delay);
        let retriers = state.retry.len();
        self.new_wait(path);
        self.change(path, |frame| {
            frame.retries.resize(retriers, 0);
            if let Some(count) = frame.retries.get_mut(at) {
                *count += 1;
            }
            frame.phase = Phase::Retrying { until };
        });
        true
    }

    /// Interval × rate^n, at most MaxDelaySeconds, in milliseconds; with full jitter anything from 0 to that. An installation
    /// may wait a share of it.
    fn delay(&self, retrier: &Retrier, used: u64) -> i64 {
        let power = i32::try_from(used).unwrap_or(i32::MAX);
        let seconds = retrier.interval_seconds as f64 * retrier.backoff_rate.powi(power);
        let longest = retrier.max_delay_seconds.unwrap_or(MOST_SECONDS) as f64;
        let share = match retrier.jitter {
            Jitter::None => 1.0,
            Jitter::Full => self.chance.unit(),
        };
        let scale = self.snapshot.execution.limits.retry_millionths as f64 / 1_000_000.0;
        (seconds.min(longest).max(0.0) * share * scale * 1000.0).round() as i64
    }

    fn catch(&mut self, path: &ThreadPath, state: &Arc<State>, raised: &Raised) -> bool {
        let mut catchers = state.catch.iter().enumerate();
        let Some((index, catcher)) = catchers.find(|(_, catcher)| matches(&catcher.error_equals, raised)) else {
            return false;
        };
        if self.stop_if_deleted(path) {
            return true;
        }
        self.drop_set_aside();
        self.note_catcher(index, &raised.failure);
        let caught = self.caught(path, state, index, catcher, raised);
        let next = Transition::Next(catcher.next);
        if let Err(mut worse) = caught.and_then(|handed_on| self.hand_on(path, state, handed_on, next)) {
            // AWS: unverified that no other Catcher is asked.
            self.set_aside_failed(path);
            self.note_evaluation(path, &mut worse);
            self.fail_thread(path, worse);
        }
        true
    }

    fn caught(
        &self,
        path: &ThreadPath,
        state: &State,
        index: usize,
        catcher: &Catcher,
        raised: &Raised,
    ) -> Result<HandedOn, Raised> {
        let error_output = Payload::from_value(raised.failure.error_output());
        let inputs =
            EvaluationInputs { error_output: Some(error_output.value()), ..EvaluationInputs::of(error_output.value()) };
        self.shape(path, state, &Exit::by_catcher(index, catcher), inputs, &error_output)
    }
}

/// Whether a list of ErrorEquals covers a failure.
fn matches(names: &[String], raised: &Raised) -> bool {
    let error = raised.failure.error.as_deref();
    let heartbeat = match raised.handling {
        Handling::Never => return false,
        Handling::Heartbeat => true,
        Handling::ByName => false,
    };
    names.iter().any(|name| match name.as_str() {
        "States.ALL" => true,
        "States.TaskFailed" => error != Some(TIMEOUT),
        // AWS: documented as "a branch of a Parallel state failed"; unverified that it matches whatever the branch's error is.
        BRANCH_FAILED => raised.from_branch || error == Some(BRANCH_FAILED),
        HEARTBEAT_TIMEOUT => heartbeat || error == Some(HEARTBEAT_TIMEOUT),
        own => error == Some(own),
    })
}
