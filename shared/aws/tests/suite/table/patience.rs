//! How long a store's bad moments are waited out, and what is told in the end.

use anyhow::Result;
use engine::ports::{Appended, Journal};
use stepwell_tests::contracts::{execution_arn, head, write};
use stepwell_tests::dynamo::Fault;
use tokio::time::{Duration, Instant};

use super::Stand;

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out() -> Result<()> {
    for fault in [Fault::Throttles, Fault::Breaks] {
        let stand = Stand::new().await?;
        for _ in 0..5 {
            stand.dynamo.meets("PutItem", fault);
        }
        assert_eq!(stand.table.append(head("throttled", 0)).await?, Appended::Written);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_bad_is_an_error_that_may_pass() -> Result<()> {
    for fault in [Fault::Throttles, Fault::Breaks, Fault::LosesAnswer] {
        let stand = Stand::new().await?;
        for _ in 0..100 {
            stand.dynamo.meets("Query", fault);
        }
        let begin = Instant::now();
        let error = stand.table.tail(&execution_arn("any")).await.expect_err("it stays bad");
        assert!(error.retryable, "{fault:?}: {error}");
        assert!(begin.elapsed() <= Duration::from_secs(11), "{fault:?}: {:?}", begin.elapsed());
        assert!(error.message.starts_with("AWS could not query a partition: "), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_table_that_is_not_there_does_not_pass() -> Result<()> {
    let stand = Stand::new().await?;
    let elsewhere = aws::Table::new(stand.client.clone(), "elsewhere", stand.clock.clone(), 90);
    let error = write(&elsewhere, head("nowhere", 0)).await.expect_err("no table");
    let error = error.downcast::<engine::ports::StoreError>()?;
    assert!(!error.retryable && error.message.contains("ResourceNotFoundException"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_table_that_is_there_is_left_as_it_is() -> Result<()> {
    let stand = Stand::new().await?;
    write(&stand.table, head("kept", 0)).await?;
    aws::create::create_table(&stand.client, super::NAME).await?;
    assert_eq!(stand.table.tail(&execution_arn("kept")).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn clients_bring_their_own_https_when_the_configuration_has_none() -> Result<()> {
    let stand = Stand::new().await?;
    // Port 9 takes no connections: what fails is the connection, not the making of the client.
    let config = stand.dynamo.config().into_builder();
    let mut config = config.endpoint_url("http://127.0.0.1:9");
    config.set_http_client(None);
    let config = config.build();
    let table = aws::Table::new(aws::clients::dynamodb(&config), super::NAME, stand.clock.clone(), 90);
    let error = table.ends(&execution_arn("any")).await.expect_err("nobody is there");
    assert!(error.retryable, "{error}");
    Ok(())
}
