//! Express workflows: StartSyncExecution and asynchronous starts. How they run is [`engine::express`]'s affair.
//!
//! The ARN of a start is made from its call's id, so that the same call sent again while the execution runs does not run it
//! twice.

use engine::deliver::{ExpressEnd, Start, status_of};
use engine::entry::Head;
use interpreter::{Closing, Timestamp};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::executions::{insert_closing, insert_payload};
use super::registry::WorkflowType;
use super::request::Request;
use super::start::{Order, answer};
use super::{Service, epoch, names};

impl Service {
    pub(super) async fn start_express(&self, order: Order) -> Result<Value, ApiError> {
        let (arn, express) = (self.express_arn(&order), self.engine.express());
        if let Some(started) = express.started(&arn) {
            return Ok(answer(&arn, started));
        }
        if !express.has_room() {
            return Err(ApiError::Throttled);
        }
        let start = self.express_start(&order, arn.clone()).await?;
        let started = start.execution.started;
        express.start(start).await?;
        Ok(answer(&arn, started))
    }

    pub(super) async fn start_sync_execution(
        &self,
        request: Request,
        invocation: Option<String>,
    ) -> Result<Value, ApiError> {
        let data = request.wants_data();
        let order = self.order(request, invocation).await?;
        match order.machine.kind {
            WorkflowType::Express => {}
            WorkflowType::Standard => return Err(ApiError::StateMachineTypeNotSupported),
        }
        let start = self.express_start(&order, self.express_arn(&order)).await?;
        let (arn, started) = (start.execution.arn.clone(), start.execution.started);
        let machine_arn = start.execution.machine_arn.clone();
        let end = self.engine.express().run(start).await;
        let mut answer = Map::new();
        answer.insert("executionArn".into(), arn.into());
        answer.insert("stateMachineArn".into(), machine_arn.into());
        answer.insert("name".into(), order.name.as_str().into());
        answer.insert("startDate".into(), epoch(started));
        insert_payload(&mut answer, "input", &order.input, data);
        if let Some(header) = order.trace_header {
            answer.insert("traceHeader".into(), header.into());
        }
        insert_end(&mut answer, &end, started, data);
        Ok(Value::Object(answer))
    }

    fn express_arn(&self, order: &Order) -> String {
        let id = match &order.invocation {
            Some(invocation) => names::derived_uuid(invocation, "express"),
            None => names::random_uuid(self.engine.world().clock.seed()),
        };
        self.home.express(&order.machine.name, &order.name, &id)
    }

    async fn express_start(&self, order: &Order, arn: String) -> Result<Start, ApiError> {
        let (machine, execution) = self.prepared(order, arn, self.now()).await?;
        let seconds = execution.limits.seconds;
        let mut head = Head::new(&execution, seconds, order.machine.revision.clone());
        head.trace_header = order.trace_header.clone();
        head.test_case = order.test_case.clone();
        Ok(Start { machine, execution, head })
    }
}

fn insert_end(answer: &mut Map<String, Value>, end: &ExpressEnd, started: Timestamp, data: bool) {
    answer.insert("stopDate".into(), epoch(end.stopped));
    answer.insert("status".into(), status_of(&end.closing).name().into());
    insert_closing(answer, &end.closing, data);
    match &end.closing {
        Closing::Succeeded { .. } => {}
        Closing::Failed(_) | Closing::Aborted(_) | Closing::TimedOut(_) => {
            // AWS: there without an output, too.
            answer.insert("outputDetails".into(), json!({ "included": data }));
        }
    }
    answer.insert("billingDetails".into(), billing(started, end.stopped));
}

// AWS: billed in steps of 64 MB and 100 ms. Memory is not measured here.
fn billing(started: Timestamp, stopped: Timestamp) -> Value {
    let took = stopped.0.saturating_sub(started.0).max(1);
    let steps = took.saturating_add(99) / 100;
    json!({ "billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": steps.saturating_mul(100) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_billed_in_steps_of_100_ms() {
        for (took, billed) in [(0, 100), (1, 100), (100, 100), (101, 200), (950, 1000)] {
            let expected = json!({"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": billed});
            assert_eq!(billing(Timestamp(5), Timestamp(5 + took)), expected);
        }
    }
}
