//! A planned stop (SIGTERM) waits for task calls in flight, commits their results and starts nothing new.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use stepwell_tests::lambda_server::{Answer, Dialect, LambdaServer};
use stepwell_tests::server::Server;
use tempfile::TempDir;

const CALL: Duration = Duration::from_secs(3);
const LIMIT: Duration = Duration::from_secs(20);

struct World {
    functions: LambdaServer,
    directory: TempDir,
    machine: String,
}

impl World {
    /// A server with one execution of two tasks, of which the first is called.
    async fn with_a_call_in_flight() -> Result<(World, Server, String)> {
        let functions = LambdaServer::start(Dialect::Aws).await?;
        functions.register("slow", |_, _| Answer::After(CALL, Box::new(Answer::Returns(json!(7)))));
        let directory = TempDir::new()?;
        let mut world = World { functions, directory, machine: String::new() };
        let server = world.serve().await?;
        let task = json!({ "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:slow" });
        let (mut first, mut second) = (task.clone(), task);
        first["Next"] = json!("Second");
        second["End"] = json!(true);
        let definition = json!({ "StartAt": "First", "States": { "First": first, "Second": second } });
        world.machine = server.client().create("slow", &definition).await?;
        let execution = server.client().start(&world.machine, "one", &json!({})).await?;
        let limit = Instant::now() + LIMIT;
        while world.functions.calls().is_empty() {
            ensure!(Instant::now() < limit, "the function is never called");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok((world, server, execution))
    }

    async fn serve(&self) -> Result<Server> {
        Server::start(&self.directory.path().join("data"), &["--lambda-endpoint", &self.functions.url()]).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_calls_in_flight_and_starts_nothing() -> Result<()> {
    let (world, server, execution) = World::with_a_call_in_flight().await?;
    server.signal_stop()?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let refused = server.client().start(&world.machine, "two", &json!({})).await.expect_err("the server stops");
    ensure!(refused.to_string().contains("ThrottlingException"), "{refused:#}");
    ensure!(server.ended().await?.success(), "the server stops with an error");
    ensure!(world.functions.calls().len() == 1, "the second task was called by a server that stops");

    let server = world.serve().await?;
    let description = server.client().finished(&execution, LIMIT).await?;
    ensure!(description["status"] == "SUCCEEDED", "{description}");
    ensure!(world.functions.calls().len() == 2, "each task is called once");
    ensure!(server.stop().await?.success(), "the server stops with an error");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_stops_at_once() -> Result<()> {
    let (_world, server, _execution) = World::with_a_call_in_flight().await?;
    server.signal_stop()?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begin = Instant::now();
    ensure!(server.stop().await?.success(), "the server stops with an error");
    ensure!(begin.elapsed() < CALL - Duration::from_secs(1), "it took {:?}", begin.elapsed());
    Ok(())
}
