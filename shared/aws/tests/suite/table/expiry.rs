//! How executions go: expiry in any order, names used again, new stamps, forgetting that is cut short.

use anyhow::{Context, Result};
use engine::ports::{Appended, Direction, Journal, Listing, Record};
use stepwell_tests::contracts::{close, execution_arn, forget, head, record, reopen, write};
use stepwell_tests::dynamo::Fault;

use super::{RETENTION_DAYS, Stand, noise};

/// An execution that runs for ten days.
async fn ten_days(stand: &Stand, name: &str) -> Result<()> {
    write(&stand.table, head(name, 0)).await?;
    stand.clock.move_by_days(5);
    write(&stand.table, Record { body: noise(500_000), ..record(name, 1) }).await?;
    stand.clock.move_by_days(5);
    write(&stand.table, close(name, 2, 0, 9)).await
}

async fn is_there(stand: &Stand, name: &str) -> Result<bool> {
    let arn = execution_arn(name);
    let tail = stand.table.tail(&arn).await?.len();
    assert_eq!(stand.table.ends(&arn).await?.is_some(), tail > 0, "all readers agree");
    Ok(tail > 0)
}

#[tokio::test]
async fn a_closed_execution_is_there_for_the_retention_and_gone_before_its_items() -> Result<()> {
    let stand = Stand::new().await?;
    ten_days(&stand, "closed").await?;
    stand.clock.move_by_days(i64::from(RETENTION_DAYS));
    assert!(is_there(&stand, "closed").await?);
    stand.clock.move_by_days(20);
    assert!(!is_there(&stand, "closed").await?, "absent before the first item may go");
    assert_eq!(stand.items(&execution_arn("closed")).await?.len(), 5);
    let page = stand.table.open(None, 100).await?;
    assert_eq!(page.executions, []);
    Ok(())
}

#[tokio::test]
async fn an_execution_that_was_redriven_is_there_for_the_retention_of_its_last_end() -> Result<()> {
    // Opened and closed again by two records, or by one; with an old stamp or a younger one.
    for (at_once, days) in [(false, 14), (true, 14), (false, 3)] {
        let stand = Stand::new().await?;
        ten_days(&stand, "redriven").await?;
        stand.clock.move_by_days(days);
        let reopened = reopen("redriven", 3, 0);
        let shown = reopened.listing.as_ref().and_then(|listing| listing.shown.clone());
        let closing = |sequence| {
            let mut record = close("redriven", sequence, 0, 90);
            record.listing = record.listing.map(|listing| Listing { shown: shown.clone(), ..listing });
            record
        };
        if at_once {
            write(&stand.table, closing(3)).await?;
        } else {
            write(&stand.table, reopened).await?;
            write(&stand.table, closing(4)).await?;
        }
        stand.clock.move_by_days(i64::from(RETENTION_DAYS));
        assert!(is_there(&stand, "redriven").await?, "{at_once} {days}");
        let read = stand.table.read(&execution_arn("redriven"), 0, Direction::Ascending, 9).await?;
        assert_eq!(read.len(), if at_once { 4 } else { 5 }, "with all of its history");
    }
    Ok(())
}

#[tokio::test]
async fn a_head_alone_never_looks_open() -> Result<()> {
    let stand = Stand::new().await?;
    let arn = execution_arn("headed");
    ten_days(&stand, "headed").await?;
    // The closing record's time is over, and it is deleted before the others.
    stand.clock.move_by_days(i64::from(RETENTION_DAYS) + 31);
    for sort in ["r0000000002", "r0000000001"] {
        stand.delete(&arn, sort).await?;
        assert!(!is_there(&stand, "headed").await?);
        assert_eq!(stand.table.open(None, 10).await?.executions, []);
    }
    Ok(())
}

#[tokio::test]
async fn a_name_whose_predecessor_is_gone_gets_a_clean_partition() -> Result<()> {
    // Nothing deleted yet; the head deleted first; only the middle left.
    for deleted in [&[][..], &["r0000000000"], &["r0000000000", "r0000000002"]] {
        for days in [20, 29, 40, 61, 100] {
            let stand = Stand::new().await?;
            let arn = execution_arn("again");
            ten_days(&stand, "again").await?;
            stand.clock.move_by_days(i64::from(RETENTION_DAYS) + days);
            if days > 60 {
                for sort in deleted {
                    stand.delete(&arn, sort).await?;
                }
            }
            write(&stand.table, Record { nonce: 1, ..head("again", 7) }).await?;
            write(&stand.table, Record { nonce: 2, ..record("again", 1) }).await?;
            let nonces: Vec<_> = stand.table.tail(&arn).await?.iter().map(|record| record.nonce).collect();
            assert_eq!(nonces, [1, 2], "{days} days after the retention, without {deleted:?}");
            let (_, last) = stand.table.ends(&arn).await?.context("is there")?;
            assert_eq!(last.nonce, 2);
            assert_eq!(stand.table.read(&arn, u64::MAX, Direction::Descending, 9).await?.len(), 2);
            write(&stand.table, Record { nonce: 3, ..record("again", 2) }).await?;
            let open = stand.table.open(None, 100).await?;
            assert_eq!(open.executions, [(arn, None)]);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_name_stays_taken_while_its_execution_is_there() -> Result<()> {
    let stand = Stand::new().await?;
    ten_days(&stand, "taken").await?;
    stand.clock.move_by_days(i64::from(RETENTION_DAYS));
    let again = Record { nonce: 1, ..head("taken", 7) };
    assert!(matches!(stand.table.append(again).await?, Appended::Taken(_)));
    Ok(())
}

#[tokio::test]
async fn an_execution_that_is_stamped_stays_for_years() -> Result<()> {
    let stand = Stand::new().await?;
    write(&stand.table, head("year", 0)).await?;
    write(&stand.table, Record { body: noise(500_000), ..record("year", 1) }).await?;
    let arn = execution_arn("year");
    assert_eq!(stand.table.stamp_anew(&arn).await?, 0, "it is fresh");
    let (mut stamped, mut sequence) = (0, 1);
    for day in 0..730 {
        stand.clock.move_by_days(1);
        if day % 100 == 0 {
            sequence += 1;
            write(&stand.table, record("year", sequence)).await?;
        }
        stamped += usize::from(stand.table.stamp_anew(&arn).await? > 0);
        if day % 10 == 9 {
            assert_eq!(stand.table.tail(&arn).await?.len() as u64, sequence + 1, "day {day}");
        }
    }
    assert_eq!(stamped, 730 / 20);
    // What the stamps promise: nothing expires before close and retention.
    let soonest =
        stand.items(&arn).await?.iter().filter_map(|item| item["expires"].as_n().ok()?.parse::<i64>().ok()).min();
    let now = engine::ports::Clock::now(&*stand.clock).0 / 1_000;
    assert!(soonest > Some(now + i64::from(RETENTION_DAYS) * 86_400));
    assert_eq!(stand.table.stamp_anew(&execution_arn("nobody")).await?, 0);
    Ok(())
}

#[tokio::test]
async fn forgetting_that_is_cut_short_leaves_a_closed_execution_or_none() -> Result<()> {
    let stand = Stand::new().await?;
    let arn = execution_arn("forgotten");
    for (operation, there) in [("DeleteItem", true), ("TransactWriteItems", true), ("none", false)] {
        ten_days(&stand, "forgotten").await?;
        for _ in 0..8 {
            stand.dynamo.meets(operation, Fault::Breaks);
        }
        let forgotten = forget(&stand.table, &arn).await;
        assert_eq!(forgotten.is_err(), there, "{operation}");
        let ends = stand.table.ends(&arn).await?;
        assert_eq!(ends.as_ref().map(|(_, last)| last.open), there.then_some(false), "{operation}");
        if there {
            forget(&stand.table, &arn).await?;
        }
        assert_eq!(stand.items(&arn).await?.len(), 0);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_open_is_not_forgotten() -> Result<()> {
    let stand = Stand::new().await?;
    write(&stand.table, head("open", 0)).await?;
    let error = forget(&stand.table, &execution_arn("open")).await.expect_err("it is open");
    assert!(error.to_string().contains("is open"), "{error}");
    assert!(is_there(&stand, "open").await?);
    Ok(())
}

#[tokio::test]
async fn requests_that_arrive_late_do_not_touch_the_next_of_the_name() -> Result<()> {
    let stand = Stand::new().await?;
    let arn = execution_arn("late");
    stand.dynamo.requests();
    ten_days(&stand, "late").await?;
    forget(&stand.table, &arn).await?;
    let late = stand.dynamo.requests();
    let next = [Record { nonce: 1, ..head("late", 5) }, Record { nonce: 2, ..record("late", 1) }];
    for record in next.clone() {
        write(&stand.table, record).await?;
    }
    let mut refused = 0;
    for request in late.iter().filter(|request| request.operation != "Query" && request.operation != "GetItem") {
        refused += usize::from(stand.dynamo.arrives_again(request).is_err());
        let tail = stand.table.tail(&arn).await?;
        assert_eq!(tail.first(), next.first(), "after {}", request.operation);
        assert_eq!(tail.get(1), next.get(1), "after {}", request.operation);
    }
    assert!(refused >= 3, "two records were written, one was deleted: {refused}");
    Ok(())
}
