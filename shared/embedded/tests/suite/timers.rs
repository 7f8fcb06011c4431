//! The queue in memory, over paused time.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use embedded::TimerQueue;
use engine::SystemClock;
use engine::ports::{Clock, Queue, WakeUp};
use interpreter::Timestamp;
use stepwell_tests::hand_clock::HandClock;
use tokio::time::{Instant, sleep, timeout};

/// Tokio's time as milliseconds since the test began.
pub struct PausedClock(pub Instant);

#[async_trait]
impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp(i64::try_from(self.0.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn seed(&self) -> [u8; 32] {
        [7; 32]
    }

    async fn sleep_until(&self, time: Timestamp) {
        tokio::time::sleep_until(self.0 + Duration::from_millis(time.0.unsigned_abs())).await;
    }
}

fn queue() -> (Arc<PausedClock>, Arc<TimerQueue>) {
    stepwell_tests::watchdog::watch();
    let clock = Arc::new(PausedClock(Instant::now()));
    (Arc::clone(&clock), Arc::new(TimerQueue::new(clock)))
}

/// Sends messages and tells what comes out within an hour, each with its time.
async fn told(messages: &[(&str, Option<i64>)]) -> Result<Vec<(String, i64)>> {
    let (clock, queue) = queue();
    for (execution, due) in messages {
        queue.send(WakeUp::of(execution, due.map(Timestamp))).await?;
    }
    let mut told = Vec::new();
    while let Ok(next) = timeout(Duration::from_secs(3600), queue.next()).await {
        told.push((next.execution, clock.now().0));
    }
    assert!(queue.is_empty(), "{} messages are left", queue.len());
    Ok(told)
}

#[tokio::test(start_paused = true)]
async fn messages_come_when_they_are_due_and_in_order() -> Result<()> {
    type Case<'a> = (&'a [(&'a str, Option<i64>)], &'a [(&'a str, i64)]);
    let cases: [Case<'_>; 7] = [
        (&[("a", None)], &[("a", 0)]),
        (&[("late", Some(500)), ("early", Some(3)), ("now", None)], &[("now", 0), ("early", 3), ("late", 500)]),
        (&[("first", Some(9)), ("second", Some(9)), ("third", Some(9))], &[("first", 9), ("second", 9), ("third", 9)]),
        (&[("b", Some(-5)), ("a", Some(-50))], &[("a", 0), ("b", 0)]),
        // Twice the same, and all that is due together: told once.
        (&[("a", Some(5)), ("a", Some(5))], &[("a", 5)]),
        (&[("a", None), ("a", Some(-3)), ("b", None), ("a", None)], &[("a", 0), ("b", 0)]),
        // A later message announces something that an early look may not find.
        (&[("a", Some(5)), ("a", Some(900)), ("a", None)], &[("a", 0), ("a", 5), ("a", 900)]),
    ];
    for (messages, expected) in cases {
        let told = told(messages).await?;
        let found: Vec<_> = told.iter().map(|(execution, time)| (execution.as_str(), *time)).collect();
        assert_eq!(found, expected, "{messages:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_earlier_message_is_told_to_who_waits_for_a_later_one() -> Result<()> {
    let (clock, queue) = queue();
    queue.send(WakeUp::of("late", Some(Timestamp(1_000)))).await?;
    let waiting = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { queue.next().await.execution }
    });
    sleep(Duration::from_millis(10)).await;
    queue.send(WakeUp::of("early", Some(Timestamp(20)))).await?;
    assert_eq!(waiting.await?, "early");
    assert_eq!(clock.now(), Timestamp(20));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_message_wakes_who_waits_at_an_empty_queue() -> Result<()> {
    let (clock, queue) = queue();
    let waiting = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { queue.next().await.execution }
    });
    sleep(Duration::from_millis(50)).await;
    queue.send(WakeUp::of("a", None)).await?;
    assert_eq!(waiting.await?, "a");
    assert_eq!(clock.now(), Timestamp(50));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn many_who_wait_share_the_messages() -> Result<()> {
    let (_clock, queue) = queue();
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move { queue.next().await.execution })
        })
        .collect();
    for number in 0..8 {
        queue.send(WakeUp::of(&format!("execution {number}"), Some(Timestamp(number % 3)))).await?;
    }
    let mut told = Vec::new();
    for waiting in waiting {
        told.push(timeout(Duration::from_secs(1), waiting).await??);
    }
    told.sort();
    assert_eq!(told, (0..8).map(|number| format!("execution {number}")).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_waiting_takes_nothing_along() -> Result<()> {
    let (_clock, queue) = queue();
    queue.send(WakeUp::of("a", Some(Timestamp(100)))).await?;
    assert!(timeout(Duration::from_millis(99), queue.next()).await.is_err());
    assert_eq!(timeout(Duration::from_millis(2), queue.next()).await?.execution, "a");
    Ok(())
}

#[tokio::test]
async fn messages_that_were_told_before_the_clock_was_set_back_come_again() -> Result<()> {
    let clock = Arc::new(HandClock::at(Timestamp(1_000)));
    let queue = TimerQueue::new(clock.clone());
    for due in [300, 600, 900] {
        queue.send(WakeUp::of("a", Some(Timestamp(due)))).await?;
    }
    let told = queue.next().await;
    clock.move_by_millis(-500);
    queue.delivered(told);
    assert_eq!(queue.len(), 2);
    for due in [600, 900] {
        // Whoever waits for it moves this clock.
        let told = queue.next().await;
        assert_eq!((told.execution.as_str(), clock.now()), ("a", Timestamp(due)));
        queue.delivered(told);
    }
    assert!(queue.is_empty());
    Ok(())
}

#[tokio::test]
async fn what_is_to_be_told_at_once_is_even_if_the_clock_is_set_back() -> Result<()> {
    let clock = Arc::new(HandClock::at(Timestamp(1_000)));
    let queue = TimerQueue::new(clock.clone());
    queue.send(WakeUp::of("late", Some(Timestamp(500)))).await?;
    queue.send(WakeUp::of("now", None)).await?;
    clock.move_by_millis(-900);
    for (execution, now) in [("now", 100), ("late", 500)] {
        assert_eq!((queue.next().await.execution.as_str(), clock.now()), (execution, Timestamp(now)));
    }
    Ok(())
}

#[tokio::test]
async fn the_systems_clock_has_chance_and_does_not_wait_for_the_past() -> Result<()> {
    let clock = SystemClock::new()?;
    assert_ne!(clock.seed(), clock.seed());
    assert_ne!(clock.seed(), SystemClock::new()?.seed());
    assert!(clock.now() > Timestamp(1_600_000_000_000), "{:?}", clock.now());
    let due = Timestamp(clock.now().0 + 3);
    for time in [Timestamp(i64::MIN), Timestamp(0), clock.now(), due] {
        clock.sleep_until(time).await;
    }
    assert!(clock.now() >= due);
    Ok(())
}
