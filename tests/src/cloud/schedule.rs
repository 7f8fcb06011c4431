//! The clock's schedule in a test's hands: invokes clocks minute by minute, who die where a test says so, and are ended when
//! their time is over.
//!
//! A clock that died or failed is not invoked again for that minute: the template wants it so.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use engine::ports::{Clock, Tasks};
use futures_util::future::join_all;
use interpreter::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::crashable::Crashable;
use super::{Cloud, DEAD_LETTERS};
use crate::simulation::Plan;

const MINUTE: Duration = Duration::from_secs(60);
/// Virtual time by which everything is done.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// How the clock is invoked.
pub struct Ticking<'a> {
    /// The first clock's faults. It works in all of the minutes, unless it dies.
    pub first: Plan,
    /// Another clock is invoked at the same time.
    pub beside: bool,
    /// The minutes in which there is something to do. A clock that died or failed in one of them is followed by another a minute later.
    pub minutes: &'a [u32],
    /// The time of an invocation, and its shutdown margin.
    pub term: (Duration, Duration),
    /// Asked whenever an invocation is over.
    pub holds: &'a dyn Fn() -> Result<()>,
}

impl Cloud {
    /// Invokes clocks in their minutes. Answers at how many moments the first one could have died, and how many requests it
    /// made.
    pub async fn tick(&self, tasks: &Arc<dyn Tasks>, ticking: Ticking<'_>) -> Result<(u64, u64)> {
        let beside = if ticking.beside { Some(self.begin(tasks, Plan::default()).await?) } else { None };
        let mut clock = self.begin(tasks, ticking.first).await?;
        let (first, began) = (clock.gate.clone(), Instant::now());
        for minute in ticking.minutes {
            let mut next = began + MINUTE * *minute;
            loop {
                tokio::time::sleep_until(next).await;
                let invoked = beside.iter().chain([&clock]);
                let answers = join_all(invoked.map(|clock| self.invoke_clock(clock, &Value::Null, ticking.term))).await;
                (ticking.holds)()?;
                if clock.gate.is_down().is_some() {
                    clock = self.begin(tasks, Plan::default()).await?;
                }
                if answers.iter().all(Option::is_some) {
                    break;
                }
                next += MINUTE;
                ensure!(next < began + PATIENCE, "no clock comes to the end of a minute");
            }
        }
        Ok(first.count(|counts| (counts.points, counts.calls)))
    }

    /// Asks a clock for something, one with these faults; its answer, unless it died or failed, and at how many moments it
    /// could have died.
    pub async fn order(&self, tasks: &Arc<dyn Tasks>, event: &Value, plan: Plan) -> Result<(Option<Value>, u64)> {
        let clock = self.begin(tasks, plan).await?;
        let answer = self.invoke_clock(&clock, event, (5 * MINUTE, MINUTE / 2)).await;
        Ok((answer, clock.gate.count(|counts| counts.points)))
    }

    /// Invokes a clock; its answer, unless it died or failed.
    async fn invoke_clock(
        &self,
        clock: &Crashable,
        event: &Value,
        (term, farewell): (Duration, Duration),
    ) -> Option<Value> {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let until = Timestamp(self.clock.now().0 + millis(term) - millis(farewell));
        tokio::select! {
            biased;
            answer = clock.installation.handle_event(event, Some(DEAD_LETTERS), until) => answer.ok(),
            _ = clock.gate.death() => None,
            () = tokio::time::sleep(term) => {
                clock.gate.kill();
                None
            }
        }
    }
}
