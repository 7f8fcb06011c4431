//! What a commit costs, as DynamoDB counts: requests and capacity.

use anyhow::Result;
use engine::ports::{Journal, Record};
use stepwell_tests::contracts::{close, execution_arn, head, record, write};

use super::{Stand, noise};

#[tokio::test]
async fn a_commit_is_one_write_request() -> Result<()> {
    let stand = Stand::new().await?;
    write(&stand.table, head("one", 0)).await?;
    write(&stand.table, record("one", 1)).await?;
    write(&stand.table, close("one", 2, 0, 1)).await?;
    assert_eq!(stand.operations(), ["PutItem"; 3]);
    Ok(())
}

#[tokio::test]
async fn capacity_grows_with_the_bytes_of_the_commit_only() -> Result<()> {
    let stand = Stand::new().await?;
    write(&stand.table, head("bytes", 0)).await?;
    assert_eq!(stand.units().0, 2.0, "a small head: one unit, and one for its row in the list");
    let mut sequence = 0;
    for (length, units) in [(10, 1.0), (700, 1.0), (2_000, 3.0), (10_000, 10.0), (100_000, 98.0), (393_216, 385.0)] {
        sequence += 1;
        write(&stand.table, Record { body: noise(length), ..record("bytes", sequence) }).await?;
        assert_eq!(stand.units().0, units, "{length} bytes, after {sequence} records");
    }
    write(&stand.table, close("bytes", sequence + 1, 0, 1)).await?;
    assert_eq!(stand.units().0, 2.0, "the end, and its row in the list");
    Ok(())
}

#[tokio::test]
async fn reads_cost_what_they_bring() -> Result<()> {
    let stand = Stand::new().await?;
    let arn = execution_arn("read");
    write(&stand.table, head("read", 0)).await?;
    for sequence in 1..=20 {
        write(&stand.table, Record { body: noise(1_000), ..record("read", sequence) }).await?;
    }
    stand.operations();
    stand.table.tail(&arn).await?;
    let (_, units) = stand.units();
    assert!(units <= 7.0, "26 KB strongly consistent: {units}");
    stand.table.ends(&arn).await?;
    assert_eq!(stand.operations().len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_far_due_time_costs_a_row_and_a_near_one_nothing() -> Result<()> {
    let stand = Stand::new().await?;
    write(&stand.table, head("due", 0)).await?;
    stand.operations();
    for (sequence, minutes, units) in [(1, 19, 1.0), (2, 21, 2.0), (3, 60 * 24 * 365, 2.0)] as [(u64, u64, f64); 3] {
        let due = Some(super::BEGIN.plus_seconds(minutes * 60));
        write(&stand.table, Record { due, ..record("due", sequence) }).await?;
        assert_eq!(stand.units().0, units, "{minutes} minutes");
    }
    Ok(())
}
