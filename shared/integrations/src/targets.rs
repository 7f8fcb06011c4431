//! Which target a task's resource belongs to.
//!
//! A resource nobody here can call fails its task in a way no Retry or Catch takes for a passing trouble.

use std::sync::Arc;
use std::time::Duration;

use asl::{Integration, Pattern, Resource};
use async_trait::async_trait;
use aws_credential_types::provider::SharedCredentialsProvider;
use engine::ports::{TaskAnswer, TaskCall, Tasks};

use crate::api::{self, Api, ApiTarget};
use crate::caller::Caller;
use crate::endpoint::{Endpoint, Endpoints};
use crate::lambda::LambdaTarget;
use crate::partition::Home;
use crate::words::failed;
use crate::{dynamodb, sns, sqs};

/// Every target there is.
pub struct Targets {
    lambda: LambdaTarget,
    apis: [ApiTarget; 3],
}

impl Targets {
    /// Targets at their endpoints; those without one are at AWS, called with these credentials, and share connections. The
    /// roles of tasks are assumed at AWS, and at endpoints where STS is, too; other endpoints check nothing.
    pub fn new(endpoints: Endpoints, home: &Home, credentials: SharedCredentialsProvider) -> Self {
        let aws = Arc::new(Caller::at_aws(home, credentials));
        let caller = |endpoint: Option<Endpoint>| match endpoint {
            None => aws.clone(),
            // A role of one place means nothing at another.
            Some(place) if endpoints.sts.as_ref() == Some(&place) => {
                Arc::new(Caller::at_endpoint_with_roles(place, &home.region))
            }
            Some(place) => Arc::new(Caller::at_endpoint(place)),
        };
        let api = |api: &'static Api, endpoint| ApiTarget::new(api, caller(endpoint), home.clone());
        Self {
            lambda: LambdaTarget::new(caller(endpoints.lambda.clone()), home.clone()),
            apis: [
                api(&dynamodb::API, endpoints.dynamodb.clone()),
                api(&sns::API, endpoints.sns.clone()),
                api(&sqs::API, endpoints.sqs.clone()),
            ],
        }
    }

    /// Keeps tasks from what has one of these names. Who performs tasks in the name of an installation may touch its table
    /// and queue, and workflows must not by that: its key is there, and everybody's data.
    pub fn withholding(mut self, names: &[String]) -> Self {
        self.apis.iter_mut().for_each(|api| api.withhold(names));
        self
    }

    /// Asks for functions' own timeouts: for a caller whose time is short. Takes `lambda:GetFunctionConfiguration`.
    pub fn asking_timeouts(self) -> Self {
        Self { lambda: self.lambda.asking_timeouts(), ..self }
    }

    fn find<'a>(&'a self, resource: &'a Resource) -> Option<Target<'a>> {
        match resource {
            Resource::Lambda { arn } => Some(Target::Function(arn)),
            Resource::Integration(integration) => self.integrated(integration),
            Resource::Activity { .. } => None,
        }
    }

    fn integrated<'a>(&'a self, integration: &'a Integration) -> Option<Target<'a>> {
        match integration.pattern {
            Pattern::RequestResponse | Pattern::WaitForTaskToken => {}
            Pattern::Sync | Pattern::Sync2 => return None,
        }
        if integration.service == "lambda" && integration.action == "invoke" {
            return Some(Target::Invoke);
        }
        let api = self.apis.iter().find(|api| api.performs(integration))?;
        Some(Target::Api(api, &integration.action))
    }
}

/// What a resource comes down to.
enum Target<'a> {
    Function(&'a str),
    Invoke,
    Api(&'a ApiTarget, &'a str),
}

#[async_trait]
impl Tasks for Targets {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        let Some(target) = self.find(&call.resource) else { return not_callable(&call.resource) };
        match target {
            Target::Function(arn) => self.lambda.call_function(arn, &call).await,
            Target::Invoke => self.lambda.invoke(&call).await,
            Target::Api(api, action) => api.call(action, &call).await,
        }
    }

    async fn limit(&self, call: &TaskCall) -> Duration {
        match self.find(&call.resource) {
            Some(Target::Function(arn)) => self.lambda.limit_of_function(arn).await,
            Some(Target::Invoke) => self.lambda.limit_of_arguments(&call.arguments).await,
            Some(Target::Api(..)) | None => api::LIMIT,
        }
    }
}

fn not_callable(resource: &Resource) -> TaskAnswer {
    let (Resource::Lambda { arn } | Resource::Activity { arn } | Resource::Integration(Integration { arn, .. })) =
        resource;
    failed(
        "States.Runtime",
        format!(
            "The resource '{arn}' cannot be called: Lambda, SQS sendMessage, SNS publish and DynamoDB's getItem, putItem, \
             updateItem and deleteItem are the only targets so far."
        ),
    )
}
