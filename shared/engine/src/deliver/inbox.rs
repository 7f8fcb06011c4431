//! Arrivals of an execution that are not written down yet: requests and the completions of calls, in time order.
//!
//! An actor may be kept waiting by its store: by the commit before, by one that has to be tried again, by a read. What
//! arrives meanwhile is applied as of the time at which it happened: what was due by then comes first, and what was due
//! later is not due yet. Otherwise, of many calls that returned in time while the store was slow, the first one applied
//! would show that the time of the others is over.
//!
//! A completion stays until a commit has written it down, because its call cannot be made again. A request is answered
//! once; a client whose request failed makes it again.

use interpreter::{Stimulus, Timestamp};

use super::mailbox::{Command, Mailbox, Reply, Request};

/// A stimulus, and when it happened.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TimedStimulus {
    pub at: Timestamp,
    pub stimulus: Stimulus,
}

/// One arrival of a round.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arrival<'a> {
    Completion(&'a Stimulus),
    /// The command of the request at that place.
    Request(usize, &'a Command),
}

pub(super) struct Inbox {
    mailbox: Mailbox,
    /// Requests that found no room in a full round.
    postponed: Vec<Request>,
    /// The completions that no commit has written down yet.
    completions: Vec<TimedStimulus>,
}

impl Inbox {
    pub fn new(mailbox: Mailbox) -> Inbox {
        Inbox { mailbox, postponed: Vec::new(), completions: Vec::new() }
    }

    /// The requests of the next round: those that were postponed, then those that have come.
    pub fn take_requests(&mut self) -> Vec<Request> {
        let mut requests = std::mem::take(&mut self.postponed);
        requests.extend(std::iter::from_fn(|| self.mailbox.try_next()));
        requests
    }

    /// Waits for the next request.
    pub async fn next_request(&mut self) -> Option<Request> {
        self.mailbox.next().await
    }

    /// Keeps a request for the next round.
    pub fn postpone(&mut self, request: Request) {
        self.postponed.push(request);
    }

    /// Answers the requests that have come; those that were postponed keep their place.
    pub fn refuse_requests(&mut self, reply: &Reply) {
        while let Some(request) = self.mailbox.try_next() {
            request.answer(reply.clone());
        }
    }

    /// Keeps completions until they are written down.
    pub fn add_completions(&mut self, completions: impl IntoIterator<Item = TimedStimulus>) {
        self.completions.extend(completions);
    }

    pub fn completions(&self) -> &[TimedStimulus] {
        &self.completions
    }

    /// A commit has written down the first `count` completions in time order.
    pub fn completions_written(&mut self, count: usize) {
        self.completions.drain(..count.min(self.completions.len()));
    }

    /// Gives up completions that another store of them has: see [`super::cell_answers`].
    pub fn discard_completions(&mut self) {
        self.completions.clear();
    }

    /// Completions and requests, the earliest first. Those of the same time come in the order of their arrival, completions
    /// first.
    pub fn in_time_order<'a>(&'a mut self, requests: &'a [Request]) -> Vec<(Timestamp, Arrival<'a>)> {
        self.completions.sort_by_key(|completion| completion.at);
        let completions = self.completions.iter().map(|one| (one.at, Arrival::Completion(&one.stimulus)));
        let requests = requests.iter().enumerate().map(|(place, one)| (one.at, Arrival::Request(place, &one.command)));
        let mut arrivals: Vec<(Timestamp, Arrival<'_>)> = completions.chain(requests).collect();
        arrivals.sort_by_key(|(at, _)| *at);
        arrivals
    }

    /// Closes the mailbox, unless a request waits in it: then here it is.
    pub fn close(&mut self) -> Option<Request> {
        self.mailbox.close()
    }

    pub fn into_mailbox(self) -> Mailbox {
        self.mailbox
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use interpreter::{ThreadPath, Wait};

    use super::*;
    use crate::deliver::mailbox::Mailboxes;

    fn inbox() -> (Arc<Mailboxes>, Inbox) {
        let mailboxes = Arc::new(Mailboxes::default());
        let mailbox = mailboxes.open("one").expect("is free");
        (mailboxes, Inbox::new(mailbox))
    }

    fn lost(at: i64, attempt_id: u64) -> TimedStimulus {
        let wait = Wait { path: ThreadPath::root(), attempt_id };
        TimedStimulus { at: Timestamp(at), stimulus: Stimulus::TaskLost { wait } }
    }

    fn request(at: i64) -> Request {
        Request::new(Command::Wake, Timestamp(at)).0
    }

    fn order(inbox: &mut Inbox, requests: &[Request]) -> Vec<String> {
        let named = |(at, arrival): (Timestamp, Arrival<'_>)| match arrival {
            Arrival::Completion(stimulus) => format!("{} call {}", at.0, stimulus.wait().map_or(0, |of| of.attempt_id)),
            Arrival::Request(place, _) => format!("{} request {place}", at.0),
        };
        inbox.in_time_order(requests).into_iter().map(named).collect()
    }

    #[test]
    fn what_happened_first_is_applied_first_whenever_it_arrived() {
        let (_mailboxes, mut inbox) = inbox();
        inbox.add_completions([lost(30, 1), lost(10, 2)]);
        let requests = [request(20), request(10), request(5)];
        let expected = ["5 request 2", "10 call 2", "10 request 1", "20 request 0", "30 call 1"];
        assert_eq!(order(&mut inbox, &requests), expected);
    }

    #[test]
    fn a_completion_stays_until_it_is_written_down() {
        let (_mailboxes, mut inbox) = inbox();
        inbox.add_completions([lost(30, 1), lost(10, 2), lost(20, 3)]);
        assert_eq!(order(&mut inbox, &[]).len(), 3);
        inbox.completions_written(0);
        assert_eq!(order(&mut inbox, &[]).len(), 3, "the commit failed, or lost its race");
        inbox.completions_written(2);
        assert_eq!(order(&mut inbox, &[]), ["30 call 1"]);
    }

    #[test]
    fn a_postponed_request_comes_before_those_that_came_later_and_is_not_refused_with_them() {
        let (mailboxes, mut inbox) = inbox();
        mailboxes.post("one", request(2));
        inbox.postpone(request(1));
        let at = |inbox: &mut Inbox| inbox.take_requests().into_iter().map(|one| one.at.0).collect::<Vec<_>>();
        assert_eq!(at(&mut inbox), [1, 2]);
        inbox.postpone(request(3));
        mailboxes.post("one", request(4));
        inbox.refuse_requests(&Err(super::super::DeliverError::Busy));
        assert_eq!(at(&mut inbox), [3]);
    }
}
