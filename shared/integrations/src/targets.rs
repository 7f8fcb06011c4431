//! The target that a task's resource belongs to.
//!
//! A resource that Stepwell does not call fails its task with States.Runtime, which Retry and Catch do not take for a
//! passing failure.

use std::sync::Arc;
use std::time::Duration;

use asl::{Integration, Pattern, Resource, SdkServices};
use async_trait::async_trait;
use aws_credential_types::provider::SharedCredentialsProvider;
use engine::ports::{OwnApi, TaskAnswer, TaskCall, Tasks};

use crate::callers::{AwsCalls, Callers};
use crate::endpoint::Endpoints;
use crate::http_task::{self, ConnectionFile, Connections, apigateway};
use crate::jobs::{self, Job};
use crate::lambda;
use crate::lambda::LambdaTarget;
use crate::optimised::{self, Action, Service};
use crate::partition::Home;
use crate::sdk::{self, AwsServices, Call, Catalogue};
use crate::sdk_v1::failed;

/// Every target there is.
pub struct Targets {
    lambda: LambdaTarget,
    services: AwsServices,
    connections: Connections,
    acts_in_machine_roles: bool,
}

impl Targets {
    /// Targets at their endpoints; those without one are at AWS, called with these credentials, and share connections. The
    /// roles of tasks are assumed at AWS, and at endpoints where STS is, too; other endpoints check nothing.
    pub fn new(endpoints: Endpoints, home: &Home, credentials: SharedCredentialsProvider) -> Self {
        let callers = Callers::new(endpoints, home, credentials);
        Self {
            lambda: LambdaTarget::new(callers.of(lambda::SERVICE).clone(), home.clone()),
            services: AwsServices::new(callers, home.clone()),
            connections: Connections::new(ConnectionFile::default()),
            acts_in_machine_roles: false,
        }
    }

    /// Refuses calls of what has one of these names: the installation's own table and queue. Credentials of the worker may
    /// touch them, and workflows must not through it: they hold the installation's key and every client's data.
    pub fn withholding(mut self, names: &[String]) -> Self {
        self.services.withhold(names);
        self
    }

    /// Denies the roles that tasks act in everything on these resources, by their ARNs or patterns of such.
    pub fn denying_roles(self, resources: &[String]) -> Self {
        self.services.callers.policy.deny(resources);
        self
    }

    /// Lets tasks whose states name no role act in that of their state machine, as on AWS, where roles are checked.
    pub fn in_machine_roles(self, acts: bool) -> Self {
        Self { acts_in_machine_roles: acts, ..self }
    }

    /// Lets tasks call these services at AWS in the program's own name. Lambda, DynamoDB, SNS and SQS need it for resources
    /// that begin with `aws-sdk:` alone.
    pub fn allowing_aws(mut self, allowed: AwsCalls) -> Self {
        self.services.allow_aws(allowed);
        self
    }

    /// Gives the tasks of `http:invoke` these connections, beside those of EventBridge.
    pub fn with_connections(self, file: ConnectionFile) -> Self {
        Self { connections: Connections::new(file), ..self }
    }

    /// Asks for functions' own timeouts: for a caller whose time is short. Takes `lambda:GetFunctionConfiguration`.
    pub fn asking_timeouts(self) -> Self {
        Self { lambda: self.lambda.asking_timeouts(), ..self }
    }

    fn find(resource: &Resource) -> Option<Target<'_>> {
        match resource {
            Resource::Lambda { arn } => Some(Target::Function(arn)),
            Resource::Integration(integration) => Self::integrated(integration),
            Resource::Activity { .. } => None,
        }
    }

    fn integrated(integration: &Integration) -> Option<Target<'_>> {
        if integration.service.starts_with(sdk::PREFIX) {
            return Call::find(integration).map(Target::Sdk);
        }
        let is_job = matches!(integration.pattern, Pattern::Sync | Pattern::Sync2);
        if is_job && Job::find(integration).is_none() {
            return None;
        }
        match integration.service.as_str() {
            lambda::SERVICE => Some(Target::Invoke),
            http_task::SERVICE => Some(Target::Http),
            apigateway::SERVICE => Some(Target::ApiGateway),
            _ => Service::find(integration).map(|(service, action)| Target::Service(service, action)),
        }
    }
}

/// How a resource is called.
enum Target<'a> {
    Function(&'a str),
    Invoke,
    Http,
    ApiGateway,
    Service(&'static Service, &'static Action),
    Sdk(Call),
}

#[async_trait]
impl Tasks for Targets {
    async fn call(&self, mut call: TaskCall) -> TaskAnswer {
        if self.acts_in_machine_roles && call.role.is_none() {
            call.role = Some(call.machine_role.clone());
        }
        let Some(target) = Self::find(&call.resource) else { return not_callable(&call.resource) };
        match target {
            Target::Function(arn) => self.lambda.call_function(arn, &call).await,
            Target::Invoke => self.lambda.invoke(&call).await,
            Target::Http => http_task::call(&self.connections, &self.services, &call).await,
            Target::ApiGateway => apigateway::call(&self.services, &call).await,
            Target::Service(service, action) => jobs::call((service, action), &self.services, &call).await,
            Target::Sdk(sdk) => sdk.make(&self.services, &call).await,
        }
    }

    fn bind(&self, own: Arc<dyn OwnApi>) {
        self.services.bind(own);
    }

    fn sdk_services(&self) -> &'static dyn SdkServices {
        &Catalogue
    }

    async fn limit(&self, call: &TaskCall) -> Duration {
        match Self::find(&call.resource) {
            Some(Target::Function(arn)) => self.lambda.limit_of_function(arn).await,
            Some(Target::Invoke) => self.lambda.limit_of_arguments(&call.arguments).await,
            Some(Target::Http | Target::ApiGateway | Target::Service(..) | Target::Sdk(_)) | None => optimised::LIMIT,
        }
    }
}

fn not_callable(resource: &Resource) -> TaskAnswer {
    let (Resource::Lambda { arn } | Resource::Activity { arn } | Resource::Integration(Integration { arn, .. })) =
        resource;
    failed(
        "States.Runtime",
        format!("The resource '{arn}' cannot be called: there is no such action, or Stepwell does not perform it."),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_action_that_asl_says_is_performed_is_called_and_no_other() {
        let known: BTreeSet<(&str, &str)> = asl::performed_actions().collect();
        let called = optimised::SERVICES.iter().flat_map(|row| {
            let service = row.names.service;
            row.actions.iter().map(move |action| (service, action.name))
        });
        let called: BTreeSet<(&str, &str)> = called
            .chain([lambda::SERVICE, http_task::SERVICE, apigateway::SERVICE].map(|service| (service, "invoke")))
            .collect();
        assert_eq!(called, known, "rows of `asl` and of `optimised`");
    }
}
