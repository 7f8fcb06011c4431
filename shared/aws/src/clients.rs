//! The SDK's clients, as patient as the store's callers need them to be.
//!
//! Both are built from one `SdkConfig`: endpoint, region, credentials and the HTTP client come from there, so an
//! emulator is one setting of the caller. How often and how long to try is decided here, whatever the environment says:
//! the holder of an execution waits for the answer, and has to hear an error before its own time is over.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;

use crate::installation::present;

/// Tries of one request. Pauses between them grow from [`FIRST_PAUSE`] to [`LONGEST_PAUSE`], each cut at random.
const TRIES: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// One try: an item of 400 KB or a page of 1 MB takes tens of milliseconds; more than this is a lost connection.
const ONE_TRY: Duration = Duration::from_secs(3);
const CONNECTING: Duration = Duration::from_secs(2);
/// All tries and pauses together.
const ALL_TRIES: Duration = Duration::from_secs(10);

/// A service's settings in a function's environment, in the SDK's names: keys, `AWS_ENDPOINT_URL` and that of one
/// service (`AWS_ENDPOINT_URL_DYNAMODB`), `AWS_USE_FIPS_ENDPOINT`, `AWS_USE_DUALSTACK_ENDPOINT`.
///
/// Not by `aws_config::defaults`: that also looks for profiles, roles, containers and instances, which no function has,
/// and brings a client of STS along to ask them, more than a megabyte of every binary.
pub fn config(region: &str, service: &str) -> SdkConfig {
    let is_set = |name: &str| present(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .use_fips(is_set("AWS_USE_FIPS_ENDPOINT"))
        .use_dual_stack(is_set("AWS_USE_DUALSTACK_ENDPOINT"));
    config.set_endpoint_url(present(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| present("AWS_ENDPOINT_URL")));
    config.build()
}

/// A client of DynamoDB for [`crate::Table`].
pub fn dynamodb(config: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::config::Builder::from(config)
        .behavior_version(BehaviorVersion::latest())
        .retry_config(retries())
        .timeout_config(timeouts())
        .build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

/// A client of SQS for [`crate::WorkQueue`].
pub fn sqs(config: &SdkConfig) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::config::Builder::from(config)
        .behavior_version(BehaviorVersion::latest())
        .retry_config(retries())
        .timeout_config(timeouts())
        .build();
    aws_sdk_sqs::Client::from_conf(config)
}

/// The SDK's standard mode: throttling, server errors and lost connections are tried again with exponential back-off and
/// full jitter. Not the adaptive mode: it would slow down all executions because the partition of one is hot.
fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(TRIES).with_initial_backoff(FIRST_PAUSE).with_max_backoff(LONGEST_PAUSE)
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECTING)
        .operation_attempt_timeout(ONE_TRY)
        .operation_timeout(ALL_TRIES)
        .build()
}
