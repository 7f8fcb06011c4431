//! Holds every adapter of the service's ports to the promises in `stepwell_tests::contracts`, in process; `emulators.rs` does
//! so over foreign emulators of AWS.

use std::sync::Arc;

use aws::{Table, clients, create};
use embedded::{ActivityTasks, Directory, Options};
use engine::SystemClock;
use stepwell_tests::dynamo::Dynamo;
use stepwell_tests::promises;

async fn directory() -> anyhow::Result<Option<(tempfile::TempDir, Directory)>> {
    let home = tempfile::tempdir()?;
    let directory = Directory::open(home.path().join("data"), &Options::default())?;
    Ok(Some((home, directory)))
}

mod embedded_directory {
    super::promises! { Journal, Documents: super::directory }
    super::promises! { Starts: super::directory }
}

async fn table() -> anyhow::Result<Option<(Dynamo, Table)>> {
    let dynamo = Dynamo::new()?;
    let client = clients::dynamodb(&dynamo.config());
    create::create_table(&client, "stepwell").await?;
    Ok(Some((dynamo, Table::new(client, "stepwell", Arc::new(SystemClock::new()?), 90))))
}

// Not `Starts`: on AWS a start is a message, and what is pending is SQS's affair (`shared/aws/src/starts.rs`).
mod dynamodb_table {
    super::promises! { Journal, Documents: super::table }
    super::promises! { Cells: super::table }
    super::promises! { ActivityQueue: super::table }
}

async fn activities_in_memory() -> anyhow::Result<Option<((), ActivityTasks)>> {
    Ok(Some(((), ActivityTasks::new(Arc::new(SystemClock::new()?)))))
}

mod embedded_activities {
    super::promises! { ActivityQueue: super::activities_in_memory }
}
