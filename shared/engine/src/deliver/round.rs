//! One round of an actor: fold what has arrived into steps, commit them, dispatch what they allow.

use interpreter::{Stimulus, Timestamp};

use super::actor::Actor;
use super::claim::Claim;
use super::inbox::Arrival;
use super::loaded::Committed;
use super::mailbox::{Command, Request};
use super::steps::{ClaimLimits, Steps};
use crate::ports::{Record, StoreError};

/// The outcome of a round.
pub(super) enum Rounded {
    /// For each request, whether it changed something; `None` when the round was full before its turn.
    Durable(Vec<Option<bool>>),
    /// Another writer was first; this is its entry.
    Taken(Box<Record>),
}

/// The result of folding.
struct Folded {
    steps: Steps,
    /// The time of the entry.
    at: Timestamp,
    /// How many completions are in the steps.
    completions: usize,
    /// As in [`Rounded::Durable`].
    counted: Vec<Option<bool>>,
    claims: Vec<Claim>,
}

impl Actor {
    /// Steps, claims and commits once, then begins the claimed calls.
    pub(super) async fn round(&mut self, requests: &[Request]) -> Result<Rounded, StoreError> {
        let now = self.now();
        self.collect_completions();
        let queued = self.queued_before(now);
        let Folded { steps, at, completions, counted, claims } = self.fold(requests, now).await?;
        if steps.changed_nothing() && self.loaded.sequence.is_some() {
            self.calls.cut_stale(&self.loaded.live.snapshot);
            self.unstarted.keep(Vec::new());
            self.inbox.completions_written(completions);
        } else {
            self.arm_before_commit(now).await?;
            let scheduled = self.scheduled(&steps, now);
            self.deliver.enqueue(scheduled).await?;
            self.unstarted.add(claims.iter().map(|claim| &claim.wait), now);
            match self.loaded.commit(&self.deliver, &steps, at).await? {
                Committed::Taken(winner) => return Ok(Rounded::Taken(winner)),
                Committed::Durable => self.inbox.completions_written(completions),
            }
            self.deliver.log(&self.loaded.head, &self.loaded.live.snapshot, &steps.events);
            self.withdraw_over(&queued);
            self.dispatch(claims).await;
        }
        self.holding.change(self.loaded.live.held_bytes());
        self.tidy_cells(now).await;
        Ok(Rounded::Durable(counted))
    }

    /// Applies what is known: claims that were not begun first, and leases that go on, then that the machine was deleted, then
    /// cells, then arrivals in time order, then what is due; at last claims what can be called.
    async fn fold(&mut self, requests: &[Request], now: Timestamp) -> Result<Folded, StoreError> {
        let mut steps = Steps::default();
        self.deliver.look_up_activities(&mut self.loaded.live, now).await?;
        let (permit, allowance) = (self.permit.take(), self.unstarted.allowance(now));
        for released in self.unstarted.release(&mut self.loaded.live, &self.deliver.owner) {
            let at = self.loaded.before_due(now);
            self.deliver.step(&mut self.loaded.live, released, at, &mut steps);
        }
        let (deployment, clock) = (self.deliver.deployment, self.deliver.world.clock.clone());
        for renewed in self.calls.renewals(&self.loaded.live.snapshot, &self.deliver.owner, &*clock, deployment) {
            let at = self.loaded.before_due(now);
            self.deliver.step(&mut self.loaded.live, renewed, at, &mut steps);
        }
        if self.is_machine_deleted(now).await? {
            let at = self.loaded.before_due(now);
            self.deliver.step(&mut self.loaded.live, Stimulus::MachineDeleted, at, &mut steps);
        }
        self.apply_cells(now, &mut steps).await?;
        let (completions, counted) = self.apply_in_time_order(requests, now, &mut steps);
        let full = steps.fill(self.deliver.commit_bytes);
        // Arrivals that a full one left behind may have happened before what is due by now: its time is that of its last step.
        let at = if full { steps.at } else { now };
        if self.loaded.sequence.is_some() && !full {
            self.deliver.step(&mut self.loaded.live, Stimulus::Tick, now, &mut steps);
        }
        let claims = if self.deliver.deployment.performs_tasks() && !full && !self.deliver.is_draining() {
            let limits = ClaimLimits { budget: &mut self.budget, allowance, permit };
            self.deliver.claim(&mut self.loaded.live, now, limits, &mut steps).await
        } else {
            Vec::new()
        };
        Ok(Folded { steps, at, completions, counted, claims })
    }

    /// Whether the state machine was deleted and the execution does not know it yet. The call that starts one has just read the
    /// machine.
    async fn is_machine_deleted(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let (snapshot, stored) = (&self.loaded.live.snapshot, self.loaded.sequence.is_some());
        if !stored || !snapshot.is_open() || snapshot.machine_deleted {
            return Ok(false);
        }
        self.deliver.statuses.is_deleted(&self.loaded.head.machine_arn, now).await
    }

    /// Applies completions and requests, each as of its own time, until the steps fill a commit. Answers how many completions
    /// that were, and which requests changed something, where they had their turn.
    fn apply_in_time_order(
        &mut self,
        requests: &[Request],
        now: Timestamp,
        steps: &mut Steps,
    ) -> (usize, Vec<Option<bool>>) {
        let (deliver, loaded) = (&self.deliver, &mut self.loaded);
        let (mut completions, mut counted) = (0, vec![None; requests.len()]);
        for (at, arrival) in self.inbox.in_time_order(requests) {
            let at = at.min(now).max(loaded.at);
            if steps.fill(deliver.commit_bytes) {
                break;
            }
            if loaded.live.is_due(at) && loaded.would_advance(arrival) {
                deliver.step(&mut loaded.live, Stimulus::Tick, at, steps);
                if steps.fill(deliver.commit_bytes) {
                    break;
                }
            }
            let advances = loaded.would_advance(arrival);
            let stimulus = match arrival {
                Arrival::Completion(stimulus) => {
                    completions += 1;
                    advances.then(|| stimulus.clone())
                }
                Arrival::Request(place, command) => {
                    counted.get_mut(place).into_iter().for_each(|counted| *counted = Some(advances));
                    advances.then(|| command.stimulus(at))
                }
            };
            if let Some(stimulus) = stimulus {
                deliver.step(&mut loaded.live, stimulus, at, steps);
            }
            if let (Arrival::Request(_, Command::Redrive(redrive)), true) = (arrival, advances) {
                loaded.remember_token(redrive.token.as_ref());
            }
        }
        (completions, counted)
    }

    /// Acts on a commit that is durable: begins the calls of its claims, cuts those whose attempts it ended.
    async fn dispatch(&mut self, claims: Vec<Claim>) {
        self.just_loaded = false;
        self.wakeups.committed(&self.loaded.live);
        if self.loaded.newly_ended()
            && let Some(parent) = &self.loaded.head.parent
        {
            self.deliver.tell_parent(parent).await;
        }
        self.calls.cut_stale(&self.loaded.live.snapshot);
        self.begin(claims);
        if self.budget.newly_exceeded() && !self.calls.is_empty() {
            self.hand_over().await;
        }
    }

    /// Begins the calls of claims that are durable now, but for those that it took too long for.
    fn begin(&mut self, claims: Vec<Claim>) {
        let now = self.now();
        let (late, claims): (Vec<Claim>, Vec<Claim>) = claims.into_iter().partition(|claim| claim.is_late(now));
        if !claims.is_empty() {
            self.budget.claimed();
        }
        for claim in claims {
            self.calls.begin(&self.deliver, claim);
        }
        if !late.is_empty() {
            let (execution, calls) = (&self.loaded.head.arn, late.len());
            tracing::warn!(execution, calls, "commit was too slow for its calls, claiming them again");
        }
        self.unstarted.keep(late.into_iter().map(|claim| claim.wait).collect());
    }
}
