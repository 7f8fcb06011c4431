//! Mailboxes: where requests to an execution arrive while it is loaded in this process.
//!
//! There is at most one open mailbox per execution, and its actor owns it. A mailbox closes only while no request waits in
//! it, so a request is either taken by the actor that is there or opens a mailbox for a new one. It is closed when its actor
//! panics, too: the requests in it fail then, and the next one opens another.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use interpreter::{Answer, Failure, Payload, Stimulus, Timestamp, Wait};
use tokio::sync::{mpsc, oneshot};

use super::{DeliverError, Delivered};
use crate::Guarded;

/// A client's or a message's demand on an execution.
#[derive(Debug, Clone)]
pub(super) enum Command {
    /// There may be something to do.
    Wake,
    Stop(Failure),
    Redrive(Redrive),
    Answer(TokenWait, Answer<Payload>),
    Heartbeat(TokenWait),
    /// The job of this wait has ended.
    JobEnded(TokenWait),
    /// A worker of an activity, with its name if it has one, asks for a task.
    Lease(TokenWait, Option<String>),
}

/// The demand to go on after an unsuccessful end.
#[derive(Debug, Clone)]
pub(super) struct Redrive {
    /// When it was made.
    pub at: Timestamp,
    /// The hash of the client's token, if it has one.
    pub token: Option<String>,
}

/// A wait for a task token, as its token names it.
#[derive(Debug, Clone)]
pub(super) struct TokenWait {
    pub wait: Wait,
    /// When its execution started, if the token says so.
    pub started: Option<Timestamp>,
}

impl Command {
    pub fn stimulus(&self, at: Timestamp) -> Stimulus {
        match self.clone() {
            Command::Wake => Stimulus::Tick,
            Command::Stop(failure) => Stimulus::StopRequested(failure),
            Command::Redrive(_) => Stimulus::RedriveRequested,
            Command::Answer(of, answer) => Stimulus::TaskAnswered { wait: of.wait, answer },
            Command::Heartbeat(of) => Stimulus::TaskHeartbeat { wait: of.wait, at },
            Command::JobEnded(of) => Stimulus::JobSignalled { wait: of.wait },
            Command::Lease(of, worker) => Stimulus::TaskLeased { wait: of.wait, worker },
        }
    }

    /// The wait that it is about.
    pub fn wait(&self) -> Option<&Wait> {
        match self {
            Command::Wake | Command::Stop(_) | Command::Redrive(_) => None,
            Command::Answer(of, _) | Command::Heartbeat(of) => Some(&of.wait),
            Command::JobEnded(of) | Command::Lease(of, _) => Some(&of.wait),
        }
    }

    /// True when it may be for the execution of its name that started then: a token of a predecessor is not.
    pub fn is_for(&self, started: Timestamp) -> bool {
        match self {
            Command::Wake | Command::Stop(_) | Command::Redrive(_) => true,
            Command::Answer(of, _) | Command::Heartbeat(of) | Command::JobEnded(of) | Command::Lease(of, _) => {
                of.started.is_none_or(|of| of == started)
            }
        }
    }
}

/// The answer to a request.
pub(super) type Reply = Result<Delivered, DeliverError>;

/// A command on its way to an execution, and the way back.
#[derive(Debug)]
pub(super) struct Request {
    /// When it was made.
    pub at: Timestamp,
    pub command: Command,
    reply: oneshot::Sender<Reply>,
}

impl Request {
    pub fn new(command: Command, at: Timestamp) -> (Request, oneshot::Receiver<Reply>) {
        let (reply, answered) = oneshot::channel();
        (Request { at, command, reply }, answered)
    }

    pub fn answer(self, reply: Reply) {
        // The client may be gone by now.
        let _gone = self.reply.send(reply);
    }
}

/// The open mailboxes of this process, by the ARN of their execution.
#[derive(Default)]
pub(super) struct Mailboxes(Guarded<HashMap<String, mpsc::UnboundedSender<Request>>>);

/// The receiving side of one mailbox.
pub(super) struct Mailbox {
    mailboxes: Arc<Mailboxes>,
    execution: String,
    requests: mpsc::UnboundedReceiver<Request>,
    sender: mpsc::UnboundedSender<Request>,
}

/// Where a request went.
pub(super) struct Posted {
    /// Closed once the actor that has the request is gone.
    pub actor: mpsc::UnboundedSender<Request>,
    /// Present when the execution had no open mailbox: an actor has to be made for this one.
    pub opened: Option<Mailbox>,
}

impl Mailboxes {
    /// How many are open.
    pub fn open_ones(&self) -> usize {
        self.0.lock().len()
    }

    /// Opens the mailbox of an execution; `None` when it is open already.
    pub fn open(self: &Arc<Self>, execution: &str) -> Option<Mailbox> {
        match self.0.lock().entry(execution.to_owned()) {
            Entry::Occupied(_) => None,
            Entry::Vacant(free) => {
                let mailbox = Mailbox::new(self.clone(), execution);
                free.insert(mailbox.sender.clone());
                Some(mailbox)
            }
        }
    }

    /// Puts a request into the execution's mailbox, or into a new one.
    pub fn post(self: &Arc<Self>, execution: &str, request: Request) -> Posted {
        let mut open = self.0.lock();
        let request = match open.get(execution) {
            Some(sender) => match sender.send(request) {
                Ok(()) => return Posted { actor: sender.clone(), opened: None },
                Err(back) => back.0,
            },
            None => request,
        };
        let mailbox = Mailbox::new(self.clone(), execution);
        let actor = mailbox.sender.clone();
        let _receiver_is_here = actor.send(request);
        open.insert(execution.to_owned(), actor.clone());
        Posted { actor, opened: Some(mailbox) }
    }
}

impl Mailbox {
    fn new(mailboxes: Arc<Mailboxes>, execution: &str) -> Mailbox {
        let (sender, requests) = mpsc::unbounded_channel();
        Mailbox { mailboxes, execution: execution.to_owned(), requests, sender }
    }

    /// The ARN of its execution.
    pub fn execution(&self) -> &str {
        &self.execution
    }

    /// The next request, if one is there.
    pub fn try_next(&mut self) -> Option<Request> {
        self.requests.try_recv().ok()
    }

    /// Waits for the next request.
    pub async fn next(&mut self) -> Option<Request> {
        self.requests.recv().await
    }

    /// Closes the mailbox, unless a request waits in it: then here it is.
    pub fn close(&mut self) -> Option<Request> {
        let mut open = self.mailboxes.0.lock();
        let waiting = self.requests.try_recv().ok();
        if waiting.is_none() {
            open.remove(&self.execution);
        }
        waiting
    }

    /// Gives all requests this answer, and closes the mailbox.
    pub fn answer_all_and_close(&mut self, reply: &Reply) {
        while let Some(request) = self.close() {
            request.answer(reply.clone());
        }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        let mut open = self.mailboxes.0.lock();
        if open.get(&self.execution).is_some_and(|sender| sender.same_channel(&self.sender)) {
            open.remove(&self.execution);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request::new(Command::Wake, Timestamp(1)).0
    }

    #[test]
    fn an_execution_has_one_open_mailbox_per_process() {
        let mailboxes = Arc::new(Mailboxes::default());
        let mailbox = mailboxes.open("one").expect("is free");
        assert!(mailboxes.open("one").is_none());
        assert!(mailboxes.post("one", request()).opened.is_none());
        assert!(mailboxes.post("another", request()).opened.is_some());
        drop(mailbox);
        assert!(mailboxes.open("one").is_some(), "its actor is gone");
    }

    #[test]
    fn a_mailbox_does_not_close_over_a_request() {
        let mailboxes = Arc::new(Mailboxes::default());
        let mut mailbox = mailboxes.open("one").expect("is free");
        mailboxes.post("one", request());
        assert!(mailbox.close().is_some());
        assert!(mailboxes.post("one", request()).opened.is_none(), "it is still open");
        assert!(mailbox.close().is_some() && mailbox.close().is_none());
        assert!(mailboxes.post("one", request()).opened.is_some(), "it is closed");
    }

    #[test]
    fn a_closed_mailbox_does_not_take_its_successor_along() {
        let mailboxes = Arc::new(Mailboxes::default());
        let mut old = mailboxes.open("one").expect("is free");
        assert!(old.close().is_none());
        let successor = mailboxes.open("one").expect("is free again");
        drop(old);
        assert!(mailboxes.open("one").is_none(), "the successor's is open");
        drop(successor);
    }
}
