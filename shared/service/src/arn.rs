//! The ARNs of Step Functions, in any partition: taken apart, checked, put together.
//!
//! An ARN of another account or region is well-formed; what it names does not exist here. The ARN of a version or an
//! alias is its machine's with a [`Qualifier`] behind it: `stateMachine:NAME:7`, `stateMachine:NAME:live`.

use crate::error::ApiError;
use engine::Settings;

/// The kinds of things that ARNs name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    StateMachine,
    Execution,
    Express,
    MapRun,
    Activity,
}

impl Kind {
    const ALL: [Kind; 5] = [Kind::StateMachine, Kind::Execution, Kind::Express, Kind::MapRun, Kind::Activity];

    fn name(self) -> &'static str {
        match self {
            Kind::StateMachine => "stateMachine",
            Kind::Execution => "execution",
            Kind::Express => "express",
            Kind::MapRun => "mapRun",
            Kind::Activity => "activity",
        }
    }

    /// How many parts follow it, at least and at most.
    fn parts(self) -> (usize, usize) {
        match self {
            Kind::StateMachine => (1, 2),
            Kind::Execution | Kind::MapRun => (2, 2),
            Kind::Express => (3, 3),
            Kind::Activity => (1, 1),
        }
    }
}

/// Checks that `text` is an ARN of one of `kinds`.
pub(crate) fn expect(text: &str, kinds: &[Kind]) -> Result<Kind, ApiError> {
    let resource = states_resource(text)?;
    let (name, rest) = resource.split_once(':').unwrap_or((resource, ""));
    // AWS: observed for `express` in DescribeExecution and `execution` in StartExecution.
    let out_of_place = || ApiError::InvalidArn(format!("Resource type not valid in this context: {name}"));
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(out_of_place)?;
    if !kinds.contains(&kind) {
        return Err(out_of_place());
    }
    let (least, most) = kind.parts();
    let count = rest.split(':').count();
    if rest.split(':').any(str::is_empty) || count < least || count > most {
        // AWS: unverified.
        return Err(ApiError::InvalidArn(format!("Invalid ARN resource: {text}")));
    }
    Ok(kind)
}

/// An ARN of a state machine.
pub(crate) fn machine(text: &str) -> Result<(), ApiError> {
    expect(text, &[Kind::StateMachine]).map(|_| ())
}

/// An ARN of an execution of a standard workflow.
pub(crate) fn execution(text: &str) -> Result<(), ApiError> {
    expect(text, &[Kind::Execution]).map(|_| ())
}

/// True for the ARN of an execution that a Map Run started: its machine has the label of the Map behind its name.
pub(crate) fn is_labelled(execution: &str) -> bool {
    execution.split(':').nth(6).is_some_and(|machine| machine.contains('/'))
}

/// The end of the ARN of a state machine in that of a version or an alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Qualifier<'a> {
    /// 0 where the digits are no version's number.
    Version(u64),
    Alias(&'a str),
}

/// The ARN of a state machine, and the qualifier behind it.
pub(crate) fn split(text: &str) -> (&str, Option<Qualifier<'_>>) {
    let Some((at, _)) = text.match_indices(':').nth(6) else { return (text, None) };
    let (machine, qualifier) = text.split_at(at);
    let qualifier = qualifier.trim_start_matches(':');
    let is_number = qualifier.bytes().all(|byte| byte.is_ascii_digit());
    let number = || qualifier.parse().ok().filter(|_| !qualifier.starts_with('0')).unwrap_or(0);
    (machine, Some(if is_number { Qualifier::Version(number()) } else { Qualifier::Alias(qualifier) }))
}

pub(crate) fn version(machine: &str, number: u64) -> String {
    format!("{machine}:{number}")
}

pub(crate) fn alias(machine: &str, name: &str) -> String {
    format!("{machine}:{name}")
}

/// The ARN of a role. Whether it exists shows when a task is called with it.
pub(crate) fn role(text: &str) -> Result<(), ApiError> {
    let mut parts = text.splitn(6, ':');
    let arn = parts.next() == Some("arn") && parts.next().is_some_and(is_partition);
    // AWS: unverified for what begins like an ARN and is none.
    if arn && parts.next() == Some("iam") && parts.count() == 3 { Ok(()) } else { Err(invalid_prefix(text)) }
}

/// `stateMachine:NAME` out of `arn:PARTITION:states:REGION:ACCOUNT:stateMachine:NAME`.
fn states_resource(text: &str) -> Result<&str, ApiError> {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (arn, partition, service, region, account, resource) = (next(), next(), next(), next(), next(), next());
    let here = arn == "arn" && is_partition(partition) && service == "states";
    if here && !region.is_empty() && !account.is_empty() && !resource.is_empty() {
        Ok(resource)
    } else {
        Err(invalid_prefix(text))
    }
}

// AWS: observed for texts that are no ARN at all; unverified for those that are nearly one.
fn invalid_prefix(text: &str) -> ApiError {
    ApiError::InvalidArn(format!("Invalid ARN prefix: {text}"))
}

fn is_partition(text: &str) -> bool {
    text == "aws" || text.strip_prefix("aws-").is_some_and(|rest| !rest.is_empty())
}

/// Makes the ARNs of one installation.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    /// `arn:PARTITION:states:REGION:ACCOUNT:`
    prefix: String,
    region: String,
}

impl Home {
    pub fn of(settings: &Settings) -> Home {
        let prefix = format!("arn:{}:states:{}:{}:", settings.partition, settings.region, settings.account);
        Home { prefix, region: settings.region.clone() }
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    pub fn machine(&self, name: &str) -> String {
        format!("{}stateMachine:{name}", self.prefix)
    }

    pub fn activity(&self, name: &str) -> String {
        format!("{}activity:{name}", self.prefix)
    }

    /// The ARN of a KMS key, by that ARN or by the key's ID in this account and region.
    pub fn key(&self, id: &str) -> Option<String> {
        if id.starts_with("arn:") {
            let parts: Vec<&str> = id.splitn(6, ':').collect();
            let named = matches!(parts.get(5), Some(resource) if resource.strip_prefix("key/").is_some_and(|id| !id.is_empty()));
            return (parts.get(2) == Some(&"kms") && named).then(|| id.to_owned());
        }
        let plain = id.len() > 30 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let prefix = self.prefix.replacen(":states:", ":kms:", 1);
        plain.then(|| format!("{prefix}key/{id}"))
    }

    pub fn execution(&self, machine: &str, name: &str) -> String {
        format!("{}execution:{machine}:{name}", self.prefix)
    }

    pub fn express(&self, machine: &str, name: &str, id: &str) -> String {
        format!("{}express:{machine}:{name}:{id}", self.prefix)
    }

    /// The execution that a test of a state shows in its context object.
    // AWS: observed: an Express ARN without the last part.
    pub fn tested(&self, machine: &str, name: &str) -> String {
        format!("{}express:{machine}:{name}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_taken_or_refused_in_the_words_of_aws() {
        let machine = [Kind::StateMachine];
        let execution = [Kind::Execution];
        let cases: [(&str, &[Kind], Result<Kind, &str>); 12] = [
            ("arn:aws:states:us-east-1:123456789012:stateMachine:m", &machine, Ok(Kind::StateMachine)),
            ("arn:aws-cn:states:cn-north-1:123456789012:stateMachine:m", &machine, Ok(Kind::StateMachine)),
            ("arn:aws:states:us-east-1:123456789012:stateMachine:m:7", &machine, Ok(Kind::StateMachine)),
            ("arn:aws-us-gov:states:us-gov-west-1:123456789012:execution:m:e", &execution, Ok(Kind::Execution)),
            ("nonsense", &machine, Err("Invalid ARN prefix: nonsense")),
            ("", &machine, Err("Invalid ARN prefix: ")),
            (
                "arn:aws:lambda:us-east-1:123456789012:function:f",
                &machine,
                Err("Invalid ARN prefix: arn:aws:lambda:us-east-1:123456789012:function:f"),
            ),
            (
                "arn:aws:states:us-east-1:123456789012:express:m:e:u",
                &execution,
                Err("Resource type not valid in this context: express"),
            ),
            (
                "arn:aws:states:us-east-1:123456789012:execution:m:e",
                &machine,
                Err("Resource type not valid in this context: execution"),
            ),
            (
                "arn:aws:states:us-east-1:123456789012:execution:m",
                &machine,
                Err("Resource type not valid in this context: execution"),
            ),
            (
                "arn:aws:states:us-east-1:123456789012:execution:m",
                &execution,
                Err("Invalid ARN resource: arn:aws:states:us-east-1:123456789012:execution:m"),
            ),
            (
                "arn:aws:states:us-east-1:123456789012:stateMachine:",
                &machine,
                Err("Invalid ARN resource: arn:aws:states:us-east-1:123456789012:stateMachine:"),
            ),
        ];
        for (text, kinds, expected) in cases {
            let expected = expected.map_err(|inner| ApiError::InvalidArn(inner.to_owned()));
            assert_eq!(expect(text, kinds), expected, "{text}");
        }
    }

    #[test]
    fn a_qualifier_of_digits_is_a_version_and_any_other_an_alias() {
        let machine = "arn:aws:states:us-east-1:123456789012:stateMachine:m";
        for (text, expected) in [
            (machine.to_owned(), None),
            (version(machine, 7), Some(Qualifier::Version(7))),
            (alias(machine, "live"), Some(Qualifier::Alias("live"))),
            (format!("{machine}:07"), Some(Qualifier::Version(0))),
            (format!("{machine}:99999999999999999999"), Some(Qualifier::Version(0))),
            (format!("{machine}:7a"), Some(Qualifier::Alias("7a"))),
        ] {
            assert_eq!(split(&text), (machine, expected), "{text}");
        }
    }

    #[test]
    fn roles_need_an_arn_of_iam() {
        for (text, good) in [
            ("arn:aws:iam::123456789012:role/r", true),
            ("arn:aws-cn:iam::123456789012:role/service/r", true),
            ("role", false),
            ("arn:aws:iam::123456789012", false),
            ("arn:aws:sqs:us-east-1:123456789012:q", false),
        ] {
            assert_eq!(role(text).is_ok(), good, "{text}");
        }
    }
}
