//! The engine's needs of the world, as promises.
//!
//! Every adapter (one process and a directory, DynamoDB and SQS, the simulation of the tests) implements these traits
//! and is held to them by one contract suite (`tests/tests/suite/port_contracts.rs`). Bodies are opaque to adapters: what is
//! stored has one shape, in [`crate::entry`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use interpreter::Timestamp;

use crate::tokens::TaskToken;

/// Why a store or queue could not do what was asked. Nothing is known about whether it happened.
#[derive(Debug, Clone)]
pub struct StoreError {
    pub message: String,
    /// Asking again may help: the store is busy, not broken.
    pub retryable: bool,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StoreError {}

/// One commit of one execution. Written once, never edited.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The execution's ARN.
    pub execution: String,
    /// 0 is the head; commits follow without a gap.
    pub sequence: u64,
    /// Chosen by the writer: a conflict with one's own nonce is a success whose answer was lost.
    pub nonce: u64,
    /// The sequence of the last record that carries the full set of open frames.
    pub full: u64,
    /// When a process without a claim has to visit the execution: at once while attempts are open, else when something is
    /// due.
    /// `None` when it is not open.
    pub due: Option<Timestamp>,
    /// True while the execution runs, or jobs that it started have to be cancelled, as of this record.
    pub open: bool,
    /// Present on the head and on the record that closes the execution: the last one counts.
    pub listing: Option<Listing>,
    /// The entry, in the shape of [`crate::entry`]. A damaged one comes as it is in the store, or empty.
    pub body: Vec<u8>,
}

/// An execution in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    pub execution: String,
    pub machine: String,
    pub name: String,
    pub status: ExecutionStatus,
    pub started: Timestamp,
    pub stopped: Option<Timestamp>,
    /// What lists show beside the above, in the shape of [`crate::shown`]; `None` in what a program of before wrote.
    pub shown: Option<String>,
}

/// An execution as it was read: which of those of its name, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub execution: String,
    /// The nonce of its head, which no other execution of that name has.
    pub head: u64,
    /// The sequence of its last record.
    pub last: u64,
}

impl Seen {
    /// An execution by its first and last record.
    pub fn of(first: &Record, last: &Record) -> Seen {
        Seen { execution: first.execution.clone(), head: first.nonce, last: last.sequence }
    }
}

/// An execution's status, in AWS's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExecutionStatus {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

impl ExecutionStatus {
    pub const ALL: [ExecutionStatus; 5] = [Self::Running, Self::Succeeded, Self::Failed, Self::TimedOut, Self::Aborted];

    /// The name on the wire and in stores.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Aborted => "ABORTED",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// The outcome of an append.
#[derive(Debug, Clone, PartialEq)]
pub enum Appended {
    /// The record is durable.
    Written,
    /// Another record has this sequence; here it is. Nothing was written.
    Taken(Box<Record>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Ascending,
    Descending,
}

/// Which executions a list shows: newest start first, then by ARN, descending.
#[derive(Debug, Clone, PartialEq)]
pub struct ListQuery {
    pub machine: String,
    pub status: Option<ExecutionStatus>,
    /// Only what comes after this place in that order.
    pub after: Option<(Timestamp, String)>,
    pub limit: usize,
}

/// A piece of a list of executions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListPage {
    pub listings: Vec<Listing>,
    /// What `after` has to be to go on; `None` at the end of the list. A page may be short, even empty, and not the
    /// last one: the store bounds what it reads in search of a status.
    pub next: Option<(Timestamp, String)>,
}

/// A piece of the executions that are open.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OpenPage {
    /// Each with when something is due.
    pub executions: Vec<(String, Option<Timestamp>)>,
    /// What `after` has to be to go on, readable by this store only; `None` at the end. A page may be empty and not the
    /// last one.
    pub next: Option<String>,
}

/// A place beside the journal of an execution, of which there is one per wait: for an answer, heartbeat or closing whose
/// writer cannot, or need not, append to the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The execution's ARN.
    pub execution: String,
    /// Letters, digits and `/`.
    pub key: String,
    /// Chosen by the writer.
    pub nonce: u64,
    /// A writer replaces it only if it has read it.
    pub is_final: bool,
    /// A worker has to visit the execution. A store whose messages can be lost sees to it that one does.
    pub needs_wakeup: bool,
    /// In the shape of [`crate::cells`].
    pub body: Vec<u8>,
}

/// The content that a writer of a cell expects: any other stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// No cell.
    Absent,
    /// The cell of that nonce.
    Nonce(u64),
    /// No cell, or one that is not final.
    NotFinal,
}

impl Expect {
    /// The cell of the nonce that the writer read, or none if it found none.
    pub fn seen(nonce: Option<u64>) -> Expect {
        nonce.map_or(Expect::Absent, Expect::Nonce)
    }
}

/// The outcome of writing a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// It is durable.
    Written,
    /// This is there, and stays.
    Refused(Cell),
}

/// The executions of an installation.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Writes `record` if its execution has no record of that sequence.
    ///
    /// When this returns `Written`, the record survives any crash. When it returns an error, the record may or may not
    /// have been written: read before doing anything else. Appends to one execution never leave gaps.
    async fn append(&self, record: Record) -> Result<Appended, StoreError>;

    /// The head, then every record from the last full set on, in order. Sees every append that returned before this was
    /// called. Empty when there is no such execution.
    async fn tail(&self, execution: &str) -> Result<Vec<Record>, StoreError>;

    /// The first and the last record, equal when there is one only.
    async fn ends(&self, execution: &str) -> Result<Option<(Record, Record)>, StoreError>;

    /// At most `limit` records in `direction`, beginning with sequence `from` (inclusive).
    async fn read(
        &self,
        execution: &str,
        from: u64,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError>;

    /// May miss what changed a moment ago.
    async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError>;

    /// Executions that are open, in no order, about `limit` at a time. Each that is open from the first page to the last
    /// is on one of them, perhaps on two; one that began a moment ago may be on none.
    async fn open(&self, after: Option<&str>, limit: usize) -> Result<OpenPage, StoreError>;

    /// The tail and the cells. A store whose executions have one writer each, which gets every request, has no cells.
    async fn load(&self, execution: &str) -> Result<(Vec<Record>, Vec<Cell>), StoreError> {
        let records = self.tail(execution).await?;
        Ok((records, self.cells(execution).await?))
    }

    /// All cells. Sees every `put_cell` that returned before this was called.
    async fn cells(&self, _execution: &str) -> Result<Vec<Cell>, StoreError> {
        Ok(Vec::new())
    }

    /// Writes a cell. Of several writers over the same, one wins; a loser gets the winner's. After an error the cell may
    /// or may not have been written; writing the same again is no conflict.
    async fn put_cell(&self, _cell: Cell, _expect: Expect) -> Result<Put, StoreError> {
        Err(StoreError { message: "this store has one writer and no cells".to_owned(), retryable: false })
    }

    async fn drop_cell(&self, _execution: &str, _key: &str) -> Result<(), StoreError> {
        Ok(())
    }

    /// Removes everything of a closed execution, so that its name is free again; refuses an open one. One that is not, or no
    /// longer, as it was seen stays as it is, that is a successor of the same name, or one that was redriven meanwhile.
    async fn forget(&self, seen: &Seen) -> Result<(), StoreError>;
}

/// A document as stored: of a state machine, under its ARN; `body` is the service's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub key: String,
    /// Counts the writes of this item; the first is 1.
    pub version: u64,
    pub body: String,
}

/// An installation's items by key: documents that change by compare-and-swap, and definitions by their hash.
#[async_trait]
pub trait Documents: Send + Sync + 'static {
    async fn get(&self, key: &str) -> Result<Option<Document>, StoreError>;

    /// Writes `document` if what is stored has version `document.version - 1` (0: nothing is stored). False: it has not,
    /// and nothing was written. Durable when it returns.
    async fn put(&self, document: Document) -> Result<bool, StoreError>;

    /// Removes the document if it still has that version.
    async fn remove(&self, key: &str, version: u64) -> Result<bool, StoreError>;

    /// Those whose keys begin with `prefix`, ordered by key, beginning after `after`.
    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Document>, StoreError>;

    /// Keeps a definition under its hash. Writing the same twice is one write.
    async fn put_revision(&self, hash: &str, definition: &str) -> Result<(), StoreError>;

    async fn revision(&self, hash: &str) -> Result<Option<String>, StoreError>;
}

/// The starts of asynchronous Express executions: kept from before the answer until the end.
#[async_trait]
pub trait Starts: Send + Sync + 'static {
    /// Durable when it returns. One that is kept already stays as it is.
    async fn keep(&self, id: &str, body: &str) -> Result<(), StoreError>;
    /// Writes a start that is kept anew, with its tries counted; durable when it returns. Nothing where starts are messages,
    /// whose queue counts their deliveries.
    async fn rewrite(&self, _id: &str, _body: &str) -> Result<(), StoreError> {
        Ok(())
    }
    async fn drop(&self, id: &str) -> Result<(), StoreError>;
    async fn pending(&self) -> Result<Vec<(String, String)>, StoreError>;
}

/// A message that names an execution: a reason to visit it, never a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WakeUp {
    pub execution: String,
    /// Not before then; at once when `None`. A queue that cannot delay for so long may deliver it earlier, and gets it again.
    pub due: Option<Timestamp>,
    /// The sequence of the record that its sender is about to append: a worker that finds less has come too early.
    pub announces: Option<u64>,
    /// The wait of the execution whose job has ended.
    pub ended: Option<TaskToken>,
}

impl WakeUp {
    /// A reason to visit it at `due`, or now.
    pub fn of(execution: &str, due: Option<Timestamp>) -> WakeUp {
        WakeUp { execution: execution.to_owned(), due, announces: None, ended: None }
    }
}

#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// At its due time or later, at least once, a worker gets the message. One that is due later than a record of that
    /// execution says it is may be left to the record.
    async fn send(&self, wake_up: WakeUp) -> Result<(), StoreError>;
}

/// One attempt of a task.
#[derive(Debug, Clone)]
pub struct TaskCall {
    pub resource: asl::Resource,
    /// The arguments (`Parameters` applied), as JSON text.
    pub arguments: String,
    /// The call has to be over by then: the end of its lease.
    pub timeout: Duration,
    /// `$$.Execution.Id` and the state's name, for logs.
    pub execution: String,
    pub state: String,
    pub role: Option<TaskRole>,
    /// The role of the state machine, for targets that act in it where the state names none.
    pub machine_role: TaskRole,
    /// Present when the execution was started with a test case: then mocks may answer.
    pub test: Option<TestCall>,
    /// The attempt, which no other attempt of any execution equals: targets that recognise repeated requests are told it.
    pub attempt: TaskToken,
    pub stage: Stage,
}

/// The part of an attempt that a call is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// It makes the task's own call, once.
    Begin,
    /// It asks for the job of these ids, perhaps not for the first time.
    Poll { ids: String },
    /// It cancels the job of these ids, or the one that the call of `arguments` may have started. Its answer is logged, no more.
    Cancel { ids: Option<String> },
}

/// Whose rights a task is called with, where its state says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRole {
    /// `Credentials.RoleArn`, resolved.
    pub arn: String,
    /// The ARN of the state machine.
    pub machine: String,
    /// The ARN of the state machine's own role.
    pub machine_role: String,
}

impl TaskRole {
    /// That of a task of an execution.
    pub fn of(execution: &interpreter::Execution, arn: String) -> TaskRole {
        TaskRole { arn, machine: execution.machine_arn.clone(), machine_role: execution.role_arn.clone() }
    }
}

/// A mock is chosen by this, beside the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestCall {
    /// The name of the state machine.
    pub machine: String,
    pub case: String,
    /// How often the state was called before in this execution: retries, iterations and loops all count.
    pub number: u32,
}

/// The test cases there are, by the name of their state machine.
pub type TestCases = BTreeMap<String, BTreeSet<String>>;

/// The outcome of a call. A failure is data: Retry and Catch decide.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskAnswer {
    /// The result as JSON text.
    Succeeded {
        output: String,
    },
    /// The result, and with it the answer that a task token would bring: no client will send one. Mocks say so.
    Concluded {
        output: String,
    },
    /// The call started a job: the result, and the target's own words by which it polls and cancels. `subscribed`: its end
    /// will be signalled ([`crate::deliver::Deliver::job_ended`]).
    Started {
        output: String,
        ids: String,
        subscribed: bool,
    },
    /// The job that was polled runs, or nothing is known of it for now.
    Running,
    Failed {
        error: String,
        cause: Option<String>,
    },
}

/// The targets of tasks.
#[async_trait]
pub trait Tasks: Send + Sync + 'static {
    /// Makes the call once. Never sends it a second time, whatever happens; only a connection that never opened is tried again.
    async fn call(&self, call: TaskCall) -> TaskAnswer;

    /// The longest this call can take, whatever its own `timeout` says.
    async fn limit(&self, call: &TaskCall) -> Duration;

    /// Brings the installation's own API: from now on tasks call it for state machines that are here.
    fn bind(&self, _own: Arc<dyn OwnApi>) {}

    /// The services that calls through the SDK are checked against when a machine is created.
    fn sdk_services(&self) -> &'static dyn asl::SdkServices {
        &asl::AnyService
    }

    /// True when a call of this state is answered without its target, in an execution with a test case: by a mock, or by a
    /// failure because the test case is gone.
    fn mocks(&self, _machine: &str, _case: &str, _state: &str) -> bool {
        false
    }

    /// The test cases that an execution can be started with; `None` where nothing is mocked.
    fn test_cases(&self) -> Option<&TestCases> {
        None
    }
}

/// A call of the installation's own API by one of its tasks.
#[derive(Debug, Clone)]
pub struct OwnCall {
    /// `StartExecution`.
    pub action: String,
    pub body: Vec<u8>,
    /// The same for every attempt to make this call.
    pub invocation: Option<String>,
    /// The attempt that is signalled the end of the execution that this call starts.
    pub parent: Option<TaskToken>,
}

/// What the API answers.
#[derive(Debug, Clone)]
pub struct OwnAnswer {
    pub status: u16,
    pub body: String,
    pub request_id: String,
}

/// The installation's own API, for tasks: what is called here never leaves the installation.
#[async_trait]
pub trait OwnApi: Send + Sync + 'static {
    /// Answers a call as a client would be answered. A call that began runs to its end even when the answer is not waited for.
    async fn answer(&self, call: OwnCall) -> OwnAnswer;
}

/// An occurrence that an operator counts. No payload is ever in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening<'a> {
    /// An execution of this machine began.
    Started { machine: &'a str },
    /// One ended, after so many milliseconds.
    Ended { machine: &'a str, status: ExecutionStatus, millis: i64 },
}

/// The counters of an installation. An occurrence is counted once, by the process whose commit made it happen, after that
/// commit; it is lost when that process dies first, or learns of its own commit only by reading.
pub trait Metrics: Send + Sync + 'static {
    /// Must not wait.
    fn count(&self, happening: Happening<'_>);
}

/// The log groups of an installation. AWS: delivery is by best effort; here, records are lost that a group does not take, or
/// that the process had not written yet when it was killed.
pub trait Logs: Send + Sync + 'static {
    /// Takes records, one JSON text each, in the order of their execution, for the log group of that ARN. Must not wait, and
    /// says itself what it loses.
    fn deliver(&self, log_group: &str, records: Vec<String>);
}

/// No counters.
pub struct Uncounted;

impl Metrics for Uncounted {
    fn count(&self, _happening: Happening<'_>) {}
}

/// Time and chance.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// By the wall clock.
    fn now(&self) -> Timestamp;
    /// Since some moment, the same for every call: no step of the wall clock shows in it, nor perhaps time in which the
    /// machine was suspended.
    fn elapsed(&self) -> Duration;
    /// 32 bytes that cannot be guessed.
    fn seed(&self) -> [u8; 32];
    /// A number that no other writer has.
    fn nonce(&self) -> u64 {
        self.seed().iter().take(8).fold(0, |nonce, byte| (nonce << 8) | u64::from(*byte))
    }
    /// Tells the nanoseconds of processor time that the thread has used; always 0 where nothing is measured.
    fn processor_time(&self) -> fn() -> u64 {
        || 0
    }
    async fn sleep_until(&self, time: Timestamp);
}
