//! The templates: that they hold in every partition, and say what the adapter expects.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use aws::layout;
use stepwell_tests::python;

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
    for name in ["template.yaml", "function-url.yaml", "private-api.yaml"] {
        let text = std::fs::read_to_string(template(name))?;
        ensure!(!text.contains("arn:aws:"), "{name} names a partition");
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
