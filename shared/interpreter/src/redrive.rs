//! What is kept of an execution that ends without success, and how a redrive goes on with it.
//!
//! While a failure unwinds, each thread that it ends or changes is set aside as it was before. A Retrier or Catcher that takes
//! the failure drops them; the end of the execution keeps them, beside the threads that the failure never reached. A stop and
//! a timeout keep what there is. Then a redrive has what it needs: finished threads with their outputs, fan-outs with their
//! counts, and states that were entered and not left, whose work begins anew.
//!
//! AWS: a state is not entered again by a redrive, and no fan-out or iteration is started again (captured in 2026).

use std::collections::BTreeMap;

use asl::{Kind, StateId};

use crate::failure::DATA_LIMIT_EXCEEDED;
use crate::run::{Outcome, Run};
use crate::{Closing, Detail, Frame, Iterations, Payload, Phase, Redriven, ThreadPath, Timestamp, states};

/// A thread as it was before the failure that unwinds.
pub(crate) struct SetAside {
    frame: Frame<Payload>,
    /// It had changed in this step already.
    changed: bool,
}

/// The threads that a failure has ended or changed on its way outwards.
pub(crate) type AllSetAside = BTreeMap<ThreadPath, SetAside>;

impl Run<'_> {
    /// A thread's state failed: a redrive begins its work anew, but for a Map whose iterations are under way, which goes on.
    pub fn set_aside_failed(&mut self, path: &ThreadPath) {
        let Some(frame) = self.snapshot.frame(path).cloned() else { return };
        let under_way = match &frame.phase {
            Phase::Map(Iterations { done, total, next, .. }) if done < total => {
                next.checked_sub(1).is_none_or(|last| self.snapshot.frame(&path.child(last)).is_some())
            }
            Phase::Ready | Phase::Waiting { .. } | Phase::Retrying { .. } | Phase::Task(_) => false,
            Phase::Parallel { .. } | Phase::Map(_) | Phase::Finished { .. } => false,
        };
        let frame = if under_way { frame } else { frame.reentered(self.moment.now) };
        self.changed.insert(path.clone());
        self.set_aside(path, frame);
    }

    /// A thread is about to be ended or changed by another's failure. The first look at it counts.
    pub fn set_aside(&mut self, path: &ThreadPath, frame: Frame<Payload>) {
        if !self.aside.contains_key(path) {
            let changed = self.changed.contains(path);
            self.aside.insert(path.clone(), SetAside { frame, changed });
        }
    }

    /// A Retrier or Catcher took the failure.
    pub fn drop_set_aside(&mut self) {
        self.aside.clear();
    }

    /// The threads that a redrive of the execution that ends now goes on with. From here on `changed` is about them.
    pub fn kept_for_redrive(&mut self, closing: &Closing<Payload>) -> BTreeMap<ThreadPath, Frame<Payload>> {
        let aside = std::mem::take(&mut self.aside);
        let failure = match closing {
            Closing::Succeeded { .. } => None,
            Closing::Failed(failure) | Closing::Aborted(failure) | Closing::TimedOut(failure) => Some(failure),
        };
        let Some(failure) = failure.filter(|_| !self.is_beyond_redrive()) else {
            self.changed.clear();
            return BTreeMap::new();
        };
        let mut kept = self.snapshot.take_all();
        for (path, SetAside { frame, changed }) in aside {
            if changed {
                self.changed.insert(path.clone());
            } else {
                self.changed.remove(&path);
            }
            kept.insert(path, frame);
        }
        // AWS: a Parallel or a Map that fails because its data are too large is run anew as a whole (documented).
        if failure.error.as_deref() == Some(DATA_LIMIT_EXCEEDED) {
            let root = kept.remove(&ThreadPath::root()).map(|root| root.reentered(self.moment.now));
            self.changed.extend(kept.into_keys());
            self.changed.insert(ThreadPath::root());
            return root.map(|root| (ThreadPath::root(), root)).into_iter().collect();
        }
        kept
    }

    /// Goes on with a closed execution, if anything was kept for that.
    pub fn reopen(&mut self) {
        let Some(kept) = self.snapshot.reopen(self.machine, self.moment.now) else { return };
        let (terminal, now) = (self.snapshot.last_event, self.moment.now);
        let count = self.snapshot.redriven.map_or(0, |before| before.count).saturating_add(1);
        let event = self.emit(terminal, Detail::ExecutionRedriven { count: u64::from(count) });
        self.snapshot.redriven = Some(Redriven { count, at: now, event });
        let mut maps = Vec::new();
        for (path, frame) in kept {
            match &frame.phase {
                Phase::Ready => self.make_ready(&path),
                Phase::Map(_) => maps.push(path.clone()),
                Phase::Waiting { .. } | Phase::Retrying { .. } | Phase::Task(_) => {}
                Phase::Parallel { .. } | Phase::Finished { .. } => {}
            }
            self.put(&path, frame.resumed(now));
        }
        for path in maps {
            self.go_on_with_map(&path);
        }
    }

    /// Starts iterations that there is room for: those behind one whose input could not be made.
    fn go_on_with_map(&mut self, path: &ThreadPath) {
        let id = self.snapshot.frame(path).map(|frame| frame.state);
        let Some(state) = id.and_then(|id| self.machine.state(StateId(id)).cloned()) else { return };
        let outcome = match &state.kind {
            Kind::Map(map) => states::map::go_on(self, path, &state, map),
            Kind::Task(_) | Kind::Parallel(_) | Kind::Pass(_) | Kind::Wait(_) => Outcome::Done,
            Kind::Choice(_) | Kind::Succeed | Kind::Fail(_) => Outcome::Done,
        };
        self.follow(path, &state, outcome);
    }

    /// The event that the failure of a thread follows.
    ///
    /// AWS: where the state was entered before the redrive and nothing was recorded of it since, the failure follows
    /// ExecutionRedriven (captured for a Fail state at the top; unverified elsewhere).
    pub fn event_before_failure(&self, path: &ThreadPath) -> u64 {
        let Some(frame) = self.snapshot.frame(path) else { return 0 };
        match self.snapshot.redriven {
            Some(redriven) if frame.last_event == frame.entered => frame.last_event.max(redriven.event),
            Some(_) | None => frame.last_event,
        }
    }
}

impl<P> Frame<P> {
    /// The thread at the beginning of its state's work: the state was entered, and nothing was done in it.
    fn reentered(self, now: Timestamp) -> Frame<P> {
        let last_event = self.entered;
        Frame { last_event, retries: Vec::new(), phase: Phase::Retrying { until: now }, ..self }
    }

    /// The thread as it goes on after a redrive.
    fn resumed(self, now: Timestamp) -> Frame<P> {
        match &self.phase {
            Phase::Ready | Phase::Finished { .. } => self,
            // AWS: Retriers count anew (documented).
            Phase::Parallel { .. } | Phase::Map(_) => Frame { retries: Vec::new(), ..self },
            Phase::Waiting { .. } | Phase::Retrying { .. } | Phase::Task(_) => self.reentered(now),
        }
    }
}
