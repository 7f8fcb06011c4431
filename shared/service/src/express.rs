//! Express workflows: StartSyncExecution and asynchronous starts. How they run is [`engine::express`]'s affair.
//!
//! The ARN of a start is made from its call's id, so that the same call sent again while the execution runs does not run it
//! twice.

use asl::MachineType;
use engine::deliver::{ExpressEnd, Start, status_of};
use interpreter::{Closing, Timestamp};
use serde::Serialize;

use crate::action::{Action, Asked, answered};
use crate::answer::{Date, Included, JsonText, epoch};
use crate::error::ApiError;
use crate::executions::End;
use crate::names;
use crate::service::Service;
use crate::shapes::{ARN, INCLUDED_DATA, NAME, PAYLOAD, TRACE_HEADER, optional, required};
use crate::start::{Begun, Order};

pub(crate) const START_SYNC_EXECUTION: Action = Action {
    name: "StartSyncExecution",
    shape: &[
        required("stateMachineArn", ARN),
        optional("name", NAME),
        optional("input", PAYLOAD),
        optional("traceHeader", TRACE_HEADER),
        optional("includedData", INCLUDED_DATA),
    ],
    run: |asked| answered(start_sync_execution(asked)),
};

/// StartSyncExecution's answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ended {
    execution_arn: String,
    state_machine_arn: String,
    name: String,
    start_date: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<JsonText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_details: Option<Included>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_header: Option<String>,
    stop_date: Date,
    status: &'static str,
    #[serde(flatten)]
    end: End,
    billing_details: Billing,
}

#[derive(Debug, PartialEq, Serialize)]
struct Billing {
    #[serde(rename = "billedMemoryUsedInMB")]
    memory: i64,
    #[serde(rename = "billedDurationInMilliseconds")]
    duration: i64,
}

async fn start_sync_execution(asked: Asked) -> Result<Ended, ApiError> {
    let (service, data) = (asked.service, asked.request.wants_data());
    let order = service.order(asked.request, asked.invocation).await?;
    match order.machine.kind {
        MachineType::Express => {}
        MachineType::Standard => return Err(ApiError::StateMachineTypeNotSupported),
    }
    let start = service.express_start(&order, service.express_arn(&order)).await?;
    let execution_arn = start.execution.arn.clone();
    let state_machine_arn = start.execution.machine_arn.clone();
    let ended = service.engine.express().run(start).await;
    Ok(Ended {
        execution_arn,
        state_machine_arn,
        name: order.name,
        start_date: epoch(ended.started),
        input: data.then(|| JsonText(order.input)),
        input_details: data.then_some(Included { included: true }),
        trace_header: order.trace_header,
        stop_date: epoch(ended.stopped),
        status: status_of(&ended.closing).name(),
        end: end_of(&ended, data),
        billing_details: billing(ended.started, ended.stopped),
    })
}

fn end_of(ended: &ExpressEnd, data: bool) -> End {
    let mut end = End::of(&ended.closing, data);
    match &ended.closing {
        Closing::Succeeded { .. } => {}
        // AWS: there without an output, too.
        Closing::Failed(_) | Closing::Aborted(_) | Closing::TimedOut(_) => {
            end.output_details = data.then_some(Included { included: true });
        }
    }
    end
}

impl Service {
    pub(crate) async fn start_express(&self, order: Order) -> Result<Begun, ApiError> {
        let (arn, express) = (self.express_arn(&order), self.engine.express());
        if let Some(started) = express.started(&arn) {
            return Ok(Begun::of(arn, started));
        }
        if !express.has_room(&arn) {
            return Err(ApiError::Throttled);
        }
        let start = self.express_start(&order, arn.clone()).await?;
        let started = start.execution.started;
        express.start(start).await?;
        Ok(Begun::of(arn, started))
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
        let head = order.head(&execution, seconds);
        Ok(Start { machine, execution, head })
    }
}

// AWS: billed in steps of 64 MB and 100 ms. Memory is not measured here.
fn billing(started: Timestamp, stopped: Timestamp) -> Billing {
    let took = stopped.0.saturating_sub(started.0).max(1);
    let steps = took.saturating_add(99) / 100;
    Billing { memory: 64, duration: steps.saturating_mul(100) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_billed_in_steps_of_100_ms() {
        for (took, billed) in [(0, 100), (1, 100), (100, 100), (101, 200), (950, 1000)] {
            let expected = Billing { memory: 64, duration: billed };
            assert_eq!(billing(Timestamp(5), Timestamp(5 + took)), expected);
        }
    }
}
