//! Permits that state machines share fairly.
//!
//! A machine may take a permit while it holds fewer than [`GREED`] times those that are free. So one that is alone gets
//! nearly all of them, several that want everything get the same each, and there is always one left for a machine that holds
//! none, however long the others keep theirs. Those that wait for a permit queue by machine, and machines take turns.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::{Semaphore, oneshot};

use crate::Guarded;

/// How many times the free permits a machine may hold. Of a thousand, one machine gets 938, each of ten gets 99.
const GREED: usize = 15;

/// A bounded number of permits.
pub(crate) struct Pool {
    all: usize,
    state: Guarded<State>,
}

/// What is held, and who waits. No machine waits that may take one.
struct State {
    free: usize,
    /// By machine; those that hold none are not there.
    held: HashMap<Arc<str>, usize>,
    /// By machine; those of which none waits are not there.
    waiting: HashMap<Arc<str>, VecDeque<oneshot::Sender<Permit>>>,
    /// The machines that wait, the next one first.
    turns: VecDeque<Arc<str>>,
}

/// Permits of one machine. Dropping this gives them back.
pub(crate) struct Permit {
    pool: Arc<Pool>,
    machine: Arc<str>,
    count: usize,
}

/// A place among those that wait for a permit; it ends with the permit. Dropping it gives the place up.
pub(crate) struct Turn(oneshot::Receiver<Permit>);

impl Pool {
    pub fn new(all: usize) -> Arc<Pool> {
        // So that no sum of permits overflows.
        let all = all.min(Semaphore::MAX_PERMITS / GREED);
        let (held, waiting, turns) = (HashMap::new(), HashMap::new(), VecDeque::new());
        Arc::new(Pool { all, state: Guarded::new(State { free: all, held, waiting, turns }) })
    }

    pub fn all(&self) -> usize {
        self.all
    }

    pub fn taken(&self) -> usize {
        self.all.saturating_sub(self.state.lock().free)
    }

    /// True when the machine may take one.
    pub fn has_room(&self, machine: &str) -> bool {
        self.state.lock().allows(machine, 1)
    }

    /// So many permits, if the machine may take them.
    pub fn try_take(self: &Arc<Self>, machine: &str, count: usize) -> Option<Permit> {
        let mut state = self.state.lock();
        state.allows(machine, count).then(|| self.take(&mut state, machine, count))
    }

    /// Waits for one permit behind what waits already.
    pub fn turn(self: &Arc<Self>, machine: &str) -> Turn {
        let (given, turn) = oneshot::channel();
        let mut state = self.state.lock();
        if state.allows(machine, 1) {
            let _receiver_is_here = given.send(self.take(&mut state, machine, 1));
        } else {
            state.wait(machine, given);
        }
        Turn(turn)
    }

    fn take(self: &Arc<Self>, state: &mut State, machine: &str, count: usize) -> Permit {
        let machine = state.hold(machine, count);
        Permit { pool: self.clone(), machine, count }
    }

    fn give_back(self: &Arc<Self>, machine: &str, count: usize) {
        let mut granted = Vec::new();
        let mut state = self.state.lock();
        state.release(machine, count);
        while let Some((machine, waiting)) = state.next_turn() {
            granted.push((waiting, self.take(&mut state, &machine, 1)));
        }
        drop(state);
        for (waiting, permit) in granted {
            // Given up in this very moment: the permit comes back here.
            let _given_up = waiting.send(permit);
        }
    }
}

/// The state machine that an execution is of, by its ARN.
pub(crate) fn machine_of(execution: &str) -> &str {
    execution.split(':').nth(6).unwrap_or(execution)
}

impl State {
    fn allows(&self, machine: &str, count: usize) -> bool {
        let held = self.held.get(machine).copied().unwrap_or(0);
        count <= self.free && held < self.free.saturating_mul(GREED)
    }

    fn hold(&mut self, machine: &str, count: usize) -> Arc<str> {
        self.free = self.free.saturating_sub(count);
        let machine =
            self.held.get_key_value(machine).map_or_else(|| Arc::from(machine), |(machine, _)| machine.clone());
        let held = self.held.entry(machine.clone()).or_default();
        *held = held.saturating_add(count);
        machine
    }

    fn release(&mut self, machine: &str, count: usize) {
        self.free = self.free.saturating_add(count);
        let Some(held) = self.held.get_mut(machine) else { return };
        *held = held.saturating_sub(count);
        if *held == 0 {
            self.held.remove(machine);
        }
    }

    fn wait(&mut self, machine: &str, given: oneshot::Sender<Permit>) {
        if let Some(waiting) = self.waiting.get_mut(machine) {
            return waiting.push_back(given);
        }
        let machine: Arc<str> = Arc::from(machine);
        self.turns.push_back(machine.clone());
        self.waiting.insert(machine, VecDeque::from([given]));
    }

    /// The next that may take a permit; its machine's next turn is behind those of the others.
    fn next_turn(&mut self) -> Option<(Arc<str>, oneshot::Sender<Permit>)> {
        let mut looked_at = 0;
        while looked_at < self.turns.len() {
            let machine = self.turns.pop_front()?;
            let waiting = self.waiting.get_mut(&machine)?;
            while waiting.front().is_some_and(oneshot::Sender::is_closed) {
                waiting.pop_front();
            }
            if waiting.is_empty() {
                self.waiting.remove(&machine);
                continue;
            }
            self.turns.push_back(machine.clone());
            if !self.allows(&machine, 1) {
                looked_at += 1;
                continue;
            }
            let given = self.waiting.get_mut(&machine)?.pop_front()?;
            return Some((machine, given));
        }
        None
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.pool.give_back(&self.machine, self.count);
    }
}

impl Future for Turn {
    /// `None` does not come: the pool lives as long as what waits for it.
    type Output = Option<Permit>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Permit>> {
        Pin::new(&mut self.0).poll(context).map(Result::ok)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn all_of(pool: &Arc<Pool>, machine: &str) -> Vec<Permit> {
        std::iter::from_fn(|| pool.try_take(machine, 1)).collect()
    }

    #[test]
    fn a_machine_that_takes_all_it_can_leaves_some_to_each_other() {
        for (all, first, second) in [(1, 1, 0), (2, 2, 0), (16, 15, 1), (1_000, 938, 59), (10_000, 9_375, 586)] {
            let pool = Pool::new(all);
            let greedy = all_of(&pool, "greedy");
            assert_eq!(greedy.len(), first, "of {all}");
            let other = all_of(&pool, "other");
            assert_eq!(other.len(), second, "of {all}");
            assert_eq!(pool.taken(), first + second);
            drop((greedy, other));
            assert_eq!((pool.taken(), pool.state.lock().held.len()), (0, 0), "of {all}");
        }
    }

    #[test]
    fn machines_that_want_everything_get_the_same_in_the_end() {
        let pool = Pool::new(1_000);
        let mut held: HashMap<String, VecDeque<Permit>> = HashMap::new();
        let machines: Vec<String> = (0..10).map(|number| format!("m{number}")).collect();
        for machine in &machines {
            held.insert(machine.clone(), all_of(&pool, machine).into());
        }
        let mut turns: Vec<(&str, Turn)> = Vec::new();
        for machine in &machines {
            turns.extend((0..1_000).map(|_| (machine.as_str(), pool.turn(machine))));
        }
        // Each call ends in its time, the longest first.
        for _ in 0..3_000 {
            if let Some(most) = held.values_mut().max_by_key(|permits| permits.len()) {
                most.pop_front();
            }
            turns.retain_mut(|(machine, turn)| match turn.now_or_never().flatten() {
                Some(permit) => {
                    held.get_mut(*machine).expect("is one of them").push_back(permit);
                    false
                }
                None => true,
            });
        }
        let counts: Vec<usize> = held.values().map(VecDeque::len).collect();
        assert!(counts.iter().all(|count| (90..=105).contains(count)), "{counts:?}");
    }

    #[test]
    fn machines_take_turns_however_many_of_each_wait() {
        let pool = Pool::new(1);
        let mut held = pool.try_take("busy", 1);
        let mut turns: Vec<(&str, Turn)> = (0..100).map(|_| ("busy", pool.turn("busy"))).collect();
        turns.extend(["one", "two"].map(|machine| (machine, pool.turn(machine))));
        let mut order = Vec::new();
        while held.take().is_some() {
            let mut next = None;
            turns.retain_mut(|(machine, turn)| match turn.now_or_never().flatten() {
                Some(permit) => {
                    order.push(*machine);
                    next = Some(permit);
                    false
                }
                None => true,
            });
            held = next;
        }
        assert_eq!((order.len(), &order[..4]), (102, &["busy", "one", "two", "busy"][..]));
    }

    #[test]
    fn an_execution_is_of_the_state_machine_in_its_arn() {
        for arn in [
            "arn:aws:states:us-east-1:123456789012:execution:m:one",
            "arn:aws:states:us-east-1:123456789012:express:m:one:2",
        ] {
            assert_eq!(machine_of(arn), "m");
        }
        assert_eq!(machine_of("something else"), "something else");
    }

    #[test]
    fn a_turn_that_is_given_up_costs_no_permit() {
        let pool = Pool::new(1);
        let held = pool.try_take("m", 1);
        let (first, second, third) = (pool.turn("m"), pool.turn("m"), pool.turn("m"));
        drop(second);
        drop(held);
        assert!(pool.try_take("m", 1).is_none(), "it is the first one's");
        drop(first);
        assert!(third.now_or_never().flatten().is_some());
        let state = pool.state.lock();
        assert_eq!((state.free, state.waiting.len(), state.turns.len()), (1, 0, 0));
    }
}
