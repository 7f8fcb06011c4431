//! The activities of an execution's machine, which of them exist, and the tasks in their queues.

use std::collections::{BTreeMap, BTreeSet};

use asl::{Kind, Resource, StateId, StateMachine};
use interpreter::{ActivityTarget, Payload, ThreadPath, Timestamp, Wait};

use super::live::Live;
use super::mailbox::{Command, TokenWait};
use super::steps::Steps;
use super::{Deliver, DeliverError};
use crate::activities::{ActivityTask, document_key};
use crate::deliver::actor::Actor;
use crate::ports::StoreError;
use crate::tokens::TaskToken;
use crate::{Deployment, Guarded};

/// How long a process believes that an activity exists which it has found. Where there are no other processes it is
/// looked up each time, which is cheap there.
// AWS: eventually consistent, too: documented as best effort.
const BELIEVED_MS: i64 = 5_000;
/// Activities that a process remembers at most.
const REMEMBERED: usize = 1_024;

/// The activities that a process has found, each with until when it is believed to exist.
#[derive(Default)]
pub(super) struct FoundActivities(Guarded<BTreeMap<String, Timestamp>>);

impl FoundActivities {
    fn has(&self, arn: &str, now: Timestamp) -> bool {
        self.0.lock().get(arn).is_some_and(|until| *until > now)
    }

    fn keep(&self, arn: &str, now: Timestamp) {
        let mut found = self.0.lock();
        if found.len() >= REMEMBERED {
            found.clear();
        }
        found.insert(arn.to_owned(), now.plus_millis(BELIEVED_MS));
    }
}

/// The activities that a machine names.
#[derive(Debug, Default)]
pub(super) struct Activities {
    named: BTreeSet<String>,
    existing: BTreeSet<String>,
}

impl Activities {
    pub fn of(machine: &StateMachine) -> Activities {
        let named = machine.states.iter().filter_map(|state| match &state.kind {
            Kind::Task(task) => activity(&task.resource).map(str::to_owned),
            Kind::Pass(_) | Kind::Wait(_) | Kind::Choice(_) | Kind::Succeed | Kind::Fail(_) => None,
            Kind::Parallel(_) | Kind::Map(_) => None,
        });
        Activities { named: named.collect(), existing: BTreeSet::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    pub fn exists(&self, arn: &str) -> bool {
        self.existing.contains(arn)
    }
}

fn activity(resource: &Resource) -> Option<&str> {
    match resource {
        Resource::Activity { arn } => Some(arn),
        Resource::Lambda { .. } | Resource::Integration(_) => None,
    }
}

/// A task that a worker of an activity has leased: its attempt has started, and its time runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedTask {
    pub token: String,
    /// JSON.
    pub input: String,
}

/// The outcome of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lease {
    Granted(LeasedTask),
    /// The execution is not as far as the task says: the commit that schedules it is on its way, or never comes.
    NotScheduled,
    /// Another worker has it, or it is over.
    Over,
}

impl Live {
    /// The task of a wait that is in the queue of an activity.
    fn queued_task(&self, wait: Wait, queued: Timestamp) -> Option<ActivityTask> {
        let (frame, _) = self.snapshot.attempt(&wait)?;
        let Kind::Task(task) = &self.machine.state(StateId(frame.state))?.kind else { return None };
        let (activity, execution) = (activity(&task.resource)?.to_owned(), self.snapshot.execution.arn.clone());
        Some(ActivityTask { activity, execution, wait, queued })
    }

    /// The tasks in queues, of threads that `counts` takes.
    fn queued_tasks(&self, now: Timestamp, counts: impl Fn(&ThreadPath) -> bool) -> Vec<ActivityTask> {
        let waits = self.snapshot.queued().filter(|wait| counts(&wait.path));
        waits.filter_map(|wait| self.queued_task(wait, now)).collect()
    }
}

impl Deliver {
    /// Gives a task to a worker of its activity. When this answers `Granted`, no other worker gets this attempt.
    pub async fn lease(
        self: &std::sync::Arc<Self>,
        task: &ActivityTask,
        worker: Option<String>,
    ) -> Result<Lease, DeliverError> {
        let of = TokenWait { wait: task.wait.clone(), started: None };
        let leased = self.request(&task.execution, Command::Lease(of, worker)).await;
        match leased {
            Ok(delivered) => Ok(delivered.lease.unwrap_or(Lease::Over)),
            Err(DeliverError::NoSuchExecution) => Ok(Lease::NotScheduled),
            Err(error) => Err(error),
        }
    }

    /// What performs the tasks of an activity in this execution.
    pub(super) fn activity_target(&self, live: &Live, arn: &str, state: &str) -> ActivityTarget {
        let mocked = live.test_case.as_ref().is_some_and(|test| test.mocks(&*self.world.tasks, state));
        if mocked {
            return ActivityTarget::Mock;
        }
        if live.activities.exists(arn) { ActivityTarget::Workers } else { ActivityTarget::Absent }
    }

    /// Looks up which of the machine's activities exist.
    pub(super) async fn look_up_activities(&self, live: &mut Live, now: Timestamp) -> Result<(), StoreError> {
        let mut existing = BTreeSet::new();
        for arn in &live.activities.named {
            let believed = self.deployment.has_peers() && self.found_activities.has(arn, now);
            if !believed && self.world.documents.get(&document_key(arn)).await?.is_none() {
                continue;
            }
            if !believed {
                self.found_activities.keep(arn, now);
            }
            existing.insert(arn.clone());
        }
        live.activities.existing = existing;
        Ok(())
    }

    /// Queues tasks of activities; before the commit that schedules them.
    pub(super) async fn enqueue(&self, tasks: Vec<ActivityTask>) -> Result<(), StoreError> {
        if tasks.is_empty() { Ok(()) } else { self.world.activities.enqueue(tasks).await }
    }
}

impl Actor {
    /// The tasks that these steps scheduled.
    pub(super) fn scheduled(&self, steps: &Steps, now: Timestamp) -> Vec<ActivityTask> {
        self.loaded.live.queued_tasks(now, |path| steps.changed.contains(path))
    }

    /// Queues what an execution that was just loaded has in queues: a process that is alone on its store keeps them in
    /// memory, and may be another than the one that queued them.
    pub(super) async fn enqueue_again(&mut self) {
        if self.deliver.deployment != Deployment::SingleProcess {
            return;
        }
        let queued = self.loaded.live.queued_tasks(self.now(), |_| true);
        if let Err(error) = self.deliver.enqueue(queued).await {
            tracing::error!(execution = self.loaded.head.arn, %error, "tasks of activities not queued again");
        }
    }

    /// The tasks in queues before a round, of which some may be over behind it.
    pub(super) fn queued_before(&self, now: Timestamp) -> Vec<ActivityTask> {
        if self.loaded.live.activities.is_empty() { Vec::new() } else { self.loaded.live.queued_tasks(now, |_| true) }
    }

    /// Takes tasks that are over out of their queues.
    pub(super) fn withdraw_over(&self, queued: &[ActivityTask]) {
        let snapshot = &self.loaded.live.snapshot;
        let still: BTreeSet<Wait> = snapshot.queued().collect();
        for task in queued.iter().filter(|task| !still.contains(&task.wait)) {
            self.deliver.world.activities.withdraw(task);
        }
    }

    /// The outcome of a request for a lease that is dealt with.
    pub(super) fn lease(&self, wait: &Wait, counted: bool) -> Lease {
        let snapshot = &self.loaded.live.snapshot;
        let leased = snapshot.attempt(wait).filter(|_| counted).map(|(_, attempt)| attempt.arguments.clone());
        match leased {
            Some(input) => Lease::Granted(LeasedTask { token: self.activity_token(wait), input: text(&input) }),
            // It counted, and was over by the same commit.
            None if counted || snapshot.closed.is_some() => Lease::Over,
            None if wait.attempt_id > snapshot.last_attempt_id => Lease::NotScheduled,
            None => Lease::Over,
        }
    }

    fn activity_token(&self, wait: &Wait) -> String {
        let live = &self.loaded.live;
        let activity = live.queued_task(wait.clone(), self.loaded.at).map(|task| task.activity);
        let execution = &live.snapshot.execution;
        let token = TaskToken {
            execution: execution.arn.clone(),
            path: wait.path.clone(),
            attempt_id: wait.attempt_id,
            started: Some(execution.started),
            activity,
        };
        self.deliver.signer.sign_task(&token)
    }
}

fn text(payload: &Payload) -> String {
    payload.text().to_owned()
}
