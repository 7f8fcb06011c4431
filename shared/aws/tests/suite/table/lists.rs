//! Lists over shards, with statuses and bounds; due times for the clock.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use aws::Cursor;
use aws::layout::{SHARDS, shard};
use engine::ports::{ExecutionStatus, Journal, ListQuery, Record};
use futures_util::future::try_join_all;
use interpreter::Timestamp;
use stepwell_tests::contracts::{close, execution_arn, head, record, write};

use super::{BEGIN, Stand};

fn query(stand_in: &Record, status: Option<ExecutionStatus>, limit: usize) -> ListQuery {
    let machine = stand_in.listing.as_ref().map(|listing| listing.machine.clone()).unwrap_or_default();
    ListQuery { machine, status, after: None, limit }
}

/// Executions `0000`, `0001`, …, each started a millisecond later; of those `ends` chooses, the end too.
async fn many(stand: &Stand, count: i64, ends: fn(i64) -> bool) -> Result<()> {
    let numbers: Vec<i64> = (0..count).collect();
    for batch in numbers.chunks(64) {
        let written = batch.iter().map(|number| async move {
            let name = format!("{number:04}");
            write(&stand.table, head(&name, *number)).await?;
            if ends(*number) { write(&stand.table, close(&name, 1, *number, 9_999)).await } else { Ok(()) }
        });
        try_join_all(written).await?;
    }
    stand.operations();
    Ok(())
}

#[tokio::test]
async fn executions_are_spread_over_all_shards() {
    let shards: BTreeSet<u64> = (0..200).map(|number| shard(&execution_arn(&number.to_string()))).collect();
    assert_eq!(shards, (0..SHARDS).collect());
}

#[tokio::test]
async fn a_page_of_a_long_list_costs_a_read_a_shard() -> Result<()> {
    let stand = Stand::new().await?;
    many(&stand, 600, |_| true).await?;
    let page = stand.table.list(&query(&head("any", 0), None, 100)).await?;
    let names: Vec<_> = page.listings.iter().map(|listing| listing.name.clone()).collect();
    assert_eq!(names, (500..600).rev().map(|number| format!("{number:04}")).collect::<Vec<_>>());
    assert!(page.next.is_some());
    assert!(stand.operations().len() <= 12, "one query a shard, and a few that were unlucky");
    Ok(())
}

#[tokio::test]
async fn the_search_for_a_status_is_bounded_and_goes_on() -> Result<()> {
    let stand = Stand::new().await?;
    // One runs, the oldest.
    many(&stand, 1_500, |number| number > 0).await?;
    let mut query = query(&head("any", 0), Some(ExecutionStatus::Running), 1);
    let (mut found, mut lists) = (Vec::new(), 0);
    loop {
        let page = stand.table.list(&query).await?;
        lists += 1;
        assert!(stand.operations().len() <= 64, "list {lists} is bounded");
        found.extend(page.listings.into_iter().map(|listing| listing.name));
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    assert_eq!(found, ["0000"]);
    assert!(lists > 1);
    Ok(())
}

#[tokio::test]
async fn what_is_open_is_found_among_what_is_not() -> Result<()> {
    let stand = Stand::new().await?;
    many(&stand, 300, |number| number % 10 != 0).await?;
    for limit in [7, 64, 1_000_000] {
        let (mut found, mut after) = (BTreeSet::new(), None);
        loop {
            let page = stand.table.open(after.as_deref(), limit).await?;
            found.extend(page.executions.into_iter().map(|(execution, _)| execution));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let expected = (0..300).step_by(10).map(|number| execution_arn(&format!("{number:04}"))).collect();
        assert_eq!(found, expected, "{limit} at a time");
    }
    let error = stand.table.open(Some("elsewhere"), 10).await.expect_err("no place of ours");
    assert!(!error.retryable);
    Ok(())
}

#[tokio::test]
async fn the_clock_finds_what_is_due_in_its_window() -> Result<()> {
    let stand = Stand::new().await?;
    let minutes = |minutes: i64| BEGIN.plus_seconds(u64::try_from(minutes * 60).unwrap_or_default());
    for number in 0..120i64 {
        let name = format!("wait-{number:03}");
        write(&stand.table, head(&name, 0)).await?;
        write(&stand.table, Record { due: Some(minutes(number)), ..record(&name, 1) }).await?;
    }
    let window = (minutes(30), minutes(60));
    let mut found = Vec::new();
    for shard in 0..SHARDS {
        let mut next: Option<String> = None;
        loop {
            let page = stand.table.wakes(shard, window, next.as_deref(), 2).await?;
            assert!(page.due.is_sorted());
            found.extend(page.due);
            match page.next {
                Some(token) => next = Some(token),
                None => break,
            }
        }
    }
    found.sort();
    let expected: Vec<_> =
        (31..=60).map(|number| (minutes(number), execution_arn(&format!("wait-{number:03}")))).collect();
    assert_eq!(found, expected, "after the window's begin, up to its end");
    let place = stand.table.wakes(0, window, None, 1).await?.next.context("one of several")?;
    let set_back = (minutes(29), minutes(30));
    assert_eq!(stand.table.wakes(0, set_back, Some(&place), 10).await?, aws::WakePage::default());
    let empty = (minutes(60), minutes(60));
    assert_eq!(stand.table.wakes(0, empty, None, 10).await?, aws::WakePage::default());
    Ok(())
}

#[tokio::test]
async fn the_clock_remembers_how_far_it_came() -> Result<()> {
    let stand = Stand::new().await?;
    assert_eq!(stand.table.cursor(3).await?, None);
    let on_its_way = Cursor { after: Timestamp(5), place: Some("a place".to_owned()) };
    let there = Cursor { after: Timestamp(7), place: None };
    for cursor in [on_its_way, there] {
        stand.table.move_cursor(3, &cursor).await?;
        assert_eq!(stand.table.cursor(3).await?, Some(cursor));
    }
    assert_eq!(stand.table.cursor(4).await?, None);
    Ok(())
}
