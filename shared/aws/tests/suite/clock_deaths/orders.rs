//! What an operator asks of a clock that dies, and asks again: the keys are what they would have been, and what one of them
//! sealed opens for as long as it is there. And what is recovered is.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use engine::Deployment;
use engine::ports::Tasks;
use serde_json::{Value, json};
use stepwell_tests::cloud::{Cloud, create_machine, start};
use stepwell_tests::simulation::{Plan, runtime};
use stepwell_tests::sqs::Sqs;

use super::world::Functions;

/// An installation whose keys are changed.
struct World {
    cloud: Cloud,
    tasks: Arc<dyn Tasks>,
}

impl World {
    async fn new() -> Result<World> {
        let (cloud, tasks): (_, Arc<dyn Tasks>) = (Cloud::new().await?, Arc::new(Functions::default()));
        cloud.process(Deployment::ApiOnly, tasks.clone()).await?;
        Ok(World { cloud, tasks })
    }

    /// Asks until there is an answer; it, and at how many moments the first clock could have died.
    async fn asks(&self, order: &Value, first: Plan) -> Result<(Value, u64)> {
        let event = json!({ "command": order });
        let (answer, points) = self.cloud.order(&self.tasks, &event, first).await?;
        if let Some(answer) = answer {
            return Ok((answer, points));
        }
        let again = self.cloud.order(&self.tasks, &event, Plan::default()).await?.0;
        Ok((again.context("the second clock did not answer")?, points))
    }

    async fn keys(&self, order: Value) -> Result<Vec<String>> {
        let (answer, _) = self.asks(&order, Plan::default()).await?;
        let names = answer["keys"].as_array().with_context(|| answer.to_string())?;
        Ok(names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
    }
}

/// The order that is given `old` and `new`, to an installation with both; for each moment at which its clock can die.
fn at_every_death(order: fn(&str, &str) -> Value, kept: fn(&[String], &str, &str) -> bool) -> Result<u64> {
    let (mut point, mut points) = (0, 1);
    while point < points {
        point += 1;
        points = runtime()?.block_on(async {
            let world = World::new().await?;
            let both = world.keys(json!("add-key")).await?;
            let [old, new] = both.as_slice() else { anyhow::bail!("{both:?}") };
            let (_, points) = world.asks(&order(old, new), Plan::crash_at(point)).await?;
            let keys = world.keys(json!("keys")).await?;
            ensure!(kept(&keys, old, new), "{old} and {new} became {keys:?}: its clock died at {point}");
            // Who is dead counts no more.
            Ok(if points >= point { points + 1 } else { point })
        })?;
    }
    Ok(point)
}

#[test]
fn an_order_whose_clock_dies_is_given_again_and_no_key_in_use_is_lost() -> Result<()> {
    let mut points = 0;
    points += at_every_death(|_, _| json!("keys"), |keys, old, new| *keys == [old, new])?;
    // A key too many, when nobody heard of the first.
    points += at_every_death(
        |_, _| json!("add-key"),
        |keys, old, new| keys.starts_with(&[old.into(), new.into()]) && keys.len() <= 4,
    )?;
    points += at_every_death(|_, new| json!({ "use-key": new }), |keys, old, new| *keys == [new, old])?;
    points += at_every_death(|_, new| json!({ "drop-key": new }), |keys, old, _| *keys == [old])?;
    println!("{points} points");
    Ok(())
}

#[test]
fn the_first_key_is_made_once_whenever_the_first_clock_dies() -> Result<()> {
    for point in 1..=4 {
        runtime()?.block_on(async {
            let (cloud, tasks): (_, Arc<dyn Tasks>) = (Cloud::new().await?, Arc::new(Functions::default()));
            let world = World { cloud, tasks };
            world.asks(&json!("keys"), Plan::crash_at(point)).await?;
            let first = world.keys(json!("keys")).await?;
            ensure!(first.len() == 1 && first == world.keys(json!("keys")).await?, "{first:?}");
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn a_change_of_the_keys_that_arrives_late_takes_none_of_them_away() -> Result<()> {
    runtime()?.block_on(async {
        let world = World::new().await?;
        let first = world.keys(json!("add-key")).await?;
        let requests = world.cloud.dynamo.requests();
        let late = requests.iter().rfind(|request| request.operation == "PutItem").context("nothing was written")?;
        world.keys(json!({ "drop-key": first[1] })).await?;
        let added = world.keys(json!("add-key")).await?;
        let used = world.keys(json!({ "use-key": added[1] })).await?;
        ensure!(world.cloud.dynamo.arrives_again(late).is_err(), "it is refused");
        ensure!(world.keys(json!("keys")).await? == used, "the key in use is {}", used[0]);
        Ok(())
    })
}

#[test]
fn two_orders_at_once_are_both_obeyed() -> Result<()> {
    runtime()?.block_on(async {
        let world = World::new().await?;
        let (one, other) = tokio::join!(world.keys(json!("add-key")), world.keys(json!("add-key")));
        let (one, other, keys) = (one?, other?, world.keys(json!("keys")).await?);
        ensure!(
            keys.len() == 3 && one.iter().chain(&other).all(|key| keys.contains(key)),
            "{one:?} {other:?} {keys:?}"
        );
        Ok(())
    })
}

#[test]
fn a_recovery_whose_clock_dies_is_asked_for_again_and_recovers_everything() -> Result<()> {
    let (mut point, mut points) = (0, 1);
    while point < points {
        point += 1;
        points = runtime()?.block_on(async {
            let (world, lost) = (World::new().await?, Sqs::default());
            let unheard = world.cloud.process_beside(&lost, Deployment::ApiOnly, world.tasks.clone()).await?;
            // Today's sweep is over when their messages are lost.
            world.asks(&json!("recover"), Plan::default()).await?;
            let task = json!({ "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:work", "End": true });
            let machine = create_machine(&unheard.service, "lost", "STANDARD", &json!({ "StartAt": "Work", "States": { "Work": task } })).await?;
            for name in ["a", "b", "c"] {
                start(&unheard.service, &machine, name, &json!({})).await?;
            }
            world.cloud.dynamo.tells_rows(2);
            let (answer, points) = world.asks(&json!("recover"), Plan::crash_at(point)).await?;
            ensure!(answer["finished"] == true && answer["found"]["recalled"] == 3, "{answer}: its clock died at {point}");
            Ok(if points >= point { points + 1 } else { point })
        })?;
    }
    println!("{point} points");
    ensure!(point > 50, "{point} points");
    Ok(())
}
