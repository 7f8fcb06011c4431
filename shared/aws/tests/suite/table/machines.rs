//! State machines and revisions: large ones, and answers that are lost.

use anyhow::{Context, Result};
use aws_sdk_dynamodb::types::AttributeValue;
use engine::ports::{Document, Documents};
use stepwell_tests::dynamo::Fault;

use super::{Stand, noise};

const ARN: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:large";

/// A text that does not pack into one item.
fn large(marker: char) -> String {
    let bytes = noise(900_000);
    bytes.into_iter().map(|byte| char::from(b'0' + byte % 64)).chain([marker]).collect()
}

fn machine(version: u64, marker: char) -> Document {
    Document { key: ARN.to_owned(), version, body: large(marker) }
}

async fn chunks(stand: &Stand) -> Result<usize> {
    Ok(stand.items(&format!("m/{}/c", aws::layout::shard(ARN))).await?.len())
}

#[tokio::test]
async fn a_large_machine_leaves_no_chunks_of_its_predecessors() -> Result<()> {
    let stand = Stand::new().await?;
    assert!(stand.table.put(machine(1, 'a')).await?);
    let first = chunks(&stand).await?;
    assert!(first >= 2);
    assert!(stand.table.put(machine(2, 'b')).await?);
    assert_eq!(chunks(&stand).await?, first);
    assert!(!stand.table.put(machine(2, 'c')).await?, "it lost");
    assert_eq!(chunks(&stand).await?, first);
    assert_eq!(stand.table.get(ARN).await?, Some(machine(2, 'b')));
    assert_eq!(stand.table.list("", None, 10).await?, [machine(2, 'b')]);
    assert!(stand.table.remove(ARN, 2).await?);
    assert_eq!(chunks(&stand).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_has_won() -> Result<()> {
    let stand = Stand::new().await?;
    let small = |version| Document { key: ARN.to_owned(), version, body: "{}".to_owned() };
    for version in 1..=3 {
        stand.dynamo.meets("PutItem", Fault::LosesAnswer);
        assert!(stand.table.put(small(version)).await?, "version {version}");
    }
    stand.dynamo.meets("DeleteItem", Fault::LosesAnswer);
    assert!(stand.table.remove(ARN, 3).await?);
    stand.dynamo.meets("PutItem", Fault::LosesAnswer);
    stand.table.put_revision("hash", &large('r')).await?;
    assert_eq!(stand.table.revision("hash").await?.as_deref(), Some(large('r').as_str()));
    Ok(())
}

#[tokio::test]
async fn a_revision_is_written_once() -> Result<()> {
    let stand = Stand::new().await?;
    stand.table.put_revision("hash", &large('r')).await?;
    let items = stand.items("d/hash").await?.len();
    stand.operations();
    stand.table.put_revision("hash", &large('r')).await?;
    assert_eq!(stand.operations(), ["GetItem"]);
    assert_eq!(stand.items("d/hash").await?.len(), items);
    for item in stand.items("d/hash").await? {
        assert!(!item.contains_key("expires"), "executions may pin it for long");
    }
    Ok(())
}

#[tokio::test]
async fn machines_of_a_newer_format_are_left_alone() -> Result<()> {
    let stand = Stand::new().await?;
    stand.table.put(Document { key: ARN.to_owned(), version: 1, body: "{}".to_owned() }).await?;
    let partition = format!("m/{}", aws::layout::shard(ARN));
    stand.set((&partition, ARN), "v", AttributeValue::N("2".into())).await?;
    let error = stand.table.get(ARN).await.err().context("newer")?;
    assert!(error.message.contains("has format 2") && !error.retryable, "{error}");
    assert!(stand.table.list("", None, 10).await.is_err());
    assert!(stand.table.remove(ARN, 1).await.is_err());
    Ok(())
}
