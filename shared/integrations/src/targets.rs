//! Which target a task's resource belongs to.
//!
//! A resource nobody here can call fails its task in a way no Retry or Catch takes for a passing trouble.

use std::time::Duration;

use asl::{Integration, Pattern, Resource};
use async_trait::async_trait;
use service::ports::{TaskAnswer, TaskCall, Tasks};

use crate::lambda::LambdaTarget;

/// The longest a call of anything but Lambda can take.
const OTHER_LIMIT: Duration = Duration::from_secs(60);

/// Every target there is.
pub struct Targets {
    lambda: LambdaTarget,
}

impl Targets {
    pub fn new(lambda: LambdaTarget) -> Self {
        Self { lambda }
    }
}

#[async_trait]
impl Tasks for Targets {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        match &call.resource {
            Resource::Lambda { arn } => self.lambda.call_function(arn, &call).await,
            Resource::Integration(integration) if is_lambda_invoke(integration) => self.lambda.invoke(&call).await,
            Resource::Integration(Integration { arn, .. }) | Resource::Activity { arn } => not_callable(arn),
        }
    }

    async fn limit(&self, call: &TaskCall) -> Duration {
        match &call.resource {
            Resource::Lambda { arn } => self.lambda.limit_of_function(arn).await,
            Resource::Integration(integration) if is_lambda_invoke(integration) => {
                self.lambda.limit_of_arguments(&call.arguments).await
            }
            Resource::Integration(_) | Resource::Activity { .. } => OTHER_LIMIT,
        }
    }
}

fn is_lambda_invoke(integration: &Integration) -> bool {
    let callable = match integration.pattern {
        Pattern::RequestResponse | Pattern::WaitForTaskToken => true,
        Pattern::Sync | Pattern::Sync2 => false,
    };
    callable && integration.service == "lambda" && integration.action == "invoke"
}

fn not_callable(arn: &str) -> TaskAnswer {
    TaskAnswer::Failed {
        error: "States.Runtime".to_owned(),
        cause: Some(format!("The resource '{arn}' cannot be called: Lambda functions are the only targets so far.")),
    }
}
