//! Load with a memory: clients that keep starting, answering and stopping executions whatever happens to the server, and
//! a ledger of everything it acknowledged, to be held against it in the end.
//!
//! The workflows are `workflows/under_fire/*.json`; [`functions`] are what they call, [`ledger`] is the memory and its
//! checks. A call that is cut off is made again, under the same name or token, until there is an answer: that is what a
//! client does. Deliberately absent: anything that hurts the server; that is for the tests.

#![expect(clippy::indexing_slicing, reason = "an index into JSON does not panic; any other that does fails the test")]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::client::{CallError, Client, text};
use crate::lambda_server::LambdaServer;

pub mod functions;
pub mod ledger;

use functions::Asked;
use ledger::{Acknowledged, Ledger};

const WORKFLOWS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/workflows/under_fire");
const DRIVERS: u64 = 8;
/// Between two executions of a driver.
const PACE: Duration = Duration::from_millis(60);
/// Between two tries of a call that is cut off.
const AGAIN: Duration = Duration::from_millis(15);
/// A server that is away for longer will not come back.
const GIVE_UP: Duration = Duration::from_secs(60);

/// The kind of an execution; each has its workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Tasks,
    Map,
    Parallel,
    Callback,
    Stopped,
    Express,
}

impl Kind {
    pub const ALL: [Kind; 6] = [Kind::Tasks, Kind::Map, Kind::Parallel, Kind::Callback, Kind::Stopped, Kind::Express];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Tasks => "tasks",
            Kind::Map => "map",
            Kind::Parallel => "parallel",
            Kind::Callback => "callback",
            Kind::Stopped => "stopped",
            Kind::Express => "express",
        }
    }

    fn machine_type(self) -> &'static str {
        match self {
            Kind::Express => "EXPRESS",
            Kind::Tasks | Kind::Map | Kind::Parallel | Kind::Callback | Kind::Stopped => "STANDARD",
        }
    }
}

/// Clients at work.
pub struct Load {
    shared: Arc<Shared>,
    server: watch::Sender<Client>,
    drivers: JoinSet<Result<()>>,
    answerer: JoinSet<Result<()>>,
}

struct Shared {
    server: watch::Receiver<Client>,
    machines: Vec<(Kind, String)>,
    ledger: Arc<Mutex<Ledger>>,
    /// Counts whatever the test counts; every acknowledgement carries its value.
    ticks: Arc<AtomicU64>,
    stopping: AtomicBool,
}

impl Load {
    /// Makes the machines and the functions, and begins. `ticks` is read at every acknowledgement.
    pub async fn begin(client: &Client, functions: &LambdaServer, ticks: Arc<AtomicU64>) -> Result<Self> {
        let mut machines = Vec::new();
        for kind in Kind::ALL {
            let path = Path::new(WORKFLOWS).join(kind.name()).with_extension("json");
            let definition: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
            machines.push((kind, client.create_as(kind.name(), kind.machine_type(), &definition).await?));
        }
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let asked = functions::register(functions, &ledger);
        let (sender, server) = watch::channel(client.clone());
        let shared = Arc::new(Shared { server, machines, ledger, ticks, stopping: AtomicBool::new(false) });
        let (mut drivers, mut answerer) = (JoinSet::new(), JoinSet::new());
        for driver in 0..DRIVERS {
            drivers.spawn(drive(Arc::clone(&shared), driver));
        }
        answerer.spawn(answer_all(Arc::clone(&shared), asked));
        Ok(Self { shared, server: sender, drivers, answerer })
    }

    /// From now on the server is there.
    pub fn moved_to(&self, client: &Client) {
        self.server.send_replace(client.clone());
    }

    /// Starts nothing more, and waits until all that was started is acknowledged.
    pub async fn wind_down(&mut self) -> Result<()> {
        self.shared.stopping.store(true, Ordering::SeqCst);
        while let Some(driver) = self.drivers.join_next().await {
            driver??;
        }
        Ok(())
    }

    /// Waits until no execution is open, then gives the ledger.
    pub async fn settled(&mut self, within: Duration) -> Result<Ledger> {
        let limit = Instant::now() + within;
        let standard = self.shared.machines.iter().filter(|(kind, _)| *kind != Kind::Express);
        for (kind, machine) in standard {
            loop {
                if let Some(ended) = self.answerer.try_join_next() {
                    ended??;
                    bail!("nobody answers tokens any more");
                }
                let open = open_executions(&self.shared.current(), machine).await?;
                if open.is_empty() {
                    break;
                }
                ensure!(Instant::now() < limit, "{} stuck, such as {}: {:#?}", kind.name(), open[0], {
                    self.shared.current().history(&open[0]).await
                });
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(self.ledger())
    }

    /// The ledger so far.
    pub fn ledger(&self) -> Ledger {
        self.shared.ledger.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn open_executions(client: &Client, machine: &str) -> Result<Vec<String>> {
    let members = json!({"stateMachineArn": machine, "statusFilter": "RUNNING", "maxResults": 10});
    let answer = client.call("ListExecutions", &members).await?;
    answer["executions"].as_array().into_iter().flatten().map(|row| text(row, "executionArn")).collect()
}

impl Shared {
    fn current(&self) -> Client {
        self.server.borrow().clone()
    }

    fn acknowledge(&self, what: Acknowledged) {
        let tick = self.ticks.load(Ordering::SeqCst);
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).acknowledged.push((tick, what));
    }

    /// Calls until there is an answer. The second part tells whether an earlier try may have counted.
    async fn call(&self, action: &str, members: &Value) -> Result<(Result<Value, CallError>, bool)> {
        let limit = Instant::now() + GIVE_UP;
        let mut cut_off = false;
        loop {
            match self.current().call(action, members).await {
                Err(CallError::CutOff(why)) => {
                    ensure!(Instant::now() < limit, "{action}: {why}");
                    cut_off = true;
                    tokio::time::sleep(AGAIN).await;
                }
                answer @ (Ok(_) | Err(CallError::Refused { .. })) => return Ok((answer, cut_off)),
            }
        }
    }
}

async fn drive(shared: Arc<Shared>, driver: u64) -> Result<()> {
    for number in driver.. {
        if shared.stopping.load(Ordering::SeqCst) {
            break;
        }
        let kinds = shared.machines.len();
        let place = usize::try_from(number)? % kinds;
        let Some((kind, machine)) = shared.machines.get(place) else { bail!("no machine {place}") };
        let execution = start(&shared, *kind, machine, &format!("{}-{driver}-{number}", kind.name())).await?;
        if *kind == Kind::Stopped {
            stop(&shared, execution).await?;
        }
        tokio::time::sleep(PACE).await;
    }
    Ok(())
}

async fn start(shared: &Shared, kind: Kind, machine: &str, name: &str) -> Result<String> {
    let input = json!({"items": [0, 1, 2, 3, 4, 5, 6], "name": name});
    let members = json!({"stateMachineArn": machine, "name": name, "input": input.to_string()});
    let execution = match shared.call("StartExecution", &members).await? {
        (Ok(answer), _) => text(&answer, "executionArn")?,
        // The try that was cut off has counted, and the execution is over already.
        (Err(error), true) if error.kind() == "ExecutionAlreadyExists" => {
            format!("{}:{name}", machine.replace(":stateMachine:", ":execution:"))
        }
        (Err(error), _) => bail!("StartExecution {name}: {error}"),
    };
    shared.acknowledge(Acknowledged::Started { kind, execution: execution.clone() });
    Ok(execution)
}

async fn stop(shared: &Shared, execution: String) -> Result<()> {
    let (answer, _) = shared.call("StopExecution", &json!({"executionArn": execution, "error": "Enough"})).await?;
    answer.map_err(|error| anyhow::anyhow!("StopExecution {execution}: {error}"))?;
    shared.acknowledge(Acknowledged::Stopped { execution });
    Ok(())
}

async fn answer_all(shared: Arc<Shared>, mut asked: mpsc::UnboundedReceiver<Asked>) -> Result<()> {
    let mut answers = JoinSet::new();
    loop {
        tokio::select! {
            Some(question) = asked.recv() => {
                answers.spawn(answer(Arc::clone(&shared), question));
            }
            Some(answered) = answers.join_next() => answered??,
            else => return Ok(()),
        }
    }
}

async fn answer(shared: Arc<Shared>, asked: Asked) -> Result<()> {
    let Asked { execution, token, answer } = asked;
    let members = json!({"taskToken": token, "output": json!({"answer": answer}).to_string()});
    match shared.call("SendTaskSuccess", &members).await? {
        (Ok(_), _) => shared.acknowledge(Acknowledged::Answered { execution, answer }),
        // An earlier try counted, or the attempt was lost in between; either is for the execution's end to tell.
        (Err(error), _) if error.kind() == "TaskTimedOut" => {}
        (Err(error), _) => bail!("SendTaskSuccess for {execution}: {error}"),
    }
    Ok(())
}
