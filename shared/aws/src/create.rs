//! Makes the table and the queue where no template does: in tests, and in emulators on a developer's machine.
//!
//! Both are made from data: the table from [`crate::layout`], the queue from the constants here. The template says the
//! same in its own words. Functions in production never call this, and have no permission to.

use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType as Role, Projection,
    ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
};
use aws_sdk_sqs::types::QueueAttributeName;
use engine::ports::StoreError;

use crate::failure::{damaged, store_error};
use crate::layout::{INDEXES, Index, KeyType, TABLE_KEY, TIME_TO_LIVE};

/// Messages are kept as long as SQS can: what lies dead is found by people, on Mondays.
pub const QUEUE_RETENTION_SECONDS: u32 = 14 * 24 * 60 * 60;
/// Receives before a message is dead. Fewer would let a store's bad quarter of an hour kill healthy executions.
pub const QUEUE_MOST_RECEIVES: u32 = 10;
/// The worker's timeout, which Lambda requires as the least.
pub const QUEUE_VISIBILITY_SECONDS: u32 = 15 * 60;

/// Makes the table, with its indexes and its time to live, on demand; one that is there is left as it is. Emulators take
/// writes at once; DynamoDB itself would need a few seconds more.
pub async fn create_table(client: &aws_sdk_dynamodb::Client, name: &str) -> Result<(), StoreError> {
    let broken = |error: aws_sdk_dynamodb::error::BuildError| damaged(&error.to_string());
    let mut request = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for key in key_schema(TABLE_KEY).map_err(broken)? {
        request = request.key_schema(key);
    }
    let keys = INDEXES.iter().flat_map(|index| [index.partition, index.sort]).chain(TABLE_KEY);
    for (name, key_type) in keys {
        let scalar = match key_type {
            KeyType::Text => ScalarAttributeType::S,
            KeyType::Number => ScalarAttributeType::N,
        };
        let definition = AttributeDefinition::builder().attribute_name(name).attribute_type(scalar).build();
        request = request.attribute_definitions(definition.map_err(broken)?);
    }
    for index in &INDEXES {
        request = request.global_secondary_indexes(global_index(index).map_err(broken)?);
    }
    if let Err(error) = request.send().await {
        return match error.as_service_error() {
            Some(CreateTableError::ResourceInUseException(_)) => Ok(()),
            _ => Err(store_error("create the table", error)),
        };
    }
    let expiry = TimeToLiveSpecification::builder().enabled(true).attribute_name(TIME_TO_LIVE).build();
    let request = client.update_time_to_live().table_name(name).time_to_live_specification(expiry.map_err(broken)?);
    request.send().await.map_err(|error| store_error("switch on the time to live", error))?;
    Ok(())
}

fn key_schema(
    [partition, sort]: [(&str, KeyType); 2],
) -> Result<[KeySchemaElement; 2], aws_sdk_dynamodb::error::BuildError> {
    let element = |name: &str, role| KeySchemaElement::builder().attribute_name(name).key_type(role).build();
    Ok([element(partition.0, Role::Hash)?, element(sort.0, Role::Range)?])
}

fn global_index(index: &Index) -> Result<GlobalSecondaryIndex, aws_sdk_dynamodb::error::BuildError> {
    let projection = match index.holds {
        [] => Projection::builder().projection_type(ProjectionType::KeysOnly),
        holds => {
            let names = holds.iter().map(|name| (*name).to_owned()).collect();
            Projection::builder().projection_type(ProjectionType::Include).set_non_key_attributes(Some(names))
        }
    };
    let keys = key_schema([index.partition, index.sort])?;
    GlobalSecondaryIndex::builder()
        .index_name(index.name)
        .set_key_schema(Some(keys.to_vec()))
        .projection(projection.build())
        .build()
}

/// Makes the queue `name` and its dead letter queue `name-dead`; returns the queue's URL.
pub async fn create_queue(client: &aws_sdk_sqs::Client, name: &str) -> Result<String, StoreError> {
    let dead = queue(client, &format!("{name}-dead"), Vec::new()).await?;
    let request = client.get_queue_attributes().queue_url(dead).attribute_names(QueueAttributeName::QueueArn);
    let answer = request.send().await.map_err(|error| store_error("describe the dead letter queue", error))?;
    let arns = answer.attributes.unwrap_or_default();
    let arn = arns.get(&QueueAttributeName::QueueArn).ok_or_else(|| damaged("the dead letter queue has no ARN"))?;
    let redrive = serde_json::json!({ "deadLetterTargetArn": arn, "maxReceiveCount": QUEUE_MOST_RECEIVES });
    let attributes = vec![
        (QueueAttributeName::VisibilityTimeout, QUEUE_VISIBILITY_SECONDS.to_string()),
        (QueueAttributeName::RedrivePolicy, redrive.to_string()),
    ];
    queue(client, name, attributes).await
}

async fn queue(
    client: &aws_sdk_sqs::Client,
    name: &str,
    attributes: Vec<(QueueAttributeName, String)>,
) -> Result<String, StoreError> {
    let mut request = client
        .create_queue()
        .queue_name(name)
        .attributes(QueueAttributeName::MessageRetentionPeriod, QUEUE_RETENTION_SECONDS.to_string());
    for (name, value) in attributes {
        request = request.attributes(name, value);
    }
    let answer = request.send().await.map_err(|error| store_error("create the queue", error))?;
    answer.queue_url.ok_or_else(|| damaged("the new queue has no URL"))
}
