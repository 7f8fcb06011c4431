//! StartExecution: names, inputs, and what a second start of the same name is.
//!
//! The same name with the same input is the same start while the execution runs. The same call, sent again by the
//! client's SDK, is the same start even after the end. Starting an express workflow leads to [`super::express`].

use std::sync::Arc;
use std::time::Duration;

use asl::{MachineType, StateMachine};
use engine::deliver::{DeliverError, Start, Started};
use engine::entry::Head;
use engine::ports::Record;
use engine::tokens::TaskToken;
use interpreter::{Execution, Limits, Payload, Timestamp};
use serde::Serialize;

use crate::action::{Action, Asked, answered};
use crate::answer::{Date, epoch};
use crate::arn::{self, Qualifier};
use crate::document::{Alias, Machine, Revision};
use crate::error::ApiError;
use crate::executions::undamaged;
use crate::names;
use crate::request::Request;
use crate::service::Service;
use crate::shapes::{ARN, NAME, PAYLOAD, TRACE_HEADER, optional, required};
use crate::trace_header;

pub(crate) const START_EXECUTION: Action = Action {
    name: "StartExecution",
    shape: &[
        required("stateMachineArn", ARN),
        optional("name", NAME),
        optional("input", PAYLOAD),
        optional("traceHeader", TRACE_HEADER),
    ],
    run: |asked| answered(start_execution(asked)),
};

/// StartExecution's answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Begun {
    execution_arn: String,
    start_date: Date,
}

impl Begun {
    pub fn of(arn: String, started: Timestamp) -> Begun {
        Begun { execution_arn: arn, start_date: epoch(started) }
    }
}

/// A start that has been checked.
pub(crate) struct Order {
    pub machine: Arc<Machine>,
    /// Pins the execution: the current revision, or that of a version.
    pub revision: Revision,
    pub version: Option<u64>,
    /// The name of the alias that routed to the version.
    pub alias: Option<String>,
    pub name: String,
    pub input: Payload,
    /// The call's id, when it is a UUID.
    pub invocation: Option<String>,
    pub trace_header: Option<String>,
    /// The test case whose mocks answer the tasks.
    pub test_case: Option<String>,
    /// The attempt of a task that waits for its end.
    pub parent: Option<TaskToken>,
}

/// Tries while another start of that name is under way, and the pause between them.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);

async fn start_execution(asked: Asked) -> Result<Begun, ApiError> {
    let Asked { service, request, invocation, parent, client: _ } = asked;
    let order = Order { parent, ..service.order(request, invocation).await? };
    match order.machine.kind {
        MachineType::Standard => service.start_standard(order).await,
        MachineType::Express => service.start_express(order).await,
    }
}

impl Service {
    /// Checks a start: the machine first, then the name, then the input, as AWS does.
    pub(crate) async fn order(&self, mut request: Request, invocation: Option<String>) -> Result<Order, ApiError> {
        let input = request.take("input");
        let (arn, case) = self.without_test_case(request.required("stateMachineArn"));
        arn::machine(arn)?;
        let asked = arn;
        let (arn, qualifier) = arn::split(asked);
        let machine = self.registry.usable(arn).await.map_err(|error| error.about(asked))?;
        let target = Target::of(&machine, qualifier, asked)?;
        let test_case = case.map(|case| self.checked_test_case(&machine.name, case)).transpose()?;
        let invocation = names::invocation_uuid(invocation.as_deref());
        let name = match (request.take("name"), &invocation) {
            (Some(name), _) => name,
            (None, Some(invocation)) => invocation.clone(),
            (None, None) => names::random_uuid(self.engine.world().clock.seed()),
        };
        names::check(&name)?;
        let input = checked_input(input)?;
        let version = target.version(&self.home.execution(&machine.name, &name), invocation.as_deref());
        let revision = match version {
            None => machine.current(),
            Some(number) => {
                let version = machine.version(number);
                let missing = || arn::version(&self.home.machine(&machine.name), number);
                version.ok_or_else(|| ApiError::VersionDoesNotExist(missing()))?.revision.clone()
            }
        };
        let alias = target.alias();
        let clock = &self.engine.world().clock;
        let asked = request.take("traceHeader");
        let trace_header =
            trace_header::shown(asked.as_deref(), revision.tracing, clock.now().0.div_euclid(1000), clock.seed());
        Ok(Order { machine, revision, version, alias, name, input, invocation, trace_header, test_case, parent: None })
    }

    /// `ARN#TestCase` taken apart, as Step Functions Local has it; a bare `#` asks for no test case.
    // AWS: where nothing is mocked the whole text is the machine's name, and no machine is called that.
    fn without_test_case<'a>(&self, asked: &'a str) -> (&'a str, Option<&'a str>) {
        match asked.split_once('#') {
            Some((arn, case)) if self.engine.world().tasks.test_cases().is_some() => {
                (arn, Some(case).filter(|case| !case.is_empty()))
            }
            _ => (asked, None),
        }
    }

    /// A test case that exists. Step Functions Local answers one that does not with a bare HTTP 500.
    fn checked_test_case(&self, machine: &str, case: &str) -> Result<String, ApiError> {
        let known = self.engine.world().tasks.test_cases().and_then(|cases| cases.get(machine));
        if known.is_some_and(|cases| cases.contains(case)) {
            return Ok(case.to_owned());
        }
        let shown: String = case.chars().take(80).collect();
        let text = format!("The mock configuration has no test case '{shown}' for the state machine '{machine}'.");
        Err(ApiError::Validation(text))
    }

    /// The execution that an order asks for, and the definition it is pinned to.
    pub(crate) async fn prepared(
        &self,
        order: &Order,
        arn: String,
        started: Timestamp,
    ) -> Result<(Arc<StateMachine>, Execution), ApiError> {
        let machine = &order.machine;
        let definition = self.deliver().definitions().get(&order.revision.definition).await?;
        let limits = match machine.kind {
            MachineType::Standard => Limits { events: self.engine.settings().events, ..Limits::STANDARD },
            MachineType::Express => Limits::EXPRESS,
        };
        let settings = self.engine.settings();
        let (wait_millionths, retry_millionths) = (settings.wait_millionths, settings.retry_millionths);
        let limits = Limits { wait_millionths, retry_millionths, ..limits };
        let execution = Execution {
            arn,
            name: order.name.clone(),
            role_arn: order.revision.role_arn.clone(),
            machine_arn: self.home.machine(&machine.name),
            machine_name: machine.name.clone(),
            region: self.home.region().to_owned(),
            started,
            input: order.input.clone(),
            limits,
        };
        Ok((definition, execution))
    }

    async fn start_standard(&self, order: Order) -> Result<Begun, ApiError> {
        let arn = self.home.execution(&order.machine.name, &order.name);
        for _ in 0..TRIES {
            let (machine, execution) = self.prepared(&order, arn.clone(), self.now()).await?;
            let head = head_of(&order, &machine, &execution);
            let started = execution.started;
            match self.deliver().start(Start { machine, execution, head }).await {
                Ok(Started::New) => return Ok(Begun::of(arn, started)),
                Ok(Started::Exists(first)) => match self.found(&order, &arn, &first).await? {
                    Some(started) => return Ok(Begun::of(arn, started)),
                    None => continue,
                },
                // Another start of that name is under way, and nothing is written yet.
                Err(DeliverError::Lost) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(ApiError::Unavailable)
    }

    /// When the execution that is there started, if it is this start's; `None` when the name is free now.
    async fn found(&self, order: &Order, arn: &str, first: &Record) -> Result<Option<Timestamp>, ApiError> {
        // A damaged head is the start of no call: its name is taken.
        let same = undamaged(first)?
            .and_then(|entry| entry.head)
            .filter(|(head, input)| *input == order.input && head.test_case == order.test_case);
        let same = same.map(|(head, _)| head);
        if let Some(head) =
            same.as_ref().filter(|head| order.invocation.is_some() && head.invocation == order.invocation)
        {
            return Ok(Some(head.started));
        }
        let Some(found) = self.read_ends(arn).await? else { return Ok(None) };
        if found.seen.head != first.nonce {
            // The first was forgotten since, and this is another one of its name.
            return Ok(None);
        }
        match (found.closed, same) {
            (None, Some(head)) => Ok(Some(head.started)),
            (Some((_, ended)), _) if self.is_expired(ended) => {
                self.engine.world().journal.forget(&found.seen).await?;
                Ok(None)
            }
            (_, _) => Err(ApiError::ExecutionAlreadyExists(arn.to_owned())),
        }
    }
}

fn head_of(order: &Order, machine: &StateMachine, execution: &Execution) -> Head {
    let most = execution.limits.seconds;
    let seconds = machine.timeout_seconds.map_or(most, |own| own.min(most));
    let mut head = order.head(execution, seconds);
    head.invocation.clone_from(&order.invocation);
    head.parent.clone_from(&order.parent);
    head
}

/// The target of a start's ARN.
enum Target {
    Current,
    Version(u64),
    Alias(Alias),
}

impl Target {
    fn of(machine: &Machine, qualifier: Option<Qualifier<'_>>, asked: &str) -> Result<Target, ApiError> {
        match qualifier {
            None => Ok(Target::Current),
            Some(Qualifier::Version(number)) if machine.version(number).is_some() => Ok(Target::Version(number)),
            Some(Qualifier::Version(_)) => Err(ApiError::VersionDoesNotExist(asked.to_owned())),
            Some(Qualifier::Alias(name)) => {
                let alias = machine.alias(name).ok_or_else(|| ApiError::AliasDoesNotExist(asked.to_owned()))?;
                Ok(Target::Alias(alias.clone()))
            }
        }
    }

    fn version(&self, execution: &str, invocation: Option<&str>) -> Option<u64> {
        match self {
            Target::Current => None,
            Target::Version(number) => Some(*number),
            Target::Alias(alias) => alias.drawn(execution, invocation),
        }
    }

    fn alias(self) -> Option<String> {
        match self {
            Target::Current | Target::Version(_) => None,
            Target::Alias(alias) => Some(alias.name),
        }
    }
}

impl Order {
    /// The head of its execution, which may run for so many seconds.
    pub fn head(&self, execution: &Execution, seconds: u64) -> Head {
        let mut head = Head::new(execution, seconds, self.revision.definition.clone());
        head.trace_header.clone_from(&self.trace_header);
        head.test_case.clone_from(&self.test_case);
        head.updated = Some(self.revision.updated);
        head.revision_id.clone_from(&self.revision.id);
        head.version = self.version;
        head.alias.clone_from(&self.alias);
        head.logging = self.revision.logging.delivered();
        head
    }
}

/// An input as it was sent, once it is known to be JSON.
pub(crate) fn checked_input(input: Option<String>) -> Result<Payload, ApiError> {
    let Some(text) = input else { return Ok(Payload::from_json_text("{}")) };
    if text.trim().is_empty() {
        return Err(ApiError::InvalidExecutionInput("Invalid execution input.".to_owned()));
    }
    match expressions::json::parse(&text) {
        Ok(_) => Ok(Payload::from_json_text(text)),
        Err(error) => Err(ApiError::InvalidExecutionInput(error.message)),
    }
}
