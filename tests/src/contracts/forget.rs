//! The contract of `Journal::forget`: it takes nothing of a successor, and nothing that was redriven.

use anyhow::{Context, Result};
use engine::ports::{Appended, Journal, Record, Seen};
use futures_util::future::try_join_all;

use super::{close, execution_arn, head, record, running, write};

/// Forgets an execution as it is.
pub async fn forget(journal: &dyn Journal, execution: &str) -> Result<()> {
    let (first, last) = journal.ends(execution).await?.context("there is none")?;
    Ok(journal.forget(&Seen::of(&first, &last)).await?)
}

pub async fn an_execution_is_forgotten_only_as_it_was_seen(journal: &dyn Journal) -> Result<()> {
    let arn = execution_arn("seen");
    let seen = |head, last| Seen { execution: arn.clone(), head, last };
    write(journal, Record { nonce: 1, ..head("seen", 1) }).await?;
    write(journal, record("seen", 1)).await?;
    assert!(journal.forget(&seen(1, 1)).await.is_err_and(|error| !error.retryable), "it is open");
    write(journal, close("seen", 2, 1, 2)).await?;
    for (other, what) in [(seen(2, 2), "another of its name"), (seen(1, 1), "before its end"), (seen(1, 3), "further")]
    {
        journal.forget(&other).await?;
        assert_eq!(journal.tail(&arn).await?.len(), 3, "{what}");
    }
    // Redriven since it was seen.
    write(journal, Record { listing: Some(running("seen", 1)), ..record("seen", 3) }).await?;
    write(journal, close("seen", 4, 1, 9)).await?;
    journal.forget(&seen(1, 2)).await?;
    assert_eq!(journal.tail(&arn).await?.len(), 5);
    journal.forget(&seen(1, 4)).await?;
    assert_eq!(journal.ends(&arn).await?, None);
    // A successor that has come as far, whether open or closed.
    write(journal, Record { nonce: 2, ..head("seen", 5) }).await?;
    for sequence in 1..4 {
        write(journal, record("seen", sequence)).await?;
    }
    write(journal, record("seen", 4)).await?;
    journal.forget(&seen(1, 4)).await?;
    write(journal, close("seen", 5, 5, 6)).await?;
    journal.forget(&seen(1, 5)).await?;
    assert_eq!(journal.tail(&arn).await?.len(), 6);
    Ok(())
}

/// The port's side of six clients that start a name whose execution is over: each forgets what it saw and begins one, until
/// one has begun. What has begun and ended is there in the end, and was there all the time.
pub async fn of_many_that_use_a_name_again_one_begins_and_none_takes_it_away(journal: &dyn Journal) -> Result<()> {
    const CLIENTS: u64 = 6;
    for name in 0..25 {
        let name = format!("again-{name}");
        let arn = execution_arn(&name);
        write(journal, Record { nonce: 1, ..head(&name, 1) }).await?;
        for sequence in 1..3 {
            write(journal, record(&name, sequence)).await?;
        }
        write(journal, close(&name, 3, 1, 2)).await?;
        let clients = (0..CLIENTS).map(|client| {
            let (name, arn) = (&name, &arn);
            async move {
                let nonce = 100 + client;
                for _ in 0..100 {
                    match journal.ends(arn).await? {
                        Some((first, last)) if first.nonce == 1 => {
                            tokio::task::yield_now().await;
                            // It was over when it was read.
                            journal.forget(&Seen::of(&first, &last)).await?;
                        }
                        Some(_) => return Ok(false),
                        None => {}
                    }
                    match journal.append(Record { nonce, ..head(name, 9) }).await? {
                        Appended::Written => {
                            write(journal, Record { nonce, ..close(name, 1, 9, 10) }).await?;
                            return Ok(true);
                        }
                        Appended::Taken(winner) if winner.nonce >= 100 => return Ok(false),
                        Appended::Taken(_) => {}
                    }
                }
                anyhow::bail!("client {client} found no end")
            }
        });
        let begun = try_join_all(clients).await?;
        assert_eq!(begun.iter().filter(|begun| **begun).count(), 1, "{name} ran once");
        let tail = journal.tail(&arn).await?;
        let found: Vec<_> = tail.iter().map(|record| (record.sequence, record.nonce)).collect();
        let winner = 100 + begun.iter().position(|begun| *begun).context("none")? as u64;
        assert_eq!(found, [(0, winner), (1, winner)], "{name} is whole");
    }
    Ok(())
}
