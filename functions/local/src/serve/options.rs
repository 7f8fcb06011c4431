//! The flags of `stepwell serve` and their environment names, as Step Functions Local has them where it has them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use embedded::Durability;
use integrations::{AwsCalls, Endpoint, Endpoints, Home, InvalidEndpoint};

use super::log_groups::Destination;
use super::memory;

/// The account that Step Functions Local makes up.
const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";
/// The largest factor on Waits. A larger one is a mistake.
const MOST_SCALE: f64 = 1000.0;
/// A factor of 1, in millionths.
const TIME_UNIT: u64 = 1_000_000;
/// Fewer leave no room to fail in; of more, histories outgrow what their journal can number.
const MOST_EVENTS: std::ops::RangeInclusive<u64> = 100..=10_000_000;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Regions by how they begin, and their partitions. All others are in `aws`.
const PARTITIONS: [(&str, &str); 7] = [
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
    ("eusc-", "aws-eusc"),
];

#[derive(Args)]
pub struct Options {
    /// Address to listen on; other machines reach any but loopback, which needs --tls-terminated-elsewhere and keys, or
    /// --insecure-no-auth
    #[arg(long, default_value = "127.0.0.1", env = "STEPWELL_HOST")]
    pub host: String,
    /// Listen where other machines reach the port, although requests are not authenticated
    #[arg(long, env = "STEPWELL_INSECURE_NO_AUTH", conflicts_with_all = ["require_keys", "tls_terminated_elsewhere"])]
    pub insecure_no_auth: bool,
    /// Refuse requests that no key has signed, also while there is no key yet; a data directory with keys does so anyway
    #[arg(long, env = "STEPWELL_REQUIRE_KEYS")]
    pub require_keys: bool,
    /// A proxy before this server speaks TLS to clients: listen on any address, and require keys
    #[arg(long, env = "STEPWELL_TLS_TERMINATED_ELSEWHERE")]
    pub tls_terminated_elsewhere: bool,
    /// Further name that clients may call this server by (in the header Host), beside IP addresses and localhost
    #[arg(long, value_name = "NAME", value_delimiter = ',', env = "STEPWELL_ALLOWED_HOST")]
    pub allowed_host: Vec<String>,
    /// Port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 8083, env = "STEPWELL_PORT")]
    pub port: u16,
    /// Directory that holds everything; it is made when there is none
    #[arg(long, default_value = "./.stepwell", env = "STEPWELL_DATA_DIR")]
    pub data_dir: PathBuf,
    /// URL of a Lambda API to call functions at, instead of AWS
    #[arg(long, value_name = "URL", env = "LAMBDA_ENDPOINT")]
    pub lambda_endpoint: Option<Endpoint>,
    /// URL of a DynamoDB API for tasks, instead of AWS
    #[arg(long, value_name = "URL", env = "DYNAMODB_ENDPOINT")]
    pub dynamodb_endpoint: Option<Endpoint>,
    /// URL of an SQS API for tasks, instead of AWS
    #[arg(long, value_name = "URL", env = "SQS_ENDPOINT")]
    pub sqs_endpoint: Option<Endpoint>,
    /// URL of an SNS API for tasks, instead of AWS
    #[arg(long, value_name = "URL", env = "SNS_ENDPOINT")]
    pub sns_endpoint: Option<Endpoint>,
    /// URL of an STS API, for the roles of tasks whose service has the same URL
    #[arg(long, value_name = "URL", env = "STS_ENDPOINT")]
    pub sts_endpoint: Option<Endpoint>,
    /// URL of a service's API for tasks, instead of AWS, by the service's name behind aws-sdk: in resources
    /// (s3=http://127.0.0.1:4566); "all" is every service that has none of its own
    #[arg(long, value_name = "SERVICE=URL", value_parser = service_endpoint)]
    pub endpoint: Vec<(String, Endpoint)>,
    /// Services that tasks may call through the SDK at AWS with your credentials: "all", or names with commas between;
    /// Lambda, DynamoDB, SQS and SNS need it for resources that begin with aws-sdk: alone
    #[arg(long, value_name = "SERVICES", default_value = "", env = "STEPWELL_ALLOW_AWS")]
    pub allow_aws: AwsCalls,
    /// File of connections for the tasks of http:invoke, and of hosts that they reach beside those of the public network
    #[arg(long, value_name = "FILE", env = "STEPWELL_CONNECTIONS")]
    pub connections: Option<PathBuf>,
    /// Account in ARNs
    #[arg(long, default_value = ACCOUNT, env = "AWS_ACCOUNT_ID", value_parser = account)]
    pub account: String,
    /// Region in ARNs, and of what tasks call [default: AWS_REGION, else us-east-1]
    #[arg(long, env = "AWS_DEFAULT_REGION", value_parser = region)]
    pub region: Option<String>,
    /// Factor on how long Wait states wait, for executions that start from now on: 0 is not at all
    #[arg(long, value_name = "FACTOR", default_value = "1", env = "WAIT_TIME_SCALE", value_parser = time_scale)]
    pub wait_time_scale: u64,
    /// Factor on how long Retriers wait between attempts, for executions that start from now on: 0 is not at all
    #[arg(long, value_name = "FACTOR", default_value = "1", env = "RETRY_TIME_SCALE", value_parser = time_scale)]
    pub retry_time_scale: u64,
    /// File of mocks (MockConfigFile.json) for executions started with stateMachineArn#TestCase
    #[arg(long, value_name = "FILE", env = "SFN_MOCK_CONFIG")]
    pub mock_config: Option<PathBuf>,
    /// Days for which closed executions are kept
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=36_500), env = "STEPWELL_RETENTION_DAYS")]
    pub retention_days: u32,
    /// Events of a history at most, for Standard executions that start from now on
    #[arg(long, value_name = "EVENTS", default_value_t = 25_000, value_parser = clap::value_parser!(u64).range(MOST_EVENTS), env = "STEPWELL_MAX_EVENTS")]
    pub max_events: u64,
    /// Task calls in flight at most
    #[arg(long, value_name = "CALLS", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000), env = "STEPWELL_MAX_CALLS")]
    pub max_calls: u32,
    /// Executions that run or are due within a second at most; more starts are throttled
    #[arg(long, value_name = "EXECUTIONS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000), env = "STEPWELL_MAX_ACTIVE_EXECUTIONS")]
    pub max_active_executions: u32,
    /// MiB of memory that executions, definitions, request bodies and responses may take together, about; what would pass it
    /// waits or is throttled [default: half of what the machine or the container has]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(64..), env = "STEPWELL_MEMORY")]
    pub memory: Option<u32>,
    /// Seconds that a stop (SIGTERM, Ctrl-C) waits for task calls in flight; a second signal stops at once
    #[arg(long, value_name = "SECONDS", default_value_t = 25, value_parser = clap::value_parser!(u32).range(0..=900), env = "STEPWELL_DRAIN_SECONDS")]
    pub drain_seconds: u32,
    /// Discard the asynchronous Express executions that had not ended when the last process did, instead of running them
    /// again
    #[arg(long, env = "STEPWELL_DISCARD_EXPRESS")]
    pub discard_express: bool,
    /// Failures that an acknowledged request survives
    #[arg(long, value_enum, default_value_t = Promise::Full, env = "STEPWELL_DURABILITY")]
    pub durability: Promise,
    /// Where the log records of executions go whose state machine has a loggingConfiguration: a directory, with a file for
    /// each log group, or - for standard output; without it they go nowhere
    #[arg(long, value_name = "DIR", env = "STEPWELL_LOG_GROUPS")]
    pub log_groups: Option<PathBuf>,
    /// Least level of log messages on standard error: error, warn, info, debug, or tracing's filter directives
    #[arg(long, default_value = "warn", env = "STEPWELL_LOG_LEVEL")]
    pub log_level: String,
}

/// Failures that an acknowledged request survives.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Promise {
    /// Power loss: the disk has it before the answer
    Full,
    /// The end of the process, however it comes; power loss may take the last seconds
    Relaxed,
}

impl Options {
    /// The names of this server, beside IP addresses and `localhost`.
    pub fn host_names(&self) -> impl Iterator<Item = String> + use<> {
        [self.host.clone()].into_iter().chain(self.allowed_host.clone())
    }

    /// The filter of the log: what `--log-level` says, and the audit unless that says something about it.
    pub fn log_directives(&self) -> String {
        let level = &self.log_level;
        if level.contains("audit") { level.clone() } else { format!("{level},audit=info") }
    }

    /// Where log records go, if they go anywhere.
    pub fn log_groups(&self) -> Option<Destination> {
        self.log_groups.as_deref().map(Destination::from)
    }

    pub fn drain_time(&self) -> Duration {
        Duration::from_secs(u64::from(self.drain_seconds))
    }

    pub fn calls(&self) -> usize {
        usize::try_from(self.max_calls).unwrap_or(usize::MAX)
    }

    pub fn active_executions(&self) -> usize {
        usize::try_from(self.max_active_executions).unwrap_or(usize::MAX)
    }

    /// The memory budget, in bytes.
    pub fn memory(&self) -> usize {
        let bytes = self.memory.map_or_else(|| memory::available() / 2, |mib| u64::from(mib) << 20);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    pub fn directory(&self) -> embedded::Options {
        let durability = match self.durability {
            Promise::Full => Durability::Full,
            Promise::Relaxed => Durability::Normal,
        };
        embedded::Options { durability, retention: DAY * self.retention_days }
    }

    /// A line for each time scale that is not 1: what it scales, and what it does not.
    pub fn scales(&self) -> impl Iterator<Item = String> {
        let waits = (self.wait_time_scale, "--wait-time-scale", "Wait states wait", "retries, timeouts or heartbeats");
        let retries = (
            self.retry_time_scale,
            "--retry-time-scale",
            "Retriers wait between attempts",
            "Wait states, timeouts or heartbeats",
        );
        let scaled = [waits, retries].into_iter().filter(|(millionths, ..)| *millionths != TIME_UNIT);
        scaled.map(|(millionths, flag, what, not)| {
            let scale = millionths as f64 / TIME_UNIT as f64;
            format!("{flag} {scale}: {what} {scale} times as long; it does not scale {not}")
        })
    }

    /// The own endpoints of the services that tasks call. That of Step Functions is for state machines that are not here.
    pub fn endpoints(&self) -> Result<Endpoints, InvalidEndpoint> {
        let given = [
            ("lambda", &self.lambda_endpoint),
            ("dynamodb", &self.dynamodb_endpoint),
            ("sns", &self.sns_endpoint),
            ("sqs", &self.sqs_endpoint),
            ("sts", &self.sts_endpoint),
        ];
        let given = given.into_iter().filter_map(|(service, endpoint)| Some((service, endpoint.clone()?)));
        let given = given.chain(self.endpoint.iter().map(|(service, endpoint)| (service.as_str(), endpoint.clone())));
        Ok(given.fold(Endpoints::from_environment()?, |endpoints, (service, endpoint)| match service {
            "all" => endpoints.with_others_at(endpoint),
            service => endpoints.with(service, endpoint),
        }))
    }

    /// Where the installation is at home.
    pub fn home(&self) -> Home {
        let elsewhere = std::env::var("AWS_REGION").ok().and_then(|text| region(&text).ok());
        let region = self.region.clone().or(elsewhere).unwrap_or_else(|| REGION.to_owned());
        Home { partition: partition(&region).to_owned(), region, account: self.account.clone() }
    }
}

fn partition(region: &str) -> &'static str {
    let found = PARTITIONS.iter().find(|(start, _)| region.starts_with(start));
    found.map_or("aws", |(_, partition)| partition)
}

fn service_endpoint(text: &str) -> Result<(String, Endpoint), String> {
    let (service, url) = text.split_once('=').ok_or("it should look like s3=http://127.0.0.1:4566")?;
    Ok((service.to_ascii_lowercase(), url.parse().map_err(|error: InvalidEndpoint| error.to_string())?))
}

fn account(text: &str) -> Result<String, String> {
    let good = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if good { Ok(text.to_owned()) } else { Err("an account has 12 digits".to_owned()) }
}

/// A factor in millionths: what is stored with an execution compares exactly.
fn time_scale(text: &str) -> Result<u64, String> {
    let scale: Option<f64> = text.parse().ok().filter(|scale| (0.0..=MOST_SCALE).contains(scale));
    let scale = scale.ok_or_else(|| format!("a factor is a number from 0 to {MOST_SCALE}"))?;
    Ok((scale * TIME_UNIT as f64).round() as u64)
}

fn region(text: &str) -> Result<String, String> {
    let good = !text.is_empty()
        && text.len() <= 32
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if good { Ok(text.to_owned()) } else { Err("a region looks like us-east-1".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_tells_its_partition() {
        let cases = [
            ("eu-central-1", "aws"),
            ("cn-northwest-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-isob-east-1", "aws-iso-b"),
            ("us-iso-east-1", "aws-iso"),
            ("eusc-de-east-1", "aws-eusc"),
        ];
        for (region, expected) in cases {
            assert_eq!(partition(region), expected, "{region}");
        }
    }

    #[test]
    fn a_factor_on_times_is_kept_in_millionths() {
        let cases = [("1", 1_000_000), ("0", 0), ("0.5", 500_000), ("2", 2_000_000), ("1e-6", 1)];
        for (text, expected) in cases {
            assert_eq!(time_scale(text), Ok(expected), "{text}");
        }
        for text in ["", "fast", "-1", "NaN", "inf", "1001"] {
            assert!(time_scale(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_a_time_scale_scales_is_said_for_those_that_are_not_one() {
        #[derive(clap::Parser)]
        struct Serve {
            #[command(flatten)]
            options: Options,
        }
        let said = |flags: &[&str]| -> Vec<String> {
            let parsed = <Serve as clap::Parser>::try_parse_from([&["serve"], flags].concat());
            parsed.map(|serve| serve.options.scales().collect()).unwrap_or_default()
        };
        assert!(said(&["--wait-time-scale", "1", "--retry-time-scale", "1"]).is_empty());
        let both = said(&["--wait-time-scale", "0", "--retry-time-scale", "0.25"]);
        assert_eq!(
            both,
            [
                "--wait-time-scale 0: Wait states wait 0 times as long; it does not scale retries, timeouts or heartbeats",
                "--retry-time-scale 0.25: Retriers wait between attempts 0.25 times as long; it does not scale Wait states, \
                 timeouts or heartbeats",
            ]
        );
        assert!(said(&["--retry-time-scale", "-1"]).is_empty());
    }

    #[test]
    fn accounts_and_regions_that_would_break_an_arn_are_refused() {
        assert!(account("000000000000").is_ok() && account("12345").is_err() && account("12345678901x").is_err());
        assert!(region("us-east-1").is_ok() && region("us:east").is_err() && region("").is_err());
    }
}
