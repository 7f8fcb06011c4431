//! How much the server holds at a time. More is answered at once with AWS's throttling error, after which stock clients
//! wait and retry, so that accepted requests stay prompt and memory bounded.
//!
//! Connections, bytes of request bodies, bytes of responses, and requests have a bound each. Starts, and synchronous
//! executions, which last as long as they last, and workers that wait for tasks have bounds of their own, so that they
//! never block other requests.
//! The engine bounds active executions.

use std::sync::Arc;

use engine::memory::Shares;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::write_deadline::WRITE_TIME;

/// Connections that are served at a time.
pub const CONNECTIONS: usize = 2_000;
/// Connections beyond these that get a throttling error, at a time; still more are closed without a response.
const TURNED_AWAY: usize = 100;
/// Starts that are answered at a time: the size of one commit.
const STARTS: usize = 256;
/// Other requests that are answered at a time.
const REQUESTS: usize = 512;
/// Synchronous executions that run at a time.
const SYNCHRONOUS: usize = 1_000;
/// Workers of activities that wait for tasks at a time: more than may wait for those of one activity.
const WORKERS: usize = 1_100;
/// Bodies of all requests together, in KiB, at most.
const BODIES: usize = 64 << 10;
/// Responses that are not written yet, all together, in KiB, at most.
const ANSWERS: usize = 64 << 10;
/// Responses up to this need no room: the bound on connections bounds them.
const SMALL_ANSWER: usize = 16 << 10;

/// The places and bytes that are free.
#[derive(Clone)]
pub struct Limits {
    connections: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    starts: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    synchronous: Arc<Semaphore>,
    workers: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    answers: Arc<Semaphore>,
    /// KiB of `answers` in all.
    all_answers: usize,
}

/// The room of a response, for as long as this is kept.
pub struct AnswerRoom {
    _permit: Option<OwnedSemaphorePermit>,
}

impl AnswerRoom {
    fn of(permit: OwnedSemaphorePermit) -> AnswerRoom {
        AnswerRoom { _permit: Some(permit) }
    }
}

/// How a connection is handled. A permit is the connection's place.
pub enum Admission {
    Served(OwnedSemaphorePermit),
    TurnedAway(OwnedSemaphorePermit),
    Closed,
}

impl Limits {
    /// In a memory budget of so many bytes.
    pub fn new(memory: usize) -> Limits {
        let of = |count| Arc::new(Semaphore::new(count));
        let shares = Shares::of(memory);
        let answers = ANSWERS.min(shares.responses >> 10);
        Limits {
            connections: of(CONNECTIONS),
            turned_away: of(TURNED_AWAY),
            starts: of(STARTS),
            requests: of(REQUESTS),
            synchronous: of(SYNCHRONOUS),
            workers: of(WORKERS),
            bodies: of(BODIES.min(shares.bodies >> 10)),
            answers: of(answers),
            all_answers: answers,
        }
    }

    pub fn admission(&self) -> Admission {
        match self.connections.clone().try_acquire_owned() {
            Ok(place) => Admission::Served(place),
            Err(_) => self.turned_away.clone().try_acquire_owned().map_or(Admission::Closed, Admission::TurnedAway),
        }
    }

    /// A place among the requests that are answered; `None`: there are too many.
    pub fn request(&self, action: &str) -> Option<OwnedSemaphorePermit> {
        let among = match action {
            "StartExecution" => &self.starts,
            "StartSyncExecution" => &self.synchronous,
            "GetActivityTask" => &self.workers,
            _ => &self.requests,
        };
        among.clone().try_acquire_owned().ok()
    }

    /// Room for a response of so many bytes. A response to a request that can be repeated gets room now or, as `None`,
    /// not at all; a start waits for its room, for as long as a client has to read.
    pub async fn answer(&self, bytes: usize, repeatable: bool) -> Option<AnswerRoom> {
        if bytes <= SMALL_ANSWER {
            return Some(AnswerRoom { _permit: None });
        }
        let kib = u32::try_from(bytes.div_ceil(1 << 10).min(self.all_answers)).unwrap_or(u32::MAX);
        let answers = self.answers.clone();
        if repeatable {
            return answers.try_acquire_many_owned(kib).ok().map(AnswerRoom::of);
        }
        let room = tokio::time::timeout(WRITE_TIME, answers.acquire_many_owned(kib)).await;
        room.ok()?.ok().map(AnswerRoom::of)
    }

    /// Room for a body that has begun to arrive.
    pub fn body(&self) -> Room {
        Room { bodies: self.bodies.clone(), taken: None, kib: 0, bytes: 0 }
    }
}

/// The room that one body takes, for as long as this is kept.
pub struct Room {
    bodies: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
    kib: usize,
    bytes: usize,
}

impl Room {
    /// Takes room for further bytes; false: there is none.
    pub fn grow(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        let more = self.bytes.div_ceil(1024).saturating_sub(self.kib);
        let Ok(permits) = u32::try_from(more) else { return false };
        let Ok(permit) = self.bodies.clone().try_acquire_many_owned(permits) else { return false };
        self.kib = self.kib.saturating_add(more);
        match &mut self.taken {
            Some(taken) => taken.merge(permit),
            none => *none = Some(permit),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_share_their_room_and_give_it_back() {
        let limits = Limits::new(usize::MAX);
        let mut bodies: Vec<Room> = (0..32).map(|_| limits.body()).collect();
        assert!(bodies.iter_mut().all(|body| body.grow(1) && body.grow((2 << 20) - 1)));
        assert!(!limits.body().grow(1), "64 MiB are taken");
        bodies.pop();
        assert!(limits.body().grow(2 << 20));
        assert!(!limits.body().grow((2 << 20) + 1));
    }

    #[tokio::test(start_paused = true)]
    async fn responses_share_their_room_and_give_it_back() {
        let limits = Limits::new(usize::MAX);
        let mut unread = Vec::new();
        for _ in 0..16 {
            unread.push(limits.answer(4 << 20, true).await.expect("has room"));
        }
        assert!(limits.answer(32 << 10, true).await.is_none(), "64 MiB are not read yet");
        assert!(limits.answer(32 << 10, false).await.is_none(), "a start waited in vain");
        assert!(limits.answer(1 << 10, true).await.is_some(), "small ones need no room");
        unread.pop();
        assert!(limits.answer(4 << 20, false).await.is_some());
    }

    #[test]
    fn starts_and_workers_that_wait_leave_room_for_other_requests() {
        let limits = Limits::new(usize::MAX);
        let mut running = Vec::new();
        let bounds = [("StartSyncExecution", SYNCHRONOUS), ("StartExecution", STARTS), ("GetActivityTask", WORKERS)];
        for (action, count) in bounds {
            running.extend((0..count).map(|_| limits.request(action)));
            assert!(running.iter().all(Option::is_some) && limits.request(action).is_none(), "{action}");
        }
        assert!(limits.request("DescribeExecution").is_some());
    }

    #[test]
    fn connections_are_served_then_turned_away_then_closed() {
        let limits = Limits::new(usize::MAX);
        let all: Vec<_> = (0..=CONNECTIONS + TURNED_AWAY).map(|_| limits.admission()).collect();
        let served = all.iter().filter(|admission| matches!(admission, Admission::Served(_))).count();
        assert_eq!(served, CONNECTIONS);
        assert!(matches!(all[CONNECTIONS], Admission::TurnedAway(_)));
        assert!(matches!(all[CONNECTIONS + TURNED_AWAY], Admission::Closed));
    }
}
