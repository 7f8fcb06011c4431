//! Lambda functions as targets, by the Invoke API, at AWS or at an own endpoint.
//!
//! Own endpoints come in two kinds that have to be understood without being told apart: those that answer like AWS, and
//! `cargo lambda watch`, which reports a function's error as HTTP 500 and knows functions by their bare name only.
//! What the API does with a call is in the submodules: [`arguments`] and [`invocation`] on the way there, [`answer`]
//! and [`failure`] on the way back.

mod answer;
mod arguments;
mod failure;
mod invocation;
mod json;
mod timeouts;

use std::time::{Duration, Instant};

use service::ports::{TaskAnswer, TaskCall};

use crate::caller::{Caller, InvalidEndpoint};
use crate::partition::Home;

pub use arguments::check_arguments;
use invocation::{Invocation, Naming};
use timeouts::Timeouts;

/// Calls Lambda functions.
pub struct LambdaTarget {
    caller: Caller,
    home: Home,
    naming: Naming,
    /// What is known of functions' own timeouts, where they are asked for.
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

/// What the way back has to know of the way there.
pub(crate) struct Origin<'a> {
    pub style: Style,
    pub invocation: &'a Invocation,
    /// The state's resource, as the text about results that are too large names it.
    pub task: &'a str,
    pub home: &'a Home,
}

impl LambdaTarget {
    /// Lambda's own limit of 15 minutes, and what the way there and back may take.
    pub const LIMIT: Duration = Duration::from_secs(15 * 60 + 10);

    /// Functions behind `url`, named without account and region.
    pub fn at_endpoint(url: &str, home: Home) -> Result<Self, InvalidEndpoint> {
        Ok(Self { caller: Caller::at_endpoint(url)?, home, naming: Naming::Bare, timeouts: None })
    }

    /// Functions behind `endpoint`, or at AWS when there is none.
    pub fn at(endpoint: Option<&str>, home: Home) -> Result<Self, InvalidEndpoint> {
        match endpoint {
            Some(url) => Self::at_endpoint(url, home),
            None => Ok(Self::at_aws(home)),
        }
    }

    /// Functions at AWS, in the region of `home`.
    pub fn at_aws(home: Home) -> Self {
        Self { caller: Caller::at_aws(&home), home, naming: Naming::AsGiven, timeouts: None }
    }

    /// Asks for functions' own timeouts: for a caller whose time is short. Takes `lambda:GetFunctionConfiguration`.
    pub fn asking_timeouts(self) -> Self {
        Self { timeouts: Some(Timeouts::default()), ..self }
    }

    /// The longest that calling the function `arn` can take.
    pub(crate) async fn limit_of_function(&self, arn: &str) -> Duration {
        self.limit_of(&Invocation::of_function(arn, "")).await
    }

    /// The longest that `lambda:invoke` with these arguments can take.
    pub(crate) async fn limit_of_arguments(&self, arguments: &str) -> Duration {
        match Invocation::of_arguments(arguments) {
            Ok(invocation) => self.limit_of(&invocation).await,
            // It fails at once.
            Err(_) => Self::LIMIT,
        }
    }

    /// Calls the function `arn` with the arguments as its event.
    pub(crate) async fn call_function(&self, arn: &str, call: &TaskCall) -> TaskAnswer {
        let invocation = Invocation::of_function(arn, &call.arguments);
        self.exchange(Style::Function, arn, &invocation, call).await
    }

    /// Calls the function that the arguments of `lambda:invoke` name.
    pub(crate) async fn invoke(&self, call: &TaskCall) -> TaskAnswer {
        match Invocation::of_arguments(&call.arguments) {
            Ok(invocation) => self.exchange(Style::Integration, "lambda", &invocation, call).await,
            Err(cause) => failure::failed("States.Runtime", cause),
        }
    }

    async fn exchange(&self, style: Style, task: &str, invocation: &Invocation, call: &TaskCall) -> TaskAnswer {
        if let (Some(role), Naming::AsGiven) = (&call.role, self.naming) {
            // Calling in one's own name instead would get around the boundary that the role draws.
            return failure::failed(
                "States.TaskFailed",
                format!("The role {role} cannot be assumed: not supported yet."),
            );
        }
        let origin = Origin { style, invocation, task, home: &self.home };
        let request = match invocation.request(self.naming, call.timeout.min(Self::LIMIT)) {
            Ok(request) => request,
            Err(message) => return failure::invalid_request(&message),
        };
        let began = Instant::now();
        let result = self.caller.send("lambda", &self.home.region, request).await;
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
            Err(error) => failure::of_call(&error, &origin),
        }
    }
}
