//! The adapters of `shared/aws` over foreign emulators of AWS, held to the same promises as in process.
//!
//! The tests of an emulator share one, started by the first; each has a table or a queue of its own. Absent: moto's DynamoDB. It
//! keeps these promises as well, but takes half a minute for it. Without Python the tests say so and pass, as
//! `stepwell_tests::python` has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use aws::{Table, clients, create};
use engine::SystemClock;
use stepwell_tests::contracts::Mailbox;
use stepwell_tests::{dynamo, emulators, promises};

const ACCOUNT: &str = "123456789012";

/// A name that no other test of this binary has.
fn own(kind: &str) -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    format!("{kind}-{}", MADE.fetch_add(1, Ordering::Relaxed))
}

async fn mailbox(endpoint: Option<&str>) -> Result<Option<((), Mailbox)>> {
    let Some(endpoint) = endpoint else { return Ok(None) };
    let sqs = clients::sqs(&dynamo::config_at(endpoint, ACCOUNT).await);
    Ok(Some(((), Mailbox::make(sqs, &own("work")).await?)))
}

async fn table(endpoint: Option<&str>) -> Result<Option<((), Table)>> {
    let Some(endpoint) = endpoint else { return Ok(None) };
    let (client, name) = (clients::dynamodb(&dynamo::config_at(endpoint, ACCOUNT).await), own("stepwell"));
    create::create_table(&client, &name).await?;
    Ok(Some(((), Table::new(client, &name, Arc::new(SystemClock::new()?), 90))))
}

mod moto {
    use super::*;

    async fn queue() -> Result<Option<((), Mailbox)>> {
        mailbox(tokio::task::block_in_place(emulators::moto)?).await
    }

    promises! { Queue: queue }
}

mod ministack {
    use super::*;

    async fn queue() -> Result<Option<((), Mailbox)>> {
        mailbox(tokio::task::block_in_place(emulators::ministack)?).await
    }

    async fn store() -> Result<Option<((), Table)>> {
        table(tokio::task::block_in_place(emulators::ministack)?).await
    }

    promises! { Queue: queue }
    promises! { Journal, Documents: store }
    promises! { Cells: store }
}
