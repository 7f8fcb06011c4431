//! Logs of the functions: lines on standard output, as JSON if `AWS_LAMBDA_LOG_FORMAT` says so.
//!
//! The level is that of Lambda's settings (`AWS_LAMBDA_LOG_LEVEL`, else `INFO`); `RUST_LOG` may say others for single
//! targets. Below `DEBUG` there is nothing in release builds. Not the runtime's own way to begin logs: it can choose lines
//! by the values of their fields too, which no setting here uses and which would be part of every binary.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::installation::present;

/// Begins to log. Once in a process's life.
pub fn begin() {
    let is_json = present("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json"));
    let filter = filter(present("AWS_LAMBDA_LOG_LEVEL").as_deref(), present("RUST_LOG").as_deref());
    // Lambda writes the time beside each line.
    let lines = || tracing_subscriber::fmt::layer().with_target(false).without_time();
    let filtered = tracing_subscriber::registry().with(filter);
    if is_json { filtered.with(lines().json()).init() } else { filtered.with(lines()).init() }
}

fn filter(level: Option<&str>, targets: Option<&str>) -> Targets {
    let targets: Targets = targets.and_then(|targets| targets.parse().ok()).unwrap_or_default();
    let level = level.map(|level| match level {
        // Nothing is worse than an error here.
        "FATAL" => LevelFilter::ERROR,
        level => level.parse().unwrap_or(LevelFilter::INFO),
    });
    let level = level.or_else(|| targets.default_level()).unwrap_or(LevelFilter::INFO);
    targets.with_default(level)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn lambdas_setting_is_the_level_and_single_targets_may_have_others() {
        let cases = [
            (None, None, Level::INFO, Level::INFO),
            (Some("DEBUG"), None, Level::DEBUG, Level::DEBUG),
            (Some("FATAL"), None, Level::ERROR, Level::ERROR),
            (Some("LOUD"), None, Level::INFO, Level::INFO),
            (None, Some("warn"), Level::WARN, Level::WARN),
            (Some("WARN"), Some("hyper=trace"), Level::WARN, Level::TRACE),
            (None, Some("error,hyper=debug"), Level::ERROR, Level::DEBUG),
        ];
        for (level, targets, ours, hypers) in cases {
            let filter = filter(level, targets);
            for (target, most) in [("service", ours), ("hyper::client", hypers)] {
                let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
                for one in levels {
                    assert_eq!(filter.would_enable(target, &one), one <= most, "{level:?} {targets:?} {target} {one}");
                }
            }
        }
    }
}
