//! The cost of workflows on AWS: counted over the adapter, held to what the design promises, and written down as
//! `infra/costs.md`, which `UPDATE_GOLDEN=1` rewrites.

use std::fmt::Write;
use std::fs;
use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use stepwell_tests::cost_model::{Bill, CostModel, QUEUE, STORE, Workflow};

const SHEET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/costs.md");
const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:work";

/// Dollars in us-east-1, per million where AWS says so: the only place where a price stands.
const WRITE_UNITS: f64 = 0.625;
const READ_UNITS: f64 = 0.125;
/// 0.40, and 0.10 more where messages have a group, as ours do. AWS: unverified whether that counts for receiving and
/// deleting; here it does.
const QUEUE_REQUESTS: f64 = 0.50;
const INVOCATIONS: f64 = 0.20;
/// Of arm64, per second and GB.
const GB_SECOND: f64 = 0.000_013_333_4;
const STORED_GB_MONTH: f64 = 0.25;
/// For the point-in-time recovery that the template switches on; in no column.
const RECOVERABLE_GB_MONTH: f64 = 0.20;
const LOGGED_GB: f64 = 0.50;
/// Step Functions' own, Standard, per million transitions.
const STANDARD: f64 = 25.0;
/// The sheet's table of them: what for, dollars, per what, and the page of AWS that has it.
const PRICES: [(&str, f64, &str, &str); 9] = [
    ("DynamoDB, writing on demand", WRITE_UNITS, "million write units", "dynamodb/pricing/on-demand"),
    ("DynamoDB, reading on demand", READ_UNITS, "million read units", "dynamodb/pricing/on-demand"),
    ("DynamoDB, storing", STORED_GB_MONTH, "GB and month", "dynamodb/pricing/on-demand"),
    ("DynamoDB, point-in-time recovery", RECOVERABLE_GB_MONTH, "GB and month", "dynamodb/pricing/on-demand"),
    ("SQS, a fair standard queue", QUEUE_REQUESTS, "million requests", "sqs/pricing"),
    ("Lambda, arm64", GB_SECOND, "GB and second", "lambda/pricing"),
    ("Lambda, requests", INVOCATIONS, "million invocations", "lambda/pricing"),
    ("CloudWatch, logs", LOGGED_GB, "GB", "cloudwatch/pricing"),
    ("Step Functions, Standard", STANDARD, "million transitions", "step-functions/pricing"),
];
/// The template's `MemorySize`.
const MEMORY_GB: f64 = 0.5;
/// 90 days of retention, and the 30 until the items are deleted.
const STORED_MONTHS: f64 = 120.0 / 30.4;

/// A row of the sheet.
struct Row {
    name: String,
    states: f64,
    at_once: usize,
    bill: Bill,
}

impl Row {
    /// Dollars for a million states entered.
    fn dollars(&self, of_one: f64) -> f64 {
        of_one / self.states
    }

    fn writes(&self) -> f64 {
        self.dollars(self.bill.write_units * WRITE_UNITS)
    }

    fn reads(&self) -> f64 {
        self.dollars(self.bill.read_units * READ_UNITS)
    }

    fn queue(&self) -> f64 {
        self.dollars(self.bill.queue_requests * QUEUE_REQUESTS)
    }

    fn lambda(&self) -> f64 {
        let seconds = (self.bill.api_ms + self.bill.worker_ms) / 1_000.0;
        self.dollars(self.bill.invocations * INVOCATIONS + seconds * MEMORY_GB * GB_SECOND * 1e6)
    }

    fn total(&self) -> f64 {
        self.writes() + self.reads() + self.queue() + self.lambda()
    }

    fn storage(&self) -> f64 {
        self.dollars(self.bill.stored / 1e9 * 1e6 * STORED_GB_MONTH * STORED_MONTHS)
    }

    fn logs(&self) -> f64 {
        self.dollars(self.bill.logged / 1e9 * 1e6 * LOGGED_GB)
    }
}

fn order() -> Value {
    json!({
        "orderId": "A-2024-000171", "customer": { "id": "C-4711", "name": "Ada Lovelace", "email": "ada@example.org" },
        "items": [{ "sku": "TEA-500", "quantity": 2, "price": 12.5 }, { "sku": "POT-1", "quantity": 1, "price": 39 }],
        "total": 64
    })
}

/// States one after another.
fn row_of(states: usize, state: &Value) -> Value {
    let named = |place: usize| format!("Step{place}");
    let with_next = |place: usize| {
        let mut state = state.clone();
        match place + 1 < states {
            true => state["Next"] = json!(named(place + 1)),
            false => state["End"] = json!(true),
        }
        (named(place), state)
    };
    json!({ "StartAt": named(0), "States": (0..states).map(with_next).collect::<Map<_, _>>() })
}

fn tasks(states: usize, millis: u64) -> Workflow {
    let task = json!({ "Type": "Task", "Resource": FUNCTION, "ResultPath": "$.result" });
    Workflow { definition: row_of(states, &task), input: order(), task: Duration::from_millis(millis) }
}

fn pure(states: usize) -> Workflow {
    Workflow { definition: row_of(states, &json!({ "Type": "Pass" })), input: order(), task: Duration::ZERO }
}

fn wait(seconds: u64) -> Workflow {
    let wait = json!({ "Type": "Wait", "Seconds": seconds });
    Workflow { definition: row_of(1, &wait), input: order(), task: Duration::ZERO }
}

fn map(items: usize) -> Workflow {
    let item =
        json!({ "StartAt": "Item", "States": { "Item": { "Type": "Task", "Resource": FUNCTION, "End": true } } });
    let map = json!({ "Type": "Map", "ItemsPath": "$.items", "ItemProcessor": item, "ResultPath": null });
    let input: Vec<Value> = (0..items).map(|item| json!({ "sku": format!("TEA-{item}"), "quantity": 2 })).collect();
    let task = Duration::from_millis(100);
    Workflow { definition: row_of(1, &map), input: json!({ "items": input }), task }
}

/// Runs in virtual time.
fn counted<T>(counting: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(counting)
}

fn bill(workflow: &Workflow, executions: usize) -> Result<Bill> {
    counted(CostModel::count(workflow, executions))
}

#[test]
fn tasks_in_a_row_are_a_write_each_and_two_more_and_one_message() -> Result<()> {
    for states in [1, 4, 5, 20] {
        let Bill { writes, messages, .. } = bill(&tasks(states, 100), 1)?;
        ensure!(writes <= states as f64 + 2.0 && messages <= 1.0, "{states}: {writes} writes, {messages} messages");
    }
    Ok(())
}

#[test]
fn what_waits_for_nothing_is_one_write_and_no_message() -> Result<()> {
    for states in [1, 2, 10] {
        let Bill { writes, messages, queue_requests, .. } = bill(&pure(states), 1)?;
        ensure!(writes == 1.0 && messages == 0.0 && queue_requests == 0.0, "{states}: {writes}, {messages}");
    }
    Ok(())
}

#[test]
fn an_item_of_a_map_takes_as_many_units_whatever_their_number() -> Result<()> {
    let per_item = |items: usize| -> Result<(f64, f64)> {
        let Bill { write_units, stored, .. } = bill(&map(items), 1)?;
        Ok((write_units / items as f64, stored / items as f64))
    };
    let (few, many) = (per_item(250)?, per_item(2_000)?);
    ensure!(
        many.0 <= few.0 * 1.1 && many.1 <= few.1 * 1.1,
        "{few:?} units and bytes an item of 250, {many:?} of 2,000"
    );
    Ok(())
}

#[test]
fn the_sheet_is_what_is_counted_and_keeps_the_promises() -> Result<()> {
    let rows = rows()?;
    let dollars = |name: &str, at_once: usize| {
        let row = rows.iter().find(|row| row.name == name && row.at_once == at_once);
        row.map(Row::total).with_context(|| format!("no row {name}"))
    };
    let sheet = sheet(&rows)?;
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(SHEET, &sheet)?;
    }
    for (name, at_once, most) in [
        ("20 tasks of 0.1 s", 10, 1.0),
        ("Map of 1,000 tasks of 0.1 s", 10, 1.0),
        ("2 pure states", 1, 1.0),
        ("10 pure states", 1, 1.0),
        ("4 tasks of 0.1 s", 10, 2.5),
        ("4 tasks of 1 s", 10, 2.5),
    ] {
        let found = dollars(name, at_once)?;
        ensure!(found <= most, "{name}, {at_once} a worker: ${found:.2}, not ${most:.2}\n{sheet}");
    }
    let written = fs::read_to_string(SHEET).unwrap_or_default();
    ensure!(written == sheet, "infra/costs.md is not what is counted; UPDATE_GOLDEN=1 rewrites it:\n{sheet}");
    Ok(())
}

fn rows() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut add = |name: String, states: usize, at_once: usize, workflow: &Workflow| -> Result<()> {
        let bill = bill(workflow, at_once).with_context(|| name.clone())?;
        rows.push(Row { name, states: states as f64, at_once, bill });
        Ok(())
    };
    for states in [1, 2, 10] {
        let plural = if states == 1 { "" } else { "s" };
        add(format!("{states} pure state{plural}"), states, 1, &pure(states))?;
    }
    for (name, seconds) in [("10 s", 10), ("1 hour", 3_600), ("2 days", 2 * 86_400)] {
        add(format!("1 Wait of {name}"), 1, 1, &wait(seconds))?;
    }
    for states in [1, 4, 5, 20] {
        for (name, millis) in [("0.1 s", 100), ("1 s", 1_000), ("10 s", 10_000)] {
            for at_once in [1, 10] {
                let plural = if states == 1 { "" } else { "s" };
                add(format!("{states} task{plural} of {name}"), states, at_once, &tasks(states, millis))?;
            }
        }
    }
    for at_once in [1, 10] {
        add("Map of 1,000 tasks of 0.1 s".to_owned(), 1_001, at_once, &map(1_000))?;
    }
    Ok(rows)
}

fn sheet(rows: &[Row]) -> Result<String> {
    let mut sheet = String::from(HEAD);
    sheet.push_str(COUNTED);
    for Row { name, at_once, bill, .. } in rows {
        let Bill { writes, write_units, read_units, messages, queue_requests, invocations, api_ms, worker_ms, .. } =
            bill;
        writeln!(
            sheet,
            "| {name} | {at_once} | {writes:.1} | {write_units:.1} | {read_units:.1} | {messages:.1} | \
             {queue_requests:.1} | {invocations:.1} | {api_ms:.0} | {worker_ms:.0} | {:.1} | {:.1} |",
            bill.stored / 1e3,
            bill.logged / 1e3
        )?;
    }
    sheet.push_str(DOLLARS);
    for row in rows {
        writeln!(
            sheet,
            "| {} | {} | {:.2} | {:.2} | {:.2} | {:.2} | **{:.2}** | {:.0} % | {:.2} | {:.2} |",
            row.name,
            row.at_once,
            row.writes(),
            row.reads(),
            row.queue(),
            row.lambda(),
            row.total(),
            row.total() / STANDARD * 100.0,
            row.storage(),
            row.logs()
        )?;
    }
    sheet.push_str(CHARGED);
    for (what, dollars, per, page) in PRICES {
        writeln!(sheet, "| {what} | {dollars} | {per} | aws.amazon.com/{page} |")?;
    }
    let (store, queue) = (STORE.as_millis(), QUEUE.as_millis());
    write!(sheet, "{}", FOOT.replace("{store}", &store.to_string()).replace("{queue}", &queue.to_string()))?;
    Ok(sheet)
}

const HEAD: &str = "# What workflows cost on AWS

`tests/tests/suite/cost_sheet.rs` counts this over the adapter and writes it: `UPDATE_GOLDEN=1 cargo test --workspace --test suite cost_sheet`.
";
const COUNTED: &str = "
## Counted, for one execution

`a worker`: how many executions come to a worker in one batch. `writes` are requests, of which each takes write units: one per KB
begun, and one per row of an index.

| workflow | a worker | writes | write units | read units | messages | SQS requests | invocations | api ms | worker ms | stored KB | metrics KB |
|--|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";
const DOLLARS: &str = "
## Dollars per million states entered

Step Functions' Standard workflows: **25.00**. `total` is what is charged for running; keeping and logging come on top.

| workflow | a worker | writes | reads | SQS | Lambda | total | of Standard | kept 90 days | metrics |
|--|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";
const CHARGED: &str = "
## Prices

Of us-east-1, without free tiers and discounts, as articles of 2025 and 2026 quote AWS's pages, and as a stored copy of its page has Step
Functions'. Look there before you rely on them; other regions differ. They are constants at the head of `cost_sheet.rs`, from which
everything here follows.

| what | dollars | per | to be checked at |
|--|--:|--|--|
";
const FOOT: &str = "
## What is behind it

- **Counted**: capacity of the table and its indexes; a request to SQS per message sent, per batch received and per batch deleted,
  and one each four seconds by which a worker says that it lives (`shared/aws/src/installation/batch.rs`); the invocation of the api that
  starts the execution; the worker's, with all the time in which it waits for tasks. Memory is 512 MB, the template's. The
  input is an order of 250 bytes, a result 45 bytes.
- **Assumed**: a request to DynamoDB takes {store} ms, one to SQS {queue} ms, processors take nothing. The function is warm.
- **Kept**: the items' bytes and DynamoDB's 100 more for each item and row, for 90 days of retention and 30 until they are
  deleted. Point-in-time recovery, which the template switches on, comes on top.
- **A worker of an activity that waits** is an invocation of the api that waits with it, and looks at the two shards of the queue
  every 0.9 seconds: of a month 2.6 million seconds at 512 MB are $17.50, 6 million read units $0.75, a request each 20 s 3 cents.
  A task of an activity takes three write units in its queue: put there, received, deleted.
- **Not in it**: the functions that tasks call (Standard workflows do not contain them either), an API Gateway if there is one,
  calls that describe and list, and what an installation costs that does nothing: a clock each minute, an idle queue's polls,
  alarms, and the six metrics of each state machine, which CloudWatch charges by the month.
- **Long tasks** cost the worker that waits for them: at one execution a worker, ten seconds of waiting are as dear as a hundred
  write units. Where that counts, let the function answer by task token: nobody waits then, as for a Wait.
";
