//! The table over DynamoDB in process: what the port contracts do not see, such as costs, faults, damage and expiry.

mod costs;
mod expiry;
mod lists;
mod machines;
mod patience;
mod records;

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Result;
use aws::{Table, clients, create};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use interpreter::Timestamp;
use stepwell_tests::dynamo::{Dynamo, Request};
use stepwell_tests::hand_clock::HandClock;

const NAME: &str = "stepwell";
const RETENTION_DAYS: u32 = 90;
/// When the clock of a test begins.
const BEGIN: Timestamp = Timestamp(1_700_000_000_000);

/// A fresh table, and what it stands on.
struct Stand {
    dynamo: Dynamo,
    client: Client,
    clock: Arc<HandClock>,
    table: Table,
}

impl Stand {
    async fn new() -> Result<Stand> {
        let dynamo = Dynamo::new()?;
        let client = clients::dynamodb(&dynamo.config());
        create::create_table(&client, NAME).await?;
        let clock = Arc::new(HandClock::at(BEGIN));
        let table = Table::new(client.clone(), NAME, clock.clone(), RETENTION_DAYS);
        dynamo.requests();
        Ok(Stand { dynamo, client, clock, table })
    }

    /// The operations since the last look.
    fn operations(&self) -> Vec<String> {
        self.dynamo.requests().into_iter().map(|request| request.operation).collect()
    }

    /// Capacity units of writes and of reads since the last look.
    fn units(&self) -> (f64, f64) {
        let requests = self.dynamo.requests();
        let sum = |wanted: fn(&Request) -> bool| requests.iter().filter(|r| wanted(r)).map(|r| r.units).sum();
        (sum(|r| r.operation.ends_with("Item")), sum(|r| r.operation == "Query"))
    }

    /// Every item of a partition, behind the back of the table.
    async fn items(&self, partition: &str) -> Result<Vec<HashMap<String, AttributeValue>>> {
        let request = self
            .client
            .query()
            .table_name(NAME)
            .key_condition_expression("pk = :partition")
            .expression_attribute_values(":partition", AttributeValue::S(partition.to_owned()));
        Ok(request.into_paginator().items().send().collect::<Result<_, _>>().await?)
    }

    /// The sort keys of a partition.
    async fn sorts(&self, partition: &str) -> Result<Vec<String>> {
        let text = |item: &HashMap<String, AttributeValue>| item["sk"].as_s().cloned().unwrap_or_default();
        Ok(self.items(partition).await?.iter().map(text).collect())
    }

    /// Removes an item, as the time to live does.
    async fn delete(&self, partition: &str, sort: &str) -> Result<()> {
        let request = self.client.delete_item().table_name(NAME);
        let request = request.key("pk", AttributeValue::S(partition.to_owned()));
        request.key("sk", AttributeValue::S(sort.to_owned())).send().await?;
        Ok(())
    }

    /// Sets an attribute, as a newer version or damage does.
    async fn set(&self, (partition, sort): (&str, &str), name: &str, value: AttributeValue) -> Result<()> {
        let request = self
            .client
            .update_item()
            .table_name(NAME)
            .key("pk", AttributeValue::S(partition.to_owned()))
            .key("sk", AttributeValue::S(sort.to_owned()))
            .update_expression("SET #name = :value")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":value", value);
        request.send().await?;
        Ok(())
    }
}

/// Bytes that do not pack.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}
