//! Express executions that kill their process.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use stepwell_tests::lambda_server::{Answer, Dialect, LambdaServer};
use stepwell_tests::server::Server;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);
/// An execution that ran again would call its function by then.
const LONG_ENOUGH: Duration = Duration::from_secs(2);

struct World {
    functions: LambdaServer,
    directory: TempDir,
}

impl World {
    async fn new() -> Result<World> {
        let functions = LambdaServer::start(Dialect::Aws).await?;
        functions.register("hangs", |_, _| Answer::Hangs);
        Ok(World { functions, directory: TempDir::new()? })
    }

    async fn serve(&self, flags: &[&str]) -> Result<Server> {
        let url = self.functions.url();
        let flags = [&["--lambda-endpoint", &url], flags].concat();
        Server::start(&self.directory.path().join("data"), &flags).await
    }

    async fn start(&self, server: &Server) -> Result<()> {
        let resource = "arn:aws:lambda:us-east-1:123456789012:function:hangs";
        let definition = json!({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": resource, "End": true}}});
        let machine = server.client().create_as("quick", "EXPRESS", &definition).await?;
        server.client().call("StartExecution", &json!({"stateMachineArn": machine})).await?;
        Ok(())
    }

    async fn called(&self, times: usize) -> Result<()> {
        let limit = Instant::now() + LIMIT;
        while self.functions.calls().len() < times {
            ensure!(Instant::now() < limit, "it ran {} times, not {times}", self.functions.calls().len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_whose_process_dies_three_times_is_given_up() -> Result<()> {
    let _alone = super::ALONE.lock().await;
    let world = World::new().await?;
    let server = world.serve(&[]).await?;
    world.start(&server).await?;
    world.called(1).await?;
    server.kill()?;
    for tries in 2..=3 {
        let server = world.serve(&[]).await?;
        world.called(tries).await?;
        server.kill()?;
    }
    let server = world.serve(&[]).await?;
    tokio::time::sleep(LONG_ENOUGH).await;
    ensure!(world.functions.calls().len() == 3, "it ran {} times", world.functions.calls().len());
    ensure!(server.log_text().matches("express execution given up").count() == 1, "{}", server.log_text());
    server.kill()?;
    let server = world.serve(&[]).await?;
    tokio::time::sleep(LONG_ENOUGH).await;
    ensure!(server.log_text().matches("express execution given up").count() == 1, "its start is still kept");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_discards_executions_that_had_not_ended() -> Result<()> {
    let _alone = super::ALONE.lock().await;
    let world = World::new().await?;
    let server = world.serve(&[]).await?;
    world.start(&server).await?;
    world.called(1).await?;
    server.kill()?;
    world.serve(&["--discard-express"]).await?.kill()?;
    let _server = world.serve(&[]).await?;
    tokio::time::sleep(LONG_ENOUGH).await;
    ensure!(world.functions.calls().len() == 1, "it ran {} times", world.functions.calls().len());
    Ok(())
}
