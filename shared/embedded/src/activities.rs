//! The port `ActivityQueue` in memory: tasks of activities that wait for workers, and workers that wait for tasks.
//!
//! Nothing here is durable. After a restart the process wakes the executions that have tasks in queues, and whoever loads
//! one queues its tasks again; so the same task is often queued twice, and is there once. Tasks are received in the order in
//! which they were queued, by callers in the order in which they asked. A caller that waits costs nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use engine::activities::{ActivityQueue, ActivityTask, ReceivedTask};
use engine::ports::{Clock, StoreError};
use interpreter::Timestamp;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The queues of all activities.
pub struct ActivityTasks {
    clock: Arc<dyn Clock>,
    queues: Mutex<HashMap<String, Arc<Queue>>>,
}

impl ActivityTasks {
    pub fn new(clock: Arc<dyn Clock>) -> ActivityTasks {
        ActivityTasks { clock, queues: Mutex::default() }
    }

    fn queue(&self, activity: &str) -> Arc<Queue> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        match queues.get(activity) {
            Some(queue) => queue.clone(),
            None => queues.entry(activity.to_owned()).or_default().clone(),
        }
    }
}

#[async_trait]
impl ActivityQueue for ActivityTasks {
    async fn enqueue(&self, tasks: Vec<ActivityTask>) -> Result<(), StoreError> {
        for task in tasks {
            self.queue(&task.activity).add(task);
        }
        Ok(())
    }

    async fn receive(&self, activity: &str, until: Timestamp) -> Result<Option<Box<dyn ReceivedTask>>, StoreError> {
        let queue = self.queue(activity);
        loop {
            // The semaphore is never closed. Nothing is awaited between a turn and its task: a caller that is dropped takes none.
            tokio::select! {
                biased;
                turn = queue.turns.acquire() => turn.into_iter().for_each(SemaphorePermit::forget),
                () = self.clock.sleep_until(until) => return Ok(None),
            }
            let taken = queue.lock().take();
            if let Some((place, task)) = taken {
                let clock = self.clock.clone();
                return Ok(Some(Box::new(Received { queue, clock, task, place: Some(place) })));
            }
        }
    }

    fn withdraw(&self, task: &ActivityTask) {
        self.queue(&task.activity).lock().withdraw(task);
    }
}

/// The queue of one activity.
struct Queue {
    tasks: Mutex<Tasks>,
    /// At least as many permits as tasks wait. It is fair: the caller that has waited longest gets the next.
    turns: Semaphore,
}

impl Default for Queue {
    fn default() -> Self {
        Queue { tasks: Mutex::default(), turns: Semaphore::new(0) }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, task: ActivityTask) {
        if self.lock().add(task) {
            self.turns.add_permits(1);
        }
    }

    fn add_again(&self, place: u64, task: ActivityTask) {
        self.lock().put_back(place, task);
        self.turns.add_permits(1);
    }
}

/// Tasks of one activity: those that wait, by their place in the queue, and all that are there.
#[derive(Default)]
struct Tasks {
    waiting: BTreeMap<u64, ActivityTask>,
    /// By execution and attempt; with their place while they wait.
    known: HashMap<(String, u64), Option<u64>>,
    last_place: u64,
}

impl Tasks {
    /// False when the task is there already.
    fn add(&mut self, task: ActivityTask) -> bool {
        let place = self.last_place + 1;
        let known = self.known.entry(identity(&task)).or_insert(Some(place));
        if *known != Some(place) {
            return false;
        }
        self.last_place = place;
        self.waiting.insert(place, task);
        true
    }

    fn take(&mut self) -> Option<(u64, ActivityTask)> {
        let (place, task) = self.waiting.pop_first()?;
        self.known.insert(identity(&task), None);
        Some((place, task))
    }

    fn put_back(&mut self, place: u64, task: ActivityTask) {
        self.known.insert(identity(&task), Some(place));
        self.waiting.insert(place, task);
    }

    fn remove(&mut self, task: &ActivityTask) {
        self.known.remove(&identity(task));
    }

    /// Removes a task that waits; one that was received is its receiver's affair.
    fn withdraw(&mut self, task: &ActivityTask) {
        let identity = identity(task);
        if let Some(Some(place)) = self.known.get(&identity) {
            self.waiting.remove(place);
            self.known.remove(&identity);
        }
    }
}

fn identity(task: &ActivityTask) -> (String, u64) {
    (task.execution.clone(), task.wait.attempt_id)
}

/// A received task; back in its place when it is dropped.
struct Received {
    queue: Arc<Queue>,
    clock: Arc<dyn Clock>,
    task: ActivityTask,
    /// `None` when it does not go back.
    place: Option<u64>,
}

#[async_trait]
impl ReceivedTask for Received {
    fn task(&self) -> &ActivityTask {
        &self.task
    }

    async fn remove(mut self: Box<Self>) -> Result<(), StoreError> {
        self.place = None;
        self.queue.lock().remove(&self.task);
        Ok(())
    }

    async fn put_back(self: Box<Self>, at: Timestamp) -> Result<(), StoreError> {
        if at > self.clock.now() {
            let clock = self.clock.clone();
            tokio::spawn(async move {
                clock.sleep_until(at).await;
                drop(self);
            });
        }
        Ok(())
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.queue.add_again(place, self.task.clone());
        }
    }
}
