//! The contract of every adapter of a port: one function per promise of `engine::ports`.
//!
//! Each function gets an adapter that holds nothing yet and returns an error, or panics by an assertion, where the
//! adapter breaks the promise; the macro [`promises`](crate::promises) makes them the tests of an adapter. That which survives
//! a crash is tested beside each adapter, because crashing is different for each.

mod activities;
mod forget;
mod queue;

pub use activities::*;
pub use forget::*;
pub use queue::*;

use anyhow::{Context, Result, ensure};
use engine::ports::{
    Appended, Cell, Direction, Document, Documents, ExecutionStatus, Expect, Journal, ListPage, ListQuery, Listing,
    OpenPage, Put, Record, Seen, Starts,
};
use futures_util::future::{join_all, try_join_all};
use interpreter::Timestamp;

/// One test per promise of a port, each over a fresh adapter: `$fresh` makes one, with what has to outlive it, or says why
/// there is none here.
#[macro_export]
macro_rules! promises {
    (Journal, Documents: $fresh:expr) => {
        $crate::promises! { $fresh =>
            a_record_comes_back_as_it_was_written
            an_execution_that_is_not_there_is_empty
            the_loser_of_a_race_gets_the_winners_record
            many_writers_of_one_execution_leave_no_gap_and_lose_nothing
            writers_of_different_executions_do_not_disturb_each_other
            a_tail_is_the_head_and_what_follows_the_last_full_set
            the_ends_of_one_record_are_equal
            reads_go_both_ways_from_any_place
            lists_show_the_newest_start_first
            lists_show_the_last_status_only
            a_closed_execution_is_opened_again_and_closed_again
            lists_come_in_pages_without_a_gap
            open_executions_come_with_their_due_times
            a_forgotten_execution_leaves_its_name_free
            an_execution_is_forgotten_only_as_it_was_seen
            of_many_that_use_a_name_again_one_begins_and_none_takes_it_away
            a_machine_is_written_over_the_version_it_was_made_from
            a_machine_is_removed_in_the_version_that_was_seen
            one_of_many_writers_of_a_machine_wins
            machines_come_in_the_order_of_their_arns
            a_revision_is_kept_under_its_hash
        }
    };
    (Cells: $fresh:expr) => {
        $crate::promises! { $fresh =>
            a_cell_is_written_over_until_it_is_the_last
            one_of_many_writers_of_a_cell_wins
            cells_come_with_the_tail_and_go_with_the_execution
        }
    };
    (ActivityQueue: $fresh:expr) => {
        $crate::promises! { $fresh =>
            tasks_of_an_activity_are_received_in_order_until_they_are_removed
            a_task_of_an_activity_is_received_by_one_caller
            a_task_that_is_put_back_is_received_again_at_its_time
            a_task_that_is_queued_again_is_there_once
            each_activity_has_a_queue_of_its_own
        }
    };
    (Starts: $fresh:expr) => {
        $crate::promises! { $fresh => a_start_is_pending_until_it_is_dropped }
    };
    (Queue: $fresh:expr) => {
        $crate::promises! { $fresh =>
            a_message_arrives_at_its_time_and_says_what_was_said
            every_message_of_a_batch_arrives
            a_start_arrives_with_its_content
            a_message_that_is_handed_back_comes_again
            a_message_that_is_never_dealt_with_becomes_a_dead_letter
            a_queue_that_is_not_there_is_no_reason_to_ask_again
        }
    };
    ($fresh:expr => $($promise:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() -> anyhow::Result<()> {
                let Some((_world, adapter)) = $fresh().await? else { return Ok(()) };
                $crate::contracts::$promise(&adapter).await
            }
        )*
    };
}

const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:orders";

/// The ARN of an execution of the machine the contracts use.
pub fn execution_arn(name: &str) -> String {
    format!("arn:aws:states:us-east-1:123456789012:execution:orders:{name}")
}

/// A head: record 0 of a running execution that started at `started`.
pub fn head(name: &str, started: i64) -> Record {
    Record { listing: Some(running(name, started)), ..record(name, 0) }
}

/// A record in the middle of a running execution.
pub fn record(name: &str, sequence: u64) -> Record {
    Record {
        execution: execution_arn(name),
        sequence,
        nonce: u64::MAX - sequence,
        full: 0,
        due: None,
        open: true,
        listing: None,
        body: format!("{name} {sequence}").into_bytes(),
    }
}

/// The record that closes an execution.
pub fn close(name: &str, sequence: u64, started: i64, stopped: i64) -> Record {
    let listing =
        Listing { status: ExecutionStatus::Succeeded, stopped: Some(Timestamp(stopped)), ..running(name, started) };
    Record { open: false, listing: Some(listing), ..record(name, sequence) }
}

fn running(name: &str, started: i64) -> Listing {
    Listing {
        execution: execution_arn(name),
        machine: MACHINE.to_owned(),
        name: name.to_owned(),
        status: ExecutionStatus::Running,
        started: Timestamp(started),
        stopped: None,
        shown: Some(format!("what {name} shows")),
    }
}

/// Appends what is expected to be written.
pub async fn write(journal: &dyn Journal, record: Record) -> Result<()> {
    let sequence = record.sequence;
    let outcome = journal.append(record).await?;
    ensure!(outcome == Appended::Written, "record {sequence} was not written: {outcome:?}");
    Ok(())
}

pub async fn a_record_comes_back_as_it_was_written(journal: &dyn Journal) -> Result<()> {
    let first = Record {
        nonce: u64::MAX,
        due: Some(Timestamp(1_700_000_000_123)),
        body: (0..=u8::MAX).cycle().take(100_000).collect(),
        ..head("whole", 5)
    };
    let mut last = Record { nonce: 0, due: None, body: Vec::new(), ..close("whole", 1, 5, 9) };
    last.listing = last.listing.map(|listing| Listing { shown: None, ..listing });
    write(journal, first.clone()).await?;
    write(journal, last.clone()).await?;
    assert_eq!(journal.tail(&execution_arn("whole")).await?, [first.clone(), last.clone()]);
    assert_eq!(journal.ends(&execution_arn("whole")).await?, Some((first, last)));
    Ok(())
}

pub async fn an_execution_that_is_not_there_is_empty(journal: &dyn Journal) -> Result<()> {
    let nobody = execution_arn("nobody");
    assert_eq!(journal.tail(&nobody).await?, []);
    assert_eq!(journal.ends(&nobody).await?, None);
    assert_eq!(journal.read(&nobody, 0, Direction::Ascending, 10).await?, []);
    assert_eq!(journal.open(None, 10).await?, OpenPage::default());
    assert_eq!(journal.list(&query(None)).await?, ListPage::default());
    journal.forget(&Seen { execution: nobody, head: 1, last: 0 }).await?;
    Ok(())
}

pub async fn the_loser_of_a_race_gets_the_winners_record(journal: &dyn Journal) -> Result<()> {
    let winner = Record { nonce: 1, ..head("race", 0) };
    let loser = Record { nonce: 2, body: b"another".to_vec(), ..head("race", 7) };
    write(journal, winner.clone()).await?;
    assert_eq!(journal.append(loser).await?, Appended::Taken(Box::new(winner.clone())));
    write(journal, record("race", 1)).await?;
    assert_eq!(journal.append(winner.clone()).await?, Appended::Taken(Box::new(winner.clone())), "an old sequence too");
    assert_eq!(journal.tail(&execution_arn("race")).await?, [winner, record("race", 1)]);
    Ok(())
}

pub async fn many_writers_of_one_execution_leave_no_gap_and_lose_nothing(journal: &dyn Journal) -> Result<()> {
    const WRITERS: u64 = 64;
    write(journal, Record { nonce: 0, ..head("crowd", 0) }).await?;
    let writers = (1..=WRITERS).map(|nonce| async move {
        for sequence in 1..=WRITERS {
            match journal.append(Record { nonce, ..record("crowd", sequence) }).await? {
                Appended::Written => return Ok(sequence),
                Appended::Taken(winner) => ensure!(winner.sequence == sequence && winner.nonce != nonce),
            }
        }
        anyhow::bail!("writer {nonce} found no place")
    });
    let mut places = try_join_all(writers).await?;
    places.sort_unstable();
    assert_eq!(places, (1..=WRITERS).collect::<Vec<_>>());
    let records = journal.tail(&execution_arn("crowd")).await?;
    assert_eq!(records.iter().map(|r| r.sequence).collect::<Vec<_>>(), (0..=WRITERS).collect::<Vec<_>>());
    let mut nonces: Vec<_> = records.iter().map(|r| r.nonce).collect();
    nonces.sort_unstable();
    assert_eq!(nonces, (0..=WRITERS).collect::<Vec<_>>());
    Ok(())
}

pub async fn writers_of_different_executions_do_not_disturb_each_other(journal: &dyn Journal) -> Result<()> {
    let executions = (0..64).map(|number| async move {
        let name = format!("many-{number:02}");
        write(journal, head(&name, number)).await?;
        for sequence in 1..8 {
            write(journal, record(&name, sequence)).await?;
            let seen = journal.tail(&execution_arn(&name)).await?.last().map(|r| r.sequence);
            ensure!(seen == Some(sequence), "{name}: {seen:?} after {sequence} was acknowledged");
        }
        Ok(())
    });
    join_all(executions).await.into_iter().collect::<Result<Vec<()>>>()?;
    assert_eq!(open(journal, 100).await?.len(), 64);
    Ok(())
}

pub async fn a_tail_is_the_head_and_what_follows_the_last_full_set(journal: &dyn Journal) -> Result<()> {
    let sequences = |records: Vec<Record>| records.iter().map(|r| r.sequence).collect::<Vec<_>>();
    let arn = execution_arn("tail");
    write(journal, head("tail", 0)).await?;
    for (sequence, full) in [(1, 0), (2, 0), (3, 3), (4, 3)] {
        write(journal, Record { full, ..record("tail", sequence) }).await?;
    }
    assert_eq!(sequences(journal.tail(&arn).await?), [0, 3, 4]);
    write(journal, Record { full: 5, ..record("tail", 5) }).await?;
    assert_eq!(sequences(journal.tail(&arn).await?), [0, 5]);
    let (first, last) = journal.ends(&arn).await?.context("no ends")?;
    assert_eq!((first.sequence, last.sequence), (0, 5));
    Ok(())
}

pub async fn the_ends_of_one_record_are_equal(journal: &dyn Journal) -> Result<()> {
    write(journal, head("single", 0)).await?;
    assert_eq!(journal.ends(&execution_arn("single")).await?, Some((head("single", 0), head("single", 0))));
    Ok(())
}

pub async fn reads_go_both_ways_from_any_place(journal: &dyn Journal) -> Result<()> {
    use Direction::{Ascending, Descending};
    write(journal, head("pages", 0)).await?;
    for sequence in 1..6 {
        write(journal, record("pages", sequence)).await?;
    }
    // Neighbours in the store must not show.
    write(journal, head("page", 0)).await?;
    write(journal, head("pages-", 0)).await?;
    let cases: [(u64, Direction, usize, &[u64]); 9] = [
        (0, Ascending, 100, &[0, 1, 2, 3, 4, 5]),
        (0, Ascending, 2, &[0, 1]),
        (4, Ascending, 10, &[4, 5]),
        (6, Ascending, 10, &[]),
        (u64::MAX, Ascending, 10, &[]),
        (u64::MAX, Descending, 2, &[5, 4]),
        (3, Descending, 10, &[3, 2, 1, 0]),
        (0, Descending, 10, &[0]),
        (3, Descending, 0, &[]),
    ];
    for (from, direction, limit, expected) in cases {
        let records = journal.read(&execution_arn("pages"), from, direction, limit).await?;
        let found: Vec<_> = records.iter().map(|r| r.sequence).collect();
        assert_eq!(found, expected, "{direction:?} from {from}, {limit} at most");
    }
    Ok(())
}

fn query(status: Option<ExecutionStatus>) -> ListQuery {
    ListQuery { machine: MACHINE.to_owned(), status, after: None, limit: 100 }
}

async fn names(journal: &dyn Journal, query: &ListQuery) -> Result<Vec<String>> {
    Ok(listed(journal, query).await?.into_iter().map(|listing| listing.name).collect())
}

/// At most `query.limit` executions, over as many pages as it takes.
async fn listed(journal: &dyn Journal, query: &ListQuery) -> Result<Vec<Listing>> {
    let (mut query, mut listings) = (query.clone(), Vec::new());
    loop {
        let page = journal.list(&query).await?;
        ensure!(page.listings.len() <= query.limit, "{} of {}", page.listings.len(), query.limit);
        query.limit -= page.listings.len();
        listings.extend(page.listings);
        match page.next {
            Some(next) if query.limit > 0 => query.after = Some(next),
            _ => return Ok(listings),
        }
    }
}

/// All open executions, in the order of their ARNs, read in pages of about `limit`.
async fn open(journal: &dyn Journal, limit: usize) -> Result<Vec<(String, Option<Timestamp>)>> {
    let (mut after, mut executions) = (None, Vec::new());
    loop {
        let page = journal.open(after.as_deref(), limit).await?;
        executions.extend(page.executions);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    executions.sort();
    Ok(executions)
}

pub async fn lists_show_the_newest_start_first(journal: &dyn Journal) -> Result<()> {
    for (name, started) in [("b", 20), ("a", 20), ("old", 10), ("new", 30)] {
        write(journal, head(name, started)).await?;
    }
    let mut other = head("elsewhere", 25);
    other.listing = other.listing.map(|listing| Listing { machine: format!("{MACHINE}-2"), ..listing });
    write(journal, other).await?;
    assert_eq!(names(journal, &query(None)).await?, ["new", "b", "a", "old"]);
    assert_eq!(names(journal, &ListQuery { limit: 2, ..query(None) }).await?, ["new", "b"]);
    let after = Some((Timestamp(20), execution_arn("b")));
    assert_eq!(names(journal, &ListQuery { after, ..query(None) }).await?, ["a", "old"]);
    let after = Some((Timestamp(10), execution_arn("old")));
    assert_eq!(names(journal, &ListQuery { after, ..query(None) }).await?, [""; 0]);
    Ok(())
}

pub async fn lists_show_the_last_status_only(journal: &dyn Journal) -> Result<()> {
    use ExecutionStatus::{Failed, Running, Succeeded};
    write(journal, head("runs", 1)).await?;
    write(journal, head("ends", 2)).await?;
    write(journal, record("ends", 1)).await?;
    assert_eq!(names(journal, &query(Some(Running))).await?, ["ends", "runs"]);
    let mut closing = close("ends", 2, 2, 50);
    closing.listing = closing.listing.map(|listing| Listing { shown: Some("another".to_owned()), ..listing });
    write(journal, closing.clone()).await?;
    assert_eq!(names(journal, &query(None)).await?, ["ends", "runs"]);
    assert_eq!(names(journal, &query(Some(Running))).await?, ["runs"]);
    assert_eq!(listed(journal, &query(Some(Succeeded))).await?, Vec::from_iter(closing.listing));
    assert_eq!(names(journal, &query(Some(Failed))).await?, [""; 0]);
    let after = Some((Timestamp(2), execution_arn("ends")));
    assert_eq!(names(journal, &ListQuery { after, ..query(Some(Succeeded)) }).await?, [""; 0]);
    // Redrive opens it again.
    write(journal, Record { listing: Some(running("ends", 2)), ..record("ends", 3) }).await?;
    assert_eq!(names(journal, &query(Some(Running))).await?, ["ends", "runs"]);
    assert_eq!(names(journal, &query(Some(Succeeded))).await?, [""; 0]);
    Ok(())
}

/// The record that opens a closed execution again.
pub fn reopen(name: &str, sequence: u64, started: i64) -> Record {
    let shown = Some(r#"{"redriven":[1,20]}"#.to_owned());
    let listing = Listing { shown, ..running(name, started) };
    Record { listing: Some(listing), full: sequence, due: Some(Timestamp(30)), ..record(name, sequence) }
}

pub async fn a_closed_execution_is_opened_again_and_closed_again(journal: &dyn Journal) -> Result<()> {
    let (arn, all) = (execution_arn("again"), query(None));
    write(journal, head("again", 5)).await?;
    write(journal, close("again", 1, 5, 9)).await?;
    assert_eq!(open(journal, 10).await?, []);
    let reopened = reopen("again", 2, 5);
    write(journal, reopened.clone()).await?;
    assert_eq!(listed(journal, &all).await?, Vec::from_iter(reopened.listing.clone()));
    assert_eq!(open(journal, 10).await?, [(arn.clone(), Some(Timestamp(30)))]);
    assert_eq!(journal.tail(&arn).await?, [head("again", 5), reopened.clone()]);
    assert_eq!(journal.ends(&arn).await?, Some((head("again", 5), reopened)));
    let last = Record { full: 2, ..close("again", 3, 5, 40) };
    write(journal, last.clone()).await?;
    assert_eq!(listed(journal, &all).await?, Vec::from_iter(last.listing.clone()));
    assert_eq!(open(journal, 10).await?, []);
    assert_eq!(journal.ends(&arn).await?, Some((head("again", 5), last)));
    Ok(())
}

pub async fn lists_come_in_pages_without_a_gap(journal: &dyn Journal) -> Result<()> {
    const EXECUTIONS: i64 = 60;
    for number in 0..EXECUTIONS {
        // Several begin at once; every third has ended.
        let (name, started) = (format!("{number:02}"), number / 4);
        write(journal, head(&name, started)).await?;
        if number % 3 == 0 {
            write(journal, close(&name, 1, started, 100)).await?;
        }
    }
    let all: Vec<_> = (0..EXECUTIONS).rev().map(|number| format!("{number:02}")).collect();
    for limit in [1, 7, 60, 100] {
        for status in [None, Some(ExecutionStatus::Running), Some(ExecutionStatus::Succeeded)] {
            let (mut query, mut found) = (ListQuery { limit, ..query(status) }, Vec::new());
            loop {
                let page = journal.list(&query).await?;
                found.extend(page.listings.into_iter().map(|listing| listing.name));
                match page.next {
                    Some(next) => query.after = Some(next),
                    None => break,
                }
            }
            let ended = |name: &str| name.parse::<i64>().is_ok_and(|number| number % 3 == 0);
            let wanted = |name: &&String| status.is_none_or(|s| ended(name) == (s == ExecutionStatus::Succeeded));
            let expected: Vec<_> = all.iter().filter(wanted).cloned().collect();
            assert_eq!(found, expected, "{status:?}, {limit} at a time");
        }
    }
    Ok(())
}

pub async fn open_executions_come_with_their_due_times(journal: &dyn Journal) -> Result<()> {
    for name in ["c", "a", "b", "closed"] {
        write(journal, Record { due: Some(Timestamp(100)), ..head(name, 0) }).await?;
    }
    write(journal, Record { due: None, ..record("a", 1) }).await?;
    write(journal, Record { due: Some(Timestamp(7)), ..record("b", 1) }).await?;
    write(journal, close("closed", 1, 0, 1)).await?;
    let all = [
        (execution_arn("a"), None),
        (execution_arn("b"), Some(Timestamp(7))),
        (execution_arn("c"), Some(Timestamp(100))),
    ];
    for limit in [1, 2, 3, 10] {
        assert_eq!(open(journal, limit).await?, all, "{limit} at a time");
    }
    write(journal, Record { listing: Some(running("closed", 0)), ..record("closed", 2) }).await?;
    let reopened = (execution_arn("closed"), None);
    assert_eq!(open(journal, 10).await?, all.into_iter().chain([reopened]).collect::<Vec<_>>());
    Ok(())
}

pub async fn a_forgotten_execution_leaves_its_name_free(journal: &dyn Journal) -> Result<()> {
    let arn = execution_arn("again");
    write(journal, head("again", 1)).await?;
    for sequence in 1..5 {
        write(journal, record("again", sequence)).await?;
    }
    write(journal, close("again", 5, 1, 2)).await?;
    forget(journal, &arn).await?;
    assert_eq!(journal.tail(&arn).await?, []);
    assert_eq!(journal.ends(&arn).await?, None);
    assert_eq!(journal.read(&arn, 0, Direction::Descending, 10).await?, []);
    assert_eq!(names(journal, &query(None)).await?, [""; 0]);
    write(journal, head("again", 9)).await?;
    assert_eq!(journal.tail(&arn).await?, [head("again", 9)]);
    assert_eq!(journal.read(&arn, 0, Direction::Ascending, 10).await?, [head("again", 9)]);
    journal.forget(&Seen { execution: execution_arn("never"), head: 1, last: 0 }).await?;
    Ok(())
}

fn cell(name: &str, key: &str, nonce: u64, last: bool) -> Cell {
    let body = format!("{name} {key} {nonce}").into_bytes();
    Cell { execution: execution_arn(name), key: key.to_owned(), nonce, is_final: last, needs_wakeup: last, body }
}

pub async fn a_cell_is_written_over_until_it_is_the_last(journal: &dyn Journal) -> Result<()> {
    use Expect::{Absent, Nonce, NotFinal};
    write(journal, head("cells", 0)).await?;
    let beat = |nonce| cell("cells", "0/1", nonce, false);
    let end = |nonce| cell("cells", "0/1", nonce, true);
    assert!(matches!(journal.put_cell(beat(1), Nonce(9)).await, Ok(Put::Refused(_)) | Err(_)), "nothing is there");
    assert_eq!(journal.put_cell(beat(1), Absent).await?, Put::Written);
    assert_eq!(journal.put_cell(beat(1), Absent).await?, Put::Written, "its own, whose answer was lost");
    assert_eq!(journal.put_cell(beat(2), Absent).await?, Put::Refused(beat(1)));
    assert_eq!(journal.put_cell(beat(2), NotFinal).await?, Put::Written);
    assert_eq!(journal.put_cell(end(3), Nonce(1)).await?, Put::Refused(beat(2)), "another than was seen");
    assert_eq!(journal.put_cell(end(3), Nonce(2)).await?, Put::Written);
    assert_eq!(journal.put_cell(beat(4), NotFinal).await?, Put::Refused(end(3)));
    assert_eq!(journal.put_cell(end(4), NotFinal).await?, Put::Refused(end(3)));
    assert_eq!(journal.put_cell(end(5), Nonce(3)).await?, Put::Written);
    assert_eq!(journal.cells(&execution_arn("cells")).await?, [end(5)]);
    journal.drop_cell(&execution_arn("cells"), "0/1").await?;
    journal.drop_cell(&execution_arn("cells"), "0/1").await?;
    assert_eq!(journal.cells(&execution_arn("cells")).await?, []);
    Ok(())
}

pub async fn one_of_many_writers_of_a_cell_wins(journal: &dyn Journal) -> Result<()> {
    write(journal, head("crowd", 0)).await?;
    let puts = (1..=16).map(|nonce| journal.put_cell(cell("crowd", "0/7", nonce, true), Expect::NotFinal));
    let puts = try_join_all(puts).await?;
    let there = journal.cells(&execution_arn("crowd")).await?;
    assert_eq!(puts.iter().filter(|put| **put == Put::Written).count(), 1);
    let lost = puts.into_iter().filter(|put| *put != Put::Written);
    assert!(
        lost.eq(std::iter::repeat_n(Put::Refused(there.first().cloned().context("no cell")?), 15)),
        "the losers get the winner's"
    );
    Ok(())
}

pub async fn cells_come_with_the_tail_and_go_with_the_execution(journal: &dyn Journal) -> Result<()> {
    let arn = execution_arn("both");
    write(journal, head("both", 0)).await?;
    write(journal, record("both", 1)).await?;
    // Neighbours, which must not show.
    write(journal, head("both-", 0)).await?;
    journal.put_cell(cell("both-", "0/1", 1, true), Expect::NotFinal).await?;
    let cells = [cell("both", "0/1", 5, false), cell("both", "0/2", 6, true)];
    for cell in cells.clone() {
        journal.put_cell(cell, Expect::NotFinal).await?;
    }
    let records = vec![head("both", 0), record("both", 1)];
    assert_eq!(journal.load(&arn).await?, (records.clone(), cells.to_vec()));
    assert_eq!(journal.tail(&arn).await?, records);
    assert_eq!(journal.ends(&arn).await?, Some((head("both", 0), record("both", 1))));
    assert_eq!(journal.read(&arn, u64::MAX, Direction::Descending, 10).await?.len(), 2);
    write(journal, close("both", 2, 0, 1)).await?;
    forget(journal, &arn).await?;
    assert_eq!(journal.load(&arn).await?, (Vec::new(), Vec::new()));
    assert_eq!(journal.cells(&arn).await?, []);
    Ok(())
}

fn machine(name: &str, version: u64) -> Document {
    Document { key: format!("{MACHINE}-{name}"), version, body: format!("{name} {version} \u{1F980}") }
}

pub async fn a_machine_is_written_over_the_version_it_was_made_from(machines: &dyn Documents) -> Result<()> {
    let (first, second) = (machine("a", 1), machine("a", 2));
    assert_eq!(machines.get(&first.key).await?, None);
    assert!(!machines.put(second.clone()).await?, "nothing is there to be written over");
    assert!(machines.put(first.clone()).await?);
    assert!(!machines.put(Document { body: "other".to_owned(), ..first.clone() }).await?, "it exists");
    assert_eq!(machines.get(&first.key).await?, Some(first.clone()));
    assert!(machines.put(second.clone()).await?);
    assert!(!machines.put(second.clone()).await?, "somebody was first");
    assert!(!machines.put(machine("a", 4)).await?, "a version is missing");
    assert_eq!(machines.get(&first.key).await?, Some(second));
    Ok(())
}

pub async fn a_machine_is_removed_in_the_version_that_was_seen(machines: &dyn Documents) -> Result<()> {
    let arn = machine("a", 1).key;
    assert!(!machines.remove(&arn, 1).await?);
    machines.put(machine("a", 1)).await?;
    machines.put(machine("a", 2)).await?;
    assert!(!machines.remove(&arn, 1).await?);
    assert_eq!(machines.get(&arn).await?, Some(machine("a", 2)));
    assert!(machines.remove(&arn, 2).await?);
    assert_eq!(machines.get(&arn).await?, None);
    assert!(machines.put(machine("a", 1)).await?, "the name is free");
    Ok(())
}

pub async fn one_of_many_writers_of_a_machine_wins(machines: &dyn Documents) -> Result<()> {
    let writers = (0..16).map(|writer| machines.put(Document { body: writer.to_string(), ..machine("a", 1) }));
    let won = try_join_all(writers).await?;
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    let winner = won.iter().position(|won| *won).map(|writer| writer.to_string());
    assert_eq!(machines.get(&machine("a", 1).key).await?.map(|item| item.body), winner);
    Ok(())
}

pub async fn machines_come_in_the_order_of_their_arns(machines: &dyn Documents) -> Result<()> {
    assert_eq!(machines.list("arn:", None, 10).await?, []);
    for name in ["c", "a", "b"] {
        machines.put(machine(name, 1)).await?;
    }
    let all = [machine("a", 1), machine("b", 1), machine("c", 1)];
    assert_eq!(machines.list("arn:", None, 10).await?, all);
    assert_eq!(machines.list("arn:", None, 2).await?, all[..2]);
    assert_eq!(machines.list("arn:", Some(&all[0].key), 10).await?, all[1..]);
    assert_eq!(machines.list("arn:", Some(&all[2].key), 10).await?, []);
    assert_eq!(machines.list(&all[1].key, None, 10).await?, all[1..2], "only what begins with the prefix");
    assert_eq!(machines.list(&all[1].key, Some(&all[0].key), 10).await?, all[1..2], "from the prefix on");
    assert_eq!(machines.list(&all[0].key, Some(&all[0].key), 10).await?, [], "to the end of the prefix");
    assert_eq!(machines.list("", None, 10).await?, all);
    Ok(())
}

pub async fn a_revision_is_kept_under_its_hash(machines: &dyn Documents) -> Result<()> {
    let long = "x".repeat(1 << 20);
    assert_eq!(machines.revision("one").await?, None);
    machines.put_revision("one", &long).await?;
    machines.put_revision("one", &long).await?;
    machines.put_revision("two", "{}").await?;
    assert_eq!(machines.revision("one").await?.as_deref(), Some(long.as_str()));
    assert_eq!(machines.revision("two").await?.as_deref(), Some("{}"));
    Ok(())
}

pub async fn a_start_is_pending_until_it_is_dropped(starts: &dyn Starts) -> Result<()> {
    assert_eq!(starts.pending().await?, []);
    starts.keep("a", "body of a").await?;
    starts.keep("b", "body of b").await?;
    starts.keep("a", "body of a").await?;
    let pair = |id: &str| (id.to_owned(), format!("body of {id}"));
    let mut pending = starts.pending().await?;
    pending.sort();
    assert_eq!(pending, [pair("a"), pair("b")]);
    starts.rewrite("a", "second try of a").await?;
    let mut pending = starts.pending().await?;
    pending.sort();
    assert_eq!(pending, [("a".to_owned(), "second try of a".to_owned()), pair("b")]);
    starts.drop("a").await?;
    starts.drop("a").await?;
    starts.rewrite("a", "third try of a").await?;
    assert_eq!(starts.pending().await?, [pair("b")]);
    Ok(())
}
