//! Data of released layouts is read and continued by the code of today, and data of a newer one is refused.
//!
//! `src/golden_journals.rs` says what goldens are and how one is written; `README.md` here has the rule. The input to
//! the code of today is held to the same as the goldens, so that a golden that is written later is known to be good.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use interpreter::Timestamp;
use serde_json::json;
use stepwell_tests::golden_journals::{
    AWAY_MS, Expected, Functions, Shapes, asked_for, directory, goldens, have_a_golden, table, write_once,
};
use stepwell_tests::server::Server;

/// Opens a directory days after it was left, finds everything in it, and sees it end; the shapes there are afterwards.
async fn go_on_in_a_directory(sql: &str, expected: &Expected) -> Result<Shapes> {
    let (home, functions) = (directory::restored(sql)?, Functions::well());
    let now = Timestamp(expected.at + AWAY_MS);
    let world = directory::Reopened::at(home.path().to_owned(), now, &functions).await?;
    expected.is_found(&world).await?;
    expected.goes_on(&world, &functions).await?;
    directory::shapes(home.path())
}

/// The same in a table.
async fn go_on_in_a_table(items: &str, expected: &Expected) -> Result<Shapes> {
    let functions = Functions::well();
    let now = Timestamp(expected.at + AWAY_MS);
    let world = table::Fleet::restored(items, now, functions.clone()).await?;
    expected.is_found(&world).await?;
    expected.goes_on(&world, &functions).await?;
    table::shapes(&table::items(&world.cloud.dynamo)?)
}

#[tokio::test]
async fn every_golden_directory_is_read_and_gone_on_with() -> Result<()> {
    for golden in goldens()?.into_iter().filter(|golden| golden.join("directory.sql").exists()) {
        let sql = fs::read_to_string(golden.join("directory.sql"))?;
        let expected = Expected::read(&fs::read_to_string(golden.join("directory.expected.json"))?)?;
        go_on_in_a_directory(&sql, &expected).await.with_context(|| golden.display().to_string())?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn every_golden_table_is_read_and_gone_on_with() -> Result<()> {
    for golden in goldens()?.into_iter().filter(|golden| golden.join("table.json").exists()) {
        let items = fs::read_to_string(golden.join("table.json"))?;
        let expected = Expected::read(&fs::read_to_string(golden.join("table.expected.json"))?)?;
        go_on_in_a_table(&items, &expected).await.with_context(|| golden.display().to_string())?;
    }
    Ok(())
}

#[tokio::test]
async fn a_directory_of_today_is_gone_on_with_and_its_layout_has_a_golden() -> Result<()> {
    let (sql, expected) = directory::told().await?;
    if let Some(golden) = asked_for()? {
        write_once(&golden.join("directory.sql"), &sql)?;
        write_once(&golden.join("directory.expected.json"), &expected.written()?)?;
    }
    let today = go_on_in_a_directory(&sql, &expected).await?;
    let mut kept = Shapes::new();
    for golden in goldens()? {
        if let Ok(sql) = fs::read_to_string(golden.join("directory.sql")) {
            kept.extend(directory::shapes(directory::restored(&sql)?.path())?);
        }
    }
    have_a_golden(&today, &kept)
}

#[tokio::test(start_paused = true)]
async fn a_table_of_today_is_gone_on_with_and_its_layout_has_a_golden() -> Result<()> {
    let (items, expected) = table::told().await?;
    if let Some(golden) = asked_for()? {
        write_once(&golden.join("table.json"), &items)?;
        write_once(&golden.join("table.expected.json"), &expected.written()?)?;
    }
    let today = go_on_in_a_table(&items, &expected).await?;
    let mut kept = Shapes::new();
    for golden in goldens()? {
        if let Ok(items) = fs::read_to_string(golden.join("table.json")) {
            kept.extend(table::shapes(&table::items_of(&items)?)?);
        }
    }
    have_a_golden(&today, &kept)
}

/// On the real `serve`, whose log is what an operator has.
#[tokio::test]
async fn what_is_newer_in_a_directory_is_refused_and_the_rest_is_read() -> Result<()> {
    // The last one that has every kind of row.
    let has_all = |golden: &PathBuf| {
        fs::read_to_string(golden.join("directory.sql")).is_ok_and(|sql| sql.contains("INSERT INTO starts"))
    };
    let golden = goldens()?.into_iter().rfind(has_all).context("no golden")?;
    let expected = Expected::read(&fs::read_to_string(golden.join("directory.expected.json"))?)?;
    let home = directory::restored(&fs::read_to_string(golden.join("directory.sql"))?)?;
    let (closed, newer) = (expected.closed().context("none is closed")?, expected.open().context("none is open")?);
    let machine = expected.machine().context("no machine")?;
    directory::leave_newer(home.path(), newer, machine)?;
    // Nothing listens there: executions that continue call no function.
    let flags = ["--retention-days", "36500", "--lambda-endpoint", "http://127.0.0.1:1"];
    let server = Server::start(home.path(), &flags).await?;
    let description = server.client().describe(closed).await?;
    ensure!(description["executionArn"] == closed, "{description}");
    let calls = [
        ("DescribeExecution", json!({"executionArn": newer})),
        ("GetExecutionHistory", json!({"executionArn": newer})),
        ("StopExecution", json!({"executionArn": newer})),
        ("DescribeStateMachine", json!({"stateMachineArn": machine})),
        ("StartExecution", json!({"stateMachineArn": machine})),
    ];
    for (action, members) in calls {
        let refusal = server.client().call(action, &members).await;
        let refusal = refusal.err().with_context(|| format!("{action} read what is newer"))?;
        ensure!(refusal.kind() == "InternalFailure", "{action}: {refusal}");
    }
    let log = server.log_text();
    for says in [
        "the entry has format 999; this version of Stepwell reads up to",
        "it has format 999, and this version reads up to",
        "the start has format 999",
    ] {
        ensure!(log.contains(says), "{says}? {log}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn newer_items_and_entries_in_a_table_are_refused_and_left_alone() -> Result<()> {
    let golden = goldens()?.pop().context("no golden")?;
    let expected = Expected::read(&fs::read_to_string(golden.join("table.expected.json"))?)?;
    let items = fs::read_to_string(golden.join("table.json"))?;
    // {"v":999}
    let newer = [("v", json!({"N": "999"})), ("body", json!({"B": "eyJ2Ijo5OTl9"}))];
    let says = [
        "has format 999, and this version of Stepwell reads up to",
        "format 999; this version of Stepwell reads up to",
    ];
    for ((attribute, value), says) in newer.into_iter().zip(says) {
        let world = table::Fleet::restored(&items, Timestamp(expected.at), Functions::well()).await?;
        let execution = expected.open().context("none is open")?;
        world.cloud.spoil(execution, "r0000000000", attribute, value)?;
        let before = table::items(&world.cloud.dynamo)?;
        let why = world.why_not(execution).await.context("it was driven")?;
        ensure!(why.contains(says), "{why}");
        ensure!(table::items(&world.cloud.dynamo)? == before, "something was written");
    }
    Ok(())
}
