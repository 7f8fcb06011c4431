//! The target that a task's resource belongs to.
//!
//! A resource that Stepwell does not call fails its task with States.Runtime, which Retry and Catch do not take for a
//! passing failure.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use asl::{Integration, Pattern, Resource, SdkServices};
use async_trait::async_trait;
use aws_credential_types::provider::SharedCredentialsProvider;
use engine::ports::{TaskAnswer, TaskCall, Tasks};

use crate::callers::{AwsCalls, Callers};
use crate::endpoint::Endpoints;
use crate::lambda;
use crate::lambda::LambdaTarget;
use crate::optimised::{self, Service, ServiceTarget};
use crate::partition::Home;
use crate::sdk::{self, Call, Catalogue, SdkTarget};
use crate::sdk_v1::failed;

/// Every target there is.
pub struct Targets {
    lambda: LambdaTarget,
    services: Vec<ServiceTarget>,
    sdk: SdkTarget,
}

impl Targets {
    /// Targets at their endpoints; those without one are at AWS, called with these credentials, and share connections. The
    /// roles of tasks are assumed at AWS, and at endpoints where STS is, too; other endpoints check nothing.
    pub fn new(endpoints: Endpoints, home: &Home, credentials: SharedCredentialsProvider) -> Self {
        let callers = Arc::new(Callers::new(endpoints, home, credentials));
        let services = optimised::SERVICES.iter();
        let target =
            |row: &&'static Service| ServiceTarget::new(row, callers.of(row.names.service).clone(), home.clone());
        Self {
            services: services.map(target).collect(),
            lambda: LambdaTarget::new(callers.of(lambda::SERVICE).clone(), home.clone()),
            sdk: SdkTarget::new(callers, home.clone()),
        }
    }

    /// Refuses calls of what has one of these names: the installation's own table and queue. Credentials of the worker may
    /// touch them, and workflows must not through it: they hold the installation's key and every client's data.
    pub fn withholding(mut self, names: &[String]) -> Self {
        self.services.iter_mut().for_each(|service| service.withhold(names));
        self.sdk.withhold(names);
        self
    }

    /// Lets tasks call these services through the SDK at AWS in the program's own name.
    pub fn allowing_aws(self, allowed: AwsCalls) -> Self {
        Self { sdk: self.sdk.allowing_aws(allowed), ..self }
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
        if integration.service.starts_with(sdk::PREFIX) {
            return Call::find(integration).map(Target::Sdk);
        }
        if !integration.is_performed() {
            return None;
        }
        if integration.service == lambda::SERVICE {
            return Some(Target::Invoke);
        }
        let service = self.services.iter().find(|service| service.performs(integration))?;
        Some(Target::Service(service, &integration.action))
    }
}

/// How a resource is called.
enum Target<'a> {
    Function(&'a str),
    Invoke,
    Service(&'a ServiceTarget, &'a str),
    Sdk(Call),
}

#[async_trait]
impl Tasks for Targets {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        let Some(target) = self.find(&call.resource) else { return not_callable(&call.resource) };
        match target {
            Target::Function(arn) => self.lambda.call_function(arn, &call).await,
            Target::Invoke => self.lambda.invoke(&call).await,
            Target::Service(service, action) => service.call(action, &call).await,
            Target::Sdk(sdk) => self.sdk.call(&sdk, &call).await,
        }
    }

    fn sdk_services(&self) -> &'static dyn SdkServices {
        &Catalogue
    }

    async fn limit(&self, call: &TaskCall) -> Duration {
        match self.find(&call.resource) {
            Some(Target::Function(arn)) => self.lambda.limit_of_function(arn).await,
            Some(Target::Invoke) => self.lambda.limit_of_arguments(&call.arguments).await,
            Some(Target::Service(..) | Target::Sdk(_)) | None => optimised::LIMIT,
        }
    }
}

fn not_callable(resource: &Resource) -> TaskAnswer {
    let (Resource::Lambda { arn } | Resource::Activity { arn } | Resource::Integration(Integration { arn, .. })) =
        resource;
    let mut cause = format!("The resource '{arn}' cannot be called: functions of Lambda");
    for (service, action) in asl::performed_actions() {
        let _ = write!(cause, ", {service}:{action}");
    }
    cause.push_str(" and actions of the SDK without event streams are the only targets so far.");
    failed("States.Runtime", cause)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_service_whose_arguments_are_known_is_called_and_no_other() {
        let known: BTreeSet<&str> = asl::performed_actions().map(|(service, _)| service).collect();
        let called = optimised::SERVICES.iter().map(|row| row.names.service).chain([lambda::SERVICE]);
        assert_eq!(called.collect::<BTreeSet<&str>>(), known, "rows of `asl` and of `optimised`");
    }
}
