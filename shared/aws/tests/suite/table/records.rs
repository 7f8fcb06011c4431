//! Records: large ones, many, lost answers, races, and what newer versions or damage leave.

use anyhow::{Context, Result};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use engine::ports::{Appended, Direction, Journal, Record};
use futures_util::future::try_join_all;
use stepwell_tests::contracts::{execution_arn, head, record, write};
use stepwell_tests::dynamo::Fault;

use super::{Stand, noise};

#[tokio::test]
async fn a_body_beyond_an_item_comes_back() -> Result<()> {
    let stand = Stand::new().await?;
    let arn = execution_arn("large");
    write(&stand.table, head("large", 0)).await?;
    for (sequence, length) in (1..).zip([393_216, 393_217, 500_000, 1_200_000]) {
        write(&stand.table, Record { body: noise(length), ..record("large", sequence) }).await?;
    }
    // Packs into one item.
    write(&stand.table, Record { body: vec![b'x'; 4 << 20], ..record("large", 5) }).await?;
    let lengths: Vec<_> = stand.table.tail(&arn).await?.iter().map(|record| record.body.len()).collect();
    assert_eq!(lengths[1..], [393_216, 393_217, 500_000, 1_200_000, 4 << 20]);
    let (_, last) = stand.table.ends(&arn).await?.context("is there")?;
    assert_eq!(last.body, vec![b'x'; 4 << 20]);
    let read = stand.table.read(&arn, 4, Direction::Descending, 1).await?;
    assert_eq!(read[0].body, noise(1_200_000));
    let chunks = stand.sorts(&arn).await?.iter().filter(|sort| sort.starts_with("k/")).count();
    assert_eq!(chunks, 2 + 2 + 4);
    Ok(())
}

#[tokio::test]
async fn what_is_too_large_is_refused() -> Result<()> {
    let stand = Stand::new().await?;
    let error = stand.table.append(Record { body: noise(49 << 20), ..head("huge", 0) }).await.expect_err("too large");
    assert!(!error.retryable, "{error}");
    assert_eq!(stand.table.tail(&execution_arn("huge")).await?, []);
    Ok(())
}

#[tokio::test]
async fn chunks_without_their_record_are_not_seen() -> Result<()> {
    let stand = Stand::new().await?;
    let arn = execution_arn("orphans");
    write(&stand.table, head("orphans", 0)).await?;
    write(&stand.table, record("orphans", 1)).await?;
    // Loses its race after its chunks are written.
    let loser = Record { nonce: 77, body: noise(900_000), ..record("orphans", 1) };
    assert!(matches!(stand.table.append(loser).await?, Appended::Taken(_)));
    assert_eq!(stand.sorts(&arn).await?.len(), 2 + 3, "orphans are there");
    assert_eq!(stand.table.tail(&arn).await?, [head("orphans", 0), record("orphans", 1)]);
    assert_eq!(stand.table.ends(&arn).await?, Some((head("orphans", 0), record("orphans", 1))));
    assert_eq!(stand.table.read(&arn, 0, Direction::Ascending, 9).await?.len(), 2);
    for item in stand.items(&arn).await? {
        assert!(item.contains_key("expires"), "and go by themselves: {:?}", item["sk"]);
    }
    Ok(())
}

#[tokio::test]
async fn a_winner_with_chunks_is_shown_to_the_loser() -> Result<()> {
    let stand = Stand::new().await?;
    let winner = Record { nonce: 1, body: noise(900_000), ..head("duel", 0) };
    write(&stand.table, winner.clone()).await?;
    let loser = Record { nonce: 2, body: noise(500_000), ..head("duel", 0) };
    assert_eq!(stand.table.append(loser).await?, Appended::Taken(Box::new(winner)));
    Ok(())
}

#[tokio::test]
async fn a_chunk_that_is_gone_or_another_is_noticed() -> Result<()> {
    let stand = Stand::new().await?;
    let arn = execution_arn("damaged");
    write(&stand.table, Record { nonce: 5, body: noise(900_000), ..head("damaged", 0) }).await?;
    let chunk = "k/0000000000000005/001";
    stand.set((&arn, chunk), "body", AttributeValue::B(Blob::new(noise(10)))).await?;
    let error = stand.table.tail(&arn).await.expect_err("another chunk");
    assert!(error.message.contains("not those it was written with"), "{error}");
    stand.delete(&arn, chunk).await?;
    stand.table.ends(&arn).await.expect_err("a chunk is missing");
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_is_met_again_as_ones_own_record() -> Result<()> {
    let stand = Stand::new().await?;
    let mine = Record { nonce: 42, ..head("lost", 0) };
    stand.dynamo.meets("PutItem", Fault::LosesAnswer);
    // The client sends it again by itself; its own nonce tells the caller that it won.
    assert_eq!(stand.table.append(mine.clone()).await?, Appended::Taken(Box::new(mine.clone())));
    assert_eq!(stand.operations(), ["PutItem", "PutItem"]);
    assert_eq!(stand.table.tail(&execution_arn("lost")).await?, [mine]);
    Ok(())
}

#[tokio::test]
async fn sixteen_writers_with_faults_leave_no_gap() -> Result<()> {
    const WRITERS: u64 = 16;
    let stand = Stand::new().await?;
    write(&stand.table, Record { nonce: 0, ..head("crowd", 0) }).await?;
    for fault in [Fault::LosesAnswer, Fault::Throttles, Fault::Breaks, Fault::LosesAnswer, Fault::Throttles] {
        stand.dynamo.meets("PutItem", fault);
    }
    let writers = (1..=WRITERS).map(|nonce| {
        let table = stand.table.clone();
        async move {
            for sequence in 1..=WRITERS {
                let body = noise(if nonce % 4 == 0 { 420_000 } else { 900 });
                match table.append(Record { nonce, body, ..record("crowd", sequence) }).await? {
                    Appended::Written => return Ok(()),
                    Appended::Taken(winner) if winner.nonce == nonce => return Ok(()),
                    Appended::Taken(_) => {}
                }
            }
            anyhow::bail!("writer {nonce} found no place")
        }
    });
    try_join_all(writers).await?;
    let records = stand.table.tail(&execution_arn("crowd")).await?;
    assert_eq!(records.iter().map(|r| r.sequence).collect::<Vec<_>>(), (0..=WRITERS).collect::<Vec<_>>());
    let mut nonces: Vec<_> = records.iter().map(|r| r.nonce).collect();
    nonces.sort_unstable();
    assert_eq!(nonces, (0..=WRITERS).collect::<Vec<_>>(), "nobody wrote twice");
    Ok(())
}

#[tokio::test]
async fn a_partition_of_several_pages_is_read_whole() -> Result<()> {
    let stand = Stand::new().await?;
    let arn = execution_arn("pages");
    write(&stand.table, head("pages", 0)).await?;
    for sequence in 1..=12 {
        write(&stand.table, Record { body: noise(300_000), ..record("pages", sequence) }).await?;
    }
    let sequences = |records: &[Record]| records.iter().map(|record| record.sequence).collect::<Vec<_>>();
    assert_eq!(sequences(&stand.table.tail(&arn).await?), (0..=12).collect::<Vec<_>>());
    let read = stand.table.read(&arn, 2, Direction::Ascending, 9).await?;
    assert_eq!(sequences(&read), (2..=10).collect::<Vec<_>>());
    let read = stand.table.read(&arn, 11, Direction::Descending, 100).await?;
    assert_eq!(sequences(&read), (0..=11).rev().collect::<Vec<_>>());
    write(&stand.table, Record { full: 13, ..record("pages", 13) }).await?;
    assert_eq!(sequences(&stand.table.tail(&arn).await?), [0, 13]);
    Ok(())
}

#[tokio::test]
async fn ten_thousand_records_load_in_a_few_requests() -> Result<()> {
    const RECORDS: u64 = 10_000;
    let stand = Stand::new().await?;
    let arn = execution_arn("long");
    write(&stand.table, head("long", 0)).await?;
    let numbers: Vec<u64> = (1..=RECORDS).collect();
    for batch in numbers.chunks(100) {
        let appends = batch.iter().map(|sequence| {
            let full = if *sequence > 9_900 { 9_900 } else { 0 };
            write(&stand.table, Record { full, body: noise(240), ..record("long", *sequence) })
        });
        try_join_all(appends).await?;
    }
    stand.operations();
    let tail = stand.table.tail(&arn).await?;
    assert_eq!(tail.len(), 1 + 101);
    assert_eq!((tail[0].sequence, tail[1].sequence, tail[101].sequence), (0, 9_900, RECORDS));
    assert_eq!(stand.operations(), ["Query"; 3], "a page, the last record, the tail");
    stand.table.tail(&arn).await?;
    let (_, reads) = stand.units();
    assert!(reads < 40.0, "{reads} read units: what is before the tail is not read");
    let (first, last) = stand.table.ends(&arn).await?.context("is there")?;
    assert_eq!((first.sequence, last.sequence), (0, RECORDS));
    assert_eq!(stand.operations().len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_newer_format_is_left_alone() -> Result<()> {
    let stand = Stand::new().await?;
    let arn = execution_arn("newer");
    write(&stand.table, head("newer", 0)).await?;
    write(&stand.table, record("newer", 1)).await?;
    stand.set((&arn, "r0000000001"), "v", AttributeValue::N("2".into())).await?;
    let errors = [
        stand.table.tail(&arn).await.expect_err("newer"),
        stand.table.ends(&arn).await.map(|_| ()).expect_err("newer"),
        stand.table.read(&arn, 1, Direction::Ascending, 1).await.expect_err("newer"),
        stand.table.append(Record { nonce: 3, ..record("newer", 1) }).await.expect_err("newer"),
    ]
    .map(|error| (error.retryable, error.message.contains("has format 2")));
    assert_eq!(errors, [(false, true); 4]);
    Ok(())
}

#[tokio::test]
async fn damage_names_the_item_and_not_its_content() -> Result<()> {
    let stand = Stand::new().await?;
    let arn = execution_arn("odd");
    let secret = Record { body: b"a secret".to_vec(), ..head("odd", 0) };
    write(&stand.table, secret).await?;
    stand.set((&arn, "r0000000000"), "nonce", AttributeValue::S("a secret".into())).await?;
    let error = stand.table.tail(&arn).await.expect_err("damaged");
    assert!(error.message.contains(&arn) && error.message.contains("nonce"), "{error}");
    assert!(!error.message.contains("secret") && !error.retryable, "{error}");
    Ok(())
}
