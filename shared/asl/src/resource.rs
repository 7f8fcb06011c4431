//! The `Resource` ARN of a Task, taken apart.

use std::fmt;

use crate::optimised;

/// A Task's `Resource`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// A function named by its own ARN: its answer is the result itself.
    Lambda {
        arn: String,
    },
    /// A queue that workers take tasks from with GetActivityTask.
    Activity {
        arn: String,
    },
    Integration(Integration),
}

/// Why a text is no [`Resource`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAResource {
    /// It is no ARN at all.
    NotAnArn,
    /// It is an ARN of nothing a Task can call.
    Unknown,
}

impl Resource {
    /// Takes a Task's `Resource` apart, in any partition.
    pub fn parse(text: &str) -> Result<Resource, NotAResource> {
        let rest = text.strip_prefix("arn:").ok_or(NotAResource::NotAnArn)?;
        let mut parts = rest.splitn(5, ':');
        let mut part = || parts.next().ok_or(NotAResource::Unknown);
        let (partition, service, region, account, resource) = (part()?, part()?, part()?, part()?, part()?);
        if !is_partition(partition) {
            return Err(NotAResource::Unknown);
        }
        let here = !region.is_empty() && !account.is_empty();
        let named = |kind: &str| resource.strip_prefix(kind).is_some_and(|name| !name.is_empty());
        let arn = text.to_owned();
        match service {
            "lambda" if here && named("function:") => Ok(Resource::Lambda { arn }),
            "states" if here && named("activity:") => Ok(Resource::Activity { arn }),
            // AWS: region and account may be filled in as well as left out (from definitions in public repositories).
            "states" if here || (region.is_empty() && account.is_empty()) => {
                Integration::parse(text, resource).map(Resource::Integration)
            }
            _ => Err(NotAResource::Unknown),
        }
    }

    /// True when a client may end the task with its task token: the call's return is not its end. The client of an activity is
    /// a worker that took the task out of its queue.
    // AWS: the tasks of jobs take one, too, as recorded for `startExecution.sync`.
    pub fn takes_token(&self) -> bool {
        match self {
            Resource::Integration(on) => on.pattern != Pattern::RequestResponse,
            Resource::Activity { .. } => true,
            Resource::Lambda { .. } => false,
        }
    }

    /// True when the call starts a job, whose end is the task's: `.sync`.
    pub fn is_job(&self) -> bool {
        match self {
            Resource::Integration(on) => matches!(on.pattern, Pattern::Sync | Pattern::Sync2),
            Resource::Lambda { .. } | Resource::Activity { .. } => false,
        }
    }

    /// True when the call of one attempt can be made twice and is made once: its target recognises the attempt. A nested
    /// execution has a name that follows from the attempt that starts it.
    pub fn is_repeatable(&self) -> bool {
        match self {
            Resource::Integration(on) => on.service == "states",
            Resource::Lambda { .. } | Resource::Activity { .. } => false,
        }
    }
}

/// `aws`, `aws-cn`, `aws-us-gov`, `aws-eusc`, `aws-iso-b` and whatever comes next.
pub(crate) fn is_partition(text: &str) -> bool {
    text == "aws" || text.strip_prefix("aws-").is_some_and(|rest| !rest.is_empty())
}

/// `arn:PARTITION:states:::SERVICE:ACTION[.PATTERN]`, perhaps with a region and an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Integration {
    pub arn: String,
    /// `lambda`, `sqs`, `aws-sdk:s3`: what events call `resourceType`.
    pub service: String,
    /// `invoke`, `sendMessage`: without the pattern.
    pub action: String,
    pub pattern: Pattern,
}

impl Integration {
    /// `resource` is what stands behind the account: `SERVICE:ACTION[.PATTERN]`.
    fn parse(arn: &str, resource: &str) -> Result<Integration, NotAResource> {
        let (call, pattern) = Pattern::split(resource);
        let (service, action) = call.rsplit_once(':').ok_or(NotAResource::Unknown)?;
        let known = match service.strip_prefix("aws-sdk:") {
            Some(client) => is_sdk_call(client, action, pattern),
            None => optimised::supports(service, action, pattern),
        };
        if !known {
            return Err(NotAResource::Unknown);
        }
        Ok(Integration { arn: arn.to_owned(), service: service.to_owned(), action: action.to_owned(), pattern })
    }

    /// An argument that every call has beside what the definition says.
    // AWS: the one of `ecs:runTask.sync` stands last among the parameters of TaskScheduled (captured in 2026).
    pub fn fixed_argument(&self) -> Option<(&'static str, &'static str)> {
        let starts_task = self.service == "ecs" && self.action == "runTask";
        (starts_task && self.pattern == Pattern::Sync).then_some(("StartedBy", "AWS Step Functions"))
    }

    /// The action with its pattern, as events call `resource`: `sendMessage.waitForTaskToken`.
    pub fn resource(&self) -> String {
        format!("{}{}", self.action, self.pattern)
    }
}

/// How long a Task stays with what it called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    RequestResponse,
    Sync,
    Sync2,
    WaitForTaskToken,
}

impl Pattern {
    const SUFFIXES: [(&'static str, Pattern); 3] =
        [(".sync:2", Pattern::Sync2), (".sync", Pattern::Sync), (".waitForTaskToken", Pattern::WaitForTaskToken)];

    fn split(call: &str) -> (&str, Pattern) {
        let found = Self::SUFFIXES.iter().find_map(|(suffix, pattern)| Some((call.strip_suffix(suffix)?, *pattern)));
        found.unwrap_or((call, Pattern::RequestResponse))
    }
}

/// Any action of any client: AWS knows their names and we do not, so a wrong one fails only when it is called.
// AWS: calls through the SDK can wait for a token but not for a job.
fn is_sdk_call(client: &str, action: &str, pattern: Pattern) -> bool {
    let letters = |text: &str| !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric());
    letters(client)
        && !client.contains(|letter: char| letter.is_ascii_uppercase())
        && letters(action)
        && action.starts_with(|letter: char| letter.is_ascii_lowercase())
        && matches!(pattern, Pattern::RequestResponse | Pattern::WaitForTaskToken)
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pattern::RequestResponse => "",
            Pattern::Sync => ".sync",
            Pattern::Sync2 => ".sync:2",
            Pattern::WaitForTaskToken => ".waitForTaskToken",
        })
    }
}
