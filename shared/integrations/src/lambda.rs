//! Lambda functions as targets, by the Invoke API, at AWS or at an own endpoint.
//!
//! Own endpoints come in two kinds that have to be understood without being told apart: those that answer like AWS, and
//! `cargo lambda watch`, which reports a function's error as HTTP 500 and knows functions by their bare name only.
//! Requests are made in [`invocation`], answers read in [`answer`] and [`failure`].

mod answer;
mod failure;
mod invocation;
mod timeouts;

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::ports::{TaskAnswer, TaskCall};

use crate::caller::{Caller, Destination};
use crate::partition::Home;
use crate::sdk_v1::SdkV1;
use invocation::{Invocation, Naming};
use timeouts::Timeouts;

/// The name in resources, and of the signature.
pub(crate) const SERVICE: &str = "lambda";

const NAMES: SdkV1 = SdkV1 {
    service: SERVICE,
    client: "AWSLambda",
    general: "AWSLambdaException",
    headers: &[
        "X-Amz-Executed-Version",
        "X-Amz-Log-Result",
        "x-amzn-Remapped-Content-Length",
        "Connection",
        "x-amzn-RequestId",
        "Content-Length",
        "Date",
        "X-Amzn-Trace-Id",
        "Content-Type",
        "X-Amz-Function-Error",
    ],
};

/// Calls Lambda functions.
pub(crate) struct LambdaTarget {
    caller: Arc<Caller>,
    home: Home,
    naming: Naming,
    /// The functions' own timeouts, where they are asked for.
    timeouts: Option<Timeouts>,
}

/// Which of the two ways a Task names its function; the results look different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `Resource` is the function: the result is what it returned.
    Function,
    /// `lambda:invoke`: the result is the whole answer of the API.
    Integration,
}

/// The parts of a request that its answer is read by.
pub(crate) struct Origin<'a> {
    pub style: Style,
    pub invocation: &'a Invocation,
    pub home: &'a Home,
}

impl LambdaTarget {
    /// Lambda's own limit of 15 minutes, and what the way there and back may take.
    pub(crate) const LIMIT: Duration = Duration::from_secs(15 * 60 + 20);

    /// Functions that `caller` reaches: at an own endpoint they are named without account and region.
    pub(crate) fn new(caller: Arc<Caller>, home: Home) -> Self {
        let naming = if caller.is_aws() { Naming::AsGiven } else { Naming::Bare };
        Self { caller, home, naming, timeouts: None }
    }

    /// Asks for functions' own timeouts: for a caller whose time is short. Takes `lambda:GetFunctionConfiguration`.
    pub(crate) fn asking_timeouts(self) -> Self {
        Self { timeouts: Some(Timeouts::default()), ..self }
    }

    /// The longest that calling the function `arn` can take.
    pub(crate) async fn limit_of_function(&self, arn: &str) -> Duration {
        self.limit_of(&Invocation::of_function(arn, "")).await
    }

    /// The longest that `lambda:invoke` with these arguments can take.
    pub(crate) async fn limit_of_arguments(&self, arguments: &str) -> Duration {
        self.limit_of(&Invocation::of_arguments(arguments)).await
    }

    /// Calls the function `arn` with the arguments as its event.
    pub(crate) async fn call_function(&self, arn: &str, call: &TaskCall) -> TaskAnswer {
        let invocation = Invocation::of_function(arn, &call.arguments);
        self.exchange(Style::Function, arn, &invocation, call).await
    }

    /// Calls the function that the arguments of `lambda:invoke` name.
    pub(crate) async fn invoke(&self, call: &TaskCall) -> TaskAnswer {
        let invocation = Invocation::of_arguments(&call.arguments);
        self.exchange(Style::Integration, SERVICE, &invocation, call).await
    }

    async fn exchange(&self, style: Style, task: &str, invocation: &Invocation, call: &TaskCall) -> TaskAnswer {
        let origin = Origin { style, invocation, home: &self.home };
        let request = match invocation.request(self.naming, call.timeout.min(Self::LIMIT)) {
            Ok(request) => request,
            Err(message) => return failure::invalid_request(message),
        };
        let began = Instant::now();
        let result =
            self.caller.send(&Destination::usual(SERVICE, &self.home.region), call.role.as_ref(), request).await;
        let status = result.as_ref().map_or(0, |answer| answer.status.as_u16());
        tracing::debug!(
            function = invocation.function,
            execution = call.execution,
            state = call.state,
            status,
            milliseconds = began.elapsed().as_millis(),
            "invoked",
        );
        match result {
            Ok(answer) => answer::read(answer, &origin),
            Err(error) => NAMES.call_failed(&error, task),
        }
    }
}
