//! RedriveExecution on the real `serve`, killed by SIGKILL before it, after it, and while what is redriven runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stepwell_tests::client::{parsed, types};
use stepwell_tests::lambda_server::{Answer, Dialect, LambdaServer};
use stepwell_tests::server::Server;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);

fn function(name: &str) -> Value {
    json!({ "Type": "Task", "Resource": format!("arn:aws:lambda:us-east-1:123456789012:function:{name}"), "End": true })
}

/// Three branches: one that succeeds at once, one whose function fails at first, and a Map one of whose items is waited
/// for when that happens.
fn definition() -> Value {
    let flow = |name: &str| json!({ "StartAt": name, "States": { name: function(name) } });
    let map = json!({ "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 2, "ItemProcessor": flow("item"), "End": true });
    let items = json!({ "StartAt": "Items", "States": { "Items": map } });
    let all = json!({ "Type": "Parallel", "Branches": [flow("once"), flow("failing"), items], "End": true });
    json!({ "StartAt": "All", "States": { "All": all } })
}

/// The functions of [`definition`]. The items come one after the other; the second of them never answers at first.
async fn functions() -> Result<LambdaServer> {
    let functions = LambdaServer::start(Dialect::Aws).await?;
    functions.register("once", |_, _| Answer::Returns(json!("once")));
    let (failures, hangs) = (Arc::new(AtomicUsize::new(2)), Arc::new(AtomicUsize::new(2)));
    functions.register("failing", move |_, _| {
        let fails = failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        let after = Duration::from_millis(800);
        let answer = if fails { Answer::raises("NotYet", "later") } else { Answer::Returns(json!("mended")) };
        Answer::After(after, Box::new(answer))
    });
    functions.register("item", move |event, _| {
        let waits = *event == json!(2)
            && hangs.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        let answer = Answer::Returns(event.clone());
        if waits { Answer::After(LIMIT, Box::new(answer)) } else { answer }
    });
    Ok(functions)
}

fn calls(functions: &LambdaServer, name: &str) -> usize {
    functions.calls().iter().filter(|call| call.function == name).count()
}

struct World {
    functions: LambdaServer,
    directory: TempDir,
}

impl World {
    async fn serve(&self) -> Result<Server> {
        Server::start(&self.directory.path().join("data"), &["--lambda-endpoint", &self.functions.url()]).await
    }

    /// Kills the server, and starts another on what it left.
    async fn after_a_kill(&self, server: Server) -> Result<Server> {
        server.kill()?;
        self.serve().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_survives_kills_and_calls_nothing_again_that_succeeded() -> Result<()> {
    let world = World { functions: functions().await?, directory: TempDir::new()? };
    let server = world.serve().await?;
    let machine = server.client().create("redriven", &definition()).await?;
    let execution = server.client().start(&machine, "one", &json!({ "items": [1, 2, 3] })).await?;
    let failed = server.client().finished(&execution, LIMIT).await?;
    ensure!((&failed["status"], &failed["redriveStatus"]) == (&json!("FAILED"), &json!("REDRIVABLE")), "{failed}");

    let redrive = |number: u32| json!({ "executionArn": execution, "clientToken": format!("redrive-{number}") });
    let server = world.after_a_kill(server).await?;
    let first = server.client().call("RedriveExecution", &redrive(1)).await?;
    // Its answer may have been lost with the server.
    let server = world.after_a_kill(server).await?;
    let again = server.client().call("RedriveExecution", &redrive(1)).await?;
    ensure!(first == again, "{first} and {again}");
    let failed = server.client().finished(&execution, LIMIT).await?;
    ensure!((&failed["status"], &failed["redriveCount"]) == (&json!("FAILED"), &json!(1)), "{failed}");

    // Of the calls that the kill cut off it is not known whether they failed, so the function may fail once more.
    let mut done = failed;
    let mut redrives = 1;
    while done["status"] == "FAILED" && redrives < 4 {
        redrives += 1;
        server.client().call("RedriveExecution", &redrive(redrives)).await?;
        done = server.client().finished(&execution, LIMIT).await?;
    }
    ensure!((&done["status"], &done["redriveCount"]) == (&json!("SUCCEEDED"), &json!(redrives)), "{done}");
    ensure!(parsed(&done["output"])? == json!(["once", "mended", [1, 2, 3]]), "{done}");
    ensure!(calls(&world.functions, "once") == 1, "a branch that had succeeded was called again");
    let events = server.client().history(&execution).await?;
    let count = |name: &str| types(&events).iter().filter(|kind| **kind == name).count();
    for (name, times) in [
        ("ExecutionRedriven", usize::try_from(redrives)?),
        ("ParallelStateEntered", 1),
        ("ParallelStateStarted", 1),
        ("MapStateStarted", 1),
        ("MapIterationStarted", 3),
        ("MapIterationSucceeded", 3),
        ("TaskStateEntered", 5),
        ("TaskStateExited", 5),
    ] {
        ensure!(count(name) == times, "{name}: {} in {events:#?}", count(name));
    }
    let item = |number: u64| {
        let asked = number.to_string();
        world.functions.calls().iter().filter(|call| call.function == "item" && call.body == asked).count()
    };
    ensure!((item(1), item(3)) == (1, 1), "items that had succeeded were called again");
    server.stop().await.context("it stops")?;
    Ok(())
}
