//! The templates: that they hold in every partition, allow no more than is needed, and say what the adapter expects.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use aws::layout;
use serde_json::Value;
use stepwell_tests::python;

const TRANSLATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/translate.py");
const INFRA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra");
/// One region of each of these partitions: aws, aws-cn, aws-us-gov, aws-iso.
const REGIONS: [&str; 4] = ["us-east-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1"];

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{command:?}:\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(text)
}

fn template(name: &str) -> PathBuf {
    Path::new(INFRA).join(name)
}

#[test]
fn the_templates_hold_in_every_partition() -> Result<()> {
    let Some(tools) = python::deploy_tools()? else { return Ok(()) };
    let lint = || Command::new(tools.join("cfn-lint"));
    run(lint().arg(template("template.yaml")).arg("--regions").args(REGIONS))?;
    run(lint().arg(template("function-url.yaml")).arg(template("private-api.yaml")).args(["--regions", "us-east-1"]))?;
    let mut sam = Command::new(tools.join("sam"));
    sam.args(["validate", "--lint", "--region", "us-east-1", "--template"]).arg(template("template.yaml"));
    run(sam.env("SAM_CLI_TELEMETRY", "0"))?;
    Ok(())
}

/// What CloudFormation makes of the template in a region.
fn translated(tools: &Path, region: &str) -> Result<Value> {
    let mut translate = Command::new(tools.join("python"));
    let text = run(translate.arg(TRANSLATE).arg(template("template.yaml")).arg(region))?;
    Ok(serde_json::from_str(&text)?)
}

/// Every text in a document, those of keys not.
fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|member| texts(member, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Every statement that allows something, wherever it stands.
fn allowed<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(members) => {
            if members.get("Effect").is_some_and(|effect| effect == "Allow") {
                found.push(value);
            }
            members.values().for_each(|member| allowed(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| allowed(item, found)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn no_translation_names_a_partition_or_allows_more_than_is_needed() -> Result<()> {
    let Some(tools) = python::deploy_tools()? else { return Ok(()) };
    for region in REGIONS {
        let document = translated(&tools, region)?;
        let (mut everywhere, mut statements) = (Vec::new(), Vec::new());
        texts(&document["Resources"], &mut everywhere);
        for text in everywhere {
            ensure!(!text.contains("arn:aws"), "{region}: a partition in {text}");
            // A service's name as a principal is the same in every partition; a host is not.
            let principal = text.strip_suffix(".amazonaws.com").is_some_and(|service| !service.contains(['.', '/']));
            ensure!(principal || !text.contains("amazonaws"), "{region}: a host in {text}");
        }
        allowed(&document, &mut statements);
        ensure!(statements.len() > 15, "{region}: only {} statements", statements.len());
        for statement in statements {
            let mut what = Vec::new();
            texts(&statement["Action"], &mut what);
            texts(&statement["Resource"], &mut what);
            ensure!(what.iter().all(|text| !text.contains('*')), "{region}: too wide: {statement}");
            ensure!(statement["Principal"] != "*", "{region}: for everybody: {statement}");
        }
    }
    for name in ["function-url.yaml", "private-api.yaml"] {
        let text = std::fs::read_to_string(template(name))?;
        ensure!(!text.contains("arn:aws"), "{name} names a partition");
    }
    Ok(())
}

#[test]
fn the_template_keeps_what_is_kept_and_watches_what_may_go_wrong() -> Result<()> {
    let Some(tools) = python::deploy_tools()? else { return Ok(()) };
    let document = translated(&tools, "us-east-1")?;
    let resources = document["Resources"].as_object().context("no resources")?;
    for name in ["Table", "Queue", "DeadLetters"] {
        let kept = ["DeletionPolicy", "UpdateReplacePolicy"].map(|policy| &resources[name][policy]);
        ensure!(kept == ["Retain", "Retain"], "{name} goes with the stack");
    }
    for name in ["Queue", "DeadLetters"] {
        ensure!(resources[name]["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 3600, "{name} forgets");
    }
    ensure!(document["Parameters"]["MaximumConcurrency"]["Default"] == 200);
    let scaling = &resources["WorkerMessages"]["Properties"]["ScalingConfig"];
    ensure!(scaling["MaximumConcurrency"]["Ref"] == "MaximumConcurrency", "{scaling}");
    for name in ["Api", "Worker"] {
        ensure!(resources[name]["Properties"]["RecursiveLoop"] == "Allow", "{name} is stopped after 16 hops");
    }
    // No client may call it without a signature, unless a parameter says so.
    ensure!(document["Parameters"]["Access"]["Default"] == "IAM_URL");
    let groups: Vec<_> = resources.values().filter(|resource| resource["Type"] == "AWS::Logs::LogGroup").collect();
    ensure!(groups.len() == 3 && groups.iter().all(|group| !group["Properties"]["RetentionInDays"].is_null()));
    let alarm = |metric: &str, of: &str| {
        resources.values().any(|resource| {
            let (metrics, dimensions) = (&resource["Properties"]["MetricName"], &resource["Properties"]["Dimensions"]);
            metrics == metric && dimensions.to_string().contains(of)
        })
    };
    let watched = [
        ("ApproximateNumberOfMessagesVisible", "DeadLetters"),
        ("ApproximateAgeOfOldestMessage", "Queue"),
        ("Errors", "Api"),
        ("Errors", "Worker"),
        ("Errors", "Clock"),
        ("Throttles", "Api"),
        ("Throttles", "Worker"),
        ("WriteThrottleEvents", "Table"),
    ];
    let throttled = layout::INDEXES.map(|index| ("WriteThrottleEvents", index.name));
    for (metric, of) in watched.into_iter().chain(throttled) {
        ensure!(alarm(metric, of), "no alarm for {metric} of {of}");
    }
    Ok(())
}

#[test]
fn the_template_makes_the_table_that_the_adapter_expects() -> Result<()> {
    let text = std::fs::read_to_string(template("template.yaml"))?;
    let says = |line: String| -> Result<()> {
        ensure!(text.contains(&line), "the template does not say {line}");
        Ok(())
    };
    let key = |(name, role): (&str, &str)| says(format!("{{ AttributeName: {name}, KeyType: {role} }}"));
    key((layout::TABLE_KEY[0].0, "HASH"))?;
    key((layout::TABLE_KEY[1].0, "RANGE"))?;
    says(format!("AttributeName: {}, Enabled: true", layout::TIME_TO_LIVE))?;
    for index in layout::INDEXES {
        says(format!("IndexName: {}", index.name))?;
        key((index.partition.0, "HASH"))?;
        key((index.sort.0, "RANGE"))?;
        if !index.holds.is_empty() {
            says(format!("NonKeyAttributes: [{}]", index.holds.join(", ")))?;
        }
    }
    Ok(())
}
