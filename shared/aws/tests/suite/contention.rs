//! Many who answer one execution at once, over DynamoDB: nobody is refused, every answer counts once, and heartbeats
//! leave the journal as it is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use engine::cells::{self, Content};
use engine::ports::{Expect, Journal, Put, TaskAnswer, TaskCall, Tasks, WakeUp};
use engine::tokens::TaskToken;
use engine::worker::{Message, Worker};
use engine::{Deployment, entry};
use futures_util::future::{join_all, try_join_all};
use interpreter::{Answer, Payload, ThreadPath, Wait};
use serde_json::{Value, json};
use service::Service;
use stepwell_tests::cloud::Process;
use stepwell_tests::cloud::{Cloud, call, create_machine, start};
use stepwell_tests::dynamo::{Dynamo, Fault};
use stepwell_tests::simulation::{Chance, pages};

/// Functions that hand their task token to somebody outside.
struct Outside {
    tokens: Mutex<Vec<(u64, String)>>,
    table: Dynamo,
    /// So many writes fail after each call.
    breaks: usize,
}

#[async_trait]
impl Tasks for Outside {
    async fn call(&self, call: TaskCall) -> TaskAnswer {
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
        let payload = &arguments["Payload"];
        let (item, token) = (payload["item"].as_u64(), payload["token"].as_str());
        let told = item.unwrap_or_default();
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).push((told, token.unwrap_or_default().to_owned()));
        for _ in 0..self.breaks {
            self.table.meets("PutItem", Fault::Breaks);
        }
        TaskAnswer::Succeeded { output: "{}".to_owned() }
    }

    async fn limit(&self, _call: &TaskCall) -> Duration {
        Duration::from_secs(60)
    }
}

impl Outside {
    fn tokens(&self) -> Vec<(u64, String)> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).clone();
        tokens.sort();
        tokens
    }
}

struct World {
    cloud: Cloud,
    outside: Arc<Outside>,
    worker: Worker,
    api: Process,
    execution: String,
}

impl World {
    /// One execution that waits for so many answers, each with a heartbeat.
    async fn waiting_for(waits: usize, fields: Value) -> Result<World> {
        World::on_a_table_that_breaks(0, waits, fields).await
    }

    /// The same, where so many writes fail after each call.
    async fn on_a_table_that_breaks(breaks: usize, waits: usize, fields: Value) -> Result<World> {
        let cloud = Cloud::new().await?;
        let outside = Arc::new(Outside { tokens: Mutex::default(), table: cloud.dynamo.clone(), breaks });
        let api = cloud.process(Deployment::ApiOnly, outside.clone()).await?;
        let worker = Worker::new(cloud.process(Deployment::SharedWorker, outside.clone()).await?.engine.clone());
        let mut ask = json!({
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "End": true,
            "Parameters": { "FunctionName": "ask", "Payload": { "token.$": "$$.Task.Token", "item.$": "$" } },
        });
        for (name, value) in fields.as_object().cloned().unwrap_or_default() {
            ask[name] = value;
        }
        let each = json!({ "StartAt": "Ask", "States": { "Ask": ask } });
        // A Map runs 40 at a time, so there are Maps in a Map.
        let inner = json!({ "Type": "Map", "ItemProcessor": each, "End": true });
        let some = json!({ "StartAt": "Some", "States": { "Some": inner } });
        let outer = json!({ "Type": "Map", "ItemProcessor": some, "End": true });
        let definition = json!({ "StartAt": "All", "States": { "All": outer } });
        let machine = create_machine(&api.service, "contended", "STANDARD", &definition).await?;
        let numbers: Vec<usize> = (0..waits).collect();
        let items: Vec<&[usize]> = numbers.chunks(40).collect();
        let execution = start(&api.service, &machine, "one", &json!(items)).await?;
        let world = World { cloud, outside, worker, api, execution };
        for _ in 0..20 {
            world.look().await?;
            if world.outside.tokens().len() == waits {
                return Ok(world);
            }
        }
        anyhow::bail!("{} of {waits} were asked", world.outside.tokens().len())
    }

    /// A worker is told of the execution, and the messages so far are gone.
    async fn look(&self) -> Result<()> {
        let look = Message::WakeUp(WakeUp::of(&self.execution, None));
        let undone = self.worker.handle(vec![look], self.cloud.until()).await;
        assert!(undone.is_empty(), "{undone:?}");
        Ok(())
    }

    /// A call of the API, in a process of its own.
    async fn ask_alone(&self, action: &str, body: Value) -> Result<Value> {
        let process = self.cloud.process(Deployment::ApiOnly, self.outside.clone()).await?;
        call(&process.service, action, body).await
    }

    async fn succeed(&self, (item, token): &(u64, String)) -> Result<Value> {
        let output = json!(item * 10).to_string();
        self.ask_alone("SendTaskSuccess", json!({ "taskToken": token, "output": output })).await
    }

    /// What came out in the end, item by item.
    async fn came_to(&self) -> Result<Vec<u64>> {
        self.cloud.deliver_all(&self.worker, 1).await?;
        let described = self.described().await?;
        assert_eq!(described["status"], "SUCCEEDED", "{described}");
        let output: Vec<Vec<u64>> = serde_json::from_str(described["output"].as_str().unwrap_or_default())?;
        Ok(output.concat())
    }

    async fn described(&self) -> Result<Value> {
        call(&self.api.service, "DescribeExecution", json!({ "executionArn": self.execution })).await
    }

    async fn records(&self) -> Result<u64> {
        let ends = self.api.table.ends(&self.execution).await?.context("no records")?;
        Ok(ends.1.sequence)
    }
}

#[tokio::test(start_paused = true)]
async fn two_hundred_answers_at_once_all_succeed_and_count_once() -> Result<()> {
    const WAITS: u64 = 200;
    let world = World::waiting_for(WAITS as usize, json!({})).await?;
    let tokens = world.outside.tokens();
    world.cloud.sent()?;
    let answers = join_all(tokens.iter().map(|token| world.succeed(token))).await;
    let failed: Vec<String> =
        answers.iter().filter_map(|answer| answer.as_ref().err().map(ToString::to_string)).collect();
    assert_eq!(failed, [""; 0], "{} of {WAITS} failed", failed.len());
    assert_eq!(world.came_to().await?, (0..WAITS).map(|item| item * 10).collect::<Vec<_>>());
    let again = join_all(tokens.iter().take(3).map(|token| world.succeed(token))).await;
    for answer in again {
        let error = answer.expect_err("it was answered");
        assert!(error.to_string().contains("TaskTimedOut"), "{error}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn of_three_answers_to_a_token_at_once_the_one_that_counts_is_acknowledged_and_no_other() -> Result<()> {
    const WAITS: usize = 60;
    let world = &World::waiting_for(WAITS, json!({})).await?;
    let tokens = world.outside.tokens();
    let told = tokens.iter().flat_map(|(item, token)| (1..=3).map(move |said| (token, item * 10 + said)));
    let told: Vec<(&String, u64)> = told.collect();
    let answer = |token: &String, output: u64| {
        let body = json!({ "taskToken": token, "output": output.to_string() });
        world.ask_alone("SendTaskSuccess", body)
    };
    let answers = join_all(told.iter().map(|(token, output)| answer(token, *output))).await;
    let mut acknowledged = Vec::new();
    for ((_, output), answer) in told.iter().zip(answers) {
        match answer {
            Ok(_) => acknowledged.push(*output),
            Err(error) => assert!(error.to_string().contains("TaskTimedOut"), "{error}"),
        }
    }
    assert_eq!(world.came_to().await?, acknowledged);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn heartbeats_every_second_leave_the_journal_as_it_is_until_one_is_due() -> Result<()> {
    const WAITS: usize = 20;
    const SECONDS: u64 = 70;
    let world = World::waiting_for(WAITS, json!({ "HeartbeatSeconds": 30 })).await?;
    let (tokens, before) = (world.outside.tokens(), world.records().await?);
    let mut messages = world.cloud.sent()?;
    for _ in 0..SECONDS {
        try_join_all(
            tokens.iter().map(|(_, token)| world.ask_alone("SendTaskHeartbeat", json!({ "taskToken": token }))),
        )
        .await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        messages.extend(world.cloud.sent()?);
        let (now, later) = messages.into_iter().partition(|sent| sent.visible <= tokio::time::Instant::now());
        messages = later;
        for sent in Vec::from_iter(now) {
            let sent: stepwell_tests::cloud::Sent = sent;
            assert!(world.worker.handle(vec![sent.message], world.cloud.until()).await.is_empty());
        }
    }
    let written = world.records().await? - before;
    assert!((1..=4).contains(&written), "{WAITS} waits and {SECONDS} s of heartbeats wrote {written} records");
    assert_eq!(world.described().await?["status"], "RUNNING");
    tokio::time::sleep(Duration::from_secs(31)).await;
    world.look().await?;
    let described = world.described().await?;
    assert_eq!((&described["status"], &described["error"]), (&json!("FAILED"), &json!("States.Timeout")));
    let token = json!({ "taskToken": tokens[0].1 });
    let error = world.ask_alone("SendTaskHeartbeat", token).await.expect_err("the wait is over");
    assert!(error.to_string().contains("TaskTimedOut"), "{error}");
    Ok(())
}

/// An answer in the cell of an item's wait, whose writer died before it could tell anybody.
async fn answer_beside(world: &World, item: u32, output: Value) -> Result<Put> {
    let (head, _) = world.api.table.ends(&world.execution).await?.context("no records")?;
    let started = entry::decode(0, &head.body)?.head.context("no head")?.0.started;
    // An iteration of a Map within a Map.
    let wait = Wait { path: ThreadPath(vec![item / 40, item % 40]), attempt_id: u64::from(item) + 1 };
    let word = Content::Answered(Answer::Succeeded { output: Payload::from_json_text(output.to_string()) });
    let cell = cells::encode((&world.execution, started), (&wait, started), &word, 99 + u64::from(item))?;
    Ok(world.api.table.put_cell(cell, Expect::NotFinal).await?)
}

#[tokio::test(start_paused = true)]
async fn more_large_answers_in_cells_than_one_record_can_hold_are_all_heard() -> Result<()> {
    const WAITS: u32 = 240;
    let world = World::waiting_for(WAITS as usize, json!({ "ResultPath": null })).await?;
    for item in 0..WAITS {
        let large = json!(Chance::new(item.into()).text(261_000));
        assert_eq!(answer_beside(&world, item, large).await?, Put::Written);
    }
    world.cloud.sent()?;
    let before = world.records().await?;
    world.look().await?;
    assert_eq!(world.came_to().await?, (0..WAITS).map(u64::from).collect::<Vec<_>>());
    let written = world.records().await? - before;
    assert!((6..=12).contains(&written), "{written} records");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_hears_many_answers_one_commit_after_another_calls_nobody_else() -> Result<()> {
    const WAITS: u32 = 200;
    // Somebody else is still to answer, so that it rests.
    let world = World::waiting_for(WAITS as usize + 1, json!({ "ResultPath": null })).await?;
    for item in 0..WAITS {
        answer_beside(&world, item, json!(Chance::new(item.into()).text(261_000))).await?;
    }
    world.cloud.sent()?;
    let before = world.records().await?;
    world.look().await?;
    let (messages, written) = (world.cloud.sent()?.len(), world.records().await? - before);
    assert!(written > 4 && messages <= 1, "{messages} messages for {written} records");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_only_answers_writes_his_own_answer_and_leaves_those_in_cells_to_the_workers() -> Result<()> {
    let world = World::waiting_for(3, json!({})).await?;
    assert_eq!(answer_beside(&world, 1, json!(7)).await?, Put::Written);
    world.succeed(&world.outside.tokens()[0]).await?;
    let asked = json!({ "executionArn": world.execution, "maxResults": 1000 });
    let events = pages(&world.api.service, "GetExecutionHistory", "events", asked).await?;
    let succeeded = events.iter().filter(|event| event["type"] == "TaskSucceeded").count();
    assert_eq!(succeeded, 1);
    world.succeed(&world.outside.tokens()[2]).await?;
    assert_eq!(world.came_to().await?, [0, 7, 20]);
    Ok(())
}

/// It loses a race, reads again and writes its entry; meanwhile the wait of its next answer is answered in its cell.
#[tokio::test(start_paused = true)]
async fn who_answers_again_reads_again_before_the_next_entry() -> Result<()> {
    let world = &World::waiting_for(3, json!({})).await?;
    let tokens = &world.outside.tokens();
    let other = world.cloud.process(Deployment::ApiOnly, world.outside.clone()).await?;
    // What is asked happens at once, and is told a tenth of a second later.
    world.cloud.dynamo.takes(Duration::from_millis(100));
    let say = |service: Arc<Service>, after_ms: u64, item: usize| async move {
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        call(&service, "SendTaskSuccess", json!({ "taskToken": tokens[item].1, "output": "1" })).await
    };
    let beside = async {
        tokio::time::sleep(Duration::from_millis(250)).await;
        answer_beside(world, 1, json!(7)).await
    };
    // The other process has to read the definition first, so that this one's entry comes before its own.
    let (first, second, beside, late) = tokio::join!(
        say(world.api.service.clone(), 50, 0),
        say(other.service.clone(), 0, 2),
        beside,
        say(other.service.clone(), 450, 1),
    );
    first?;
    second?;
    assert_eq!(beside?, Put::Written);
    let late = late.expect_err("another was first");
    assert!(late.to_string().contains("TaskTimedOut"), "{late}");
    world.cloud.dynamo.takes(Duration::ZERO);
    assert_eq!(world.came_to().await?, [1, 7, 1]);
    Ok(())
}

/// Whoever reads cells behind the journal may find one of a wait that began since.
#[tokio::test(start_paused = true)]
async fn an_answer_to_a_wait_that_is_not_known_yet_stays_in_its_cell() -> Result<()> {
    let world = World::waiting_for(2, json!({})).await?;
    assert_eq!(answer_beside(&world, 2, json!(7)).await?, Put::Written);
    world.look().await?;
    let cells = world.api.table.cells(&world.execution).await?;
    let words = cells.iter().map(|cell| cells::decode(cell).map(|note| note.content)).collect::<Result<Vec<_>, _>>()?;
    assert!(matches!(words[..], [Content::Answered(_)]), "{words:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nobody_answers_for_a_task_that_gives_no_token() -> Result<()> {
    let world = World::waiting_for(1, json!({})).await?;
    let task = json!({ "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": true });
    let definition = json!({ "StartAt": "Task", "States": { "Task": task } });
    let machine = create_machine(&world.api.service, "plain", "STANDARD", &definition).await?;
    let execution = start(&world.api.service, &machine, "one", &json!({})).await?;
    // Of a wait for no token: of an earlier version, and an earlier execution of the name.
    let token = TaskToken { execution, path: ThreadPath::root(), attempt_id: 1, started: None, activity: None };
    let answer = Answer::Succeeded { output: Payload::from_json_text("7") };
    let deliver = world.api.engine.deliver();
    let said = deliver.answer(&token, answer).await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
    assert!(!said.counted);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_a_cell_is_heard_before_its_wait_times_out() -> Result<()> {
    let world = World::waiting_for(1, json!({ "TimeoutSeconds": 100 })).await?;
    assert_eq!(answer_beside(&world, 0, json!(7)).await?, Put::Written);
    let late = world.succeed(&world.outside.tokens()[0]).await.expect_err("another was first");
    assert!(late.to_string().contains("TaskTimedOut"), "{late}");
    tokio::time::sleep(Duration::from_secs(101)).await;
    world.look().await?;
    let described = world.described().await?;
    assert_eq!((&described["status"], &described["output"]), (&json!("SUCCEEDED"), &json!("[[7]]")));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_a_cell_is_heard_although_its_message_is_lost() -> Result<()> {
    let world = World::waiting_for(1, json!({})).await?;
    let clock = world.cloud.process(Deployment::SharedWorker, world.outside.clone()).await?;
    clock.tick(None, world.cloud.until()).await?;
    world.cloud.sent()?;
    assert_eq!(answer_beside(&world, 0, json!(7)).await?, Put::Written);
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        clock.tick(None, world.cloud.until()).await?;
    }
    world.cloud.deliver_all(&world.worker, 1).await?;
    assert_eq!(world.described().await?["output"], "[[7]]");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_return_that_could_not_be_written_at_once_leaves_its_wait_to_be_answered() -> Result<()> {
    // Eight tries of eight requests each: the commit fails, and what the call returned is offered again.
    let world = World::on_a_table_that_breaks(64, 1, json!({})).await?;
    world.succeed(&world.outside.tokens()[0]).await?;
    world.look().await?;
    let described = world.described().await?;
    assert_eq!((&described["status"], &described["output"]), (&json!("SUCCEEDED"), &json!("[[0]]")));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nobody_answers_into_the_cell_of_a_wait_that_is_over() -> Result<()> {
    let world = World::waiting_for(1, json!({ "TimeoutSeconds": 100 })).await?;
    tokio::time::sleep(Duration::from_secs(101)).await;
    world.look().await?;
    assert_eq!(world.described().await?["error"], "States.Timeout");
    assert!(matches!(answer_beside(&world, 0, json!(7)).await?, Put::Refused(_)));
    Ok(())
}
