//! Executions that wait for nothing but the right to a call, and are not kept in memory meanwhile.
//!
//! They have their turn among those that wait ([`crate::shares`]) and no place, so that a slow function leaves the
//! places to others. Nothing of this is stored: after a restart every open execution is visited, and parks again.

use std::collections::HashSet;
use std::sync::Arc;

use super::mailbox::{Command, Request};
use super::{Deliver, Visit};
use crate::Guarded;

/// The ARNs of the executions that are parked.
#[derive(Default)]
pub(super) struct Parked(Guarded<HashSet<String>>);

impl Parked {
    /// False when it is parked already.
    fn enter(&self, execution: &str) -> bool {
        self.0.lock().insert(execution.to_owned())
    }

    fn leave(&self, execution: &str) {
        self.0.lock().remove(execution);
    }
}

impl Deliver {
    /// Visits the execution when it is its turn to make a call. Once is enough, however often it is asked for.
    pub(super) fn park(self: &Arc<Self>, execution: &str) {
        if !self.parked.enter(execution) {
            return;
        }
        let (turn, deliver, execution) = (self.permits.call(execution), self.clone(), execution.to_owned());
        tokio::spawn(async move {
            let call = turn.await;
            deliver.parked.leave(&execution);
            let (request, _no_reply) = Request::new(Command::Wake, deliver.world.clock.now());
            // An actor that is there has its own turn: this one goes to the next.
            deliver.post(&execution, request, Visit { until: None, call });
        });
    }
}
