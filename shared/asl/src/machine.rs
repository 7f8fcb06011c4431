//! The types of a definition that passed [`crate::parse`].
//!
//! States of all nestings lie in one list in document order; a [`StateId`] is the place in it. A definition is pinned
//! to the executions that started with it, so an id stays good as long as parsing numbers the states in that order.

use std::sync::Arc;

use expressions::jsonata::{self, Jsonata};
use expressions::{Condition, Expression, Path, ReferencePath};
use serde_json::Value;

use crate::{Resource, StateType};

/// A whole state machine.
#[derive(Debug, Clone, PartialEq)]
pub struct StateMachine {
    pub comment: Option<String>,
    pub query_language: QueryLanguage,
    /// The longest an execution may run, in seconds.
    pub timeout_seconds: Option<u64>,
    pub flow: Flow,
    /// All states of all nestings, in document order.
    pub states: Vec<Arc<State>>,
    /// Whether any of them is a JSONata state, whose expressions may take seconds.
    pub evaluates_jsonata: bool,
}

impl StateMachine {
    /// The state at `id`; `None` when the id belongs to another definition.
    pub fn state(&self, id: StateId) -> Option<&Arc<State>> {
        self.states.get(id.0 as usize)
    }
}

/// A place in [`StateMachine::states`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateId(pub u32);

/// One level of states: a machine, a branch or an item processor.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    pub start_at: StateId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueryLanguage {
    #[default]
    JsonPath,
    Jsonata,
}

/// `STANDARD` or `EXPRESS`, as CreateStateMachine's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MachineType {
    #[default]
    Standard,
    Express,
}

/// One state. Fields that a type does not carry hold their defaults: the parser has refused them.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub id: StateId,
    pub name: Arc<str>,
    pub comment: Option<String>,
    pub query_language: QueryLanguage,
    /// Why the state fails with `States.Runtime` where it would begin or end its work: an earlier version accepted it, and
    /// a part of it does not compile any more. Only [`crate::load`] answers such states.
    pub unusable: Option<Arc<str>>,
    pub data: DataFlow,
    pub retry: Vec<Retrier>,
    pub catch: Vec<Catcher>,
    pub kind: Kind,
}

/// The parts of a state that select and shape its data, in the order in which they are applied. The fields of the other language hold their
/// defaults, which change nothing: so a state is run in one way, whatever its language.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DataFlow {
    pub input_path: Selection,
    /// `Parameters` or `Arguments`; a Map's `Parameters` are the deprecated spelling of `ItemSelector` and land in
    /// [`Map::item_selector`].
    pub arguments: Option<Template>,
    pub result_selector: Option<expressions::Template>,
    pub result_path: ResultPath,
    pub assign: Option<Template>,
    pub output_path: Selection,
    /// `Output`: takes the place of what the fields above answer.
    pub output: Option<jsonata::Template>,
}

/// JSON with expressions in it, in the language of its state.
#[derive(Debug, Clone, PartialEq)]
pub enum Template {
    JsonPath(expressions::Template),
    Jsonata(jsonata::Template),
}

/// A value that stands in the definition, or where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueSource<T> {
    Literal(T),
    Path(Path),
    Jsonata(Jsonata),
}

/// `InputPath`, `OutputPath`, `ItemsPath`.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Selection {
    /// Absent, or `$`.
    #[default]
    Everything,
    /// `null`: an empty object.
    Nothing,
    At(Path),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub enum ResultPath {
    /// Absent, or `$`: the result replaces the input.
    #[default]
    Replace,
    /// `null`: the result is discarded.
    Discard,
    At(ReferencePath),
}

/// Where a state hands on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    Next(StateId),
    End,
}

/// A state's type with the fields of its own.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Task(Task),
    Parallel(Parallel),
    Map(Map),
    Pass(Pass),
    Wait(Wait),
    Choice(Choice),
    Succeed,
    Fail(Fail),
}

impl Kind {
    pub fn state_type(&self) -> StateType {
        match self {
            Kind::Task(_) => StateType::Task,
            Kind::Parallel(_) => StateType::Parallel,
            Kind::Map(_) => StateType::Map,
            Kind::Pass(_) => StateType::Pass,
            Kind::Wait(_) => StateType::Wait,
            Kind::Choice(_) => StateType::Choice,
            Kind::Succeed => StateType::Succeed,
            Kind::Fail(_) => StateType::Fail,
        }
    }
}

impl Kind {
    /// The states that the type's own fields hand on to; Catchers are the state's.
    pub fn targets(&self) -> Vec<StateId> {
        let transition = match self {
            Kind::Task(Task { transition, .. }) | Kind::Parallel(Parallel { transition, .. }) => transition,
            Kind::Map(Map { transition, .. }) | Kind::Pass(Pass { transition, .. }) => transition,
            Kind::Wait(Wait { transition, .. }) => transition,
            Kind::Choice(choice) => return choice.rules.iter().map(|rule| rule.next).chain(choice.default).collect(),
            Kind::Succeed | Kind::Fail(_) => return Vec::new(),
        };
        match transition {
            Transition::Next(next) => vec![*next],
            Transition::End => Vec::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    pub resource: Resource,
    /// In seconds.
    pub timeout: Option<ValueSource<u64>>,
    pub heartbeat: Option<ValueSource<u64>>,
    /// `Credentials`, an object with `RoleArn` (or `RoleArn.$`), or an expression that answers one.
    pub credentials: Option<Template>,
    pub transition: Transition,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Parallel {
    pub branches: Vec<Flow>,
    pub transition: Transition,
}

/// A Map. Distributed ones are validated and refused by [`crate::parse`] for now.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    pub items: Items,
    pub item_selector: Option<Template>,
    pub processor: Flow,
    /// Whether it has `ItemReader`, `ItemBatcher` or `ResultWriter`.
    // AWS: an inline Map that has fails when it runs, with `States.Runtime`: "The ItemReader, ItemBatcher and ResultWriter
    // fields are not supported for INLINE maps" (public reports).
    pub has_distributed_fields: bool,
    pub distribution: Box<Distribution>,
    /// 0 is no limit of the definition's own.
    pub max_concurrency: ValueSource<u64>,
    pub tolerated_failure_count: Option<ValueSource<u64>>,
    pub tolerated_failure_percentage: Option<ValueSource<f64>>,
    pub transition: Transition,
}

/// The parts of a Map that a distributed one can do with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Distribution {
    /// Whether the mode is DISTRIBUTED.
    pub is_distributed: bool,
    pub reader: Option<ItemReader>,
    pub batcher: Option<ItemBatcher>,
    /// Whether there is a `ResultWriter`: then the state's result is an object that says where the results are.
    pub has_writer: bool,
}

/// `ItemReader`: the items come from an object of S3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ItemReader {
    /// `Parameters` or `Arguments`.
    pub arguments: Option<Template>,
    pub format: ItemFormat,
    /// `ItemsPointer`: a JSON pointer to the items.
    pub items_pointer: Option<String>,
    /// 0 is all.
    pub max_items: Option<ValueSource<u64>>,
}

/// How the object of an [`ItemReader`] is read.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ItemFormat {
    /// Also where the definition says nothing, or says it with an expression.
    #[default]
    Json,
    JsonLines,
    Csv {
        delimiter: char,
        /// `None`: they are the first row.
        headers: Option<Vec<String>>,
    },
    Parquet,
    Manifest,
}

/// `ItemBatcher`: several items become the input of one iteration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ItemBatcher {
    pub max_items: Option<ValueSource<u64>>,
    pub max_bytes: Option<ValueSource<u64>>,
    /// `BatchInput`
    pub input: Option<Template>,
}

/// The items that a Map iterates.
#[derive(Debug, Clone, PartialEq)]
pub enum Items {
    /// `ItemsPath`
    Path(Selection),
    /// `Items`
    Jsonata(jsonata::Template),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Pass {
    pub result: Option<Value>,
    pub transition: Transition,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    pub until: WaitUntil,
    pub transition: Transition,
}

#[derive(Debug, Clone, PartialEq)]
pub enum WaitUntil {
    Seconds(ValueSource<u64>),
    Timestamp(ValueSource<expressions::time::Instant>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub rules: Vec<Rule>,
    pub default: Option<StateId>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub test: Test,
    pub assign: Option<Template>,
    pub output: Option<jsonata::Template>,
    pub next: StateId,
}

/// When a rule of a Choice holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    Compare(Condition),
    /// `Condition`
    Jsonata(Jsonata),
    /// `"Condition": true`
    Always(bool),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Fail {
    pub error: Option<Text>,
    pub cause: Option<Text>,
}

/// `Error` or `ErrorPath`, `Cause` or `CausePath`; in JSONata `Error` and `Cause` may be expressions.
#[derive(Debug, Clone, PartialEq)]
pub enum Text {
    Literal(String),
    From(Expression),
    Jsonata(Jsonata),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Retrier {
    pub error_equals: Vec<String>,
    pub interval_seconds: u64,
    pub max_attempts: u64,
    pub backoff_rate: f64,
    pub max_delay_seconds: Option<u64>,
    pub jitter: Jitter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Jitter {
    #[default]
    None,
    Full,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Catcher {
    pub error_equals: Vec<String>,
    pub result_path: ResultPath,
    pub assign: Option<Template>,
    pub output: Option<jsonata::Template>,
    pub next: StateId,
}
